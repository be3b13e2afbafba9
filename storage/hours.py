"""When a rule holds: hours of the week, in a building's time zone."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Final, Literal
from zoneinfo import ZoneInfo

import msgspec

from storage.errors import InvalidError

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: Final[tuple[Day, ...]] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MOST_HOURS: Final = 50

_TIME: Final = re.compile(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]")
_MIDNIGHT: Final = "24:00"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Hours(msgspec.Struct, frozen=True):
    """A time of day on some days of the week.

    Attributes:
        days: on which it begins.
        start: first minute, "HH:MM"; `from` in JSON.
        end: first minute after it, "HH:MM" or "24:00"; `to` in JSON. Before `start`, it ends on the next day.
    """

    days: tuple[Day, ...]
    start: str = msgspec.field(name="from")
    end: str = msgspec.field(name="to")


def check_hours(hours: Sequence[Hours]) -> None:
    """Refuse what is no time of day.

    Raises:
        InvalidError: none or too many, no day or the same twice, a time that a clock doesn't show, or no time at all.
    """
    if not 1 <= len(hours) <= MOST_HOURS:
        raise InvalidError(
            f"the hours of a policy are 1 to {MOST_HOURS} entries, not {len(hours)}: leave them out for always"
        )
    for one in hours:
        if not one.days or len(set(one.days)) != len(one.days) or not set(one.days) <= set(DAYS):
            raise InvalidError(f"the days of an entry of hours are one or more of {', '.join(DAYS)}, each once")
        if not _TIME.fullmatch(one.start):
            raise InvalidError(f'hours begin at "00:00" to "23:59", not {one.start[:20]!r}')
        if one.end != _MIDNIGHT and not _TIME.fullmatch(one.end):
            raise InvalidError(f'hours end at "00:00" to "24:00", not {one.end[:20]!r}')
        if one.end == one.start:
            raise InvalidError(f"hours {one.start}-{one.end} end when they begin: write 00:00-24:00 for a whole day")


def within(hours: Sequence[Hours] | None, at_ns: int, timezone: str) -> bool:
    """Whether a moment is within hours, by what the clock on the wall shows.

    What the clock shows twice, when it is set back, is within both times; what it skips is never.

    Args:
        hours: checked; None: always.
        at_ns: Unix time in nanoseconds.
        timezone: IANA name of the clock's zone.

    Raises:
        ZoneInfoNotFoundError: there is no such time zone.
        OverflowError: the moment is before the year 1 or after 9999.
    """
    if hours is None:
        return True
    local = (_EPOCH + timedelta(microseconds=at_ns // 1000)).astimezone(ZoneInfo(timezone))
    minute, today = local.hour * 60 + local.minute, local.weekday()
    return any(_holds(one, minute, DAYS[today], DAYS[today - 1]) for one in hours)


def _holds(hours: Hours, minute: int, today: Day, yesterday: Day) -> bool:
    start, end = _minutes(hours.start), _minutes(hours.end)
    if start < end:
        return today in hours.days and start <= minute < end
    return (today in hours.days and start <= minute) or (yesterday in hours.days and minute < end)


@cache
def _minutes(time: str) -> int:
    hour, minute = time.split(":")
    return int(hour) * 60 + int(minute)
