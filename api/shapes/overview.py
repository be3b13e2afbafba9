"""The first page of the console, and summaries of a stretch of time."""

from typing import Any, Self

from pydantic import BaseModel, Field

from api.shapes.common import iso_or_none
from api.shapes.facts import Figures, figures
from api.times import Instant, iso
from storage.database.buckets import Span
from storage.database.overview import BuildingToday, Pending
from storage.database.statistics import Totals
from storage.database.summary import Summary as Summed
from storage.database.summary import WeekHour
from storage.hours import DAYS, Day
from storage.status import CameraState, StateReason


class Period(Figures):
    """Totals of a stretch of time."""

    from_: Instant = Field(alias="from", description="Included.")
    to: Instant = Field(description="Excluded.")

    @classmethod
    def of_span(cls, span: Span, totals: Totals) -> Self:
        """From the totals."""
        return cls.model_validate({"from": iso(span.start_ns), "to": iso(span.end_ns), **figures(totals)})


class Change(BaseModel):
    """How the rate differs from the one before."""

    points: float = Field(description="Percentage points; above 0 it is better now.")
    interval: tuple[float, float] = Field(
        description="95 % interval of the difference, in percentage points (Newcombe 1998, method 10): chance, not the "
        "model's errors. Where it holds 0, chance alone may have made the difference."
    )


class HourOfWeek(BaseModel):
    """One hour of the week, over all weeks of the period."""

    weekday: Day
    hour: int = Field(ge=0, le=23, description="As the clock on the building's wall shows it.")
    hours: float = Field(description="How many such hours there were: one that the clock repeats is two.")
    tracks: int
    tracks_per_hour: float
    compliance_rate: float | None
    interval: tuple[float, float] | None

    @classmethod
    def of(cls, one: WeekHour) -> Self:
        """From the totals."""
        return cls(
            weekday=DAYS[one.weekday],
            hour=one.hour,
            hours=round(one.hours, 4),
            tracks=one.totals.tracks,
            tracks_per_hour=one.tracks_per_hour,
            compliance_rate=one.totals.compliance_rate,
            interval=one.totals.interval,
        )


class Summary(BaseModel):
    """A period against the one before."""

    as_of: Instant
    timezone: str
    period: Period
    before: Period = Field(description="As long by the clock, and as few whole weeks earlier as keep the two apart.")
    change: Change | None = Field(description="Null where one of the two has no rate.")
    busiest_hours: list[HourOfWeek] = Field(description="Those with most passages an hour, at most five.")
    hours_of_week: list[list[HourOfWeek | None]] = Field(
        description="7 days from Monday, 24 hours each; null for an hour of which there was none in the period."
    )

    @classmethod
    def of(cls, summary: Summed) -> Self:
        """From the record."""
        change = summary.change
        return cls(
            as_of=iso(summary.as_of_ns),
            timezone=summary.timezone,
            period=Period.of_span(summary.span, summary.totals),
            before=Period.of_span(summary.before, summary.totals_before),
            change=change and Change(points=change.points, interval=change.interval),
            busiest_hours=[HourOfWeek.of(one) for one in summary.busiest],
            hours_of_week=[[one and HourOfWeek.of(one) for one in day] for day in summary.table],
        )


class TrendDay(BaseModel):
    """A day of a building, or of several, of each its own."""

    date: str = Field(examples=["2026-11-16"])
    tracks: int
    compliance_rate: float | None
    interval: tuple[float, float] | None

    @classmethod
    def of(cls, day: str, totals: Totals) -> Self:
        """From the totals."""
        return cls(
            date=day,
            tracks=totals.tracks,
            compliance_rate=totals.compliance_rate,
            interval=totals.interval,
        )


class ZoneToday(Figures):
    """A zone's totals of today."""

    id: str | None = Field(description="Null for passages in no zone.")
    name: str | None


class BuildingLine(Figures):
    """A building's totals of its own today."""

    id: str
    name: str
    timezone: str
    zones: list[ZoneToday]
    trend: list[TrendDay] = Field(description="The last 7 days, oldest first, today included.")

    @classmethod
    def of(cls, building: BuildingToday) -> Self:
        """From the record."""
        zones = [{"id": zone.id, "name": zone.name, **figures(zone.totals)} for zone in building.zones]
        trend = [TrendDay.of(one.day.isoformat(), one.totals) for one in building.trend]
        names: dict[str, Any] = {"id": building.id, "name": building.name, "timezone": building.timezone}
        return cls.model_validate({**names, **figures(building.totals), "zones": zones, "trend": trend})


class CameraDown(BaseModel):
    """A camera that is in use and not live, or that sees worse than it did."""

    id: str
    name: str
    building_id: str
    state: CameraState
    reason: StateReason | None
    since: Instant
    detail: str = Field(description="In words, with what to do next.")


class CamerasNow(BaseModel):
    """How the cameras fare."""

    known: bool = Field(
        description="Whether it could be found out; if not, `live` is 0, and `down` and `warned` are empty."
    )
    enabled: int
    live: int
    down: list[CameraDown] = Field(description="Longest first.")
    warned: list[CameraDown] = Field(description="Live, and moved, dirty or dark.")


class Waiting(BaseModel):
    """Events that wait for a review."""

    count: int
    oldest_started_at: Instant | None

    @classmethod
    def of(cls, pending: Pending) -> Self:
        """From the record."""
        return cls(count=pending.number, oldest_started_at=iso_or_none(pending.oldest_ns))


class SpotChecksWaiting(BaseModel):
    """Passages drawn at random that wait for somebody to check them."""

    waiting: int


class JobLine(BaseModel):
    """Recorded footage that is being processed."""

    id: str
    name: str = Field(description="Of its first file.")
    state: str
    progress: float


class Overview(BaseModel):
    """What the console's first page shows."""

    as_of: Instant = Field(description="At most a second ago.")
    today: Figures = Field(description="All buildings together, each of its own today.")
    trend: list[TrendDay] = Field(
        description="All buildings together, by date: 7 days, oldest first, the last one the latest that any of them has."
    )
    buildings: list[BuildingLine] = Field(description="By name.")
    cameras: CamerasNow
    events_pending: Waiting
    spot_checks: SpotChecksWaiting
    jobs: list[JobLine]
    trouble: list[str] = Field(description="Parts of the system that do not work, or wait.")
