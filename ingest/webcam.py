"""A webcam of this machine, by Video4Linux."""

import errno
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from queue import Empty, Full, Queue
from threading import Lock, Thread
from typing import Final

import av
import av.error

from ingest.decoding import LIMITS, Decoded, Decoding
from ingest.frame import Frame
from ingest.source import SourceError
from ingest.timing import OwnClock, StreamTiming
from storage.pulse import Pulse
from storage.status import StateReason

FORMAT: Final = "v4l2"

OPEN_S: Final = 5.0
"""Webcams take a second or two until their first picture."""

READ_S: Final = 3.0
"""One that sends nothing for so long is gone."""

LEAVE_S: Final = 0.5
WAITING: Final = 4
"""Frames that wait at most; the newest push out the oldest."""

WHAT_NEXT: Final = {
    StateReason.NOT_FOUND: "is not there: plug it in, or choose another number",
    StateReason.REFUSED: "can't be used: another program may have it, or this user may not (group video)",
    StateReason.TIMEOUT: "sends no picture: unplug it and plug it in again",
    StateReason.UNSUPPORTED_CODEC: "sends nothing that can be decoded here, or is no webcam",
    StateReason.NO_KEYFRAMES: "sends no whole picture: unplug it and plug it in again",
}

_starting: Final = Lock()
_captures: Final[dict[str, tuple[Thread, Pulse]]] = {}
"""The latest thread of each device, and what asks it to stop."""


class Webcam:
    """A webcam. Capture times are those of arrival.

    Its driver waits for pictures without a limit, so a thread of its own waits for the driver, and may be left behind.
    """

    clock = "arrival"
    trouble: StateReason | None = None

    def __init__(self, device: str, fps: float) -> None:
        """Prepare to open it.

        Args:
            device: such as /dev/video0.
            fps: samples a second.
        """
        self.late = 0
        self._device = device
        self._fps = fps
        self.codec: str | None = None
        """By which it is sent; None before it is opened."""
        self._rate = 0.0

    def frames(self, pulse: Pulse) -> Iterator[Frame]:
        """See `Source`."""
        handed: Queue[Decoded | StateReason] = Queue(WAITING)
        capture = Pulse()
        thread = Thread(target=self._capture, args=(handed, capture), name=f"webcam {self._device}", daemon=True)
        self._start(thread, capture)
        timing: StreamTiming | None = None
        own = OwnClock(time.time_ns(), time.monotonic_ns())
        index = 0
        try:
            while not pulse.stopping:
                one = self._next(handed, pulse, OPEN_S if timing is None else READ_S)
                if one is None:
                    return
                timing = timing or StreamTiming(self._fps, self._rate)
                placed = timing.next(one.pts_ns, own.at(time.time_ns(), time.monotonic_ns()))
                yield Frame.of(one.frame, placed.at_ns, index, sampled=placed.sampled)
                index += 1
        finally:
            capture.stop()
            thread.join(LEAVE_S)

    def _start(self, thread: Thread, capture: Pulse) -> None:
        """Start it; of a device no more than one is ever left behind."""
        with _starting:
            earlier = _captures.get(self._device)
            if earlier is not None and earlier[0].is_alive():
                raise self._error(StateReason.TIMEOUT if earlier[1].stopped else StateReason.REFUSED)
            _captures[self._device] = (thread, capture)
            thread.start()

    def _next(self, handed: "Queue[Decoded | StateReason]", pulse: Pulse, limit_s: float) -> Decoded | None:
        """The next frame; None when asked to stop."""
        until_s = time.monotonic() + limit_s
        while not pulse.stopping:
            with suppress(Empty):
                one = handed.get(timeout=0.1)
                if isinstance(one, StateReason):
                    raise self._error(one)
                return one
            if time.monotonic() > until_s:
                raise self._error(StateReason.TIMEOUT)
        return None

    def _capture(self, handed: "Queue[Decoded | StateReason]", pulse: Pulse) -> None:
        reason = StateReason.REFUSED
        try:
            with closing(av.open(self._device, "r", format=FORMAT, options=LIMITS)) as container:
                decoding = Decoding(container, self._device)
                self._rate, self.codec = decoding.rate, decoding.codec
                for one in decoding.frames(pulse, lambda: None, OPEN_S):
                    _hand(handed, one)
        except SourceError as error:
            reason = error.reason
        except (av.error.FFmpegError, OSError, ValueError) as error:
            number = getattr(error, "errno", None)
            if number in {errno.ENOENT, errno.ENXIO, errno.ENODEV}:
                reason = StateReason.NOT_FOUND
            elif number not in {errno.EACCES, errno.EPERM, errno.EBUSY}:
                reason = StateReason.UNSUPPORTED_CODEC
        _hand(handed, reason)

    def _error(self, reason: StateReason) -> SourceError:
        return SourceError(reason, f"the webcam {self._device} {WHAT_NEXT.get(reason, 'sends no more pictures')}")


def _hand(handed: "Queue[Decoded | StateReason]", one: Decoded | StateReason) -> None:
    while True:
        try:
            handed.put_nowait(one)
        except Full:
            with suppress(Empty):
                handed.get_nowait()
        else:
            return
