"""Totals through days that clocks make longer and shorter, and a period against the one before: right counts, once each."""

import random
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import pytest
from sqlalchemy import Engine

from infra.bench.api_data import Amount
from infra.bench.api_load import load
from storage.database.buckets import Bucket, Span, days_earlier, week_name, week_of
from storage.database.changes import BuildingChanges
from storage.database.engine import reading
from storage.database.groups import GroupBy
from storage.database.ledger import Batch, Ledger
from storage.database.models import EventRow, HourRollupRow, MinuteRollupRow, TrackRow
from storage.database.records import NewCamera
from storage.database.reports import Question, Reports
from storage.database.rollups import COLUMNS
from storage.database.sites import Sites
from storage.database.statistics import HOUR_NS, MINUTE_NS, Scope, Totals, totals
from storage.database.summary import Asked, Change, Period, change
from storage.errors import InvalidError, NotFoundError
from storage.identity import SYSTEM
from storage.messages import NS_PER_S, Track
from storage.statistics import difference_interval
from storage.words import Label, UnknownReason
from tests.postgres import Postgres, database_fixture, postgres_fixture  # noqa: F401

BERLIN = ZoneInfo("Europe/Berlin")
DAY_S = 86_400


def utc(text: str) -> int:
    """A time of UTC as nanoseconds."""
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * NS_PER_S


def local(text: str, zone: ZoneInfo = BERLIN) -> int:
    """A time of the clock there as nanoseconds."""
    return round(datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()) * NS_PER_S


@dataclass
class Place:
    """A building with a camera, and a hand to let people pass."""

    engine: Engine
    ledger: Ledger
    sites: Sites
    camera: str = "c1"
    passed: list[tuple[int, Label]] = field(default_factory=list)

    @property
    def reports(self) -> Reports:
        return Reports(self.engine)

    def pass_by(self, times: Iterable[int], label: Label = Label.WITH_MASK, camera: str = "c1") -> None:
        """Let somebody pass at each of these moments."""
        batch = Batch(f"{len(self.passed) + 1}-0")
        for at_ns in times:
            self.passed.append((at_ns, label))
            number = len(self.passed)
            reason = UnknownReason.TOO_DARK if label is Label.UNKNOWN else None
            batch.tracks[camera, number] = Track(
                number, at_ns, at_ns + 3 * NS_PER_S, 15, label, 0.9, reason, counted=True, closed=True
            )
        self.ledger.commit(batch, time.time_ns())

    def by(self, bucket: Bucket, low_ns: int, high_ns: int, timezone: str | None = None) -> list[int]:
        """Passages by bucket."""
        question = Question(bucket=bucket, timezone=timezone, from_ns=low_ns, to_ns=high_ns)
        return [entry.totals.tracks for entry in self.reports.compliance(question, high_ns).series]


def place(database: Engine, timezone: str) -> Place:
    """A building in a time zone."""
    sites = Sites(database)
    sites.add_building("North", timezone)
    sites.add_camera(NewCamera("Door", "b1", "rtsp://10.0.0.5/1"))
    ledger = Ledger(database, 0, "aggregate-0")
    ledger.acquire("bus-1", time.time_ns())
    return Place(database, ledger, sites)


@pytest.fixture
def berlin(database: Engine) -> Place:
    """In Berlin, where the clock is set on 29 March and 25 October 2026."""
    return place(database, "Europe/Berlin")


def test_the_day_on_which_the_clock_goes_forward_has_23_hours(berlin: Place) -> None:
    start_ns = local("2026-03-29T00:00")
    berlin.pass_by(range(start_ns - HOUR_NS // 2, start_ns + 24 * HOUR_NS, HOUR_NS // 2))
    assert berlin.by(Bucket.DAY, start_ns, local("2026-03-30T00:00")) == [46]
    assert berlin.by(Bucket.HOUR, start_ns, local("2026-03-30T00:00")) == [2] * 23
    week = berlin.reports.summary(Asked(from_ns=local("2026-03-23T00:00"), to_ns=local("2026-03-30T00:00")), 0)
    sunday = week.table[6]
    assert sunday[2] is None
    assert [(cell.hour, cell.hours, cell.totals.tracks) for cell in sunday if cell][1:3] == [(1, 1.0, 2), (3, 1.0, 2)]
    assert week.totals.tracks == 47
    # The evening before belongs to Saturday.
    assert week.table[5][23] is not None
    assert week.table[5][23].totals.tracks == 1


def test_the_day_on_which_the_clock_goes_back_has_25_hours(berlin: Place) -> None:
    start_ns, end_ns = local("2026-10-25T00:00"), local("2026-10-26T00:00")
    berlin.pass_by(range(start_ns, end_ns, HOUR_NS // 2))
    assert berlin.by(Bucket.DAY, start_ns, end_ns) == [50]
    assert berlin.by(Bucket.HOUR, start_ns, end_ns) == [2] * 25
    week = berlin.reports.summary(Asked(from_ns=local("2026-10-19T00:00"), to_ns=end_ns), 0)
    twice = week.table[6][2]
    assert twice is not None
    assert (twice.hours, twice.totals.tracks, twice.tracks_per_hour) == (2.0, 4, 2.0)
    assert sum(cell.totals.tracks for row in week.table for cell in row if cell) == 50


def test_a_leap_day_is_a_day_of_its_own(berlin: Place) -> None:
    berlin.pass_by([local("2028-02-28T23:59:59"), local("2028-02-29T00:00"), local("2028-02-29T23:59:59")])
    berlin.pass_by([local("2028-03-01T00:00")])
    assert berlin.by(Bucket.DAY, local("2028-02-28T00:00"), local("2028-03-02T00:00")) == [1, 2, 1]
    assert berlin.by(Bucket.MONTH, local("2028-02-01T00:00"), local("2028-04-01T00:00")) == [3, 1]
    # The same weekday of the week before, across the leap day.
    assert days_earlier(BERLIN, local("2028-03-06T08:00"), 7) == local("2028-02-28T08:00")


def test_a_building_that_changes_its_time_zone_keeps_every_passage(berlin: Place) -> None:
    # One an hour over four days of Berlin.
    low_ns, high_ns = local("2026-07-01T00:00"), local("2026-07-05T00:00")
    berlin.pass_by(range(low_ns + MINUTE_NS, high_ns, HOUR_NS))
    assert berlin.by(Bucket.DAY, low_ns, high_ns) == [24] * 4
    berlin.sites.change_building("b1", BuildingChanges(timezone="America/New_York"))
    # The same passages by the new clock, six hours behind: the first and the last day are parts.
    assert berlin.by(Bucket.DAY, low_ns, high_ns) == [6, 24, 24, 24, 18]
    assert berlin.by(Bucket.DAY, low_ns, high_ns, timezone="Europe/Berlin") == [24] * 4
    [today] = berlin.reports.overview(utc("2026-07-02T03:00")).buildings
    # There it still is the first of July.
    assert (today.timezone, today.totals.tracks) == ("America/New_York", 24)


def test_somebody_who_crosses_midnight_counts_once_on_the_day_they_came(berlin: Place) -> None:
    midnight_ns = local("2026-07-02T00:00")
    early = Track(1, midnight_ns - 2 * NS_PER_S, midnight_ns - NS_PER_S, 5, Label.UNKNOWN, 0.5, None, False, False)
    late = msgspec.structs.replace(
        early, last_seen_ns=midnight_ns + 20 * NS_PER_S, label=Label.WITH_MASK, counted=True, closed=True
    )
    days = (Bucket.DAY, midnight_ns - DAY_S * NS_PER_S, midnight_ns + DAY_S * NS_PER_S)
    for track, expected in ((early, (0, 1)), (late, (1, 0))):
        batch = Batch(f"{track.faces}-{track.last_seen_ns}", tracks={("c1", 1): track})
        berlin.ledger.commit(batch, time.time_ns())
        series = berlin.reports.compliance(Question(days[0], from_ns=days[1], to_ns=days[2]), days[2]).series
        assert [(entry.totals.tracks, entry.totals.open_tracks) for entry in series] == [expected, (0, 0)]


@pytest.mark.parametrize(("timezone", "minutes"), [("Asia/Kolkata", 330), ("Asia/Kathmandu", 345)])
def test_clocks_half_and_three_quarters_of_an_hour_off_cut_their_own_days(
    database: Engine, timezone: str, minutes: int
) -> None:
    here, zone = place(database, timezone), ZoneInfo(timezone)
    midnight_ns = utc("2026-07-02T00:00") - minutes * MINUTE_NS
    here.pass_by([midnight_ns - NS_PER_S, midnight_ns, midnight_ns + HOUR_NS - NS_PER_S, midnight_ns + HOUR_NS])
    low_ns, high_ns = local("2026-07-01T00:00", zone), local("2026-07-03T00:00", zone)
    assert here.by(Bucket.DAY, low_ns, high_ns) == [1, 3]
    table = here.reports.summary(Asked(from_ns=low_ns, to_ns=high_ns), 0).table
    thursday = table[3]
    assert [cell.totals.tracks for cell in thursday[:3] if cell] == [2, 1, 0]
    assert table[0] == (None,) * 24


@pytest.mark.parametrize("timezone", ["Europe/Berlin", "Australia/Lord_Howe", "Asia/Kolkata"])
def test_a_summary_is_what_a_recount_gives(database: Engine, timezone: str) -> None:
    here, zone, rng = place(database, timezone), ZoneInfo(timezone), random.Random(timezone)  # noqa: S311 no secret
    # Around the days on which two of them set their clocks in October 2026, and the weeks before.
    low_ns, high_ns = local("2026-10-01T05:17:03", zone), local("2026-10-27T13:41:59", zone)
    early_ns = low_ns - 40 * DAY_S * NS_PER_S
    for label in Label:
        here.pass_by([rng.randrange(early_ns, high_ns + HOUR_NS) for _ in range(100)], label)
    found = here.reports.summary(Asked(from_ns=low_ns, to_ns=high_ns), high_ns)
    naive: Counter[tuple[int, int]] = Counter()
    labels: Counter[Label] = Counter()
    for at_ns, label in here.passed:
        if low_ns <= at_ns < high_ns:
            wall = datetime.fromtimestamp(at_ns // NS_PER_S, zone)
            naive[wall.weekday(), wall.hour] += 1
            labels[label] += 1
    counted = {
        (cell.weekday, cell.hour): cell.totals.tracks
        for row in found.table
        for cell in row
        if cell and cell.totals.tracks
    }
    assert counted == naive
    assert found.totals.tracks == labels.total()
    assert [getattr(found.totals, label) for label in Label] == [labels[label] for label in Label]
    assert found.totals.unknown_reasons == dict.fromkeys(UnknownReason, 0) | {
        UnknownReason.TOO_DARK: labels[Label.UNKNOWN]
    }
    before = [label for at_ns, label in here.passed if found.before.start_ns <= at_ns < found.before.end_ns]
    assert found.totals_before.tracks == len(before)
    # 26 days are compared with those of 28 days before.
    shown = datetime.fromtimestamp(found.before.start_ns // NS_PER_S, zone)
    assert shown.replace(tzinfo=None) == datetime.fromisoformat("2026-09-03T05:17:03")
    assert sum(cell.hours for row in found.table for cell in row if cell) == pytest.approx((high_ns - low_ns) / HOUR_NS)


@pytest.mark.parametrize(
    ("period", "start", "before", "until"),
    [
        (Period.DAY, "2026-10-28T00:00", "2026-10-21T00:00", "2026-10-21T15:30"),
        (Period.WEEK, "2026-10-26T00:00", "2026-10-19T00:00", "2026-10-21T15:30"),
        (Period.MONTH, "2026-10-01T00:00", "2026-09-03T00:00", "2026-09-30T15:30"),
    ],
)
def test_a_period_so_far_is_compared_with_the_same_weekdays_by_the_clock(
    berlin: Place, period: Period, start: str, before: str, until: str
) -> None:
    now_ns = local("2026-10-28T15:30")
    found = berlin.reports.summary(Asked(period=period), now_ns)
    assert found.span == Span(local(start), now_ns)
    assert found.before == Span(local(before), local(until))
    assert (found.change, found.busiest, found.totals) == (None, (), Totals())


def test_the_change_comes_with_its_interval_and_the_busiest_hours_come_first(berlin: Place) -> None:
    monday_ns = local("2026-07-06T08:10")
    week_ns = 7 * DAY_S * NS_PER_S
    for start_ns, masked, bare in ((monday_ns, 56, 14), (monday_ns - week_ns, 48, 32)):
        berlin.pass_by((start_ns + number * NS_PER_S for number in range(masked)), Label.WITH_MASK)
        berlin.pass_by((start_ns + number * NS_PER_S for number in range(bare)), Label.WITHOUT_MASK)
    berlin.pass_by([monday_ns + 2 * HOUR_NS], Label.UNKNOWN)
    found = berlin.reports.summary(
        Asked(Scope(building="b1"), from_ns=local("2026-07-06T00:00"), to_ns=local("2026-07-13T00:00")), 0
    )
    assert found.change == Change(20.0, (5.24, 33.39))
    assert [(one.weekday, one.hour, one.totals.tracks) for one in found.busiest] == [(0, 8, 70), (0, 10, 1)]
    assert (found.totals.unknown, found.totals_before.tracks) == (1, 80)


@pytest.mark.parametrize(
    ("now", "before", "low", "high"),
    [
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((6, 7), (2, 7), 0.0582, 0.8062),
        ((5, 56), (0, 29), -0.0381, 0.1926),
        ((0, 10), (0, 20), -0.1611, 0.2775),
        ((0, 10), (0, 10), -0.2775, 0.2775),
        ((10, 10), (0, 20), 0.6791, 1.0),
        ((10, 10), (0, 10), 0.6075, 1.0),
    ],
)
def test_differences_have_the_intervals_of_newcombe_s_table(
    now: tuple[int, int], before: tuple[int, int], low: float, high: float
) -> None:
    assert [round(limit, 4) for limit in difference_interval(now, before)] == pytest.approx([low, high], abs=1e-4)


def test_without_a_rate_there_is_no_change() -> None:
    assert change(Totals(tracks=3, unknown=3), Totals(tracks=1, with_mask=1)) is None
    assert change(Totals(tracks=1, with_mask=1), Totals()) is None


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (Asked(from_ns=5), "`from` and `to` together"),
        (Asked(from_ns=5, to_ns=5), "must be earlier"),
        (Asked(from_ns=0, to_ns=367 * DAY_S * NS_PER_S), "at most 366 days"),
        (Asked(timezone="Mars/Olympus"), "no IANA time zone"),
    ],
)
def test_what_can_t_be_summed_up_is_said(berlin: Place, asked: Asked, message: str) -> None:
    with pytest.raises(InvalidError, match=message):
        berlin.reports.summary(asked, local("2026-07-06T00:00"))


def test_a_summary_shows_a_caller_what_is_theirs(berlin: Place) -> None:
    berlin.pass_by([local("2026-07-06T08:00")])
    stranger = msgspec.structs.replace(SYSTEM, buildings=frozenset({"b9"}))
    theirs = berlin.reports.for_(stranger)
    with pytest.raises(NotFoundError):
        theirs.summary(Asked(Scope(building="b1")), local("2026-07-06T12:00"))
    assert theirs.summary(Asked(timezone="Europe/Berlin"), local("2026-07-06T12:00")).totals == Totals()


@pytest.mark.parametrize(
    "text", ["2026-W54", "2026-W00", "2025-W53", "2026W47", "2026-47", "", "0001-W01", "2026-W4\u0667"]
)
def test_what_is_no_week_is_said(text: str) -> None:
    with pytest.raises(InvalidError, match="is no week"):
        week_of(BERLIN, text)


def test_weeks_are_those_of_the_calendar() -> None:
    assert week_of(BERLIN, "2026-W53") == Span(local("2026-12-28T00:00"), local("2027-01-04T00:00"))
    assert week_name(BERLIN, local("2027-01-03T23:59")) == "2026-W53"
    assert week_name(BERLIN, local("2027-01-04T00:00")) == "2027-W01"
    # The week in which the clock goes back is an hour longer.
    long = week_of(BERLIN, "2026-W43")
    assert long.end_ns - long.start_ns == (7 * 24 + 1) * HOUR_NS


def test_the_year_that_bench_api_makes_has_the_totals_of_a_recount(database: Engine, tmp_path: Path) -> None:
    amount = Amount(3000, 300, utc("2026-07-01T00:00"))
    load(database, amount, tmp_path, lambda _done, _whole: None)
    odd = [amount.from_ns, amount.from_ns + 100 * DAY_S * NS_PER_S + 17, amount.until_ns]
    with reading(database) as connection:
        # By hours and minutes, and, where a minute is cut, by the rows themselves.
        coarse, fine = totals(connection, [odd[0], odd[-1]], None, Scope()), totals(connection, odd, None, Scope())
        tracks = connection.execute(TrackRow.__table__.select()).all()
        events = connection.execute(EventRow.__table__.select()).all()
        sums = [
            Totals(*(sum(getattr(row, name) for row in rows) for name in COLUMNS))
            for table in (MinuteRollupRow, HourRollupRow)
            for rows in [connection.execute(table.__table__.select()).all()]
        ]
    every = coarse["", 0]
    assert (len(tracks), len(events)) == (3000, 300)
    assert fine["", 0] + fine["", 1] == every == sums[0] == sums[1]
    assert every.tracks + every.open_tracks == 3000
    assert every.events == sum(row.verdict != "dismissed" for row in events)
    reasons = Counter(row.unknown_reason for row in tracks if row.label == "unknown" and row.counted)
    assert every.unknown_reasons == {**dict.fromkeys(UnknownReason, 0), **reasons}
    assert len({row.camera_id for row in tracks}) == 40
    again = Reports(database).compliance(
        Question(Bucket.MONTH, GroupBy.BUILDING, timezone="UTC", from_ns=odd[0], to_ns=odd[-1]), odd[-1]
    )
    assert sum(entry.totals.tracks for entry in again.series) == every.tracks
