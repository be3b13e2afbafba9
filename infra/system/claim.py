"""A data folder is one system's at a time; what a killed one left behind is cleared away by the next."""

import fcntl
import os
import shutil
import signal
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Final

import msgspec

from infra.places import Places
from infra.system.workers import RUN
from storage.errors import ConflictError, SetupError
from storage.files import check_writable, make_folder, storage_error, write_bytes

ENDING_LIMIT_S: Final = 3.0


class RunNote(msgspec.Struct, frozen=True):
    """What `run.json` says.

    Attributes:
        run: name of the run.
        pid: of the supervisor.
    """

    run: str
    pid: int


class Claim:
    """Holds the lock of a data folder; the kernel releases it when this process ends, however it ends."""

    def __init__(self, places: Places) -> None:
        """Take the folder, making it where it is missing.

        Raises:
            ConflictError: another system runs on it.
            StorageError: it can't be written.
        """
        make_folder(places.data, 0o700)
        check_writable(places.run)
        self._places = places
        self._lock = _locked(places)

    def note(self, run: str) -> None:
        """Write down who runs here, before anything is started."""
        write_bytes(self._places.run, msgspec.json.encode(RunNote(run, os.getpid())))

    def release(self) -> None:
        """Give the folder back."""
        with suppress(OSError):
            self._places.run.unlink()
        # The file stays: whoever waits for a lock on a file that is gone would share nothing with who makes a new one.
        self._lock.close()


def clear_leftovers(places: Places) -> None:
    """End what is left of a system that was killed, and remove its shared memory; call it with the folder claimed.

    Raises:
        SetupError: something of somebody else's stands where the shared memory's folder goes.
    """
    with suppress(OSError, msgspec.MsgspecError):
        end_processes(msgspec.json.decode(places.run.read_bytes(), type=RunNote).run)
    remove_shared(places)


def make_shared(places: Places) -> None:
    """Make the folder in shared memory, for this user alone.

    Raises:
        SetupError: there is no shared memory.
    """
    try:
        places.shared.mkdir(mode=0o700)
    except OSError as error:
        raise SetupError(
            f"shared memory can't be used: {places.shared}: {error.strerror}; mount a tmpfs there, or name another "
            "place with MASKWATCH_SHM_DIR"
        ) from error


def remove_shared(places: Places) -> None:
    """Remove the folder in shared memory with all that is in it.

    Raises:
        SetupError: it is none of ours.
    """
    if _shared_is_there(places):
        shutil.rmtree(places.shared, ignore_errors=True)


@contextmanager
def shared_alone(places: Places) -> Iterator[None]:
    """Make the folder in shared memory unless it is there, and hold it against others that would do the same.

    Raises:
        SetupError: there is no shared memory, or the folder is none of ours.
    """
    if not _shared_is_there(places):
        try:
            make_shared(places)
        except SetupError:
            # Somebody else may have been faster.
            if not _shared_is_there(places):
                raise
    path = places.shared / "lock"
    try:
        lock = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600), "rb+", 0)
    except OSError as error:
        raise storage_error(path, error) from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def end_processes(run: str) -> None:
    """Kill every process of a run, however it was started, and wait until they are gone."""
    until_s = time.monotonic() + ENDING_LIMIT_S
    while (left := processes_of(run)) and time.monotonic() < until_s:
        for pid in left:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)


def processes_of(run: str) -> list[int]:
    """Process ids of all that carry the name of this run in their environment, other than this process."""
    mark = f"{RUN}={run}".encode()
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal() and int(folder.name) != os.getpid():
            # Of those that end meanwhile, or are others', nothing can be read.
            with suppress(OSError):
                if mark in (folder / "environ").read_bytes().split(b"\0"):
                    found.append(int(folder.name))
    return found


def _shared_is_there(places: Places) -> bool:
    try:
        found = places.shared.lstat()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise storage_error(places.shared, error) from error
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise SetupError(f"{places.shared} belongs to somebody else: remove it, or name another MASKWATCH_SHM_DIR")
    return True


def _locked(places: Places) -> IO[str]:
    try:
        lock = places.lock.open("a+", encoding="utf-8")
    except OSError as error:
        raise storage_error(places.lock, error) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
    except BlockingIOError:
        lock.seek(0)
        holder = lock.read(20).strip()
        lock.close()
        raise ConflictError(
            f"another Maskwatch runs on the data folder {places.data}{f' (process {holder})' if holder else ''}: stop "
            "it, or name another folder with MASKWATCH_DATA_DIR"
        ) from None
    except OSError as error:
        lock.close()
        raise storage_error(places.lock, error) from error
    return lock
