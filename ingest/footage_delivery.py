"""How the samples of footage get onto the bus: nothing is lost, everything is waited for."""

import time
from collections.abc import Callable
from typing import Final

from msgspec.structs import replace

from ingest.delivery import RETRY_S
from ingest.frame import Frame
from storage.bus import Bus, BusError
from storage.errors import StorageError
from storage.frame_access import Frames
from storage.messages import FrameRef, Message, Sample
from storage.pulse import Pulse

MOST_RESULTS: Final = 2000
"""Footage waits while the aggregator has this many results to take in."""

ROOM_WAIT_S: Final = 0.005
GIVE_UP_S: Final = 60.0
"""Footage waits this long for a bus that is away."""


class FootageDelivery:
    """Loses nothing: waits for room, for the aggregator, and for a bus that is away for a moment."""

    def __init__(self, bus: Bus, frames: Frames, pulse: Pulse) -> None:
        """Open it.

        Args:
            bus: to send by.
            frames: to put pixels into.
            pulse: to be asked to stop by, and to beat while waiting.
        """
        self.shed = 0
        self._bus = bus
        self._frames = frames
        self._pulse = pulse
        self._done = 0

    def post(self, message: Message) -> bool:
        """See `Delivery`.

        Raises:
            BusError: the bus stayed away.
        """
        return self._soon(lambda: self._bus.results_length(self._bus.partition(message.camera)) < MOST_RESULTS) and (
            self._soon(lambda: self._bus.send([message]))
        )

    def offer(self, frame: Frame, blank: Sample) -> bool:
        """See `Delivery`.

        Raises:
            BusError: the bus stayed away.
            StorageError: the frame store could not be used for as long.
        """
        rgb = frame.rgb()
        held: list[FrameRef] = []

        def put() -> bool:
            ref = self._frames.put(rgb, live=False)
            held.extend([] if ref is None else [ref])
            return ref is not None

        if not self._soon(put):
            return False
        sample = replace(blank, frame=held[0])
        try:
            queued = self._soon(lambda: self._bus.send_sample(sample))
        except BusError:
            self._frames.release(held)
            raise
        if not queued:
            self._frames.release(held)
            return False
        # It is queued: whatever happens now, its pixels are no longer ours to release.
        self._soon(lambda: self._frames.sent(sample.frame))
        return True

    def _soon(self, step: Callable[[], bool | None]) -> bool:
        """Repeat a step until it does not say False; False when asked to stop meanwhile."""
        trouble_since_s = None
        while True:
            wait_s = ROOM_WAIT_S
            trouble = None
            try:
                if step() is not False:
                    self._done += 1
                    return True
                trouble_since_s = None
            except (BusError, StorageError) as error:
                trouble_since_s = trouble_since_s or time.monotonic()
                if time.monotonic() - trouble_since_s > GIVE_UP_S:
                    raise
                wait_s, trouble = RETRY_S, str(error)
            self._pulse.beat(done=self._done, trouble=trouble)
            if self._pulse.wait(wait_s):
                return False
