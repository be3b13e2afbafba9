"""Asked from outside to stop: an exception that can't get lost, or a flag to look at."""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event
from types import FrameType
from typing import Final

STOPPING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

INTERRUPTED: Final = 128 + signal.SIGINT
"""The exit status of what Ctrl-C ended."""

AGAIN_S: Final = 0.01
"""Long enough to be out of the call in which an exception was lost, short enough for nobody to notice."""


class Ending:
    """Ctrl-C raises KeyboardInterrupt, SIGTERM and SIGHUP raise SystemExit with 128 plus their number.

    Python calls native code that calls Python: PyAV reads footage so. What is raised there is lost if it is no
    `Exception`, the work goes on with what the callback did not give, and who asked for its end waits. What was lost is
    raised again until it arrives. For the main thread, once in a process, and for the rest of it.
    """

    def __init__(self) -> None:
        """From now on."""
        self._lost: int | None = None
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, _end)
        signal.signal(signal.SIGALRM, self._again)
        sys.unraisablehook = self._unraisable

    def status(self) -> int | None:
        """The exit status where what was lost came too late to be raised again; None where nothing was lost."""
        signal.setitimer(signal.ITIMER_REAL, 0)
        return self._lost

    def _again(self, _: int, __: FrameType | None) -> None:
        status, self._lost = self._lost, None
        if status == INTERRUPTED:
            raise KeyboardInterrupt
        if status is not None:
            sys.exit(status)

    def _unraisable(self, what: "sys.UnraisableHookArgs") -> None:
        error = what.exc_value
        if threading.current_thread() is threading.main_thread() and isinstance(error, KeyboardInterrupt | SystemExit):
            self._lost = error.code if isinstance(error, SystemExit) and isinstance(error.code, int) else INTERRUPTED
            signal.setitimer(signal.ITIMER_REAL, AGAIN_S)
        else:
            sys.__unraisablehook__(what)


def _end(number: int, _: FrameType | None) -> None:
    sys.exit(128 + number)


@contextmanager
def asked_to_stop() -> Iterator[Event]:
    """Within the block Ctrl-C, SIGTERM and a closed terminal set the event that it is given, and do nothing else.

    For the main thread alone.
    """
    stop = Event()

    def ask(_: int, __: FrameType | None) -> None:
        stop.set()

    before = {number: signal.signal(number, ask) for number in STOPPING}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
