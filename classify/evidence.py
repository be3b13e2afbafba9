"""What a person wears, by the evidence of all faces of the track."""

import math
from typing import Final

import msgspec

from storage.messages import NS_PER_S, Face
from storage.words import MASK_LABELS, Label, UnknownReason

LOG_FLOOR: Final = math.log(0.02)
"""No single face may be surer than this: one gross error must not outweigh many witnesses."""

WITNESSES: Final = 3.0
"""Faces of one track err together; however many there are, they count as at most this many independent ones."""

ENOUGH: Final = 0.4
"""Least total weight for a label: about one good face, or several poor ones."""

LEAST_SPAN_NS: Final = round(0.9 * NS_PER_S)
"""Least time from first to last sighting for a label: faces of one glimpse share their pose and light, and so their
errors."""

MARGIN: Final = 0.7
"""Least confidence for a label."""


class Evidence(msgspec.Struct):
    """Weighted log-probabilities of one track.

    Attributes:
        sums: per label of `MASK_LABELS`.
        weight: total.
        faces: number of faces seen.
        troubles: how often each reason stood in the way, by reason.
    """

    sums: list[float] = msgspec.field(default_factory=lambda: [0.0, 0.0, 0.0])
    weight: float = 0.0
    faces: int = 0
    troubles: dict[str, int] = msgspec.field(default_factory=dict)

    def add(self, face: Face, weight: float, trouble: UnknownReason | None) -> None:
        """Take in one face with its weight in [0, 1]."""
        self.faces += 1
        self.weight += weight
        for index, value in enumerate(log_probabilities(face)):
            self.sums[index] += weight * value
        if trouble is not None:
            self.troubles[trouble] = self.troubles.get(trouble, 0) + 1

    def verdict(self, span_ns: int, least_confidence: float = MARGIN) -> tuple[Label, float, UnknownReason | None]:
        """Label, confidence in [0, 1] and, for `unknown`, the reason, of a person seen over `span_ns`."""
        if self.weight <= 0.0:
            return Label.UNKNOWN, 0.0, self._main_trouble() or UnknownReason.TOO_SHORT
        witnesses = min(self.weight, WITNESSES)
        best, confidence = _softmax([witnesses * value / self.weight for value in self.sums])
        if self.weight < ENOUGH or span_ns < LEAST_SPAN_NS:
            return Label.UNKNOWN, confidence, self._main_trouble() or UnknownReason.TOO_SHORT
        if confidence < least_confidence:
            return Label.UNKNOWN, confidence, self._main_trouble() or UnknownReason.DISAGREEMENT
        return MASK_LABELS[best], confidence, None

    def _main_trouble(self) -> UnknownReason | None:
        """The most frequent trouble, if it concerns at least half of the faces."""
        if not self.troubles:
            return None
        reason, count = max(self.troubles.items(), key=lambda item: (item[1], item[0]))
        return UnknownReason(reason) if 2 * count >= self.faces else None


def log_probabilities(face: Face) -> tuple[float, float, float]:
    """Natural logarithms of a face's probabilities, not below `LOG_FLOOR`."""
    one, two, three = (max(LOG_FLOOR, math.log(max(p, 1e-9))) for p in face.probabilities)
    return one, two, three


def _softmax(values: list[float]) -> tuple[int, float]:
    """Position and share of the largest value."""
    best = max(range(len(values)), key=lambda index: (values[index], -index))
    return best, 1.0 / math.fsum(math.exp(value - values[best]) for value in values)
