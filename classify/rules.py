"""What the fold goes by: the rules of an epoch."""

from typing import Final

import msgspec

from classify import quality
from classify.breach import LONGEST_GAP_NS, BreachRule
from classify.evidence import MARGIN
from storage.messages import NS_PER_S, Begin
from storage.words import EVENT_LABELS, Label

START_SCORE: Final = 0.33
"""Finds of which detector and classifier together are this sure (the product of score and presence) start a track; less
sure ones only continue one (Zhang et al., "ByteTrack", ECCV 2022), and only `UNSURE_REACH_WIDTHS` from where the face is
expected."""

CONFIRMED_FACES: Final = 3
CONFIRMED_PRESENCE: Final = 0.42
"""A passage counts with this many sightings, once the mean product of the detector's score and
the classifier's presence reaches this. Less is more often a false alarm: on real footage people had 0.46 and more, patterns
0.38 and less."""


class Rules(msgspec.Struct, frozen=True):
    """What the fold goes by.

    Attributes:
        dwell_ns: how long a breach must last.
        min_face_px: smallest face that is judged.
        sample_ns: time between two samples; where they are rare, people are waited for longer.
        labels: that are non-compliant; all others comply, whatever the label of the track.
        start_score: finds that are this sure start a track; see `START_SCORE`.
        least_confidence: for a label of a track.
    """

    dwell_ns: int = NS_PER_S
    min_face_px: int = quality.MIN_FACE_PX
    sample_ns: int = NS_PER_S // 5
    labels: tuple[Label, ...] = EVENT_LABELS
    start_score: float = START_SCORE
    least_confidence: float = MARGIN

    @classmethod
    def of(cls, begin: Begin) -> "Rules":
        """Those that an epoch says."""
        return cls(
            begin.dwell_ns,
            begin.min_face_px,
            begin.sample_ns,
            # In one order, whatever theirs is; what is no breach for anybody makes none here.
            tuple(label for label in EVENT_LABELS if label in begin.labels),
            START_SCORE if begin.detection is None else begin.detection,
            MARGIN if begin.confidence is None else begin.confidence,
        )

    @property
    def confirmed_presence(self) -> float:
        """Mean sureness from which a passage counts: whoever asks for less to start a track wants to see it, too."""
        return CONFIRMED_PRESENCE * min(1.0, self.start_score / START_SCORE)

    @property
    def breach(self) -> BreachRule:
        """What a breach is."""
        return BreachRule(self.dwell_ns, max(LONGEST_GAP_NS, round(2.5 * self.sample_ns)), self.labels)


DEFAULT_RULES: Final = Rules()
