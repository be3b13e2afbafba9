"""What travels between the rooms: one sampled moment of one camera, with the faces seen in it, and what came of it.

Times are integer nanoseconds, from the start of the footage or since the epoch, so that no rounding can reorder them.
A moment's key is `(camera, epoch, seq)`: every start of an ingest process is a new epoch of its cameras, in which
samples are numbered from 0, in capture order, without a gap.
"""

from enum import StrEnum
from typing import Final, Self

import msgspec
import numpy as np
from numpy.typing import NDArray

from storage.regions import Region
from storage.words import EVENT_LABELS, Label, UnknownReason

NS_PER_S: Final = 1_000_000_000
MESSAGE_VERSION: Final = 1

Box = tuple[int, int, int, int]
"""x, y, width, height in source pixels, origin top left."""


class Look(StrEnum):
    """How much of a sample the detector looked at."""

    FULL = "full"
    MOTION = "motion"
    NONE = "none"


class FrameRef(msgspec.Struct, frozen=True, array_like=True):
    """Where the pixels of a sample are kept; see `storage.frames` and `storage.remote_frames`.

    Attributes:
        token: of this holding; no two holdings share one.
        block: where it begins.
        height, width: of the (height, width, 3) uint8 RGB picture.
        store: which one it is; see `storage.frame_access`. Empty: of a version that knew only one.
        live: it may be given up; a picture of footage never is.
    """

    token: int
    block: int
    height: int
    width: int
    store: str = ""
    live: bool = False


class Sample(msgspec.Struct, frozen=True, tag="sample"):
    """A moment that deserves a look, on its way to `detect`.

    Attributes:
        camera, epoch, seq: its key.
        at_ns: capture time.
        look: how much of it is to be looked at, never `NONE`.
        min_face_px: smallest face that is judged.
        frame: its pixels.
        motion: the (rows, columns) grid of active cells, bit by bit, row after row.
        regions: parts of the picture to watch or to ignore.
    """

    camera: str
    epoch: int
    seq: int
    at_ns: int
    look: Look
    min_face_px: int
    frame: FrameRef
    motion: bytes
    rows: int
    columns: int
    regions: tuple[Region, ...] = ()
    version: int = MESSAGE_VERSION

    def active(self) -> NDArray[np.bool_]:
        """The grid of active cells, (rows, columns) bool."""
        cells = np.unpackbits(np.frombuffer(self.motion, np.uint8), count=self.rows * self.columns)
        return cells.reshape(self.rows, self.columns).astype(np.bool_)


class Found(msgspec.Struct, frozen=True, tag="found"):
    """The faces found in a sample, on their way to `classify`; the arrays as their bytes, so that no bit is lost."""

    sample: Sample
    boxes: bytes
    scores: bytes
    keypoints: bytes
    version: int = MESSAGE_VERSION

    @classmethod
    def of(
        cls, sample: Sample, boxes: NDArray[np.float32], scores: NDArray[np.float32], keypoints: NDArray[np.float32]
    ) -> Self:
        """Pack (N, 4) boxes, (N,) scores and (N, 6, 2) keypoints, all float32."""
        return cls(sample, boxes.tobytes(), scores.tobytes(), keypoints.tobytes())

    def arrays(self) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
        """Boxes, scores and keypoints as they were packed."""
        boxes, scores, keypoints = (
            np.frombuffer(part, np.float32) for part in (self.boxes, self.scores, self.keypoints)
        )
        return boxes.reshape(-1, 4), scores, keypoints.reshape(len(scores), -1, 2)


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


class Begin(msgspec.Struct, frozen=True, tag="begin"):
    """A camera's new epoch: sent before its first sample.

    Attributes:
        camera, epoch: which.
        at_ns: when, on the clock of the samples.
        live: samples may get lost, and are waited for only so long; of footage none is.
        dwell_ns, min_face_px, sample_ns, labels, detection, confidence: what its results are judged by; see
            `classify.fold.Rules`.
        after: the epoch that this one goes on from without a break, and how many samples that one had; None where a new
            watch begins.
    """

    camera: str
    epoch: int
    at_ns: int
    live: bool
    dwell_ns: int
    min_face_px: int
    sample_ns: int
    labels: tuple[Label, ...] = EVENT_LABELS
    detection: float | None = None
    confidence: float | None = None
    after: tuple[int, int] | None = None
    version: int = MESSAGE_VERSION


class Result(msgspec.Struct, frozen=True, tag="result"):
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
        frame: its pixels, which the frame store holds until this result is taken in.
        by: the classifier that judged the faces of recorded footage, see `classified_by`; else empty.
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
    frame: FrameRef | None = None
    version: int = MESSAGE_VERSION
    by: str = ""


class Lost(msgspec.Struct, frozen=True, tag="lost"):
    """Samples of a live camera that were shed: nobody waits for them.

    Attributes:
        camera, epoch: whose.
        first, last: their numbers, both included.
        at_ns: capture time of the last one.
    """

    camera: str
    epoch: int
    first: int
    last: int
    at_ns: int
    version: int = MESSAGE_VERSION


class End(msgspec.Struct, frozen=True, tag="end"):
    """The source has ended, or the camera was removed: every passage is over.

    Attributes:
        camera, epoch: whose.
        seq: number of the samples in this epoch.
    """

    camera: str
    epoch: int
    seq: int
    version: int = MESSAGE_VERSION


Message = Begin | Result | Lost | End
"""What the aggregator takes in."""


class Track(msgspec.Struct, frozen=True):
    """One passage of one person, as known so far.

    Attributes:
        number: unique within the camera, by creation.
        first_seen_ns, last_seen_ns: first and last sighting.
        faces: number of sightings.
        label: by the evidence of all faces.
        confidence: in [0, 1].
        unknown_reason: when the label is `unknown`.
        counted: the label is final: the person is gone, or has been in view for so long that it was settled.
        closed: the person is gone.
    """

    number: int
    first_seen_ns: int
    last_seen_ns: int
    faces: int
    label: Label
    confidence: float
    unknown_reason: UnknownReason | None
    counted: bool
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


def classified_by(sha256: str, backend: str) -> str:
    """A classifier in one short word: two that could judge differently have different ones.

    >>> classified_by("00ff" * 16, "litert")
    '00ff00ff00ff00ff/litert'
    """
    return f"{sha256[:16]}/{backend}"


def seconds(ns: int) -> float:
    """Nanoseconds as seconds with three decimals, as reports give them."""
    return round(ns / NS_PER_S, 3)


def nanoseconds(value_s: float) -> int:
    """Seconds as whole nanoseconds."""
    return round(value_s * NS_PER_S)
