"""The gate of a main stream: its packets are decoded, or kept while its sub-stream is quiet, as `ingest.idling` decides."""

import re
from collections.abc import Callable, Iterator
from typing import Final

from ingest.decoding import Decoded, Decoding, Packet
from ingest.frame import Frame, Unseen
from ingest.idling import MARGIN_NS, Idling, Kept, Quiet, Settled, Turn
from ingest.source import SourceError
from ingest.timing import Timed
from storage.messages import NS_PER_S
from storage.pulse import Pulse
from storage.status import StateReason

H264_IDR: Final = 5
H265_IDR: Final = range(16, 21)
"""Types of NAL units that whatever comes later does not look back beyond (ITU-T H.264, 7.4.1; H.265, 7.4.2.2: BLA too).
Other keyframes may be followed by pictures that need those before them."""

_NAL: Final = re.compile(rb"\x00\x00\x01(.)", re.DOTALL)

Place = Callable[[int | None, int | None], Timed]
"""Places the next frame in time, given its timestamp and when the camera says that it took it."""


class Gate:
    """One connection's."""

    def __init__(
        self, decoding: Decoding, idling: Idling[Packet], quiet: Callable[[], Quiet | None], place: Place
    ) -> None:
        """Begin.

        Args:
            decoding: of the main stream.
            idling: decides.
            quiet: what the sub-stream says now.
            place: called for each frame once, in order.
        """
        self._decoding, self._idling = decoding, idling
        self._quiet, self._place = quiet, place
        self._index = 0

    def moments(
        self, pulse: Pulse, before_reading: Callable[[], StateReason | None], read_s: float
    ) -> Iterator[Frame | Unseen]:
        """Frames, seen or not, until asked to stop; arguments and errors as for `Decoding.packets`."""
        try:
            for packet in self._decoding.packets(pulse, before_reading, read_s):
                yield from self._moments_of(packet)
        except SourceError:
            # What came before the end is not lost by it.
            yield from self._woken()
            raise

    def _moments_of(self, packet: Packet) -> Iterator[Frame | Unseen]:
        decoding, idling = self._decoding, self._idling
        due = decoding.due(packet)
        if packet.pts is None or not packet.size or len(due) != 1:
            yield from self._woken()
            idling.forget()
            yield from self._seen(decoding.decoded(due))
            return
        lag_ns = decoding.lag_ns or 0
        kept = Kept(packet, packet.pts, decoding.came_ns or 0, packet.size, begins(packet, decoding.codec))
        turn = idling.take(kept, self._quiet(), late=lag_ns > MARGIN_NS)
        if turn is Turn.DECODE:
            idling.prompt = False
            yield from self._seen(decoding.decoded(due), packet.pts)
            return
        at_ns = int(packet.pts * packet.time_base * NS_PER_S)
        kept.placed = self._place(at_ns, decoding.captured_ns(at_ns))
        if turn is Turn.WAKE:
            yield from self._decoded(self._idling.rest(), look=False)
            return
        decoding.fared(shown=True)
        yield Unseen(kept.placed.at_ns, sampled=False)
        yield from self._settled()

    def _seen(self, frames: Iterator[Decoded], stamp: int | None = None) -> Iterator[Frame]:
        """Frames that were decoded as they came."""
        for one in frames:
            placed = self._place(one.pts_ns, one.captured_ns)
            self._idling.prompt = stamp is not None and one.frame.pts == stamp
            if placed.sampled:
                self._idling.looked_ns = placed.at_ns
            yield self._frame(one, placed, kept=False)

    def _settled(self) -> Iterator[Frame | Unseen]:
        for one, what in self._idling.settle(self._quiet()):
            at_ns = 0 if one.placed is None else one.placed.at_ns
            if what is Settled.SAMPLE:
                yield Unseen(at_ns, sampled=True)
            elif what is Settled.LOOK:
                one.done = False
                seen = False
                for frame in self._decoded(self._idling.path(one), look=True):
                    seen = True
                    yield frame
                if not seen:
                    # The camera has changed its size, or the keyframe was damaged: to be looked at as it comes.
                    self._idling.stirring = True

    def _woken(self) -> Iterator[Frame]:
        if self._idling.idle:
            yield from self._decoded(self._idling.rest(), look=False)

    def _decoded(self, packets: list[Kept[Packet]], *, look: bool) -> Iterator[Frame]:
        """Decode what was kept, and show of it what has not passed.

        Args:
            packets: in order.
            look: they are decoded for a full look at the last of them.
        """
        if packets and packets[0].keyframe:
            self._decoding.flush()
        by_stamp = {one.stamp: one for one in packets}
        for packet in packets:
            for one in self._decoding.shown(self._decoding.pictures(packet.packet)):
                kept = by_stamp.get(one.frame.pts or 0)
                if kept is None or kept.done or kept.placed is None:
                    continue
                kept.done = True
                sampled = kept.placed.sampled or look
                if sampled:
                    self._idling.looked_ns = kept.placed.at_ns
                yield self._frame(one, kept.placed, sampled=sampled, kept=True)
        for packet in packets:
            # A damaged one has no picture.
            packet.done = True

    def _frame(self, one: Decoded, placed: Timed, *, kept: bool, sampled: bool | None = None) -> Frame:
        self._index += 1
        is_sample = placed.sampled if sampled is None else sampled
        return Frame.of(one.frame, placed.at_ns, self._index - 1, sampled=is_sample, kept=kept)


def begins(packet: Packet, codec: str) -> bool:
    """Whether decoding may begin at a packet, whatever was before, and nothing later needs what was."""
    if not packet.is_keyframe:
        return False
    if codec == "h264":
        return any(unit[0] & 0x1F == H264_IDR for unit in _NAL.findall(memoryview(packet)))
    if codec == "hevc":
        return any(unit[0] >> 1 & 0x3F in H265_IDR for unit in _NAL.findall(memoryview(packet)))
    return codec == "mjpeg"
