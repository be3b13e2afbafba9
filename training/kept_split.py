"""`split.json` beside a model: which pictures it was trained on, known again by what is in the files.

Whoever measures a model later, with more pictures, fewer, or another seed, must not divide them anew: what it was
trained on would count as unseen.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, Literal

import msgspec

from storage.errors import InputError
from storage.files import write_bytes
from training.pictures import Picture

FILE_NAME: Final = "split.json"
KEY_LENGTH: Final = 16
TRAINED: Final = frozenset({"train", "val"})
"""What a model learnt from, and what its epoch and its temperature were chosen on."""

Split = Literal["train", "val", "test"]


class KeptSplit(msgspec.Struct, frozen=True):
    """The content of the file: the split of each picture, by the first `KEY_LENGTH` digits of its file's sha256."""

    pictures: dict[str, Split]


def keys_of(pictures: Sequence[Picture]) -> list[str]:
    """What each picture is known by; empty for one that can't be read."""
    return [_key(picture.path) for picture in pictures]


def write_split(folder: Path, keys: Sequence[str], splits: Sequence[str]) -> None:
    """Write the file into the folder of a model.

    Args:
        folder: of the model.
        keys: of the pictures, from `keys_of`.
        splits: of the same pictures.

    Raises:
        StorageError: it can't be written.
    """
    found: dict[str, str] = {}
    # The same file twice, once trained on, was trained on.
    for split in ("test", "val", "train"):
        found |= {key: its for key, its in zip(keys, splits, strict=True) if its == split and key}
    content = {"pictures": dict(sorted(found.items()))}
    write_bytes(folder / FILE_NAME, msgspec.json.format(msgspec.json.encode(content), indent=1) + b"\n")


def read_split(folder: Path) -> dict[str, Split] | None:
    """The split of each picture by its key; None where the folder has no such file.

    Raises:
        InputError: it is damaged, or something else.
    """
    path = folder / FILE_NAME
    try:
        return msgspec.json.decode(path.read_bytes(), type=KeptSplit).pictures
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError) as error:
        raise InputError(
            f"{path} does not say what the model beside it was trained on ({error}): put the model into a folder of its "
            "own, with the split.json of its training"
        ) from error


def settled(known: Mapping[str, str], *, other: str = "test") -> Callable[[Sequence[Picture]], list[str]]:
    """How to divide pictures for a model that was trained on some of them; for `training.pictures.prepare`.

    A picture that the model knows keeps its split, whatever the data say; another keeps the one that the data give. What
    has none goes where a near-duplicate went that the model was trained on, and else to `other`.
    """

    def divide(pictures: Sequence[Picture]) -> list[str]:
        kept = [known.get(key, "") for key in keys_of(pictures)]
        near = {
            picture.group: split
            for picture, split in zip(pictures, kept, strict=True)
            if split in TRAINED and picture.group
        }
        return [
            split or picture.split or near.get(picture.group, other)
            for picture, split in zip(pictures, kept, strict=True)
        ]

    return divide


def _key(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()[:KEY_LENGTH]
    except OSError:
        return ""
