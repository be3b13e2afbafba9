"""Grids of cells over a preview's picture: 4x4 pixels of the picture in small, 8x8 of what motion is judged on."""

from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from ingest.preview_people import Rect

Cells = NDArray[np.bool_]

CELL_PX: Final = 4


def widened(cells: Cells, by: int = 1) -> Cells:
    """These cells, and so many around each."""
    return cv2.dilate(cells.astype(np.uint8), np.ones((2 * by + 1, 2 * by + 1), np.uint8)).astype(np.bool_)


def filled(cells: Cells) -> Cells:
    """These cells, and those that they enclose."""
    outside = cv2.copyMakeBorder(cells.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT)
    cv2.floodFill(outside, None, (0, 0), 2)
    return np.asarray(outside[1:-1, 1:-1] != 2)


def touched(cells: Cells, rect: Rect) -> None:
    """Mark the cells that a rectangle, as shares of the picture, touches."""
    rows, columns = cells.shape
    x, y, width, height = rect
    top, left = max(0, int(y * rows)), max(0, int(x * columns))
    cells[top : max(0, int(np.ceil((y + height) * rows))), left : max(0, int(np.ceil((x + width) * columns)))] = True


def cell_means(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """The mean of a (height, width) plane in each cell; at the edges the last pixels are repeated."""
    height, width = values.shape
    rows, columns = -(-height // CELL_PX), -(-width // CELL_PX)
    border = (0, rows * CELL_PX - height, 0, columns * CELL_PX - width)
    padded = np.asarray(cv2.copyMakeBorder(values, *border, cv2.BORDER_REPLICATE), np.float32)
    return np.asarray(cv2.resize(padded, (columns, rows), interpolation=cv2.INTER_AREA), np.float32)


def cell_counts(pixels: NDArray[np.bool_]) -> NDArray[np.float32]:
    """How many pixels of each cell are marked."""
    return cell_means(pixels.astype(np.float32)) * CELL_PX**2


def on_pixels(values: NDArray[Any], like: NDArray[Any]) -> NDArray[np.float32]:
    """What belongs to each pixel's cell, for a picture in small of the same shape."""
    rows, columns = values.shape
    size = (columns * CELL_PX, rows * CELL_PX)
    whole = cv2.resize(values.astype(np.float32), size, interpolation=cv2.INTER_NEAREST)
    return np.asarray(whole, np.float32)[: like.shape[0], : like.shape[1]]
