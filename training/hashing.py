"""Near-duplicates: a 64-bit difference hash of each picture, mirror included, confirmed on a small copy of it.

The hash is dHash: whether each of 8 x 8 neighbouring pairs grows brighter from left to right in a 9 x 8 copy. Two
pictures are near-duplicates when their hashes, or one's and the mirrored other's, differ in at most 6 bits *and*
16 x 16 copies of them correlate. The second half matters for faces: portraits that are cut alike share most of their
64 bits, chains of such look-alikes would glue a whole set together, and pictures of different people would count as
leaks. Of 5,707 portraits and scenes some were looked at by their correlation: look-alikes end a little below the limit
chosen here, copies that were scaled, recoloured or cropped a little lie above it.

Plain pictures (a wall, a drawn surface) have no hash to speak of, only noise: they are grouped only with exact copies.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

MAX_DISTANCE: Final = 6
MIN_CORRELATION: Final = 0.88
PLAIN_STD: Final = 2.0
"""Small copies whose grey values (0-255) vary less are plain."""

_SIDE: Final = 16
_BLOCK: Final = 4_000_000
"""Pairs of hashes compared at a time: some 70 MB."""
_PAIRS: Final = 8192
"""Pairs of small copies compared at a time: some 30 MB."""

_BITS: Final = np.uint64(1) << np.arange(64, dtype=np.uint64)


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """What is kept of a picture: its hash, that of its mirror image, and a (16, 16) uint8 grey copy."""

    code: int
    mirrored: int
    small: NDArray[np.uint8]


def look(grey: NDArray[np.uint8]) -> Look:
    """Hash a picture, (height, width) uint8."""
    tiny = cv2.resize(grey, (9, 8), interpolation=cv2.INTER_AREA).astype(np.int16)
    small = cv2.resize(grey, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA).astype(np.uint8)
    return Look(_code(tiny), _code(tiny[:, ::-1]), small)


def distance(one: Look, other: Look) -> int:
    """In how many of 64 bits two pictures differ, the second as it is or mirrored."""
    return min((one.code ^ other.code).bit_count(), (one.code ^ other.mirrored).bit_count())


def clusters(looks: list[Look], together: Iterable[tuple[int, int]] = ()) -> NDArray[np.int64]:
    """Number the groups of near-duplicates.

    Near-duplicates of near-duplicates are in the same group. Memory is bounded whatever the number of pictures.

    Args:
        looks: N pictures.
        together: pairs that are one group whatever they look like.

    Returns:
        (N,) int64: the place of the first picture of each one's group.
    """
    if not looks:
        return np.empty(0, np.int64)
    codes = np.array([each.code for each in looks], np.uint64)
    mirrored = np.array([each.mirrored for each in looks], np.uint64)
    small = np.stack([each.small for each in looks]).reshape(len(looks), -1)
    plain = small.std(1) < PLAIN_STD
    copies: dict[bytes, int] = {}
    pairs = [(copies.setdefault(small[place].tobytes(), int(place)), int(place)) for place in np.flatnonzero(plain)]
    groups = _joined(np.arange(len(looks)), np.array([*pairs, *together], np.int64).reshape(-1, 2))
    centred = _centred(small)
    rows = max(1, _BLOCK // len(looks))
    for start in range(0, len(looks), rows):
        block = slice(start, start + rows)
        near = np.bitwise_count(codes[block, None] ^ codes[None, start:]) <= MAX_DISTANCE
        near |= np.bitwise_count(codes[block, None] ^ mirrored[None, start:]) <= MAX_DISTANCE
        near &= ~plain[block, None] & ~plain[None, start:]
        found = np.argwhere(near) + start
        found = found[found[:, 0] < found[:, 1]]
        for first in range(0, len(found), _PAIRS):
            some = found[first : first + _PAIRS]
            # What is in one group by now, as most of footage soon is, needs no second look.
            some = some[groups[some[:, 0]] != groups[some[:, 1]]]
            groups = _joined(groups, some[_alike(centred[some[:, 0]], centred[some[:, 1]])])
    return groups


def _joined(groups: NDArray[np.int64], pairs: NDArray[np.int64]) -> NDArray[np.int64]:
    """The groups after each pair was put into one; each is called by its first member."""
    if not len(pairs):
        return groups
    count = len(groups)
    ends = np.concatenate([pairs, np.stack([np.arange(count), groups], 1)])
    graph = coo_array((np.ones(len(ends), np.int8), (ends[:, 0], ends[:, 1])), shape=(count, count))
    numbers = connected_components(graph, directed=False)[1]
    _, first, place = np.unique(numbers, return_index=True, return_inverse=True)
    return np.asarray(first[place], np.int64)


def _alike(one: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Whether (N, side * side) centred copies correlate, as they are or mirrored."""
    flipped = other.reshape(-1, _SIDE, _SIDE)[:, :, ::-1].reshape(other.shape)
    best = np.maximum(np.einsum("ij,ij->i", one, other), np.einsum("ij,ij->i", one, flipped))
    return np.asarray(best >= MIN_CORRELATION, np.bool_)


def _centred(small: NDArray[np.uint8]) -> NDArray[np.float32]:
    values = small.astype(np.float32)
    values -= values.mean(1, keepdims=True)
    values /= np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-6)
    return values


def _code(tiny: NDArray[np.int16]) -> int:
    brighter = (tiny[:, 1:] > tiny[:, :-1]).reshape(-1)
    return int(_BITS[brighter].sum(dtype=np.uint64))
