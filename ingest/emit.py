"""A camera's samples, numbered in capture order: those worth a look go to `detect`, the others straight to the results."""

import threading
from typing import Final

import numpy as np

from ingest.delivery import FootageDelivery, LiveDelivery
from ingest.frame import Frame
from ingest.motion import Motion
from storage.bus import Bus
from storage.frames import FrameStore
from storage.messages import NS_PER_S, Begin, End, FrameRef, Look, Lost, Result, Sample
from storage.pulse import Pulse

NO_PICTURE: Final = "no picture"
"""Of a moment at which the camera was away."""

END_WAIT_S: Final = 0.5

STEP_BACK_NS: Final = 2 * NS_PER_S
"""A live camera's clock that is set back by this much is followed, since `classify.ordering` starts anew there; by less,
its samples are moved up behind the last."""


class Emitter:
    """Numbers the samples of one epoch of a camera, and sends them.

    >>> emitter = Emitter("c1", 7, bus, frames, pulse, live=True, min_face_px=24, backlog=10)  # doctest: +SKIP
    >>> emitter.begin(at_ns, dwell_ns, sample_ns)
    >>> for frame in source.frames(pulse):
    ...     if frame.sampled and not emitter.take(frame):
    ...         break
    >>> emitter.end()

    `silence` and `end` may be called by another thread than `take`.
    """

    def __init__(  # noqa: PLR0913 what it is of, what it uses, what it goes by
        self,
        camera: str,
        epoch: int,
        bus: Bus,
        frames: FrameStore,
        pulse: Pulse,
        *,
        live: bool,
        min_face_px: int,
        backlog: int,
    ) -> None:
        """Make one.

        Args:
            camera: identifier.
            epoch: the start of the process.
            bus: to send by.
            frames: to put pixels into.
            pulse: asks to stop.
            live: shed rather than wait; of footage nothing is ever shed.
            min_face_px: smallest face that is judged.
            backlog: samples of a live camera that may wait for a look.
        """
        self.seq = 0
        """Number of the next sample."""
        self._camera, self._epoch = camera, epoch
        self._frames, self._pulse = frames, pulse
        self._live = live
        self._min_face_px = min_face_px
        self._way = LiveDelivery(bus, frames, backlog) if live else FootageDelivery(bus, frames, pulse)
        self._motion = Motion()
        self._last_ns = -1
        self._height = self._width = 0
        self._ended = False
        self._turn = threading.Lock()

    @property
    def shed(self) -> int:
        """Samples that were numbered and will have no result."""
        return self._way.shed

    def begin(self, at_ns: int, dwell_ns: int, sample_ns: int) -> bool:
        """Say that the epoch begins; before its first sample. False when asked to stop.

        Args:
            at_ns: when, on the clock of the samples.
            dwell_ns: how long a breach must last to become an event.
            sample_ns: time between two samples.
        """
        with self._turn:
            begin = Begin(self._camera, self._epoch, at_ns, self._live, dwell_ns, self._min_face_px, sample_ns)
            return self._way.post(begin)

    def take(self, frame: Frame) -> bool:
        """Send the next sample; False when asked to stop, or ended.

        Raises:
            BusError: footage only: the bus stayed away.
            StorageError: footage only: the frame store could not be used for as long.
        """
        with self._turn:
            if self._ended or self._pulse.stopping:
                return False
            at_ns = self._later(frame.at_ns)
            luma = frame.luma()
            look, active = self._motion.judge(luma, at_ns)
            self._height, self._width = luma.shape
            if look is Look.NONE:
                return self._counted(self._way.post(self._result(at_ns, look)))
            if not self._frames.fits(self._height, self._width):
                failed = f"the frame store has no room for {self._width}x{self._height}: raise MASKWATCH_FRAMES_MIB"
                return self._counted(self._way.post(self._result(at_ns, look, failed)))
            blank = Sample(
                camera=self._camera,
                epoch=self._epoch,
                seq=self.seq,
                at_ns=at_ns,
                look=look,
                min_face_px=self._min_face_px,
                frame=FrameRef(0, 0, self._height, self._width),
                motion=np.packbits(active).tobytes(),
                rows=active.shape[0],
                columns=active.shape[1],
            )
            return self._counted(self._way.offer(frame, blank))

    def silence(self, at_ns: int) -> None:
        """Say that at this time the camera is away: whoever was in view is not seen any more.

        Passed over while a sample is being sent: then it is not away.
        """
        if not self._turn.acquire(blocking=False):
            return
        try:
            if not self._ended:
                self._counted(self._way.post(self._result(self._later(at_ns), Look.NONE, NO_PICTURE)))
                # What it shows when it is back is to be seen as a whole.
                self._motion = Motion()
        finally:
            self._turn.release()

    def lose(self, count: int, at_ns: int) -> None:
        """Number samples of a live camera that were not made in time, the last one due at `at_ns`."""
        with self._turn:
            if isinstance(self._way, LiveDelivery) and not self._ended:
                last = self.seq + count - 1
                self._way.lose(Lost(self._camera, self._epoch, self.seq, last, self._later(at_ns)))
                self.seq = last + 1

    def end(self) -> None:
        """Say that the epoch is over; nothing is sent afterwards. Once is enough, more does no harm."""
        # A bus that hangs must not keep us: then the end of the process says it.
        held = self._turn.acquire(timeout=END_WAIT_S if self._live else -1)
        ended, self._ended = self._ended, True
        if held:
            try:
                if not ended:
                    self._way.post(End(self._camera, self._epoch, self.seq))
            finally:
                self._turn.release()

    def _result(self, at_ns: int, look: Look, failed: str | None = None) -> Result:
        size = (self._width, self._height)
        return Result(self._camera, self._epoch, self.seq, at_ns, *size, look, failed=failed)

    def _counted(self, sent: bool) -> bool:
        self.seq += sent
        return sent

    def _later(self, at_ns: int) -> int:
        """A clock that is set back a little must not turn the order around; one that is set back far is a new one."""
        if self._live and at_ns <= self._last_ns - STEP_BACK_NS:
            # Its memory is of times that are yet to come.
            self._motion = Motion()
            self._last_ns = at_ns
        else:
            self._last_ns = max(at_ns, self._last_ns + 1)
        return self._last_ns
