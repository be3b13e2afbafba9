"""What has to be said of figures that rest on pictures which had a part in the training."""

from typing import Final

_SENTENCES: Final = {
    "train": "These are pictures that a training on this data learns from, so the figures flatter a model of such a training.",
    "val": "By these pictures a training on this data chooses its epoch and its temperature, so the figures flatter a model "
    "of such a training a little; those of `maskwatch evaluate` on `test` do not.",
    "all": "Among these are the pictures that a training on this data learns from and chooses by, so the figures flatter a "
    "model of such a training; those of `maskwatch evaluate` on `test` do not.",
}


def had_a_part(split: str) -> str:
    """The sentence for figures on a split, empty where the split had no part in the training.

    >>> had_a_part("test")
    ''
    """
    return _SENTENCES.get(split, "")
