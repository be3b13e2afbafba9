"""What a camera shows next, and when: a clip once or over and over, another clip in the middle of it."""

from dataclasses import dataclass
from pathlib import Path

from infra.rtsp.clip import TICKS_PER_S, AccessUnit, Clip
from storage.errors import UsageError


@dataclass(frozen=True, slots=True)
class Stream:
    """What a camera shows.

    Attributes:
        path: an H.264 clip.
        loop: over and over, with timestamps that go on; else once, and then all who watch are disconnected and the camera is gone.
        start_s: it begins with the last keyframe that is not later in the clip than this, 0 to the clip's length; several cameras
            that show one clip need not show the same of it.
        stated_fps: what it says its frame rate is, whatever it is; None tells the truth.
    """

    path: Path
    loop: bool = True
    start_s: float = 0.0
    stated_fps: float | None = None


@dataclass(frozen=True, slots=True)
class Due:
    """A picture that is to be sent.

    Attributes:
        unit: the picture.
        at: when it was seen, in ticks of the camera's clock, which begins at 0.
        sent: when it goes out, by the same clock.
    """

    unit: AccessUnit
    at: int
    sent: int


class Tape:
    """A clip and a position in it; has no clock.

    Attributes:
        clip: what is shown at present.
        started_s: time in the first clip of the very first picture.
        due: the next picture; None at the end of what is shown once.
    """

    def __init__(self, clip: Clip, *, loop: bool, start_s: float = 0.0) -> None:
        """Begin with the last keyframe at or before a time in the clip.

        Raises:
            UsageError: `start_s` is outside of the clip.
        """
        length_s = clip.period / TICKS_PER_S
        if not 0 <= start_s < length_s:
            raise UsageError(f"a clip of {length_s:.1f} s can't begin at {start_s} s: use 0 to {length_s:.1f}")
        self.clip = clip
        self._loop = loop
        keys = (index for index, unit in enumerate(clip.units) if unit.key and unit.at <= start_s * TICKS_PER_S)
        self._index = max(keys, default=0)
        first = clip.units[self._index]
        self._zero = -first.at
        self.started_s = first.at / TICKS_PER_S
        self.due: Due | None = self._position()

    @property
    def over(self) -> int:
        """The tick at which the clip's last picture has been seen for as long as the others."""
        last = self.clip.units[-1]
        return self._zero + self.clip.period + last.sent - last.at

    def advance(self) -> None:
        """Go to the next picture."""
        self._index += 1
        if self._index == len(self.clip.units) and self._loop:
            self._index = 0
            self._zero += self.clip.period
        self.due = self._position()

    def change(self, clip: Clip) -> None:
        """Show another clip from its beginning, instead of the picture that is due."""
        if self.due is not None:
            # Later than any picture that was sent, also where pictures are reordered.
            self._zero, self._index, self.clip = self.due.sent, 0, clip
            self.due = self._position()

    def next_key(self) -> int | None:
        """When the next keyframe is seen; None when none is to come."""
        for unit in self.clip.units[self._index :]:
            if unit.key:
                return self._zero + unit.at
        return self._zero + self.clip.period + self.clip.units[0].at if self._loop else None

    def _position(self) -> Due | None:
        if self._index == len(self.clip.units):
            return None
        unit = self.clip.units[self._index]
        return Due(unit, self._zero + unit.at, self._zero + unit.sent)
