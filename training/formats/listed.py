"""What every layout gives, and how names in lists become files, classes and splits."""

import json
import math
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from storage.errors import InputError
from storage.files import read_file
from training.labels import known_spellings, label_of

SPLITS: Final = ("train", "val", "test")
SUFFIXES: Final = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp"})

_SPLIT_NAMES: Final = {
    "train": "train", "training": "train",
    "val": "val", "valid": "val", "validation": "val", "dev": "val",
    "test": "test", "testing": "test",
}  # fmt: skip

MOST_SHOWN: Final = 200
"""A longer name is shown without its middle."""

_UNPRINTABLE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ufffe\uffff]")
"""What no XML file may hold, or what breaks a line."""

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Picture:
    """One labelled picture.

    Attributes:
        path: where it is.
        source: the set it comes from, for figures by source.
        split: one of `SPLITS`; empty where the data bring none and none was assigned yet.
        boxes: annotated faces, x, y, width, height in pixels; empty for a portrait.
        labels: class of each box, an index into `LABELS`.
        portrait: class of the whole picture when it shows one face; None for a scene.
        group: pictures of one group (near-duplicates, one camera on one day) always share split and fold; empty
            where it is not known.
        size: width and height in pixels, upright; None where nobody looked.
        complete: every face in it has a box, so that whatever else the detector finds is a false alarm.
        ignored: boxes of faces whose label nobody can tell: they neither train nor count.
        given: where a review changed labels, those the data came with: of each box, or of the portrait; else empty.
        unclear: labels that the data gave to faces whose label nobody can tell: of each box in `ignored`, or of the
            portrait, which then is set aside; empty where there are none. Only figures with the labels as given use them.
    """

    path: Path
    source: str
    split: str
    boxes: tuple[Box, ...] = ()
    labels: tuple[int, ...] = ()
    portrait: int | None = None
    group: str = ""
    size: tuple[int, int] | None = None
    complete: bool = True
    ignored: tuple[Box, ...] = ()
    given: tuple[int, ...] = ()
    unclear: tuple[int, ...] = ()

    @property
    def set_aside(self) -> bool:
        """A portrait whose label nobody can tell: it is in no training, no count and no fold of its own."""
        return self.portrait is not None and bool(self.unclear)


@dataclass(frozen=True, slots=True)
class Listing:
    """What a DATA folder holds.

    Attributes:
        pictures: each file once.
        notes: sentences about what was left out, for the report.
    """

    pictures: list[Picture]
    notes: tuple[str, ...] = ()


class Finder:
    """Turns the names that lists give into files inside one DATA folder, never outside it."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._real = os.path.realpath(root)
        self._by_name: dict[str, list[Path]] | None = None

    def find(self, name: str, bases: Iterable[Path], where: str) -> Path:
        """The file called `name` in one of `bases`, or the only one of that name anywhere in the folder.

        Where there is none, the path that it should have is returned, for the check to report.

        Args:
            name: relative, with slashes or backslashes between its parts.
            bases: folders to look in, the likeliest first; at least one.
            where: the list and its line, for the message.

        Raises:
            InputError: `name` is absolute, has a `..`, or leads outside by a link.
        """
        try:
            os.fsencode(name)
        except UnicodeEncodeError as error:
            raise InputError(f"{where} names {cut(ascii(name))}, which no file can be called: correct it") from error
        parts = name.replace("\\", "/").split("/")
        if not name.strip("/. ") or name[0] in "/\\" or ".." in parts or "\0" in name or re.match("[A-Za-z]:", name):
            raise InputError(
                f"{where} names {cut(repr(name))}: names must be relative and stay inside {shown(self._root)}"
            )
        candidates = [base.joinpath(*parts) for base in bases]
        for candidate in candidates:
            if os.path.isfile(candidate):  # noqa: PTH113 - Path.is_file raises for names that are too long
                return self._inside(candidate, where)
        if self._by_name is None:
            self._by_name = {}
            for path in pictures_in(self._root):
                self._by_name.setdefault(path.name, []).append(path)
        elsewhere = self._by_name.get(parts[-1], [])
        return self._inside(elsewhere[0], where) if len(elsewhere) == 1 else candidates[0]

    def _inside(self, path: Path, where: str) -> Path:
        if not os.path.realpath(path).startswith(self._real.rstrip(os.sep) + os.sep):
            raise InputError(
                f"{where} names {shown(path)}, a link that leads outside {shown(self._root)}: copy the file there"
            )
        return path


def shown(path: Path | str) -> str:
    r"""A path as valid text of one line: bytes that are not UTF-8 and control characters are written as escapes.

    >>> shown("new\nline")
    'new\\x0aline'
    """
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    return cut(_UNPRINTABLE.sub(lambda found: f"\\x{ord(found.group()):02x}", text))


def cut(text: str) -> str:
    """A text of `MOST_SHOWN` characters at most: of a longer one the beginning and the end."""
    if len(text) <= MOST_SHOWN:
        return text
    half = (MOST_SHOWN - 3) // 2
    return f"{text[:half]}...{text[-half:]}"


def pictures_in(folder: Path) -> list[Path]:
    """All picture files below `folder`, sorted; hidden ones and what macOS adds to archives are skipped.

    Raises:
        InputError: the folder can't be read.
    """
    return [path for path in files_in(folder) if path.suffix.lower() in SUFFIXES]


def files_in(folder: Path) -> list[Path]:
    """All files below `folder`, as `pictures_in`."""

    def refuse(error: OSError) -> None:
        raise InputError(f"the folder {shown(folder)} can't be read ({error.strerror}): check its permissions")

    found: list[Path] = []
    for parent, children, names in os.walk(folder, onerror=refuse):
        children[:] = [child for child in children if not child.startswith(".") and child != "__MACOSX"]
        found += [Path(parent, name) for name in names if not name.startswith(".")]
    return sorted(found)


def class_named(name: str, where: str) -> int:
    """The class that a list calls `name`.

    Raises:
        InputError: it is none of ours.
    """
    label = label_of(name)
    if label is None:
        raise InputError(
            f"{where} has the class {cut(repr(name))}, which is not known: rename it to one of {known_spellings()}"
        )
    return label


def split_named(name: str) -> str:
    """The split that a file or folder name means (`valid`, `instances_train2017`, ...), or an empty string."""
    for word in re.split(r"[^a-z]+", name.lower()):
        if word in _SPLIT_NAMES:
            return _SPLIT_NAMES[word]
    return ""


def split_of_path(path: Path, root: Path) -> str:
    """The split named by one of the folders between `root` and the file `path`, or an empty string."""
    names = path.relative_to(root).parts[:-1] if path.is_relative_to(root) else ()
    return next((_SPLIT_NAMES[name.lower()] for name in names if name.lower() in _SPLIT_NAMES), "")


def box_of(values: Iterable[Any], where: str) -> Box:
    """Four finite numbers.

    Raises:
        InputError: they are not.
    """
    try:
        x, y, width, height = (float(value) for value in values)
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"{where} has a box that is not four numbers: correct or remove it") from error
    if not all(map(math.isfinite, (x, y, width, height))):
        raise InputError(f"{where} has a box with a number that is not finite: correct or remove it")
    return x, y, width, height


def size_of(width: Any, height: Any) -> tuple[int, int] | None:
    """Width and height as a list states them; None where it does not (some tools write 0)."""
    try:
        size = int(float(width)), int(float(height))
    except (TypeError, ValueError, OverflowError):
        return None
    return size if min(size) > 0 else None


def read_text(path: Path) -> str:
    """The text of a list.

    Raises:
        InputError: it can't be read or is not UTF-8.
    """
    try:
        return read_file(path).decode("utf-8-sig")
    except OSError as error:
        raise InputError(f"{shown(path)} can't be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{shown(path)} is not UTF-8 text (byte {error.start}): save it as UTF-8") from error


def read_json(path: Path) -> Any:
    """The content of a JSON file.

    Raises:
        InputError: it can't be read or is not JSON.
    """
    try:
        return json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{shown(path)} can't be read as JSON ({error}): write it again") from error
