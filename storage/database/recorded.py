"""All that is known of one camera, read back: what reports on footage and on the demo are made from."""

from dataclasses import dataclass, field

from sqlalchemy import Engine, select

from storage.database.engine import reading
from storage.database.facts import read_event, read_track
from storage.database.models import EventRow, TrackPathRow, TrackRow
from storage.messages import Event, Track
from storage.paths import Seen, unpack


@dataclass(frozen=True, slots=True)
class Recorded:
    """Tracks, paths, events and their pictures' names, by the number of the track."""

    tracks: dict[int, Track] = field(default_factory=dict)
    paths: dict[int, list[Seen]] = field(default_factory=dict)
    events: dict[int, Event] = field(default_factory=dict)
    snapshots: dict[int, str] = field(default_factory=dict)


def recorded(engine: Engine, camera: str) -> Recorded:
    """What the aggregator has written down of a camera; paths of tracks that are not closed lack their end.

    What jobs found in recorded footage of the camera is left out: its tracks are numbered by job.

    Raises:
        StorageError: the database can't be read.
    """
    live = TrackRow.camera_id == camera, TrackRow.job_id.is_(None)
    with reading(engine) as connection:
        rows = connection.execute(select(TrackRow.__table__).where(*live))
        tracks = {row.number: row for row in rows}
        parts = connection.execute(
            select(TrackRow.number, TrackPathRow.boxes)
            .join(TrackPathRow, TrackPathRow.track_id == TrackRow.id)
            .where(*live)
            .order_by(TrackRow.number, TrackPathRow.part)
        ).all()
        of_camera = EventRow.camera_id == camera, EventRow.job_id.is_(None)
        events = connection.execute(select(EventRow.__table__).where(*of_camera)).all()
    numbers = {row.id: number for number, row in tracks.items()}
    packed: dict[int, list[bytes]] = {}
    for number, boxes in parts:
        packed.setdefault(number, []).append(boxes)
    return Recorded(
        tracks={number: read_track(row) for number, row in tracks.items()},
        paths={number: unpack(boxes) for number, boxes in packed.items()},
        events={numbers[row.track_id]: read_event(row, numbers[row.track_id]) for row in events},
        snapshots={numbers[row.track_id]: row.snapshot for row in events if row.snapshot is not None},
    )
