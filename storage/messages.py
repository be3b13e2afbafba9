"""What travels between the rooms: one sampled moment of one camera, with the faces seen in it, and what came of it.

Times are integer nanoseconds, from the start of the footage or since the epoch, so that no rounding can reorder them.
"""

from enum import StrEnum
from typing import Final

import msgspec

from storage.words import Label, UnknownReason

NS_PER_S: Final = 1_000_000_000
RESULT_VERSION: Final = 1

Box = tuple[int, int, int, int]
"""x, y, width, height in source pixels, origin top left."""


class Look(StrEnum):
    """How much of a sample the detector looked at."""

    FULL = "full"
    MOTION = "motion"
    NONE = "none"


class Face(msgspec.Struct, frozen=True, array_like=True):
    """One classified face of one sample.

    Attributes:
        box: in source pixels.
        detection_score: the detector's confidence, in [0, 1].
        probabilities: of `MASK_LABELS`, in that order, calibrated, adding up to 1.
        presence: how sure the classifier is that this is a face at all, in [0, 1].
        sharpness: in [0, 1], 0 where every fine structure is lost; see `classify.quality`.
        brightness: mean luma of the face, in [0, 1].
        turn: how far the face is turned sideways, 0 frontal, 1 profile.
        thumbnail: 64 bytes, the face as 8x8 grey levels: enough to tell a new moment from a repeated one, too little
            to tell a person.
    """

    box: Box
    detection_score: float
    probabilities: tuple[float, float, float]
    presence: float
    sharpness: float
    brightness: float
    turn: float
    thumbnail: bytes


class Result(msgspec.Struct, frozen=True):
    """All that was seen in one sample; `(camera, epoch, seq)` is its key.

    Attributes:
        camera: identifier.
        epoch: the start of the ingest process that took the sample.
        seq: number of the sample within the epoch, in capture order.
        at_ns: capture time.
        width, height: of the source picture in pixels.
        look: how much of it the detector saw.
        faces: what it saw.
        failed: why the sample could not be analysed, or None.
    """

    camera: str
    epoch: int
    seq: int
    at_ns: int
    width: int
    height: int
    look: Look
    faces: tuple[Face, ...] = ()
    failed: str | None = None
    version: int = RESULT_VERSION


class Track(msgspec.Struct, frozen=True):
    """One passage of one person, as known so far.

    Attributes:
        number: unique within the camera, by creation.
        first_seen_ns, last_seen_ns: first and last sighting.
        faces: number of sightings.
        label: by the evidence of all faces.
        confidence: in [0, 1].
        unknown_reason: when the label is `unknown`.
        closed: the person is gone.
    """

    number: int
    first_seen_ns: int
    last_seen_ns: int
    faces: int
    label: Label
    confidence: float
    unknown_reason: UnknownReason | None
    closed: bool


class Event(msgspec.Struct, frozen=True):
    """A track that broke the rule for at least the dwell time, as known so far.

    Attributes:
        track: number of its track.
        label: type of the event: the label of its longest non-compliant stretch.
        started_ns: start of the first such stretch.
        ended_ns: last sighting of the track.
        corrected_ns: since when the person wears the mask properly, or None.
        confidence: in [0, 1], of the longest stretch.
        closed: the track has ended.
    """

    track: int
    label: Label
    started_ns: int
    ended_ns: int
    corrected_ns: int | None
    confidence: float
    closed: bool


class Sighting(msgspec.Struct, frozen=True):
    """A face of a result was given to a track.

    Attributes:
        track: number of the track.
        face: position in `Result.faces`.
        label: what the person wears at this moment.
    """

    track: int
    face: int
    label: Label


class Changes(msgspec.Struct, frozen=True):
    """What one result changed.

    Attributes:
        sightings: which face belongs to which track.
        tracks: confirmed tracks that changed.
        events: events that opened or changed.
        closed: numbers of the tracks, confirmed or not, of which nothing more will come.
        pictures: sightings that are the best picture so far of a stretch that is, or may become, an event.
    """

    sightings: tuple[Sighting, ...] = ()
    tracks: tuple[Track, ...] = ()
    events: tuple[Event, ...] = ()
    pictures: tuple[Sighting, ...] = ()
    closed: tuple[int, ...] = ()


def seconds(ns: int) -> float:
    """Nanoseconds as seconds with three decimals, as reports give them."""
    return round(ns / NS_PER_S, 3)


def nanoseconds(value_s: float) -> int:
    """Seconds as whole nanoseconds."""
    return round(value_s * NS_PER_S)
