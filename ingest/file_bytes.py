"""The bytes of recorded footage. A disk or share that fails is no damage and no end of the footage, and never taken for it."""

import errno
import os
import stat
from pathlib import Path
from typing import Final

from storage.errors import InputError, StorageError

NEVER: Final = (errno.ELOOP, errno.ENAMETOOLONG)
"""What does not pass by itself."""

NOWHERE: Final = (errno.EINVAL, errno.EOVERFLOW)
"""Before the start of a file, or further than any reaches."""


class FileBytes:
    """A file, for FFmpeg to read: what FFmpeg reads by itself looks cut off where the disk or share fails.

    >>> with av.open(FileBytes(path)) as container:  # doctest: +SKIP
    ...     ...
    """

    def __init__(self, path: Path) -> None:
        """Open it.

        Raises:
            InputError: there is no such file, it is empty, or something else.
            StorageError: it can't be read for now.
        """
        self._path, self._file, self._failed = path, -1, False
        self.name = f"file:{path.absolute()}"
        """What FFmpeg calls it: whatever it is called, it stays a file."""
        try:
            found = path.stat()
            if stat.S_ISDIR(found.st_mode):
                raise InputError(f"{path} is a folder, not a video")
            if found.st_size == 0 and stat.S_ISREG(found.st_mode):
                raise InputError(f"{path} is empty (0 bytes)")
            self._seekable = not stat.S_ISFIFO(found.st_mode)
            self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise self._explained(error) from error

    def __del__(self) -> None:
        # PyAV does not close what it was given; it lets go of it.
        if self._file >= 0:
            os.close(self._file)

    def read(self, size: int) -> bytes:
        """The next bytes, as many as there are up to `size`; none at the end.

        Raises:
            StorageError: they can't be read for now. FFmpeg may go on from there all the same, but PyAV raises this as soon
                as FFmpeg returns; until then there is nothing more to be read.
        """
        if self._failed:
            return b""
        try:
            return os.read(self._file, size)
        except KeyboardInterrupt:
            # It goes no further than to FFmpeg, which is to return: who asked for the end asks again.
            self._failed = True
            return b""
        except OSError as error:
            self._failed = True
            raise self._explained(error) from error

    def seek(self, offset: int, whence: int) -> int:
        """Go to a place, as `os.lseek` does, or give a negative number where there is no such place.

        Raises:
            StorageError: it can't be told for now; see `read`.
        """
        try:
            return os.lseek(self._file, offset, whence)
        except OSError as error:
            if error.errno in NOWHERE:
                # Damaged footage leads anywhere; FFmpeg makes of it what it does with all such damage.
                return -error.errno
            self._failed = True
            raise self._explained(error) from error

    def tell(self) -> int:
        """Where it is."""
        return self.seek(0, os.SEEK_CUR)

    def seekable(self) -> bool:
        """Whether one can go to a place in it."""
        return self._seekable

    def _explained(self, error: OSError) -> InputError | StorageError:
        if isinstance(error, FileNotFoundError | NotADirectoryError):
            return InputError(f"{self._path} does not exist")
        if isinstance(error, PermissionError):
            return InputError(f"{self._path} can't be read: no permission")
        text = f"{self._path} can't be read: {error.strerror or os.strerror(error.errno or 0)}"
        return InputError(text) if error.errno in NEVER else StorageError(text)
