"""Hours of the week: what is accepted, and which moments they hold, also on the days on which clocks are changed."""

from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
import pytest

from storage.errors import InvalidError
from storage.hours import DAYS, MOST_HOURS, Day, Hours, check_hours, within

BERLIN = "Europe/Berlin"
WEEKDAYS: tuple[Day, ...] = DAYS[:5]
SHOP = (Hours(WEEKDAYS, "08:00", "18:30"), Hours(("sat",), "10:00", "14:00"))


def at(text: str, timezone: str = BERLIN, *, fold: int = 0) -> int:
    """Unix time in nanoseconds of what a clock shows; `fold` 1: for the second time."""
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(timezone), fold=fold).timestamp()) * 1_000_000_000


def test_without_hours_it_is_always() -> None:
    assert within(None, at("2026-03-01T03:00"), BERLIN)
    assert within(None, -(10**30), "Mars/Olympus")


@pytest.mark.parametrize(
    ("text", "inside"),
    [
        ("2026-11-16T07:59:59", False),
        ("2026-11-16T08:00:00", True),
        ("2026-11-20T18:29:59", True),
        ("2026-11-20T18:30:00", False),
        ("2026-11-21T09:59:59", False),
        ("2026-11-21T10:00:00", True),
        ("2026-11-21T17:00:00", False),
        ("2026-11-22T12:00:00", False),
    ],
)
def test_each_day_has_its_hours(text: str, inside: bool) -> None:
    assert within(SHOP, at(text), BERLIN) is inside


def test_the_clock_is_that_of_the_building() -> None:
    noon_ns = at("2026-11-16T12:00", "UTC")
    assert within((Hours(("mon",), "12:00", "12:01"),), noon_ns, "UTC")
    assert within((Hours(("mon",), "21:00", "21:01"),), noon_ns, "Asia/Tokyo")
    assert within((Hours(("tue",), "02:00", "02:01"),), noon_ns, "Pacific/Kiritimati")


@pytest.mark.parametrize(
    ("text", "inside"),
    [
        ("2026-11-20T21:59", False),
        ("2026-11-20T22:00", True),
        ("2026-11-21T00:00", True),
        ("2026-11-21T05:59", True),
        ("2026-11-21T06:00", False),
        ("2026-11-21T22:30", False),
        ("2026-11-20T03:00", False),
    ],
)
def test_hours_over_midnight_belong_to_the_day_on_which_they_begin(text: str, inside: bool) -> None:
    assert within((Hours(("fri",), "22:00", "06:00"),), at(text), BERLIN) is inside


def test_a_week_goes_round_from_sunday_to_monday() -> None:
    night = (Hours(("sun",), "22:00", "06:00"),)
    assert within(night, at("2026-11-23T05:00"), BERLIN)
    assert not within(night, at("2026-11-22T05:00"), BERLIN)


@pytest.mark.parametrize("end", ["24:00", "00:00"])
def test_a_day_ends_at_midnight(end: str) -> None:
    friday = (Hours(("fri",), "12:00", end),)
    assert within(friday, at("2026-11-20T23:59:59"), BERLIN)
    assert not within(friday, at("2026-11-21T00:00"), BERLIN)


def test_the_same_time_twice_is_a_whole_day() -> None:
    day = (Hours(("fri",), "06:00", "06:00"),)
    assert [within(day, at(text), BERLIN) for text in ("2026-11-20T05:59", "2026-11-20T06:00", "2026-11-21T05:59")] == [
        False,
        True,
        True,
    ]
    whole = (Hours(("fri",), "00:00", "24:00"),)
    assert within(whole, at("2026-11-20T00:00"), BERLIN)
    assert not within(whole, at("2026-11-21T00:00"), BERLIN)


def test_when_clocks_go_forward_hours_begin_and_end_by_the_clock() -> None:
    """On 29 March 2026 in Berlin, 01:59:59 is followed by 03:00."""
    sunday = (Hours(("sun",), "02:30", "10:00"),)
    assert not within(sunday, at("2026-03-29T01:59:59"), BERLIN)
    assert within(sunday, at("2026-03-29T03:00"), BERLIN)
    assert within(sunday, at("2026-03-29T09:59:59"), BERLIN)
    assert not within(sunday, at("2026-03-29T10:00"), BERLIN)
    assert not any(
        within((Hours(("sun",), "02:00", "03:00"),), at("2026-03-29T00:00") + minute * 60 * 10**9, BERLIN)
        for minute in range(300)
    )


def test_when_clocks_go_back_the_hour_counts_both_times() -> None:
    """On 25 October 2026 in Berlin, 02:00 to 03:00 comes twice."""
    night = (Hours(("sun",), "02:00", "03:00"),)
    assert within(night, at("2026-10-25T02:30"), BERLIN)
    assert within(night, at("2026-10-25T02:30", fold=1), BERLIN)
    minutes = [within(night, at("2026-10-25T00:00") + minute * 60 * 10**9, BERLIN) for minute in range(25 * 60)]
    assert sum(minutes) == 120


def test_an_unknown_time_zone_and_a_moment_beyond_all_years() -> None:
    with pytest.raises(ZoneInfoNotFoundError):
        within(SHOP, 0, "Mars/Olympus")
    with pytest.raises(OverflowError):
        within(SHOP, 10**30, BERLIN)


@pytest.mark.parametrize(
    ("hours", "message"),
    [
        ((), "1 to 50 entries, not 0: leave them out for always"),
        ((SHOP[0],) * (MOST_HOURS + 1), "1 to 50 entries, not 51"),
        ((Hours((), "08:00", "18:00"),), "one or more of mon, tue"),
        ((Hours(("mon", "mon"), "08:00", "18:00"),), "each once"),
        ((Hours(("mon",), "8:00", "18:00"),), "begin at"),
        ((Hours(("mon",), "24:00", "18:00"),), "begin at"),
        ((Hours(("mon",), "08:60", "18:00"),), "begin at"),
        ((Hours(("mon",), "08:00\n", "18:00"),), "begin at"),
        ((Hours(("mon",), "08:00", "24:01"),), 'end at "00:00" to "24:00"'),
        ((Hours(("mon",), "08:00", ""),), "end at"),
        ((Hours(("mon",), "08:00", "6pm"),), "end at"),
        ((Hours(("mon",), "09:00", "09:00"),), "end when they begin: write 00:00-24:00"),
    ],
)
def test_hours_that_cannot_be(hours: tuple[Hours, ...], message: str) -> None:
    with pytest.raises(InvalidError, match=message):
        check_hours(hours)


def test_hours_are_written_with_from_and_to() -> None:
    check_hours(SHOP)
    written = msgspec.json.encode(SHOP[1])
    assert written == b'{"days":["sat"],"from":"10:00","to":"14:00"}'
    assert msgspec.json.decode(written, type=Hours) == SHOP[1]
