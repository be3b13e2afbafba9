"""Asked from outside to stop: an exception that does not get lost, or a flag to look at."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event
from types import FrameType
from typing import Final

STOPPING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

INTERRUPTED: Final = 128 + signal.SIGINT
"""The exit status of what Ctrl-C ended."""

CALLED_BY_NATIVE: Final = frozenset({"ingest.file_bytes"})
"""Modules whose functions native code calls: what they raise, unless it is an `Exception`, goes no further."""

AGAIN_S: Final = 0.01


class Ending:
    """Ctrl-C, SIGTERM and SIGHUP raise KeyboardInterrupt, which nobody takes for an error of the work.

    Where it would get lost it is raised as soon as that place is left: FFmpeg asks our code for the bytes of footage, and
    would go on with what it did not get; Python itself only tells of what finalizers raise. What is ignored, as `nohup` has it,
    stays so. For the main thread, once in a process, and for the rest of it.
    """

    def __init__(self) -> None:
        """From now on."""
        self._asked = INTERRUPTED
        for number in STOPPING:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._end)
        signal.signal(signal.SIGALRM, self._again)

    def status(self, status: int) -> int:
        """The exit status of what has ended with `status`: where it was to end early, 128 and the signal's number."""
        signal.setitimer(signal.ITIMER_REAL, 0)
        return self._asked if status == INTERRUPTED else status

    def _end(self, number: int, frame: FrameType | None) -> None:
        self._asked = 128 + number
        self._again(number, frame)

    def _again(self, _: int, frame: FrameType | None) -> None:
        if _is_lost_in(frame):
            signal.setitimer(signal.ITIMER_REAL, AGAIN_S)
        else:
            raise KeyboardInterrupt


def _is_lost_in(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_name == "__del__" or frame.f_globals.get("__name__") in CALLED_BY_NATIVE:
            return True
        frame = frame.f_back
    return False


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
