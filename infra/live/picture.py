"""What people see: the sample with its boxes, no larger than a screen, or words in place of a picture that is away."""

import textwrap
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from infra.annotate import Mark, draw
from storage.errors import StorageError
from storage.messages import Box

LONGEST_PX: Final = 1920
"""Longer side of what is drawn, and recorded."""

SCREEN_PX: Final = 1280
"""Longer side of what is sent to browsers: a third of the bytes, and phones show no more."""

QUALITY: Final = 80
CARD: Final = (360, 640)
"""Height and width of the words where there has been no picture yet."""

INK: Final = (235, 238, 236)


def annotated(rgb: NDArray[np.uint8], marks: Sequence[Mark]) -> NDArray[np.uint8]:
    """A copy of a (height, width, 3) RGB picture with its marks, made smaller where it is larger than `LONGEST_PX`."""
    share = LONGEST_PX / max(rgb.shape[:2])
    if share >= 1.0:
        return draw(rgb, marks)
    return draw(_scaled(rgb, share), [replace(mark, box=_times(mark.box, share)) for mark in marks])


def card(before: NDArray[np.uint8] | None, title: str, words: str) -> NDArray[np.uint8]:
    """Words over the last picture, darkened; over nothing where there was none.

    Args:
        before: (height, width, 3), or None.
        title: what is the matter, in a word or two.
        words: in a sentence or two; what is not ASCII is shown as `?`, for want of a font.
    """
    dark = np.full((*CARD, 3), 24, np.uint8) if before is None else (before // 5).astype(np.uint8)
    height, width = dark.shape[:2]
    scale = max(0.35, min(height / 480.0, width / 640.0) * 0.6)
    line_px = round(34 * scale / 0.6 * 0.8)
    columns = max(12, int((width - 4 * line_px) / (19.0 * scale)))
    lines = [title.upper(), *textwrap.wrap(words.encode("ascii", "replace").decode(), columns)]
    y = height // 2 - line_px * (len(lines) - 1) // 2
    for number, line in enumerate(lines):
        thick = max(1, round(2 * scale)) if number == 0 else max(1, round(scale))
        (text_px, _), _ = cv2.getTextSize(line, cv2.FONT_HERSHEY_SIMPLEX, scale, thick)
        cv2.putText(
            dark, line, (max(0, (width - text_px) // 2), y), cv2.FONT_HERSHEY_SIMPLEX, scale, INK, thick, cv2.LINE_AA
        )
        y += line_px
    return dark


def jpeg(picture: NDArray[np.uint8]) -> bytes:
    """A (height, width, 3) RGB picture for a browser, made smaller where it is larger than `SCREEN_PX`.

    Raises:
        StorageError: it can't be encoded.
    """
    share = SCREEN_PX / max(picture.shape[:2])
    small = picture if share >= 1.0 else _scaled(picture, share)
    made, data = cv2.imencode(".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    if not made:
        raise StorageError("a picture could not be encoded as JPEG")
    return data.tobytes()


def boxed(picture: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """The picture within (height, width), its sides in proportion, on black."""
    if picture.shape[:2] == (height, width):
        return picture
    share = min(height / picture.shape[0], width / picture.shape[1])
    inner = _scaled(picture, share)[:height, :width]
    made = np.zeros((height, width, 3), np.uint8)
    top, left = (height - inner.shape[0]) // 2, (width - inner.shape[1]) // 2
    made[top : top + inner.shape[0], left : left + inner.shape[1]] = inner
    return made


def _scaled(picture: NDArray[np.uint8], share: float) -> NDArray[np.uint8]:
    height, width = picture.shape[:2]
    size = (max(1, round(width * share)), max(1, round(height * share)))
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def _times(box: Box, share: float) -> Box:
    x, y, width, height = (round(side * share) for side in box)
    return x, y, width, height
