"""What is looked at before a training: every picture is opened once, and what is wrong with the data is said."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from classify.crops import IMAGE_SIZE
from classify.quality import MIN_FACE_PX
from storage.errors import InputError
from training.data_report import (
    NORMALISATION,
    Boxes,
    DataReport,
    Dimensions,
    Duplicates,
    Range,
    Unreadable,
    counted,
    resizing,
)
from training.formats.listed import Box, Picture, shown
from training.formats.opening import UnreadableError, open_grey
from training.hashing import Look, clusters, distance, look
from training.progress import Progress, silent

__all__ = ["DataReport", "check", "fitted"]

SMALLEST_BOX_PX: Final = 1.0


def check(
    pictures: Sequence[Picture], *, image_size: int = IMAGE_SIZE, progress: Progress = silent
) -> tuple[list[Picture], DataReport]:
    """Open every picture once, group near-duplicates and report.

    Args:
        pictures: as listed; some or all may bring a split.
        image_size: side of the model's input in pixels, for the report.
        progress: told after every picture.

    Returns:
        The pictures that can be read, ordered by source and path, with `group` and `size` and with boxes that lie
        inside; at the end those that are set aside, in the groups of their near-duplicates; and the report, which
        leaves them out.

    Raises:
        InputError: not one can be read, or near-duplicates lie in different given splits.
    """
    # What is set aside must not change how the others are grouped.
    ordered = sorted(pictures, key=lambda picture: (picture.set_aside, picture.source, str(picture.path)))
    readable: list[Picture] = []
    looks: list[Look] = []
    unreadable: list[Unreadable] = []
    found: Counter[str] = Counter()
    other_size: list[str] = []
    for done, picture in enumerate(ordered, 1):
        try:
            size, grey = open_grey(picture.path)
        except UnreadableError as error:
            unreadable.append(Unreadable(shown(picture.path), str(error)))
        else:
            if picture.size not in {None, size}:
                other_size.append(shown(picture.path))
            readable.append(fitted(replace(picture, size=size), found))
            looks.append(look(grey))
        progress("checking pictures", done, len(ordered), f"{len(unreadable)} unreadable" if unreadable else "")
    if not readable:
        raise InputError(
            f"none of {len(ordered)} pictures can be read"
            + (f"; {unreadable[0].file}: {unreadable[0].reason}" if unreadable else "")
        )
    judged = sum(not picture.set_aside for picture in readable)
    grouped, duplicates = _grouped(readable[:judged], looks[:judged])
    notes = []
    if other_size:
        notes.append(
            f"{len(other_size)} pictures have other dimensions than their annotations say, such as {other_size[0]}: "
            f"their boxes may sit wrong"
        )
    boxes = Boxes(0, Range(), found["clipped"], found["outside"], found["without_size"], MIN_FACE_PX, {})
    empty = DataReport(0, {}, {}, (), Dimensions(Range(), Range(), {}), resizing(image_size), {}, NORMALISATION, {},
                       tuple(unreadable), duplicates, boxes, tuple(notes))  # fmt: skip
    return [*grouped, *_joining(grouped, readable[judged:], looks)], counted(empty, grouped)


def fitted(picture: Picture, found: Counter[str] | None = None) -> Picture:
    """The picture with its boxes cut to its size, where that is known; those that nothing is left of are gone.

    Args:
        picture: with boxes as annotated.
        found: counts `clipped`, `outside` and `without_size`.
    """
    if picture.portrait is not None:
        return picture
    found = Counter() if found is None else found
    kept: list[tuple[Box, int, int]] = []
    for box, label, given in zip(picture.boxes, picture.labels, picture.given or picture.labels, strict=True):
        x, y, width, height = box
        if min(width, height) < SMALLEST_BOX_PX:
            found["without_size"] += 1
            continue
        if picture.size is not None:
            left, top = max(0.0, x), max(0.0, y)
            right, bottom = min(float(picture.size[0]), x + width), min(float(picture.size[1]), y + height)
            if min(right - left, bottom - top) < SMALLEST_BOX_PX:
                found["outside"] += 1
                continue
            if (left, top) != (x, y) or right < x + width or bottom < y + height:
                # A rounding error of the annotation tool is no finding.
                found["clipped"] += max(left - x, top - y, x + width - right, y + height - bottom) > 1.0
                box = (left, top, right - left, bottom - top)  # noqa: PLW2901 - the same box, cut
        kept.append((box, label, given))
    return replace(
        picture,
        boxes=tuple(box for box, _, _ in kept),
        labels=tuple(label for _, label, _ in kept),
        given=tuple(given for _, _, given in kept) if picture.given else (),
    )


def _joining(grouped: list[Picture], aside: list[Picture], looks: list[Look]) -> list[Picture]:
    """The pictures that are set aside, each in the group of a near-duplicate, if it has one.

    Args:
        grouped: the others.
        aside: those.
        looks: of the others, then of those.
    """
    if not aside:
        return []
    together = clusters(looks).tolist()
    by_cluster = {cluster: picture.group for cluster, picture in zip(together, grouped, strict=False)}
    return [
        replace(picture, group=by_cluster.get(cluster, f"aside:{number:06}"))
        for number, (picture, cluster) in enumerate(zip(aside, together[len(grouped) :], strict=True))
    ]


def _grouped(pictures: list[Picture], looks: list[Look]) -> tuple[list[Picture], Duplicates]:
    given: dict[str, int] = {}
    together = [
        (given.setdefault(picture.group, place), place) for place, picture in enumerate(pictures) if picture.group
    ]
    groups = clusters(looks, together)
    members: dict[int, list[int]] = defaultdict(list)
    for place, group in enumerate(groups.tolist()):
        members[group].append(place)
    _refuse_leaks(pictures, looks, list(members.values()))
    pairs = []
    for places in members.values():
        by_label = {pictures[place].portrait: place for place in reversed(places)}
        by_label.pop(None, None)
        if len(by_label) > 1 and not any(pictures[place].group for place in places):
            one, other = sorted(by_label.values())[:2]
            pairs.append((shown(pictures[one].path), shown(pictures[other].path)))
    several = [len(places) for places in members.values() if len(places) > 1]
    duplicates = Duplicates(len(several), sum(several), max(several, default=1), 0, tuple(pairs))
    named = [replace(picture, group=f"{pictures[first].source}:{first:06}")
             for picture, first in zip(pictures, groups.tolist(), strict=True)]  # fmt: skip
    return named, duplicates


def _refuse_leaks(pictures: list[Picture], looks: list[Look], members: list[list[int]]) -> None:
    given = [[place for place in places if pictures[place].split] for places in members]
    leaking = [places for places in given if len({pictures[place].split for place in places}) > 1]
    if not leaking:
        return
    pairs = ((a, b) for a in leaking[0] for b in leaking[0] if pictures[a].split != pictures[b].split)
    one, other = min(pairs, key=lambda pair: distance(looks[pair[0]], looks[pair[1]]))
    raise InputError(
        f"the given split leaks: {len(leaking)} groups of near-duplicates ({sum(map(len, leaking))} pictures) lie in more "
        f"than one of its parts, such as {shown(pictures[one].path)} ({pictures[one].split}) and "
        f"{shown(pictures[other].path)} ({pictures[other].split}): move them to one side, or give the pictures without "
        f"a split and one is made"
    )
