"""The faces of a person in breach as time goes on: which moments are kept, and their small pictures.

They are for the people who review an event, and change nothing about it. What is chosen depends on the results alone, so
that whoever begins again at the last transaction chooses the same.
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
from storage.database.batch import Batch, FaceShot, Key
from storage.messages import NS_PER_S, Box, FrameRef
from storage.words import Label

if TYPE_CHECKING:
    from classify.memory import Memory

MOST: Final = 8
"""Portraits of one event."""

LEAST_GAP_NS: Final = 7 * NS_PER_S // 10

CLEARER: Final = 1.33
"""One gives way to one that follows within the gap and is clearer by this factor: each costs an encoding."""


class Portrait(msgspec.Struct, array_like=True):
    """When a face was kept, and how clear it is, in no unit."""

    at_ns: int
    clear: float


def take_portrait(portraits: list[Portrait], at_ns: int, clear: float) -> tuple[bool, int | None]:
    """Decide whether a face is kept, and bring the list up to date.

    The next one is due after `LEAST_GAP_NS` or, of a long breach, an equal share of what it has lasted: so no more are
    ever made than a few for each doubling of its length, and those that stay are spread evenly.

    Args:
        portraits: kept so far, in order of time, at most `MOST`.
        at_ns: later than all of them.
        clear: how clear it is.

    Returns:
        Whether it is kept, and the time of the one that goes for it, if one does.
    """
    if portraits:
        last = portraits[-1]
        gap_ns = max(LEAST_GAP_NS, (last.at_ns - portraits[0].at_ns) // (MOST - 1))
        if at_ns - last.at_ns < gap_ns:
            if clear <= CLEARER * last.clear:
                return False, None
            portraits[-1] = Portrait(at_ns, clear)
            return True, last.at_ns
    portraits.append(Portrait(at_ns, clear))
    if len(portraits) <= MOST:
        return True, None
    # The first and the last one stay.
    densest = min(range(1, MOST), key=lambda at: portraits[at + 1].at_ns - portraits[at - 1].at_ns)
    return True, portraits.pop(densest).at_ns


@dataclass(slots=True)
class Portraits:
    """What is to be written down next of the faces of all cameras of a partition; those that wait for their pixels."""

    _due: dict[Key, dict[int, tuple[FrameRef, Box, Label]]] = field(default_factory=dict)

    def note(self, camera: str, memory: "Memory", step: Step, batch: Batch) -> None:
        """Take what a result changed."""
        result, changes, begun = step.result, step.changes, memory.camera.begun
        with_event = {event.track for event in changes.events}
        if result is not None and result.frame is not None and begun is not None:
            for sighting in changes.sightings:
                if sighting.label in begun.labels:
                    face = result.faces[sighting.face]
                    clear = (0.05 + quality.weight(face, begun.min_face_px)) * math.sqrt(max(face.box[2:]))
                    portraits = memory.faces.setdefault(sighting.track, [])
                    kept, gone = take_portrait(portraits, result.at_ns, round(clear, 4))
                    if kept:
                        key = camera, sighting.track
                        due = self._due.setdefault(key, {})
                        due[result.at_ns] = (result.frame, face.box, sighting.label)
                        if gone is not None:
                            due.pop(gone, None)
                            batch.faces.setdefault(key, {})[gone] = None
                elif sighting.label is not Label.UNKNOWN and sighting.track not in with_event:
                    # It came to nothing.
                    self._forget(camera, sighting.track, memory, batch)
        for number in changes.closed:
            if number in with_event:
                memory.faces.pop(number, None)
            else:
                self._forget(camera, number, memory, batch)

    def wanted(self, batch: Batch) -> Iterator[tuple[FrameRef, Develop]]:
        """The frames that pictures are to be made of for a batch, while their pixels are held."""
        for key, due in self._due.items():
            for at_ns, (frame, box, label) in due.items():
                yield frame, partial(_develop, batch.faces, (key, at_ns), box, label)

    def developed(self) -> None:
        """All that was wanted is made."""
        self._due = {}

    def begin_anew(self, camera: str, memory: "Memory", with_event: Collection[int], batch: Batch) -> None:
        """Forget who was in view of a camera but for events: of everybody else no face is kept.

        Args:
            camera: whose memory could not be used.
            memory: of the camera.
            with_event: numbers of tracks that have one and are still in view.
            batch: that the faces would be in.
        """
        memory.faces = {number: kept for number, kept in memory.faces.items() if number in with_event}
        self._drop(camera, batch, with_event)
        batch.strays.add(camera)

    def void(self, camera: str, memory: "Memory", batch: Batch) -> None:
        """Forget all of a camera: its footage begins anew."""
        memory.faces = {}
        self._drop(camera, batch, ())
        batch.faceless = {key for key in batch.faceless if key[0] != camera}
        batch.strays.discard(camera)

    def _forget(self, camera: str, number: int, memory: "Memory", batch: Batch) -> None:
        if memory.faces.pop(number, None) is not None:
            key = camera, number
            self._due.pop(key, None)
            batch.faces.pop(key, None)
            batch.faceless.add(key)

    def _drop(self, camera: str, batch: Batch, but: Collection[int]) -> None:
        for facts in (self._due, batch.faces):
            for key in [key for key in facts if key[0] == camera and key[1] not in but]:
                facts.pop(key)


def _develop(
    faces: dict[Key, dict[int, FaceShot | None]],
    moment: tuple[Key, int],
    box: Box,
    label: Label,
    rgb: NDArray[np.uint8],
) -> None:
    key, at_ns = moment
    if (jpeg := face_jpeg(rgb, box)) is not None:
        faces.setdefault(key, {})[at_ns] = FaceShot(label, jpeg)
