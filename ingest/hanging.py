"""Which camera's thread hangs: in a library that neither returns nor can be interrupted."""

from collections.abc import Sequence
from typing import Final, Protocol

from storage.database.records import Camera

HANG_S: Final = 30.0
"""No wait of a camera's thread is longer than 15 s: looking up a name takes 3 s at most, connecting twice 4 s, a read 3 s,
the bus 5 s."""

LONGEST_TURN_S: Final = 2.0
"""Between two turns no more than this counts: if the whole process stood still, it is nobody's fault."""


class Living(Protocol):
    """What shows signs of life; `asked_s` is when it last did."""

    camera: Camera

    @property
    def asked_s(self) -> float:
        """On the clock of the turns; in the future while it rests."""
        ...


class Hanging:
    """Told of all threads in each turn."""

    def __init__(self, limit_s: float = HANG_S) -> None:
        """Begin.

        Args:
            limit_s: whoever shows no sign of life for so long hangs.
        """
        self._limit_s = limit_s
        self._last_s: float | None = None
        self._dead_s: dict[Living, tuple[float, float]] = {}

    def turn(self, threads: Sequence[Living], now_s: float) -> str | None:
        """Identifier of a camera that hangs, or None.

        Args:
            threads: all.
            now_s: the present, on a clock that never runs backwards.
        """
        passed_s = 0.0 if self._last_s is None else min(LONGEST_TURN_S, now_s - self._last_s)
        self._last_s = now_s
        before, self._dead_s = self._dead_s, {}
        for thread in threads:
            asked_s = thread.asked_s
            if asked_s < now_s:
                known_s, dead_s = before.get(thread, (asked_s, 0.0))
                self._dead_s[thread] = (asked_s, dead_s + passed_s if known_s == asked_s else 0.0)
        return next((one.camera.id for one, (_, dead_s) in self._dead_s.items() if dead_s > self._limit_s), None)
