"""Pictures kept with events: only the event's person can be recognised in them."""

import hashlib
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from storage.files import storage_error, write_bytes
from storage.messages import Box

PERSON_MARGIN: Final = 0.25
"""Share of the box's sides added on each side of the person's face; all else is pixelated."""

BLOCK_PX: Final = 16
"""Least side of a pixelation block. With a face of `FACE_BLOCKS` blocks nobody can be recognised."""

FACE_BLOCKS: Final = 4
LONGEST_SIDE_PX: Final = 1920
JPEG_QUALITY: Final = 85


def pixelated(rgb: NDArray[np.uint8], box: Box) -> NDArray[np.uint8]:
    """Pixelate a picture outside a face box plus `PERSON_MARGIN`.

    Everything else is covered, not only the faces that were found: a bystander whom the detector missed is covered
    too. Blocks are at least a 24th of the picture's shorter side, so that a near bystander's face, which may be a sixth
    of it or more, still falls into about `FACE_BLOCKS` blocks.

    Args:
        rgb: (height, width, 3) uint8.
        box: the person's face, in pixels.

    Returns:
        A new picture of the same shape.
    """
    height, width = rgb.shape[:2]
    block = max(BLOCK_PX, min(height, width) // (6 * FACE_BLOCKS))
    small = cv2.resize(rgb, (max(1, width // block), max(1, height // block)), interpolation=cv2.INTER_AREA)
    covered = cv2.resize(small, (width, height), interpolation=cv2.INTER_NEAREST).astype(np.uint8, copy=False)
    x, y, box_width, box_height = box
    left, right = round(x - PERSON_MARGIN * box_width), round(x + (1 + PERSON_MARGIN) * box_width)
    top, bottom = round(y - PERSON_MARGIN * box_height), round(y + (1 + PERSON_MARGIN) * box_height)
    person = np.s_[max(0, top) : max(0, bottom), max(0, left) : max(0, right)]
    covered[person] = rgb[person]
    return covered


def encode_snapshot(rgb: NDArray[np.uint8], box: Box) -> bytes:
    """The snapshot of the person at `box` as JPEG bytes, pixelated outside, at most `LONGEST_SIDE_PX` long.

    The same picture and box give the same bytes.
    """
    picture = pixelated(rgb, box)
    longest = max(picture.shape[:2])
    if longest > LONGEST_SIDE_PX:
        scale = LONGEST_SIDE_PX / longest
        picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA).astype(np.uint8)
    _, data = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return data.tobytes()


class SnapshotFolder:
    """Snapshot files named by the sha256 of their content: a replay writes the same name and spoils nothing."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @staticmethod
    def name(data: bytes) -> str:
        """The name that a picture has."""
        return f"{hashlib.sha256(data).hexdigest()}.jpg"

    def keep(self, data: bytes) -> tuple[str, bool]:
        """Write JPEG bytes, unless they are there already, and return the file's name and whether it is new.

        Raises:
            StorageError: the disk is full or the folder can't be written; nothing half-written stays.
        """
        name = self.name(data)
        new = not (self.folder / name).exists()
        if new:
            write_bytes(self.folder / name, data)
        return name, new

    def discard(self, name: str) -> None:
        """Remove a picture that a better one has replaced.

        Raises:
            StorageError: the folder can't be written.
        """
        try:
            (self.folder / name).unlink(missing_ok=True)
        except OSError as error:
            raise storage_error(self.folder / name, error) from error
