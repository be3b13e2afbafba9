"""Footage that is sent to us, on its way into the upload folder: all of it under its identifier, or nothing."""

import errno
import hashlib
import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

from storage.errors import StorageError
from storage.files import make_folder, storage_error

UNFINISHED: Final = ".part"
"""How the name of a file ends that is still on its way; after a crash it stays, and may be removed."""

LEFT_FREE: Final = 256 * 1024 * 1024
"""Bytes that uploads leave on the disk: others write there, too."""


FLUSHED: Final = 64 * 1024 * 1024
"""After so many bytes they go to the disk for good: at the end of a large upload nobody waits for all of it."""


class NoRoomError(StorageError):
    """The disk is full, or nearly."""


class UploadFile:
    """A file on its way; as a context manager, which removes what is not kept.

    >>> with UploadFile(folder, "u-1") as file:  # doctest: +SKIP
    ...     file.write(part)
    ...     file.keep()
    """

    def __init__(self, folder: Path, identifier: str, expected: int = 0) -> None:
        """Make it.

        Args:
            folder: of uploads; made where missing, for this user alone.
            identifier: its name in the folder.
            expected: bytes that are to come, where that is known.

        Raises:
            NoRoomError: so much has no room.
            StorageError: the folder can't be written.
        """
        self.path = make_folder(folder, 0o700) / identifier
        self.bytes = 0
        self._flushed = 0
        self._hash = hashlib.sha256()
        self._kept = False
        self._check_room(expected)
        self._part = self.path.with_name(f".{identifier}{UNFINISHED}")
        try:
            self._handle = os.open(self._part, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise _error(self.path, error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._handle)
        if not self._kept:
            with suppress(OSError):
                self._part.unlink(missing_ok=True)

    @property
    def sha256(self) -> str:
        """Of what has been written, in hexadecimal."""
        return self._hash.hexdigest()

    def write(self, data: bytes) -> None:
        """Write more of it.

        Raises:
            NoRoomError: the disk is full, or nearly.
            StorageError: it can't be written.
        """
        self._check_room(len(data))
        left = memoryview(data)
        try:
            while left:
                left = left[os.write(self._handle, left) :]
            if self.bytes + len(data) - self._flushed >= FLUSHED:
                os.fdatasync(self._handle)
                self._flushed = self.bytes + len(data)
        except OSError as error:
            raise _error(self.path, error) from error
        self._hash.update(data)
        self.bytes += len(data)

    def keep(self) -> None:
        """It is complete: it gets its name, and stays also when the power fails.

        Raises:
            NoRoomError, StorageError: see `write`.
        """
        try:
            os.fsync(self._handle)
            self._part.rename(self.path)
            self._kept = True
            folder = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            raise _error(self.path, error) from error

    def _check_room(self, more: int) -> None:
        try:
            free = shutil.disk_usage(self.path.parent).free
        except OSError as error:
            raise _error(self.path, error) from error
        if free < more + LEFT_FREE:
            raise NoRoomError(
                f"there is no room for this upload: {more} bytes are to be written, and {free} are free, of which "
                f"{LEFT_FREE} are left for others; free some space, or send less"
            )


def _error(path: Path, cause: OSError) -> StorageError:
    if cause.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
        return NoRoomError(f"there is no room for this upload: {cause.strerror}; free some space, or send less")
    return storage_error(path, cause)
