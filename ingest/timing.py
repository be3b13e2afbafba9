"""When the frames of a live stream were captured, and which of them are samples."""

from dataclasses import dataclass
from typing import Final

from ingest.sampling import FrameClock, SampleGrid
from storage.messages import NS_PER_S

LONGEST_DELAY_NS: Final = 2 * NS_PER_S
"""A frame that comes later than this behind the others was captured late: the stream paused."""

SLOWEST_CLOCK: Final = 1000
"""A camera's clock may lose one part in so many."""

FASTEST_FPS: Final = 240.0
"""Streams that state more do not know their rate."""


@dataclass(frozen=True, slots=True)
class Timed:
    """One frame's place in time.

    Attributes:
        at_ns: capture time, on the clock that arrivals are given in.
        sampled: whether it is to be analysed.
        early_ns: how long to wait before it is shown, for streams that are paced.
    """

    at_ns: int
    sampled: bool
    early_ns: int


class StreamTiming:
    """Tells capture times from arrivals.

    Networks delay, and after a hitch bring many frames at once; the stream's own timestamps are even, but count from
    anywhere. So a frame's time is its timestamp plus the shortest delay seen so far: people who walk evenly do so in the
    samples, too.

    >>> timing = StreamTiming(fps=5, stated_fps=25)
    >>> [timing.next(pts * 1_000_000, arrived * 1_000_000).at_ns // 1_000_000 for pts, arrived in ((0, 7), (40, 47), (80, 300))]
    [7, 47, 87]
    """

    def __init__(self, fps: float, stated_fps: float, *, timed: bool = True, paced: bool = False) -> None:
        """Start with the next frame.

        Args:
            fps: samples a second.
            stated_fps: frames a second by the stream's own word, 0 for unknown.
            timed: whether it carries timestamps that mean something.
            paced: whether it may come faster than it is to be shown: recorded pieces over HTTP.
        """
        self._clock = FrameClock(stated_fps if stated_fps <= FASTEST_FPS else 0.0)
        self._grid = SampleGrid(fps)
        self._timed, self._paced = timed, paced
        self._began_ns: int | None = None
        self._delay_ns = 0
        self._last_ns = 0

    def next(self, pts_ns: int | None, arrived_ns: int) -> Timed:
        """Place the next frame.

        Args:
            pts_ns: its timestamp, or None.
            arrived_ns: when it came, on a clock that never runs backwards.
        """
        first = self._began_ns is None
        self._began_ns = began_ns = arrived_ns if self._began_ns is None else self._began_ns
        if not self._timed:
            return Timed(arrived_ns, self._grid.takes(arrived_ns - began_ns), 0)
        media_ns = self._clock.at(pts_ns)
        delay_ns = arrived_ns - media_ns
        early_ns = 0
        if first or delay_ns - self._delay_ns > LONGEST_DELAY_NS:
            self._delay_ns = delay_ns
        elif self._paced and delay_ns < self._delay_ns:
            early_ns = self._delay_ns - delay_ns
        else:
            self._delay_ns = min(delay_ns, self._delay_ns + (media_ns - self._last_ns) // SLOWEST_CLOCK)
        self._last_ns = media_ns
        return Timed(media_ns + self._delay_ns, self._grid.takes(media_ns), early_ns)
