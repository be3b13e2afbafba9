"""Which parts of a camera's picture count: polygons to watch, and polygons to ignore."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Final, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Points = tuple[tuple[float, float], ...]

KEPT_GRIDS: Final = 1024
"""Grids that are remembered: a few for each of the cameras of one process, a kilobyte each."""


class Region(msgspec.Struct, frozen=True):
    """A part of the picture.

    Attributes:
        mode: whether faces there are watched or ignored.
        points: corners of a polygon, x and y as shares of width and height in [0, 1].
    """

    mode: Literal["watch", "ignore"]
    points: tuple[tuple[float, float], ...]


Regions = Sequence[Region]


def inside(regions: Regions, x: Floats, y: Floats) -> NDArray[np.bool_]:
    """Which places are watched: those in a region to watch, or anywhere where there is none, but in none to ignore.

    A polygon that crosses itself contains what an odd number of its edges surrounds (even-odd rule; Haines, "Point in
    polygon strategies", Graphics Gems IV, 1994). A place on an edge belongs to one of the two sides.

    Args:
        regions: of a camera.
        x: (N,) places as shares of the picture's width.
        y: (N,) likewise of its height.

    Returns:
        (N,) bool.

    >>> left = Region("watch", ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0)))
    >>> inside([left], np.array([0.25, 0.75]), np.array([0.5, 0.5])).tolist()
    [True, False]
    """
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    watch, ignore = _modes(regions)
    watched = np.full(x.shape, not watch)
    for points in watch:
        watched |= _contains(points, x, y)
    for points in ignore:
        watched &= ~_contains(points, x, y)
    return watched


def grid(regions: Regions, rows: int, columns: int) -> NDArray[np.bool_]:
    """Which cells of a grid over the picture touch what is watched.

    A cell counts as ignored when a single region to ignore covers all of it.

    Args:
        regions: of a camera.
        rows: of the grid, 1 or more.
        columns: likewise.

    Returns:
        (rows, columns) bool, not to be written to.
    """
    return _grid(tuple(regions), rows, columns)


@lru_cache(KEPT_GRIDS)
def _grid(regions: tuple[Region, ...], rows: int, columns: int) -> NDArray[np.bool_]:
    watch, ignore = _modes(regions)
    top, left = (each.ravel() for each in np.mgrid[:rows, :columns].astype(np.float64))
    cells = np.stack([left / columns, top / rows, (left + 1.0) / columns, (top + 1.0) / rows])
    middle_x, middle_y = (cells[0] + cells[2]) / 2.0, (cells[1] + cells[3]) / 2.0
    touching = np.full(rows * columns, not watch)
    for points in watch:
        touching |= _contains(points, middle_x, middle_y) | _crossed(points, cells)
    for points in ignore:
        touching &= ~_contains(points, middle_x, middle_y) | _crossed(points, cells)
    touching.flags.writeable = False
    return touching.reshape(rows, columns)


def _modes(regions: Regions) -> tuple[list[Points], list[Points]]:
    watch = [region.points for region in regions if region.mode == "watch"]
    return watch, [region.points for region in regions if region.mode == "ignore"]


def _edges(points: Points) -> tuple[Floats, Floats, Floats, Floats]:
    """Start x, start y, end x, end y of the edges, each (E, 1)."""
    starts = np.array(points, np.float64).reshape(-1, 2)
    ends = np.roll(starts, -1, axis=0)
    return starts[:, :1], starts[:, 1:], ends[:, :1], ends[:, 1:]


def _contains(points: Points, x: Floats, y: Floats) -> NDArray[np.bool_]:
    """Which of the (N,) places a polygon contains: a ray to the right crosses an odd number of its edges."""
    start_x, start_y, end_x, end_y = _edges(points)
    straddles = (start_y > y) != (end_y > y)
    height = np.where(end_y == start_y, 1.0, end_y - start_y)
    crossing_x = start_x + (y - start_y) / height * (end_x - start_x)
    odd: NDArray[np.bool_] = (straddles & (x < crossing_x)).sum(axis=0) % 2 == 1
    return odd


def _crossed(points: Points, cells: Floats) -> NDArray[np.bool_]:
    """Which of the cells, (4, N) left, top, right, bottom, an edge of the polygon passes through.

    Edges are cut by the cells' sides (Liang and Barsky, "A new concept and method for line clipping", 1984); one that only
    runs along a side passes through neither neighbour.
    """
    start_x, start_y, end_x, end_y = _edges(points)
    left, top, right, bottom = cells
    first, last = np.zeros((len(start_x), cells.shape[1])), np.ones((len(start_x), cells.shape[1]))
    between: NDArray[np.bool_] = np.ones(first.shape, np.bool_)
    for start, way, low, high in (
        (start_x, end_x - start_x, left, right),
        (start_y, end_y - start_y, top, bottom),
    ):
        still = way == 0.0
        between &= ~still | ((start > low) & (start < high))
        step = np.where(still, 1.0, way)
        enters, leaves = (low - start) / step, (high - start) / step
        first = np.where(still, first, np.maximum(first, np.minimum(enters, leaves)))
        last = np.where(still, last, np.minimum(last, np.maximum(enters, leaves)))
    crossed: NDArray[np.bool_] = np.count_nonzero(between & (first < last), axis=0) > 0
    return crossed
