"""Where in the picture something moves, judged on the decoded luma plane before any conversion.

The memory is finite: the answer for a sample depends on the samples of the last few seconds and on its time alone, so
footage that is processed in pieces gives the same answers once each piece is primed with that much before its start.
"""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from storage.messages import NS_PER_S, Look
from storage.regions import Regions, grid

GRID_PX: Final = 8
"""Side of a grid cell in pixels of the reduced picture."""

REDUCED_WIDTH: Final = 320
LEVELS: Final = 10
"""A pixel of the reduced luma that differs by more grey levels than this from the sample before has moved: sensor
noise averages out in the reduction, a walking person does not."""

LEAST_PIXELS: Final = 3
"""Fewer moved pixels in a cell are noise that happened to be large."""

HOLD_NS: Final = 1 * NS_PER_S
"""A cell stays active this long after its last movement, so that someone who stops is seen standing."""

PEOPLE_NS: Final = 600 * NS_PER_S
"""Nobody sits so still that nothing moves for so long: ten minutes."""

FULL_LOOK_NS: Final = 2 * NS_PER_S
"""Every so often the whole picture is looked at: it keeps a person standing still."""


class Motion:
    """Says for each sample of one camera how much of it deserves a look."""

    def __init__(self, regions: Regions = ()) -> None:
        """Begin without memory.

        Args:
            regions: parts of the picture to watch or to ignore; what moves outside of what is watched does not count.
        """
        self.regions = regions
        self._before: NDArray[np.uint8] | None = None
        self._moved_ns: NDArray[np.int64] = np.empty((0, 0), np.int64)
        self._last_ns = 0

    def people(self) -> NDArray[np.bool_] | None:
        """Where, cell by cell, somebody may be, even one who sits still: see `PEOPLE_NS`; None: everywhere."""
        rows, columns = self._moved_ns.shape
        if not self._moved_ns.size:
            return None
        # What is not watched is not known.
        cells = (self._moved_ns > self._last_ns - PEOPLE_NS) | ~grid(self.regions, rows, columns)
        # Somebody may have walked on since the last sample.
        return cv2.dilate(cells.astype(np.uint8), np.ones((5, 5), np.uint8)).astype(np.bool_)

    def judge(self, luma: NDArray[np.uint8], at_ns: int) -> tuple[Look, NDArray[np.bool_]]:
        """Judge the next sample.

        Args:
            luma: (height, width) uint8 luma plane.
            at_ns: its time, above all earlier ones.

        Returns:
            How much to look at, and the (rows, columns) grid of active cells over the picture, none of them outside of
            what is watched.
        """
        reduced = _reduced(luma)
        rows, columns = -(-reduced.shape[0] // GRID_PX), -(-reduced.shape[1] // GRID_PX)
        watched = grid(self.regions, rows, columns)
        due = at_ns // FULL_LOOK_NS != self._last_ns // FULL_LOOK_NS
        if self._before is None or self._before.shape != reduced.shape:
            # Nothing to compare with yet: take everything for moving.
            due = True
            self._moved_ns = np.full((rows, columns), at_ns, np.int64)
        else:
            moved = (np.asarray(cv2.absdiff(reduced, self._before)) > LEVELS).astype(np.uint8)
            padded = cv2.copyMakeBorder(
                moved, 0, rows * GRID_PX - moved.shape[0], 0, columns * GRID_PX - moved.shape[1], cv2.BORDER_CONSTANT
            )
            moved_px = padded.reshape(rows, GRID_PX, columns, GRID_PX).sum(axis=(1, 3), dtype=np.int32)
            cells = ((moved_px >= LEAST_PIXELS) & watched).astype(np.uint8)
            # A face moves with its body: the cells around a movement count as moving too.
            near = cv2.dilate(cells, np.ones((3, 3), np.uint8)).astype(np.bool_)
            self._moved_ns[near] = at_ns
        self._before = reduced
        self._last_ns = at_ns
        active = (self._moved_ns > at_ns - HOLD_NS) & watched
        if due and watched.any():
            return Look.FULL, active
        return (Look.MOTION if active.any() else Look.NONE), active


def _reduced(luma: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = luma.shape
    if width <= REDUCED_WIDTH:
        return luma.copy()
    size = (REDUCED_WIDTH, max(1, round(height * REDUCED_WIDTH / width)))
    return cv2.resize(luma, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
