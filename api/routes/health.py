"""Whether the system works, and what it is."""

from collections.abc import Iterator
from importlib.metadata import version
from typing import Final

from fastapi import APIRouter, Request

from api.access import access
from api.context import ApiContext, WholeContext
from api.identity import authenticated
from api.problems import ProblemError
from api.shapes import system as shapes
from storage.bus import BusError
from storage.errors import MaskwatchError
from storage.pulse import heard_at

router = APIRouter(tags=["system"])

NOT_OK: Final = "something is wrong; who has all buildings is told what"


@router.get("/health/live", summary="Whether the API runs", openapi_extra=access(None))
def get_live() -> shapes.Live:
    """It does, if it answers."""
    return shapes.Live()


@router.get("/health/ready", summary="Whether the system works", openapi_extra=access(None))
def get_ready(request: Request, context: WholeContext) -> shapes.Ready:
    """Database, bus and every worker. Otherwise 503, with the same `checks` in the problem.

    Details, which may name hosts and paths, are for callers with all buildings.
    """
    found = list(checks(context))
    if not _sees_details(request):
        found = [shapes.Check(name=check.name, ok=check.ok, detail=None) for check in found]
    if wrong := [check for check in found if not check.ok]:
        detail = "; ".join(f"{check.name}: {check.detail or NOT_OK}" for check in wrong)
        raise ProblemError(503, "not-ready", detail, checks=[check.model_dump() for check in found])
    return shapes.Ready(checks=found)


@router.get("/version", summary="What runs here", openapi_extra=access(None))
def get_version() -> shapes.Version:
    """Of the program and of the API."""
    return shapes.Version(version=version("maskwatch"))


def _sees_details(request: Request) -> bool:
    try:
        return authenticated(request).buildings is None
    except (ProblemError, MaskwatchError):
        # Nobody that is known, or nobody can know.
        return False


def checks(context: ApiContext) -> Iterator[shapes.Check]:
    """Every part of the system, and what is wrong with it."""
    try:
        context.reports.check()
        yield shapes.Check(name="database", ok=True, detail=None)
    except MaskwatchError as error:
        yield shapes.Check(name="database", ok=False, detail=str(error))
    try:
        beats = context.bus.heartbeats()
        yield shapes.Check(name="bus", ok=True, detail=None)
    except BusError as error:
        yield shapes.Check(name="bus", ok=False, detail=str(error))
        return
    for name in context.workers:
        beat = heard_at(name, beats)
        # One that waits for a full disk lives: taking the API away would help nobody.
        if beat is None:
            yield shapes.Check(name=name, ok=False, detail="it gives no sign of life")
        else:
            yield shapes.Check(name=name, ok=True, detail=beat.trouble, device=beat.device, store=beat.store or None)
