"""What people ask of the database: lists that stand still while they grow, and totals that are exact everywhere."""

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, cast
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, delete, insert

from storage.database.buckets import Bucket, Span, day_of, edges, time_zone
from storage.database.engine import migrate, open_engine, sqlite_url, writing
from storage.database.groups import GroupBy
from storage.database.models import (
    BuildingRow,
    CameraRow,
    CameraStateRow,
    EventRow,
    HourRollupRow,
    MinuteRollupRow,
    TrackRow,
    ZoneRow,
)
from storage.database.reports import MOST_ROWS, Entry, EventRecord, Position, Question, Reports, TrackRecord, Wanted
from storage.database.statistics import NAMES, Scope, Totals
from storage.errors import InvalidError, NotFoundError
from storage.messages import NS_PER_S
from storage.words import Label
from tests.postgres import Postgres, postgres_fixture  # noqa: F401

PROOF = bool(os.environ.get("MASKWATCH_PROOF"))
MINUTE_NS = 60 * NS_PER_S
HOUR_NS = 60 * MINUTE_NS

Ask = Callable[[Wanted, int, Position | None], tuple[Sequence[TrackRecord | EventRecord], Position | None]]


class Passage(msgspec.Struct, frozen=True):
    """A track as the tests make it."""

    at_ns: int
    camera: str = "c1"
    building: str = "b1"
    zone: str | None = None
    label: Label = Label.WITH_MASK
    counted: bool = True
    counts: bool = True
    event_ns: int | None = None


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """Two buildings in different time zones, two zones, three cameras; no tracks."""
    address = sqlite_url(tmp_path_factory.mktemp("reports") / "maskwatch.sqlite3")
    if request.param == "postgresql":
        postgres: Postgres = request.getfixturevalue("postgres")
        address = postgres.new()
    engine = open_engine(address)
    migrate(engine)
    with writing(engine) as connection:
        common = {"retention_days": 30, "policy": {}, "version": 1, "created_at_ns": 0}
        connection.execute(
            insert(BuildingRow),
            [
                {"id": "b1", "name": "North", "timezone": "Europe/Berlin", **common},
                {"id": "b2", "name": "South", "timezone": "Asia/Kolkata", **common},
            ],
        )
        connection.execute(
            insert(ZoneRow),
            [{"id": "z1", "building_id": "b1", "name": "Hall"}, {"id": "z2", "building_id": "b2", "name": "Gate"}],
        )
        camera = {
            "url": "file:x.mp4",
            "enabled": True,
            "counts": True,
            "analyze_fps": 5.0,
            "min_face_px": 24,
            "regions": [],
            "policy": {},
            "version": 1,
            "created_at_ns": 0,
        }
        connection.execute(
            insert(CameraRow),
            [
                {"id": "c1", "name": "Door", "building_id": "b1", "zone_id": None, **camera},
                {"id": "c2", "name": "Hall", "building_id": "b1", "zone_id": "z1", **camera},
                {"id": "c3", "name": "Gate", "building_id": "b2", "zone_id": "z2", **camera},
            ],
        )
    yield engine
    engine.dispose()


@pytest.fixture
def reports(database: Engine) -> Reports:
    """The read side; the tracks of the test before are gone."""
    fill(database, [])
    return Reports(database)


def fill(engine: Engine, passages: Sequence[Passage]) -> None:
    """Put tracks, events and their totals into the database, in place of those that are there."""
    tracks: list[dict[str, Any]] = []
    events: list[dict[str, Any]] = []
    totals: dict[tuple[str, str, str, int], Counter[str]] = {}
    for number, passage in enumerate(passages, 1):
        row = {
            "camera_id": passage.camera,
            "building_id": passage.building,
            "zone_id": passage.zone,
            "job_id": None,
            "confidence": 0.9,
            "counts": passage.counts,
            "closed": passage.counted,
        }
        track = {
            **row,
            "id": f"{passage.camera}-t{number}",
            "number": number,
            "started_ns": passage.at_ns,
            "ended_ns": passage.at_ns + 3 * NS_PER_S,
            "faces": 15,
            "label": passage.label,
            "unknown_reason": "blurred" if passage.label is Label.UNKNOWN else None,
            "counted": passage.counted,
        }
        tracks.append(track)
        keys = [(passage.at_ns, name) for name in columns(passage)]
        if passage.event_ns is not None:
            events.append(
                {
                    **row,
                    "id": f"{passage.camera}-e{number}",
                    "track_id": track["id"],
                    "label": passage.label,
                    "type": "incorrect_mask" if passage.label is Label.INCORRECT_MASK else "without_mask",
                    "started_ns": passage.event_ns,
                    "ended_ns": passage.event_ns + NS_PER_S,
                    "snapshot": None if number % 2 else f"{number:064x}.jpg",
                    "verdict": "pending" if number % 3 else "confirmed",
                }
            )
            keys.append((passage.event_ns, "events"))
        if passage.counts:
            for at_ns, name in keys:
                place = (passage.camera, passage.building, passage.zone or "", at_ns // MINUTE_NS * MINUTE_NS)
                totals.setdefault(place, Counter())[name] += 1
    write(engine, tracks, events, totals)


def write(
    engine: Engine,
    tracks: list[dict[str, Any]],
    events: list[dict[str, Any]],
    totals: dict[tuple[str, str, str, int], Counter[str]],
) -> None:
    """Put these rows and these totals by the minute in place of all that is there."""
    hours: dict[tuple[str, str, str, int], Counter[str]] = {}
    for (*place, at_ns), counter in totals.items():
        hours.setdefault((*place, at_ns // HOUR_NS * HOUR_NS), Counter()).update(counter)  # type: ignore[arg-type]
    with writing(engine) as connection:
        for table in (TrackRow, EventRow, MinuteRollupRow, HourRollupRow):
            connection.execute(delete(table))
        for table, rows in ((TrackRow, tracks), (EventRow, events)):
            if rows:
                connection.execute(insert(table), rows)
        for table, kept in ((MinuteRollupRow, totals), (HourRollupRow, hours)):
            if kept:
                connection.execute(
                    insert(table),
                    [
                        dict(zip(("camera_id", "building_id", "zone_id", "start_ns"), place, strict=True))
                        | {name: counter[name] for name in NAMES}
                        for place, counter in kept.items()
                    ],
                )


def columns(passage: Passage) -> tuple[str, ...]:
    """Where a track goes."""
    if not passage.counted:
        return ("open_tracks",)
    return ("tracks", passage.label, *(["blurred"] if passage.label is Label.UNKNOWN else []))


def recount(passages: Sequence[Passage], span: Span) -> Totals:
    """The same totals, one passage after the other."""
    totals = Totals()
    for passage in passages:
        if passage.counts and span.start_ns <= passage.at_ns < span.end_ns:
            for name in columns(passage):
                totals.add(name, 1)
        if passage.counts and passage.event_ns is not None and span.start_ns <= passage.event_ns < span.end_ns:
            totals.add("events", 1)
    return totals


def utc(text: str) -> int:
    """A time of UTC as nanoseconds."""
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * NS_PER_S


# Where clocks do what nobody expects: a 30-minute change, midnight changes in both directions, a day that never was.
ODD_MOMENTS = [
    ("Europe/Berlin", "2026-03-29T01:00"),
    ("Europe/Berlin", "2026-10-25T01:00"),
    ("America/New_York", "2026-11-01T06:00"),
    ("Asia/Kolkata", "2026-07-01T00:00"),
    ("Asia/Kathmandu", "2026-01-01T00:00"),
    ("Australia/Lord_Howe", "2026-04-04T15:00"),
    ("Australia/Lord_Howe", "2026-10-03T15:30"),
    ("America/Havana", "2026-11-01T05:00"),
    ("Africa/Cairo", "2026-04-23T22:00"),
    ("Asia/Beirut", "2026-03-28T22:00"),
    ("America/Sao_Paulo", "2018-11-04T03:00"),
    ("America/St_Johns", "2010-11-07T02:31"),
    ("Pacific/Apia", "2011-12-30T10:00"),
    ("Africa/Monrovia", "1972-01-07T00:44:30"),
    ("UTC", "2026-12-31T23:00"),
]


def key(bucket: Bucket, zone: ZoneInfo, at_ns: int) -> object:
    """What all moments of a bucket have in common, by the clock on the wall there."""
    wall = datetime.fromtimestamp(at_ns // NS_PER_S, zone)
    if bucket is Bucket.HOUR:
        return wall.replace(minute=0, second=0, tzinfo=None), wall.utcoffset()
    if bucket is Bucket.DAY:
        return wall.date()
    if bucket is Bucket.WEEK:
        return wall.date() - timedelta(wall.weekday())
    return wall.year, wall.month


@given(
    where=st.sampled_from(ODD_MOMENTS),
    bucket=st.sampled_from(Bucket),
    before_s=st.integers(0, 4 * 86400),
    length_s=st.integers(1, 8 * 86400),
)
def test_buckets_follow_the_clock_on_the_wall(
    where: tuple[str, str], bucket: Bucket, before_s: int, length_s: int
) -> None:
    # Set back over midnight, that clock shows a day twice; see below.
    assume(where[0] != "America/St_Johns" or bucket is Bucket.HOUR)
    zone, middle_ns = ZoneInfo(where[0]), utc(where[1])
    span = Span(middle_ns - before_s * NS_PER_S, middle_ns + (length_s - before_s) * NS_PER_S)
    cuts = edges(bucket, zone, span, 1000)
    assert (cuts[0], cuts[-1]) == (span.start_ns, span.end_ns)
    keys: list[object] = []
    for start_ns, end_ns in pairwise(cuts):
        assert start_ns < end_ns
        seconds = range(start_ns // NS_PER_S, -(-end_ns // NS_PER_S))
        inside = {key(bucket, zone, at_s * NS_PER_S) for at_s in (*seconds[::61], seconds[-1])}
        assert len(inside) == 1
        keys.extend(inside)
    assert all(one != other for one, other in pairwise(keys))


@pytest.mark.parametrize(
    ("zone", "day", "hours", "pieces"),
    [
        ("Europe/Berlin", "2026-03-29T12:00", 23, 23),
        ("Europe/Berlin", "2026-10-25T12:00", 25, 25),
        ("Europe/Berlin", "2026-07-01T12:00", 24, 24),
        ("Australia/Lord_Howe", "2026-04-05T00:00", 24.5, 25),
        ("Australia/Lord_Howe", "2026-10-04T00:00", 23.5, 24),
        ("Asia/Kolkata", "2026-07-01T12:00", 24, 24),
        ("Africa/Cairo", "2026-04-24T12:00", 23, 23),
        ("America/Havana", "2026-11-01T12:00", 25, 25),
        ("Pacific/Apia", "2011-12-30T12:00", 24, 24),
        # From 00:01 back to 23:01: a minute, then the 59 of the evening before once more.
        ("America/St_Johns", "2010-11-07T12:00", 25, 26),
        # From 23:30 to 00:30: the day begins where the clock landed.
        ("America/Toronto", "1919-03-31T12:00", 23.5, 24),
    ],
)
def test_a_day_has_the_hours_its_clock_shows(zone: str, day: str, hours: float, pieces: int) -> None:
    span = day_of(ZoneInfo(zone), utc(day))
    assert span.end_ns - span.start_ns == hours * HOUR_NS
    assert len(edges(Bucket.HOUR, ZoneInfo(zone), span, 100)) == pieces + 1


def test_a_clock_set_back_over_midnight_ends_the_day_once() -> None:
    # In 2010 St. John's went back from 00:01 to 23:01.
    zone = ZoneInfo("America/St_Johns")
    over_ns = utc("2010-11-07T02:30:00")
    for after_s in (0, 59, 60, 1800, 3660):
        assert day_of(zone, over_ns + after_s * NS_PER_S).start_ns == over_ns
    assert day_of(zone, over_ns - 1).end_ns == over_ns


def test_weeks_start_on_monday_and_months_on_the_first() -> None:
    zone = ZoneInfo("Europe/Berlin")
    span = Span(utc("2026-02-11T10:00"), utc("2026-03-31T10:00"))
    for bucket in (Bucket.WEEK, Bucket.MONTH):
        inner = [datetime.fromtimestamp(at_ns // NS_PER_S, zone) for at_ns in edges(bucket, zone, span, 100)[1:-1]]
        assert inner
        assert all((wall.weekday() == 0) if bucket is Bucket.WEEK else (wall.day == 1) for wall in inner)
        assert all((wall.hour, wall.minute) == (0, 0) for wall in inner)


@pytest.mark.parametrize(
    "name", ["Europe/Nowhere", "", "../../etc/passwd", "Europe", "right/UTC", "/etc/localtime", "x\0y", "a" * 500]
)
def test_what_is_no_time_zone_is_said_plainly(name: str) -> None:
    with pytest.raises(InvalidError, match="is no IANA time zone"):
        time_zone(name)


@st.composite
def passages_around(draw: st.DrawFn, middle_ns: int) -> list[Passage]:
    near = st.integers(-40 * 3600 * 10, 40 * 3600 * 10).map(lambda tenths: middle_ns + tenths * (NS_PER_S // 10))
    places = st.sampled_from([("c1", "b1", None), ("c2", "b1", "z1"), ("c3", "b2", "z2"), ("film", "", None)])
    found = []
    for _ in range(draw(st.integers(0, 30))):
        camera, building, zone = draw(places)
        at_ns = draw(near)
        found.append(
            Passage(
                at_ns,
                camera,
                building,
                zone,
                draw(st.sampled_from(Label)),
                draw(st.booleans()),
                draw(st.sampled_from([True, True, True, False])),
                draw(st.none() | st.integers(0, 200).map(lambda s, at=at_ns: at + s * NS_PER_S)),  # type: ignore[misc]
            )
        )
    return found


@settings(max_examples=80 if PROOF else 25)
@given(data=st.data())
def test_totals_are_those_of_a_recount(data: st.DataObject, database: Engine) -> None:
    name, moment = data.draw(st.sampled_from(ODD_MOMENTS))
    middle_ns = utc(moment)
    passages = data.draw(passages_around(middle_ns))
    fill(database, passages)
    # Beginning and end may cut a minute, or even a passage's own moment.
    ends = st.integers(-40 * 3600 * 1000, 40 * 3600 * 1000).map(lambda ms: middle_ns + ms * 1_000_000)
    ends |= st.sampled_from([passage.at_ns for passage in passages] or [middle_ns])
    low, high = sorted(data.draw(st.tuples(ends, ends).filter(lambda pair: pair[0] != pair[1])))
    bucket = data.draw(st.sampled_from(Bucket))
    group_by = data.draw(st.none() | st.sampled_from(GroupBy))
    answer = Reports(database).compliance(
        Question(bucket=bucket, group_by=group_by, timezone=name, from_ns=low, to_ns=high), now_ns=0
    )
    cuts = edges(bucket, ZoneInfo(name), Span(low, high), 1000)
    groups: dict[str | None, list[Entry]] = {}
    for entry in answer.series:
        groups.setdefault(entry.group.id if entry.group else None, []).append(entry)
    assert all(
        [entry.span for entry in entries] == [Span(*pair) for pair in pairwise(cuts)] for entries in groups.values()
    )
    for identifier, entries in groups.items():
        mine = passages
        if group_by is not None:
            mine = [passage for passage in passages if (getattr(passage, group_by) or None) == identifier]
        assert [entry.totals for entry in entries] == [recount(mine, entry.span) for entry in entries]
    # Nobody fell between the groups either.
    assert sum(entry.totals.tracks for entry in answer.series) == recount(passages, Span(low, high)).tracks


def test_a_passage_on_the_edge_counts_from_and_not_to(database: Engine, reports: Reports) -> None:
    at_ns = utc("2026-07-01T10:15:30")
    fill(database, [Passage(at_ns)])
    counted = []
    for low, high in [(at_ns, at_ns + 1), (at_ns - 1, at_ns), (at_ns + 1, at_ns + MINUTE_NS), (at_ns - 5, at_ns + 5)]:
        answer = reports.compliance(Question(from_ns=low, to_ns=high, timezone="UTC"), 0)
        counted.append([entry.totals.tracks for entry in answer.series])
    assert counted == [[1], [0], [0], [1]]


def test_rate_and_interval_leave_the_unknown_out(database: Engine, reports: Reports) -> None:
    labels = [Label.WITH_MASK] * 7 + [Label.WITHOUT_MASK, Label.INCORRECT_MASK, Label.UNKNOWN]
    at_ns = utc("2026-07-01T10:15:30")
    fill(database, [Passage(at_ns + number * MINUTE_NS, label=label) for number, label in enumerate(labels)])
    answer = reports.compliance(Question(scope=Scope(building="b1")), now_ns=at_ns)
    [entry] = answer.series
    assert (entry.totals.tracks, entry.totals.unknown) == (10, 1)
    assert entry.totals.compliance_rate == 0.7778
    assert entry.totals.interval == (0.4526, 0.9368)
    assert Totals(unknown=3, tracks=3).compliance_rate is None
    assert Totals(unknown=3, tracks=3).interval is None


def test_today_is_the_building_s_today(reports: Reports) -> None:
    # 19:00 UTC is 00:30 of the next day in India.
    answer = reports.compliance(Question(scope=Scope(building="b2")), now_ns=utc("2026-07-01T19:00"))
    assert answer.timezone == "Asia/Kolkata"
    assert [entry.span for entry in answer.series] == [Span(utc("2026-07-01T18:30"), utc("2026-07-02T18:30"))]


@pytest.mark.parametrize("scope", [Scope(camera="c3"), Scope(zone="z2"), Scope(building="b2")])
def test_the_time_zone_follows_from_the_scope(reports: Reports, scope: Scope) -> None:
    assert reports.compliance(Question(scope=scope), 0).timezone == "Asia/Kolkata"


def test_buildings_in_several_time_zones_need_one_named(reports: Reports) -> None:
    with pytest.raises(InvalidError, match=r"several time zones.*Asia/Kolkata, Europe/Berlin.*`timezone`"):
        reports.compliance(Question(), 0)
    assert reports.compliance(Question(timezone="UTC"), 0).timezone == "UTC"


def test_every_group_has_every_bucket_even_without_passages(reports: Reports) -> None:
    question = Question(Bucket.HOUR, GroupBy.CAMERA, Scope(), "UTC", utc("2026-07-01T00:00"), utc("2026-07-01T03:00"))
    series = reports.compliance(question, 0).series
    assert [entry.group.id for entry in series if entry.group] == ["c1"] * 3 + ["c3"] * 3 + ["c2"] * 3
    assert all(entry.totals == Totals() for entry in series)
    zones = reports.compliance(msgspec.structs.replace(question, group_by=GroupBy.ZONE), 0).series
    # c1 is in no zone, and that is a group too.
    assert {(entry.group.id, entry.group.name) for entry in zones if entry.group} == {
        (None, None),
        ("z1", "Hall"),
        ("z2", "Gate"),
    }


def test_a_group_that_is_not_registered_is_shown_when_it_has_passages(database: Engine, reports: Reports) -> None:
    at_ns = utc("2026-07-01T10:00")
    fill(database, [Passage(at_ns, "film", "", None)])
    question = Question(group_by=GroupBy.BUILDING, timezone="UTC")
    counted = {
        entry.group.id: entry.totals.tracks for entry in reports.compliance(question, at_ns).series if entry.group
    }
    assert counted == {"b1": 0, "b2": 0, None: 1}


@pytest.mark.parametrize(
    ("question", "error", "message"),
    [
        (Question(scope=Scope(building="b9")), NotFoundError, "there is no building b9"),
        (Question(scope=Scope(camera="c9")), NotFoundError, "there is no camera c9"),
        (Question(scope=Scope(zone="z9")), NotFoundError, "there is no zone z9"),
        (Question(timezone="Mars/Olympus"), InvalidError, "'Mars/Olympus' is no IANA time zone"),
        (Question(timezone="UTC", from_ns=5, to_ns=5), InvalidError, "`from` must be earlier"),
        (
            Question(timezone="UTC", bucket=Bucket.HOUR, from_ns=0, to_ns=HOUR_NS * 10_001),
            InvalidError,
            "more than 10000",
        ),
        (
            Question(timezone="UTC", bucket=Bucket.HOUR, group_by=GroupBy.CAMERA, from_ns=0, to_ns=HOUR_NS * 3_334),
            InvalidError,
            "more than 3333",
        ),
    ],
)
def test_what_can_t_be_answered_is_said(
    reports: Reports, question: Question, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        reports.compliance(question, utc("2026-07-01T00:00"))


def test_the_longest_answer_is_allowed(reports: Reports) -> None:
    answer = reports.compliance(Question(Bucket.HOUR, timezone="UTC", from_ns=0, to_ns=HOUR_NS * MOST_ROWS), 0)
    assert len(answer.series) == MOST_ROWS


def test_half_hour_zones_stay_exact_over_a_year(database: Engine, reports: Reports) -> None:
    start_ns = utc("2025-12-31T18:30")
    passages = [Passage(start_ns + number * 7 * HOUR_NS + 1234, "c3", "b2", "z2") for number in range(1250)]
    fill(database, passages)
    question = Question(Bucket.DAY, None, Scope(building="b2"), None, start_ns, start_ns + 365 * 24 * HOUR_NS)
    series = reports.compliance(question, 0).series
    assert len(series) == 365
    assert [entry.totals for entry in series] == [recount(passages, entry.span) for entry in series]


@settings(max_examples=60 if PROOF else 25)
@given(
    times=st.lists(st.integers(0, 5), max_size=25),
    limit=st.integers(1, 7),
    wanted=st.sampled_from(
        [
            Wanted(),
            Wanted(camera="c2"),
            Wanted(building="b1"),
            Wanted(zone="z1"),
            Wanted(label="without_mask"),
            Wanted(type="without_mask"),
            Wanted(verdict="confirmed"),
            Wanted(type="incorrect_mask", verdict="pending"),
            Wanted(from_ns=2, to_ns=4),
            Wanted(camera="c3", label="with_mask", from_ns=1),
            Wanted(pictured=True),
        ]
    ),
)
def test_pages_hold_every_row_once_newest_first(times: list[int], limit: int, wanted: Wanted, database: Engine) -> None:
    kinds = [("c1", "b1", None), ("c2", "b1", "z1"), ("c3", "b2", "z2")]
    labels = list(Label)
    passages = [
        Passage(at_ns, *kinds[number % 3], labels[number % 4], event_ns=at_ns if number % 2 else None)
        for number, at_ns in enumerate(times)
    ]
    fill(database, passages)
    reports = Reports(database)
    for ask in cast("tuple[Ask, Ask]", (reports.tracks, reports.events)):
        found: list[TrackRecord | EventRecord] = []
        after: Position | None = None
        while True:
            page, after = ask(wanted, limit, after)
            found.extend(page)
            if after is None:
                break
            assert len(page) == limit
        places = [(row.started_ns, row.id) for row in found]
        assert places == sorted(set(places), reverse=True)
        everything, _ = ask(Wanted(), 200, None)
        expected = set()
        for row in everything:
            number = int(row.id.rsplit("-", 1)[1][1:])
            passage = passages[number - 1]
            event_type = None
            if passage.event_ns is not None:
                event_type = "incorrect_mask" if passage.label is Label.INCORRECT_MASK else "without_mask"
            verdict = None if passage.event_ns is None else ("pending" if number % 3 else "confirmed")
            fits = [
                wanted.camera in (None, passage.camera),
                wanted.building in (None, passage.building),
                wanted.zone in (None, passage.zone),
                wanted.label in (None, passage.label),
                wanted.type in (None, event_type),
                wanted.verdict in (None, verdict),
                wanted.from_ns is None or passage.at_ns >= wanted.from_ns,
                wanted.to_ns is None or passage.at_ns < wanted.to_ns,
                not wanted.pictured or ask == reports.tracks or number % 2 == 0,
            ]
            if all(fits):
                expected.add(row.id)
        assert {row.id for row in found} == expected


def test_a_page_stands_still_while_newer_rows_appear(database: Engine, reports: Reports) -> None:
    fill(database, [Passage(at_ns) for at_ns in range(10)])
    first, after = reports.tracks(Wanted(), 4)
    fill(database, [Passage(at_ns) for at_ns in range(20)])
    second, _ = reports.tracks(Wanted(), 4, after)
    assert [track.started_ns for track in first + second] == [9, 8, 7, 6, 5, 4, 3, 2]


def test_one_event_by_its_identifier(database: Engine, reports: Reports) -> None:
    fill(database, [Passage(5, label=Label.WITHOUT_MASK, event_ns=6)])
    event = reports.event("c1-e1")
    assert (event.track_id, event.type, event.started_ns, event.verdict, event.review_version) == (
        "c1-t1",
        "without_mask",
        6,
        "pending",
        1,
    )
    with pytest.raises(NotFoundError, match="there is no event c1-e2"):
        reports.event("c1-e2")


def test_lost_samples_by_camera(database: Engine, reports: Reports) -> None:
    with writing(database) as connection:
        connection.execute(delete(CameraStateRow))
        connection.execute(insert(CameraStateRow), [{"camera_id": "c1", "partition": 0, "state": b"", "lost": 7}])
    assert reports.lost(["c1", "c2"]) == {"c1": 7}
    assert reports.lost([]) == {}


def test_a_position_is_plain_data() -> None:
    position = Position(5, "c1-t1")
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(position), type=Position) == position


def test_reading_waits_for_no_writer(database: Engine, reports: Reports) -> None:
    fill(database, [Passage(5)])
    with writing(database) as connection:
        connection.execute(delete(TrackRow))
        page, _ = reports.tracks(Wanted(), 5)
        assert len(page) == 1
        connection.rollback()
