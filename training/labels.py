"""The classes in the order of the classifier's outputs, and the names that people and published sets give them."""

import re
from typing import Final

from storage.words import MASK_LABELS, NOT_A_FACE

LABELS: Final = (*(str(label) for label in MASK_LABELS), NOT_A_FACE)
"""Names of the four outputs, in their order."""

WITH_MASK: Final = 0
WITHOUT_MASK: Final = 1
INCORRECT_MASK: Final = 2
NO_FACE: Final = 3

_SPELLINGS: Final = {
    WITH_MASK: (
        "with_mask", "withmask", "mask", "masked", "mask_on", "correct_mask", "correct", "mask_correct", "worn",
        "face_with_mask", "face_mask", "facemask", "masked_face", "with_face_mask", "mask_worn", "mask_worn_correctly",
        "mask_weared_correct", "correctly_worn", "correctly_masked", "wearing_mask", "wear_mask", "proper_mask",
        "proper", "good_mask", "correctmask", "maskon", "cmfd",
    ),
    WITHOUT_MASK: (
        "without_mask", "withoutmask", "no_mask", "nomask", "unmasked", "mask_off", "bare", "none", "unmask",
        "face_no_mask", "face_nomask", "face_without_mask", "no_face_mask", "no_facemask", "without_face_mask",
        "unmasked_face", "non_mask", "nonmask", "non_masked", "not_masked", "not_wearing_mask", "no_mask_worn",
        "bare_face", "maskoff",
    ),
    INCORRECT_MASK: (
        "incorrect_mask", "incorrect", "incorrectmask", "mask_incorrect", "mask_weared_incorrect", "improper_mask",
        "improper", "mask_worn_incorrectly", "wrong_mask", "incorrectly_worn", "bad_mask", "mask_worn_incorrect",
        "mask_weared_incorrectly", "mask_incorrectly_worn", "incorrectly_masked", "incorrectly_worn_mask",
        "incorrect_worn_mask", "face_with_mask_incorrect", "face_incorrect_mask", "partial_mask", "partially_masked",
        "mask_wrong", "wrong", "mask_chin", "mask_mouth_chin", "mask_nose_mouth", "chin_mask", "under_chin",
        "mask_under_chin", "mask_under_nose", "nose_out", "imfd",
    ),
    NO_FACE: ("not_a_face", "no_face", "noface", "background", "non_face", "nonface"),
}  # fmt: skip

_BY_NAME: Final = {name: label for label, names in _SPELLINGS.items() for name in names}


def label_of(name: str) -> int | None:
    """The class that a folder or category name means, or None.

    >>> [label_of(name) for name in ("with_mask", "Without Mask", "NO-MASK", "mask_weared_incorrect", "cats")]
    [0, 1, 1, 2, None]
    """
    return _BY_NAME.get(re.sub(r"[^a-z]+", "_", name.lower()).strip("_"))


def known_spellings() -> str:
    """All names that `label_of` knows, for a message."""
    return "; ".join(f"{LABELS[label]} (or {', '.join(names[1:])})" for label, names in _SPELLINGS.items())
