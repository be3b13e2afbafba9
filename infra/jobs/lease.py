"""What is held is kept by a thread of its own, which also learns that it is lost, or not wanted any more."""

import threading
import time
from types import TracebackType
from typing import Final, Self

import structlog

from infra.jobs.place import JobsPlace
from storage.errors import MaskwatchError, StorageError
from storage.job_work import HeldChunk, HeldJob, JobCancelledError, LeaseLostError

RENEW_S: Final = 0.7
"""A cancellation is noticed within this time."""

WAIT_S: Final = 0.1

log = structlog.get_logger(__name__)


class StopAskedError(MaskwatchError):
    """The process is asked to stop: what it holds is given back."""


class Lease:
    """Renews it from start to end.

    >>> with Lease(place, held) as lease:  # doctest: +SKIP
    ...     for step in work:
    ...         lease.check()
    """

    def __init__(self, place: JobsPlace, held: HeldJob | HeldChunk) -> None:
        """Keep what is held; `with` begins.

        Args:
            place: of the process.
            held: what was just taken.
        """
        self.at_ns: int | None = None
        """How far the chunk's footage is done."""
        self.faces: int | None = None
        """Found so far."""
        self._place, self._held = place, held
        self._over = threading.Event()
        self._error: MaskwatchError | None = None
        self._kept_s = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="lease", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def check(self) -> None:
        """To be called at every step of the work.

        Where it could not be renewed in time, because the database did not answer or this process slept, it waits: another
        worker may have taken it since, or nobody, and then the work goes on. Whatever is written is fenced.

        Raises:
            LeaseLostError: it is held no more.
            JobCancelledError: the job is being cancelled.
            StopAskedError: the process is to stop.
        """
        while True:
            alive = self._thread.is_alive()
            if self._error is not None:
                raise self._error
            if self._place.move():
                raise StopAskedError("asked to stop")
            if time.monotonic() - self._kept_s <= self._place.settings.job_lease_s:
                return
            if not alive:
                raise LeaseLostError("nobody renews it any more")
            self._place.pulse.wait(WAIT_S)

    def stopped(self) -> bool:
        """Whether `check` would raise something; for work that is asked to stop by a function."""
        try:
            self.check()
        except MaskwatchError:
            return True
        return False

    def _run(self) -> None:
        place, held = self._place, self._held
        building, job = held.building_id, held.key.job if isinstance(held, HeldChunk) else held.id
        while not self._over.wait(RENEW_S):
            asked_s = time.monotonic()
            try:
                place.work.renew(held, time.time_ns(), self.at_ns, self.faces)
                self._kept_s = asked_s
            except (LeaseLostError, JobCancelledError) as error:
                self._error = error
                return
            except StorageError as error:
                log.warning("a lease could not be renewed", error=str(error))
                continue
            place.tell(job, building)
