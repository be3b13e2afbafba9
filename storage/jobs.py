"""Jobs in words: recorded footage that is processed, in files and chunks."""

from enum import StrEnum
from typing import Final

import msgspec

from storage.hours import Hours
from storage.regions import Region
from storage.words import EVENT_LABELS, Label

CHUNK_S: Final = 60.0
"""Seconds of footage in a chunk, about: chunks begin at keyframes."""

FOOTAGE: Final = "~"
"""What the source of a chunk's samples begins with; no camera's identifier does."""


class JobState(StrEnum):
    """How a job fares; the last three are final."""

    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"
    """Something that may pass keeps it: a full disk, no database, live cameras. `Job.error` says what."""
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"
    FAILED = "failed"
    DONE = "done"


FINAL: Final = (JobState.CANCELLED, JobState.FAILED, JobState.DONE)


class ChunkState(StrEnum):
    """How a chunk fares."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"


class JobOptions(msgspec.Struct, frozen=True):
    """What a job's footage is analysed by; settled when it is submitted.

    Attributes:
        fps: samples a second, 0.01 to 120.
        min_face_px: smallest face that is judged.
        dwell_s, labels, hours: see `storage.database.records.Policy`.
        detection, confidence: see `storage.database.records.Thresholds`.
        regions: parts of the picture to watch or to ignore.
        chunk_s: seconds of footage in a chunk, 1 to 3600.
        annotate: whether a video with boxes and labels is made of each file.
        fresh: whether what is known of the same footage is left aside, and replaced.
        start_ns: when the first file began, Unix time; the others follow without a gap. None: each says so itself.
        name_pattern: how the files' names say when they began, as for `datetime.strptime`, in the building's time zone
            unless it holds `%z`.
        timezone: the building's.
    """

    fps: float = 5.0
    min_face_px: int = 24
    dwell_s: float = 1.0
    labels: tuple[Label, ...] = EVENT_LABELS
    hours: tuple[Hours, ...] | None = None
    detection: float | None = None
    confidence: float | None = None
    regions: tuple[Region, ...] = ()
    chunk_s: float = CHUNK_S
    annotate: bool = False
    fresh: bool = False
    start_ns: int | None = None
    name_pattern: str | None = None
    timezone: str = "UTC"


class Pin(msgspec.Struct, frozen=True):
    """What looks at all of a job's footage, pinned when it is planned.

    Attributes:
        name, sha256, backend: of the classifier; see `storage.report.ModelInfo`.
        detector: name of the face detector.
    """

    name: str
    sha256: str
    backend: str
    detector: str


class ChunkKey(msgspec.Struct, frozen=True, order=True):
    """Which chunk: of a job, of its file (from 0), by number (from 0)."""

    job: str
    file: int
    number: int

    def source(self, token: int) -> str:
        """What its samples go by on the bus while it is held under a fencing token: nobody else's results get mixed in.

        >>> ChunkKey("j-1", 0, 3).source(2)
        '~j-1.0.3.2'
        """
        return f"{FOOTAGE}{self.job}.{self.file}.{self.number}.{token}"


def chunk_of(source: str) -> tuple[ChunkKey, int] | None:
    """The chunk and token that a source names, or None where it names a camera.

    >>> chunk_of("~j-1.0.3.2")
    (ChunkKey(job='j-1', file=0, number=3), 2)
    >>> chunk_of("c1")
    """
    if not source.startswith(FOOTAGE):
        return None
    job, file, number, token = source.removeprefix(FOOTAGE).split(".")
    return ChunkKey(job, int(file), int(number)), int(token)
