"""Whether cameras are placed well enough."""

import time
from contextlib import suppress
from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import Field

from api import ingest
from api.access import access
from api.asking import Asked, Known
from api.context import ApiContext, Context
from api.shapes import suitability as shapes
from storage.bus import BusError
from storage.face_tally import Tally
from storage.identity import Role
from storage.messages import NS_PER_S
from storage.needed_size import needed_size
from storage.suitability import Suitability, judged

router = APIRouter(tags=["cameras"])


class HoursQuery(Asked):
    """Which hours."""

    hours: int = Field(24, ge=1, le=720, description="The last so many, whole hours of UTC.")


@router.get(
    "/cameras/{camera_id}/suitability", summary="How well a camera sees faces", openapi_extra=access(Role.VIEWER)
)
def get_suitability(context: Context, camera_id: Known, query: Annotated[HoursQuery, Query()]) -> shapes.Suitability:
    """By the faces of the last hours, as of the last minute: a verdict in words, what to do, and the figures behind it."""
    found = _found(context, camera_id, query.hours)[1]
    warnings: tuple[str, ...] = ()
    # What was seen is known without the bus, too.
    with suppress(BusError):
        status = context.bus.statuses([camera_id]).get(camera_id)
        warnings = () if status is None else status.warnings
    return shapes.Suitability.of(found, warnings)


@router.get(
    "/cameras/{camera_id}/suitability/still",
    summary="How large a face must be, in a camera's view",
    response_class=Response,
    responses={200: {"content": {"image/jpeg": {}}, "description": "Nobody can be recognised in it."}},
    openapi_extra=access(Role.VIEWER),
)
def get_needed_size(context: Context, camera_id: Known, query: Annotated[HoursQuery, Query()]) -> Response:
    """The view with outlines of the size that is needed, and where and how large faces were seen.

    Whatever has moved within ten minutes is pixelated, and all of a camera that is not watched.
    """
    tally, found = _found(context, camera_id, query.hours)
    still, covered = ingest.view(context, camera_id)
    jpeg = needed_size(still.jpeg or b"", tally, found.needed_px, found.comfortable_px, still.width, cover=not covered)
    return Response(jpeg, media_type="image/jpeg", headers={"Cache-Control": "private, no-store"})


@router.post(
    "/cameras/{camera_id}/suitability/accept",
    status_code=204,
    summary="Take a camera's new view for granted",
    openapi_extra=access(Role.OPERATOR),
)
def accept_view(context: Context, camera_id: Known) -> Response:
    """It was turned on purpose: within half a minute what it shows is learnt anew, and is not called moved any more."""
    context.views.forget(context.sites.camera(camera_id).id)
    return Response(status_code=204)


def _found(context: ApiContext, camera_id: str, hours: int) -> tuple[Tally, Suitability]:
    camera = context.sites.camera(camera_id)
    tally = context.tallies.since(camera.id, time.time_ns() - hours * 3600 * NS_PER_S)
    return tally, judged(tally, camera.min_face_px)
