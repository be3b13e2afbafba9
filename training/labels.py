"""The classes in the order of the classifier's outputs, and the folder names that people use for them."""

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
    WITH_MASK: ("with_mask", "withmask", "mask", "masked", "mask_on", "correct_mask", "correct", "mask_correct", "worn"),
    WITHOUT_MASK: ("without_mask", "withoutmask", "no_mask", "nomask", "unmasked", "mask_off", "bare", "none"),
    INCORRECT_MASK: (
        "incorrect_mask", "incorrect", "incorrectmask", "mask_incorrect", "mask_weared_incorrect", "improper_mask",
        "improper", "mask_worn_incorrectly", "wrong_mask", "incorrectly_worn", "bad_mask",
    ),
    NO_FACE: ("not_a_face", "no_face", "noface", "background"),
}  # fmt: skip

_BY_NAME: Final = {name: label for label, names in _SPELLINGS.items() for name in names}


def label_of(name: str) -> int | None:
    """The class that a folder or category name means, or None.

    >>> [label_of(name) for name in ("with_mask", "Without Mask", "NO-MASK", "mask_weared_incorrect", "cats")]
    [0, 1, 1, 2, None]
    """
    return _BY_NAME.get(re.sub(r"[^a-z]+", "_", name.lower()).strip("_"))
