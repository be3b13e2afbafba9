"""What a camera does wrong at present, and packets damaged as a bad cable damages them."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from infra.rtsp.rtp import FRAMING_BYTES, HEADER_BYTES
from storage.errors import UsageError


@dataclass(frozen=True, slots=True)
class Faults:
    """What is wrong with what a camera sends.

    Attributes:
        frozen: the same keyframe again and again.
        stalled: nothing at all.
        keyless: no keyframes.
        damaged: share of the packets whose payload is damaged, 0 to 1.
        dropped: share of the packets that get lost, 0 to 1.
        ending: all that ends with the next keyframe.
    """

    frozen: bool = False
    stalled: bool = False
    keyless: bool = False
    damaged: float = 0.0
    dropped: float = 0.0
    ending: bool = False

    def __post_init__(self) -> None:
        """Refuse shares that are none.

        Raises:
            UsageError: a share below 0 or above 1.
        """
        for share in (self.damaged, self.dropped):
            if not 0 <= share <= 1:
                raise UsageError(f"a share of packets is between 0 and 1, not {share}")


class Damage:
    """Damages packets; the same ones in every run."""

    def __init__(self) -> None:
        self._random = random.Random(0)  # noqa: S311 repeatable, nothing secret

    def done(self, data: bytearray, starts: Sequence[int], faults: Faults) -> tuple[bytearray, tuple[int, ...]]:
        """Packets with the faults' shares damaged and lost; headers stay whole.

        Args:
            data: packets as they travel inside an RTSP connection.
            starts: where each of them begins.
            faults: for the shares.

        Returns:
            the packets that are left, and where each begins.
        """
        left, begins = bytearray(), list[int]()
        for start, end in zip(starts, (*starts[1:], len(data)), strict=True):
            if self._random.random() < faults.dropped:
                continue
            packet = data[start:end]
            if self._random.random() < faults.damaged:
                self._damage(packet)
            begins.append(len(left))
            left += packet
        return left, tuple(begins)

    def _damage(self, packet: bytearray) -> None:
        payload = range(FRAMING_BYTES + HEADER_BYTES, len(packet))
        for position in self._random.choices(payload, k=1 + len(payload) // 50):
            packet[position] ^= self._random.randrange(1, 256)
