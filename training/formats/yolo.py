"""YOLO text files: a line `class x y width height` for each face, in shares of the picture.

The names of the classes are in `data.yaml`, `classes.txt` or `obj.names`; the text file of `images/a.jpg` is
`labels/a.txt`, or `a.txt` beside the picture.
"""

import os
import re
from pathlib import Path
from typing import Final

from storage.errors import InputError
from training.formats import classes
from training.formats.listed import (
    Box,
    Finder,
    Listing,
    Picture,
    box_of,
    class_named,
    cut,
    pictures_in,
    read_text,
    shown,
    split_of_path,
)
from training.formats.opening import UnreadableError, picture_size

_NAME_FILES: Final = ("data.yaml", "data.yml", "dataset.yaml", "classes.txt", "obj.names", "labels/classes.txt",
                      "train/_darknet.labels", "_darknet.labels", "data/obj.names")  # fmt: skip

_MOST_BEYOND: Final = 2.0
"""A share beyond this is a pixel: boxes may lean out of the picture, but not by its whole width."""


def applies(folder: Path) -> bool:
    """Whether text files of this kind lie beside pictures; class folders come first where nothing names classes."""
    if not any(_label_file(path, folder) for path in pictures_in(folder)):
        return False
    return _names_file(folder) is not None or not classes.applies(folder)


def read(folder: Path, source: str) -> Listing:
    """The pictures that have a text file; an empty one says that nobody is seen.

    Raises:
        InputError: the class names are missing, or a line is not as it should be.
    """
    names_file = _names_file(folder)
    if names_file is None:
        raise InputError(
            f"{shown(folder)} has YOLO text files but no class names: add a classes.txt with a name on each line"
        )
    names = read_names(names_file)
    pictures: list[Picture] = []
    finder = Finder(folder)
    without = 0
    for path in pictures_in(folder):
        if (label_file := _label_file(path, folder)) is None:
            without += 1
            continue
        finder.find(str(path.relative_to(folder)), [folder], shown(label_file))
        pictures.append(_picture(path, source, split_of_path(path, folder), label_file, names))
    notes = (f"{without} pictures in {shown(folder)} have no text file and were left out",) if without else ()
    return Listing(pictures, notes)


def read_names(path: Path) -> dict[int, str]:
    """Class names by number: from lines, or from `names:` of a YAML file, as a list or with numbers.

    Raises:
        InputError: there are none.
    """
    text = read_text(path)
    if path.suffix.lower() in {".yaml", ".yml"}:
        names = _yaml_names(text)
    else:
        names = dict(enumerate(line.strip() for line in text.splitlines() if line.strip()))
    if not names:
        raise InputError(f"{shown(path)} names no classes: write them as a list, `names: [with_mask, without_mask]`")
    return names


def _picture(path: Path, source: str, split: str, label_file: Path, names: dict[int, str]) -> Picture:
    lines = [(number, line.split()) for number, line in enumerate(read_text(label_file).splitlines(), 1)]
    faces = [_face(words, names, f"line {number} of {shown(label_file)}") for number, words in lines if words]
    try:
        width, height = picture_size(path)
    except UnreadableError:
        # Its boxes can't be told in pixels; the check will say what is wrong with it.
        return Picture(path, source, split)
    boxes = tuple(((x - w / 2.0) * width, (y - h / 2.0) * height, w * width, h * height) for (x, y, w, h), _ in faces)
    return Picture(path, source, split, boxes, tuple(label for _, label in faces), size=(width, height))


def _face(words: list[str], names: dict[int, str], where: str) -> tuple[Box, int]:
    """Centre, width and height in shares, and the class; an outline with many corners becomes its box."""
    try:
        number, values = int(words[0]), [float(word) for word in words[1:]]
    except ValueError as error:
        raise InputError(f"{where} is not `class x y width height`: correct or remove it") from error
    if number not in names:
        raise InputError(f"{where} has class {cut(str(number))}, but only {len(names)} classes have names")
    if len(values) > 5 and len(values) % 2 == 0:
        xs, ys = values[::2], values[1::2]
        values = [(min(xs) + max(xs)) / 2.0, (min(ys) + max(ys)) / 2.0, max(xs) - min(xs), max(ys) - min(ys)]
    box = box_of(values[:4], where)
    if max(map(abs, box)) > _MOST_BEYOND:
        raise InputError(f"{where} is not in shares of the picture (0 to 1): divide by its width and height")
    return box, class_named(names[number], where)


def _label_file(path: Path, folder: Path) -> Path | None:
    parts = list(path.relative_to(folder).with_suffix(".txt").parts)
    candidates = [path.with_suffix(".txt")]
    if "images" in parts:
        place = len(parts) - 1 - parts[::-1].index("images")
        candidates.insert(0, folder.joinpath(*parts[:place], "labels", *parts[place + 1 :]))
    else:
        candidates.append(path.parent / "labels" / f"{path.stem}.txt")
    return next((found for found in candidates if os.path.isfile(found)), None)  # noqa: PTH113 - odd names


def _names_file(folder: Path) -> Path | None:
    return next((folder / name for name in _NAME_FILES if (folder / name).is_file()), None)


def _yaml_names(text: str) -> dict[int, str]:
    """What follows `names:` in the three ways that people write it; a whole YAML reader is not needed for that."""
    found = re.search(r"^names\s*:[ \t]*(.*(?:\n(?:[ \t\-]|\s*#).*|\n)*)", text, re.MULTILINE)
    if found is None:
        return {}
    block = re.sub(r"(^|\s)#.*", "", found.group(1)).strip()
    if block.startswith(("[", "{")):
        inner = re.match(r"[\[{]([^\]}]*)[\]}]", block)
        entries = re.split(r"[,\n]", inner.group(1)) if inner else []
    else:
        entries = block.splitlines()
    entries = [entry.strip().removeprefix("- ").strip() for entry in entries if entry.strip()]
    names = {}
    for place, entry in enumerate(entries):
        numbered = re.fullmatch(r"(\d{1,6})\s*:\s*(.+)", entry)
        number, name = (int(numbered[1]), numbered[2]) if numbered else (place, entry)
        names[number] = name.strip().strip("'\"")
    return names
