"""What is measured of a picture to tell one view from another: directions of edges, and fine structures."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

WIDTH: Final = 128
HEIGHT: Final = 72
"""Of the template. Every picture is brought to this size: another resolution of the same view is no other view."""

DETAIL_WIDTH: Final = 640
"""Fine structures are looked for at this width: a blur of three pixels of it is seen, sensor noise is not."""

FAINT_LEVELS: Final = 12.0
"""Gradients of the template's pixels that are weaker than this (in grey levels, by Sobel) count less and less."""

TILE_PX: Final = 12
"""Side of a tile of the template: 6 x 10 tiles."""

SHIFT_SHARE: Final = 0.025
"""A view that fits better when it is shifted by this share of its width has moved: regions drawn on it are off by half a
face."""

SHIFT_BETTER: Final = 0.15
"""By how much better, as a correlation."""


def reduced(luma: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A (height, width) luma plane, brought to `DETAIL_WIDTH` where it is wider."""
    height, width = luma.shape
    if width <= DETAIL_WIDTH:
        return np.ascontiguousarray(luma)
    # Every so many rows and columns first: all of 4K would take its time.
    step = max(1, width // (3 * DETAIL_WIDTH))
    size = (DETAIL_WIDTH, max(1, round(height * DETAIL_WIDTH / width)))
    return cv2.resize(luma[::step, ::step], size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def edges_of(small: cv2.typing.MatLike) -> NDArray[np.float32]:
    """Directions of edges, doubled, so that light and dark may change places: (2, HEIGHT, WIDTH), at most 1 long."""
    across = cv2.Sobel(small, cv2.CV_32F, 1, 0)
    down = cv2.Sobel(small, cv2.CV_32F, 0, 1)
    squared_across, squared_down = across * across, down * down
    scale = 1.0 / (squared_across + squared_down + np.float32(4.0 * FAINT_LEVELS) ** 2)
    return np.stack([(squared_across - squared_down) * scale, 2.0 * across * down * scale]).astype(
        np.float32, copy=False
    )


def detail_of(medium: NDArray[np.uint8]) -> float:
    """Strength of the finest structures, as a share of the contrast, so that a duller day is no dirt."""
    contrast = float(medium.std())
    if contrast < 2.0:
        return 0.0
    return float(cv2.Laplacian(medium, cv2.CV_32F).std()) / contrast


def tiles(field: NDArray[np.float32]) -> NDArray[np.float32]:
    """Sums over tiles."""
    rows, columns = HEIGHT // TILE_PX, WIDTH // TILE_PX
    cut = field[: rows * TILE_PX, : columns * TILE_PX]
    return np.asarray(cut.reshape(rows, TILE_PX, columns, TILE_PX).sum(axis=(1, 3)), np.float32)


def shift_of(reference: NDArray[np.float32], edges: NDArray[np.float32]) -> tuple[float, float] | None:
    """The shift under which two fields agree clearly better than as they are; None where there is none."""
    across, down = WIDTH // 4, HEIGHT // 4
    inner = np.ascontiguousarray(reference.transpose(1, 2, 0)[down : HEIGHT - down, across : WIDTH - across])
    whole = np.ascontiguousarray(edges.transpose(1, 2, 0))
    scores = _correlated(whole, inner)
    here = float(scores[down, across])
    row, column = np.unravel_index(int(scores.argmax()), scores.shape)
    by = ((int(column) - across) / WIDTH, (int(row) - down) / HEIGHT)
    far = max(abs(by[0]), abs(by[1])) >= SHIFT_SHARE
    return by if far and float(scores[row, column]) - here >= SHIFT_BETTER else None


def _correlated(whole: NDArray[np.float32], inner: NDArray[np.float32]) -> NDArray[np.float32]:
    """Normalised correlation of a part, put at every place of the whole."""
    products = sum(
        np.asarray(
            cv2.matchTemplate(np.ascontiguousarray(whole[..., i]), np.ascontiguousarray(inner[..., i]), cv2.TM_CCORR)
        )
        for i in range(2)
    )
    energy = cv2.boxFilter(
        np.square(whole).sum(axis=2), cv2.CV_32F, (inner.shape[1], inner.shape[0]), anchor=(0, 0), normalize=False,
        borderType=cv2.BORDER_CONSTANT,
    )[: whole.shape[0] - inner.shape[0] + 1, : whole.shape[1] - inner.shape[1] + 1]  # fmt: skip
    norm = float(np.square(inner).sum())
    return np.asarray(products / np.sqrt(np.maximum(energy * norm, 1e-6)), np.float32)
