"""What is done with something that is held, however the work on it ends."""

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final, TypeVar

import structlog

from infra.jobs.files import by_name
from infra.jobs.lease import Lease, StopAskedError
from infra.jobs.place import JobsPlace
from storage.errors import InputError, InvalidError, MaskwatchError, StorageError, UsageError
from storage.job_work import HeldChunk, HeldJob, JobCancelledError, LeaseLostError

Held = TypeVar("Held", HeldJob, HeldChunk)
T = TypeVar("T")

RETRY_S: Final = 0.5

log = structlog.get_logger(__name__)


def hold(place: JobsPlace, held: Held, work: Callable[[Held, Lease], None]) -> None:
    """Work on what was just taken, and keep it meanwhile.

    What may pass puts it off, what can't be mended ends the job, and what nobody expects is left to the lease: another
    worker takes it when that has run out, and after some such deaths the job fails.

    Args:
        place: of the process.
        held: what was taken.
        work: does it; what it raises decides.
    """
    job = held.key.job if isinstance(held, HeldChunk) else held.id
    what = {"job": job} if isinstance(held, HeldJob) else {"job": job, "file": held.key.file, "chunk": held.key.number}
    files = held.files if isinstance(held, HeldJob) else (held.file,)
    # Asked to stop without a database, the lease runs out; when it is somebody else's, all is left to them.
    with suppress(StorageError, LeaseLostError, JobCancelledError):
        try:
            with Lease(place, held) as lease:
                work(held, lease)
        except LeaseLostError as error:
            log.warning("lost", reason=str(error), **what)
            # Where it is held all the same, nobody has died.
            _surely(place, lambda: place.work.let_go(held))
        except (JobCancelledError, StopAskedError):
            _surely(place, lambda: place.work.let_go(held))
        except (InputError, InvalidError, UsageError) as error:
            reason = by_name(str(error), files)
            log.warning("failed", reason=reason, **what)
            _surely(place, lambda: _fail(place, held, reason))
            place.tell(job, held.building_id, over=True)
        except MaskwatchError as error:
            reason = by_name(str(error), files)
            again_s = _surely(place, lambda: place.work.put_off(held, reason, time.time_ns()))
            log.warning("put off", reason=reason, again_s=again_s, **what)
            place.tell(job, held.building_id)


def written(place: JobsPlace, lease: Lease, write: Callable[[], None]) -> None:
    """Write what was found out, also when the database is away just now.

    Args:
        place: of the process.
        lease: that keeps what is held.
        write: does it, all of it or nothing.

    Raises:
        StorageError: it can't be written, though the lease could be renewed.
        LeaseLostError, JobCancelledError, StopAskedError: see `Lease.check`.
    """
    until_s = time.monotonic() + 2 * place.settings.job_lease_s
    while True:
        # Of an outage longer than the lease it waits for the end.
        lease.check()
        try:
            return write()
        except StorageError:
            if time.monotonic() > until_s:
                raise
            place.pulse.wait(RETRY_S)


def _surely(place: JobsPlace, give_back: Callable[[], T]) -> T:
    """Give back what is held, also when the database is away just now: nobody else could do anything either.

    Otherwise whoever takes it next would take this for a death.

    Raises:
        StorageError: the database is away, and the process is to stop.
    """
    while True:
        try:
            return give_back()
        except StorageError:
            if place.move():
                raise
            place.pulse.wait(RETRY_S)


def _fail(place: JobsPlace, held: HeldJob | HeldChunk, reason: str) -> None:
    try:
        place.work.fail(held, reason, time.time_ns())
    except JobCancelledError:
        place.work.let_go(held)
        raise
