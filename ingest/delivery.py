"""How the samples of a live camera get onto the bus: the oldest make way. Those of footage go by `ingest.footage_delivery`.

No number is ever missing without a word: whatever could not be delivered becomes a tombstone, which is sent as
soon as the bus takes it.
"""

import time
from contextlib import suppress
from typing import Final, Protocol

import structlog
from msgspec.structs import replace

from ingest.frame import Frame
from storage.bus import Bus, BusError
from storage.errors import StorageError
from storage.frame_access import Frames
from storage.messages import FrameRef, Lost, Message, Result, Sample

MOST_LIVE_RESULTS: Final = 100_000
"""With so many results to take in, nothing more of live cameras is sent: they would fill the Redis that all rooms share.
A quiet result takes 142 bytes of it, and the embedded one holds 128 MiB."""

LOOK_S: Final = 1.0
"""How far behind the aggregator is, is looked up no more often than this."""

RETRY_S: Final = 0.25
"""A bus that was away is asked again after this long."""

LATE: Final = "late"
NO_ROOM: Final = "no_room"
SHED: Final = "shed"
BEHIND: Final = "behind"
BUS: Final = "bus"
"""Where samples are dropped, see `storage.status.CameraStatus`."""

log = structlog.get_logger(__name__)


class Delivery(Protocol):
    """The way of one camera's messages.

    Attributes:
        shed: samples that were numbered and will have no result.
    """

    shed: int

    def post(self, message: Message) -> bool:
        """Send what carries no pixels; False when asked to stop before it was sent."""
        ...

    def offer(self, frame: Frame, blank: Sample) -> bool:
        """Send a sample to be looked at; False when asked to stop before it was sent.

        Args:
            frame: its pixels, which are converted only when there is room for them.
            blank: the sample without them.
        """
        ...


class LiveDelivery:
    """Never waits. With too many samples on their way the oldest is taken back, since the newest says most.

    While the aggregator is too far behind, all samples are lost; what is owed waits until it has caught up.
    """

    def __init__(self, bus: Bus, frames: Frames, backlog: int, drops: dict[str, int]) -> None:
        """Open it.

        Args:
            bus: to send by.
            frames: to put pixels into.
            backlog: samples of a camera that may wait for a look.
            drops: counts samples of which something was to be seen, by where they are dropped.
        """
        self.shed = 0
        self._drops = drops
        self._closed = BUS
        self._bus = bus
        self._frames = frames
        self._backlog = backlog
        self._owed: list[Message] = []
        self._retry_s = 0.0
        self._look_s = 0.0
        self._behind = False

    def post(self, message: Message) -> bool:
        """See `Delivery`."""
        sent = self._sent(message.camera, message)
        if not sent and isinstance(message, Result):
            # Of a moment without a picture nothing is dropped.
            self.lose(tombstone(message), self._closed if message.failed is None else None)
        elif not sent:
            self._owed.append(message)
        return True

    def offer(self, frame: Frame, blank: Sample) -> bool:
        """See `Delivery`."""
        # What is owed goes first: a camera's beginning comes before its samples.
        where = self._placed(frame, blank) if self._sent(blank.camera) else self._closed
        if where is not None:
            self.lose(tombstone(blank), where)
        self._sent(blank.camera)
        return True

    def lose(self, lost: Lost, where: str | None) -> None:
        """Owe a tombstone.

        Args:
            lost: to be sent.
            where: they were dropped; None: there was nothing to be seen.
        """
        count = lost.last - lost.first + 1
        self.shed += count
        if where is not None:
            self._drops[where] = self._drops.get(where, 0) + count
        before = self._owed[-1] if self._owed else None
        if isinstance(before, Lost) and (before.epoch, before.last + 1) == (lost.epoch, lost.first):
            self._owed[-1] = replace(lost, first=before.first)
        else:
            self._owed.append(lost)

    def _placed(self, frame: Frame, blank: Sample) -> str | None:
        """Put it into the frame store and onto the bus; where it was dropped, if it was."""
        ref: FrameRef | None = None
        try:
            # Counts them as well: mostly there is nothing to be taken back.
            self._made_room(blank.camera, SHED, keep=self._backlog - 1)
            rgb = frame.rgb()
            while (ref := self._frames.put(rgb, live=True)) is None:
                if not self._made_room(blank.camera, NO_ROOM):
                    return NO_ROOM
            self._bus.send_sample(replace(blank, frame=ref))
        except (BusError, StorageError) as error:
            self._away(blank.camera, error)
            if ref is not None:
                # A store that is away has lost it, or forgets it by and by.
                with suppress(BusError, StorageError):
                    self._frames.release([ref])
            return BUS if isinstance(error, BusError) else NO_ROOM
        try:
            self._frames.sent(ref)
        except (BusError, StorageError) as error:
            # It is queued: its pixels are no longer ours to release.
            log.warning("a sample is on its way, and its picture not marked so", camera=blank.camera, error=str(error))
        return None

    def _made_room(self, camera: str, where: str, *, keep: int = 0) -> bool:
        """Take back the camera's oldest sample that nobody was given; False when there are no more than `keep`."""
        sample = self._bus.shed_oldest(camera, keep=keep)
        if sample is None:
            return False
        self.lose(tombstone(sample), where)
        self._frames.release([sample.frame])
        return True

    def _sent(self, camera: str, *messages: Message) -> bool:
        """Send what is owed and these; False when the bus is away, or nothing more may be sent (`_way` says which)."""
        if time.monotonic() < self._retry_s:
            return False
        try:
            if self._is_behind(camera):
                self._closed = BEHIND
                return False
            self._bus.send([*self._owed, *messages])
        except BusError as error:
            self._away(camera, error)
            return False
        self._owed.clear()
        return True

    def _is_behind(self, camera: str) -> bool:
        """Whether the aggregator has more to take in than there is room for."""
        now_s = time.monotonic()
        if now_s < self._look_s:
            return self._behind
        length = self._bus.results_length(self._bus.partition(camera))
        self._look_s = now_s + LOOK_S
        behind = length >= MOST_LIVE_RESULTS
        if behind and not self._behind:
            log.warning("the aggregator is too far behind: samples are lost", camera=camera, results=length)
        elif self._behind and not behind:
            log.warning("the aggregator has caught up: samples are sent again", camera=camera, results=length)
        self._behind = behind
        return behind

    def _away(self, camera: str, error: Exception) -> None:
        # A bus that hangs takes seconds to say so: asked with every sample, the camera would fall behind.
        self._retry_s = time.monotonic() + RETRY_S
        self._closed = BUS
        log.warning("samples are lost", camera=camera, error=str(error))


def tombstone(lost: Result | Sample) -> Lost:
    """Says that nobody is to wait for this sample."""
    return Lost(lost.camera, lost.epoch, lost.seq, lost.seq, lost.at_ns)
