"""Where in a preview heads may be: judged on what moves, and on what is not there when nobody is, since no detector finds all.

A person moves, or stands before what the place looks like without them, and the head is in the upper part of that. What
a place looks like when nobody is there has to be known first: until then it is covered whole.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from ingest.motion import GRID_PX, REDUCED_WIDTH, Motion
from ingest.preview_cells import Cells, filled, widened
from ingest.preview_ground import Ground
from ingest.preview_people import Rect
from storage.messages import NS_PER_S

UPPER: Final = 0.6
"""Share of the height of what moves, or was not there, that is covered, from its top."""

NEAR: Final = 0.75
"""What is cut off by the lower edge and fills so much of the picture's height may be a large head."""

MEMORY_NS: Final = 4 * NS_PER_S // 10
"""Where a head may have been stays covered for so long: looks that flicker show nobody."""

LONGEST_GAP_NS: Final = 3 * NS_PER_S
"""After a longer pause what moved before it is forgotten."""


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

    def __init__(self, ground: Ground) -> None:
        """Begin without memory of what moved.

        Args:
            ground: what is known of the camera's view; it learns from the pictures.
        """
        self._ground = ground
        self._motion = Motion()
        self._last_ns = 0
        self._head_ns = self._near_ns = np.empty((0, 0), np.int64)

    def take(self, rgb: NDArray[np.uint8], at_ns: int, calm: Cells | None = None) -> Covered:
        """Take in the next picture.

        Args:
            rgb: (height, width, 3) uint8.
            at_ns: capture time.
            calm: a grid over the picture: where nobody was within ten minutes; None: that is not known.

        Returns:
            Where heads may be.
        """
        luma = _reduced(rgb)
        grid = (-(-luma.shape[0] // GRID_PX), -(-luma.shape[1] // GRID_PX))
        if self._head_ns.shape != grid or not 0 < at_ns - self._last_ns <= LONGEST_GAP_NS:
            self._motion = Motion()
            self._head_ns = np.full(grid, at_ns - 2 * MEMORY_NS, np.int64)
            self._near_ns = self._head_ns.copy()
        self._last_ns = at_ns
        _, moving = self._motion.judge(luma, at_ns)
        seen = self._ground.take(rgb, at_ns, moving, calm)
        found, near = heads(seen.other, ~seen.known)
        self._head_ns[found], self._near_ns[near] = at_ns, at_ns
        covered = (self._head_ns > at_ns - MEMORY_NS) | ~seen.known
        near = (self._near_ns > at_ns - MEMORY_NS) | ~seen.known
        return Covered(covered.astype(np.uint8) * (1 + near.astype(np.uint8)), moving)

    def faces(self, rects: Iterable[Rect], at_ns: int) -> None:
        """Faces were found there, as shares of the picture, in one that was taken in about now."""
        self._ground.faces(rects, at_ns)


def heads(moving: Cells, unknown: Cells | None = None) -> tuple[Cells, Cells]:
    """Which cells may show the heads of those who move, or were not there: the upper part of each region and of each column in it, and around it.

    What reaches the lower edge is cut off there, and its upper part may be more than it seems: all of it counts.

    Args:
        moving: (rows, columns); or what was not there.
        unknown: the same shape: where nothing can be said; a region that touches these cells may go on there.

    Returns:
        The same shape, and those of them where somebody may be so near that the head is large.
    """
    grid = moving.astype(np.uint8)
    # A cheek has little to be seen in it.
    closed = cv2.morphologyEx(
        cv2.copyMakeBorder(grid, 2, 2, 2, 2, cv2.BORDER_CONSTANT), cv2.MORPH_CLOSE, np.ones((5, 5))
    )
    grid = filled(np.asarray(closed[2:-2, 2:-2]) > 0).astype(np.uint8)
    rows = grid.shape[0]
    above, below = np.zeros(grid.shape, np.int32), np.zeros(grid.shape, np.int32)
    for row in range(rows):
        above[row] = grid[row] * (1 + (above[row - 1] if row else 0))
        below[-1 - row] = grid[-1 - row] * (1 + (below[-row] if row else 0))
    found = (grid > 0) & (above <= np.ceil(UPPER * (above + below - 1)))
    near = np.zeros_like(found)
    edge = None if unknown is None else widened(unknown) & ~unknown
    number, labels, stats, _ = cv2.connectedComponentsWithStats(grid, connectivity=8)
    for label in range(1, number):
        top, height = int(stats[label, cv2.CC_STAT_TOP]), int(stats[label, cv2.CC_STAT_HEIGHT])
        cut = top + height >= rows
        of_it = np.asarray(labels) == label
        goes_on = edge is not None and bool((edge & of_it).any())
        until = rows if cut or goes_on else top + int(np.ceil(UPPER * height))
        found[:until] |= of_it[:until]
        if cut and height > NEAR * rows:
            near |= of_it
    return widened(found), widened(near)


def _reduced(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    luma = np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), np.uint8)
    height, width = luma.shape
    if width <= REDUCED_WIDTH:
        return luma
    size = (REDUCED_WIDTH, max(1, round(height * REDUCED_WIDTH / width)))
    return np.asarray(cv2.resize(luma, size, interpolation=cv2.INTER_AREA), np.uint8)
