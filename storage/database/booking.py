"""A batch becomes rows: everything here works inside the one transaction of `Ledger.commit`."""

from sqlalchemy import Connection, delete, select

from storage.database.batch import Batch, Written, track_id
from storage.database.faces import of_camera, write_faces
from storage.database.facts import write_facts, write_paths
from storage.database.models import (
    CameraStateRow,
    CandidateRow,
    EventFaceRow,
    EventRow,
    HourRollupRow,
    MinuteRollupRow,
    ReviewRow,
    SnapshotRow,
    SpotCheckRow,
    TrackPathRow,
    TrackRow,
)
from storage.database.pictures import retire, write_candidates, write_snapshots
from storage.database.spot_drawing import write_drawn
from storage.database.suitability import write_tallies
from storage.database.upsert import upsert


def apply(connection: Connection, batch: Batch, partition: int, now_ns: int) -> Written:
    """Write a batch: rows, rollups, states; gives what came of it."""
    for camera in sorted(batch.resets):
        _reset(connection, camera)
    written = write_facts(connection, batch)
    write_paths(connection, batch)
    write_snapshots(connection, batch, now_ns)
    write_candidates(connection, batch)
    write_faces(connection, batch)
    write_drawn(connection, batch, now_ns)
    tallies = {key: tally for key, tally in batch.tallies.items() if key[0] not in batch.sources}
    write_tallies(connection, tallies, now_ns)
    _states(connection, batch, partition)
    return written


def _states(connection: Connection, batch: Batch, partition: int) -> None:
    rows = [
        {"camera_id": camera, "partition": partition, "state": state, "lost": batch.lost.get(camera, 0)}
        for camera, state in sorted(batch.states.items())
        if camera not in batch.sources
    ]
    if rows:
        connection.execute(
            upsert(connection, CameraStateRow.__table__, replace=("partition", "state"), add=("lost",)), rows
        )
    rows = [
        {"camera_id": camera, "partition": partition, "state": b"", "lost": lost}
        for camera, lost in sorted(batch.lost.items())
        if camera not in batch.states and camera not in batch.sources
    ]
    if rows:
        connection.execute(upsert(connection, CameraStateRow.__table__, replace=("partition",), add=("lost",)), rows)


def _reset(connection: Connection, camera: str) -> None:
    pictures = set(
        connection.execute(
            select(EventRow.snapshot)
            .where(EventRow.camera_id == camera, EventRow.job_id.is_(None), EventRow.snapshot.is_not(None))
            .union(select(SnapshotRow.name).where(SnapshotRow.camera_id == camera))
        ).scalars()
    )
    # Also of tracks that are no passages yet, and have no row.
    own = TrackPathRow.track_id.startswith(track_id((camera, 0)).removesuffix("0"), autoescape=True)
    connection.execute(delete(TrackPathRow).where(own))
    # What a job found in recorded footage of the camera stays.
    live_tracks = TrackRow.camera_id == camera, TrackRow.job_id.is_(None)
    live_events = EventRow.camera_id == camera, EventRow.job_id.is_(None)
    # Whoever judges one of its events holds its track: wait, and leave nothing of what they said.
    connection.execute(select(TrackRow.id).where(*live_tracks).order_by(TrackRow.id).with_for_update())
    # An event may be without a track.
    connection.execute(select(EventRow.id).where(*live_events).order_by(EventRow.id).with_for_update())
    events = select(EventRow.id).where(*live_events)
    connection.execute(delete(ReviewRow).where(ReviewRow.event_id.in_(events)))
    connection.execute(delete(EventFaceRow).where(of_camera(EventFaceRow.event_id, camera)))
    connection.execute(delete(TrackRow).where(*live_tracks))
    connection.execute(delete(EventRow).where(*live_events))
    for table in (CandidateRow, SpotCheckRow, MinuteRollupRow, HourRollupRow, CameraStateRow):
        connection.execute(delete(table).where(table.camera_id == camera))
    retire(connection, pictures)
