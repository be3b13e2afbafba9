"""What happens, as it happens."""

import re
from typing import Annotated, Final

from fastapi import APIRouter, Header, Request, Response

from api.access import Calling, access
from api.identity import still_welcome
from api.problems import ProblemError
from api.stream import EventStream
from storage.identity import Role

router = APIRouter(tags=["stream"])

PLACE: Final = re.compile(r"\d{1,18}-\d{1,18}")


@router.get(
    "/stream",
    summary="What happens, as it happens",
    response_class=Response,
    responses={200: {"content": {"text/event-stream": {}}, "description": "Server-sent events."}},
    openapi_extra=access(Role.VIEWER),
)
async def get_stream(
    request: Request,
    caller: Calling,
    last: Annotated[
        str | None,
        Header(alias="Last-Event-ID", description="`id` of what was heard last: it goes on from there.", max_length=40),
    ] = None,
) -> Response:
    """Of the caller's buildings: `event.opened`, `event.changed`, `event.ended`, `event.reviewed`, `job.changed` and
    `job.finished` with `{"id", "building_id"}`, and `camera.state_changed` with `state` and `reason` too.

    It begins with `hello`; where that says `"resumed": false`, things may have been missed: read anew. `trouble` says that
    nothing is told until `mended`. It ends after 15 minutes, and whenever somebody can't keep up: come back.
    """
    if last is not None and not PLACE.fullmatch(last):
        raise ProblemError(
            422, "invalid-request", "header.last-event-id: give the `id` of what was heard last, unchanged"
        )
    return EventStream(request.app.state.hub, caller, last or "", lambda: still_welcome(request, caller))
