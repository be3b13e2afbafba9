"""What was seen: tracks and events."""

from typing import Annotated

from fastapi import APIRouter, Query

from api.access import access
from api.asking import FactQuery, Known, cursor
from api.context import Context
from api.shapes import facts as shapes
from api.shapes.common import Listed
from storage.identity import Role

router = APIRouter(tags=["tracks and events"])


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
