"""Labelled pictures from DATA folders of any layout, checked, grouped and split.

A DATA folder is what people have: a data pack, a folder per class, COCO, Pascal VOC, YOLO text files, CSV, or an
export of our own reviews. `training.formats` reads them; here they come together.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from classify.crops import IMAGE_SIZE
from storage.errors import InputError, UsageError
from training.checks import check, fitted
from training.data_report import DataReport, counted
from training.formats import classes, coco, pack, reviews, table, voc, yolo
from training.formats.listed import SPLITS, SUFFIXES, Box, Listing, Picture, shown
from training.labels import LABELS, WITH_MASK, WITHOUT_MASK
from training.progress import Progress, silent
from training.splits import assign, classes_of

__all__ = ["SPLITS", "SUFFIXES", "Box", "Picture", "check_folders", "prepare", "read_data"]

_Layout = tuple[Callable[[Path], bool], Callable[[Path, str], Listing]]

# Lists say more than folders do, hence folders come last.
_LAYOUTS: Final[tuple[_Layout, ...]] = tuple(
    (layout.applies, layout.read) for layout in (pack, reviews, coco, voc, yolo, table, classes)
)

_WRAPPERS: Final = 3
"""An unpacked archive often is a folder in a folder; so deep is looked."""

_SPARE: Final = 10
"""How many times `limit` is kept until the split is known: the smaller sides get a tenth."""


def read_data(
    folders: Sequence[Path],
    *,
    seed: int = 0,
    limit: int | None = None,
    sources: Sequence[str] | None = None,
    shares: Mapping[str, float] | None = None,
) -> list[Picture]:
    """The labelled pictures of several DATA folders, with their splits.

    Where all of them bring a split, nothing is opened but lists. Otherwise this is `prepare` without its report, so
    that the same folders and seed always mean the same split. Pictures that are set aside are not among them.

    Args, errors: see `prepare`.
    """
    listed, _ = _listed(folders, sources, shares)
    pictures = [picture for picture in listed if not picture.set_aside]
    splits = {picture.split for picture in pictures}
    if "" in splits or ("train" in splits and "val" not in splits):
        whole, _ = prepare(folders, seed=seed, limit=limit, sources=sources, shares=shares)
        return [picture for picture in whole if not picture.set_aside]
    pictures = [fitted(picture) for picture in pictures]
    if limit is not None:
        pictures = _limited(pictures, limit, seed)
    _check_classes(pictures, folders)
    return pictures


def prepare(  # noqa: PLR0913 - what there is to choose, by name
    folders: Sequence[Path],
    *,
    seed: int = 0,
    limit: int | None = None,
    sources: Sequence[str] | None = None,
    shares: Mapping[str, float] | None = None,
    image_size: int = IMAGE_SIZE,
    divide: Callable[[Sequence[Picture]], list[str]] | None = None,
    progress: Progress = silent,
) -> tuple[list[Picture], DataReport]:
    """Read several DATA folders, open every picture once, group near-duplicates, and split what brings no split.

    Args:
        folders: each of its own layout.
        seed: of the split of folders that bring none.
        limit: at most this many pictures per split, source and class (a scene counts for the rarest class in it),
            chosen by the seed, for a quick first run.
        sources: only these; by default all. A pack has several, any other folder one of its own name.
        shares: how often pictures of a source are drawn in training, relative to 1.
        image_size: side of the model's input in pixels, for the report.
        divide: gives the checked pictures their splits; by default `training.splits.assign` with the seed.
        progress: told after every picture.

    Returns:
        The usable pictures, each with split, group and size, at the end those that are set aside (none with `limit`);
        and what there is to say about the data.

    Raises:
        InputError: a folder is missing, empty, damaged or of no known layout; a class is missing or has one picture
            only; no source has a given name; near-duplicates lie in different given splits.
        UsageError: a share is not above 0.
    """
    pictures, notes = _listed(folders, sources, shares)
    if limit is not None:
        # What has no split yet keeps enough for the smallest side.
        pictures = [picture for picture in pictures if not picture.set_aside]
        given = _limited([picture for picture in pictures if picture.split], limit, seed)
        pictures = given + _limited([picture for picture in pictures if not picture.split], limit * _SPARE, seed)
    pictures, report = check(pictures, image_size=image_size, progress=progress)
    _check_classes(pictures, folders)
    aside = [picture for picture in pictures if picture.set_aside]
    pictures = [picture for picture in pictures if not picture.set_aside]
    splits = assign(pictures, seed=seed) if divide is None else divide(pictures)
    if divide is None and any(
        picture.split not in {"", split} for picture, split in zip(pictures, splits, strict=True)
    ):
        notes.append("the given splits have no validation part: a ninth of the training pictures became one")
    pictures = [replace(picture, split=split) for picture, split in zip(pictures, splits, strict=True)]
    if limit is not None:
        pictures = _limited(pictures, limit, seed)
    report = counted(report, pictures, notes)
    return [*pictures, *aside], replace(
        report, weights={name: share for name, share in (shares or {}).items() if share != 1.0}
    )


def _listed(
    folders: Sequence[Path], sources: Sequence[str] | None, shares: Mapping[str, float] | None
) -> tuple[list[Picture], list[str]]:
    """The pictures of all folders as they are listed, of the wanted sources; and notes."""
    pictures: list[Picture] = []
    notes: list[str] = []
    for folder, source in zip(folders, _names(folders), strict=True):
        try:
            listing = _read(folder, source)
        except OSError as error:
            raise InputError(f"{shown(folder)} can't be read ({error}): check its permissions") from error
        pictures += listing.pictures
        notes += listing.notes
    known = sorted({picture.source for picture in pictures})
    for name in (*(sources or ()), *(shares or ())):
        if name not in known:
            raise InputError(f"no source is called {name!r}: there are {', '.join(known)}")
    for name, share in (shares or {}).items():
        if not (math.isfinite(share) and share > 0.0):
            raise UsageError(f"the weight of {name} must be above 0, not {share:g}: leave a source out by --sources")
    if sources is not None:
        pictures = [picture for picture in pictures if picture.source in sources]
    _check_classes(pictures, folders)
    return pictures, notes


def _read(folder: Path, source: str) -> Listing:
    """One DATA folder, or the only folder in it.

    Raises:
        InputError: it is of no known layout, lists a picture twice, or has none of what it lists.
    """
    inner = folder
    for _ in range(_WRAPPERS):
        for applies, read in _LAYOUTS:
            if applies(inner):
                return _sound(read(inner, source), folder)
        children = [child for child in inner.iterdir() if not child.name.startswith(".") and child.name != "__MACOSX"]
        if len(children) != 1 or not children[0].is_dir():
            break
        inner = children[0]
    raise InputError(
        f"{shown(folder)} is neither a data pack (no split.json) nor COCO, VOC, YOLO, CSV or a review export, nor has "
        f"it a subfolder named for a class: name them {', '.join(LABELS[:3])}"
    )


def _sound(listing: Listing, folder: Path) -> Listing:
    for path, count in Counter(picture.path for picture in listing.pictures).items():
        if count > 1:
            raise InputError(f"{shown(folder)} lists {shown(path)} {count} times: keep one entry")
    if listing.pictures and not any(picture.path.is_file() for picture in listing.pictures):
        first = shown(listing.pictures[0].path)
        raise InputError(
            f"none of the {len(listing.pictures)} pictures that {shown(folder)} lists is there, such as {first}: put "
            f"them beside the list"
        )
    return listing


def _names(folders: Sequence[Path]) -> list[str]:
    """What the folders are called as sources: their own names, with their parents' where two have the same.

    Raises:
        InputError: a folder is missing or given twice.
    """
    check_folders(folders)
    real_folders = [folder.resolve() for folder in folders]
    same = Counter(folder.name for folder in real_folders)
    return [
        shown(folder.name if same[folder.name] == 1 else f"{folder.parent.name}/{folder.name}") or "data"
        for folder in real_folders
    ]


def check_folders(folders: Sequence[Path]) -> None:
    """Make sure that the folders are there.

    Raises:
        InputError: a folder is missing or given twice.
    """
    seen: set[Path] = set()
    for folder in folders:
        if not folder.is_dir():
            raise InputError(
                f"there is no folder {shown(folder)}: give a data pack or a folder with one subfolder per class"
            )
        if (real := folder.resolve()) in seen:
            raise InputError(f"the folder {shown(folder)} is given twice: give it once")
        seen.add(real)


def _check_classes(pictures: Sequence[Picture], folders: Sequence[Path]) -> None:
    labels = {label for picture in pictures for label in classes_of(picture)}
    if missing := [LABELS[label] for label in (WITH_MASK, WITHOUT_MASK) if label not in labels]:
        raise InputError(
            f"no picture of class {' nor '.join(missing)} in {', '.join(map(shown, folders))}: "
            f"add a subfolder with that name"
        )


def _limited(pictures: list[Picture], limit: int, seed: int) -> list[Picture]:
    """At most `limit` of each split, source and class, in the order given."""
    total = Counter(label for picture in pictures for label in classes_of(picture))
    kinds: dict[tuple[str, str, bool, int], list[int]] = defaultdict(list)
    order = sorted(range(len(pictures)), key=lambda place: (pictures[place].source, str(pictures[place].path)))
    for place in order:
        picture = pictures[place]
        rarest = min(classes_of(picture), key=lambda label: (total[label], label), default=len(LABELS))
        kinds[picture.source, picture.split, picture.portrait is None, rarest].append(place)
    rng = np.random.default_rng(seed)
    kept: list[int] = []
    for _, places in sorted(kinds.items()):
        kept += rng.permutation(places)[:limit].tolist()
    return [pictures[place] for place in sorted(kept)]
