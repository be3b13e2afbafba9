"""What workers hold, get and give back of jobs: plain values, no rows. See `storage.database.job_work`."""

from typing import Final, Literal

import msgspec

from storage.errors import MaskwatchError
from storage.jobs import ChunkKey, JobOptions, Pin
from storage.telling import News

WINDOW: Final = 4
"""So many chunks of a job are sent out or held at a time."""

MOST_SENT: Final = 256
"""So much of all jobs is sent out or held at a time."""

MOST_DEATHS: Final = 20
"""What so many workers died with fails its job.

Workers also die of what has nothing to do with it: of machines that are restarted, or run out of memory. Each counts, and
among hundreds of those a chunk that is innocent meets five; a chunk that does kill costs twenty leases, and no more.
"""


class LeaseLostError(MaskwatchError):
    """Another worker has it now, or nobody needs it any more: what was found out is left to it."""


class JobCancelledError(MaskwatchError):
    """Somebody cancels the job: stop, and let go."""


class Todo(msgspec.Struct, frozen=True):
    """What a worker is to do.

    Attributes:
        kind: plan the job, analyse a chunk, or finish the job.
        job: which.
        key: of the chunk, else None.
    """

    kind: Literal["plan", "chunk", "finish"]
    job: str
    key: ChunkKey | None = None


class HeldFile(msgspec.Struct, frozen=True):
    """A file of a job that is held; see `storage.database.models.JobFileRow`. All but the first four None until planned.

    Attributes:
        number, name, path, upload_id: see `storage.jobs.JobFile` and `NewFile`; the upload None where it is none.
        size, modified_ns, sha256: as it was when it was planned; an upload's size and hash as it was sent.
        start_ns: when it began; before it is planned, what was given.
        duration_ns: how long its footage is.
        whole: why it is read in one piece.
    """

    number: int
    name: str
    path: str
    upload_id: str | None
    size: int | None
    modified_ns: int | None
    sha256: str | None
    start_ns: int | None
    duration_ns: int | None
    whole: str | None


class HeldJob(msgspec.Struct, frozen=True):
    """A job that a worker plans or finishes.

    Attributes:
        id: of the job.
        token: fencing token; each time that it is taken it is larger.
        planned: whether it is to be finished, else planned.
        camera_id, building_id, zone_id, counts: see `storage.database.rollups.Place`.
        options: what it is analysed by.
        model: what looks at it, once planned.
        files: in order.
    """

    id: str
    token: int
    planned: bool
    camera_id: str
    building_id: str
    zone_id: str | None
    counts: bool
    options: JobOptions
    model: Pin | None
    files: tuple[HeldFile, ...]


class HeldChunk(msgspec.Struct, frozen=True):
    """A chunk that a worker analyses.

    Attributes:
        key: which.
        token: fencing token; `key.source(token)` is what its samples go by.
        building_id: of the job.
        options, model: see `HeldJob`.
        file: that it is of.
        plan: of the file, as it was given to `save_plan`.
        start_ns, end_ns: see `Stretch`.
    """

    key: ChunkKey
    token: int
    building_id: str
    options: JobOptions
    model: Pin
    file: HeldFile
    plan: bytes
    start_ns: int
    end_ns: int


class Stretch(msgspec.Struct, frozen=True):
    """Of a file's footage, from `start_ns` to before `end_ns`, counted from where the file begins."""

    start_ns: int
    end_ns: int


class PlannedFile(msgspec.Struct, frozen=True):
    """What was found out of a file when it was planned.

    Attributes:
        number: which.
        size, modified_ns, sha256: of the file.
        start_ns: when it began, Unix time.
        duration_ns: how long its footage is.
        analysis: hex; files with the same one are looked at alike, chunk by chunk.
        plan: how it is cut up, MessagePack.
        chunks: in order.
        whole: why it is read in one piece; None: it is not.
        errors: what can't be decoded, one sentence each.
    """

    number: int
    size: int
    modified_ns: int
    sha256: str
    start_ns: int
    duration_ns: int
    analysis: str
    plan: bytes
    chunks: tuple[Stretch, ...]
    whole: str | None = None
    errors: tuple[str, ...] = ()


class FileReport(msgspec.Struct, frozen=True):
    """The report on a file of a job.

    Attributes:
        number: of the file.
        report: JSON.
        errors: what could not be decoded, one sentence each.
        annotated: name of its video with boxes and labels, in the folder of these.
    """

    number: int
    report: bytes
    errors: tuple[str, ...] = ()
    annotated: str | None = None


class Settled(msgspec.Struct, frozen=True):
    """What `settle` did.

    Attributes:
        news: of jobs that have ended.
        uploads: whose files are needed no more: remove these, then `forget_uploads`.
    """

    news: tuple[News, ...] = ()
    uploads: tuple[str, ...] = ()
