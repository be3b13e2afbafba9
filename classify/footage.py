"""From the results of recorded footage to its facts: the same fold and the same desk as of a live camera, file by file.

Time is that of the file until a fact leaves: so what is found does not depend on when the footage was recorded.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from classify.desk import Desk
from classify.memory import Memory
from classify.ordering import CameraState, Taken, take
from classify.tracks import FoldState
from storage.database.batch import Batch, Key
from storage.errors import InputError
from storage.messages import Begin, Changes, End, Event, FrameRef, Result, Track, seconds
from storage.paths import pack, unpack
from storage.snapshots import Picture

MOST_WAITING: Final = 16
"""Events that are over and wait for their pictures: each of those takes some hundred KiB until it is kept."""


@dataclass(frozen=True, slots=True)
class Hands:
    """What a fold needs others to do.

    Attributes:
        pixels: gives the frame at a time from the start of the file, (height, width, 3) uint8 RGB; None where it can't be
            decoded again. It is asked in order of time, for each frame once.
        keep: takes the pictures of events that are over, each event's once.
        note: told of every result, None when the file has ended, and what it changed; times are from the start of the file.
    """

    pixels: Callable[[int], NDArray[np.uint8] | None]
    keep: Callable[[Mapping[Key, Picture]], None]
    note: Callable[[Result | None, Changes], None]


class FootageFold:
    """One file of a job.

    >>> fold = FootageFold(begin, start_ns, batch, hands)  # doctest: +SKIP
    >>> for chunk in chunks:  # doctest: +SKIP
    ...     fold.take(chunk.results(begin.camera, begin.epoch))
    >>> fold.end()  # doctest: +SKIP
    """

    def __init__(self, begin: Begin, start_ns: int, batch: Batch, hands: Hands, *, last_number: int = 0) -> None:
        """Begin a file; nobody is in view.

        Args:
            begin: what it is judged by, from the time 0 on; its camera is what the job goes by in the batch's keys.
            start_ns: when the file began, Unix time.
            batch: takes in the facts, with times as Unix time.
            hands: see there.
            last_number: the last number given to a track in the files before.
        """
        self._begin, self._start_ns, self._batch, self._hands = begin, start_ns, batch, hands
        self._memory = Memory(CameraState(fold=FoldState(last_number=last_number)))
        self._desk = Desk({begin.camera: self._memory})
        self._samples = 0
        self._waiting: set[Key] = set()
        self._pictures: dict[Key, Picture] = {}
        self._put(take(self._memory.camera, begin), 0)

    @property
    def last_number(self) -> int:
        """The last number given to a track."""
        return self._memory.camera.fold.last_number

    @property
    def set_aside(self) -> list[str]:
        """Which samples could not be analysed, the latest ones, in sentences."""
        return [
            f"the sample at {seconds(at_ns):.3f} s was set aside: {reason}" for at_ns, reason in self._memory.set_aside
        ]

    def take(self, results: Iterable[Result]) -> None:
        """Take in the next results, with `FrameRef`s whose token is the time; see `storage.footage_results`.

        Raises:
            InputError: they can't be followed.
        """
        for result in results:
            self._put(take(self._memory.camera, result), result.at_ns)
            self._samples += 1
            if len(self._waiting) >= MOST_WAITING:
                self._develop()

    def end(self) -> None:
        """The file has ended: whoever was in view has gone. Afterwards all that is known of it is in the batch.

        Raises:
            InputError: what was seen can't be followed, or samples are missing in between.
        """
        begin, state = self._begin, self._memory.camera
        last_ns = state.last_ns or 0
        if state.next_seq != self._samples:
            raise InputError(
                f"what was seen in the footage is not whole: sample {state.next_seq} is missing; submit it again"
            )
        self._put(take(state, End(begin.camera, begin.epoch, self._samples)), last_ns)
        self._develop()

    def _put(self, taken: Taken, at_ns: int) -> None:
        if taken.broken is not None:
            raise InputError(
                f"what was seen in the footage at {seconds(at_ns):.3f} s can't be followed: {taken.broken}"
            )
        self._desk.put(self._begin.camera, taken)
        for step in taken.steps:
            self._hands.note(step.result, step.changes)
            self._waiting |= {(self._begin.camera, event.track) for event in step.changes.events if event.closed}

    def _develop(self) -> None:
        """Take the pictures that are wanted so far, and hand on what is settled."""
        facts, pictures = self._desk.finished("", self._pixels)
        self._desk.cleared()
        self._absorb(facts)
        self._pictures |= pictures
        over = {
            key: msgspec.structs.replace(picture, at_ns=None if picture.at_ns is None else self._moved(picture.at_ns))
            for key, picture in sorted(self._pictures.items())
            if key in self._waiting
        }
        self._pictures = {key: picture for key, picture in self._pictures.items() if key not in over}
        self._waiting = set()
        if over:
            self._hands.keep(over)

    def _pixels(self, frame: FrameRef) -> NDArray[np.uint8] | None:
        return self._hands.pixels(frame.token)

    def _moved(self, at_ns: int) -> int:
        return self._start_ns + at_ns

    def _absorb(self, facts: Batch) -> None:
        """Put the desk's facts into the job's batch; what was kept for later, and is not needed any more, goes."""
        batch = self._batch
        batch.tracks |= {key: self._track(track) for key, track in facts.tracks.items()}
        batch.events |= {key: self._event(event) for key, event in facts.events.items()}
        if facts.forgotten:
            batch.paths = [part for part in batch.paths if part[:2] not in facts.forgotten]
        for camera, number, part, boxes in facts.paths:
            if (camera, number) not in facts.forgotten:
                moved = [msgspec.structs.replace(seen, at_ns=self._moved(seen.at_ns)) for seen in unpack([boxes])]
                batch.paths.append((camera, number, part, pack(moved)))
        for key in facts.faceless:
            batch.faces.pop(key, None)
        for key, shots in facts.faces.items():
            kept = batch.faces.setdefault(key, {})
            for at_ns, shot in shots.items():
                if shot is None:
                    kept.pop(self._moved(at_ns), None)
                else:
                    kept[self._moved(at_ns)] = shot

    def _track(self, track: Track) -> Track:
        return msgspec.structs.replace(
            track, first_seen_ns=self._moved(track.first_seen_ns), last_seen_ns=self._moved(track.last_seen_ns)
        )

    def _event(self, event: Event) -> Event:
        corrected_ns = None if event.corrected_ns is None else self._moved(event.corrected_ns)
        started_ns, ended_ns = self._moved(event.started_ns), self._moved(event.ended_ns)
        return msgspec.structs.replace(event, started_ns=started_ns, ended_ns=ended_ns, corrected_ns=corrected_ns)
