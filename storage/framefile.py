"""The file behind the frame store: its layout, how it is made, and who wrote into it."""

import errno
import hashlib
import os
import secrets
import struct
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from storage.errors import SetupError

MIB: Final = 1 << 20
BLOCK: Final = MIB
"""Bytes; a 1080p frame takes 6 blocks."""

MAGIC: Final = b"MASKFRAM"
VERSION: Final = 2
HEAD: Final = struct.Struct("<8sqqqq")
"""Magic, version, number of blocks, a random number that no other store has, next token; at the start of the file."""

TABLE_START: Final = HEAD.size

HOLDING: Final = np.dtype(
    [
        ("token", np.int64),  # 0: no holding begins at this block, and the other columns mean nothing
        ("blocks", np.int64),
        ("height", np.int64),
        ("width", np.int64),
        ("live", np.int64),
        ("sent", np.int64),
        ("at_ns", np.int64),  # of the monotonic clock, which all processes of a machine share
        ("pid", np.int64),
        ("started", np.int64),
        ("space", np.int64),
    ]
)
"""The row of a block: the holding that begins there. Every column is 8 aligned bytes, stored by one instruction."""


class Writer(NamedTuple):
    """A process, told apart from a later one with the same number.

    Attributes:
        pid: its number.
        started: in clock ticks since boot.
        space: the namespace in which it has that number; a container has its own.
    """

    pid: int
    started: int
    space: int


def create_store(path: Path, size_mib: int) -> None:
    """Make an empty store, in place of whatever was there, readable by this user alone.

    Its memory is reserved now: a file that only promises it would kill a writer later, without a word (SIGBUS).

    Args:
        path: where, in a folder that exists, in memory (`/dev/shm`).
        size_mib: room for pixels.

    Raises:
        SetupError: there is not enough room, or no permission; says what is needed and what to do.
    """
    start = pixels_start(size_mib)
    size = start + size_mib * BLOCK
    temporary = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
    try:
        # Asked first, so that a try that must fail does not use up all memory on its way.
        if _free(path.parent) < size:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        handle = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.posix_fallocate(handle, 0, size)
            # References into an earlier store must never match: tokens start where no other store's did.
            head = HEAD.pack(MAGIC, VERSION, size_mib, secrets.randbits(63), secrets.randbits(48) + 1 << 14)
            os.pwrite(handle, head, 0)
        finally:
            os.close(handle)
        # By renaming, so that nobody ever maps half a store.
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise _setup_error(path, size, error) from error


def pixels_start(blocks: int) -> int:
    """Where the first block begins: after the table, on a page of its own."""
    return -(-(TABLE_START + blocks * HOLDING.itemsize) // 4096) * 4096


class Head(NamedTuple):
    """What the start of the file says.

    Attributes:
        blocks: of 1 MiB.
        identity: of the store as seen from this machine: only who maps the same memory comes to the same word. A file
            that two machines share over a network is two stores: what one maps, the other does not see change.
    """

    blocks: int
    identity: str


def read_head(path: Path) -> Head:
    """Check that a file is a store of this version, and tell what its start says.

    Raises:
        SetupError: it is not.
    """
    try:
        with path.open("rb") as file:
            head = file.read(HEAD.size)
            size = os.fstat(file.fileno()).st_size
    except FileNotFoundError:
        raise SetupError(f"there is no frame store at {path}: start the system with `maskwatch up`") from None
    except OSError as error:
        raise SetupError(f"cannot use the frame store {path}: {error.strerror}; restart Maskwatch") from error
    if len(head) < HEAD.size or not head.startswith(MAGIC):
        raise SetupError(f"{path} is not a frame store: remove it, and start the system again")
    _, version, blocks, number, _ = HEAD.unpack(head)
    if version != VERSION:
        raise SetupError(f"the frame store {path} is of another version of Maskwatch: stop that one, and start again")
    if blocks < 1 or size != pixels_start(blocks) + blocks * BLOCK:
        raise SetupError(f"the frame store {path} is damaged: restart Maskwatch")
    return Head(int(blocks), hashlib.sha256(f"{_boot()} {number}".encode()).hexdigest()[:16])


def this_process() -> Writer:
    """Who asks."""
    return _identity(os.getpid())


def is_alive(writer: Writer) -> bool:
    """Whether a process still runs; one of another container can't be seen from here and counts as alive."""
    if writer.space != this_process().space:
        return True
    return _started(writer.pid) == writer.started


@cache
def _boot() -> str:
    """Names this machine from its start on; containers of one machine share it."""
    return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()


@cache
def _identity(pid: int) -> Writer:
    return Writer(pid, _started(pid) or 0, Path("/proc/self/ns/pid").stat().st_ino)


def _started(pid: int) -> int | None:
    """When a process began, or None when there is none, or only what is left of one."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    # The second field, the program's name, may hold blanks and parentheses itself.
    fields = stat[stat.rindex(b")") + 2 :].split()
    return None if fields[0] in (b"Z", b"X") else int(fields[19])


def _free(folder: Path) -> int:
    state = os.statvfs(folder)
    return state.f_bavail * state.f_frsize


def _setup_error(path: Path, size: int, cause: OSError) -> SetupError:
    needed_mib = -(-size // MIB)
    if cause.errno == errno.ENOSPC:
        free_mib = _free(path.parent) // MIB
        return SetupError(
            f"{path.parent} is too small for the frame store: {needed_mib} MiB are needed, {free_mib} MiB are free: "
            "give it more shared memory (containers: `docker run --shm-size`), or lower MASKWATCH_FRAMES_MIB"
        )
    return SetupError(f"cannot make the frame store {path} of {needed_mib} MiB: {cause.strerror}")
