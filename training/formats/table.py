"""CSV files: a line for each face, columns found by their names."""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from storage.errors import InputError
from training.formats.listed import (
    Box,
    Finder,
    Listing,
    Picture,
    box_of,
    class_named,
    read_text,
    shown,
    split_named,
    split_of_path,
)

_IMAGE: Final = ("image", "filename", "path", "file", "file_name", "image_path", "filepath", "image_name", "picture")
_LABEL: Final = ("label", "class", "category", "class_name", "label_name")
_SPLIT: Final = ("split", "set", "subset", "partition")
_CORNERS: Final = (("xmin", "ymin", "xmax", "ymax"), ("x_min", "y_min", "x_max", "y_max"), ("x1", "y1", "x2", "y2"))
_SIZES: Final = (("x", "y", "width", "height"), ("x", "y", "w", "h"))


@dataclass(slots=True)
class Entry:
    """What the lines about one picture say."""

    split: str
    where: str
    faces: list[tuple[Box, int]] = field(default_factory=list)
    portrait: int | None = None

    def add(self, box: Box | None, label: int, where: str) -> None:
        """One more line.

        Raises:
            InputError: it contradicts another one.
        """
        if box is not None:
            self.faces.append((box, label))
        elif self.portrait not in {None, label}:
            raise InputError(f"{where} gives another class than {self.where} for the same picture: keep one of them")
        else:
            self.portrait = label
        if self.faces and self.portrait is not None:
            raise InputError(f"{where} and {self.where} label the same picture with a box and without: keep one kind")

    def picture(self, path: Path, source: str, group: str = "") -> Picture:
        """All of it as a picture."""
        boxes, labels = tuple(box for box, _ in self.faces), tuple(label for _, label in self.faces)
        return Picture(path, source, self.split, boxes, labels, self.portrait, group)


def applies(folder: Path) -> bool:
    """Whether a CSV file with a picture's and a class's column lies in `folder`."""
    return bool(_files(folder))


def read(folder: Path, source: str) -> Listing:
    """The pictures of all CSV files; lines without a box label the whole picture.

    Raises:
        InputError: a line is not as it should be.
    """
    finder = Finder(folder)
    entries: dict[Path, Entry] = {}
    for path in _files(folder):
        fallback = split_named(path.stem) or split_of_path(path, folder)
        bases = [path.parent, path.parent / "images", folder, folder / "images"]
        for where, row in _rows(path):
            name, label_name = _value(row, _IMAGE), _value(row, _LABEL)
            if not name or not label_name:
                raise InputError(f"{where} lacks the picture or the class: correct or remove it")
            stated = _value(row, _SPLIT)
            split = split_named(stated) if stated else fallback
            if stated and not split:
                raise InputError(f"{where} has the split {stated!r}: use train, val or test")
            found = finder.find(name, bases, where)
            entry = entries.setdefault(found, Entry(split or split_of_path(found, folder), where))
            if split and entry.split != split:
                raise InputError(f"{where} and {entry.where} put the same picture into two splits: keep one of them")
            entry.add(_box(row, where), class_named(label_name, where), where)
    if not entries:
        names = ", ".join(shown(path) for path in _files(folder))
        raise InputError(f"{names} has no lines below its heading: add one for each face")
    return Listing([entry.picture(path, source) for path, entry in entries.items()])


def _box(row: dict[str, str], where: str) -> Box | None:
    # Corners first: where they are given, `width` and `height` are the picture's.
    for names in _CORNERS:
        if set(names) <= row.keys():
            if not any(row[name] for name in names):
                return None
            left, top, right, bottom = box_of((row[name] for name in names), where)
            return left, top, right - left, bottom - top
    for names in _SIZES:
        if set(names) <= row.keys():
            return box_of((row[name] for name in names), where) if any(row[name] for name in names) else None
    return None


def _value(row: dict[str, str], names: tuple[str, ...]) -> str:
    return next((row[name] for name in names if name in row), "")


def _rows(path: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Each line with its place; column names in small letters."""
    text = read_text(path)
    # Not by lines: what is quoted may hold line breaks.
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text.splitlines()[:1]))
    try:
        columns = [name.strip().lower() for name in next(reader)]
        for values in reader:
            if not any(value.strip() for value in values):
                continue
            where = f"line {reader.line_num} of {shown(path)}"
            if len(values) != len(columns):
                raise InputError(f"{where} has {len(values)} columns instead of {len(columns)}: correct or remove it")
            yield where, dict(zip(columns, (value.strip() for value in values), strict=True))
    except csv.Error as error:
        raise InputError(f"line {reader.line_num} of {shown(path)} can't be read ({error}): correct it") from error


def _delimiter(lines: list[str]) -> str:
    return max(",;\t", key=lines[0].count) if lines else ","


def _files(folder: Path) -> list[Path]:
    found = []
    for path in sorted({*folder.glob("*.csv"), *folder.glob("*/*.csv")}):
        if not path.is_file():
            continue
        with path.open("rb") as stream:
            # Only a table of ours has to be sound: others may lie here in any encoding.
            head = stream.read(10_000).decode("utf-8-sig", "replace").splitlines()[:1]
        columns = {name.strip(' "').lower() for name in head[0].split(_delimiter(head))} if head else set()
        if columns & set(_IMAGE) and columns & set(_LABEL):
            found.append(path)
    return found
