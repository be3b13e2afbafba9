"""All that is known of one camera, read back: what reports on footage and on the demo are made from."""

from dataclasses import dataclass, field

from sqlalchemy import Engine, select

from storage.database.engine import reading
from storage.database.models import EventRow, TrackPathRow, TrackRow
from storage.messages import Event, Track
from storage.paths import Seen, unpack
from storage.words import Label, UnknownReason


@dataclass(frozen=True, slots=True)
class Recorded:
    """Tracks, paths, events and their pictures' names, by the number of the track."""

    tracks: dict[int, Track] = field(default_factory=dict)
    paths: dict[int, list[Seen]] = field(default_factory=dict)
    events: dict[int, Event] = field(default_factory=dict)
    snapshots: dict[int, str] = field(default_factory=dict)


def recorded(engine: Engine, camera: str) -> Recorded:
    """What the aggregator has written down of a camera; paths of tracks that are not closed lack their end.

    Raises:
        StorageError: the database can't be read.
    """
    with reading(engine) as connection:
        rows = connection.execute(select(TrackRow.__table__).where(TrackRow.camera_id == camera))
        tracks = {row.number: row for row in rows}
        parts = connection.execute(
            select(TrackRow.number, TrackPathRow.boxes)
            .join(TrackPathRow, TrackPathRow.track_id == TrackRow.id)
            .where(TrackRow.camera_id == camera)
            .order_by(TrackRow.number, TrackPathRow.part)
        ).all()
        events = connection.execute(select(EventRow.__table__).where(EventRow.camera_id == camera)).all()
    numbers = {row.id: number for number, row in tracks.items()}
    packed: dict[int, list[bytes]] = {}
    for number, boxes in parts:
        packed.setdefault(number, []).append(boxes)
    return Recorded(
        tracks={
            number: Track(
                number=number,
                first_seen_ns=row.started_ns,
                last_seen_ns=row.ended_ns,
                faces=row.faces,
                label=Label(row.label),
                confidence=row.confidence,
                unknown_reason=None if row.unknown_reason is None else UnknownReason(row.unknown_reason),
                counted=row.counted,
                closed=row.closed,
            )
            for number, row in tracks.items()
        },
        paths={number: unpack(boxes) for number, boxes in packed.items()},
        events={
            numbers[row.track_id]: Event(
                track=numbers[row.track_id],
                label=Label(row.type),
                started_ns=row.started_ns,
                ended_ns=row.ended_ns,
                corrected_ns=row.corrected_ns,
                confidence=row.confidence,
                closed=row.closed,
            )
            for row in events
        },
        snapshots={numbers[row.track_id]: row.snapshot for row in events if row.snapshot is not None},
    )
