"""Opening a picture once: its size from the header, its grey values small, and why it can't be used otherwise."""

import warnings
from io import BytesIO
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from storage.files import check_file, read_file

MAX_PIXELS: Final = 100_000_000
"""Larger pictures are left out by their header alone: decoding one would take more memory than the training."""

_ROTATED: Final = frozenset({5, 6, 7, 8})
_ORIENTATION_TAG: Final = 0x0112
_ENOUGH_PX: Final = (256, 256)


class UnreadableError(Exception):
    """A picture that can't be used; the message says why."""


def picture_size(path: Path) -> tuple[int, int]:
    """Width and height of the upright picture in pixels; only its header is read.

    Raises:
        UnreadableError: missing, empty, not a picture, or too large.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            check_file(path)
            with Image.open(path) as picture:
                return _upright_size(picture)
    except UnreadableError:
        raise
    except Exception as error:
        raise UnreadableError(_reason(error)) from error


def open_grey(path: Path) -> tuple[tuple[int, int], NDArray[np.uint8]]:
    """Decode a picture wholly, so that a truncated one is noticed.

    Returns:
        Width and height of the upright picture, and its grey values (height, width) uint8, upright; a JPEG may come
        reduced, at 256 pixels or more a side.

    Raises:
        UnreadableError: missing, empty, damaged, truncated, not a picture, or too large.
    """
    try:
        data = read_file(path)
        if not data:
            raise UnreadableError("empty (0 bytes)")
        with warnings.catch_warnings():
            # Whatever a library warns of is either an error below or harmless; Pillow's own limit is ours here.
            warnings.simplefilter("ignore")
            with Image.open(BytesIO(data)) as picture:
                size = _upright_size(picture)
                picture.draft("L", _ENOUGH_PX)
                picture.load()
                upright = ImageOps.exif_transpose(picture)
                if upright.mode.startswith("I;16"):
                    return size, (np.asarray(upright, np.uint16) >> 8).astype(np.uint8)
                return size, np.array(upright.convert("L"), np.uint8)
    except UnreadableError:
        raise
    # The decoders raise whatever the damage leads to: SyntaxError, struct.error, IndexError, ...
    except Exception as error:
        raise UnreadableError(_reason(error)) from error


def _upright_size(picture: Image.Image) -> tuple[int, int]:
    width, height = picture.size
    if width * height > MAX_PIXELS:
        raise UnreadableError(f"{width}x{height} pixels, more than {MAX_PIXELS // 1_000_000} million")
    rotated = picture.getexif().get(_ORIENTATION_TAG) in _ROTATED
    return (height, width) if rotated else (width, height)


def _reason(error: Exception) -> str:
    if isinstance(error, Image.DecompressionBombError):
        return f"far more than {MAX_PIXELS // 1_000_000} million pixels"
    if isinstance(error, UnidentifiedImageError):
        return "not a picture"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return f"damaged: {error}".rstrip(": ")
