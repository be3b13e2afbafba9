"""When a camera's main stream need not be decoded: while its sub-stream shows that nothing moves. A kernel without clock.

Packets since the latest keyframe are kept. Samples at times that the sub-stream has judged quiet pass without a picture;
the periodic full look is taken from the nearest keyframe. When the sub-stream shows movement, or stops saying that there
is none, decoding goes on from where the decoder stands, or from the kept keyframe, and whatever has not passed is shown.

Both streams' packets are placed on one clock: when they would have come without delay (their arrival less their lag, see
`CatchingUp`). Neither the camera's idea of the time nor what the network holds up counts; what is left is by how
much one stream's encoder is slower than the other's, for which `MARGIN_NS` allows.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Generic, TypeVar

from ingest.motion import FULL_LOOK_NS
from ingest.timing import Timed
from storage.messages import NS_PER_S

MARGIN_NS: Final = NS_PER_S // 2
"""By how much two streams of one camera may differ in delay; also the most by which a packet may be late while idle."""

LEAST_WAIT_NS: Final = 9 * NS_PER_S // 10
"""A sub-stream has at least so long to say something of a moment."""

LONGEST_GOP_NS: Final = 4 * NS_PER_S + NS_PER_S // 4
"""Keyframes that are further apart (4 s, and what a clock may differ) would cost more to go back to than they save."""

MOST_BYTES: Final = 32 << 20
MOST_PACKETS: Final = 1000
"""More is not kept; 4 s of 240 frames a second, or of 60 Mbit/s."""

LOOKS: Final = 20
"""When most of the latest so many full looks show movement that the sub-stream did not, it shows something else."""

Packet = TypeVar("Packet")


@dataclass(frozen=True, slots=True)
class Quiet:
    """Nothing has moved in the sub-stream for some time, on the clock of `Kept.came_ns`.

    Attributes:
        since_ns: the first moment after which nothing did.
        until_ns: the latest that was judged.
    """

    since_ns: int
    until_ns: int


@dataclass(slots=True, eq=False)
class Kept(Generic[Packet]):
    """A packet of the main stream.

    Attributes:
        packet: itself.
        stamp: its timestamp.
        came_ns: when it would have come without delay.
        size: in bytes.
        keyframe: whether decoding may begin here, whatever was before.
        placed: its place in time; None of one that was decoded when it came.
        fed: the decoder has it.
        done: it was shown, or has passed.
    """

    packet: Packet
    stamp: int
    came_ns: int
    size: int
    keyframe: bool
    placed: Timed | None = None
    fed: bool = False
    done: bool = False


class Turn(StrEnum):
    """What is to be done with the packet that has come."""

    DECODE = "decode"
    KEEP = "keep"
    """To be placed in time, and not to be decoded by now."""
    WAKE = "wake"
    """To be placed in time; then all that `rest` gives is to be decoded."""


class Settled(StrEnum):
    """What becomes of a kept packet in quiet time."""

    PASSED = "passed"
    SAMPLE = "sample"
    """A sample of which nothing is to be known but its time."""
    LOOK = "look"
    """To be decoded, with all of its `path`, and to be looked at."""


class Hindrance(StrEnum):
    """Why a stream's packets can't be kept instead of being decoded; said after "the main stream"."""

    RARE = "has keyframes more than 4 s apart: set its keyframe interval to 4 s or less"
    ORDER = "sends B-frames: switch them off, or choose the baseline profile"
    SOURCE = "does not come over RTSP: give its rtsp:// address"
    OTHER = "shows movement that its sub-stream does not: check that both show the same view"
    LARGE = "sends more than 32 MiB from one keyframe to the next: set its keyframe interval to 2 s or less"


class Idling(Generic[Packet]):
    """One connection's: each packet is given to `take`; `settle` and `rest` say what becomes of those that are kept.

    Attributes:
        idle: whether packets are kept without being decoded.
        wanted: whether there is a sub-stream; without one nothing is kept.
        another: it is not the one that it was; to be set by whoever knows.
        stirring: something moved in the latest picture that was looked at: no time to idle, whatever the sub-stream says.
        prompt: the decoder gave the latest picture at once.
        looked_ns: capture time of the latest sample with a picture.
        hindrance: why the stream can't idle; None: it can, or that is not known yet.
    """

    def __init__(self, sample_ns: int) -> None:
        """Begin with a connection.

        Args:
            sample_ns: time between two samples.
        """
        self.idle = self.wanted = self.another = self.stirring = self.prompt = False
        self.looked_ns = 0
        self.hindrance: Hindrance | None = None
        self._wait_ns = max(LEAST_WAIT_NS, MARGIN_NS + 2 * sample_ns + NS_PER_S // 10)
        self._kept: list[Kept[Packet]] = []
        self._bytes = 0
        self._keyframe_ns: int | None = None
        self._gop_ns: int | None = None
        self._broken: Hindrance | None = None
        self._stamp: int | None = None
        self._instead = False
        self._began_ns: int | None = None
        self._looks: deque[bool] = deque(maxlen=LOOKS)
        self._looking = False

    def take(self, packet: Kept[Packet], quiet: Quiet | None, *, late: bool) -> Turn:
        """Take in the next packet.

        Args:
            packet: that has come.
            quiet: what the sub-stream says now.
            late: it came later than it should have by more than `MARGIN_NS`.
        """
        if not (self.wanted or self.idle):
            self.forget()
            return Turn.DECODE
        self._compare()
        self._measure(packet)
        self._keep(packet)
        able = self.wanted and self._gop_ns is not None and not (late or self.stirring)
        idled = self.idle
        if idled:
            first = next((one for one in self._kept if not one.done), packet)
            self.idle = able and self._waits(first, packet, quiet)
        else:
            self.idle = able and self.prompt and bool(self._kept) and self._waits(packet, packet, quiet)
        if self.idle:
            return Turn.KEEP
        if idled:
            return Turn.WAKE
        packet.fed = packet.done = True
        if self._broken is not None:
            self._drop()
        return Turn.DECODE

    def settle(self, quiet: Quiet | None) -> Iterator[tuple[Kept[Packet], Settled]]:
        """What has passed in quiet time, in order; ends as soon as something stirs.

        Args:
            quiet: what the sub-stream says now.
        """
        for one in [kept for kept in self._kept if not kept.done]:
            if quiet is None or one.placed is None or self.stirring:
                return
            if not quiet.since_ns + MARGIN_NS <= one.came_ns <= quiet.until_ns - MARGIN_NS:
                return
            one.done = True
            yield one, self._settled(one.keyframe, one.placed)

    def path(self, to: Kept[Packet]) -> list[Kept[Packet]]:
        """Packets that the decoder is to be given to show this one; where it has to jump the first is a keyframe."""
        until = self._kept.index(to) + 1
        start = max(index for index in range(until) if self._kept[index].keyframe)
        return self._given(self._kept[start:until])

    def rest(self) -> list[Kept[Packet]]:
        """Packets that the decoder is to be given on waking; of these, those that are not `done` are to be shown."""
        self.idle = self._instead = False
        first = next((index for index, one in enumerate(self._kept) if not one.done), None)
        if first is None:
            return []
        start = max((index for index in range(first + 1) if self._kept[index].keyframe), default=first)
        return self._given(self._kept[start:])

    def forget(self) -> None:
        """Begin anew with the next keyframe: packets were left out, or are not wanted."""
        self.idle = False
        self._began_ns = self._keyframe_ns = self._gop_ns = self._stamp = self._broken = None
        self._looks.clear()
        self._drop()

    def _given(self, packets: list[Kept[Packet]]) -> list[Kept[Packet]]:
        needed = [one for one in packets if not one.fed]
        for one in needed:
            one.fed = True
        return needed

    def _waits(self, first: Kept[Packet], newest: Kept[Packet], quiet: Quiet | None) -> bool:
        """Whether nothing has moved since the first packet that is waiting, as far as the sub-stream can have said so."""
        if quiet is None or newest.came_ns - first.came_ns > self._wait_ns:
            return False
        return quiet.since_ns + MARGIN_NS <= first.came_ns and newest.came_ns - quiet.until_ns <= self._wait_ns

    def _settled(self, keyframe: bool, placed: Timed) -> Settled:
        due = placed.at_ns // FULL_LOOK_NS != self.looked_ns // FULL_LOOK_NS
        # Where keyframes are rarer than full looks, these are decoded up to.
        between = (
            placed.sampled and (self._gop_ns or 0) > FULL_LOOK_NS and placed.at_ns - self.looked_ns >= FULL_LOOK_NS
        )
        if due and (keyframe or between):
            self.looked_ns, self._looking = placed.at_ns, True
            # It takes the place of the sample that comes next.
            self._instead = not placed.sampled
            return Settled.LOOK
        if placed.sampled and not self._instead:
            return Settled.SAMPLE
        self._instead = self._instead and not placed.sampled
        return Settled.PASSED

    def _compare(self) -> None:
        """Whether full looks show what the sub-stream should have shown."""
        if self._looking:
            self._looks.append(self.stirring)
            self._looking = False
        if self.another:
            self._looks.clear()
            self.another = False

    def _measure(self, packet: Kept[Packet]) -> None:
        """Whether the packets from one keyframe to the next can be kept."""
        came_ns = packet.came_ns
        if packet.keyframe:
            if self._keyframe_ns is not None and self._broken is None and came_ns - self._keyframe_ns <= LONGEST_GOP_NS:
                self._gop_ns, self.hindrance = came_ns - self._keyframe_ns, None
            self._keyframe_ns, self._broken = came_ns, None
        self._began_ns = came_ns if self._began_ns is None else self._began_ns
        newest_ns = self._began_ns if self._keyframe_ns is None else self._keyframe_ns
        if sum(self._looks) > LOOKS // 2:
            self._broken = Hindrance.OTHER
        elif self._stamp is not None and packet.stamp <= self._stamp:
            self._broken = Hindrance.ORDER
        elif came_ns - newest_ns > LONGEST_GOP_NS:
            self._broken = Hindrance.RARE
        elif self._bytes + packet.size > MOST_BYTES or len(self._kept) >= MOST_PACKETS:
            self._broken = Hindrance.LARGE
        self._stamp = packet.stamp
        if self._broken is not None:
            self._gop_ns, self.hindrance = None, self._broken

    def _keep(self, packet: Kept[Packet]) -> None:
        """Keep what may be decoded yet: from the last keyframe on that is before all that has not passed."""
        if not (self._kept or packet.keyframe):
            return
        self._kept.append(packet)
        self._bytes += packet.size
        pending = next(index for index, one in enumerate(self._kept) if not one.done)
        start = max((index for index in range(pending + 1) if self._kept[index].keyframe), default=0)
        self._bytes -= sum(one.size for one in self._kept[:start])
        del self._kept[:start]

    def _drop(self) -> None:
        self._kept.clear()
        self._bytes = 0
