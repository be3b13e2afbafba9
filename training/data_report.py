"""What is said about the data of a training: counts, dimensions, and what is wrong with them."""

import statistics
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from classify.crops import IMAGE_SIZE, MARGIN
from training.formats.listed import SPLITS, Picture
from training.labels import LABELS, NO_FACE
from training.splits import classes_of

FEW_FACES: Final = 50
"""Fewer of a class, and its figures are mostly chance."""

NORMALISATION: Final = (
    "pixels go in as they are, RGB from 0 to 255; the model's first layer scales them to -1 to 1 (x / 127.5 - 1)"
)


@dataclass(frozen=True, slots=True)
class Part:
    """One split of one source: pictures, those of them that are scenes, and labelled faces by class."""

    source: str
    split: str
    pictures: int
    scenes: int
    faces: dict[str, int]


@dataclass(frozen=True, slots=True)
class Range:
    """Minimum, median and maximum, in pixels; zeros where there is nothing."""

    min: float = 0.0
    median: float = 0.0
    max: float = 0.0


@dataclass(frozen=True, slots=True)
class Dimensions:
    """Widths and heights of the pictures, and how many have each (`640x480`), the most common first."""

    width: Range
    height: Range
    distinct: dict[str, int]


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A file that could not be used, and why."""

    file: str
    reason: str


@dataclass(frozen=True, slots=True)
class Duplicates:
    """Near-duplicates.

    Attributes:
        groups: with two pictures or more.
        pictures: in those groups.
        largest: pictures in the largest of them.
        across_splits: groups that lie on two sides: always 0, since a split that leaks is refused.
        contradictions: pairs of near-duplicate portraits with different labels.
    """

    groups: int
    pictures: int
    largest: int
    across_splits: int = 0
    contradictions: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Boxes:
    """Annotated boxes.

    Attributes:
        count: that are used.
        width: of those, in pixels.
        clipped: partly outside their picture, of which the part inside is used.
        outside: wholly outside, left out.
        without_size: narrower or lower than a pixel, left out.
        min_face_px: what counts as small.
        small: faces narrower than that, by class.
    """

    count: int
    width: Range
    clipped: int
    outside: int
    without_size: int
    min_face_px: float
    small: dict[str, int]


@dataclass(frozen=True, slots=True)
class DataReport:
    """What went into a training, for its report.

    Attributes:
        pictures: that can be used.
        faces: labelled faces by class; a portrait is one.
        balance: share of each class in them.
        parts: the same by source and split.
        dimensions: of the pictures.
        resizing: what becomes of them.
        label_numbers: the outputs, by class, that a network trained on them has: the classes that the pictures show, then
            `not_a_face`, where it is among them or scenes are, in which the detector makes false alarms.
        normalisation: what becomes of pixel values.
        weights: of the sources, where they differ from 1.
        unreadable: files that were left out.
        duplicates: near-duplicates.
        boxes: annotated boxes.
        notes: sentences about what was met while reading and opening.
        warnings: those, and what the counts say, in sentences for a person.
    """

    pictures: int
    faces: dict[str, int]
    balance: dict[str, float]
    parts: tuple[Part, ...]
    dimensions: Dimensions
    resizing: str
    label_numbers: dict[str, int]
    normalisation: str
    weights: dict[str, float]
    unreadable: tuple[Unreadable, ...]
    duplicates: Duplicates
    boxes: Boxes
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def counted(report: DataReport, pictures: Sequence[Picture], notes: Sequence[str] = ()) -> DataReport:
    """The report with the counts of `pictures`, once their splits are known; `notes` join its own."""
    faces = Counter(LABELS[label] for picture in pictures for label in classes_of(picture))
    total = max(1, sum(faces.values()))
    sizes = [picture.size for picture in pictures if picture.size is not None]
    distinct = Counter(f"{width}x{height}" for width, height in sorted(sizes))
    small = Counter(
        LABELS[label] for picture in pictures for width, label in _widths(picture) if width < report.boxes.min_face_px
    )
    widths = [box[2] for picture in pictures for box in picture.boxes]
    boxes = replace(report.boxes, count=len(widths), width=_range(widths), small=_by_class(small))
    result = replace(
        report,
        pictures=len(pictures),
        faces=_by_class(faces),
        balance={name: round(count / total, 4) for name, count in _by_class(faces).items()},
        parts=_parts(pictures),
        dimensions=Dimensions(_range([width for width, _ in sizes]), _range([height for _, height in sizes]),
                              dict(distinct.most_common())),
        label_numbers=_outputs(pictures, faces),
        boxes=boxes,
    )  # fmt: skip
    sides: dict[str, set[str]] = defaultdict(set)
    for picture in pictures:
        sides[picture.group].add(picture.split)
    across = sum(len(splits) > 1 for group, splits in sides.items() if group)
    result = replace(result, duplicates=replace(report.duplicates, across_splits=across))
    all_notes = (*report.notes, *notes)
    return replace(result, notes=all_notes, warnings=(*all_notes, *_warnings(result)))


def _outputs(pictures: Sequence[Picture], faces: Counter[str]) -> dict[str, int]:
    mined = any(picture.portrait is None and picture.complete for picture in pictures)
    names = [name for number, name in enumerate(LABELS) if faces[name] or (number == NO_FACE and mined)]
    return {name: number for number, name in enumerate(names)}


def resizing(image_size: int = IMAGE_SIZE) -> str:
    """What becomes of pictures of all dimensions, in a sentence."""
    return (
        f"each face is cut as a square of {1.0 + 2.0 * MARGIN:g} times the longer side of its box and scaled to "
        f"{image_size}x{image_size} pixels, by area averaging when it shrinks and linearly when it grows; pictures "
        f"are never stretched"
    )


def _warnings(report: DataReport) -> list[str]:
    lines = []
    if report.unreadable:
        first = report.unreadable[0]
        lines.append(f"{len(report.unreadable)} files can't be used, such as {first.file} ({first.reason})")
    lines += _class_warnings(report)
    boxes = report.boxes
    counts = (
        (
            sum(boxes.small.values()),
            f"faces are narrower than {boxes.min_face_px:g} pixels: the running system abstains",
        ),
        (boxes.clipped, "boxes lie partly outside their picture: they were cut"),
        (boxes.outside, "boxes lie wholly outside their picture: they were left out"),
        (boxes.without_size, "boxes have no size: they were left out"),
    )
    lines += [f"{count} {what}" for count, what in counts if count]
    if pairs := report.duplicates.contradictions:
        lines.append(f"{len(pairs)} near-duplicates have different labels, such as {pairs[0][0]} and {pairs[0][1]}")
    return lines


def _class_warnings(report: DataReport) -> list[str]:
    lines = []
    there = {part.split for part in report.parts}
    for label in range(NO_FACE):
        name, count = LABELS[label], report.faces.get(LABELS[label], 0)
        if count == 0:
            lines.append(f"no picture shows {name}: the model can't learn it")
            continue
        if count < FEW_FACES:
            lines.append(f"only {count} faces of class {name}: figures for it mean little")
        held = {part.split for part in report.parts if part.faces.get(name)}
        lines += [f"no face of class {name} is in {split}" for split in SPLITS if split in there - held]
    return lines


def _parts(pictures: Sequence[Picture]) -> tuple[Part, ...]:
    grouped: dict[tuple[str, str], list[Picture]] = defaultdict(list)
    for picture in pictures:
        grouped[picture.source, picture.split].append(picture)
    order = {split: place for place, split in enumerate(SPLITS)}
    return tuple(
        Part(source, split, len(members), sum(picture.portrait is None for picture in members),
             _by_class(Counter(LABELS[label] for picture in members for label in classes_of(picture))))
        for (source, split), members in sorted(grouped.items(), key=lambda item: (item[0][0], order.get(item[0][1], 3)))
    )  # fmt: skip


def _widths(picture: Picture) -> list[tuple[float, int]]:
    """Width and class of each face; a portrait is at most as wide as its picture."""
    if picture.portrait is None:
        return [(box[2], label) for box, label in zip(picture.boxes, picture.labels, strict=True)]
    return [] if picture.size is None else [(float(min(picture.size)), picture.portrait)]


def _by_class(counts: Counter[str]) -> dict[str, int]:
    return {name: counts[name] for name in LABELS if counts[name]}


def _range(values: Sequence[float]) -> Range:
    if not values:
        return Range()
    return Range(round(min(values), 1), round(statistics.median(values), 1), round(max(values), 1))
