"""Jobs once they are planned: chunks, and what is known of the same footage already."""

import hashlib
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import ColumnElement, Connection, Row, and_, delete, func, insert, select, update
from sqlalchemy.orm import aliased

from storage.database.engine import reading, writing
from storage.database.job_rows import GIVEN_BACK, WorkAccess, clean, end, lock_footage
from storage.database.models import JobChunkRow, JobFileRow, JobRow
from storage.errors import NotFoundError
from storage.job_work import HeldChunk, HeldJob, PlannedFile, Stretch
from storage.jobs import ChunkKey, ChunkState, JobOptions, JobState, Pin

MOST_SOURCES: Final = 20
"""From so many earlier jobs, the latest, results of the same file are taken over."""


class JobPlans(WorkAccess):
    """What is to be analysed."""

    def plan(self, job_id: str, number: int) -> bytes:
        """The plan of a file, as it was given to `save_plan`.

        Raises:
            NotFoundError: there is none.
        """
        query = select(JobFileRow.plan).where(JobFileRow.job_id == job_id, JobFileRow.number == number)
        with reading(self._engine) as connection:
            found: bytes | None = connection.execute(query).scalar()
        if found is None:
            raise NotFoundError(f"file {number} of job {job_id} has no plan")
        return found

    def save_plan(self, held: HeldJob, files: Sequence[PlannedFile], model: Pin, now_ns: int) -> str | None:
        """Keep how a job is cut up, and let go of it.

        What is known of the same files by other jobs is taken over; where all of it is, also how it is judged, the job
        is done at once. `JobOptions.fresh` prevents both.

        Args:
            held: the job.
            files: all of them, in order.
            model: what looks at it.
            now_ns: the time.

        Returns:
            The job that has done the same already: this one is done then. None: there is none.

        Raises:
            LeaseLostError: it is held no more.
            JobCancelledError: the job is being cancelled.
        """
        pinned = msgspec.to_builtins(model)
        values = {"planned": True, "model": pinned, "digest": _digest(held, files), "error": None}
        values |= {"state": JobState.RUNNING.value, "tries": 0, "delays": 0, "not_before_ns": 0, **GIVEN_BACK}
        with writing(self._engine) as connection:
            self._held_job(connection, held)
            self._fence(connection, held, values)
            for file in files:
                own = JobFileRow.job_id == held.id, JobFileRow.number == file.number
                connection.execute(update(JobFileRow).where(*own).values(_file(file)))
            connection.execute(delete(JobChunkRow).where(JobChunkRow.job_id == held.id))
            known = None if held.options.fresh else _known(connection, held, values)
            if known is not None:
                _tell_as(connection, held.id, known.id)
                found = {name: getattr(known, name) for name in ("faces", "tracks", "events")}
                end(connection, held.id, JobState.DONE, now_ns, replaced_by=known.id, **found)
                return str(known.id)
            for file in files:
                _add_chunks(connection, held.id, file)
                if not held.options.fresh:
                    _take_over(connection, held.id, file)
        return None

    def make_whole(self, held: HeldChunk, plan: bytes, stretch: Stretch, reason: str, now_ns: int) -> None:
        """A file is to be read in one piece after all: one chunk takes the place of all of its chunks, this one included.

        Args:
            held: one of its chunks.
            plan: instead of the one before.
            stretch: all of its footage.
            reason: why, a sentence for people.
            now_ns: the time.

        Raises:
            LeaseLostError: it is held no more.
            JobCancelledError: the job is being cancelled.
        """
        key = held.key
        chunks = JobChunkRow.job_id == key.job, JobChunkRow.file == key.file
        with writing(self._engine) as connection:
            self._held_job(connection, held)
            self._fence(connection, held, {"lease_until_ns": now_ns})
            # Nobody's samples are to be taken for those of the new chunk.
            token = connection.execute(select(func.max(JobChunkRow.token)).where(*chunks)).scalar_one()
            connection.execute(delete(JobChunkRow).where(*chunks))
            row = _chunk(ChunkKey(key.job, key.file, 0), stretch)
            connection.execute(insert(JobChunkRow).values(row | {"token": token}))
            connection.execute(
                update(JobFileRow)
                .where(JobFileRow.job_id == key.job, JobFileRow.number == key.file)
                .values(plan=plan, whole=clean(reason))
            )


def _digest(held: HeldJob, files: Sequence[PlannedFile]) -> str:
    """What tells this footage from other footage."""
    told = (held.camera_id, held.building_id, [(file.sha256, file.start_ns) for file in files])
    return hashlib.sha256(msgspec.json.encode(told)).hexdigest()


def _file(file: PlannedFile) -> dict[str, Any]:
    names = ("size", "modified_ns", "sha256", "start_ns", "duration_ns", "analysis", "plan")
    values = {name: getattr(file, name) for name in names}
    values["whole"] = None if file.whole is None else clean(file.whole)
    return values | {"errors": [clean(error) for error in file.errors]}


def _chunk(key: ChunkKey, stretch: Stretch) -> dict[str, Any]:
    times = {"start_ns": stretch.start_ns, "end_ns": stretch.end_ns, "at_ns": stretch.start_ns}
    return {
        "job_id": key.job,
        "file": key.file,
        "number": key.number,
        "state": ChunkState.WAITING.value,
        **times,
    }


def _add_chunks(connection: Connection, job_id: str, file: PlannedFile) -> None:
    rows = [_chunk(ChunkKey(job_id, file.number, number), stretch) for number, stretch in enumerate(file.chunks)]
    if rows:
        connection.execute(insert(JobChunkRow), rows)


def _known(connection: Connection, held: HeldJob, planned: dict[str, Any]) -> Row[Any] | None:
    """The job that has looked at the same footage in the same way, and judged it by the same rules."""
    # One that is being replaced at this moment would answer with a report that is gone.
    lock_footage(connection, planned["digest"])
    query = select(JobRow.__table__).where(
        JobRow.digest == planned["digest"],
        JobRow.state == JobState.DONE.value,
        JobRow.replaced_by.is_(None),
        JobRow.id != held.id,
    )
    for row in connection.execute(query.order_by(JobRow.ended_at_ns.desc())):
        options = msgspec.convert(row.options, JobOptions)
        same = row.model == planned["model"] and (row.zone_id, row.counts) == (held.zone_id, held.counts)
        if same and _rules(options) == _rules(held.options) and (options.annotate or not held.options.annotate):
            return row
    return None


def _tell_as(connection: Connection, job_id: str, known: str) -> None:
    """What decoding the same files told to another job is told of this one's, too."""
    there = aliased(JobFileRow)
    same = there.job_id == known, there.number == JobFileRow.number
    told = {name: select(getattr(there, name)).where(*same).scalar_subquery() for name in ("errors", "whole")}
    connection.execute(update(JobFileRow).where(JobFileRow.job_id == job_id).values(told))


def _rules(options: JobOptions) -> JobOptions:
    """What of a job's options makes its results others: how long chunks are does not, and files say when they began."""
    plain = JobOptions()
    names = ("annotate", "fresh", "start_ns", "name_pattern", "chunk_s")
    return msgspec.structs.replace(options, **{name: getattr(plain, name) for name in names})


def _take_over(connection: Connection, job_id: str, file: PlannedFile) -> None:
    """Copy results of the same file, looked at in the same way, chunk by chunk; they stay in the database."""
    query = (
        select(JobFileRow.job_id, JobFileRow.number)
        .join(JobRow, JobRow.id == JobFileRow.job_id)
        # One that turned out to be readable in one piece only has another plan, and will have it here again.
        .where(JobFileRow.analysis == file.analysis, JobFileRow.plan == file.plan, JobFileRow.job_id != job_id)
        .order_by(JobRow.created_at_ns.desc(), JobFileRow.number)
        .limit(MOST_SOURCES)
    )
    for source, number in connection.execute(query).all():
        there = aliased(JobChunkRow)
        same = and_(
            there.job_id == source,
            there.file == number,
            there.number == JobChunkRow.number,
            there.start_ns == JobChunkRow.start_ns,
            there.end_ns == JobChunkRow.end_ns,
            there.state == ChunkState.DONE.value,
        )
        taken = {name: select(getattr(there, name)).where(same).scalar_subquery() for name in _TAKEN}
        connection.execute(
            update(JobChunkRow)
            .where(*_waiting(job_id, file.number), select(there.number).where(same).exists())
            .values(taken | {"state": ChunkState.DONE.value, "at_ns": JobChunkRow.end_ns})
        )
        if (
            connection.execute(select(JobChunkRow.number).where(*_waiting(job_id, file.number)).limit(1)).first()
            is None
        ):
            return


_TAKEN: Final = ("samples", "faces", "results")


def _waiting(job_id: str, number: int) -> tuple[ColumnElement[bool], ...]:
    return (
        JobChunkRow.job_id == job_id,
        JobChunkRow.file == number,
        JobChunkRow.state == ChunkState.WAITING.value,
    )
