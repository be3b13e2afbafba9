"""The `aggregate` role: one partition's messages in, facts in the database out, each exactly once.

Facts, memory and position go into one transaction; pixels are released and the stream is trimmed only after it. A kill or
a lost lease before it is undone by beginning again at the position of the last one. While the database or the disk can't be
written, facts gather in memory, pictures of events with them, and the stream is kept: nothing that was seen is lost.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import numpy as np
import structlog
from numpy.typing import NDArray

from classify.desk import Desk
from classify.ordering import Stuck, Taken, abandon, give_up, stuck, take, turn_over
from classify.showing import Showing
from storage.bus import Bus
from storage.database.batch import Kept
from storage.database.ledger import LeaseHeldError, LeaseLostError, Ledger
from storage.errors import StorageError
from storage.frame_access import Frames
from storage.frames import FrameGoneError
from storage.messages import FrameRef
from storage.pulse import Pulse
from storage.snapshots import SnapshotFolder
from storage.telling import Telling

READ: Final = 200
"""Messages taken in before a transaction, at most."""

BLOCK_MS: Final = 100
COMMIT_S: Final = 0.1
"""Least time between two transactions: what arrives meanwhile shares one."""

ABANDONED_S: Final = 60.0
"""A live camera says something every second, even when it is away. One that has said nothing for so long is not watched
any more: it was removed, or nobody is there to watch it."""

SAMPLE_WAIT_S: Final = 5.0
"""A live camera's missing sample is waited for this long: a killed worker is back by then, and does it again."""

EPOCH_WAIT_S: Final = 1.0
"""Once nothing has come of an old epoch for so long, what was left of it on its way when it ended has arrived."""

RENEW_S: Final = 1.0
RETRY_S: Final = 1.0
DRAWING_S: Final = 5.0
"""How often it is read again which buildings want passages to be checked."""

WIPE_S: Final = 60.0
"""How often pictures are removed that nobody checked in time."""

STAND_BY_S: Final = 0.5
"""How often is asked for a lease that somebody else has."""

log = structlog.get_logger(__name__)


class Aggregator:
    """Takes in messages of one partition while it has the lease."""

    def __init__(self, bus: Bus, partition: int, ledger: Ledger, frames: Frames, snapshots: SnapshotFolder) -> None:
        """Take the lease and go back to the last transaction.

        Raises:
            LeaseHeldError: another process has it.
            StorageError: the database can't be used.
            BusError: Redis is gone.
        """
        self._bus, self._partition, self._ledger = bus, partition, ledger
        self._frames, self._snapshots = frames, snapshots
        self._telling = Telling(bus)
        self._showing = Showing(bus)
        restored = ledger.acquire(bus.identity(), time.time_ns())
        self._position = restored.position
        self._desk = Desk.restored(restored.states, restored.candidates)
        for camera, reason in list(self._desk.unreadable.items()):
            self._begin_anew(camera, reason)
        self._written = restored.position
        self._stuck: dict[str, tuple[object, float]] = {}
        self._heard_s: dict[str, float] = dict.fromkeys(self._desk.memories, time.monotonic())
        self._renewed_s = time.monotonic()
        self._retry_s = 0.0
        self.trouble: str | None = None
        """Why nothing can be written just now."""
        self._desk.draw_by(ledger.drawing())
        self._drawn_by_s = self._renewed_s
        self._wiped_s = self._renewed_s - WIPE_S
        # What the last transaction left to be done after it.
        frames.release(frame for memory in self._desk.memories.values() for frame in memory.released)
        bus.trim(partition, self._position)
        self._sweep()

    def turn(self) -> int:
        """Take in what has arrived, write it down, and say how many messages it was.

        Raises:
            LeaseHeldError: likewise.
            LeaseLostError: another process has taken over; nothing was written.
            StorageError: a camera's memory could not be used, and neither could the database: begin again.
            BusError: Redis is gone.
        """
        started_s = time.monotonic()
        entries = self._bus.read(self._partition, self._position, count=READ, block_ms=BLOCK_MS)
        self._desk.looked_at = self._showing.wanted(self._desk.memories)
        self._look_up()
        for position, message in entries:
            self._position = position
            self._heard_s[message.camera] = started_s
            self._put(message.camera, take(self._desk.memory(message.camera).camera, message))
        self._hurry()
        if time.monotonic() >= self._retry_s:
            self._write(unwritten=bool(entries) or self._position != self._written or not self._desk.empty)
        if len(entries) < READ:
            # Frames are released by now; only then may what comes next wait for company.
            time.sleep(max(0.0, min(COMMIT_S, started_s + COMMIT_S - time.monotonic())) if entries else 0.0)
        return len(entries)

    def _put(self, camera: str, taken: Taken) -> None:
        self._desk.put(camera, taken)
        if taken.broken is not None:
            self._begin_anew(camera, taken.broken)
        if taken.lost:
            log.warning("samples lost", camera=camera, samples=taken.lost)

    def _begin_anew(self, camera: str, reason: str) -> None:
        self._desk.begin_anew(camera, time.time_ns(), reason, self._ledger.left_open(camera))

    def _look_up(self) -> None:
        """Now and then, ask the database what passages people want to check, and remove what they did not."""
        now_s = time.monotonic()
        if self.trouble is not None:
            return
        with suppress(StorageError):
            if now_s - self._drawn_by_s > DRAWING_S:
                self._drawn_by_s = now_s
                self._desk.draw_by(self._ledger.drawing())
            if now_s - self._wiped_s > WIPE_S:
                self._wiped_s = now_s
                self._ledger.wipe_old(time.time_ns())

    def _hurry(self) -> None:
        """Give up on what live cameras have waited for too long."""
        now_s = time.monotonic()
        for camera, memory in self._desk.memories.items():
            state = memory.camera
            if state.begun is not None and state.begun.live and now_s - self._heard_s[camera] > ABANDONED_S:
                self._put(camera, abandon(state))
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

    def _write(self, *, unwritten: bool) -> None:
        """Write down what there is, or at least keep the lease."""
        try:
            if self.trouble is not None:
                self._resume()
            if unwritten:
                self._commit()
            elif time.monotonic() - self._renewed_s > RENEW_S:
                self._ledger.renew(time.time_ns())
                self._renewed_s = time.monotonic()
            self.trouble = None
        except StorageError as error:
            self.trouble, self._retry_s = str(error), time.monotonic() + RETRY_S
            # Their pictures are taken: who sends more need not wait for this to be mended.
            self._frames.release(self._desk.done_with())

    def _resume(self) -> None:
        """Take the lease again, and find out whether what seemed to fail was written after all."""
        restored = self._ledger.acquire(self._bus.identity(), time.time_ns())
        if restored.position != self._written:
            raise LeaseLostError(f"partition {self._partition} has moved on: beginning again at its last transaction")

    def _commit(self) -> None:
        batch, pictures = self._desk.finished(self._position, self._pixels)
        if pictures:
            named = {key: self._snapshots.name(picture.jpeg) for key, picture in pictures.items()}
            self._ledger.announce({name: key[0] for key, name in named.items()}, time.time_ns())
            for key, picture in pictures.items():
                self._snapshots.keep(picture.jpeg)
                batch.snapshots[key] = Kept(named[key], len(picture.jpeg), picture.box, picture.at_ns)
        written = self._ledger.commit(batch, time.time_ns())
        self._renewed_s, self._written = time.monotonic(), self._position
        self._frames.release(self._desk.cleared())
        self._bus.trim(self._partition, self._position)
        self._telling.tell(written.news)
        if moments := self._desk.moments():
            self._showing.tell(moments, written.outside)
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
    standing_by = False
    while not pulse.stopping:
        pulse.beat(done=done, trouble=trouble)
        before, trouble = trouble, None
        try:
            aggregator = aggregator or make()
            standing_by = False
            done += aggregator.turn()
            trouble = aggregator.trouble
        except (LeaseHeldError, LeaseLostError) as error:
            if not standing_by:
                log.warning("standing by", reason=str(error))
            aggregator, standing_by = None, True
            pulse.wait(STAND_BY_S)
        except StorageError as error:
            aggregator, trouble = None, str(error)
            pulse.wait(RETRY_S)
        if trouble is not None and trouble != before:
            log.error("cannot write: facts wait until this is mended", reason=trouble)
        elif trouble is None and before is not None and aggregator is not None:
            log.warning("writing again", after=before)
