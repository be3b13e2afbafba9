"""Gathers what the messages of all cameras of a partition came to, until it is written down in one transaction."""

from collections import deque
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from typing import Final

import msgspec
import numpy as np
import structlog
from numpy.typing import NDArray

from classify.developing import Pixels, develop
from classify.memory import SPARE_NUMBERS, Memory, Path, read_memory
from classify.ordering import Step, Taken
from classify.portraits import Portraits
from classify.showing import moment_of
from classify.spotting import Spotting
from classify.suitability import see
from storage.database.batch import Batch, Key
from storage.database.left_open import LeftOpen
from storage.face_tally import Tally
from storage.messages import Box, Changes, FrameRef, Look, Result
from storage.paths import Seen, pack
from storage.preview import MOST_MOMENTS, Moment
from storage.snapshots import Picture, take_picture
from storage.spot_checks import Drawing

PATH_PART: Final = 64
"""Sightings that are stored together; the rest waits in the camera's memory."""

MOST_SET_ASIDE: Final = 20

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Desk:
    """What is to be written down next.

    Attributes:
        memories: of the cameras, by identifier.
        candidates: the best picture so far of each breach that is no event yet; by camera and track.
        batch: facts for the database.
        unreadable: cameras whose memory is not whole, and why: `begin_anew` with each of them before anything else.
        looked_at: cameras that somebody looks at; of these it is noted for previews where people are.
    """

    memories: dict[str, Memory] = field(default_factory=dict)
    candidates: dict[tuple[str, int], Picture] = field(default_factory=dict)
    batch: Batch = field(default_factory=Batch)
    unreadable: dict[str, str] = field(default_factory=dict)
    looked_at: frozenset[str] = frozenset()
    _moments: dict[str, deque[Moment]] = field(default_factory=dict)
    _frames: dict[str, list[FrameRef]] = field(default_factory=dict)
    _kept: dict[tuple[str, int], Picture] = field(default_factory=dict)
    _pictures: dict[tuple[str, int], tuple[FrameRef, Box, int]] = field(default_factory=dict)
    _portraits: Portraits = field(default_factory=Portraits)
    _spotting: Spotting = field(default_factory=Spotting)
    _gone: set[tuple[str, int]] = field(default_factory=set)
    _dirty: set[str] = field(default_factory=set)

    @classmethod
    def restored(cls, states: dict[str, bytes], candidates: dict[tuple[str, int], Picture]) -> "Desk":
        """The desk as the last transaction left it."""
        read = {camera: read_memory(state) for camera, state in states.items()}
        unreadable = {camera: reason for camera, (_, reason) in read.items() if reason is not None}
        return cls({camera: memory for camera, (memory, _) in read.items()}, dict(candidates), unreadable=unreadable)

    def memory(self, camera: str) -> Memory:
        """What is remembered of a camera."""
        return self.memories.setdefault(camera, Memory())

    def draw_by(self, drawing: Drawing) -> None:
        """From now on passages are drawn so for people to check; where they are not any more, no face is kept."""
        self._dirty.update(self._spotting.draw_by(drawing, self.memories))

    @property
    def empty(self) -> bool:
        """Whether there is nothing to write down but the position."""
        return not self._dirty

    def put(self, camera: str, taken: Taken) -> None:
        """Take what came of a message of `camera`."""
        if taken.dirty or taken.steps or taken.lost or taken.frames:
            self._dirty.add(camera)
        if taken.reset:
            self._void(camera)
        if taken.lost:
            self.batch.lost[camera] = self.batch.lost.get(camera, 0) + taken.lost
        for step in taken.steps:
            self._note(camera, step)
        self._frames.setdefault(camera, []).extend(taken.frames)

    def begin_anew(self, camera: str, at_ns: int, reason: str, known: LeftOpen) -> None:
        """Whoever was in view of a camera is forgotten: end the passages and events that nothing more will come of.

        Args:
            camera: whose memory could not be used.
            at_ns: the time.
            reason: why.
            known: what the database knows of it.
        """
        memory, batch = self.memories[camera], self.batch
        if camera in batch.resets:
            # What is there is void anyhow.
            known = LeftOpen()
        log.error("a camera's memory could not be used: who was in view is forgotten", camera=camera, reason=reason)
        memory.begun_anew += 1
        memory.set_aside = [*memory.set_aside, (at_ns, f"who was in view is forgotten: {reason}")][-MOST_SET_ASIDE:]
        present = {track.number for track in memory.camera.fold.tracks}
        if known.last_number > memory.camera.fold.last_number:
            memory.camera.fold.last_number = known.last_number + SPARE_NUMBERS
        tracks = {(camera, track.number): track for track in known.tracks}
        tracks |= {key: track for key, track in batch.tracks.items() if key[0] == camera}
        batch.tracks |= {
            key: msgspec.structs.replace(track, counted=True, closed=True)
            for key, track in tracks.items()
            if not track.closed and key[1] not in present
        }
        events = {(camera, event.track): event for event in known.events}
        events |= {key: event for key, event in batch.events.items() if key[0] == camera}
        batch.events |= {
            key: msgspec.structs.replace(event, closed=True)
            for key, event in events.items()
            if not event.closed and key[1] not in present
        }
        for number in memory.paths.keys() - present:
            path = memory.paths.pop(number)
            if path.seen and (camera, number) in tracks:
                batch.paths.append((camera, number, path.parts, pack(path.seen)))
            elif path.parts and (camera, number) not in tracks:
                batch.forgotten.add((camera, number))
        self._portraits.begin_anew(camera, memory, {number for _, number in events if number in present}, batch)
        self._spotting.begin_anew(camera, memory, present, batch)
        candidates = self.candidates.keys() | self._pictures.keys()
        self._gone |= {key for key in candidates if key[0] == camera and key[1] not in present}
        self._dirty.add(camera)
        self.unreadable.pop(camera, None)

    def finished(self, position: str, pixels: Pixels) -> tuple[Batch, dict[tuple[str, int], Picture]]:
        """The facts since the last transaction, and the pictures of events that belong to them.

        Afterwards no pixels are needed any more. Where the facts can't be written, more may be put to them, and this be
        called again.

        Args:
            position: in the results stream, up to which all is in it.
            pixels: gives the pictures, each at most once and in the order of their tokens; every one that is asked for
                is still held.
        """
        batch = self.batch
        batch.position = position
        self._develop(pixels)
        for key in [key for key in batch.events if key in self.candidates]:
            self._kept[key] = self.candidates.pop(key)
            batch.candidates[key] = None
        for key in self._gone & self.candidates.keys():
            del self.candidates[key]
            batch.candidates[key] = None
        for camera in self._dirty:
            self.memories[camera].released = self._frames.get(camera, [])
        batch.states = {camera: msgspec.msgpack.encode(self.memories[camera]) for camera in self._dirty}
        return batch, self._kept

    def cleared(self) -> list[FrameRef]:
        """Begin anew once the batch is safe; gives the holdings that can be released."""
        frames = self.done_with()
        self.batch, self._kept, self._gone, self._dirty = Batch(), {}, set(), set()
        return frames

    def moments(self) -> dict[str, deque[Moment]]:
        """Where people were on cameras that somebody looks at, once."""
        moments, self._moments = self._moments, {}
        return moments

    def done_with(self) -> list[FrameRef]:
        """The holdings of what is `finished`, once: all that is needed of their pixels has been taken."""
        frames = [frame for each in self._frames.values() for frame in each]
        self._frames = {}
        return frames

    def _develop(self, pixels: Pixels) -> None:
        own = (
            (frame, partial(self._picture, key, box, at_ns))
            for key, (frame, box, at_ns) in self._pictures.items()
            # Of a breach that came to nothing none is needed any more.
            if key not in self._gone or key in self.batch.events
        )
        develop(chain(own, self._portraits.wanted(self.batch), self._spotting.wanted(self.memories)), pixels)
        self._pictures = {}
        self._portraits.developed()
        self._spotting.developed(self.batch)

    def _picture(self, key: Key, box: Box, at_ns: int, rgb: NDArray[np.uint8]) -> None:
        self.candidates[key] = self.batch.candidates[key] = take_picture(rgb, box, at_ns)

    def _note(self, camera: str, step: Step) -> None:
        result, changes = step.result, step.changes
        self._spotting.note(camera, self.memories[camera], step)
        if result is not None:
            self._see(camera, result, changes)
            if camera in self.looked_at:
                self._moments.setdefault(camera, deque(maxlen=MOST_MOMENTS)).append(moment_of(result, changes))
        self._portraits.note(camera, self.memories[camera], step, self.batch)
        self._count(camera, step)
        for track in changes.tracks:
            self.batch.tracks[camera, track.number] = track
        for event in changes.events:
            self.batch.events[camera, event.track] = event
        closed, paths = set(changes.closed), self.memories[camera].paths
        passages = {track.number for track in changes.tracks}
        for number in closed | {sighting.track for sighting in changes.sightings}:
            path = paths.get(number)
            # Of a track that is no passage, what is left in the memory goes with it.
            ended = number in closed and number in passages
            if path is not None and path.seen and (ended or len(path.seen) >= PATH_PART):
                self.batch.paths.append((camera, number, path.parts, pack(path.seen)))
                path.parts += 1
                path.seen = []
        for number in closed:
            ending = paths.pop(number, None)
            self._gone.add((camera, number))
            if ending is not None and ending.parts and number not in passages:
                # A pattern that was taken for a face, maybe for days.
                self.batch.forgotten.add((camera, number))

    def _count(self, camera: str, step: Step) -> None:
        """Of a live camera it is told how well it sees."""
        memory = self.memories[camera]
        begun = memory.camera.begun
        if begun is None or not begun.live:
            return
        done = see(memory.seeing, step.result, step.changes, begun)
        if done is not None:
            hour_ns, tally = done
            self.batch.tallies.setdefault((camera, hour_ns), Tally()).add(tally)

    def _see(self, camera: str, result: Result, changes: Changes) -> None:
        memory = self.memories[camera]
        # Of a camera that is away there is nothing to analyse.
        if result.failed is not None and result.look is not Look.NONE:
            log.error("sample set aside", camera=camera, seq=result.seq, at_ns=result.at_ns, reason=result.failed)
            memory.set_aside = [*memory.set_aside, (result.at_ns, result.failed)][-MOST_SET_ASIDE:]
        for sighting in changes.sightings:
            path = memory.paths.setdefault(sighting.track, Path())
            path.seen.append(Seen(result.at_ns, result.faces[sighting.face].box, sighting.label))
        for picture in changes.pictures:
            if result.frame is not None:
                self._pictures[camera, picture.track] = (result.frame, result.faces[picture.face].box, result.at_ns)

    def _void(self, camera: str) -> None:
        batch = self.batch
        batch.resets.add(camera)
        self.memories[camera].paths, self.memories[camera].set_aside = {}, []
        self._portraits.void(camera, self.memories[camera], batch)
        self._spotting.void(camera, self.memories[camera], batch)
        for facts in (batch.tracks, batch.events, batch.candidates, self._kept, self.candidates, self._pictures):
            for key in [key for key in facts if key[0] == camera]:
                del facts[key]
        batch.paths = [part for part in batch.paths if part[0] != camera]
        batch.forgotten = {key for key in batch.forgotten if key[0] != camera}
        batch.lost.pop(camera, None)
        self._gone = {key for key in self._gone if key[0] != camera}
