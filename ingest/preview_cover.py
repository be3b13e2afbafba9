"""Where in a preview heads may be: judged on what moves, since no detector finds everybody.

A person moves, and the head is in the upper part of what moves. That part stays covered for ten seconds, and longer where
the picture has not become again what it was before: there somebody has stopped. What has not been looked at for long
enough to know is covered whole.
"""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from ingest.motion import GRID_PX, HOLD_NS, LEVELS, REDUCED_WIDTH, Motion
from storage.messages import NS_PER_S

Cells = NDArray[np.bool_]

UPPER: Final = 0.6
"""Share of the height of what moves that is covered, from its top."""

NEAR: Final = 0.75
"""What is cut off by the lower edge and fills so much of the picture's height may be a large head."""

MEMORY_NS: Final = 10 * NS_PER_S
"""Where a head may have been stays covered for so long."""

STOPPED_NS: Final = 120 * NS_PER_S
"""And for so long where the picture there is not what it was before."""

BEGINNING_NS: Final = 2 * NS_PER_S
"""Before that much was seen, everything is covered."""

LONGEST_GAP_NS: Final = 3 * NS_PER_S
"""After a longer pause it begins anew."""

UPROAR: Final = 0.7
"""Where that share of the picture moves at once, the light was switched, or the camera turned: what was before is no guide."""

LEARNING: Final = 0.1
"""Share of what is seen now in what is remembered of a place where nobody is."""


@dataclass(frozen=True, slots=True, eq=False)
class Covered:
    """Of one picture, as (rows, columns) grids over it.

    Attributes:
        levels: uint8: 0 clear, 1 to be covered, 2 to be covered coarsely, since somebody may be near.
        moving: have moved within the last second.
    """

    levels: NDArray[np.uint8]
    moving: Cells


class Cover:
    """Follows the pictures of one preview."""

    def __init__(self) -> None:
        """Begin without memory."""
        self._motion = Motion()
        self._began_ns = self._last_ns = 0
        self._head_ns = self._near_ns = np.empty((0, 0), np.int64)
        self._ground = np.empty((0, 0), np.float32)
        self._known = np.empty((0, 0), np.bool_)
        self._cells = np.empty((0, 0), np.bool_)

    def take(self, luma: NDArray[np.uint8], at_ns: int, people: Cells | None) -> Covered:
        """Take in the next picture.

        Args:
            luma: (height, width) uint8.
            at_ns: capture time.
            people: a grid over the picture: where somebody may have been before this preview began; None: everywhere.

        Returns:
            Where heads may be.
        """
        reduced = _reduced(luma)
        rows, columns = -(-reduced.shape[0] // GRID_PX), -(-reduced.shape[1] // GRID_PX)
        if self._ground.shape != reduced.shape or not 0 < at_ns - self._last_ns <= LONGEST_GAP_NS:
            self._begin(reduced, (rows, columns), at_ns)
        self._last_ns = at_ns
        _, moving = self._motion.judge(reduced, at_ns)
        age_ns = at_ns - self._began_ns
        # Of the first picture all counts as moving.
        if age_ns > HOLD_NS:
            found, near = heads(moving)
            self._head_ns[found], self._near_ns[near] = at_ns, at_ns
        if moving.mean() > UPROAR:
            self._known[:] = False
        changed = self._known & (_cell_means(np.abs(self._shift(reduced)), rows, columns) > LEVELS)
        # A face may be as bright as the wall behind it, but not all of who it belongs to.
        stopped = self._cells & _widened(changed, 2) & (self._head_ns > at_ns - STOPPED_NS)
        self._cells = (self._head_ns > at_ns - MEMORY_NS) | stopped
        unknown = np.zeros_like(moving)
        if age_ns < MEMORY_NS:
            unknown |= True if people is None else _fitted(people, rows, columns)
        self._learn(reduced, ~self._cells & ~unknown & ~moving)
        near = (self._near_ns > at_ns - MEMORY_NS) | (stopped & (self._near_ns > at_ns - STOPPED_NS))
        if age_ns < BEGINNING_NS:
            unknown = near = np.ones_like(moving)
        return Covered((self._cells | unknown).astype(np.uint8) * (1 + near.astype(np.uint8)), moving)

    def _begin(self, reduced: NDArray[np.uint8], grid: tuple[int, int], at_ns: int) -> None:
        self._motion, self._began_ns = Motion(), at_ns
        self._head_ns = np.full(grid, at_ns - 2 * STOPPED_NS, np.int64)
        self._near_ns = self._head_ns.copy()
        self._ground = reduced.astype(np.float32)
        self._known, self._cells = np.zeros(grid, np.bool_), np.zeros(grid, np.bool_)

    def _shift(self, reduced: NDArray[np.uint8]) -> NDArray[np.float32]:
        """By how much it is another picture; exposure, which moves all of it, does not count."""
        shift = reduced - self._ground
        evened: NDArray[np.float32] = (shift - np.median(shift[::4, ::4])).astype(np.float32)
        return evened

    def _learn(self, reduced: NDArray[np.uint8], empty: Cells) -> None:
        weight = (np.where(self._known, LEARNING, 1.0) * empty).astype(np.float32)
        height, width = reduced.shape
        whole = (weight.shape[1] * GRID_PX, weight.shape[0] * GRID_PX)
        weights = np.asarray(cv2.resize(weight, whole, interpolation=cv2.INTER_NEAREST), np.float32)[:height, :width]
        self._ground += weights * (reduced - self._ground)
        self._known |= empty


def heads(moving: Cells) -> tuple[Cells, Cells]:
    """Which cells may show the heads of those who move: the upper part of each region and of each column in it, and around it.

    What reaches the lower edge is cut off there, and its upper part may be more than it seems: all of it counts.

    Args:
        moving: (rows, columns).

    Returns:
        The same shape, and those of them where somebody may be so near that the head is large.
    """
    grid = moving.astype(np.uint8)
    # A cheek has little to see moving in it.
    closed = cv2.morphologyEx(
        cv2.copyMakeBorder(grid, 2, 2, 2, 2, cv2.BORDER_CONSTANT), cv2.MORPH_CLOSE, np.ones((5, 5))
    )
    grid = np.asarray(closed[2:-2, 2:-2], np.uint8)
    rows = grid.shape[0]
    above, below = np.zeros(grid.shape, np.int32), np.zeros(grid.shape, np.int32)
    for row in range(rows):
        above[row] = grid[row] * (1 + (above[row - 1] if row else 0))
        below[-1 - row] = grid[-1 - row] * (1 + (below[-row] if row else 0))
    found = (grid > 0) & (above <= np.ceil(UPPER * (above + below - 1)))
    near = np.zeros_like(found)
    number, labels, stats, _ = cv2.connectedComponentsWithStats(grid, connectivity=8)
    for label in range(1, number):
        top, height = int(stats[label, cv2.CC_STAT_TOP]), int(stats[label, cv2.CC_STAT_HEIGHT])
        cut = top + height >= rows
        of_it = np.asarray(labels) == label
        until = rows if cut else top + int(np.ceil(UPPER * height))
        found[:until] |= of_it[:until]
        if cut and height > NEAR * rows:
            near |= of_it
    return _widened(found), _widened(near)


def _widened(cells: Cells, by: int = 1) -> Cells:
    return cv2.dilate(cells.astype(np.uint8), np.ones((2 * by + 1, 2 * by + 1), np.uint8)).astype(np.bool_)


def _reduced(luma: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = luma.shape
    if width <= REDUCED_WIDTH:
        return luma
    size = (REDUCED_WIDTH, max(1, round(height * REDUCED_WIDTH / width)))
    return cv2.resize(luma, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def _cell_means(values: NDArray[np.float32], rows: int, columns: int) -> NDArray[np.float32]:
    height, width = values.shape
    border = (0, rows * GRID_PX - height, 0, columns * GRID_PX - width)
    padded = np.asarray(cv2.copyMakeBorder(values, *border, cv2.BORDER_REPLICATE), np.float32)
    means: NDArray[np.float32] = padded.reshape(rows, GRID_PX, columns, GRID_PX).mean(axis=(1, 3), dtype=np.float32)
    return means


def _fitted(cells: Cells, rows: int, columns: int) -> Cells:
    """A grid of another picture of the same view on this one's; what is touched counts."""
    if cells.shape == (rows, columns):
        return cells
    size = (columns, rows)
    fitted = cv2.resize(cells.astype(np.float32), size, interpolation=cv2.INTER_LINEAR)
    return np.asarray(fitted) > 0.0
