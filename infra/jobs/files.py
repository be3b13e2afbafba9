"""The files of jobs on disk: what they are, and that they stay so."""

import errno
import hashlib
import os
import stat
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final, NamedTuple

from storage.errors import InputError, StorageError
from storage.job_work import HeldFile

BLOCK: Final = 1 << 20

GONE: Final = (FileNotFoundError, NotADirectoryError, IsADirectoryError, PermissionError)
"""What does not pass by itself."""

NEVER: Final = (errno.ELOOP, errno.ENAMETOOLONG)
"""Likewise."""


class FileState(NamedTuple):
    """Size in bytes, time of the last change in ns since the epoch."""

    size: int
    modified_ns: int


def state_of(path: Path, name: str) -> FileState:
    """How a file is now.

    Raises:
        InputError: there is none, or it is something else.
        StorageError: it can't be told, for now.
    """
    try:
        found = path.stat()
    except OSError as error:
        raise _explained(error, name) from error
    if not stat.S_ISREG(found.st_mode):
        # A pipe would be read for ever.
        what = "a folder" if stat.S_ISDIR(found.st_mode) else "a pipe or a device"
        raise InputError(f"{name} can't be read: it is {what}, not a file")
    return FileState(found.st_size, found.st_mtime_ns)


def check_unchanged(file: HeldFile) -> None:
    """See that a file is what it was when it was planned.

    Raises:
        InputError: it is gone, or has changed.
        StorageError: it can't be told, for now.
    """
    if state_of(Path(file.path), file.name) != (file.size, file.modified_ns):
        raise InputError(f"{file.name} has changed since it was first read: submit it again when it is complete")


def sha256_of(path: Path, name: str, alive: Callable[[], None]) -> str:
    """The SHA-256 of a file, in hex.

    Args:
        path: of it.
        name: for messages.
        alive: called for each MiB; what it raises ends it.

    Raises:
        InputError: it can't be read.
        StorageError: it can't be read for now.
    """
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(BLOCK):
                digest.update(block)
                alive()
    except OSError as error:
        raise _explained(error, name) from error
    return digest.hexdigest()


def by_name(text: str, files: Iterable[HeldFile]) -> str:
    """A sentence with files called what people call them, not what their places are called: of uploads, nobody knows those."""
    for file in sorted(files, key=lambda file: len(file.path), reverse=True):
        text = text.replace(file.path, file.name)
    return text


def _explained(error: OSError, name: str) -> InputError | StorageError:
    if isinstance(error, FileNotFoundError):
        return InputError(f"{name} can't be read: it is not there any more; submit it again when it is")
    text = f"{name} can't be read: {error.strerror or os.strerror(error.errno or 0)}"
    return InputError(text) if isinstance(error, GONE) or error.errno in NEVER else StorageError(text)
