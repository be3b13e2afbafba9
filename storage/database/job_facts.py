"""Facts of a job that go, because another job's take their place."""

from typing import Any

from sqlalchemy import Connection, Row, delete, select

from storage.database.judgement import columns_of
from storage.database.models import (
    EventFaceRow,
    EventRow,
    ReviewRow,
    SnapshotRow,
    SpotCheckRow,
    TrackPathRow,
    TrackRow,
)
from storage.database.pictures import retire
from storage.database.rollups import Place, Totals, event_columns


def remove_job_facts(connection: Connection, job_id: str) -> None:
    """Remove tracks and events of a job with all that belongs to them, and take back what they added to the totals.

    Their pictures become obsolete: files and rows go as those of other obsolete pictures do.

    Args:
        connection: of the transaction.
        job_id: of the job; it may have none.
    """
    totals = Totals()
    # Tracks first, as everybody takes them, so that nobody waits for somebody who waits for them.
    tracks = select(TrackRow.__table__).where(TrackRow.job_id == job_id).order_by(TrackRow.id).with_for_update()
    for row in connection.execute(tracks):
        totals.add(_place(row), row.started_ns, columns_of(row), -1)
    events = select(EventRow.__table__).where(EventRow.job_id == job_id).order_by(EventRow.id).with_for_update()
    pictures = set(connection.execute(select(SnapshotRow.name).where(SnapshotRow.camera_id == job_id)).scalars())
    for row in connection.execute(events):
        totals.add(_place(row), row.started_ns, event_columns(row.verdict), -1)
        pictures.add(row.snapshot)
    totals.write(connection)
    of_tracks = select(TrackRow.id).where(TrackRow.job_id == job_id)
    of_events = select(EventRow.id).where(EventRow.job_id == job_id)
    connection.execute(delete(TrackPathRow).where(TrackPathRow.track_id.in_(of_tracks)))
    connection.execute(delete(SpotCheckRow).where(SpotCheckRow.track_id.in_(of_tracks)))
    connection.execute(delete(ReviewRow).where(ReviewRow.event_id.in_(of_events)))
    connection.execute(delete(EventFaceRow).where(EventFaceRow.event_id.in_(of_events)))
    connection.execute(delete(EventRow).where(EventRow.job_id == job_id))
    connection.execute(delete(TrackRow).where(TrackRow.job_id == job_id))
    retire(connection, pictures)


def _place(row: Row[Any]) -> Place:
    return Place(row.camera_id, row.building_id, row.zone_id, row.counts)
