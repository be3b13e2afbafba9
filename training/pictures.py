"""Labelled pictures, as they come: scenes with annotated boxes, and portraits whose label is their folder.

A DATA folder is either a *pack* (it has a `split.json`, COCO files under `scenes/` and class folders under
`faces/SET/`) or a person's own folder with one subfolder per class.
"""

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from storage.errors import InputError
from training.labels import LABELS, WITH_MASK, WITHOUT_MASK, label_of

SPLITS: Final = ("train", "val", "test")
SUFFIXES: Final = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp"})

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Picture:
    """One labelled picture.

    Attributes:
        path: where it is.
        source: the set it comes from, for figures by source.
        split: one of `SPLITS`.
        boxes: annotated faces, x, y, width, height in pixels; empty for a portrait.
        labels: class of each box, an index into `LABELS`.
        portrait: class of the whole picture when it shows one face; None for a scene.
    """

    path: Path
    source: str
    split: str
    boxes: tuple[Box, ...] = ()
    labels: tuple[int, ...] = ()
    portrait: int | None = None


def read_data(folders: Sequence[Path], *, seed: int = 0, limit: int | None = None) -> list[Picture]:
    """Read the labelled pictures of several DATA folders; nothing is opened but lists.

    Args:
        folders: packs, or folders with one subfolder per class.
        seed: of the split of folders that bring none.
        limit: at most this many pictures per split and kind (scene, or portrait of one class), chosen by the seed.

    Raises:
        InputError: a folder is missing, empty, not of a known layout, or has fewer than two classes.
    """
    pictures: list[Picture] = []
    for folder in folders:
        if not folder.is_dir():
            raise InputError(f"there is no folder {folder}: give a data pack or a folder with one subfolder per class")
        pictures += read_pack(folder) if (folder / "split.json").is_file() else read_classes(folder, seed=seed)
    if limit is not None:
        pictures = _limited(pictures, limit, seed)
    labels = {label for picture in pictures for label in (*picture.labels, picture.portrait)}
    if missing := [LABELS[label] for label in (WITH_MASK, WITHOUT_MASK) if label not in labels]:
        raise InputError(
            f"no picture of class {' nor '.join(missing)} in {', '.join(map(str, folders))}: "
            f"add a subfolder with that name"
        )
    return pictures


def read_pack(folder: Path) -> list[Picture]:
    """Read a pack: the pictures that its `split.json` lists.

    Raises:
        InputError: `split.json` or an annotation file is damaged or names pictures that have no label.
    """
    split_file = folder / "split.json"
    lists = _json(split_file)
    try:
        split_of = {str(name): split for split in SPLITS for name in lists[split]}
        annotations: dict[str, list[tuple[Box, int]]] = {}
        for coco_file in sorted((folder / "scenes").glob("*.coco.json")):
            annotations |= _coco(_json(coco_file), coco_file)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{split_file} or a COCO file beside it is damaged ({error!r}): fetch the pack again"
        ) from error
    pictures = []
    for name, split in sorted(split_of.items()):
        parts = name.split("/")
        if parts[0] == "scenes" and name in annotations:
            found = annotations[name]
            boxes, labels = tuple(box for box, _ in found), tuple(label for _, label in found)
            pictures.append(Picture(folder / name, parts[1], split, boxes, labels))
        elif parts[0] == "faces" and (label := label_of(parts[-2])) is not None:
            pictures.append(Picture(folder / name, parts[1], split, portrait=label))
        else:
            raise InputError(f"{split_file} lists {name}, which has no label: fetch the pack again")
    if not pictures:
        raise InputError(f"{split_file} lists no pictures: fetch the pack again")
    return pictures


def read_classes(folder: Path, *, seed: int = 0) -> list[Picture]:
    """Read a folder with one subfolder per class and split it 80/10/10 within each class.

    Copies (`a.jpg`, `a copy 2.jpg`, `a (1).jpg`) stay on one side. The same files and seed give the same split.

    Raises:
        InputError: no subfolder has the name of a class, or one of them holds no picture.
    """
    by_label: dict[int, list[Path]] = defaultdict(list)
    for child in sorted(folder.iterdir()):
        label = label_of(child.name) if child.is_dir() else None
        if label is None:
            continue
        files = sorted(path for path in child.rglob("*") if path.suffix.lower() in SUFFIXES)
        if not files:
            raise InputError(f"{child} holds no pictures ({', '.join(sorted(SUFFIXES))}): add some or remove it")
        by_label[label] += files
    if not by_label:
        raise InputError(
            f"{folder} is neither a data pack (no split.json) nor has it a subfolder named for a class: "
            f"name them {', '.join(LABELS[:3])}"
        )
    pictures = []
    for label, files in sorted(by_label.items()):
        for path, split in zip(files, _split(files, seed + label), strict=True):
            pictures.append(Picture(path, folder.name, split, portrait=label))
    return pictures


def _split(files: list[Path], seed: int) -> list[str]:
    """A split for each file; groups of copies stay together; with two groups or more, val gets at least one."""
    group_of = [path.stem.lower().split(" copy")[0].split(" (")[0] for path in files]
    groups = sorted(set(group_of))
    order = np.random.default_rng(seed).permutation(len(groups))
    val = max(1, round(len(groups) * 0.1)) if len(groups) > 1 else 0
    test = max(1, round(len(groups) * 0.1)) if len(groups) > 2 else 0
    side = {groups[place]: "val" if rank < val else "test" if rank < val + test else "train"
            for rank, place in enumerate(order)}  # fmt: skip
    return [side[group] for group in group_of]


def _coco(content: dict[str, Any], path: Path) -> dict[str, list[tuple[Box, int]]]:
    """Boxes and classes by picture name."""
    label_by_category: dict[int, int] = {}
    for category in content["categories"]:
        if (label := label_of(str(category["name"]))) is None:
            raise InputError(f"{path} has a category {category['name']!r}, which is none of {', '.join(LABELS[:3])}")
        label_by_category[category["id"]] = label
    names = {image["id"]: str(image["file_name"]) for image in content["images"]}
    found: dict[str, list[tuple[Box, int]]] = {name: [] for name in names.values()}
    for annotation in content["annotations"]:
        x, y, width, height = map(float, annotation["bbox"])
        if width >= 1.0 and height >= 1.0:
            label = label_by_category[annotation["category_id"]]
            found[names[annotation["image_id"]]].append(((x, y, width, height), label))
    return found


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise InputError(f"{path} can't be read as JSON ({error}): fetch the pack again") from error
    if not isinstance(content, dict):
        raise InputError(f"{path} is not what a data pack has there: fetch the pack again")
    return content


def _limited(pictures: list[Picture], limit: int, seed: int) -> list[Picture]:
    kinds: dict[tuple[str, int | None, str], list[int]] = defaultdict(list)
    for index, picture in enumerate(pictures):
        kinds[(picture.split, picture.portrait, picture.source)].append(index)
    rng = np.random.default_rng(seed)
    kept: list[int] = []
    for _, indices in sorted(kinds.items(), key=lambda item: str(item[0])):
        kept += rng.permutation(indices)[:limit].tolist()
    return [pictures[index] for index in sorted(kept)]
