"""Passages and events of a camera that are not closed: what is to be ended when nobody remembers any more who was in view."""

from dataclasses import dataclass

from sqlalchemy import Engine, func, select

from storage.database.engine import reading
from storage.database.models import EventRow, TrackRow
from storage.messages import Event, Track
from storage.words import Label, UnknownReason


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
    tracks = select(TrackRow.__table__).where(TrackRow.camera_id == camera, TrackRow.closed.is_(False))
    events = (
        select(EventRow.__table__, TrackRow.number)
        .join(TrackRow, TrackRow.id == EventRow.track_id)
        .where(EventRow.camera_id == camera, EventRow.closed.is_(False))
    )
    last = select(func.max(TrackRow.number)).where(TrackRow.camera_id == camera)
    with reading(engine) as connection:
        return LeftOpen(
            tuple(
                Track(
                    number=row.number,
                    first_seen_ns=row.started_ns,
                    last_seen_ns=row.ended_ns,
                    faces=row.faces,
                    label=Label(row.label),
                    confidence=row.confidence,
                    unknown_reason=None if row.unknown_reason is None else UnknownReason(row.unknown_reason),
                    counted=row.counted,
                    closed=row.closed,
                )
                for row in connection.execute(tracks.order_by(TrackRow.number))
            ),
            tuple(
                Event(
                    track=row.number,
                    label=Label(row.type),
                    started_ns=row.started_ns,
                    ended_ns=row.ended_ns,
                    corrected_ns=row.corrected_ns,
                    confidence=row.confidence,
                    closed=row.closed,
                )
                for row in connection.execute(events.order_by(TrackRow.number))
            ),
            connection.execute(last).scalar() or 0,
        )
