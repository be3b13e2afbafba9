"""What of all jobs is to be sent to workers."""

from collections import Counter
from typing import Any, Final

from sqlalchemy import Connection, exists, not_, or_, select, text, update

from storage.database.engine import reading, writing
from storage.database.job_rows import WorkAccess, leased, ready, sent
from storage.database.models import JobChunkRow, JobRow
from storage.job_work import MOST_SENT, WINDOW, Todo
from storage.jobs import ACTIVE, ChunkKey, ChunkState

SEND_LOCK: Final = 0x73656E64
"""PostgreSQL's advisory lock under which one process finds out what is to be sent; others leave it to it."""

_OPEN: Final = (ChunkState.WAITING.value, ChunkState.RUNNING.value)


class JobsDue(WorkAccess):
    """What is to be done."""

    def due(self, now_ns: int, window: int = WINDOW, most: int = MOST_SENT) -> list[Todo]:
        """What is to be sent to workers now; it counts as sent then, and nobody else is told of it for 30 s.

        Jobs with the least in flight come first, of these the older ones.

        Args:
            now_ns: the time.
            window: so many chunks of a job are sent out or held at a time.
            most: so much of all jobs is sent out or held at a time.
        """
        # Nearly always there is nothing, and then nobody who writes is kept waiting.
        with reading(self._engine) as connection:
            if not _chosen(connection, now_ns, window, most):
                return []
        with writing(self._engine) as connection:
            if connection.dialect.name == "postgresql":
                own = text("SELECT pg_try_advisory_xact_lock(:key)")
                if not connection.execute(own, {"key": SEND_LOCK}).scalar():
                    return []
            chosen = _chosen(connection, now_ns, window, most)
            if jobs := [todo.job for todo in chosen if todo.key is None]:
                connection.execute(update(JobRow).where(JobRow.id.in_(jobs)).values(sent_at_ns=now_ns))
            for key in sorted(todo.key for todo in chosen if todo.key is not None):
                own_row = (
                    JobChunkRow.job_id == key.job,
                    JobChunkRow.file == key.file,
                    JobChunkRow.number == key.number,
                )
                connection.execute(update(JobChunkRow).where(*own_row).values(sent_at_ns=now_ns))
        return chosen


def _chosen(connection: Connection, now_ns: int, window: int, most: int) -> list[Todo]:
    """What is to be sent, in order."""
    of_job = JobChunkRow.job_id == JobRow.id
    is_open = JobChunkRow.state.in_(_OPEN)
    query = select(
        JobRow.id,
        JobRow.planned,
        or_(leased(JobRow, now_ns), sent(JobRow, now_ns)).label("in_flight"),
        ready(JobRow, now_ns).label("ready"),
        exists().where(of_job, is_open).label("open"),
        exists().where(of_job, is_open, *_to_send(now_ns)).label("chunks"),
    )
    rows = connection.execute(query.where(JobRow.state.in_(ACTIVE)).order_by(JobRow.created_at_ns, JobRow.id)).all()
    flying = _flying(connection, now_ns)
    flying.update(row.id for row in rows if row.in_flight)
    left = most - flying.total()
    todos: list[Todo] = []
    for row in sorted(rows, key=lambda row: flying[row.id]):
        if left <= 0:
            break
        found = _of_job(connection, row, now_ns, min(left, window - flying[row.id]))
        left -= len(found)
        todos += found
    return todos


def _of_job(connection: Connection, row: Any, now_ns: int, room: int) -> list[Todo]:
    """What of a job is to be sent, at most `room`."""
    if not (row.planned and row.open):
        if row.in_flight or not row.ready:
            return []
        return [Todo("finish" if row.planned else "plan", row.id)]
    if room <= 0 or not row.chunks:
        return []
    todos: list[Todo] = []
    # First what workers died with: it is not many, and others may wait for it.
    for state in (ChunkState.RUNNING, ChunkState.WAITING):
        query = (
            select(JobChunkRow.file, JobChunkRow.number)
            .where(JobChunkRow.job_id == row.id, JobChunkRow.state == state.value, *_to_send(now_ns))
            .order_by(JobChunkRow.file, JobChunkRow.number)
            .limit(room - len(todos))
        )
        todos += [Todo("chunk", row.id, ChunkKey(row.id, file, number)) for file, number in connection.execute(query)]
    return todos


def _to_send(now_ns: int) -> tuple[Any, ...]:
    return ready(JobChunkRow, now_ns), not_(sent(JobChunkRow, now_ns))


def _flying(connection: Connection, now_ns: int) -> Counter[str]:
    """How many chunks of each job are held, or were sent a moment ago."""
    running = select(JobChunkRow.job_id).where(
        JobChunkRow.state == ChunkState.RUNNING.value, or_(leased(JobChunkRow, now_ns), sent(JobChunkRow, now_ns))
    )
    waiting = select(JobChunkRow.job_id).where(JobChunkRow.state == ChunkState.WAITING.value, sent(JobChunkRow, now_ns))
    return Counter(connection.execute(running.union_all(waiting)).scalars())
