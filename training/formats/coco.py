"""COCO: a JSON file with `images`, `annotations` and `categories`, next to the pictures or above them."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from storage.errors import InputError
from training.formats.listed import (
    Box,
    Finder,
    Listing,
    Picture,
    box_of,
    class_named,
    read_json,
    shown,
    size_of,
    split_named,
    split_of_path,
)


@dataclass(frozen=True, slots=True)
class Annotated:
    """One entry of a list: the picture's name as it stands there, its boxes, their classes, and the stated size."""

    name: str
    boxes: tuple[Box, ...]
    labels: tuple[int, ...]
    size: tuple[int, int] | None


def applies(folder: Path) -> bool:
    """Whether a COCO file lies in `folder`.

    Raises:
        InputError: there is a COCO file by its name or its beginning, but it is damaged.
    """
    return bool(_files(folder))


def read(folder: Path, source: str) -> Listing:
    """The pictures of all COCO files in `folder`; a file called `train...`, `val...` or `test...` names their split.

    Raises:
        InputError: a file is damaged, has an unknown category, or an annotation of an image that it does not list.
    """
    finder = Finder(folder)
    pictures: list[Picture] = []
    for path in _files(folder):
        split = split_named(path.stem) or split_of_path(path, folder)
        bases = [path.parent, path.parent / "images", folder, folder / "images"]
        bases += [base / path.stem.rsplit("_", 1)[-1] for base in (folder, folder / "images")]
        pictures += [
            Picture(found, source, split or split_of_path(found, folder), entry.boxes, entry.labels, size=entry.size)
            for entry in read_file(path)
            for found in [finder.find(entry.name, bases, shown(path))]
        ]
    return Listing(pictures)


def read_file(path: Path) -> list[Annotated]:
    """The entries of one COCO file, those without an annotation included.

    Raises:
        InputError: see `read`.
    """
    content, where = read_json(path), shown(path)
    try:
        categories = {category["id"]: str(category["name"]) for category in content["categories"]}
        images = {image["id"]: image for image in content["images"]}
        names = {identifier: str(image["file_name"]) for identifier, image in images.items()}
        annotations = list(content["annotations"])
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{where} is not a COCO file as it should be ({error!r}): export it again") from error
    if len(images) != len(content["images"]):
        raise InputError(f"{where} gives one id to two images: export it again")
    found: dict[Any, list[tuple[Box, int]]] = {identifier: [] for identifier in images}
    for number, annotation in enumerate(annotations):
        box, label, image = _annotation(annotation, categories, f"annotation {number} in {where}")
        if image not in found:
            raise InputError(f"annotation {number} in {where} belongs to image {image!r}, which is not listed")
        found[image].append((box, label))
    return [
        Annotated(names[identifier], tuple(box for box, _ in faces), tuple(label for _, label in faces),
                  size_of(images[identifier].get("width"), images[identifier].get("height")))
        for identifier, faces in found.items()
    ]  # fmt: skip


def _annotation(annotation: Any, categories: dict[Any, str], where: str) -> tuple[Box, int, Any]:
    try:
        box, category, image = annotation["bbox"], annotation["category_id"], annotation["image_id"]
        # Only the categories in use have to be ours: exporters add one that stands above all others.
        label = class_named(categories[category], where) if category in categories else None
        hash(image)
    except (KeyError, TypeError) as error:
        raise InputError(f"{where} lacks bbox, category_id or image_id: correct or remove it") from error
    if label is None:
        raise InputError(f"{where} has category {category!r}, which is not listed")
    return box_of(box, where), label, image


def _files(folder: Path) -> list[Path]:
    return [path for path in _candidates(folder) if _is_coco(path)]


def _candidates(folder: Path) -> Iterator[Path]:
    yield from sorted({*folder.glob("*.json"), *folder.glob("*/*.json")})


def _is_coco(path: Path) -> bool:
    try:
        content = read_json(path)
    except InputError:
        # Damaged. Whether it was meant as COCO can only be told from the words that are left.
        words = path.read_bytes()[:1_000_000] if path.is_file() else b""
        if "coco" in path.name or b'"annotations"' in words or b'"images"' in words:
            raise
        return False
    return isinstance(content, dict) and {"images", "annotations", "categories"} <= content.keys()
