"""What is remembered of the people in view of one camera: plain data that can be stored and read back at any point."""

from typing import Final

import msgspec

from classify.breach import Breach
from classify.evidence import Evidence
from classify.motion_model import MotionModel
from classify.rules import CONFIRMED_FACES, Rules
from storage.messages import NS_PER_S
from storage.words import Label, UnknownReason

GONE_NS: Final = round(2.5 * NS_PER_S)
"""A walking person unseen for this long has gone; above the 2 s between looks at a still scene."""

NEW_GONE_NS: Final = round(1.2 * NS_PER_S)
"""A find that is not soon seen again was none."""

STANDING_GONE_NS: Final = 7 * NS_PER_S
"""A standing person may look down or be covered for longer."""

STANDING_LOOKS: Final = 5
"""Nor is one who sits so still that only every full look can show the face gone before this many have missed it: with 80 %
of the looks it is found, a wait of two minutes is then cut once in fifty."""

STANDING_LONGEST_NS: Final = 15 * NS_PER_S
"""However few looks there are."""

STANDING_WIDTHS: Final = 0.6
"""Slower than this, in face widths a second, is standing."""

LONGEST_STEP_NS: Final = 1 * NS_PER_S
"""Results further apart are those of an outage."""

UNWATCHED_NS: Final = 4 * NS_PER_S


class TrackState(msgspec.Struct):
    """All that is remembered of a person in view; `missed` counts the full looks since the last sighting, `unwatched_ns` is for
    how long nobody looked since then.
    """

    number: int
    motion: MotionModel
    first_ns: int
    last_ns: int
    predicted_ns: int
    evidence: Evidence = msgspec.field(default_factory=Evidence)
    breach: Breach = msgspec.field(default_factory=Breach)
    thumbnail: bytes = b""
    settled: tuple[Label, float, UnknownReason | None] | None = None
    faces: int = 0
    presence: float = 0.0
    confirmed: bool = False
    missed: int = 0
    unwatched_ns: int = 0

    def gone(self, at_ns: int, rules: Rules) -> bool:
        """Whether the person has been out of sight for too long to be still there."""
        if self.faces < CONFIRMED_FACES:
            limit_ns = NEW_GONE_NS
        elif self.motion.speed_widths >= STANDING_WIDTHS:
            limit_ns = GONE_NS
        else:
            limit_ns = STANDING_GONE_NS if self.missed >= STANDING_LOOKS else STANDING_LONGEST_NS
        return at_ns - self.last_ns - self.unwatched_ns > max(limit_ns, round(2.5 * rules.sample_ns))


class FoldState(msgspec.Struct):
    """The memory of one camera: who is in view, the last number given, and the time of the last result."""

    tracks: list[TrackState] = msgspec.field(default_factory=list)
    last_number: int = 0
    last_ns: int | None = None

    def passed(self, at_ns: int, rules: Rules) -> None:
        """Go on to the next result's time: what lies between two results that are far apart, nobody watched.

        So whoever was in view when a worker was killed is waited for as if it had not been, within `UNWATCHED_NS`: further off,
        nobody can be expected where the prediction says.
        """
        before_ns, self.last_ns = self.last_ns, at_ns
        step_ns = 0 if before_ns is None else at_ns - before_ns
        if step_ns > max(LONGEST_STEP_NS, round(2.5 * rules.sample_ns)):
            for track in self.tracks:
                track.unwatched_ns += min(step_ns - rules.sample_ns, UNWATCHED_NS)
