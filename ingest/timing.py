"""When the frames of a live stream were captured, and which of them are samples."""

from dataclasses import dataclass
from typing import Final

from ingest.sampling import FrameClock, SampleGrid
from storage.messages import NS_PER_S

LONGEST_DELAY_NS: Final = 2 * NS_PER_S
"""A frame that comes later than this behind the others was captured late: the stream paused."""

LONGEST_EARLY_NS: Final = 2 * NS_PER_S
"""Timestamps that lead further ahead of the frame before than this have jumped: nobody waits for them."""

SLOWEST_CLOCK: Final = 1000
"""A camera's clock may lose one part in so many."""

FASTEST_FPS: Final = 240.0
"""Streams that state more do not know their rate."""

BROKEN_STAMPS: Final = 12
"""So many unusable timestamps in a row: the stream has none that mean something."""

CLOCK_SET_NS: Final = 1 * NS_PER_S
"""Our own clock does not go back by so much unless it was set."""


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
    """Tells capture times from arrivals, and from what the camera itself says where that can be true.

    Networks delay, and after a hitch bring many frames at once; the stream's own timestamps are even, but count from
    anywhere. So a frame's time is its timestamp plus the shortest delay seen so far: people who walk evenly do so in the
    samples, too. Times always grow, except where the clock of the arrivals is set back.

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
        self._clock = FrameClock(stated_fps if 0 < stated_fps <= FASTEST_FPS else 0.0)
        self._grid = SampleGrid(fps)
        self._nearest_ns = int(NS_PER_S / fps / 2)
        self._reports = CameraClock()
        self._timed, self._paced = timed, paced
        self._broken = 0
        self._first = True
        self._delay_ns = self._media_ns = self._skipped_ns = 0
        self._elapsed_ns = self._arrived_ns = 0
        self._last_ns = self._sampled_ns = 0

    @property
    def clock(self) -> str:
        """Where times come from: `rtcp` or `arrival`."""
        return "rtcp" if self._reports.believed else "arrival"

    def next(self, pts_ns: int | None, arrived_ns: int, captured_ns: int | None = None) -> Timed:
        """Place the next frame.

        Args:
            pts_ns: its timestamp, or None.
            arrived_ns: when it came, in Unix time.
            captured_ns: when it was captured by the camera's own word, in Unix time; None where it says nothing.
        """
        first, self._first = self._first, False
        if first or arrived_ns < self._arrived_ns - CLOCK_SET_NS:
            self._last_ns = self._sampled_ns = min(self._last_ns, arrived_ns) if first else arrived_ns - 1
        self._elapsed_ns += 0 if first else max(0, arrived_ns - self._arrived_ns)
        self._arrived_ns = arrived_ns
        if self._timed:
            at_ns, place_ns, early_ns = self._by_stamp(pts_ns, arrived_ns, first=first)
            at_ns = self._reports.corrected(at_ns, captured_ns, pts_ns, self._last_ns)
        else:
            at_ns, place_ns, early_ns = arrived_ns, self._elapsed_ns, 0
        self._last_ns = at_ns = max(min(at_ns, arrived_ns + early_ns), self._last_ns + 1)
        # Timestamps that run too fast must not make more samples.
        sampled = self._grid.takes(place_ns) and (first or at_ns - self._sampled_ns >= self._nearest_ns)
        if sampled:
            self._sampled_ns = at_ns
        return Timed(at_ns, sampled, early_ns)

    def _by_stamp(self, pts_ns: int | None, arrived_ns: int, *, first: bool) -> tuple[int, int, int]:
        """Capture time by arrivals and timestamps, place on the grid of samples, and how early the frame is."""
        repaired = self._clock.repaired
        media_ns = self._clock.at(pts_ns)
        step_ns, self._media_ns = media_ns - self._media_ns, media_ns
        self._broken = self._broken + 1 if self._clock.repaired > repaired else 0
        if self._broken >= BROKEN_STAMPS:
            self._timed = False
            return arrived_ns, self._elapsed_ns, 0
        delay_ns = arrived_ns - media_ns
        early_ns = 0
        if first or delay_ns - self._delay_ns > LONGEST_DELAY_NS:
            # The time of the grid goes on where timestamps do not.
            self._skipped_ns += 0 if first else delay_ns - self._delay_ns
            self._delay_ns = delay_ns
        elif self._paced and delay_ns < self._delay_ns and step_ns <= LONGEST_EARLY_NS:
            early_ns = self._delay_ns - delay_ns
        else:
            self._delay_ns = min(delay_ns, self._delay_ns + step_ns // SLOWEST_CLOCK)
        return media_ns + self._delay_ns, media_ns + self._skipped_ns, early_ns


AHEAD_NS: Final = 1 * NS_PER_S
"""A picture that comes so long before it was captured was not captured then."""

BEHIND_NS: Final = 10 * NS_PER_S
"""Cameras and networks take less than this; more is a clock that is wrong."""

SET_NS: Final = NS_PER_S // 4
"""A camera's clock that moves by more against its timestamps was set, or its timestamps jumped."""

DOUBT_NS: Final = 5 * NS_PER_S
"""A clock that was wrong has to be right for so long before it is believed again; sender reports come about as often."""

SLEW: Final = 4
"""Times that were too late are drawn back by one part in so many, so that they go on growing."""


class CameraClock:
    """The camera's own clock, from its sender reports (RFC 3550, 6.4.1), believed while it can be right.

    Attributes:
        believed: whether the last frame's time comes from it.
    """

    def __init__(self) -> None:
        """Nothing is known yet."""
        self.believed = False
        self._base_ns: int | None = None
        self._doubted_ns: int | None = None
        self._rest_ns = 0
        self._before_ns = 0

    def corrected(self, at_ns: int, captured_ns: int | None, pts_ns: int | None, last_ns: int) -> int:
        """The capture time of a frame.

        Args:
            at_ns: by its arrival.
            captured_ns: by the camera's word, None where it says nothing.
            pts_ns: its timestamp.
            last_ns: time given to the frame before.
        """
        if captured_ns is None:
            self.believed = False
            return at_ns
        right = -AHEAD_NS <= at_ns - captured_ns <= BEHIND_NS
        if pts_ns is not None:
            base_ns = captured_ns - pts_ns
            right = right and (self._base_ns is None or abs(base_ns - self._base_ns) <= SET_NS)
            self._base_ns = base_ns
        if not right:
            self._doubted_ns = at_ns
        before, self.believed = (
            self.believed,
            right and (self._doubted_ns is None or not 0 <= at_ns - self._doubted_ns < DOUBT_NS),
        )
        if not self.believed:
            return at_ns
        if before:
            self._rest_ns = max(0, self._rest_ns - max(0, captured_ns - self._before_ns) // SLEW)
        else:
            self._rest_ns = max(0, at_ns - captured_ns) if last_ns >= captured_ns else 0
        self._before_ns = captured_ns
        return captured_ns + self._rest_ns


class OwnClock:
    """Unix time that grows evenly: the clock may be set while a camera is watched, and is followed only then."""

    def __init__(self, unix_ns: int, steady_ns: int) -> None:
        """Start.

        Args:
            unix_ns: Unix time now.
            steady_ns: the same moment on a clock that is never set.
        """
        self._ahead_ns = unix_ns - steady_ns

    def at(self, unix_ns: int, steady_ns: int) -> int:
        """Unix time of a later moment that both clocks were read at."""
        ahead_ns = unix_ns - steady_ns
        if abs(ahead_ns - self._ahead_ns) > CLOCK_SET_NS:
            self._ahead_ns = ahead_ns
        return steady_ns + self._ahead_ns
