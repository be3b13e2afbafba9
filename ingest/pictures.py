"""Still pictures: size checked before decoding, turned upright, as RGB."""

import io
import warnings
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from storage.errors import InputError

MAX_PIXELS: Final = 100_000_000
"""Larger pictures are refused by their header alone: decoding one would take more memory than the whole system."""

SUFFIXES: Final = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"})
"""What counts as a picture in a folder; a file named directly is opened whatever its name is."""

FORMATS: Final = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF")
"""What a picture that a stranger sends may be: Pillow knows more, some of which start other programs."""


def read_picture(path: Path, *, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
    """Read a picture; of an animation its first frame.

    Args:
        path: JPEG, PNG, WebP, BMP, GIF or TIFF.
        max_pixels: larger ones are refused before decoding.

    Returns:
        (height, width, 3) uint8 RGB, upright as its EXIF orientation says.

    Raises:
        InputError: missing, empty, too large, damaged or not a picture.
    """
    if path.is_dir():
        raise InputError(f"{path} is a folder, not a picture")
    if not path.exists():
        raise InputError(f"{path} does not exist")
    if not path.is_file():
        raise InputError(f"{path} is not a file")
    try:
        if path.stat().st_size == 0:
            raise InputError(f"{path} is empty (0 bytes)")
    except PermissionError:
        raise InputError(f"{path} can't be read: no permission") from None
    except OSError as error:
        raise InputError(f"{path} is damaged: {error}") from error
    return _decoded(path, str(path), max_pixels)


def read_picture_bytes(data: bytes, name: str, *, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
    """Likewise the picture that a file of this name would hold: one of `FORMATS`, whatever its name says.

    Raises:
        InputError: empty, too large, damaged or not a picture.
    """
    if not data:
        raise InputError(f"{name} is empty (0 bytes)")
    return _decoded(io.BytesIO(data), name, max_pixels, FORMATS)


def _decoded(
    source: Path | BinaryIO, name: str, max_pixels: int, formats: tuple[str, ...] | None = None
) -> NDArray[np.uint8]:
    try:
        with warnings.catch_warnings():
            # Pillow warns of "decompression bombs" by a limit of its own; ours is checked just below.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(source, formats=formats) as picture:
                width, height = picture.size
                if width * height > max_pixels:
                    raise InputError(
                        f"{name} has {width}x{height} pixels, more than the limit of {max_pixels / 1e6:.0f} million: "
                        "scale it down first"
                    )
                upright = ImageOps.exif_transpose(picture)
                return np.asarray(_opaque(upright).convert("RGB"), np.uint8)
    except Image.DecompressionBombError:
        raise InputError(
            f"{name} has far more pixels than the limit of {max_pixels / 1e6:.0f} million: scale it down first"
        ) from None
    except UnidentifiedImageError:
        raise InputError(f"{name} is not a picture in a format that can be read") from None
    except PermissionError:
        raise InputError(f"{name} can't be read: no permission") from None
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise InputError(f"{name} is damaged: {error}") from error


def picture_paths(path: Path) -> list[Path]:
    """`path` itself, or the pictures in the folder it names, sorted by name, subfolders included.

    Raises:
        InputError: a folder without any picture, or one that can't be read.
    """
    if not path.is_dir():
        return [path]
    try:
        found = sorted(file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file())
    except OSError as error:
        raise InputError(f"the folder {path} can't be read: {error.strerror}") from error
    if not found:
        raise InputError(f"the folder {path} holds no picture ({', '.join(sorted(SUFFIXES))})")
    return found


def _opaque(picture: Image.Image) -> Image.Image:
    """Put a picture with transparency on white; `convert` alone would show what the transparency hides."""
    if not picture.has_transparency_data:
        return picture
    layers = picture.convert("RGBA")
    white = Image.new("RGBA", layers.size, "white")
    return Image.alpha_composite(white, layers)
