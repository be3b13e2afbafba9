"""What a worker says of a job while it holds a part of it, and who holds which part."""

from collections.abc import Iterable, Sequence
from typing import Final

from sqlalchemy import Engine, select, update

from storage.database.engine import reading, writing
from storage.database.job_rows import Kind
from storage.database.models import JobChunkRow, JobRow
from storage.jobs import ACTIVE, ChunkKey, ChunkState, JobState

_OPEN: Final[dict[Kind, Sequence[str]]] = {
    JobRow: ACTIVE,
    JobChunkRow: (ChunkState.WAITING, ChunkState.RUNNING),
}
"""States in which there is something to be done."""


class JobNotes:
    """Every method raises StorageError when the database can't be reached or written."""

    def __init__(self, engine: Engine) -> None:
        """Open it.

        Args:
            engine: of a migrated database.
        """
        self._engine = engine

    def note(self, job: str, why: str | None) -> None:
        """Say why a job that is being worked on does not go on; None: it does."""
        before, after = (JobState.WAITING, JobState.RUNNING) if why is None else (JobState.RUNNING, JobState.WAITING)
        query = update(JobRow).where(JobRow.id == job, JobRow.state == before.value)
        with writing(self._engine) as connection:
            connection.execute(query.values(state=after.value, error=why))

    def forget_sent(self, before_ns: int, now_ns: int) -> None:
        """What was sent before a time, and is held by nobody, has got lost: it may be sent anew at once."""
        lost = {
            kind: (kind.state.in_(states), kind.sent_at_ns.between(1, before_ns), kind.lease_until_ns <= now_ns)
            for kind, states in _OPEN.items()
        }
        with reading(self._engine) as connection:
            # Nearly always there is nothing, and then nobody who writes is kept waiting.
            found = [
                kind
                for kind, where in lost.items()
                if connection.execute(select(kind.tries).where(*where).limit(1)).first()
            ]
        if found:
            with writing(self._engine) as connection:
                for kind in found:
                    connection.execute(update(kind).where(*lost[kind]).values(sent_at_ns=0))

    def held(self, chunks: Iterable[tuple[ChunkKey, int]]) -> set[tuple[ChunkKey, int]]:
        """Which of these chunks are worked on under these tokens."""
        asked = set(chunks)
        jobs = {key.job for key, _ in asked}
        query = select(JobChunkRow.job_id, JobChunkRow.file, JobChunkRow.number, JobChunkRow.token).where(
            JobChunkRow.job_id.in_(jobs), JobChunkRow.state == ChunkState.RUNNING.value
        )
        with reading(self._engine) as connection:
            rows = connection.execute(query).all()
        return asked & {(ChunkKey(row.job_id, row.file, row.number), row.token) for row in rows}
