"""Which frames of a stream are looked at: a pure function of their timestamps."""

from fractions import Fraction

from storage.messages import NS_PER_S


class SampleGrid:
    """Chooses the first frame at or after each point of an even time grid.

    The choice depends on timestamps alone: variable frame rates, gaps and high rates all give at most `fps` samples a
    second, and the same footage always gives the same samples.

    >>> grid = SampleGrid(5)
    >>> [t for t in range(0, 1000, 40) if grid.takes(t * 1_000_000)]
    [0, 200, 400, 600, 800]
    """

    def __init__(self, fps: float) -> None:
        """Make a grid that starts at time 0.

        Args:
            fps: samples a second, above 0.
        """
        self._step = Fraction(NS_PER_S) / Fraction(fps).limit_denominator(1000)
        self._next_point = 0
        # Container time bases round to milliseconds or worse; a frame this little early belongs to its point.
        self._slack_ns = min(1_000_000, int(self._step / 10))

    def takes(self, at_ns: int) -> bool:
        """Whether the frame at `at_ns` (not before any earlier call's) is a sample."""
        reached = int((at_ns + self._slack_ns) / self._step)
        if reached < self._next_point:
            return False
        self._next_point = reached + 1
        return True


class FrameClock:
    """Gives every frame a time from the start of the footage, in ns, that never runs backwards.

    Footage may lack its first timestamps, start anywhere, or jump; a frame without a usable timestamp follows the one
    before it by one nominal frame.
    """

    LONGEST_GAP_NS = 3600 * NS_PER_S
    """A jump ahead by more than this is a broken timestamp, not a pause."""

    SHORT_STEP_BACK_NS = 1 * NS_PER_S

    def __init__(self, nominal_fps: float, *, origin_ns: int | None = None) -> None:
        """Start a clock.

        Args:
            nominal_fps: frames a second where timestamps are missing; 0 or less means 25.
            origin_ns: timestamp of the first frame, for footage that is entered in the middle.
        """
        self._frame_ns = round(NS_PER_S / (nominal_fps if nominal_fps > 0 else 25.0))
        self._origin_ns = origin_ns
        self._entering = origin_ns is not None
        self._last_ns = -self._frame_ns
        self.repaired = 0
        """Frames whose timestamp was missing or impossible."""
        self.jumped = False
        """Whether timestamps jumped so that the time of the footage no longer follows them."""

    def at(self, pts_ns: int | None) -> int:
        """Time in ns of the next frame, whose presentation timestamp is `pts_ns` (None where it has none)."""
        expected = self._last_ns + self._frame_ns
        if pts_ns is None:
            now = expected
            self.repaired += 1
        else:
            if self._origin_ns is None:
                self._origin_ns = pts_ns - expected
            now = pts_ns - self._origin_ns
            if self._entering and now >= 0:
                self._last_ns = now - 1
            self._entering = False
            if self._last_ns - self.SHORT_STEP_BACK_NS <= now <= self._last_ns:
                # A duplicate or a frame a little early: the clock behind it is right, and must not drift.
                now = self._last_ns + 1
                self.repaired += 1
            elif not self._last_ns < now <= self._last_ns + self.LONGEST_GAP_NS:
                self._origin_ns = pts_ns - expected
                now = expected
                self.repaired += 1
                self.jumped = True
        self._last_ns = now
        return now
