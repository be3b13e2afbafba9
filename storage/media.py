"""Recorded footage under the media root: what counts as footage in a folder, and which file a path means."""

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final

import msgspec

from storage.errors import InvalidError

SUFFIXES: Final = frozenset({".mp4", ".m4v", ".mov", ".mkv", ".avi", ".webm", ".ts", ".mpg", ".mpeg", ".flv", ".wmv"})
"""What counts as footage in a folder; a file named directly is opened whatever its name is."""

MOST_FILES: Final = 10_000
"""Files of one job, and of one list."""

LONGEST_PATH: Final = 1024
"""Characters of a path under the media root."""


class MediaFile(msgspec.Struct, frozen=True):
    """A file under the media root.

    Attributes:
        path: below it, with `/` between its parts.
        bytes: its size.
        modified_ns: when it was written last, Unix time.
        real: where it is, links followed.
    """

    path: str
    bytes: int
    modified_ns: int
    real: Path


def media_file(name: str, media_root: Path | None) -> MediaFile:
    """The file that a path below the media root means.

    Raises:
        InvalidError: it leads out of the media root, links followed, or there is no such file.
    """
    real, root = _within(name, media_root)
    found = _file(real, root, name)
    if found is None:
        raise InvalidError(
            f"{_shown(name)} is no file under the media root: list what there is, and check how it is written"
        )
    return found


def media_files(under: str, media_root: Path | None, most: int = MOST_FILES) -> list[MediaFile]:
    """The footage in a folder below the media root and in its folders, by path.

    Files that begin with a dot, and links that lead out, are left out.

    Args:
        under: the folder; "" is the media root itself.
        media_root: where it is.
        most: of them; beyond, the rest is not looked at.

    Raises:
        InvalidError: it leads out of the media root, there is no such folder, or it holds more than `most` files.
    """
    real, root = _within(under, media_root)
    if not real.is_dir():
        raise InvalidError(f"{_shown(under)} is no folder under the media root: list what there is above it")
    found = sorted(islice(_footage(real, root), most + 1), key=lambda one: one.path)
    if len(found) > most:
        raise InvalidError(f"{_shown(under)} holds more than {most} files: name a folder in it")
    return found


def _within(name: str, media_root: Path | None) -> tuple[Path, Path]:
    """Where a path leads, links followed, and the media root."""
    if media_root is None:
        raise InvalidError("there is no footage to name here: no media root is set (MASKWATCH_MEDIA_DIR)")
    if len(name) > LONGEST_PATH or "\0" in name:
        raise InvalidError(f"a path has at most {LONGEST_PATH} characters, none of them NUL")
    if name.startswith("/"):
        raise InvalidError(f"{_shown(name)} is no path below the media root: leave away the / at its beginning")
    try:
        root = media_root.resolve()
        real = (root / name).resolve()
    except (OSError, RuntimeError, ValueError) as error:
        raise InvalidError(f"{_shown(name)} can't be looked up under the media root: {error}") from None
    # The same answer for what is outside, whether it exists or not: this is no way to look around the disk.
    if not real.is_relative_to(root):
        raise InvalidError(f"{_shown(name)} leads out of the media root: move the footage there, or send it")
    return real, root


def _footage(folder: Path, root: Path) -> Iterator[MediaFile]:
    for here, folders, names in os.walk(folder):
        folders[:] = sorted(one for one in folders if not one.startswith("."))
        for name in sorted(names):
            path = Path(here, name)
            if name.startswith(".") or path.suffix.lower() not in SUFFIXES:
                continue
            found = _file(path, root, str(path.relative_to(root)))
            if found is not None:
                yield found


def _file(path: Path, root: Path, name: str) -> MediaFile | None:
    """A file as it is now; None where it is none, is gone, leads out, or has a name that is no text."""
    try:
        name.encode()
        real = path.resolve()
        said = real.stat()
        if not real.is_relative_to(root) or not real.is_file():
            return None
    except (OSError, RuntimeError, UnicodeEncodeError):
        return None
    return MediaFile(name, said.st_size, said.st_mtime_ns, real)


def _shown(name: str) -> str:
    return repr(name[:200])
