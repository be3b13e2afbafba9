"""What the parts of `JobWork` share: the database, who works, and rows that are held."""

from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Engine, Row, Update, and_, delete, not_, or_, select, text, update

from storage.database.models import JobChunkRow, JobFileRow, JobRow, UploadRow
from storage.job_work import MOST_DEATHS, HeldChunk, HeldFile, HeldJob, JobCancelledError, LeaseLostError
from storage.jobs import ACTIVE, ChunkState, JobState
from storage.messages import NS_PER_S, nanoseconds

LEASE_S: Final = 10.0

LONGEST_LEASE_NS: Final = 60 * NS_PER_S
"""A lease that ends later than this from now was given by a clock that has been set back since; delays are no longer."""

LONGEST_ERROR: Final = 2000
"""Characters."""

RESEND_NS: Final = 30 * NS_PER_S
"""What was sent, and nobody took for so long, is sent again."""

GIVEN_BACK: Final[dict[str, Any]] = {"owner": None, "lease_until_ns": 0, "sent_at_ns": 0}
"""Columns of what nobody holds any more."""

UNDONE: Final[dict[str, Any]] = {"state": ChunkState.WAITING.value, "at_ns": JobChunkRow.start_ns, "faces": 0}
"""Columns of a chunk that is to be done anew."""

Kind = type[JobRow] | type[JobChunkRow]
Held = HeldJob | HeldChunk


class WorkAccess:
    """The way to jobs, of a worker."""

    def __init__(self, engine: Engine, owner: str, lease_s: float = LEASE_S, deaths: int = MOST_DEATHS) -> None:
        """Begin; nothing is held yet.

        Args:
            engine: of a migrated database.
            owner: name of this worker; two that are alive at once must not share it.
            lease_s: how long after it was taken or renewed another one may take what is held, at most 60.
            deaths: what so many workers died with fails its job.
        """
        self._engine, self._owner = engine, owner[:200]
        self._lease_ns, self._deaths = nanoseconds(lease_s), deaths

    def _held_job(self, connection: Connection, held: Held, *, lock: bool = True) -> Row[Any]:
        """The row of a job that something is held of, locked until the transaction ends.

        Who writes rows of a job and of its chunks locks the job first, so that nobody waits for somebody who waits for
        them. LeaseLostError: the job has ended; JobCancelledError: it is being cancelled.
        """
        row = job_row(connection, job_of(held), lock=lock)
        if row is not None and row.state in {JobState.CANCELLING, JobState.CANCELLED}:
            raise JobCancelledError(f"job {row.id} is cancelled: {self._owner} lets go of it")
        if row is None or row.state not in ACTIVE:
            raise self._lost(held)
        return row

    def _write(self, connection: Connection, held: Held, values: dict[str, Any]) -> bool:
        """Change the row of what is held, if it is held still."""
        return connection.execute(of_held(held, self._owner).values(values)).rowcount == 1

    def _fence(self, connection: Connection, held: Held, values: dict[str, Any]) -> None:
        """Likewise; LeaseLostError if it is not."""
        if not self._write(connection, held, values):
            raise self._lost(held)

    def _lost(self, held: Held) -> LeaseLostError:
        what = f"job {held.id}" if isinstance(held, HeldJob) else f"chunk {held.key.number} of job {held.key.job}"
        return LeaseLostError(f"{what} is not {self._owner}'s any more: what it found out is left to others")


def job_of(held: Held) -> str:
    """The job that something is held of."""
    return held.id if isinstance(held, HeldJob) else held.key.job


def job_row(connection: Connection, job_id: str, *, lock: bool = False) -> Row[Any] | None:
    """The row of a job, None if there is none; with `lock` it stays as it is until the transaction ends."""
    query = select(JobRow.__table__).where(JobRow.id == job_id)
    return connection.execute(query.with_for_update() if lock else query).first()


def lock_footage(connection: Connection, digest: str) -> None:
    """Nobody else ends a job of the same footage, or takes over from one, until the transaction ends; its own row is locked."""
    if connection.dialect.name == "postgresql":
        lock = int.from_bytes(bytes.fromhex(digest[:16]), "big", signed=True)
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": lock})


def of_held(held: Held, owner: str) -> Update:
    """An update of the row of what somebody holds, of none if they hold it no more."""
    if isinstance(held, HeldJob):
        return update(JobRow).where(JobRow.id == held.id, JobRow.token == held.token, JobRow.owner == owner)
    return update(JobChunkRow).where(
        JobChunkRow.job_id == held.key.job,
        JobChunkRow.file == held.key.file,
        JobChunkRow.number == held.key.number,
        JobChunkRow.token == held.token,
        JobChunkRow.owner == owner,
    )


def leased(kind: Kind, now_ns: int) -> ColumnElement[bool]:
    """Whether somebody holds it, and their lease has not run out."""
    return and_(kind.lease_until_ns > now_ns, kind.lease_until_ns <= now_ns + LONGEST_LEASE_NS)


def sent(kind: Kind, now_ns: int) -> ColumnElement[bool]:
    """Whether it was sent a moment ago, and nobody has taken it since."""
    # A lease from a clock that has been set back ends when it may.
    since = or_(kind.sent_at_ns >= kind.lease_until_ns, kind.lease_until_ns > now_ns + LONGEST_LEASE_NS)
    return and_(kind.sent_at_ns > now_ns - RESEND_NS, kind.sent_at_ns <= now_ns, since)


def ready(kind: Kind, now_ns: int) -> ColumnElement[bool]:
    """Whether it may be taken: nobody holds it, and it is not put off."""
    put_off = and_(kind.not_before_ns > now_ns, kind.not_before_ns <= now_ns + LONGEST_LEASE_NS)
    return and_(not_(leased(kind, now_ns)), not_(put_off))


def is_ready(row: Row[Any], now_ns: int) -> bool:
    """Likewise of a row that was read."""
    late_ns = now_ns + LONGEST_LEASE_NS
    return not (now_ns < row.lease_until_ns <= late_ns or now_ns < row.not_before_ns <= late_ns)


def end(connection: Connection, job_id: str, state: JobState, now_ns: int, **values: Any) -> None:
    """A job ends; unless it is done, nothing is kept of its chunks. Uploads of one that failed wait for another job."""
    values |= {"state": state.value, "ended_at_ns": now_ns, **GIVEN_BACK}
    connection.execute(update(JobRow).where(JobRow.id == job_id).values(values))
    if state is not JobState.DONE:
        own = JobChunkRow.job_id == job_id
        # In the order in which `due` takes them, so that nobody waits for somebody who waits for them.
        order = JobChunkRow.file, JobChunkRow.number
        connection.execute(select(JobChunkRow.number).where(own).order_by(*order).with_for_update()).all()
        connection.execute(delete(JobChunkRow).where(own))
    if state is JobState.FAILED:
        # Nobody is to send them again for what may be mended in a moment. They wait as if they had come now.
        waiting = {"job_id": None, "created_at_ns": now_ns}
        connection.execute(update(UploadRow).where(UploadRow.job_id == job_id).values(waiting))


def go_on(connection: Connection, job: Row[Any]) -> None:
    """Something has succeeded: whatever the job waited for is over."""
    if job.state == JobState.WAITING:
        connection.execute(update(JobRow).where(JobRow.id == job.id).values(state=JobState.RUNNING.value, error=None))


FILE: Final = [getattr(JobFileRow, name) for name in HeldFile.__struct_fields__]
"""Columns of a file as it is held."""


def held_file(row: Any) -> HeldFile:
    """A row with the columns of `FILE`, and perhaps others."""
    return HeldFile(**{name: row._mapping[name] for name in HeldFile.__struct_fields__})  # noqa: SLF001 documented


def clean(sentence: str) -> str:
    """A sentence as every database takes it: names in it may not be Unicode."""
    return sentence[:LONGEST_ERROR].replace("\0", "?").encode("utf-8", "replace").decode()


def said(name: str) -> str:
    """The name of a file in a sentence."""
    return repr(name if len(name) <= 200 else f"{name[:200]}...")
