"""Buildings, zones, cameras and how these fare."""

from typing import Literal, Self

import msgspec
from pydantic import BaseModel, Field

from api.shapes.common import Breach, iso_or_none
from api.times import Instant, iso
from storage.database import records
from storage.hours import Day
from storage.status import CameraState, CameraStatus, StateReason


class Hours(BaseModel):
    """A time of day on some days of the week."""

    days: list[Day] = Field(description="On which it begins.")
    from_: str = Field(alias="from", description="First minute.", examples=["08:00"])
    to: str = Field(
        description="First minute after it; at or before `from`: on the next day.", examples=["18:30", "24:00"]
    )


class Policy(BaseModel):
    """What counts as a breach."""

    labels: list[Breach] = Field(description="Labels that are non-compliant.")
    dwell_s: float = Field(description="Seconds that a breach must last to become an event.")
    hours: list[Hours] | None = Field(
        description="When passages are counted, by the clock in the building's time zone; null: always."
    )

    @classmethod
    def of(cls, policy: records.Policy) -> Self:
        """From the record."""
        return cls.model_validate(msgspec.to_builtins(policy))


class Thresholds(BaseModel):
    """How sure the system has to be; null: as everywhere."""

    detection: float | None = Field(description="From which a find starts a track.")
    confidence: float | None = Field(description="Least confidence for a label.")


class Region(BaseModel):
    """A part of the picture."""

    mode: Literal["watch", "ignore"]
    points: list[tuple[float, float]] = Field(description="Corners, as shares of width and height.")


class Building(BaseModel):
    """A building."""

    id: str
    name: str
    timezone: str = Field(description="IANA name.", examples=["Europe/Berlin"])
    retention_days: int = Field(description="How long what was seen there is kept.")
    policy: Policy = Field(description="Which its new cameras get.")
    spot_share: float = Field(description="Share of its passages that people check, drawn at random; 0: none.")
    version: int
    created_at: Instant
    archived_at: Instant | None

    @classmethod
    def of(cls, building: records.Building) -> Self:
        """From the record."""
        return cls(
            id=building.id,
            name=building.name,
            timezone=building.timezone,
            retention_days=building.retention_days,
            policy=Policy.of(building.policy),
            spot_share=building.spot_share,
            version=building.version,
            created_at=iso(building.created_at_ns),
            archived_at=iso_or_none(building.archived_at_ns),
        )


class Zone(BaseModel):
    """A part of a building."""

    id: str
    building_id: str
    name: str

    @classmethod
    def of(cls, zone: records.Zone) -> Self:
        """From the record."""
        return cls(id=zone.id, building_id=zone.building_id, name=zone.name)


class Camera(BaseModel):
    """A registered camera; passwords in addresses are `***`."""

    id: str
    name: str
    building_id: str
    zone_id: str | None
    url: str
    substream_url: str | None
    enabled: bool = Field(description="Whether it is watched.")
    counts: bool = Field(description="Whether its passages go into totals.")
    analyze_fps: float = Field(description="Samples a second.")
    min_face_px: int = Field(description="Smallest face that is judged.")
    regions: list[Region]
    policy: Policy
    thresholds: Thresholds
    transport: Literal["tcp", "udp"] = Field(description="Of RTSP.")
    credential: str | None = Field(description="Name of the user and password that are put into the addresses.")
    trouble: str | None = Field(description="Why the addresses can't be used: their passwords can't be read.")
    version: int
    created_at: Instant
    archived_at: Instant | None

    @classmethod
    def of(cls, camera: records.Camera) -> Self:
        """From the record."""
        return cls(
            id=camera.id,
            name=camera.name,
            building_id=camera.building_id,
            zone_id=camera.zone_id,
            url=camera.shown_url,
            substream_url=camera.shown_substream_url,
            enabled=camera.enabled,
            counts=camera.counts,
            analyze_fps=camera.analyze_fps,
            min_face_px=camera.min_face_px,
            regions=[Region(mode=region.mode, points=list(region.points)) for region in camera.regions],
            policy=Policy.of(camera.policy),
            thresholds=Thresholds(detection=camera.thresholds.detection, confidence=camera.thresholds.confidence),
            transport=camera.transport,
            credential=camera.credential,
            trouble=camera.trouble,
            version=camera.version,
            created_at=iso(camera.created_at_ns),
            archived_at=iso_or_none(camera.archived_at_ns),
        )


class Status(BaseModel):
    """How a camera fares."""

    state: CameraState
    reason: StateReason | None = Field(description="Why it is not live.")
    since: Instant
    fps_in: float = Field(description="Frames a second that arrive.")
    fps_analyzed: float = Field(description="Samples a second that are looked at.")
    dropped: int = Field(description="Samples lost since the camera was registered.")
    last_frame_at: Instant | None
    clock: str = Field(description="Where capture times come from.", examples=["rtcp"])

    @classmethod
    def of(cls, status: CameraStatus, dropped: int) -> Self:
        """From what the bus and the database know."""
        return cls(
            state=status.state,
            reason=status.reason,
            since=iso(status.since_ns),
            fps_in=round(status.fps_in, 2),
            fps_analyzed=round(status.fps_analyzed, 2),
            dropped=dropped,
            last_frame_at=iso_or_none(status.last_frame_at_ns),
            clock=status.clock,
        )
