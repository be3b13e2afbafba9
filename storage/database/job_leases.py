"""Jobs and chunks that workers take, keep, put off, let go of or fail with."""

from typing import Any, Final

import msgspec
from sqlalchemy import Connection, select, update

from storage.database.engine import writing
from storage.database.job_rows import (
    FILE,
    GIVEN_BACK,
    UNDONE,
    Held,
    WorkAccess,
    clean,
    end,
    go_on,
    held_file,
    is_ready,
    job_of,
    job_row,
)
from storage.database.models import JobChunkRow, JobFileRow, JobRow
from storage.job_work import HeldChunk, HeldJob
from storage.jobs import ACTIVE, ChunkKey, ChunkState, JobOptions, JobState, Pin
from storage.messages import NS_PER_S

LONGEST_DELAY_S: Final = 60.0

_CHUNK: Final = [column for column in JobChunkRow.__table__.c if column.name != "results"]


class JobLeases(WorkAccess):
    """Who works on what."""

    def take_job(self, job_id: str, now_ns: int) -> HeldJob | None:
        """Take a job, to plan or to finish it.

        Returns:
            It; None if there is nothing to be done with it now, or somebody else holds it.
        """
        with writing(self._engine) as connection:
            job = job_row(connection, job_id, lock=True)
            if job is None or job.state not in ACTIVE or not is_ready(job, now_ns):
                return None
            if job.planned and unfinished(connection, job_id):
                return None
            # Who gives it back leaves no name.
            tries = job.tries + (job.owner is not None)
            # `settle` sees to it that the job fails.
            if tries >= self._deaths:
                return None
            values = {"token": job.token + 1, "owner": self._owner, "lease_until_ns": now_ns + self._lease_ns}
            values |= {"tries": tries, "started_at_ns": job.started_at_ns or now_ns}
            if job.state == JobState.QUEUED:
                values["state"] = JobState.RUNNING.value
            connection.execute(update(JobRow).where(JobRow.id == job_id).values(values))
            files = connection.execute(
                select(*FILE).where(JobFileRow.job_id == job_id).order_by(JobFileRow.number)
            ).all()
        return HeldJob(
            id=job_id,
            token=job.token + 1,
            planned=job.planned,
            camera_id=job.camera_id,
            building_id=job.building_id,
            zone_id=job.zone_id,
            counts=job.counts,
            options=msgspec.convert(job.options, JobOptions),
            model=msgspec.convert(job.model, Pin | None),
            files=tuple(held_file(row) for row in files),
        )

    def take_chunk(self, key: ChunkKey, now_ns: int) -> HeldChunk | None:
        """Take a chunk, to analyse it.

        Returns:
            It; None if there is nothing to be done with it now, or somebody else holds it.
        """
        with writing(self._engine) as connection:
            job = job_row(connection, key.job, lock=True)
            chunk = connection.execute(select(*_CHUNK).where(*_of(key)).with_for_update()).first()
            if job is None or job.state not in ACTIVE or chunk is None:
                return None
            if chunk.state == ChunkState.DONE or not is_ready(chunk, now_ns):
                return None
            tries = chunk.tries + (chunk.owner is not None)
            if tries >= self._deaths:
                return None
            file = connection.execute(
                select(*FILE, JobFileRow.plan).where(JobFileRow.job_id == key.job, JobFileRow.number == key.file)
            ).one()
            values = {"state": ChunkState.RUNNING.value, "token": chunk.token + 1, "owner": self._owner}
            values |= {"tries": tries, "lease_until_ns": now_ns + self._lease_ns, "at_ns": chunk.start_ns, "faces": 0}
            connection.execute(update(JobChunkRow).where(*_of(key)).values(values))
        return HeldChunk(
            key=key,
            token=chunk.token + 1,
            building_id=job.building_id,
            options=msgspec.convert(job.options, JobOptions),
            model=msgspec.convert(job.model, Pin),
            file=held_file(file),
            plan=file.plan,
            start_ns=chunk.start_ns,
            end_ns=chunk.end_ns,
        )

    def renew(self, held: Held, now_ns: int, at_ns: int | None = None, faces: int | None = None) -> None:
        """Keep the lease, and say how far it is.

        Args:
            held: what.
            now_ns: the time.
            at_ns: how far the chunk's footage is done, as `Stretch` counts; None: as before.
            faces: found in the chunk so far; None: as before.

        Raises:
            LeaseLostError: it is held no more.
            JobCancelledError: the job is being cancelled.
        """
        values: dict[str, Any] = {"lease_until_ns": now_ns + self._lease_ns}
        if isinstance(held, HeldChunk):
            values |= {} if at_ns is None else {"at_ns": min(max(at_ns, held.start_ns), held.end_ns)}
            values |= {} if faces is None else {"faces": faces}
        with writing(self._engine) as connection:
            job = self._held_job(connection, held, lock=False)
            if job.state == JobState.WAITING and "at_ns" in values and isinstance(held, HeldChunk):
                job = self._held_job(connection, held)
                before_ns = connection.execute(select(JobChunkRow.at_ns).where(*_of(held.key))).scalar()
                if before_ns is not None and values["at_ns"] > before_ns:
                    go_on(connection, job)
            kept = self._write(connection, held, values)
            if not kept:
                _alive(connection, held)
        if not kept:
            raise self._lost(held)

    def save_chunk(self, held: HeldChunk, results: bytes, samples: int, faces: int, now_ns: int) -> None:
        """Keep what was seen in a chunk, which is done then.

        Args:
            held: the chunk.
            results: compressed.
            samples: looked at.
            faces: found in them.
            now_ns: the time.

        Raises:
            LeaseLostError: it is held no more.
            JobCancelledError: the job is being cancelled.
        """
        values = {"state": ChunkState.DONE.value, "at_ns": held.end_ns, "samples": samples, "faces": faces}
        values |= {"results": results, "sent_at_ns": now_ns, "owner": None, "lease_until_ns": 0}
        with writing(self._engine) as connection:
            job = self._held_job(connection, held)
            self._fence(connection, held, values)
            go_on(connection, job)

    def put_off(self, held: Held, reason: str, now_ns: int) -> float:
        """Give it back because of something that may pass; it is tried again after 1 s, the next time 2, at most 60.

        Of a job that is being cancelled it is only let go of.

        Args:
            held: what.
            reason: a sentence for people; it stands with the job until something succeeds.
            now_ns: the time.

        Returns:
            After how many seconds it is tried again.

        Raises:
            LeaseLostError: it is held no more.
        """
        delay_s = 0.0
        with writing(self._engine) as connection:
            job = job_row(connection, job_of(held), lock=True)
            kept = self._write(connection, held, _given_back(held))
            if kept:
                delay_s = self._delayed(connection, held, now_ns)
            else:
                _alive(connection, held)
            if kept and job is not None and job.state in ACTIVE:
                waits = {"state": JobState.WAITING.value, "error": clean(reason)}
                connection.execute(update(JobRow).where(JobRow.id == job.id).values(waits))
        if not kept:
            raise self._lost(held)
        return delay_s

    def _delayed(self, connection: Connection, held: Held, now_ns: int) -> float:
        """It is not taken for a while, longer each time; gives how long, in seconds."""
        kind, own = (JobRow, (JobRow.id == held.id,)) if isinstance(held, HeldJob) else (JobChunkRow, _of(held.key))
        delays = connection.execute(select(kind.delays).where(*own)).scalar_one()
        delay_s = min(LONGEST_DELAY_S, 2.0 ** min(delays, 10))
        not_before_ns = now_ns + round(delay_s * NS_PER_S)
        connection.execute(update(kind).where(*own).values(delays=delays + 1, not_before_ns=not_before_ns))
        return delay_s

    def let_go(self, held: Held) -> None:
        """Give it back, because of a cancellation or because the worker stops; it may be taken at once.

        What is held no more is left as it is.
        """
        with writing(self._engine) as connection:
            self._write(connection, held, _given_back(held))

    def fail(self, held: Held, reason: str, now_ns: int) -> None:
        """The job fails, all of it.

        Args:
            held: the job, or the chunk of it with which it fails.
            reason: a sentence for people.
            now_ns: the time.

        Raises:
            LeaseLostError: it is held no more.
            JobCancelledError: the job is being cancelled.
        """
        with writing(self._engine) as connection:
            job = self._held_job(connection, held)
            self._fence(connection, held, _given_back(held))
            end(connection, job.id, JobState.FAILED, now_ns, error=clean(reason))


def unfinished(connection: Connection, job_id: str) -> bool:
    """Whether a chunk of a job is not done."""
    query = select(JobChunkRow.number).where(
        JobChunkRow.job_id == job_id, JobChunkRow.state.in_([ChunkState.WAITING.value, ChunkState.RUNNING.value])
    )
    return connection.execute(query.limit(1)).first() is not None


def _of(key: ChunkKey) -> tuple[Any, ...]:
    return JobChunkRow.job_id == key.job, JobChunkRow.file == key.file, JobChunkRow.number == key.number


def _given_back(held: Held) -> dict[str, Any]:
    return GIVEN_BACK if isinstance(held, HeldJob) else GIVEN_BACK | UNDONE


def _alive(connection: Connection, held: Held) -> None:
    """Whoever took it over counted a death; but its holder lives, and was only slow."""
    if isinstance(held, HeldJob):
        own: tuple[Any, ...] = (JobRow.id == held.id, JobRow.token > held.token, JobRow.tries > 0)
        connection.execute(update(JobRow).where(*own).values(tries=JobRow.tries - 1))
    else:
        own = (*_of(held.key), JobChunkRow.token > held.token, JobChunkRow.tries > 0)
        connection.execute(update(JobChunkRow).where(*own).values(tries=JobChunkRow.tries - 1))
