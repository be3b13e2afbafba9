"""The words of the system, as typed values. Their meaning is given in the interface documentation."""

from enum import StrEnum
from typing import Final


class Label(StrEnum):
    """What a face, or the person of a track, wears."""

    WITH_MASK = "with_mask"
    WITHOUT_MASK = "without_mask"
    INCORRECT_MASK = "incorrect_mask"
    UNKNOWN = "unknown"


class UnknownReason(StrEnum):
    """Why the system abstains."""

    TOO_SMALL = "too_small"
    BLURRED = "blurred"
    TURNED_AWAY = "turned_away"
    OCCLUDED = "occluded"
    TOO_DARK = "too_dark"
    TOO_SHORT = "too_short"
    DISAGREEMENT = "disagreement"


MASK_LABELS: Final = (Label.WITH_MASK, Label.WITHOUT_MASK, Label.INCORRECT_MASK)
"""The three labels a face can have, in the order of every probability array."""

EVENT_LABELS: Final = (Label.WITHOUT_MASK, Label.INCORRECT_MASK)
"""The labels that break the default policy."""

NOT_A_FACE: Final = "not_a_face"
"""Name of the classifier's fourth output; it never leaves the `classify` room."""
