"""Pascal VOC: an XML file for each picture, in `Annotations/` or beside it."""

import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Final

from storage.errors import InputError
from training.formats.listed import (
    SPLITS,
    SUFFIXES,
    Box,
    Finder,
    Listing,
    Picture,
    box_of,
    class_named,
    files_in,
    read_text,
    shown,
    size_of,
    split_of_path,
)

MAX_BYTES: Final = 10_000_000
"""An annotation is a few kilobytes; what is larger is something else."""


class _Builder(ET.TreeBuilder):
    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:  # noqa: ARG002 - the parser's call
        """Called before the first entity could be declared."""
        raise ValueError("it declares a document type, which annotations have no need of")


def applies(folder: Path) -> bool:
    """Whether VOC files lie in `folder`."""
    return bool(_files(folder))


def read(folder: Path, source: str) -> Listing:
    """The pictures of all annotations; `ImageSets/Main/train.txt` and the like, or a folder's name, give the split.

    Raises:
        InputError: an annotation is damaged or has an unknown class.
    """
    finder = Finder(folder)
    split_of = _image_sets(folder)
    pictures = []
    for path in _files(folder):
        name, size, faces = read_file(path)
        found = _picture(path, name, folder, finder)
        split = split_of.get(path.stem, "") or split_of_path(path, folder)
        boxes, labels = tuple(box for box, _ in faces), tuple(label for _, label in faces)
        pictures.append(Picture(found, source, split, boxes, labels, size=size))
    return Listing(pictures)


def read_file(path: Path) -> tuple[str, tuple[int, int] | None, list[tuple[Box, int]]]:
    """The picture's name, its stated size, and the boxes with their classes.

    Raises:
        InputError: see `read`.
    """
    where = shown(path)
    try:
        if path.stat().st_size > MAX_BYTES:
            raise InputError(f"{where} is too large for an annotation: remove it")
        root = ET.fromstring(path.read_bytes(), ET.XMLParser(target=_Builder()))  # noqa: S314 - see `_Builder`
    except OSError as error:
        raise InputError(f"{where} can't be read: {error.strerror}") from error
    except (ET.ParseError, ValueError, LookupError) as error:
        raise InputError(f"{where} can't be read as XML ({error}): correct or remove it") from error
    if root.tag != "annotation":
        raise InputError(f"{where} is no VOC annotation but <{root.tag}>: remove it")
    faces = []
    for number, thing in enumerate(root.iter("object"), 1):
        place = f"object {number} in {where}"
        left, top, right, bottom = box_of(
            (thing.findtext(f"bndbox/{side}") for side in ("xmin", "ymin", "xmax", "ymax")), place
        )
        label = class_named((thing.findtext("name") or "").strip(), place)
        faces.append(((left, top, right - left, bottom - top), label))
    size = size_of(root.findtext("size/width"), root.findtext("size/height"))
    return (root.findtext("filename") or "").strip(), size, faces


def _picture(path: Path, name: str, folder: Path, finder: Finder) -> Path:
    """The picture of an annotation: by the annotation's own name, since the name inside is often of another time."""
    bases = [
        path.parent,
        *(parent / kind for parent in (path.parent.parent, folder) for kind in ("JPEGImages", "images")),
    ]
    for base in bases:
        for suffix in sorted(SUFFIXES):
            for spelt in (suffix, suffix.upper()):
                if (base / (path.stem + spelt)).is_file():
                    return finder.find(path.stem + spelt, [base], shown(path))
    return finder.find(name or path.stem + ".jpg", [*bases, folder], shown(path))


def _files(folder: Path) -> list[Path]:
    found = []
    for path in files_in(folder):
        if path.suffix.lower() == ".xml" and path.is_file():
            with path.open("rb") as stream:
                if path.parent.name.lower() == "annotations" or b"<annotation" in stream.read(4096):
                    found.append(path)
    return found


def _image_sets(folder: Path) -> dict[str, str]:
    split_of: dict[str, str] = {}
    for split in SPLITS:
        for path in sorted(folder.rglob(f"ImageSets/Main/{split}.txt")):
            split_of |= {line.split()[0]: split for line in read_text(path).splitlines() if line.strip()}
    return split_of
