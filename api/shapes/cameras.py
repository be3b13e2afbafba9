"""What came of connecting to cameras, of lists of cameras, and the users that cameras share."""

from typing import Literal, Self

from pydantic import BaseModel, Field

from api.shapes import sites
from api.times import Instant, iso
from storage.camera_list import Mistake
from storage.database import records
from storage.database.camera_import import Import, Imported
from storage.probing import Probe
from storage.status import CameraStatus, StateReason


class Status(sites.Status):
    """How a camera fares, and why."""

    detail: str | None = Field(description="The reason in a sentence, with what to do next; null while it is live.")
    drops: dict[str, int] = Field(
        description="Samples that were not looked at since its ingest process began, by where they were dropped: `late`, "
        "`no_room`, `shed`, `behind`, `bus`, `classify` (more faces than can be classified)."
    )
    warnings: list[str] = Field(
        description="What has changed for the worse since it was set up, a sentence each; those that begin with "
        "`substream:` say what keeps the camera from idling."
    )
    reconnects: int = Field(description="How often it was connected to anew since its ingest process began.")

    @classmethod
    def of(cls, status: CameraStatus, dropped: int) -> Self:
        """From what the bus and the database know."""
        return cls(
            **sites.Status.of(status, dropped).model_dump(),
            detail=status.detail,
            drops=status.drops,
            warnings=list(status.warnings),
            reconnects=status.reconnects,
        )


class StreamCheck(BaseModel):
    """What came of connecting to a stream."""

    ok: bool = Field(description="Whether it shows a picture.")
    reason: StateReason | None = Field(description="Why it does not.")
    detail: str | None = Field(description="Likewise, in a sentence, with what to do next.")
    codec: str | None = Field(examples=["h264"])
    width: int | None = Field(description="Of its picture, in pixels.")
    height: int | None
    fps: float | None = Field(description="Frames a second, measured; null where too few came.")
    first_frame_s: float | None = Field(description="Seconds from the beginning of connecting to the first picture.")
    clock: str | None = Field(description="Where capture times come from.", examples=["rtcp"])

    @classmethod
    def of(cls, probe: Probe) -> Self:
        """From what was found."""
        return cls.model_validate(probe, from_attributes=True)


class Check(StreamCheck):
    """What came of connecting to a camera."""

    substream: StreamCheck | None = Field(description="The same of the smaller stream, where there is one.")


class Tested(Check):
    """The same, and of what."""

    camera_id: str | None = Field(description="Null for an address that is no camera's.")
    url: str

    @classmethod
    def by(cls, probe: Probe, camera_id: str | None, url: str) -> Self:
        """From what was found at an address, as it may be shown."""
        return cls(**Check.of(probe).model_dump(), camera_id=camera_id, url=url)


class Registered(sites.Camera):
    """A camera, and whether it can be reached."""

    check: Check | None = Field(description="Null where nobody looked.")

    @classmethod
    def with_check(cls, camera: records.Camera, probe: Probe | None) -> Self:
        """From the record and what was found."""
        shown = sites.Camera.of(camera).model_dump(by_alias=True)
        return cls.model_validate({**shown, "check": None if probe is None else Check.of(probe)})


class ImportedCamera(BaseModel):
    """What became of a line of a list."""

    line: int = Field(description="Of the file, from 1; of a JSON list the place, from 1.")
    name: str
    action: Literal["new", "changed", "unchanged"]
    columns: list[str] = Field(description="That changed.")
    camera_id: str = Field(description="Of a new camera in a dry run: the one it would get.")
    url: str
    check: Check | None = Field(description="Whether it can be reached; null where nobody looked.")

    @classmethod
    def of(cls, imported: Imported, probe: Probe | None = None) -> Self:
        """From what became of it."""
        return cls(
            line=imported.line,
            name=imported.camera.name,
            action=imported.action,
            columns=list(imported.columns),
            camera_id=imported.camera.id,
            url=imported.camera.shown_url,
            check=None if probe is None else Check.of(probe),
        )


class ImportMistake(BaseModel):
    """Why a line of a list can't be taken."""

    line: int = Field(description="0 for the list as a whole.")
    message: str

    @classmethod
    def of(cls, mistake: Mistake) -> Self:
        """From what is wrong."""
        return cls(line=mistake.line, message=mistake.message)


class ImportReport(BaseModel):
    """What became of a list."""

    applied: bool = Field(description="Whether it is so now; false for a dry run.")
    checked: bool = Field(
        False,
        description="Whether it was seen which can be reached; never in a dry run, which connects to nothing (that of "
        "`maskwatch camera import` does).",
    )
    made: list[str] = Field(description="Buildings, and zones as `building / zone`, that were made for it.")
    cameras: list[ImportedCamera]

    @classmethod
    def of(cls, found: Import) -> Self:
        """From what became of it."""
        return cls(
            applied=found.applied, made=list(found.made), cameras=[ImportedCamera.of(one) for one in found.cameras]
        )


class Credential(BaseModel):
    """A user that cameras share; its password is never given out."""

    name: str
    user: str
    version: int
    created_at: Instant
    changed_at: Instant

    @classmethod
    def of(cls, credential: records.Credential) -> Self:
        """From the record."""
        return cls(
            name=credential.name,
            user=credential.user,
            version=credential.version,
            created_at=iso(credential.created_at_ns),
            changed_at=iso(credential.changed_at_ns),
        )
