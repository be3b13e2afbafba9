"""The `aggregate` role: one partition's messages in, facts in the database out, each exactly once.

Facts, memory and position go into one transaction; pixels are released and the stream is trimmed only after it. Whatever
happens before it (a kill, a full disk, a lost lease) is undone by beginning again at the position of the last one.
"""

import time
from collections.abc import Callable
from typing import Final

import numpy as np
import structlog
from numpy.typing import NDArray

from classify.desk import Desk
from classify.ordering import Stuck, Taken, give_up, stuck, take, turn_over
from storage.bus import Bus
from storage.database.ledger import LeaseHeldError, LeaseLostError, Ledger
from storage.errors import StorageError
from storage.frames import FrameGoneError, FrameStore
from storage.messages import FrameRef
from storage.pulse import Pulse
from storage.snapshots import SnapshotFolder

READ: Final = 200
"""Messages taken in before a transaction, at most."""

BLOCK_MS: Final = 100
COMMIT_S: Final = 0.1
"""Least time between two transactions: what arrives meanwhile shares one."""

SAMPLE_WAIT_S: Final = 5.0
"""A live camera's missing sample is waited for this long: a killed worker is back by then, and does it again."""

EPOCH_WAIT_S: Final = 0.5
"""What an ingest process left on its way when it was killed has arrived by then: its successor takes longer to start."""

RENEW_S: Final = 1.0
RETRY_S: Final = 1.0

log = structlog.get_logger(__name__)


class Aggregator:
    """Takes in messages of one partition while it has the lease."""

    def __init__(self, bus: Bus, partition: int, ledger: Ledger, frames: FrameStore, snapshots: SnapshotFolder) -> None:
        """Take the lease and go back to the last transaction.

        Raises:
            LeaseHeldError: another process has it.
            StorageError: the database can't be used.
            BusError: Redis is gone.
        """
        self._bus, self._partition, self._ledger = bus, partition, ledger
        self._frames, self._snapshots = frames, snapshots
        restored = ledger.acquire(bus.identity(), time.time_ns())
        self._position = restored.position
        self._desk = Desk.restored(restored.states, restored.candidates)
        self._stuck: dict[str, tuple[object, float]] = {}
        self._renewed_s = time.monotonic()
        # What the last transaction left to be done after it.
        frames.release(frame for memory in self._desk.memories.values() for frame in memory.released)
        bus.trim(partition, self._position)
        self._sweep()

    def turn(self) -> int:
        """Take in what has arrived, write it down, and say how many messages it was.

        Raises:
            LeaseLostError: another process has taken over; nothing was written.
            StorageError: nothing was written.
            BusError: Redis is gone.
        """
        started_s = time.monotonic()
        entries = self._bus.read(self._partition, self._position, count=READ, block_ms=BLOCK_MS)
        for position, message in entries:
            self._position = position
            self._put(message.camera, take(self._desk.memory(message.camera).camera, message))
        self._hurry()
        if entries or not self._desk.empty:
            self._commit()
            # Frames are released by now; only then may what comes next wait for company.
            time.sleep(max(0.0, min(COMMIT_S, started_s + COMMIT_S - time.monotonic())) if len(entries) < READ else 0.0)
        elif time.monotonic() - self._renewed_s > RENEW_S:
            self._ledger.renew(time.time_ns())
            self._renewed_s = time.monotonic()
        return len(entries)

    def _put(self, camera: str, taken: Taken) -> None:
        self._desk.put(camera, taken)
        if taken.lost:
            log.warning("samples lost", camera=camera, samples=taken.lost)

    def _hurry(self) -> None:
        """Give up on what live cameras have waited for too long."""
        now_s = time.monotonic()
        for camera, memory in self._desk.memories.items():
            state = memory.camera
            reason = stuck(state)
            if reason is Stuck.NOTHING:
                self._stuck.pop(camera, None)
                continue
            waits_for = (reason, state.begun and state.begun.epoch, state.next_seq)
            known, since_s = self._stuck.setdefault(camera, (waits_for, now_s))
            if known != waits_for:
                self._stuck[camera] = (waits_for, now_s)
            elif now_s - since_s > (SAMPLE_WAIT_S if reason is Stuck.SAMPLE else EPOCH_WAIT_S):
                self._put(camera, give_up(state) if reason is Stuck.SAMPLE else turn_over(state))

    def _commit(self) -> None:
        batch = self._desk.finished(self._position, self._pixels, self._snapshots)
        self._ledger.commit(batch, time.time_ns())
        self._renewed_s = time.monotonic()
        self._frames.release(self._desk.cleared())
        self._bus.trim(self._partition, self._position)
        if batch.snapshots or batch.resets:
            self._sweep()

    def _sweep(self) -> None:
        """Remove pictures that no event names any more: first the file, then its row."""
        names = self._ledger.obsolete()
        for name in names:
            self._snapshots.discard(name)
        if names:
            self._ledger.forget(names)

    def _pixels(self, frame: FrameRef) -> NDArray[np.uint8] | None:
        try:
            return self._frames.view(frame)
        except FrameGoneError:
            log.warning("the picture of an event is gone", token=frame.token)
            return None


def run(make: Callable[[], Aggregator], pulse: Pulse) -> None:
    """Aggregate until asked to stop, beginning again after whatever a person or time can mend.

    Args:
        make: gives an aggregator that starts at the last transaction.
        pulse: shows what is being waited for.

    Raises:
        BusError: Redis is gone.
    """
    done, trouble = 0, None
    aggregator: Aggregator | None = None
    while not pulse.stopping:
        pulse.beat(done=done, trouble=trouble)
        try:
            aggregator = aggregator or make()
            done += aggregator.turn()
            if trouble is not None:
                log.warning("writing again", after=trouble)
                trouble = None
        except (LeaseHeldError, LeaseLostError) as error:
            log.warning("no lease", reason=str(error))
            aggregator = None
            pulse.wait(0.2)
        except StorageError as error:
            # Nothing is lost: messages wait in the stream, pixels in the frame store, and older ones are shed by ingest.
            if str(error) != trouble:
                log.error("cannot write: facts wait until this is mended", reason=str(error))  # noqa: TRY400 a known cause
            aggregator, trouble = None, str(error)
            pulse.wait(RETRY_S)
