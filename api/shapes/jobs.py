"""Recorded footage: uploads, files under the media root, and jobs."""

import os
from functools import lru_cache
from pathlib import Path
from typing import Self

from pydantic import BaseModel, Field

from api.shapes.common import iso_or_none
from api.times import Instant, iso
from storage import jobs
from storage.jobs import ChunkState, JobState
from storage.media import LONGEST_PATH, MediaFile


class Upload(BaseModel):
    """Footage that was sent."""

    id: str = Field(examples=["u-0123456789abcdef"])
    name: str = Field(examples=["door.mp4"])
    bytes: int
    sha256: str = Field(examples=["e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"])


class Media(BaseModel):
    """A file under the media root."""

    path: str = Field(description="By which a job names it.", examples=["2026-07-01/door.mp4"])
    bytes: int
    modified_at: Instant

    @classmethod
    def of(cls, found: MediaFile) -> Self:
        """From the file."""
        return cls(path=found.path, bytes=found.bytes, modified_at=iso(found.modified_ns))


class MediaList(BaseModel):
    """Footage under the media root, by path."""

    items: list[Media]


class Model(BaseModel):
    """What looks at the footage."""

    name: str
    sha256: str
    backend: str
    detector: str


class JobFile(BaseModel):
    """A file of a job."""

    number: int = Field(description="From 0: by which its report and its video are asked for.")
    name: str = Field(description="Its path under the media root, or what its sender calls it.", examples=["door.mp4"])
    path: str | None = Field(
        description="Below the media root: by which it can be analysed again; null: it was sent, or is elsewhere."
    )
    upload_id: str | None
    footage_start: Instant | None = Field(description="Null: not known yet.")
    duration_s: float | None = Field(description="Likewise.")
    state: ChunkState
    done_s: float
    bytes: int | None = Field(description="Null: not known yet.")
    sha256: str | None = Field(description="Likewise.")
    not_decoded: list[str] = Field(description="What could not be decoded.")
    whole: str | None = Field(description="Why it is analysed in one piece, not in parallel; null: it is not.")
    annotated: bool = Field(description="Whether its video with boxes and labels is there.")

    @classmethod
    def of(cls, file: jobs.JobFile, media: Path | None) -> Self:
        """From the record; where the media root is not told, no path is."""
        return cls(
            number=file.number,
            name=file.name,
            path=None if media is None or file.upload_id is not None else _below(file.path, media),
            upload_id=file.upload_id,
            footage_start=iso_or_none(file.start_ns),
            duration_s=file.duration_s,
            state=file.state,
            done_s=file.done_s,
            bytes=file.size,
            sha256=file.sha256,
            not_decoded=list(file.not_decoded),
            whole=file.whole,
            annotated=file.annotated is not None,
        )


class Job(BaseModel):
    """Recorded footage being processed, or that was."""

    id: str = Field(examples=["j-0123456789"])
    state: JobState
    camera_id: str
    building_id: str = Field(description="Where it was seen, as are all passages and events of the job.")
    zone_id: str | None
    created_at: Instant
    created_by: str
    started_at: Instant | None
    ended_at: Instant | None
    footage_start: Instant | None = Field(description="Of the first file; null: not known yet.")
    given_start: Instant | None = Field(description="When the first file began, as it was given; null: it was not.")
    name_pattern: str | None = Field(description="How the files' names say when they began; null: it was not given.")
    footage_s: float | None = Field(description="Seconds of footage in all files; null: not known yet.")
    done_s: float = Field(description="Seconds of it that are done.")
    progress: float = Field(ge=0, le=1, description="1 only once it is done.")
    realtime_factor: float | None = Field(description="Seconds of footage in a second; null: not known yet.")
    eta_s: float | None = Field(description="How much longer it takes; null: not known, or it has ended.")
    faces: int = Field(description="Sightings so far.")
    tracks: int = Field(description="0 until it is done.")
    events: int = Field(description="Likewise.")
    not_decoded: list[str] = Field(description="What could not be decoded, a sentence each.")
    fps: float = Field(description="Samples that are analysed of a second of footage.")
    model: Model | None = Field(description="Null: not known yet.")
    annotate: bool = Field(description="Whether videos with boxes and labels are wanted.")
    annotated: bool = Field(description="Whether they are there.")
    replaced_by: str | None = Field(
        description="The job that has its passages and events: a later one that analysed the same footage anew, or an "
        "earlier one that had done so already."
    )
    error: str | None = Field(description="Why it waits, or has failed.")
    files: list[JobFile]

    @classmethod
    def of(cls, job: jobs.Job, media: Path | None) -> Self:
        """From the record.

        Args:
            job: as it is now.
            media: the media root; None: it is not told where files are below it.
        """
        model = job.model
        return cls(
            id=job.id,
            state=job.state,
            camera_id=job.camera_id,
            building_id=job.building_id,
            zone_id=job.zone_id,
            created_at=iso(job.created_at_ns),
            created_by=job.created_by,
            started_at=iso_or_none(job.started_at_ns),
            ended_at=iso_or_none(job.ended_at_ns),
            footage_start=iso_or_none(job.start_ns),
            given_start=iso_or_none(job.options.start_ns),
            name_pattern=job.options.name_pattern,
            footage_s=job.footage_s,
            done_s=job.done_s,
            progress=job.progress,
            realtime_factor=job.realtime_factor,
            eta_s=job.eta_s,
            faces=job.faces,
            tracks=job.tracks,
            events=job.events,
            not_decoded=list(job.not_decoded),
            fps=job.options.fps,
            model=model and Model(name=model.name, sha256=model.sha256, backend=model.backend, detector=model.detector),
            annotate=job.options.annotate,
            annotated=any(file.annotated is not None for file in job.files),
            replaced_by=job.replaced_by,
            error=job.error,
            files=[JobFile.of(file, media) for file in job.files],
        )


def _below(path: str, media: Path) -> str | None:
    """Where a file is below the media root; None where it is not below it, so that nothing is told of what is elsewhere."""
    for root in (str(media), _real(media)):
        below = path.removeprefix(f"{root.rstrip('/')}/")
        if below != path and len(below) <= LONGEST_PATH and ".." not in below.split("/"):
            return below
    return None


@lru_cache(maxsize=8)
def _real(media: Path) -> str:
    """The media root, links followed: jobs know files by that. Asked once, not of a share that is away by then."""
    return os.path.realpath(media)
