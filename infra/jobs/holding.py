"""What is done with something that is held, however the work on it ends."""

import time
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

import structlog

from infra.jobs.files import by_name
from infra.jobs.lease import Lease, StopAskedError
from infra.jobs.place import JobsPlace
from storage.errors import InputError, InvalidError, MaskwatchError, StorageError, UsageError
from storage.job_work import HeldChunk, HeldJob, JobCancelledError, LeaseLostError

Held = TypeVar("Held", HeldJob, HeldChunk)

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
    # Without a database the lease runs out; when it is somebody else's, all is left to them.
    with suppress(StorageError, LeaseLostError, JobCancelledError):
        try:
            with Lease(place, held) as lease:
                work(held, lease)
        except LeaseLostError as error:
            log.warning("lost", reason=str(error), **what)
        except (JobCancelledError, StopAskedError):
            place.work.let_go(held)
        except (InputError, InvalidError, UsageError) as error:
            reason = by_name(str(error), files)
            log.warning("failed", reason=reason, **what)
            _fail(place, held, reason)
            place.tell(job, held.building_id, over=True)
        except MaskwatchError as error:
            reason = by_name(str(error), files)
            again_s = place.work.put_off(held, reason, time.time_ns())
            log.warning("put off", reason=reason, again_s=again_s, **what)
            place.tell(job, held.building_id)


def _fail(place: JobsPlace, held: HeldJob | HeldChunk, reason: str) -> None:
    try:
        place.work.fail(held, reason, time.time_ns())
    except JobCancelledError:
        place.work.let_go(held)
        raise
