"""A picture of a live preview: boxes and labels, and nobody without an event can be recognised in it.

What may show a head is covered by coarse blocks before anything is drawn. Who has an event is left clear within the box of
their own head, and only where nobody else's may be.
"""

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from ingest.preview_people import Rect, Shown
from storage.snapshots import encode_jpeg, in_blocks
from storage.words import Label

Picture = NDArray[np.uint8]
Slices = tuple[slice, slice]

QUALITY: Final = 75

BLOCKS: Final = 22
"""Blocks across the shorter side: the head of somebody who is seen whole, a seventh of it at most, falls into three."""

LEVELS: Final = 4
"""Blocks become twice as large from level to level, for those who are nearer."""

BLOCKS_A_FACE: Final = 3.5
"""At most so many blocks lie across a face that was found."""

OTHERS: Final = 0.5
"""Share of a face's sides that is covered on each side of it."""

OWN: Final = 0.25
"""Share of a face's sides that is left clear on each side of it, for who has an event."""

COLOURS: Final = {
    Label.WITH_MASK: (46, 160, 67),
    Label.WITHOUT_MASK: (218, 54, 51),
    Label.INCORRECT_MASK: (240, 140, 0),
    Label.UNKNOWN: (125, 133, 144),
}
"""RGB; each label is also written out, so that nobody depends on telling the colours apart."""


def composed(rgb: Picture, cells: NDArray[np.uint8], people: Sequence[Shown]) -> Picture:
    """A picture fit to be shown.

    Args:
        rgb: (height, width, 3) uint8; stays as it is.
        cells: (rows, columns) uint8 grid over it: how coarsely it is to be covered, 0 (not at all) to 2.
        people: in it.

    Returns:
        A new picture of the same shape.
    """
    where = _levels(rgb, cells, people)
    covered = rgb.copy()
    block = max(2, min(rgb.shape[:2]) // BLOCKS)
    for level in range(1, LEVELS + 1):
        mask = cv2.inRange(where, level, level)
        if cv2.countNonZero(mask):
            cv2.copyTo(in_blocks(rgb, block * 2 ** (level - 1)), mask, covered)
    return _drawn(covered, people)


def jpeg(rgb: Picture) -> bytes:
    """A picture as JPEG."""
    return encode_jpeg(rgb, QUALITY)


def _levels(rgb: Picture, cells: NDArray[np.uint8], people: Sequence[Shown]) -> NDArray[np.uint8]:
    """How coarsely each pixel is covered, 0 (clear) to `LEVELS`."""
    height, width = rgb.shape[:2]
    where = cv2.resize(cells, (width, height), interpolation=cv2.INTER_NEAREST).astype(np.uint8, copy=False)
    for shown in people:
        if shown.event and shown.box is not None:
            where[_slices(shown.box, OWN, width, height)] = 0
    block = max(2, min(height, width) // BLOCKS)
    for shown in people:
        for head in () if shown.event else shown.heads:
            blocks = max(1.0, head[2] * width / block / BLOCKS_A_FACE)
            level = min(LEVELS, 1 + int(np.ceil(np.log2(blocks))))
            place = _slices(head, OTHERS, width, height)
            where[place] = np.maximum(where[place], level)
    return where


def _slices(rect: Rect, margin: float, width: int, height: int) -> Slices:
    """The pixels of a rectangle and of so much around it."""
    x, y, across, down = rect[0] * width, rect[1] * height, rect[2] * width, rect[3] * height
    left, top = max(0, int(x - margin * across)), max(0, int(y - margin * down))
    right, bottom = int(np.ceil(x + (1 + margin) * across)), int(np.ceil(y + (1 + margin) * down))
    return slice(top, max(0, bottom)), slice(left, max(0, right))


def _drawn(picture: Picture, people: Sequence[Shown]) -> Picture:
    height, width = picture.shape[:2]
    scale = max(0.35, min(height, width) / 900.0)
    line = max(1, round(min(height, width) / 240))
    boxes = [(shown, _slices(shown.box, 0.0, width, height)) for shown in people if shown.box is not None]
    for shown, (down, across) in boxes:
        start, end = (across.start, down.start), (across.stop, down.stop)
        cv2.rectangle(picture, start, end, COLOURS[shown.label], line, cv2.LINE_AA)
    # Captions last: no box may cross one out.
    for shown, (down, across) in boxes:
        caption = shown.label.value.replace("_", " ") + (" EVENT" if shown.event else "")
        (text_width, text_height), base = cv2.getTextSize(caption, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)
        left = max(0, min(across.start, width - text_width - 4))
        tall = text_height + base + 4
        bottom = down.start - 1 if down.start > tall else min(height, down.stop + tall + 1)
        cv2.rectangle(picture, (left, bottom - tall), (left + text_width + 4, bottom), COLOURS[shown.label], cv2.FILLED)
        cv2.putText(
            picture, caption, (left + 2, bottom - base - 1), cv2.FONT_HERSHEY_SIMPLEX, scale, (255, 255, 255), 1,
            cv2.LINE_AA,
        )  # fmt: skip
    return picture
