"""Passages and events of a camera that are not closed: what is to be ended when nobody remembers any more who was in view."""

from dataclasses import dataclass

from sqlalchemy import Engine, func, select

from storage.database.engine import reading
from storage.database.facts import read_event, read_track
from storage.database.models import EventRow, TrackRow
from storage.messages import Event, Track


@dataclass(frozen=True, slots=True)
class LeftOpen:
    """What the database knows of a camera's people in view.

    Attributes:
        tracks, events: that are not closed.
        last_number: the highest of all tracks ever written, 0 where there is none.
    """

    tracks: tuple[Track, ...] = ()
    events: tuple[Event, ...] = ()
    last_number: int = 0


def left_open(engine: Engine, camera: str) -> LeftOpen:
    """What is not closed, as last written.

    Raises:
        StorageError: the database can't be read.
    """
    # Passages in recorded footage have numbers of their own.
    live = TrackRow.camera_id == camera, TrackRow.job_id.is_(None)
    tracks = select(TrackRow.__table__).where(*live, TrackRow.closed.is_(False))
    events = (
        select(EventRow.__table__, TrackRow.number)
        .join(TrackRow, TrackRow.id == EventRow.track_id)
        .where(EventRow.camera_id == camera, EventRow.job_id.is_(None), EventRow.closed.is_(False))
    )
    last = select(func.max(TrackRow.number)).where(*live)
    with reading(engine) as connection:
        return LeftOpen(
            tuple(read_track(row) for row in connection.execute(tracks.order_by(TrackRow.number))),
            tuple(read_event(row, row.number) for row in connection.execute(events.order_by(TrackRow.number))),
            connection.execute(last).scalar() or 0,
        )
