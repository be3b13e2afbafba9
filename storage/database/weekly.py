"""A building's week: everything that the weekly report says."""

from collections import Counter
from datetime import date
from itertools import pairwise
from typing import Final

import msgspec
from sqlalchemy import Connection, func, select

from storage.database.buckets import Bucket, Span, edges, time_zone, wall_clock, week_of
from storage.database.corrections import Corrections
from storage.database.engine import reading
from storage.database.groups import GroupBy, Places
from storage.database.models import BuildingRow, CameraRow, CameraStateRow, EventRow
from storage.database.statistics import Scope, Totals, totals
from storage.database.summary import Summaries, Summary, summed
from storage.errors import NotFoundError

MOST: Final = 200
"""Buckets of a week by hour: 168, one more or less where the clock is set."""


class DayLine(msgspec.Struct, frozen=True):
    """A day of the week."""

    day: date
    totals: Totals


class PlaceLine(msgspec.Struct, frozen=True):
    """A zone; `name` is None for what is in none, and the identifier for what is not registered any more."""

    name: str | None
    totals: Totals


class CameraLine(msgspec.Struct, frozen=True):
    """A camera.

    Attributes:
        name: its identifier where it is not registered in this building any more.
        totals: of the week.
        quiet: the longest time within the week, so far, in whole hours of the clock, in which nobody began to pass.
        lost: samples that were lost since it was set up.
    """

    name: str
    totals: Totals
    quiet: Span | None
    lost: int


class EventLine(msgspec.Struct, frozen=True):
    """Events of one kind; `reason` says why they were dismissed."""

    type: str
    verdict: str
    reason: str | None
    number: int


class SpotChecks(msgspec.Struct, frozen=True):
    """What people found who checked passages drawn at random; None: not yet verified."""

    checked: int
    corrected_rate: float
    interval: tuple[float, float]


class Week(msgspec.Struct, frozen=True):
    """A building's week.

    Attributes:
        building: its name.
        week: such as `2026-W47`.
        ended: whether it is over.
        summary: the week so far, and as much of the one before.
        days: Monday to Sunday, as many as have begun.
        zones, cameras: by name.
        events: by type, verdict and reason.
        spot_checks: None: not yet verified.
    """

    building: str
    week: str
    ended: bool
    summary: Summary
    days: tuple[DayLine, ...]
    zones: tuple[PlaceLine, ...]
    cameras: tuple[CameraLine, ...]
    events: tuple[EventLine, ...]
    spot_checks: SpotChecks | None


class Weeks(Summaries):
    """Weeks of buildings as a caller may see them."""

    def week(self, building_id: str, week: str, now_ns: int) -> Week:
        """A building's week.

        Args:
            building_id: which; archived ones, too.
            week: such as `2026-W47`, in the building's time zone.
            now_ns: Unix time.

        Raises:
            NotFoundError: there is no such building.
            InvalidError: there is no such week.
        """
        with reading(self._engine) as connection:
            row = connection.execute(
                select(BuildingRow.name, BuildingRow.timezone).where(BuildingRow.id == building_id)
            ).first()
            if row is None or not self._caller.sees(building_id):
                raise NotFoundError(f"there is no building {building_id}")
            zone = time_zone(row.timezone)
            span = week_of(zone, week)
            begun = Span(span.start_ns, min(span.end_ns, max(now_ns, span.start_ns + 1)))
            scope = Scope(building=building_id, seen=self._caller.buildings)
            places = Places.read(connection, self._caller)
            cuts = edges(Bucket.DAY, zone, span, MOST)
            by_day = totals(connection, cuts, None, scope)
            by_zone = totals(connection, [span.start_ns, span.end_ns], "zone", scope)
            days = tuple(
                DayLine(wall_clock(zone, start_ns).date(), by_day.get(("", number), Totals()))
                for number, (start_ns, _) in enumerate(pairwise(cuts))
                if start_ns <= now_ns
            )
            zones = {key: Totals() for key in places.groups(GroupBy.ZONE, scope)}
            zones |= {key: found for (key, _), found in by_zone.items()}
            lines = [
                PlaceLine(places.group(GroupBy.ZONE, key).name or key if key else None, found)
                for key, found in zones.items()
            ]
            hours = edges(Bucket.HOUR, zone, span, MOST)
            cameras = _cameras(connection, hours, places, scope, now_ns)
            return Week(
                building=row.name,
                week=week,
                ended=span.end_ns <= now_ns,
                # A week that is not over is compared with the same part of the one before.
                summary=summed(connection, zone, begun, scope, now_ns),
                days=days,
                zones=tuple(sorted(lines, key=lambda line: (line.name is None, line.name or ""))),
                cameras=cameras,
                events=_events(connection, span, building_id),
                spot_checks=spot_checks(connection, span, building_id),
            )


def spot_checks(connection: Connection, span: Span, building_id: str) -> SpotChecks | None:
    """What checks at random found of a building's passages in a stretch of time; None: not yet verified.

    Where the stretch has too few of its own, those of the 90 days before its end count.
    """
    scope = Scope(building=building_id)
    checks = Corrections(connection, span, frozenset({building_id}), span.end_ns)
    if not checks.any:
        return None
    found = totals(connection, [span.start_ns, span.end_ns], "building", scope)
    done = checks.correct(span, {building: one for (building, _), one in found.items()})
    if done.rate is None or done.interval is None or done.by is None:
        return None
    return SpotChecks(done.by.checks, done.rate, done.interval)


def _cameras(
    connection: Connection, hours: list[int], places: Places, scope: Scope, now_ns: int
) -> tuple[CameraLine, ...]:
    """Each camera's totals, and its longest time without anybody."""
    found = totals(connection, hours, "camera", scope)
    every = dict.fromkeys(places.groups(GroupBy.CAMERA, scope), Totals())
    busy: dict[str, set[int]] = {}
    for (camera, number), here in found.items():
        every[camera] = every.get(camera, Totals()) + here
        if here.tracks or here.open_tracks or here.outside_hours:
            busy.setdefault(camera, set()).add(number)
    lost = select(CameraStateRow.camera_id, CameraStateRow.lost).where(CameraStateRow.camera_id.in_(every))
    if scope.seen is not None:
        # What one loses that is elsewhere by now is not theirs to know.
        lost = lost.join(CameraRow, CameraRow.id == CameraStateRow.camera_id)
        lost = lost.where(CameraRow.building_id.in_(sorted(scope.seen)))
    known: dict[str, int] = {row.camera_id: row.lost for row in connection.execute(lost)}
    # One that was set up in the course of the week was not quiet before.
    made = select(CameraRow.id, CameraRow.created_at_ns).where(CameraRow.id.in_(every))
    since: dict[str, int] = {row.id: row.created_at_ns for row in connection.execute(made)}
    lines = [
        CameraLine(
            places.group(GroupBy.CAMERA, camera).name or camera,
            here,
            _quiet(hours, busy.get(camera, set()), Span(since.get(camera, 0), now_ns)),
            known.get(camera, 0),
        )
        for camera, here in every.items()
    ]
    return tuple(sorted(lines, key=lambda line: line.name))


def _quiet(hours: list[int], busy: set[int], own: Span) -> Span | None:
    """The longest stretch of neighbouring hours, of those within a camera's own time, without anybody."""
    longest: Span | None = None
    start_ns: int | None = None
    for number, (low, high) in enumerate(pairwise(hours)):
        if number in busy or low < own.start_ns or high > own.end_ns:
            start_ns = None
            continue
        start_ns = low if start_ns is None else start_ns
        if longest is None or high - start_ns > longest.end_ns - longest.start_ns:
            longest = Span(start_ns, high)
    return longest


def _events(connection: Connection, span: Span, building_id: str) -> tuple[EventLine, ...]:
    rows = connection.execute(
        select(EventRow.type, EventRow.verdict, EventRow.review_reason, func.count())
        .where(
            EventRow.building_id == building_id,
            EventRow.started_ns >= span.start_ns,
            EventRow.started_ns < span.end_ns,
            EventRow.counts,
        )
        .group_by(EventRow.type, EventRow.verdict, EventRow.review_reason)
    )
    numbers: Counter[tuple[str, str, str | None]] = Counter()
    for kind, verdict, reason, number in rows:
        numbers[kind, verdict, reason if verdict == "dismissed" else None] += number
    return tuple(
        EventLine(*key, number)
        for key, number in sorted(numbers.items(), key=lambda item: (*item[0][:2], item[0][2] or ""))
    )
