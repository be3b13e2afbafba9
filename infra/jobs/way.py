"""The samples of a chunk go to `detect` and `classify`, the same as those of live cameras, and their results come back.

A few are on their way at a time; live ones come first. What is not known for sure to be right is not kept: whatever gets
lost, or is looked at by another model than the job's, ends in `RedoError`, and the chunk is analysed anew.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from infra.jobs.lease import Lease
from infra.jobs.place import JobsPlace
from storage.bus import BusError
from storage.database.job_notes import JobNotes
from storage.errors import MaskwatchError, StorageError
from storage.job_work import HeldChunk
from storage.messages import FrameRef, Lost, Result, Sample, classified_by
from storage.shift import BLIND, GONE

MOST_SENT: Final = 6
"""Samples of a chunk that are on their way at a time: they keep two workers busy, and take little of the frame store."""

MOST_WAITING: Final = 3
"""Footage waits while more samples than this wait for a look: live ones come first."""

READ_MS: Final = 100
ROOM_WAIT_S: Final = 0.02
RETRY_S: Final = 0.25
TELL_S: Final = 10.0
"""Who waits for so long says for what."""

GIVE_UP_S: Final = 60.0
"""A bus, or a frame store, that is away is waited for so long."""

ANSWER_S: Final = 120.0
"""A sample that is tried again and again, by worker after worker that it kills, takes less."""

LOOK_S: Final = 1.0


class RedoError(MaskwatchError):
    """Something got lost, or is not as it has to be: it may be as it should next time."""


class Way:
    """The way of one chunk's samples.

    >>> with Way(place, held, lease) as way:  # doctest: +SKIP
    ...     for rgb, sample in samples:
    ...         way.send(rgb, sample)
    ...     way.wait()
    """

    def __init__(self, place: JobsPlace, held: HeldChunk, lease: Lease) -> None:
        """Open it; `with` makes it known.

        Args:
            place: of the process.
            held: the chunk.
            lease: that keeps it.
        """
        self.results: list[Result] = []
        """All that came back, in any order, without pictures."""
        self._place, self._lease, self._job = place, lease, held.key.job
        self._source = held.key.source(held.token)
        self._by = classified_by(held.model.sha256, held.model.backend)
        self._notes = JobNotes(place.engine)
        self._sent: dict[int, tuple[float, FrameRef]] = {}
        self._after = "0-0"
        self._identity = ""
        self._looked_s = 0.0
        self._noted: str | None = None

    def __enter__(self) -> Self:
        self._identity = self._place.bus.identity()
        self._place.footage.begin(self._source)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._place.trouble = None
        # What is still on its way arrives for nobody: whoever looks after jobs releases it. What got lost never arrives.
        if self._sent and not self._arrives():
            with suppress(MaskwatchError):
                self._place.frames.release([ref for _, ref in self._sent.values()])
        if not self._sent and kind is None:
            self._place.footage.end(self._source)

    @property
    def faces(self) -> int:
        """Found so far."""
        return sum(len(result.faces) for result in self.results)

    def send(self, rgb: NDArray[np.uint8], sample: Sample) -> None:
        """Send a sample, when there is room for it.

        Args:
            rgb: its (height, width, 3) uint8 picture.
            sample: with any reference for a picture.

        Raises:
            RedoError: see above; also when there is no room for any such picture.
            BusError, StorageError: Redis, or the frame store, stayed away.
            LeaseLostError, JobCancelledError, StopAskedError: see `Lease.check`.
        """
        height, width = rgb.shape[:2]
        if not self._place.frames.fits(height, width):
            raise RedoError(f"the frame store has no room for {width}x{height}: raise MASKWATCH_FRAMES_MIB")
        self._wait_for(lambda: len(self._sent) < MOST_SENT, "")
        self._wait_for(
            lambda: self._place.footage.samples_waiting() <= MOST_WAITING,
            "live cameras need all of `detect`, or none of its workers is at work; it goes on by itself",
        )
        held: list[FrameRef] = []

        def put() -> bool:
            ref = self._place.frames.put(rgb, live=False)
            held.extend([] if ref is None else [ref])
            return ref is not None

        try:
            self._wait_for(put, "live cameras need all of the frame store; it goes on by itself (MASKWATCH_FRAMES_MIB)")
            self._place.bus.send_sample(replace(sample, camera=self._source, frame=held[0]))
        except MaskwatchError:
            # It may be on its way all the same: then whoever looks at it finds that it is gone.
            with suppress(MaskwatchError):
                self._place.frames.release(held)
            raise
        self._sent[sample.seq] = time.monotonic(), held[0]
        self._place.frames.sent(held[0])

    def wait(self) -> None:
        """Wait for all results; raises as `send` does."""
        self._wait_for(lambda: not self._sent, "")

    def _wait_for(self, condition: Callable[[], bool], why: str) -> None:
        """Take in results until something holds."""
        began_s, away_s = time.monotonic(), None
        while True:
            self._lease.check()
            try:
                # Nearly always there is nothing to wait for; results are read once something has to be.
                if condition():
                    break
                # First what has arrived: while the database was away, nobody looked.
                self._take_in(READ_MS if self._sent else 0)
                self._look_around()
                if not self._sent:
                    self._place.pulse.wait(ROOM_WAIT_S)
                away_s = None
            except (BusError, StorageError) as error:
                away_s = away_s or time.monotonic()
                if time.monotonic() - away_s > GIVE_UP_S:
                    raise
                self._place.trouble = str(error)
                self._place.pulse.wait(RETRY_S)
            if why and time.monotonic() - began_s > TELL_S:
                self._note(why)
        self._note(None)

    def _take_in(self, block_ms: int) -> None:
        for entry, message in self._place.footage.read(self._source, self._after, block_ms=block_ms):
            self._after = entry
            if isinstance(message, Lost):
                raise RedoError("samples of it were shed; it is analysed anew")
            if message.frame is not None:
                self._place.frames.release([message.frame])
            # A worker that died while it said so says it twice.
            if self._sent.pop(message.seq, None) is not None:
                self._check(message)
                self.results.append(replace(message, frame=None))
        self._lease.faces = self.faces

    def _check(self, result: Result) -> None:
        if result.by not in {"", self._by}:
            raise RedoError(
                f"classify workers use another model ({result.by}) than the job was planned with ({self._by}): start them "
                "with that one, or cancel the job and submit it again"
            )
        if result.failed is not None and (GONE in result.failed or BLIND in result.failed):
            raise RedoError(f"{result.failed}; it is analysed anew")

    def _look_around(self) -> None:
        """Now and then: is there still anything to wait for?"""
        now_s = time.monotonic()
        if now_s - self._looked_s < LOOK_S:
            return
        self._looked_s = now_s
        if not self._is_same():
            raise RedoError("Redis has lost what it held; it is analysed anew")
        if self._is_late(now_s):
            raise RedoError(f"`detect` and `classify` have not answered for {ANSWER_S:g} s: see that they are at work")

    def _is_same(self) -> bool:
        """Whether Redis still holds what was sent."""
        return self._place.bus.identity() == self._identity

    def _is_late(self, now_s: float) -> bool:
        """Whether something has not been answered for too long."""
        return bool(self._sent) and now_s - min(sent_s for sent_s, _ in self._sent.values()) > ANSWER_S

    def _arrives(self) -> bool:
        """Whether what is on its way can be expected still; False also where Redis is away: nothing is spoilt by that."""
        try:
            return self._is_same() and not self._is_late(time.monotonic())
        except BusError:
            return False

    def _note(self, why: str | None) -> None:
        """Let people see why the job does not go on; and that it does."""
        if why != self._noted:
            self._noted, self._place.trouble = why, why
            self._notes.note(self._job, why)
