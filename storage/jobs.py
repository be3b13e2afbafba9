"""Jobs in words: recorded footage that is processed, in files and chunks."""

from enum import StrEnum
from typing import Final

import msgspec

from storage.database.records import Policy
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
ACTIVE: Final = (JobState.QUEUED, JobState.RUNNING, JobState.WAITING)
"""There is something to be done."""


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


class NewFile(msgspec.Struct, frozen=True):
    """A file of a job that is submitted.

    Attributes:
        name: as people know it: its path under the media root, or what its sender calls it.
        path: where it is read, absolute.
        upload_id: of one that was sent to us.
        start_ns: when it began, Unix time; None: see `JobOptions.start_ns`.
    """

    name: str
    path: str
    upload_id: str | None = None
    start_ns: int | None = None


class NewJob(msgspec.Struct, frozen=True):
    """A job to be submitted.

    Attributes:
        camera_id: whose footage it is.
        files: 1 to 10,000, in order.
        building_id, zone_id: where it was seen; None: where the camera is now.
        fps, policy: see `JobOptions`; None: the camera's.
        annotate, fresh, start_ns, name_pattern, chunk_s: see `JobOptions`.
    """

    camera_id: str
    files: tuple[NewFile, ...]
    building_id: str | None = None
    zone_id: str | None = None
    fps: float | None = None
    policy: Policy | None = None
    annotate: bool = False
    fresh: bool = False
    start_ns: int | None = None
    name_pattern: str | None = None
    chunk_s: float = CHUNK_S


class JobFile(msgspec.Struct, frozen=True):
    """A file of a job.

    Attributes:
        number: from 0.
        name, path, upload_id: see `NewFile`.
        start_ns, duration_s: when its footage began, Unix time, and how long it is; None: not known yet.
        size, sha256: of the file, the size in bytes; None: not known yet.
        state: `waiting`, `running` or `done`.
        done_s: how much of it is done.
        not_decoded: what could not be decoded, one sentence each.
        whole: why it is read in one piece; None: it is not.
        annotated: name of its video with boxes and labels, in the folder of these; of a job whose facts are another's now,
            that one's.
    """

    number: int
    name: str
    path: str
    upload_id: str | None
    start_ns: int | None
    duration_s: float | None
    size: int | None
    sha256: str | None
    state: ChunkState
    done_s: float
    not_decoded: tuple[str, ...]
    whole: str | None
    annotated: str | None


class Job(msgspec.Struct, frozen=True):
    """A job as it is now. Times are Unix time.

    Attributes:
        id, state, camera_id, building_id, zone_id: the latter three where it was seen.
        options: what it is analysed by.
        model: what looks at it; None: not planned yet.
        created_by: name of who submitted it.
        created_at_ns, started_at_ns, ended_at_ns: the latter two None before.
        start_ns: when the footage of its first file began; None: not known yet.
        files: in order.
        progress: 0 to 1; 1 only once it is done.
        footage_s: of all files; None: not known yet.
        done_s: of it, how much is done.
        realtime_factor: footage in relation to the time it took, since the job was started, what was known already left
            out; None: not known yet.
        eta_s: how much longer it takes; None: not known, all footage is done, or it has ended.
        faces: found so far.
        tracks, events: 0 until it is done.
        not_decoded: what could not be decoded, of all files.
        replaced_by: the job that has its facts: a later one that analysed the same footage anew, or an earlier one that
            had done so already.
        error: why it waits or has failed.
    """

    id: str
    state: JobState
    camera_id: str
    building_id: str
    zone_id: str | None
    options: JobOptions
    model: Pin | None
    created_by: str
    created_at_ns: int
    started_at_ns: int | None
    ended_at_ns: int | None
    start_ns: int | None
    files: tuple[JobFile, ...]
    progress: float
    footage_s: float | None
    done_s: float
    realtime_factor: float | None
    eta_s: float | None
    faces: int
    tracks: int
    events: int
    not_decoded: tuple[str, ...]
    replaced_by: str | None
    error: str | None


class JobsWanted(msgspec.Struct, frozen=True):
    """Which jobs; None: all."""

    state: JobState | None = None
    camera: str | None = None
    building: str | None = None


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
