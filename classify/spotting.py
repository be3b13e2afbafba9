"""Passages that people may be asked to check: of each the best face so far is kept until it is over and its label is known.

Who may be drawn is known from a passage's first moment on, by its identifier: of all others no face is kept. What is found
out about passages does not depend on any of this.
"""

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from classify import quality
from classify.developing import Develop
from classify.ordering import Step
from storage.close_ups import face_jpeg
from storage.database.batch import Batch, Drawn, Key, track_id
from storage.messages import Box, FrameRef, Track
from storage.spot_checks import Drawing

if TYPE_CHECKING:
    from classify.memory import Memory

CLEARER: Final = 1.15
"""A face takes the place of the one before if it is clearer by this factor: each costs an encoding."""

SIDES: Final = (160, 224)
"""Least and largest longer side of the picture."""


class Spot(msgspec.Struct, array_like=True):
    """A passage that may be drawn.

    Attributes:
        share: of the building, when the passage began.
        clear: how clear the best face so far is, in no unit; 0 before the first.
        jpeg: its picture; None where there is none yet.
    """

    share: float
    clear: float = 0.0
    jpeg: bytes | None = None


@dataclass(slots=True)
class Spotting:
    """What waits for its pixels, of all cameras of a partition.

    Attributes:
        drawing: by which passages are drawn.
    """

    drawing: Drawing = field(default_factory=Drawing)
    _due: dict[Key, tuple[FrameRef, Box]] = field(default_factory=dict)
    _over: dict[Key, tuple[Spot, float]] = field(default_factory=dict)

    def draw_by(self, drawing: Drawing, memories: "dict[str, Memory]") -> list[str]:
        """Draw so from now on; gives the cameras of which faces were forgotten: people do not want them any more."""
        self.drawing = drawing
        changed = []
        for camera, memory in memories.items():
            if memory.spots and drawing.share(camera) == 0.0:
                self._drop(camera)
                memory.spots = {}
                changed.append(camera)
        return changed

    def note(self, camera: str, memory: "Memory", step: Step) -> None:
        """Take what a result changed; to be called before the sightings go into the memory's paths."""
        result, changes, begun = step.result, step.changes, memory.camera.begun
        share = self.drawing.share(camera)
        if result is not None and begun is not None and begun.live and share > 0.0:
            for sighting in changes.sightings:
                number = sighting.track
                if number not in memory.paths and self.drawing.may_be_drawn(track_id((camera, number)), share):
                    memory.spots[number] = Spot(share)
                spot = memory.spots.get(number)
                if spot is None or result.frame is None:
                    continue
                face = result.faces[sighting.face]
                clear = (0.05 + quality.weight(face, begun.min_face_px)) * math.sqrt(max(face.box[2:]))
                if clear > CLEARER * spot.clear:
                    spot.clear = round(clear, 4)
                    self._due[camera, number] = (result.frame, face.box)
        tracks = {track.number: track for track in changes.tracks}
        for number in changes.closed:
            self._end(camera, number, memory, tracks.get(number))

    def wanted(self, memories: "dict[str, Memory]") -> Iterator[tuple[FrameRef, Develop]]:
        """The frames that pictures are to be made of, while their pixels are held."""
        for key, (frame, box) in self._due.items():
            over = self._over.get(key)
            spot = over[0] if over else memories[key[0]].spots.get(key[1])
            if spot is not None:
                yield frame, partial(_develop, spot, box)

    def developed(self, batch: Batch) -> None:
        """All that was wanted is made: passages that are drawn go into the batch with it."""
        self._due = {}
        for key, (spot, probability) in self._over.items():
            # Without a picture there is nothing to check.
            if spot.jpeg is not None:
                batch.drawn[key] = Drawn(probability, spot.jpeg)
        self._over = {}

    def begin_anew(self, camera: str, memory: "Memory", present: Collection[int], batch: Batch) -> None:
        """Who was in view of a camera is forgotten: those passages are over.

        Args:
            camera: whose memory could not be used.
            memory: of the camera.
            present: numbers of tracks that are still in view.
            batch: with the passages as they are ended.
        """
        for number in sorted(memory.spots.keys() - present):
            self._end(camera, number, memory, batch.tracks.get((camera, number)))

    def void(self, camera: str, memory: "Memory", batch: Batch) -> None:
        """Forget all of a camera: its footage begins anew."""
        memory.spots = {}
        self._drop(camera)
        for key in [key for key in batch.drawn if key[0] == camera]:
            del batch.drawn[key]

    def _end(self, camera: str, number: int, memory: "Memory", track: Track | None) -> None:
        """A passage is over; `track` is None where it was none."""
        spot = memory.spots.pop(number, None)
        if spot is None:
            return
        key = camera, number
        probability = None
        if track is not None and self.drawing.share(camera) > 0.0:
            probability = self.drawing.drawn(track_id(key), spot.share, track.label)
        if probability is None:
            self._due.pop(key, None)
        else:
            self._over[key] = (spot, probability)

    def _drop(self, camera: str) -> None:
        for facts in (self._due, self._over):
            for key in [key for key in facts if key[0] == camera]:
                facts.pop(key)


def _develop(spot: Spot, box: Box, rgb: NDArray[np.uint8]) -> None:
    if (jpeg := face_jpeg(rgb, box, SIDES)) is not None:
        spot.jpeg = jpeg
