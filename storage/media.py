"""Recorded footage under the media root: what counts as footage in a folder, and which file a path means."""

import os
import stat
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final

import msgspec

from storage.errors import InvalidError

SUFFIXES: Final = frozenset({
    *(".mp4", ".m4v", ".mov", ".3gp", ".3g2", ".f4v", ".mkv", ".webm", ".avi", ".flv", ".wmv", ".asf", ".ogv", ".mxf"),
    *(".ts", ".mts", ".m2ts", ".m2t", ".mpg", ".mpeg", ".m2v", ".vob", ".dav", ".dv", ".mjpg", ".mjpeg", ".ivf", ".obu"),
    *(".h264", ".264", ".avc", ".h265", ".265", ".hevc"),
})  # fmt: skip
"""What counts as footage in a folder; a file named directly is opened whatever its name is. The console's list is this one."""

GONE: Final = (FileNotFoundError, NotADirectoryError)
"""What says that there is nothing; all else may be footage that is missing."""

KEPT_BY_THE_DISK: Final = "lost+found"
"""At the top of many disks; nobody but root may look into it."""

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

    Files and folders that begin with a dot, and links that lead out, are left out.

    Args:
        under: the folder; "" is the media root itself.
        media_root: where it is.
        most: of them; beyond, the rest is not looked at.

    Raises:
        InvalidError: it leads out of the media root, there is no such folder, it holds more than `most` files, or one
            or a folder in it can't be read.
    """
    real, root = _within(under, media_root)
    try:
        if not real.is_dir():
            raise InvalidError(f"{_shown(under)} is no folder under the media root: list what there is above it")
        found = sorted(islice(_footage(real, root), most + 1), key=lambda one: one.path)
    except OSError as error:
        raise _unread(os.path.relpath(error.filename or real, root), error) from None
    if len(found) > most:
        raise InvalidError(f"{_shown(under)} holds more than {most} files: name a folder in it")
    return found


def footage_in(folder: Path) -> list[Path]:
    """The footage in a folder and in its folders, by path, without what begins with a dot.

    Raises:
        OSError: a file or a folder can't be looked at; `filename` says which.
    """
    return sorted(path for path in _named(folder) if _is_file(path))


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
    for path in _named(folder):
        found = _file(path, root, str(path.relative_to(root)))
        if found is not None:
            yield found


def _named(folder: Path) -> Iterator[Path]:
    """What is called as footage is, in a folder and in its folders."""
    for here, folders, names in os.walk(folder, onerror=_unless_gone):
        folders[:] = sorted(one for one in folders if not one.startswith(".") and one != KEPT_BY_THE_DISK)
        for name in sorted(names):
            path = Path(here, name)
            if not name.startswith(".") and path.suffix.lower() in SUFFIXES:
                yield path


def _unless_gone(error: OSError) -> None:
    if not isinstance(error, GONE):
        raise error


def _is_file(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except GONE:
        return False


def _file(path: Path, root: Path, name: str) -> MediaFile | None:
    """A file as it is now; None where it is none, is gone, or leads out.

    Raises:
        InvalidError: it can't be looked at, or its name is no text.
    """
    try:
        name.encode()
        real = path.resolve()
        # Of what is outside nothing is told, not even that it can't be looked at.
        if not real.is_relative_to(root):
            return None
        said = real.stat()
    except GONE:
        return None
    except UnicodeEncodeError:
        raise InvalidError(f"the name of {_shown(name)} is not UTF-8: rename it") from None
    except (OSError, RuntimeError) as error:
        raise _unread(name, error) from None
    return MediaFile(name, said.st_size, said.st_mtime_ns, real) if stat.S_ISREG(said.st_mode) else None


def _unread(name: str, error: OSError | RuntimeError) -> InvalidError:
    # What says more than that holds whole paths.
    why = error.strerror if isinstance(error, OSError) else "it is a link that leads back to itself"
    return InvalidError(
        f"{_shown(name)} can't be read: {why}. Let Maskwatch read it, take it away, or name other footage"
    )


def _shown(name: str) -> str:
    return repr(name[:200])
