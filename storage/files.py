"""Files that are either whole or not there."""

import errno
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from storage.errors import StorageError


def storage_error(path: Path, cause: OSError) -> StorageError:
    """Turn an operating-system error met while writing `path` into a sentence a person can act on."""
    advice = {
        errno.ENOSPC: "the disk is full: free some space and run again",
        errno.EDQUOT: "the disk quota is used up: free some space and run again",
        errno.EACCES: "no write permission: choose another folder or change its permissions",
        errno.EPERM: "no write permission: choose another folder or change its permissions",
        errno.EROFS: "the file system is read-only: choose another folder",
        errno.ENOTDIR: "a part of the path is a file, not a folder",
        errno.EEXIST: "a file stands where a folder is needed",
        errno.EISDIR: "a folder stands where a file is to be written",
        errno.ENAMETOOLONG: "the name is too long",
    }.get(cause.errno or 0, cause.strerror or str(cause))
    return StorageError(f"cannot write {path}: {advice}")


def remove_file(path: Path) -> None:
    """Remove a file, if it is there.

    Raises:
        StorageError: the folder can't be written.
    """
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise storage_error(path, error) from error


def check_file(path: Path) -> None:
    """Refuse what opening would wait for: pipes, sockets, devices.

    Raises:
        OSError: `path`, or what it links to, is missing or such a thing; a folder is left to whoever opens it.
    """
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise OSError(errno.EINVAL, "not a file", str(path))


def read_file(path: Path) -> bytes:
    """The content of an ordinary file; a pipe or a device is not opened, since reading one may never end.

    Raises:
        OSError: it can't be read, or is no file.
    """
    check_file(path)
    return path.read_bytes()


def make_folder(folder: Path, mode: int = 0o777) -> Path:
    """Create `folder` and its parents where missing, and return it.

    Args:
        folder: to be made.
        mode: of the folder, less the umask, if it is new; one that is there keeps its own.

    Raises:
        StorageError: it can't be created.
    """
    try:
        folder.mkdir(mode, parents=True, exist_ok=True)
    except OSError as error:
        raise storage_error(folder, error) from error
    return folder


@contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """Give a temporary name beside `path`; when the block ends well, flush it to disk and rename it to `path`.

    After an exception `path` is as it was and the temporary file is gone. The temporary name keeps the suffix of
    `path`, since writers choose the format by it.

    Raises:
        StorageError: the folder or the file can't be written.
    """
    make_folder(path.parent)
    # A link keeps pointing where it did; a device or a pipe must never be renamed over.
    path = Path(os.path.realpath(path))
    if path.exists() and not path.is_file() and not path.is_dir():
        raise StorageError(f"cannot write {path}: it is a device or a pipe, not a file")
    try:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem[:40]}-", suffix=path.suffix)
        os.close(handle)
    except OSError as error:
        raise storage_error(path, error) from error
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb+") as stream:
            os.fsync(stream.fileno())
        # mkstemp makes files that only the owner may read; a result is an ordinary file.
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except OSError as error:
        raise storage_error(path, error) from error
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()


def write_bytes(path: Path, data: bytes) -> None:
    """Write `data` to `path`: a file atomically, a device or a pipe directly.

    Raises:
        StorageError: the folder or the file can't be written.
    """
    if path.exists() and not path.is_file() and not path.is_dir():
        try:
            path.write_bytes(data)
        except OSError as error:
            raise storage_error(path, error) from error
        return
    with replaced(path) as temporary:
        temporary.write_bytes(data)


def check_writable(path: Path) -> None:
    """Find out before long work whether `path` can be written at its end.

    Raises:
        StorageError: it can't.
    """
    make_folder(path.parent)
    try:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        with tempfile.TemporaryFile(dir=path.parent):
            return
    except OSError as error:
        raise storage_error(path, error) from error


def check_folder(folder: Path) -> None:
    """Find out before long work whether files can be written in `folder`, without making it.

    Raises:
        StorageError: they can't.
    """
    there = folder.absolute()
    while not there.is_dir() and not there.is_symlink() and not there.exists():
        there = there.parent
    try:
        if not there.is_dir():
            raise NotADirectoryError(errno.EEXIST if there == folder.absolute() else errno.ENOTDIR, "")
        with tempfile.TemporaryFile(dir=there):
            return
    except OSError as error:
        raise storage_error(folder, error) from error


def _umask() -> int:
    # The only way to read the mask is to set it; put it back at once.
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
