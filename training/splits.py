"""Which pictures are for training, validation and test, and folds: grouped, seeded and balanced.

Balanced after Sechidis et al., "On the stratification of multi-label data" (ECML 2011): the rarest kind of face is dealt
out first, each time to the side that still lacks most of it. A kind is a source and a class; what is dealt are groups.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from storage.errors import InputError, UsageError
from training.formats.listed import SPLITS, Picture, shown
from training.labels import LABELS, NO_FACE

NOBODY: Final = -1
"""Class of what a scene without annotated faces holds."""

LARGE_GROUP: Final = 0.02
"""Share of all faces from which on a group is dealt out before the others."""

_FREE: Final = -1


@dataclass(frozen=True, slots=True, eq=False)
class _Groups:
    """G groups of pictures.

    Attributes:
        members: of each group, places in the list of pictures.
        counts: (G, K) float64, faces of each kind.
        classes: (G, 4) bool, which classes each group holds.
    """

    members: list[list[int]]
    counts: NDArray[np.float64]
    classes: NDArray[np.bool_]


def assign(
    pictures: Sequence[Picture], *, seed: int, shares: tuple[float, float, float] = (0.8, 0.1, 0.1)
) -> list[str]:
    """The split of each picture; those that bring one keep it, and their groups with them.

    Every class with three groups or more gets one in validation and test, with two one in validation. Where the given
    splits have no validation at all, it is taken from their training pictures.

    Args:
        pictures: in any order; the same pictures and seed give the same splits.
        seed: of the chance.
        shares: of training, validation and test; they add up to 1.

    Raises:
        InputError: a class has one picture only, or a group lies on two of the given sides.
        UsageError: the shares don't add up to 1.
    """
    if min(shares) < 0.0 or abs(sum(shares) - 1.0) > 1e-6:
        raise UsageError(f"the shares of a split must add up to 1, not {sum(shares):g}")
    groups = _grouped(pictures)
    sides = np.array([_given(pictures, members) for members in groups.members], np.int64)
    allowed = np.array(shares)
    if len(sides) and (sides != _FREE).all() and (sides == 0).any() and not (sides == 1).any():
        sides[sides == 0] = _FREE
        allowed = np.array([shares[0], shares[1], 0.0]) / max(1e-9, shares[0] + shares[1])
    _check_classes(pictures, groups, sides)
    rng = np.random.default_rng(seed)
    counts = groups.counts * (sides == _FREE)[:, None]
    _place_rare(groups, sides, allowed, rng)
    _deal(counts, sides, allowed, rng)
    splits = [""] * len(pictures)
    for members, side in zip(groups.members, sides, strict=True):
        for place in members:
            splits[place] = SPLITS[side]
    return splits


def folds(pictures: Sequence[Picture], count: int, *, seed: int) -> NDArray[np.int64]:
    """The fold of each picture, (N,) int64 from 0; a group is never parted. Given splits do not matter.

    A picture that is set aside follows its group and has no say in where that goes.

    Args:
        pictures: in any order; the same pictures and seed give the same folds.
        count: how many folds, 2 or more.
        seed: of the chance.

    Raises:
        InputError: there are fewer groups than folds.
        UsageError: `count` is below 2.
    """
    if count < 2:
        raise UsageError(f"the number of folds must be 2 or more, not {count}")
    judged = np.array([not picture.set_aside for picture in pictures], np.bool_)
    groups = _grouped([picture for picture in pictures if not picture.set_aside])
    if len(groups.members) < count:
        raise InputError(f"{len(groups.members)} groups of pictures can't be parted into {count} folds: add pictures")
    sides = np.full(len(groups.members), _FREE)
    _deal(groups.counts, sides, np.full(count, 1.0 / count), np.random.default_rng(seed))
    dealt = np.empty(int(judged.sum()), np.int64)
    for members, side in zip(groups.members, sides, strict=True):
        dealt[members] = side
    result = np.empty(len(pictures), np.int64)
    result[judged] = dealt
    fold_of = {picture.group: fold for picture, fold in zip(pictures, result.tolist(), strict=True)
               if picture.group and not picture.set_aside}  # fmt: skip
    for place in np.flatnonzero(~judged).tolist():
        # No model of its fold may have seen a near-duplicate of it.
        picture = pictures[place]
        result[place] = fold_of.get(picture.group, sum(picture.path.name.encode()) % count)
    return result


def classes_of(picture: Picture) -> tuple[int, ...]:
    """The class of each labelled face of a picture, of a portrait its own; of one that is set aside none."""
    if picture.set_aside:
        return ()
    return picture.labels if picture.portrait is None else (picture.portrait,)


def _grouped(pictures: Sequence[Picture]) -> _Groups:
    """Groups in an order that does not depend on that of the pictures."""
    order = sorted(range(len(pictures)), key=lambda place: (pictures[place].source, str(pictures[place].path)))
    members: dict[str, list[int]] = defaultdict(list)
    for place in order:
        members[pictures[place].group or f"\0{pictures[place].path}"].append(place)
    kinds: dict[tuple[str, int], int] = {}
    rows: list[Counter[int]] = []
    classes = np.zeros((len(members), len(LABELS)), np.bool_)
    for group, places in enumerate(members.values()):
        row: Counter[int] = Counter()
        for place in places:
            found = classes_of(pictures[place])
            classes[group, list(found)] = True
            for label in found or (NOBODY,):
                row[kinds.setdefault((pictures[place].source, label), len(kinds))] += 1
        rows.append(row)
    counts = np.zeros((len(rows), len(kinds)))
    for group, row in enumerate(rows):
        counts[group, list(row)] = list(row.values())
    return _Groups(list(members.values()), counts, classes)


def _given(pictures: Sequence[Picture], members: list[int]) -> int:
    given = {pictures[place].split: place for place in members if pictures[place].split}
    if len(given) > 1:
        one, other = (shown(pictures[place].path) for place in list(given.values())[:2])
        raise InputError(f"{one} and {other} are near-duplicates in different splits: keep them on one side")
    return SPLITS.index(next(iter(given))) if given else _FREE


def _check_classes(pictures: Sequence[Picture], groups: _Groups, sides: NDArray[np.int64]) -> None:
    for label in range(NO_FACE):
        holders = np.flatnonzero(groups.classes[:, label])
        if len(holders) != 1 or sides[holders[0]] != _FREE:
            continue
        files = [shown(pictures[place].path) for place in groups.members[holders[0]]
                 if label in classes_of(pictures[place])]  # fmt: skip
        what = (
            f"has one picture only, {files[0]}"
            if len(files) == 1
            else f"has {len(files)} pictures that are all near-duplicates of each other, such as {files[0]} and {files[1]}"
        )
        raise InputError(
            f"the class {LABELS[label]} {what}: training and validation need different ones, so add some or leave "
            f"the class out"
        )


def _place_rare(
    groups: _Groups, sides: NDArray[np.int64], shares: NDArray[np.float64], rng: np.random.Generator
) -> None:
    """Give each class a group in validation and test, where it has enough of them; a small one, by chance."""
    sizes = groups.counts.sum(1)
    for label in np.argsort(groups.classes.sum(0), kind="stable"):
        holders = groups.classes[:, label]
        for side, least in ((1, 2), (2, 3)):
            free = np.flatnonzero(holders & (sides == _FREE))
            if shares[side] <= 0.0 or holders.sum() < least or not len(free) or (sides[holders] == side).any():
                continue
            # The last free group of a class is for training, unless it has another there.
            if len(free) == 1 and not (sides[holders] == 0).any():
                continue
            small = free[sizes[free] <= np.median(sizes[free])]
            sides[rng.choice(small)] = side


def _deal(
    counts: NDArray[np.float64], sides: NDArray[np.int64], shares: NDArray[np.float64], rng: np.random.Generator
) -> None:
    """Place all free groups, in place: the rarest kind first, large groups first, where it is lacking most.

    Groups that were placed before count by their row of `counts`; one of zeros has no say.
    """
    own = np.flatnonzero(counts[sides == _FREE].any(0))
    chance = rng.permutation(len(counts))
    lacking = np.outer(shares, counts.sum(0))
    np.subtract.at(lacking, sides[sides != _FREE], counts[sides != _FREE])
    sizes = counts.sum(1)
    # Large groups go first, while there is room. All others by chance: crowds alone would fill the largest side.
    sizes[sizes < LARGE_GROUP * sizes.sum()] = 0.0
    for kind in own[np.argsort(counts[:, own].sum(0), kind="stable")]:
        free = np.flatnonzero((sides == _FREE) & (counts[:, kind] > 0))
        for group in free[np.lexsort((chance[free], -sizes[free]))]:
            total = lacking[:, own].sum(1)
            best = np.lexsort((rng.permutation(len(shares)), -total, -np.round(lacking[:, kind], 9)))
            side = next(int(place) for place in best if shares[place] > 0.0)
            sides[group] = side
            lacking[side] -= counts[group]
