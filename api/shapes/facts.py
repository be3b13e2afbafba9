"""Tracks, events and totals."""

from typing import Any, Literal, Self

from pydantic import BaseModel, Field

from api.shapes.common import Breach, Verdict, iso_or_none
from api.times import Instant, iso
from storage.database.groups import GroupBy
from storage.database.reports import Entry, EventRecord, TrackRecord
from storage.database.statistics import COUNTS, Totals
from storage.words import Label, UnknownReason


class Track(BaseModel):
    """One passage of one person past one camera."""

    id: str
    camera_id: str
    building_id: str | None
    zone_id: str | None
    started_at: Instant
    ended_at: Instant = Field(description="Last sighting; of an open track so far.")
    faces: int = Field(description="Number of sightings.")
    label: Label
    confidence: float
    unknown_reason: UnknownReason | None
    state: Literal["open", "ended"]
    job_id: str | None
    outside_hours: bool = Field(description="Whether it began outside the policy's hours, and counts in no rate.")

    @classmethod
    def of(cls, track: TrackRecord) -> Self:
        """From the record."""
        return cls(
            id=track.id,
            camera_id=track.camera_id,
            building_id=track.building_id or None,
            zone_id=track.zone_id,
            started_at=iso(track.started_ns),
            ended_at=iso(track.ended_ns),
            faces=track.faces,
            label=Label(track.label),
            confidence=track.confidence,
            unknown_reason=None if track.unknown_reason is None else UnknownReason(track.unknown_reason),
            state="ended" if track.closed else "open",
            job_id=track.job_id,
            outside_hours=track.outside_hours,
        )


class Review(BaseModel):
    """What people said of an event."""

    verdict: Verdict
    reason: Literal["wrong_label", "not_a_person", "duplicate", "exempt"] | None
    label: Label | None
    note: str | None
    by: str | None
    at: Instant | None
    version: int


class Event(BaseModel):
    """A track that broke the rule for at least the dwell time."""

    id: str
    camera_id: str
    building_id: str | None
    zone_id: str | None
    track_id: str
    type: Breach
    state: Literal["ongoing", "ended"]
    started_at: Instant
    ended_at: Instant = Field(description="Last sighting; of an ongoing event so far.")
    corrected_at: Instant | None = Field(description="Since when the mask is worn properly.")
    confidence: float
    snapshot_url: str | None
    job_id: str | None
    machine_type: Breach = Field(description="What the system says; people may have given another `type`.")
    review: Review

    @classmethod
    def of(cls, event: EventRecord) -> Self:
        """From the record."""
        return cls.model_validate(
            {
                "id": event.id,
                "camera_id": event.camera_id,
                "building_id": event.building_id or None,
                "zone_id": event.zone_id,
                "track_id": event.track_id,
                "type": event.type,
                "state": "ended" if event.closed else "ongoing",
                "started_at": iso(event.started_ns),
                "ended_at": iso(event.ended_ns),
                "corrected_at": iso_or_none(event.corrected_ns),
                "confidence": event.confidence,
                "snapshot_url": None if event.snapshot is None else f"/api/v1/events/{event.id}/snapshot",
                "job_id": event.job_id,
                "machine_type": event.machine_type or event.type,
                "review": {
                    "verdict": event.verdict,
                    "reason": event.review_reason,
                    "label": event.review_label,
                    "note": event.review_note,
                    "by": event.reviewed_by,
                    "at": iso_or_none(event.reviewed_at_ns),
                    "version": event.review_version,
                },
            }
        )


class Group(BaseModel):
    """What a row of totals is about."""

    type: GroupBy
    id: str | None = Field(description="Null for what is in no zone, or in no building.")
    name: str | None


class Figures(BaseModel):
    """Totals of tracks; and of events, which count when they opened."""

    tracks: int = Field(description="Counted passages.")
    with_mask: int
    without_mask: int
    incorrect_mask: int
    unknown: int
    exempt: int
    outside_hours: int
    open_tracks: int = Field(description="Passages that are not over, and not counted yet.")
    events: int
    compliance_rate: float | None = Field(description="with_mask / (with_mask + without_mask + incorrect_mask).")
    interval: tuple[float, float] | None = Field(description="95 % Wilson interval: chance, not the model's errors.")
    unknown_reasons: dict[UnknownReason, int] = Field(description="The `unknown` ones, where the system gave a reason.")

    @classmethod
    def of_totals(cls, totals: Totals) -> Self:
        """From the totals."""
        return cls.model_validate(figures(totals))


class Placed(BaseModel):
    """Where and when."""

    group: Group | None = Field(description="Null without `group_by`.")
    from_: Instant = Field(alias="from", description="Included.")
    to: Instant = Field(description="Excluded.")


class VerifiedBy(BaseModel):
    """Passages drawn at random and checked by people, by which a rate was corrected."""

    checks: int
    from_: Instant = Field(alias="from", description="Included.")
    to: Instant = Field(
        description="Excluded. Where the time asked for has too few checks: the 90 days before its end."
    )


class Row(Figures, Placed):
    """Totals of the tracks that started in one stretch of time."""

    corrected_rate: float | None = Field(
        description="Share of persons who wear the mask properly, corrected by what people found who checked passages at "
        "random, `unknown` ones too; null below 100 checks, and where cameras or zones are asked for."
    )
    corrected_interval: tuple[float, float] | None = Field(
        description="Its 95 % interval: chance, and the model's errors as far as they are measured."
    )
    corrected_note: str | None = Field(description="Why there is none.", examples=["not yet verified"])
    verified_by: VerifiedBy | None

    @classmethod
    def of(cls, entry: Entry) -> Self:
        """From the totals."""
        done = entry.correction
        by = done.by and {"checks": done.by.checks, "from": iso(done.by.span.start_ns), "to": iso(done.by.span.end_ns)}
        return cls.model_validate(
            {
                "corrected_rate": done.rate,
                "corrected_interval": done.interval,
                "corrected_note": done.note,
                "verified_by": by,
                "group": entry.group and {"type": entry.group.type, "id": entry.group.id, "name": entry.group.name},
                "from": iso(entry.span.start_ns),
                "to": iso(entry.span.end_ns),
                **figures(entry.totals),
            }
        )


def figures(totals: Totals) -> dict[str, Any]:
    """What `Figures` are made from."""
    return {name: getattr(totals, name) for name in (*COUNTS, "compliance_rate", "interval", "unknown_reasons")}


class Compliance(BaseModel):
    """Totals over time."""

    as_of: Instant
    timezone: str
    bucket: str
    series: list[Row]
    whole: list[Row] = Field(description="Of the whole time, one for each group.")
