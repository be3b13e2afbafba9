"""Stretches of local time: where the hours, days, weeks and months of a time zone begin and end, as Unix time.

Days with 23 or 25 hours, zones half an hour off, midnights that do not exist: every edge is found by asking the zone,
none by adding up lengths. An hour that the clock shows twice is two buckets.
"""

import re
from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from functools import lru_cache
from itertools import pairwise
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from storage.database.checks import check_timezone
from storage.errors import InvalidError
from storage.messages import NS_PER_S

HOUR_S: Final = 3600
DAY_S: Final = 24 * HOUR_S

_WEEK: Final = re.compile(r"(19[7-9]\d|2[01]\d\d)-W(\d\d)", re.ASCII)


class Bucket(StrEnum):
    """How long the stretches are; weeks start on Monday."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"


class Span(msgspec.Struct, frozen=True):
    """From `start_ns`, included, to `end_ns`, excluded; Unix time."""

    start_ns: int
    end_ns: int


@lru_cache(maxsize=64)
def time_zone(name: str) -> ZoneInfo:
    """The IANA time zone of that name.

    Raises:
        InvalidError: there is none.
    """
    return ZoneInfo(check_timezone(name))


def day_of(zone: ZoneInfo, at_ns: int) -> Span:
    """The local day that holds a moment."""
    day = _local(zone, at_ns // NS_PER_S).date()
    if _midnight(zone, day + timedelta(1)) * NS_PER_S <= at_ns:
        # The clock was set back over midnight: it shows the old day, which is over.
        day += timedelta(1)
    return Span(_midnight(zone, day) * NS_PER_S, next_edge(Bucket.DAY, zone, at_ns))


def midnight_ns(zone: ZoneInfo, day: date) -> int:
    """When a local day begins, in Unix time."""
    return _midnight(zone, day) * NS_PER_S


def days_earlier(zone: ZoneInfo, at_ns: int, days: int) -> int:
    """The moment at which the clock showed the same time some days before; where it skipped that, what it shows instead."""
    at_s, rest_ns = divmod(at_ns, NS_PER_S)
    wall = _local(zone, at_s)
    if day_of(zone, at_ns).start_ns == at_ns:
        return midnight_ns(zone, wall.date() - timedelta(days))
    return round((wall - timedelta(days)).timestamp()) * NS_PER_S + rest_ns


def week_of(zone: ZoneInfo, text: str) -> Span:
    """The local week of a name such as `2026-W47` (ISO 8601): from Monday to Monday.

    Raises:
        InvalidError: there is no such week.
    """
    found = _WEEK.fullmatch(text)
    try:
        if found is None:
            raise ValueError
        monday = date.fromisocalendar(int(found[1]), int(found[2]), 1)
    except ValueError:
        raise InvalidError(f"{text[:20]!r} is no week: write the year and its number, such as 2026-W47") from None
    return Span(midnight_ns(zone, monday), midnight_ns(zone, monday + timedelta(7)))


def week_name(zone: ZoneInfo, at_ns: int) -> str:
    """The name of the local week that holds a moment.

    >>> week_name(ZoneInfo("UTC"), 0)
    '1970-W01'
    """
    year, week, _ = _local(zone, at_ns // NS_PER_S).date().isocalendar()
    return f"{year}-W{week:02d}"


def wall_clock(zone: ZoneInfo, at_ns: int) -> datetime:
    """What the clock shows there, to the second."""
    return _local(zone, at_ns // NS_PER_S)


def edges(bucket: Bucket, zone: ZoneInfo, span: Span, most: int) -> list[int]:
    """Cut a stretch of time into buckets; the first and the last one may be parts.

    Args:
        bucket: how long each is.
        zone: whose clock they follow.
        span: not empty.
        most: buckets.

    Returns:
        Where they begin, in order, and in the end `span.end_ns`: one more than buckets.

    Raises:
        InvalidError: there would be more than `most`.
    """
    found = [span.start_ns]
    while (edge := next_edge(bucket, zone, found[-1])) < span.end_ns:
        if len(found) >= most:
            raise InvalidError(
                f"this asks for more than {most} rows by {bucket}: take a longer bucket, a shorter time, or fewer groups"
            )
        found.append(edge)
    return [*found, span.end_ns]


def next_edge(bucket: Bucket, zone: ZoneInfo, after_ns: int) -> int:
    """Where the next bucket begins, later than `after_ns`."""
    after_s = after_ns // NS_PER_S
    local = _local(zone, after_s)
    if bucket is Bucket.HOUR:
        edge_s = after_s - local.minute * 60 - local.second + HOUR_S
        if _offset_s(zone, edge_s) != _offset_s(zone, after_s):
            edge_s = _change(zone, after_s, edge_s)
        return edge_s * NS_PER_S
    day = _NEXT[bucket](local.date())
    # More than once where the clock was set back over midnight, or where a day does not exist.
    while (edge_ns := _midnight(zone, day) * NS_PER_S) <= after_ns:
        day = _NEXT[bucket](day)
    return edge_ns


def runs(found: Sequence[int]) -> list[tuple[int, int, int]]:
    """Join neighbouring buckets of one length, so that a bucket's number can be computed instead of looked up.

    Returns:
        For each run its end, the length of its buckets, and what to take off a moment of it before the division by the
        length gives the bucket's number.
    """
    joined: list[tuple[int, int, int]] = []
    for number, (start_ns, end_ns) in enumerate(pairwise(found)):
        length_ns = end_ns - start_ns
        origin_ns = start_ns - number * length_ns
        if joined and joined[-1][1:] == (length_ns, origin_ns):
            joined.pop()
        joined.append((end_ns, length_ns, origin_ns))
    return joined


_NEXT: Final[dict[Bucket, Callable[[date], date]]] = {
    Bucket.DAY: lambda day: day + timedelta(1),
    Bucket.WEEK: lambda day: day + timedelta(7 - day.weekday()),
    Bucket.MONTH: lambda day: (day.replace(day=1) + timedelta(32)).replace(day=1),
}
"""The first day of the next bucket."""


def _local(zone: ZoneInfo, at_s: int) -> datetime:
    return datetime.fromtimestamp(at_s, zone)


def _offset_s(zone: ZoneInfo, at_s: int) -> timedelta | None:
    return _local(zone, at_s).utcoffset()


def _midnight(zone: ZoneInfo, day: date) -> int:
    """When a local day begins, in Unix seconds; where the clock shows midnight twice, the first time."""
    wall = datetime.combine(day, time(), zone)
    at_s = int(wall.timestamp())
    if _local(zone, at_s).replace(tzinfo=None) == wall.replace(tzinfo=None):
        return at_s
    # The clock jumped over midnight: the day begins where it landed.
    return _change(zone, at_s - DAY_S, at_s)


def _change(zone: ZoneInfo, early_s: int, late_s: int) -> int:
    """The first second with another offset than at `early_s`; at `late_s` it is another."""
    offset = _offset_s(zone, early_s)
    while late_s - early_s > 1:
        middle_s = (early_s + late_s) // 2
        if _offset_s(zone, middle_s) == offset:
            early_s = middle_s
        else:
            late_s = middle_s
    return late_s
