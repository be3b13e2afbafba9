"""Jobs that are finished: results in order, and facts and reports in one transaction."""

import zlib
from collections.abc import Collection, Iterator, Sequence
from typing import Any, Final

from sqlalchemy import Connection, delete, func, select, update

from storage.database.batch import Batch, Written
from storage.database.booking import apply
from storage.database.engine import reading, writing
from storage.database.job_facts import remove_job_facts
from storage.database.job_leases import unfinished
from storage.database.job_rows import WorkAccess, clean, end, lock_footage
from storage.database.models import EventRow, JobChunkRow, JobFileRow, JobRow, TrackRow
from storage.database.pictures import announce, unknown
from storage.errors import StorageError
from storage.job_work import FileReport, HeldJob, LeaseLostError
from storage.jobs import ChunkState, JobState

NO_PARTITION: Final = 0
"""Nothing of recorded footage is remembered by partition."""


class JobFinish(WorkAccess):
    """What comes of it all."""

    def results(self, job_id: str, number: int) -> Iterator[bytes]:
        """What was seen in a file's chunks, in order, read as it is asked for.

        Raises:
            LeaseLostError: a chunk is not done, or is gone: the job ended meanwhile, or its file is read anew.
        """
        own = JobChunkRow.job_id == job_id, JobChunkRow.file == number
        with reading(self._engine) as connection:
            chunks = list(
                connection.execute(select(JobChunkRow.number).where(*own).order_by(JobChunkRow.number)).scalars()
            )
        for chunk in chunks:
            query = select(JobChunkRow.results).where(
                *own, JobChunkRow.number == chunk, JobChunkRow.state == ChunkState.DONE.value
            )
            with reading(self._engine) as connection:
                found: bytes | None = connection.execute(query).scalar()
            if found is None:
                raise LeaseLostError(f"chunk {chunk} of job {job_id} has no results: the job is not to be finished now")
            yield found

    def announce(self, held: HeldJob, names: Collection[str], now_ns: int) -> None:
        """Say which snapshot files are about to be written; the commit that follows keeps them.

        Raises:
            LeaseLostError: it is held no more.
            JobCancelledError: the job is being cancelled.
        """
        with writing(self._engine) as connection:
            self._held_job(connection, held)
            self._fence(connection, held, {"lease_until_ns": now_ns + self._lease_ns})
            announce(connection, dict.fromkeys(names, held.id), now_ns)

    def commit(
        self, held: HeldJob, batch: Batch, reports: Sequence[FileReport], now_ns: int, pictures: Collection[str] = ()
    ) -> Written:
        """Facts, reports and the end of the job: all of it, or nothing.

        Facts of jobs of the same footage that were done before are removed first.

        Args:
            held: the job.
            batch: what was seen; the job is its only source.
            reports: on all files.
            now_ns: the time.
            pictures: snapshot files written for it.

        Returns:
            What came of it, for people to hear of.

        Raises:
            StorageError: a picture is gone since: another job of the same footage wrote it too, and was cancelled.
            LeaseLostError: it is held no more.
            JobCancelledError: the job is being cancelled.
        """
        with writing(self._engine) as connection:
            job = self._held_job(connection, held)
            self._fence(connection, held, {"lease_until_ns": now_ns + self._lease_ns})
            if not job.planned or unfinished(connection, held.id):
                raise LeaseLostError(f"job {held.id} is planned anew: it is not to be finished now")
            _replace(connection, held.id, job.digest)
            if gone := unknown(connection, pictures):
                raise StorageError(f"{len(gone)} pictures went with those of another job of the same footage")
            written = apply(connection, batch, NO_PARTITION, now_ns)
            for report in reports:
                values = {"report": zlib.compress(report.report), "errors": [clean(error) for error in report.errors]}
                connection.execute(
                    update(JobFileRow)
                    .where(JobFileRow.job_id == held.id, JobFileRow.number == report.number)
                    .values(values | {"annotated": report.annotated})
                )
            end(connection, held.id, JobState.DONE, now_ns, error=None, **_found(connection, held.id))
        return written


def _replace(connection: Connection, job_id: str, digest: str) -> None:
    """Take the place of jobs of the same footage that are done."""
    # Of two that are finished at once, each would find that the other is not done yet.
    lock_footage(connection, digest)
    query = select(JobRow.id, JobRow.replaced_by).where(
        JobRow.digest == digest, JobRow.state == JobState.DONE.value, JobRow.id != job_id
    )
    for row in connection.execute(query.order_by(JobRow.id).with_for_update()).all():
        if row.replaced_by is None:
            remove_job_facts(connection, row.id)
        connection.execute(update(JobRow).where(JobRow.id == row.id).values(replaced_by=job_id))
        connection.execute(update(JobFileRow).where(JobFileRow.job_id == row.id).values(report=None, annotated=None))
        connection.execute(delete(JobChunkRow).where(JobChunkRow.job_id == row.id))


def _found(connection: Connection, job_id: str) -> dict[str, Any]:
    """What was found, in numbers."""
    faces = select(func.coalesce(func.sum(JobChunkRow.faces), 0)).where(JobChunkRow.job_id == job_id)
    tracks = select(func.count()).select_from(TrackRow).where(TrackRow.job_id == job_id)
    events = select(func.count()).select_from(EventRow).where(EventRow.job_id == job_id)
    found = {"faces": faces, "tracks": tracks, "events": events}
    return {name: int(connection.execute(query).scalar_one()) for name, query in found.items()}
