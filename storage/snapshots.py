"""Pictures kept with events: only the event's person can be recognised in them."""

import hashlib
from pathlib import Path
from typing import Final

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from storage.files import remove_file, write_bytes
from storage.messages import Box

PERSON_MARGIN: Final = 0.25
"""Share of the box's sides added on each side of the person's face; all else is pixelated."""

BLOCK_PX: Final = 16
"""Least side of a pixelation block. With a face of `FACE_BLOCKS` blocks nobody can be recognised."""

FACE_BLOCKS: Final = 4
LONGEST_SIDE_PX: Final = 1920
JPEG_QUALITY: Final = 85


class Picture(msgspec.Struct, frozen=True):
    """A picture of an event's person, or of who may become one.

    Attributes:
        jpeg: the picture, pixelated but for the person.
        box: the person's face in it, in its own pixels; None where nobody noted it.
        at_ns: its capture time, likewise.
    """

    jpeg: bytes
    box: Box | None = None
    at_ns: int | None = None

    def __repr__(self) -> str:
        return f"Picture({len(self.jpeg)} bytes, box={self.box}, at_ns={self.at_ns})"


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
    return covered_but_for(rgb, box, block_side(*rgb.shape[:2]))


def block_side(height: int, width: int) -> int:
    """Side of the blocks, in pixels, that a picture of this size is pixelated with."""
    return max(BLOCK_PX, min(height, width) // (6 * FACE_BLOCKS))


def covered_but_for(rgb: NDArray[np.uint8], box: Box, block: int) -> NDArray[np.uint8]:
    """A copy of a picture, or of a part of one, in blocks of this side but for a face box plus `PERSON_MARGIN`."""
    covered = in_blocks(rgb, block)
    x, y, box_width, box_height = box
    left, right = round(x - PERSON_MARGIN * box_width), round(x + (1 + PERSON_MARGIN) * box_width)
    top, bottom = round(y - PERSON_MARGIN * box_height), round(y + (1 + PERSON_MARGIN) * box_height)
    person = np.s_[max(0, top) : max(0, bottom), max(0, left) : max(0, right)]
    covered[person] = rgb[person]
    return covered


def in_blocks(rgb: NDArray[np.uint8], block: int) -> NDArray[np.uint8]:
    """A copy of a (height, width, 3) picture in blocks of about this side, in pixels."""
    height, width = rgb.shape[:2]
    small = cv2.resize(rgb, (max(1, width // block), max(1, height // block)), interpolation=cv2.INTER_AREA)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_NEAREST).astype(np.uint8, copy=False)


def encode_snapshot(rgb: NDArray[np.uint8], box: Box) -> bytes:
    """The snapshot of the person at `box` as JPEG bytes, pixelated outside, at most `LONGEST_SIDE_PX` long.

    The same picture and box give the same bytes.
    """
    picture = pixelated(rgb, box)
    scale = _scale(*picture.shape[:2])
    if scale < 1.0:
        picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA).astype(np.uint8)
    return encode_jpeg(picture)


def encode_jpeg(rgb: NDArray[np.uint8], quality: int = JPEG_QUALITY) -> bytes:
    """A (height, width, 3) uint8 picture as JPEG bytes."""
    _, data = cv2.imencode(".jpg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    return data.tobytes()


def take_picture(rgb: NDArray[np.uint8], box: Box, at_ns: int) -> Picture:
    """The snapshot of the person at `box`, see `encode_snapshot`, with where they are in it and when it was."""
    height, width = rgb.shape[:2]
    scale = _scale(height, width)
    x, y, box_width, box_height = (round(part * scale) for part in box)
    return Picture(encode_snapshot(rgb, box), (x, y, max(1, box_width), max(1, box_height)), at_ns)


def _scale(height: int, width: int) -> float:
    return min(1.0, LONGEST_SIDE_PX / max(height, width))


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
        remove_file(self.folder / name)
