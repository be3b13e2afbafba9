"""A live camera whose decoding falls behind: what nobody would wait for is left out, undecoded, and counted."""

from typing import Final, Generic, TypeVar

from storage.messages import NS_PER_S

BEHIND_NS: Final = 4 * NS_PER_S
"""A camera's packets that come this late have waited for us: a network that pauses for longer is given up."""

CAUGHT_UP_NS: Final = NS_PER_S // 2

READING_NS: Final = 2 * NS_PER_S
"""Buffers are read to their end within this; what comes late even then is not late because of us."""

JUMP_NS: Final = 60 * NS_PER_S
"""A lag of this much is a timestamp that jumped: no buffer holds so much."""

FASTER: Final = 1000
"""A camera's clock may gain one part in so many on ours."""

Packet = TypeVar("Packet")


class CatchingUp(Generic[Packet]):
    """Which packets are decoded.

    Without it the lag of a machine that is too slow piles up in the connection's buffers: everything comes late by
    seconds, and nothing says so. A packet's lag is by how much later it comes than the promptest did.

    >>> catching_up, s = CatchingUp[str](), NS_PER_S
    >>> [catching_up.due(name, at * s, now * s, keyframe=name == "K") for name, at, now in (("K", 0, 0), ("p", 1, 6), ("K", 6, 6))]
    [['K'], [], ['K']]
    >>> catching_up.left_out_ns // s
    6

    Attributes:
        left_out_ns: media time so far of which there is no picture.
        lag_ns: of the latest packet.
        came_ns: when that would have come without it.
    """

    def __init__(self) -> None:
        """Start with the first packet."""
        self.left_out_ns = self.lag_ns = self.came_ns = 0
        self._behind_ns = BEHIND_NS
        self._least_ns: int | None = None
        self._last_ns = self._decoded_ns = 0
        self._since_ns: int | None = None
        self._kept: list[Packet] = []

    def due(self, packet: Packet, at_ns: int, now_ns: int, *, keyframe: bool) -> list[Packet]:
        """What is to be decoded now that a packet has come, in order; only the last of it is to be shown.

        While behind, packets since the latest keyframe are kept: from there decoding goes on.

        Args:
            packet: that has come.
            at_ns: its timestamp.
            now_ns: on a clock that never runs backwards.
            keyframe: whether it can be decoded without those before it.
        """
        lag_ns = self.lag_ns = self._lag_ns(at_ns, now_ns)
        self.came_ns = now_ns - lag_ns
        if self._since_ns is None:
            if lag_ns <= self._behind_ns:
                self._decoded_ns = at_ns
                return [packet]
            self._since_ns = now_ns
        if keyframe:
            self._kept.clear()
        if self._kept or keyframe:
            self._kept.append(packet)
        if lag_ns > CAUGHT_UP_NS and now_ns - self._since_ns > READING_NS:
            # Timestamps that run slow, or a network that does: to be believed less from now on.
            self._least_ns, lag_ns = now_ns - at_ns, 0
            self._behind_ns *= 2
        if lag_ns > CAUGHT_UP_NS or not self._kept:
            return []
        kept, self._kept, self._since_ns = self._kept, [], None
        self.left_out_ns += max(0, at_ns - self._decoded_ns)
        self._decoded_ns = at_ns
        return kept

    def _lag_ns(self, at_ns: int, now_ns: int) -> int:
        delay_ns, passed_ns = now_ns - at_ns, now_ns - self._last_ns
        self._last_ns = now_ns
        if self._least_ns is None or delay_ns - self._least_ns > JUMP_NS:
            self._least_ns = delay_ns
        self._least_ns = min(delay_ns, self._least_ns + passed_ns // FASTER)
        return delay_ns - self._least_ns
