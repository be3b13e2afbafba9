"""A worker's pulse: it is asked to stop, and it shows that it is alive."""

import threading
import time
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

BEAT_S: Final = 0.5
"""Heartbeats reach the bus this often."""

BEAT_LIFE_S: Final = 10.0
"""A worker whose last heartbeat is older than this hangs, or is gone."""


class Heartbeat(msgspec.Struct, frozen=True):
    """What a worker says of itself.

    Attributes:
        worker: its name, unique in the system, e.g. `detect-0`.
        pid: of its process.
        at: Unix time in seconds.
        done: samples, batches or messages done since its start.
        trouble: what it is waiting for (a full disk, a database that does not answer), or None.
        store: the frame store in shared memory that it sees, see `storage.frame_access`; empty where it sees none.
        device: what its network runs on, e.g. `litert on cpu`; None of one without.
    """

    worker: str
    pid: int
    at: float
    done: int
    trouble: str | None = None
    store: str = ""
    device: str | None = None


def stands_for(worker: str, place: str) -> bool:
    """Whether a worker does what `place`, e.g. `detect-0` or `aggregate-1`, is there for: the same role, and the same number.

    A served worker's own name, e.g. `detect-HOST-PID-RANDOM-0`, ends with its number, too.
    """
    role, _, rest = worker.partition("-")
    return (role, rest.rpartition("-")[2]) == (place.partition("-")[0], place.rpartition("-")[2])


def heard_at(place: str, beats: Mapping[str, Heartbeat]) -> Heartbeat | None:
    """The last word of whoever holds a place: of the worker with its name, else of one that joined from elsewhere."""
    return beats.get(place) or next((beat for name, beat in beats.items() if stands_for(name, place)), None)


class Pulse:
    """Shared by a worker's loop and whoever started it.

    >>> pulse = Pulse()
    >>> pulse.beat(done=3)
    >>> pulse.stop()
    >>> pulse.stopping
    True
    """

    def __init__(self, send: Callable[[int, str | None], None] | None = None) -> None:
        """Make one.

        Args:
            send: given `done` and `trouble` at most every `BEAT_S` seconds, by the thread that calls `beat`.
        """
        self._send = send
        self._stop = threading.Event()
        self._last_s = -BEAT_S
        self.asked_s = time.monotonic()
        """When the worker last asked whether to stop, on `time.monotonic`; while it waits, the end of that wait."""

    @property
    def stopping(self) -> bool:
        """Whether the worker is to finish what it has in hand and return; for the worker, see `stopped`."""
        self.asked_s = time.monotonic()
        return self._stop.is_set()

    @property
    def stopped(self) -> bool:
        """Whether it was asked to; for whoever asked."""
        return self._stop.is_set()

    def stop(self) -> None:
        """Ask for it; safe in a signal handler."""
        self._stop.set()

    def wait(self, wait_s: float) -> bool:
        """Sleep for at most `wait_s` seconds; True when asked to stop."""
        self.asked_s = time.monotonic() + wait_s
        return self._stop.wait(wait_s)

    def beat(self, *, done: int, trouble: str | None = None) -> None:
        """Called once in every turn of a worker's loop: from there and nowhere else, so that a hanging loop is seen."""
        now_s = time.monotonic()
        if self._send is not None and now_s - self._last_s >= BEAT_S:
            self._last_s = now_s
            self._send(done, trouble)
