"""Asked from outside to stop: an exception that does not get lost, or a flag to look at."""

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event
from types import FrameType
from typing import Final

from ingest.file_bytes import FileBytes

STOPPING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

INTERRUPTED: Final = 128 + signal.SIGINT
"""The exit status of what Ctrl-C ended."""

CALLED_BY_FFMPEG: Final = frozenset({FileBytes.read.__code__, FileBytes.seek.__code__})

AGAIN_S: Final = 0.01
LONGEST_S: Final = 1.0
"""For so long a call of FFmpeg may go on; one that takes longer waits for a pipe or share that gives nothing."""


class Ending:
    """Ctrl-C, SIGTERM and SIGHUP raise KeyboardInterrupt, which nobody takes for an error of the work.

    Where it would get lost it is raised as soon as that place is left: FFmpeg asks our code for the bytes of footage, and
    goes on with what it did not get; Python only tells of what finalizers raise. What is ignored, as `nohup` has it, stays
    so. For the main thread, once in a process, and for the rest of it.
    """

    def __init__(self) -> None:
        """From now on."""
        self._asked: int | None = None
        self._first_s = 0.0
        for number in STOPPING:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._end)
        signal.signal(signal.SIGALRM, self._again)
        sys.unraisablehook = self._unraisable

    def status(self, status: int) -> int:
        """The exit status of what has ended with `status`: where it was to end early, 128 and the signal's number."""
        signal.setitimer(signal.ITIMER_REAL, 0)
        return status if self._asked is None or status == 0 else self._asked

    def _end(self, number: int, frame: FrameType | None) -> None:
        if self._asked is None:
            self._first_s = time.monotonic()
        self._asked = 128 + number
        self._again(number, frame)

    def _again(self, _: int, frame: FrameType | None) -> None:
        if _within_ffmpeg(frame):
            signal.setitimer(signal.ITIMER_REAL, AGAIN_S)
            if time.monotonic() - self._first_s < LONGEST_S:
                return
        raise KeyboardInterrupt

    def _unraisable(self, lost: "sys.UnraisableHookArgs") -> None:
        if isinstance(lost.exc_value, KeyboardInterrupt):
            signal.setitimer(signal.ITIMER_REAL, AGAIN_S)
        else:
            sys.__unraisablehook__(lost)


def _within_ffmpeg(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code in CALLED_BY_FFMPEG:
            return True
        frame = frame.f_back
    return False


@contextmanager
def asked_to_stop() -> Iterator[Event]:
    """Within the block Ctrl-C, SIGTERM and a closed terminal set the event that it is given, and do nothing else.

    A closed terminal that is ignored, as `nohup` has it, stays so. For the main thread alone.
    """
    stop = Event()

    def ask(_: int, __: FrameType | None) -> None:
        stop.set()

    heeded = [number for number in STOPPING if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN]
    before = {number: signal.signal(number, ask) for number in heeded}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
