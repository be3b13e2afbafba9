"""Passages drawn at random, which people check without knowing what the system said of them."""

import time
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from api.access import access
from api.asking import MOST_ITEMS, Asked, Known, Named
from api.context import Context
from api.pictures import JPEG, shown
from api.shapes import spot_checks as shapes
from storage.identity import Role

router = APIRouter(tags=["spot checks"])


class SpotCheckQuery(Asked):
    """Which passages."""

    building: Named | None = None
    limit: int = Field(50, ge=1, le=MOST_ITEMS, description="Most items.")


@router.get("/spot-checks", summary="Passages that wait to be checked", openapi_extra=access(Role.REVIEWER))
def list_spot_checks(context: Context, query: Annotated[SpotCheckQuery, Query()]) -> shapes.SpotChecks:
    """Drawn at random, oldest first; of each that is checked the next ones move up."""
    found, waiting = context.spot_checks.waiting(query.building, query.limit, time.time_ns())
    return shapes.SpotChecks(items=[shapes.SpotCheck.of(one) for one in found], waiting=waiting)


@router.get(
    "/spot-checks/{track_id}/picture",
    summary="The face of a passage that waits to be checked",
    response_class=Response,
    responses={
        200: {
            "content": {JPEG: {"schema": {"type": "string", "format": "binary"}}},
            "description": "The face and what is just around it; all else is pixelated.",
        },
        304: {"description": "`If-None-Match` names it."},
    },
    openapi_extra=access(Role.REVIEWER),
)
def get_spot_check_picture(context: Context, track_id: Known, request: Request) -> Response:
    """Who looks at it is noted. It goes when somebody has checked it, and after 48 hours."""
    return shown(request, context.spot_checks.picture(track_id, time.time_ns()))


@router.post("/spot-checks/{track_id}", summary="Say what a passage shows", openapi_extra=access(Role.REVIEWER))
def check_passage(context: Context, track_id: Known, said: shapes.SpotCheckIn) -> shapes.SpotCheckDone:
    """Once: 409 for who comes second. No figures change by it but the corrected rate."""
    context.spot_checks.check(track_id, said.label, time.time_ns())
    return shapes.SpotCheckDone(id=track_id)
