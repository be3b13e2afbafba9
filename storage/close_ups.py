"""The person of an event up close, cut from a snapshot; and their face, small, cut from a frame."""

from typing import Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from storage.errors import InputError
from storage.messages import Box
from storage.snapshots import PERSON_MARGIN, Picture, block_side, covered_but_for, encode_jpeg

CLOSE_UP: Final = 2.0
"""Sides of a close-up in sides of the face."""

CLOSE_UP_PX: Final = (160, 320, 960)
CLOSE_UP_QUALITY: Final = 90

FACE_PX: Final = (112, 160)
"""Least and largest longer side of the small picture of a face."""


def decode_jpeg(data: bytes) -> NDArray[np.uint8]:
    """A JPEG as (height, width, 3) uint8 RGB.

    Raises:
        InputError: it is damaged.
    """
    bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
    if bgr is None:
        raise InputError("the picture is damaged: it can't be decoded")
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)


class Window(NamedTuple):
    """A part of a picture, in its pixels, and by how much it is to be enlarged."""

    left: int
    top: int
    width: int
    height: int
    scale: float

    def of(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """This part of the picture, enlarged or reduced."""
        cut = rgb[self.top : self.top + self.height, self.left : self.left + self.width]
        size = (max(1, round(self.width * self.scale)), max(1, round(self.height * self.scale)))
        how = cv2.INTER_AREA if self.scale < 1.0 else cv2.INTER_LANCZOS4
        return np.ascontiguousarray(cv2.resize(cut, size, interpolation=how), np.uint8)


def around(height: int, width: int, box: Box) -> Window:
    """The close-up of a face in a picture of this size: a square about twice as wide as the face, moved into the picture.

    It takes in at least `CLOSE_UP_PX[0]` pixels of the picture, as far as that has them, and is shown with
    `CLOSE_UP_PX[1]` to `CLOSE_UP_PX[2]`.
    """
    x, y, box_width, box_height = box
    side = max(CLOSE_UP_PX[0], round(CLOSE_UP * max(box_width, box_height)))
    wide, high = min(side, width), min(side, height)
    left = min(max(0, round(x + box_width / 2 - wide / 2)), width - wide)
    top = min(max(0, round(y + box_height / 2 - high / 2)), height - high)
    longest = max(wide, high)
    return Window(left, top, wide, high, min(max(longest, CLOSE_UP_PX[1]), CLOSE_UP_PX[2]) / longest)


def close_up(picture: Picture) -> bytes:
    """The part of a snapshot around the person, as JPEG bytes; all of it where nobody noted where they are.

    Raises:
        InputError: the file is damaged.
    """
    if picture.box is None:
        return picture.jpeg
    rgb = decode_jpeg(picture.jpeg)
    return encode_jpeg(around(rgb.shape[0], rgb.shape[1], picture.box).of(rgb), CLOSE_UP_QUALITY)


def face_jpeg(rgb: NDArray[np.uint8], box: Box, sides: tuple[int, int] = FACE_PX) -> bytes | None:
    """A person's face and what is just around it, as a small JPEG; all else is pixelated as in a snapshot.

    Args:
        rgb: (height, width, 3) uint8.
        box: the face, in pixels.
        sides: least and largest longer side of the JPEG.

    Returns:
        None where the face lies outside the picture.
    """
    height, width = rgb.shape[:2]
    x, y, box_width, box_height = box
    half = (0.5 + PERSON_MARGIN) * max(box_width, box_height)
    left, right = max(0, round(x + box_width / 2 - half)), min(width, round(x + box_width / 2 + half))
    top, bottom = max(0, round(y + box_height / 2 - half)), min(height, round(y + box_height / 2 + half))
    if left >= right or top >= bottom:
        return None
    block = block_side(height, width)
    cut = covered_but_for(rgb[top:bottom, left:right], (x - left, y - top, box_width, box_height), block)
    longest = max(cut.shape[:2])
    scale = min(max(longest, sides[0]), sides[1]) / longest
    if scale != 1.0:
        size = (max(1, round(cut.shape[1] * scale)), max(1, round(cut.shape[0] * scale)))
        cut = cv2.resize(cut, size, interpolation=cv2.INTER_AREA if scale < 1.0 else cv2.INTER_CUBIC).astype(
            np.uint8, copy=False
        )
    return encode_jpeg(cut)
