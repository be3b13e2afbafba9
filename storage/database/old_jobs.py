"""Jobs that ended long ago: which, and how their rows and annotated videos go once their facts are gone."""

from pathlib import Path

from sqlalchemy import Engine, delete, select

from storage.database.engine import reading, writing
from storage.database.models import EventRow, JobChunkRow, JobFileRow, JobRow, TrackRow
from storage.files import remove_file
from storage.jobs import FINAL


def old_jobs(engine: Engine, building: str, before_ns: int) -> list[str]:
    """Jobs of a building that ended before a moment, in order of time.

    One stays as long as a later one answers with its report.

    Raises:
        StorageError: the database can't be read.
    """
    old = (
        select(JobRow.id)
        .where(JobRow.building_id == building, JobRow.state.in_(FINAL), JobRow.ended_at_ns < before_ns)
        .order_by(JobRow.created_at_ns, JobRow.id)
    )
    # The later one may be of another building: its camera has moved.
    answering = select(JobRow.replaced_by).where(
        JobRow.replaced_by.is_not(None), JobRow.ended_at_ns.is_(None) | (JobRow.ended_at_ns >= before_ns)
    )
    with reading(engine) as connection:
        needed = set(connection.execute(answering).scalars())
        return [name for name in connection.execute(old).scalars() if name not in needed]


def remove_job(engine: Engine, annotated: Path, job: str) -> bool:
    """Remove a job, its chunks, reports and annotated videos; not while there are facts of it.

    Raises:
        StorageError: the database can't be written, or a video can't be removed.
    """
    with writing(engine) as connection:
        if connection.execute(select(JobRow.id).where(JobRow.id == job).with_for_update()).first() is None:
            return False
        for facts in (TrackRow, EventRow):
            if connection.execute(select(facts.id).where(facts.job_id == job).limit(1)).first() is not None:
                return False
        videos = select(JobFileRow.annotated).where(JobFileRow.job_id == job, JobFileRow.annotated.is_not(None))
        names = [name for name in connection.execute(videos).scalars() if name is not None]
        for table in (JobChunkRow, JobFileRow):
            connection.execute(delete(table).where(table.job_id == job))
        connection.execute(delete(JobRow).where(JobRow.id == job))
        # Before the transaction ends: when it fails, the rows are there, and the next one goes on.
        for name in names:
            remove_file(annotated / name)
    return True
