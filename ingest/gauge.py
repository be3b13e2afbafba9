"""What is counted of a camera: for as long as the process lives, and over the last seconds."""

from collections import deque
from dataclasses import dataclass, field
from typing import Final

RATE_S: Final = 5.0
"""Over which rates are measured."""


@dataclass(slots=True)
class Tally:
    """Of one camera, since the process began, whatever becomes of its connections.

    Attributes:
        drops: samples that were not looked at, by where they were dropped.
        connections: how often a connection came to show a picture.
    """

    drops: dict[str, int] = field(default_factory=dict)
    connections: int = 0

    @property
    def reconnects(self) -> int:
        """How often the connection was made anew."""
        return max(0, self.connections - 1)


class Gauge:
    """Frames and samples of one watch: counted by its thread, measured by the main one.

    >>> gauge = Gauge(now_s=0.0)
    >>> gauge.seen, gauge.sampled = 50, 10
    >>> gauge.rates(now_s=2.0, shed=0)
    (25.0, 5.0)
    """

    def __init__(self, now_s: float) -> None:
        self.seen = 0
        """Frames so far."""
        self.sampled = 0
        """Samples so far."""
        self._counts = deque([(now_s, 0, 0)])

    def rates(self, now_s: float, shed: int) -> tuple[float, float]:
        """Frames and samples a second, over the last `RATE_S`.

        Args:
            now_s: the present, above the last one.
            shed: samples so far that were given up.
        """
        counts = self._counts
        counts.append((now_s, self.seen, max(0, self.sampled - shed)))
        while len(counts) > 2 and now_s - counts[1][0] >= RATE_S:
            counts.popleft()
        past_s, seen, analyzed = counts[0]
        lasted_s = max(1e-3, now_s - past_s)
        return round((counts[-1][1] - seen) / lasted_s, 1), round(max(0, counts[-1][2] - analyzed) / lasted_s, 1)
