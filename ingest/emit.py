"""A camera's samples, numbered in capture order: those worth a look go to `detect`, the others straight to the results."""

import threading
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ingest.delivery import LATE, NO_ROOM, LiveDelivery
from ingest.footage_delivery import FootageDelivery
from ingest.frame import Frame
from ingest.motion import Motion
from storage.bus import Bus
from storage.frame_access import Frames
from storage.messages import NS_PER_S, Begin, End, FrameRef, Look, Lost, Result, Sample
from storage.pulse import Pulse
from storage.regions import Region
from storage.words import EVENT_LABELS, Label

NO_PICTURE: Final = "no picture"
"""Of a moment at which the camera was away."""

END_WAIT_S: Final = 0.5

STEP_BACK_NS: Final = 2 * NS_PER_S
"""A live camera's clock that is set back by this much is followed, since `classify.ordering` starts anew there; by less,
its samples are moved up behind the last."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What an operator has chosen for a camera, beyond what every epoch says.

    Attributes:
        labels: that break the rule.
        detection: how sure a find has to be to start a track; None: as everywhere.
        confidence: least confidence for a label; None: as everywhere.
        regions: parts of the picture to watch or to ignore.
    """

    labels: tuple[Label, ...] = EVENT_LABELS
    detection: float | None = None
    confidence: float | None = None
    regions: tuple[Region, ...] = ()


DEFAULT_TERMS: Final = Terms()


class Emitter:
    """Numbers the samples of one epoch of a camera, and sends them.

    >>> emitter = Emitter("c1", 7, bus, frames, pulse, live=True, min_face_px=24, backlog=10)  # doctest: +SKIP
    >>> emitter.begin(at_ns, dwell_ns, sample_ns)
    >>> for frame in source.frames(pulse):
    ...     if frame.sampled and not emitter.take(frame):
    ...         break
    >>> emitter.end()

    `silence`, `turn` and `end` may be called by another thread than `take`.
    """

    def __init__(  # noqa: PLR0913 what it is of, what it uses, what it goes by
        self,
        camera: str,
        epoch: int,
        bus: Bus,
        frames: Frames,
        pulse: Pulse,
        *,
        live: bool,
        min_face_px: int,
        backlog: int,
        drops: dict[str, int] | None = None,
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
            drops: counts what is dropped of a live camera, by where.
        """
        self.seq = 0
        """Number of the next sample."""
        self._camera, self._epoch = camera, epoch
        self._frames, self._pulse = frames, pulse
        self._live = live
        self._min_face_px = min_face_px
        self._regions: tuple[Region, ...] = ()
        self.drops: dict[str, int] = {} if drops is None else drops
        """Samples of a live camera that were dropped, by where."""
        self._way = LiveDelivery(bus, frames, backlog, self.drops) if live else FootageDelivery(bus, frames, pulse)
        self._motion = Motion()
        self._last_ns = -1
        self._height = self._width = 0
        self.stirring = True
        """Something moved in the latest sample with a picture, or shortly before it."""
        self._ended = False
        self._turn = threading.Lock()

    @property
    def shed(self) -> int:
        """Samples that were numbered and will have no result."""
        return self._way.shed

    def begin(self, at_ns: int, dwell_ns: int, sample_ns: int, terms: Terms = DEFAULT_TERMS) -> bool:
        """Say that the epoch begins; before its first sample. False when asked to stop.

        Args:
            at_ns: when, on the clock of the samples.
            dwell_ns: how long a breach must last to become an event.
            sample_ns: time between two samples.
            terms: what else its results are judged by.
        """
        with self._turn:
            return self._begun(at_ns, dwell_ns, sample_ns, terms, None)

    def turn(self, epoch: int, at_ns: int, dwell_ns: int, sample_ns: int, min_face_px: int, terms: Terms) -> bool:
        """Go on as a new epoch of the same watch, judged by other rules: nothing is lost, who is in view stays so.

        Passed over once ended.

        Args:
            epoch: above the present one.
            at_ns: see `begin`.
            dwell_ns: likewise.
            sample_ns: likewise.
            min_face_px: smallest face that is judged.
            terms: see `begin`.

        Returns:
            False when ended, or asked to stop.
        """
        with self._turn:
            if self._ended:
                return False
            after = (self._epoch, self.seq)
            self._epoch, self.seq, self._min_face_px = epoch, 0, min_face_px
            return self._begun(at_ns, dwell_ns, sample_ns, terms, after)

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
            self.stirring = bool(active.any())
            if look is Look.NONE:
                return self._counted(self._way.post(self._result(at_ns, look)))
            if not self._frames.fits(self._height, self._width):
                failed = f"the frame store has no room for {self._width}x{self._height}: raise MASKWATCH_FRAMES_MIB"
                self.drops[NO_ROOM] = self.drops.get(NO_ROOM, 0) + 1
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
                regions=self._regions,
            )
            return self._counted(self._way.offer(frame, blank))

    def pass_by(self, at_ns: int) -> bool:
        """Send the next sample of a live camera, in which nothing moves, without a picture; False when asked to stop, or ended."""
        with self._turn:
            if self._ended or self._pulse.stopping:
                return False
            return self._counted(self._way.post(self._result(self._later(at_ns), Look.NONE)))

    def people(self) -> NDArray[np.bool_] | None:
        """Where in the picture there may be people, a (rows, columns) grid; None: everywhere. For any thread."""
        return self._motion.people()

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
                self._motion = Motion(self._regions)
        finally:
            self._turn.release()

    def lose(self, count: int, at_ns: int) -> None:
        """Number samples of a live camera that were not made in time, the last one due at `at_ns`."""
        with self._turn:
            if isinstance(self._way, LiveDelivery) and not self._ended:
                last = self.seq + count - 1
                self._way.lose(Lost(self._camera, self._epoch, self.seq, last, self._later(at_ns)), LATE)
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

    def _begun(self, at_ns: int, dwell_ns: int, sample_ns: int, terms: Terms, after: tuple[int, int] | None) -> bool:
        self._regions = self._motion.regions = terms.regions
        return self._way.post(
            Begin(
                self._camera,
                self._epoch,
                at_ns,
                self._live,
                dwell_ns,
                self._min_face_px,
                sample_ns,
                terms.labels,
                terms.detection,
                terms.confidence,
                after,
            )
        )

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
            self._motion = Motion(self._regions)
            self._last_ns = at_ns
        else:
            self._last_ns = max(at_ns, self._last_ns + 1)
        return self._last_ns
