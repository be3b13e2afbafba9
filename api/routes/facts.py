"""What was seen: tracks, events and their pictures."""

import re
from typing import Annotated, Final

from fastapi import APIRouter, Query, Response

from api.access import access
from api.asking import FactQuery, Known, cursor
from api.context import Context
from api.problems import ProblemError
from api.shapes import facts as shapes
from api.shapes.common import Listed
from storage.identity import Role

router = APIRouter(tags=["tracks and events"])

PICTURE_NAME: Final = re.compile(r"[0-9a-f]{64}\.jpg")
TRIES: Final = 3


@router.get("/tracks", summary="Tracks", openapi_extra=access(Role.VIEWER))
def list_tracks(context: Context, query: Annotated[FactQuery, Query()]) -> Listed[shapes.Track]:
    """Newest first. `type` and `verdict` are those of the track's event."""
    found, after = context.reports.tracks(query.wanted(), query.limit, query.cursor)
    return Listed(items=[shapes.Track.of(one) for one in found], next_cursor=cursor(after))


@router.get("/events", summary="Events", openapi_extra=access(Role.VIEWER))
def list_events(context: Context, query: Annotated[FactQuery, Query()]) -> Listed[shapes.Event]:
    """Newest first. `label` is that of the event's track."""
    found, after = context.reports.events(query.wanted(), query.limit, query.cursor)
    return Listed(items=[shapes.Event.of(one) for one in found], next_cursor=cursor(after))


@router.get("/events/{event_id}", summary="One event", openapi_extra=access(Role.VIEWER))
def get_event(context: Context, event_id: Known) -> shapes.Event:
    """With its review."""
    return shapes.Event.of(context.reports.event(event_id))


@router.get(
    "/events/{event_id}/snapshot",
    summary="The picture kept with an event",
    response_class=Response,
    responses={200: {"content": {"image/jpeg": {}}, "description": "All but the event's person is pixelated."}},
    openapi_extra=access(Role.VIEWER),
)
def get_snapshot(context: Context, event_id: Known) -> Response:
    """While the event goes on, a better picture may replace it."""
    for _ in range(TRIES):
        name = context.reports.event(event_id).snapshot
        if name is None:
            raise ProblemError(404, "not-found", f"event {event_id} has no picture")
        if not PICTURE_NAME.fullmatch(name):
            break
        try:
            data = (context.snapshots / name).read_bytes()
        except FileNotFoundError:
            # Replaced by a better one since the database was asked: that one is named there by now.
            continue
        except OSError as error:
            raise ProblemError(503, "picture-unavailable", f"the picture can't be read: {error.strerror}") from error
        return Response(data, media_type="image/jpeg", headers={"Cache-Control": "private, no-store"})
    raise ProblemError(404, "not-found", f"the picture of event {event_id} is gone")
