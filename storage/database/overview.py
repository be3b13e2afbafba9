"""How all buildings fare today and did in the last days, in few questions to the database however many buildings there are."""

from datetime import date
from itertools import pairwise
from typing import Final

import msgspec
from sqlalchemy import Connection, func, literal_column, select

from storage.database.buckets import Bucket, Span, day_of, days_earlier, edges, time_zone, wall_clock
from storage.database.engine import reading
from storage.database.models import BuildingRow, EventRow, ZoneRow
from storage.database.spot_checks import count_waiting
from storage.database.statistics import Scope, Totals, totals
from storage.database.summary import Summaries
from storage.reviewing import Verdict

DAYS: Final = 7
"""Of the trend, today included."""

PENDING: Final = EventRow.verdict == literal_column(f"'{Verdict.PENDING.value}'")
"""Waits for a review. Written out: a database can't tell of a parameter that the index of those is meant."""


class Day(msgspec.Struct, frozen=True):
    """A building's day."""

    day: date
    span: Span
    totals: Totals


class ZoneToday(msgspec.Struct, frozen=True):
    """A zone's totals of today; `id` is None for passages in no zone."""

    id: str | None
    name: str | None
    totals: Totals


class BuildingToday(msgspec.Struct, frozen=True):
    """A building's totals of its own today, by zone, and those of its last days, oldest first, today included."""

    id: str
    name: str
    timezone: str
    totals: Totals
    zones: tuple[ZoneToday, ...]
    trend: tuple[Day, ...]


class Pending(msgspec.Struct, frozen=True):
    """Events that wait for a review; `oldest_ns` is when the oldest of them began."""

    number: int
    oldest_ns: int | None


class Overview(msgspec.Struct, frozen=True):
    """Buildings by name, and what waits, as of one moment: events, and passages drawn at random."""

    as_of_ns: int
    buildings: tuple[BuildingToday, ...]
    pending: Pending
    spot_checks: int = 0

    @property
    def trend(self) -> list[tuple[date, Totals]]:
        """The last days of all buildings together, by date, oldest first; some may have a later date than others."""
        found: dict[date, Totals] = {}
        for building in self.buildings:
            for one in building.trend:
                found[one.day] = found.get(one.day, Totals()) + one.totals
        return sorted(found.items())[-DAYS:]


class Overviews(Summaries):
    """The overview as a caller may see it."""

    def overview(self, now_ns: int) -> Overview:
        """What is on the console's first page."""
        with reading(self._engine) as connection:
            query = select(BuildingRow.id, BuildingRow.name, BuildingRow.timezone)
            rows = [
                row
                for row in connection.execute(query.where(BuildingRow.archived_at_ns.is_(None)))
                if self._caller.sees(row.id)
            ]
            zones: dict[str, dict[str, str]] = {}
            for row in connection.execute(select(ZoneRow.id, ZoneRow.building_id, ZoneRow.name)):
                zones.setdefault(row.building_id, {})[row.id] = row.name
            found: list[BuildingToday] = []
            for name in {row.timezone for row in rows}:
                there = {row.id: row.name for row in rows if row.timezone == name}
                found += _buildings(connection, name, there, zones, now_ns)
            ordered = sorted(found, key=lambda building: (building.name, building.id))
            spot_checks = count_waiting(connection, self._caller, now_ns)
            return Overview(now_ns, tuple(ordered), self._pending(connection), spot_checks)

    def _pending(self, connection: Connection) -> Pending:
        query = select(func.count(), func.min(EventRow.started_ns)).where(PENDING)
        if self._caller.buildings is not None:
            query = query.where(EventRow.building_id.in_(sorted(self._caller.buildings)))
        number, oldest_ns = connection.execute(query).one()
        return Pending(number, oldest_ns)


def _buildings(
    connection: Connection, timezone: str, names: dict[str, str], zones: dict[str, dict[str, str]], now_ns: int
) -> list[BuildingToday]:
    """Those of one time zone."""
    zone = time_zone(timezone)
    today = day_of(zone, now_ns)
    cuts = edges(Bucket.DAY, zone, Span(days_earlier(zone, today.start_ns, DAYS - 1), today.end_ns), 2 * DAYS)
    scope = Scope(seen=frozenset(names))
    by_day = totals(connection, cuts, "building", scope)
    by_zone = totals(connection, [today.start_ns, today.end_ns], "zone", scope)
    last = len(cuts) - 2
    found = []
    for building, name in names.items():
        every = by_day.get((building, last), Totals())
        parts = {
            key: by_zone.get((key, 0), Totals())
            for key in sorted(zones.get(building, {}), key=lambda one: zones[building][one])
        }
        rest = every
        for part in parts.values():
            rest -= part
        lines = [ZoneToday(key, zones[building][key], part) for key, part in parts.items()]
        if parts and rest != Totals():
            lines.append(ZoneToday(None, None, rest))
        trend = tuple(
            Day(wall_clock(zone, low).date(), Span(low, high), by_day.get((building, number), Totals()))
            for number, (low, high) in enumerate(pairwise(cuts))
        )
        found.append(BuildingToday(building, name, timezone, every, tuple(lines), trend))
    return found
