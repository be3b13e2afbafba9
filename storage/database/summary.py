"""One stretch of time against the one before it, and when in the week people pass."""

import math
from datetime import timedelta
from enum import StrEnum
from itertools import pairwise
from typing import Final
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import Connection

from storage.database.buckets import (
    Bucket,
    Span,
    day_of,
    days_earlier,
    edges,
    midnight_ns,
    time_zone,
    wall_clock,
)
from storage.database.engine import reading
from storage.database.groups import Places
from storage.database.scoped import Scoped
from storage.database.statistics import HOUR_NS, Scope, Totals, totals
from storage.errors import InvalidError
from storage.statistics import difference_interval

MOST_DAYS: Final = 366
MOST_HOURS: Final = MOST_DAYS * 25
BUSIEST: Final = 5
WEEK: Final = 7


class Period(StrEnum):
    """A stretch of local time up to now."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


class Asked(msgspec.Struct, frozen=True):
    """What is to be summed up.

    Attributes:
        scope: whose.
        period: the day, week or month so far; of no meaning where `from_ns` and `to_ns` are given.
        from_ns, to_ns: Unix time; both or none.
        timezone: whose days; None: the one of all buildings in question.
    """

    scope: Scope = Scope()
    period: Period = Period.WEEK
    from_ns: int | None = None
    to_ns: int | None = None
    timezone: str | None = None


class Change(msgspec.Struct, frozen=True):
    """How a rate differs from an earlier one, in percentage points, with the 95 % interval of the difference."""

    points: float
    interval: tuple[float, float]


class WeekHour(msgspec.Struct, frozen=True):
    """One hour of the week, over all weeks of a stretch of time.

    Attributes:
        weekday: 0 for Monday.
        hour: as the clock shows it, 0 to 23.
        hours: how many such hours there were; one that the clock repeats is two, one that was cut is a part.
        totals: of what began in them.
    """

    weekday: int
    hour: int
    hours: float
    totals: Totals

    @property
    def tracks_per_hour(self) -> float:
        """With two decimals."""
        return round(self.totals.tracks / self.hours, 2)


Table = tuple[tuple[WeekHour | None, ...], ...]
"""7 x 24, Monday first; None for an hour of which there was none."""


class Summary(msgspec.Struct, frozen=True):
    """A stretch of time and the one before, as they were at `as_of_ns`.

    Attributes:
        before: as long by the clock, some whole weeks earlier: the same weekdays.
        change: None where one of the two has no rate.
        table: passages by hour of the week.
        busiest: the hours of the week with most passages an hour, at most five.
    """

    as_of_ns: int
    timezone: str
    span: Span
    before: Span
    totals: Totals
    totals_before: Totals
    change: Change | None
    table: Table
    busiest: tuple[WeekHour, ...]


class Summaries(Scoped):
    """Summaries as a caller may have them."""

    def summary(self, asked: Asked, now_ns: int) -> Summary:
        """A stretch of time against the one before it.

        Raises:
            NotFoundError: a camera, building or zone of the scope does not exist.
            InvalidError: no such time zone, several to choose from, or a stretch of time that is empty or too long.
        """
        with reading(self._engine) as connection:
            places = Places.read(connection, self._caller)
            scope = msgspec.structs.replace(asked.scope, seen=self._caller.buildings)
            places.check(scope)
            name = asked.timezone or places.timezone(scope)
            return summed(connection, time_zone(name), _span(asked, time_zone(name), now_ns), scope, now_ns)


def summed(connection: Connection, zone: ZoneInfo, span: Span, scope: Scope, now_ns: int) -> Summary:
    """Sum a stretch of time up, and compare it.

    Args:
        connection: within one transaction.
        zone: whose clock.
        span: not empty, at most 366 days.
        scope: whose; checked.
        now_ns: Unix time.
    """
    table, every = by_week_hour(connection, zone, span, scope)
    before = earlier(zone, span)
    past = totals(connection, [before.start_ns, before.end_ns], None, scope).get(("", 0), Totals())
    cells = [cell for row in table for cell in row if cell is not None and cell.totals.tracks]
    busiest = sorted(cells, key=lambda cell: (-cell.tracks_per_hour, cell.weekday, cell.hour))[:BUSIEST]
    return Summary(now_ns, zone.key, span, before, every, past, change(every, past), table, tuple(busiest))


def change(now: Totals, before: Totals) -> Change | None:
    """How the rate changed; None where one of the two has none."""
    if not (now.judged and before.judged):
        return None
    low, high = difference_interval((now.with_mask, now.judged), (before.with_mask, before.judged))
    points = now.with_mask / now.judged - before.with_mask / before.judged
    return Change(round(100 * points, 2), (round(100 * low, 2), round(100 * high, 2)))


def earlier(zone: ZoneInfo, span: Span) -> Span:
    """The same by the clock, as few whole weeks earlier as keep the two apart: the weekdays are the same."""
    length = wall_clock(zone, span.end_ns).replace(tzinfo=None) - wall_clock(zone, span.start_ns).replace(tzinfo=None)
    # Where the clock was set back between the two, it may show nothing gone by.
    days = WEEK * max(1, math.ceil(length / timedelta(WEEK)))
    start_ns, end_ns = days_earlier(zone, span.start_ns, days), days_earlier(zone, span.end_ns, days)
    # An hour that the clock skipped then has nothing to compare with.
    return Span(start_ns, max(end_ns, start_ns + 1))


def by_week_hour(connection: Connection, zone: ZoneInfo, span: Span, scope: Scope) -> tuple[Table, Totals]:
    """Passages by hour of the week, and all of them."""
    cuts = edges(Bucket.HOUR, zone, span, MOST_HOURS)
    found = totals(connection, cuts, None, scope)
    hours: dict[tuple[int, int], float] = {}
    sums: dict[tuple[int, int], Totals] = {}
    for number, (start_ns, end_ns) in enumerate(pairwise(cuts)):
        wall = wall_clock(zone, start_ns)
        key = (wall.weekday(), wall.hour)
        hours[key] = hours.get(key, 0.0) + (end_ns - start_ns) / HOUR_NS
        if here := found.get(("", number)):
            sums[key] = sums.get(key, Totals()) + here
    table = tuple(
        tuple(
            WeekHour(day, hour, hours[day, hour], sums.get((day, hour), Totals())) if (day, hour) in hours else None
            for hour in range(24)
        )
        for day in range(WEEK)
    )
    every = Totals()
    for part in sums.values():
        every += part
    return table, every


def _span(asked: Asked, zone: ZoneInfo, now_ns: int) -> Span:
    if (asked.from_ns is None) != (asked.to_ns is None):
        raise InvalidError("give `from` and `to` together, or `period` alone")
    if asked.from_ns is not None and asked.to_ns is not None:
        if asked.from_ns >= asked.to_ns:
            raise InvalidError("`from` must be earlier than `to`")
        if asked.to_ns - asked.from_ns > MOST_DAYS * 24 * HOUR_NS:
            raise InvalidError(f"a summary covers at most {MOST_DAYS} days: take `from` and `to` closer together")
        return Span(asked.from_ns, asked.to_ns)
    today_ns = day_of(zone, now_ns).start_ns
    day = wall_clock(zone, today_ns).date()
    first = {
        Period.DAY: day,
        Period.WEEK: day - timedelta(day.weekday()),
        Period.MONTH: day.replace(day=1),
    }[asked.period]
    start_ns = today_ns if first == day else midnight_ns(zone, first)
    return Span(start_ns, max(now_ns, start_ns + 1))
