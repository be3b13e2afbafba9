"""The frame store: pixels in shared memory, each held under a token from the moment they are put until they are released.

A file in `/dev/shm` that every process maps: a table of holdings, then blocks of 1 MiB. A frame takes as many
neighbouring blocks as it needs, the first free ones, so that a store that is hardly used stays in the caches.

It survives the death of any process at any instruction. What is held is what the table says; a holding begins and ends
with one aligned 8-byte store of its token, after its other columns are written; and the lock on the table is the
kernel's, which releases it for the dead. Until `sent` a holding belongs to the process that put it and dies with it;
from then on it belongs to the message, and only `release` frees it.
"""

import fcntl
import mmap
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from storage.closing import Closing
from storage.errors import MaskwatchError, SetupError, StorageError
from storage.framefile import BLOCK, HOLDING, TABLE_START, Writer, create_store, is_alive, read_head, this_process
from storage.messages import NS_PER_S, FrameRef

__all__ = ["BLOCK", "LIVE_LIFE_S", "FrameGoneError", "FrameStore", "create_store"]

LIVE_LIFE_S: Final = 600.0
"""Nobody waits for a live frame that long: a holding this old was forgotten, and goes when its room is needed."""

LOCK_LIMIT_S: Final = 5.0
LOCK_RETRY_S: Final = 0.0002


class FrameGoneError(MaskwatchError):
    """The frame store no longer holds this picture."""


class FrameStore(Closing):
    """A mapped store; safe for any number of threads and processes, forked ones included.

    >>> with FrameStore(Path("/dev/shm/maskwatch-0/frames")) as frames:  # doctest: +SKIP
    ...     ref = frames.put(picture, live=True)
    ...     bus.send_sample(sample_with(ref))
    ...     frames.sent(ref)
    """

    def __init__(self, path: Path, *, live_life_s: float = LIVE_LIFE_S) -> None:
        """Map a store made by `create_store`.

        Args:
            path: of its file.
            live_life_s: age from which live holdings are rubbish.

        Raises:
            SetupError: missing, damaged, or made by another version.
        """
        self.blocks, self.identity = read_head(path)
        """Its size, and what its references are marked with."""
        self._path = path
        self._life_ns = round(live_life_s * NS_PER_S)
        try:
            self._file = os.open(path, os.O_RDWR)
            try:
                # MAP_POPULATE is left out: only the blocks that are used cost page faults, once a process.
                memory = mmap.mmap(self._file, 0)
            except BaseException:
                os.close(self._file)
                raise
        except (OSError, ValueError) as error:
            raise SetupError(f"cannot use the frame store {path}: {error}; restart Maskwatch") from error
        pixels_start = len(memory) - self.blocks * BLOCK
        self._next = np.frombuffer(memory, np.int64, 1, TABLE_START - 8)
        self._table = np.frombuffer(memory, HOLDING, self.blocks, TABLE_START)
        self._tokens: NDArray[np.int64] = self._table["token"]
        self._pixels = np.frombuffer(memory, np.uint8, self.blocks * BLOCK, pixels_start)

    @property
    def used_blocks(self) -> int:
        """Blocks that are held."""
        return int(self._table["blocks"][self._tokens != 0].sum())

    def fits(self, height: int, width: int) -> bool:
        """Whether a frame of this size would fit into the empty store."""
        return _blocks_for(height, width) <= self.blocks

    def put(self, rgb: NDArray[np.uint8], *, live: bool) -> FrameRef | None:
        """Copy a picture in.

        Args:
            rgb: (height, width, 3) uint8, in any memory layout.
            live: whether the holding may be taken back when it is `LIVE_LIFE_S` old; one of footage never is.

        Returns:
            Its reference, to be sent and then declared `sent`, or released; None when there is no room now.
        """
        if rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.dtype != np.uint8 or not rgb.size:
            raise ValueError(f"a picture is (height, width, 3) uint8, not {rgb.shape} {rgb.dtype}")
        height, width, _ = rgb.shape
        with self._locked():
            ref = self._hold(height, width, live)
            if ref is None and self._collect():
                ref = self._hold(height, width, live)
        if ref is None:
            return None
        try:
            # Outside the lock: the blocks are ours by now, and the table is free for others while we copy.
            np.copyto(self._place(ref), rgb)
        except BaseException:
            self.release([ref])
            raise
        return ref

    def sent(self, ref: FrameRef) -> None:
        """Declare that the message that names it is on the bus: from now on only `release` frees it."""
        with self._locked():
            if self.holds(ref):
                self._table["sent"][ref.block] = 1

    def sees(self, ref: FrameRef) -> bool:
        """Whether it is a reference into this store, held or not."""
        return ref.store in {"", self.identity}

    def gone(self, ref: FrameRef) -> bool:
        """Whether it is a reference into another store: this one knows of no other."""
        return not self.sees(ref)

    def view(self, ref: FrameRef) -> NDArray[np.uint8]:
        """The picture in place: read-only (height, width, 3) uint8, not a copy.

        Whoever works on it for long, and can't rule out that somebody else releases it meanwhile (another worker was
        given the same sample because this one seemed dead), asks `holds` afterwards: if that is still true, every pixel
        read was of this frame.

        Raises:
            FrameGoneError: it is not held under this token: it was released, or is of an earlier store.
        """
        if not self.holds(ref):
            raise FrameGoneError(
                f"the picture {ref.token} is no longer in the frame store {self._path}: its sample is lost"
            )
        picture = self._place(ref)
        picture.flags.writeable = False
        return picture

    def holds(self, ref: FrameRef) -> bool:
        """Whether exactly this picture is held."""
        if not self.sees(ref) or not 0 <= ref.block < self.blocks:
            return False
        if ref.token == 0 or self._tokens[ref.block] != ref.token:
            return False
        row = self._table[ref.block]
        return bool(row["height"] == ref.height and row["width"] == ref.width)

    def release(self, refs: Iterable[FrameRef]) -> None:
        """Give room back. What is not held, or no more, or again by another frame, is passed over."""
        with self._locked():
            for ref in refs:
                if self.holds(ref):
                    self._tokens[ref.block] = 0

    def close(self) -> None:
        """Let go; pictures that are still in use stay readable until they are dropped."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
            # The mapping ends with the last array on it.
            del self._next, self._table, self._tokens, self._pixels

    def _place(self, ref: FrameRef) -> NDArray[np.uint8]:
        start = ref.block * BLOCK
        return self._pixels[start : start + ref.height * ref.width * 3].reshape(ref.height, ref.width, 3)

    def _hold(self, height: int, width: int, live: bool) -> FrameRef | None:
        """Find the first gap that is wide enough, and enter a holding there."""
        needed = _blocks_for(height, width)
        starts = np.flatnonzero(self._tokens)
        gap_starts = np.concatenate(([0], starts + self._table["blocks"][starts]))
        gap_ends = np.concatenate((starts, [self.blocks]))
        gaps = np.flatnonzero(gap_ends - gap_starts >= needed)
        if not len(gaps):
            return None
        block = int(gap_starts[gaps[0]])
        token = int(self._next[0])
        self._next[0] = token + 1
        writer = this_process()
        # The row is written while its token is 0, that is while it says nothing; the token's store makes it count.
        self._table[block] = (0, needed, height, width, live, 0, time.monotonic_ns(), *writer)
        self._tokens[block] = token
        return FrameRef(token, block, height, width, self.identity, live)

    def _collect(self) -> bool:
        """Free the holdings of dead writers, and live ones that were forgotten; says whether there were any."""
        now_ns = time.monotonic_ns()
        alive: dict[Writer, bool] = {}
        freed = False
        for block in np.flatnonzero(self._tokens):
            row = self._table[block]
            writer = Writer(int(row["pid"]), int(row["started"]), int(row["space"]))
            if not row["sent"] and writer not in alive:
                alive[writer] = is_alive(writer)
            orphaned = not row["sent"] and not alive[writer]
            forgotten = row["live"] and now_ns - int(row["at_ns"]) > self._life_ns
            if orphaned or forgotten:
                self._tokens[block] = 0
                freed = True
        return freed

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """The table is ours alone, among threads and processes.

        The file is opened anew each time (5 us): a lock belongs to an opening, so threads and forked children, which
        would share one, exclude each other too. A process that was stopped with the lock in hand must not hang us.
        """
        handle = os.open(f"/proc/self/fd/{self._file}", os.O_RDWR)
        try:
            until_s = time.monotonic() + LOCK_LIMIT_S
            while True:
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > until_s:
                        raise StorageError(
                            f"the frame store {self._path} has been locked by another process for {LOCK_LIMIT_S:g} s: "
                            "end processes of Maskwatch that are stopped, and run again"
                        ) from None
                    time.sleep(LOCK_RETRY_S)
            yield
        finally:
            os.close(handle)


def _blocks_for(height: int, width: int) -> int:
    return -(-height * width * 3 // BLOCK)
