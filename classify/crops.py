"""The picture of a face as the classifier sees it, in training and in the running system alike."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

MARGIN: Final = 0.25
"""Share of the box's longer side added on each side: chin, ears and mask straps stay in the picture."""

IMAGE_SIZE: Final = 112
"""Side of the square the classifier takes, in pixels."""

LARGEST_SIDE: Final = 4096
"""Larger crops are made from a picture scaled down first."""


def crop_face(
    rgb: NDArray[np.uint8],
    box: tuple[float, float, float, float],
    *,
    size: int = IMAGE_SIZE,
    margin: float = MARGIN,
) -> NDArray[np.uint8]:
    """Cut the square around a face box and scale it to `size`.

    The square is centred on the box with side `(1 + 2 * margin) * max(width, height)`; where it leaves the picture
    the border pixels are repeated, so that a face at the edge keeps its scale.

    Args:
        rgb: (height, width, 3) picture, RGB.
        box: (x, y, width, height) in pixels of `rgb`; width and height above 0.
        size: side of the result in pixels.
        margin: share of the longer side added on each side, 0 or more.

    Returns:
        (size, size, 3) uint8, RGB.
    """
    x, y, width, height = box
    picture_height, picture_width = rgb.shape[:2]
    side = max(2, round((1.0 + 2.0 * margin) * max(width, height)))
    left = round(x + width / 2.0 - side / 2.0)
    top = round(y + height / 2.0 - side / 2.0)
    if side > LARGEST_SIDE:
        # The border below is as large as the picture is thin: a strip of 1 x 30,000 px would become a square of that side.
        scale = LARGEST_SIDE / side
        shrunk = (max(1, round(picture_width * scale)), max(1, round(picture_height * scale)))
        smaller = cv2.resize(rgb, shrunk, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
        return crop_face(smaller, (x * scale, y * scale, width * scale, height * scale), size=size, margin=margin)
    inner = rgb[
        max(0, min(top, picture_height - 1)) : max(1, min(top + side, picture_height)),
        max(0, min(left, picture_width - 1)) : max(1, min(left + side, picture_width)),
    ]
    beyond = (
        max(0, -top),
        max(0, top + side - picture_height),
        max(0, -left),
        max(0, left + side - picture_width),
    )
    if any(beyond):
        inner = cv2.copyMakeBorder(inner, *beyond, cv2.BORDER_REPLICATE).astype(np.uint8, copy=False)
    # Area averaging avoids aliasing when a near face shrinks; a far face is enlarged linearly.
    interpolation = cv2.INTER_AREA if side > size else cv2.INTER_LINEAR
    return cv2.resize(inner, (size, size), interpolation=interpolation).astype(np.uint8, copy=False)


def crop_faces(
    rgb: NDArray[np.uint8],
    boxes: NDArray[np.float32],
    *,
    size: int = IMAGE_SIZE,
    margin: float = MARGIN,
) -> NDArray[np.uint8]:
    """Cut all faces of a picture: (N, 4) boxes as (x, y, width, height) give (N, size, size, 3) uint8."""
    crops = np.empty((len(boxes), size, size, 3), np.uint8)
    for index, (x, y, width, height) in enumerate(boxes):
        crops[index] = crop_face(rgb, (float(x), float(y), float(width), float(height)), size=size, margin=margin)
    return crops
