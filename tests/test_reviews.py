"""Reviews in the database: figures follow at once, nobody overwrites another, and the system's words are never lost."""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, delete, insert, select, text

from storage.database.changes import ChangedError
from storage.database.engine import reading, writing
from storage.database.judgement import said_of_track
from storage.database.ledger import Batch, Ledger
from storage.database.left_open import left_open
from storage.database.models import AuditRow, EventRow, HourRollupRow, MinuteRollupRow, ReviewRow, TrackRow
from storage.database.records import NewCamera
from storage.database.reports import Question, Reports
from storage.database.reviews import Reviews
from storage.database.rollups import COLUMNS, HOUR_NS, MINUTE_NS
from storage.database.sites import Sites
from storage.errors import ConflictError, InvalidError, NotFoundError
from storage.identity import Caller, Role
from storage.messages import NS_PER_S, Event, Track
from storage.reviewing import Reason, Review, Verdict
from storage.telling import NewsKind
from storage.words import Label, UnknownReason
from tests.postgres import database_fixture, postgres_fixture  # noqa: F401

NOW_NS = 1_700_000_000 * NS_PER_S
ANN = Caller("u1", "Ann", "account", Role.REVIEWER, frozenset({"b1"}), "10.0.0.9")
CONFIRMED = Review(Verdict.CONFIRMED)
AS_INCORRECT = Review(Verdict.CONFIRMED, None, Label.INCORRECT_MASK)
MASKED = Review(Verdict.DISMISSED, Reason.WRONG_LABEL, Label.WITH_MASK)
UNCLEAR = Review(Verdict.DISMISSED, Reason.WRONG_LABEL, Label.UNKNOWN)
POSTER = Review(Verdict.DISMISSED, Reason.NOT_A_PERSON)
TWICE = Review(Verdict.DISMISSED, Reason.DUPLICATE)
EXEMPT = Review(Verdict.DISMISSED, Reason.EXEMPT, None, "medical")
EVERY = (CONFIRMED, AS_INCORRECT, MASKED, UNCLEAR, POSTER, TWICE, EXEMPT)


@pytest.fixture
def ledger(database: Engine) -> Ledger:
    """Two buildings with a camera each, and an aggregator."""
    sites = Sites(database)
    for number in (1, 2):
        sites.add_building(f"House {number}", "UTC")
        sites.add_camera(NewCamera(f"Door {number}", f"b{number}", f"rtsp://10.0.0.{number}/1"))
    ledger = Ledger(database, 0, "aggregate-0", lease_s=600)
    ledger.acquire("bus-1", NOW_NS)
    return ledger


@pytest.fixture
def reviews(database: Engine) -> Reviews:
    return Reviews(database, ANN)


def somebody(
    label: Label = Label.WITHOUT_MASK,
    *,
    number: int = 1,
    camera: str = "c1",
    kind: Label = Label.WITHOUT_MASK,
    closed: bool = True,
) -> Batch:
    """What the aggregator writes of somebody in breach."""
    reason = UnknownReason.BLURRED if label is Label.UNKNOWN else None
    track = Track(number, NOW_NS, NOW_NS + 9 * NS_PER_S, 15, label, 0.9, reason, closed, closed)
    event = Event(number, kind, NOW_NS + NS_PER_S, NOW_NS + 9 * NS_PER_S, None, 0.9, closed)
    return Batch("1-0", tracks={(camera, number): track}, events={(camera, number): event})


def passage(ledger: Ledger, label: Label = Label.WITHOUT_MASK, **more: Any) -> Batch:
    """They pass."""
    batch = somebody(label, **more)
    ledger.commit(batch, NOW_NS)
    return batch


def totals(engine: Engine) -> dict[str, int]:
    """All totals of the hours, without zeros."""
    with reading(engine) as connection:
        rows = connection.execute(select(HourRollupRow)).mappings().all()
    counted: Counter[str] = Counter()
    for row in rows:
        counted.update({name: row[name] for name in COLUMNS})
    return {name: number for name, number in counted.items() if number}


def row(engine: Engine, table: type[TrackRow | EventRow], identifier: str) -> Any:
    with reading(engine) as connection:
        return connection.execute(select(table.__table__).where(table.id == identifier)).one()


def recount(engine: Engine, bucket_ns: int) -> dict[tuple[str, int], dict[str, int]]:
    """The totals, from the rows one by one, in words of their own."""
    counts: dict[tuple[str, int], Counter[str]] = {}
    with reading(engine) as connection:
        tracks = connection.execute(select(TrackRow)).all()
        events = connection.execute(select(EventRow)).all()
    for one in tracks:
        names: list[str] = []
        if one.ruling != "excluded":
            names = ["tracks"] if one.counted else ["open_tracks"]
            if one.counted:
                names.append("exempt" if one.ruling == "exempt" else one.label)
            if names[-1] == "unknown" and one.unknown_reason:
                names.append(one.unknown_reason)
        counts.setdefault((one.camera_id, one.started_ns // bucket_ns * bucket_ns), Counter()).update(names)
    labels = {one.id: one.label for one in tracks}
    assert [event.label for event in events] == [labels.get(event.track_id) for event in events]
    for event in events:
        if event.verdict != "dismissed":
            counts.setdefault((event.camera_id, event.started_ns // bucket_ns * bucket_ns), Counter())["events"] += 1
    return {key: dict(count) for key, count in counts.items() if count}


def kept(engine: Engine, table: Any) -> dict[tuple[str, int], dict[str, int]]:
    with reading(engine) as connection:
        rows = connection.execute(select(table)).mappings().all()
    every = {(one["camera_id"], one["start_ns"]): {name: one[name] for name in COLUMNS if one[name]} for one in rows}
    return {key: found for key, found in every.items() if found}


# Figures


FIGURES: list[tuple[Review, dict[str, int]]] = [
    (CONFIRMED, {"tracks": 1, "without_mask": 1, "events": 1}),
    (AS_INCORRECT, {"tracks": 1, "incorrect_mask": 1, "events": 1}),
    (MASKED, {"tracks": 1, "with_mask": 1}),
    (UNCLEAR, {"tracks": 1, "unknown": 1}),
    (POSTER, {}),
    (TWICE, {}),
    (EXEMPT, {"tracks": 1, "exempt": 1}),
]


def test_figures_follow_a_review_and_its_undo(database: Engine, ledger: Ledger, reviews: Reviews) -> None:
    passage(ledger)
    before = totals(database)
    assert before == {"tracks": 1, "without_mask": 1, "events": 1}
    for number, (review, expected) in enumerate(FIGURES):
        version = 2 * number + 1
        done = reviews.review("c1-e1", review, version, NOW_NS + 5)
        assert totals(database) == expected
        assert (done.verdict, done.review_version, done.reviewed_by, done.reviewed_at_ns) == (
            review.verdict, version + 1, "Ann", NOW_NS + 5,
        )  # fmt: skip
        assert done == Reports(database).event("c1-e1")
        undone = reviews.undo("c1-e1", version + 1, NOW_NS + 6)
        assert totals(database) == before
        assert (undone.verdict, undone.reviewed_by, undone.type) == ("pending", None, "without_mask")
        found = row(database, TrackRow, "c1-t1")
        assert (found.label, found.machine_label, found.ruling) == ("without_mask", None, None)


def test_an_exempt_passage_is_not_in_the_rate(database: Engine, ledger: Ledger, reviews: Reviews) -> None:
    passage(ledger)
    passage(ledger, Label.WITH_MASK, number=2)
    reviews.review("c1-e1", EXEMPT, 1, NOW_NS)
    question = Question(timezone="UTC", from_ns=NOW_NS - NS_PER_S, to_ns=NOW_NS + 60 * NS_PER_S)
    (entry,) = Reports(database).compliance(question, NOW_NS).series
    assert (entry.totals.tracks, entry.totals.exempt, entry.totals.compliance_rate) == (2, 1, 1.0)
    # Cut within a minute, the rows themselves are counted, not the totals.
    assert (entry.totals.events, entry.totals.with_mask) == (1, 1)


def test_a_track_that_is_open_is_open_and_exempt_once_it_is_counted(
    database: Engine, ledger: Ledger, reviews: Reviews
) -> None:
    passage(ledger, closed=False)
    reviews.review("c1-e1", EXEMPT, 1, NOW_NS)
    assert totals(database) == {"open_tracks": 1}
    passage(ledger)
    assert totals(database) == {"tracks": 1, "exempt": 1}


def test_why_a_label_is_unknown_goes_with_the_label(database: Engine, ledger: Ledger, reviews: Reviews) -> None:
    passage(ledger, Label.UNKNOWN)
    assert totals(database) == {"tracks": 1, "unknown": 1, "blurred": 1, "events": 1}
    reviews.review("c1-e1", MASKED, 1, NOW_NS)
    assert totals(database) == {"tracks": 1, "with_mask": 1}
    found = row(database, TrackRow, "c1-t1")
    assert (found.unknown_reason, found.machine_label, found.machine_reason) == (None, "unknown", "blurred")
    reviews.review("c1-e1", UNCLEAR, 2, NOW_NS)
    assert totals(database) == {"tracks": 1, "unknown": 1, "blurred": 1}


# The aggregator writes on


def test_what_people_said_stays_whatever_the_system_says_later(
    database: Engine, ledger: Ledger, reviews: Reviews
) -> None:
    passage(ledger, closed=False)
    reviews.review("c1-e1", AS_INCORRECT, 1, NOW_NS)
    passage(ledger, Label.UNKNOWN)
    track, event = row(database, TrackRow, "c1-t1"), row(database, EventRow, "c1-e1")
    assert (track.label, track.unknown_reason, track.closed) == ("incorrect_mask", None, True)
    assert (track.machine_label, track.machine_reason) == ("unknown", "blurred")
    assert (event.type, event.machine_type, event.closed, event.verdict) == (
        "incorrect_mask", "without_mask", True, "confirmed",
    )  # fmt: skip
    assert totals(database) == {"tracks": 1, "incorrect_mask": 1, "events": 1}
    reviews.undo("c1-e1", 2, NOW_NS)
    assert totals(database) == {"tracks": 1, "unknown": 1, "blurred": 1, "events": 1}


def test_a_confirmed_type_stays(database: Engine, ledger: Ledger, reviews: Reviews) -> None:
    passage(ledger, closed=False)
    reviews.review("c1-e1", CONFIRMED, 1, NOW_NS)
    passage(ledger, Label.INCORRECT_MASK, kind=Label.INCORRECT_MASK)
    event = row(database, EventRow, "c1-e1")
    assert (event.type, event.machine_type) == ("without_mask", "incorrect_mask")


def test_an_event_that_is_judged_before_its_track_is_a_passage(
    database: Engine, ledger: Ledger, reviews: Reviews
) -> None:
    event = Event(1, Label.WITHOUT_MASK, NOW_NS, NOW_NS, None, 0.9, closed=False)
    ledger.commit(Batch("1-0", events={("c1", 1): event}), NOW_NS)
    reviews.review("c1-e1", MASKED, 1, NOW_NS)
    assert totals(database) == {}
    passage(ledger)
    assert totals(database) == {"tracks": 1, "with_mask": 1}


def test_what_is_closed_after_a_loss_is_what_the_system_said(
    database: Engine, ledger: Ledger, reviews: Reviews
) -> None:
    passage(ledger, closed=False)
    reviews.review("c1-e1", AS_INCORRECT, 1, NOW_NS)
    known = left_open(database, "c1")
    assert [track.label for track in known.tracks] == [event.label for event in known.events] == [Label.WITHOUT_MASK]


def test_footage_that_is_run_anew_has_not_been_judged(database: Engine, ledger: Ledger, reviews: Reviews) -> None:
    batch = passage(ledger)
    reviews.review("c1-e1", POSTER, 1, NOW_NS)
    batch.resets = {"c1"}
    ledger.commit(batch, NOW_NS)
    assert totals(database) == {"tracks": 1, "without_mask": 1, "events": 1}
    assert reviews.history("c1-e1") == []
    assert reviews.review("c1-e1", POSTER, 1, NOW_NS).review_version == 2


def test_people_hear_of_what_happened_to_an_event_not_that_it_goes_on(ledger: Ledger) -> None:
    batches = [somebody(closed=False), somebody(closed=False)]
    batches.append(somebody(Label.INCORRECT_MASK, kind=Label.INCORRECT_MASK, closed=False))
    batches.extend([somebody(), somebody(kind=Label.INCORRECT_MASK)])
    news = [ledger.commit(batch, NOW_NS).news for batch in batches]
    assert [[one.kind for one in each] for each in news] == [
        [NewsKind.OPENED], [], [NewsKind.CHANGED], [NewsKind.ENDED], [NewsKind.CHANGED],
    ]  # fmt: skip
    assert (news[0][0].id, news[0][0].building_id) == ("c1-e1", "b1")


# Who says it, and of what


def test_the_second_of_two_reviewers_is_told(database: Engine, ledger: Ledger, reviews: Reviews) -> None:
    passage(ledger)
    reviews.review("c1-e1", CONFIRMED, 1, NOW_NS)
    with pytest.raises(ChangedError, match="version 2 now, not 1"):
        reviews.review("c1-e1", POSTER, 1, NOW_NS)
    with pytest.raises(ChangedError):
        reviews.undo("c1-e1", 1, NOW_NS)
    assert totals(database) == {"tracks": 1, "without_mask": 1, "events": 1}


def test_of_reviewers_at_the_same_moment_one_is_heard(database: Engine, ledger: Ledger) -> None:
    passage(ledger)
    outcomes = together([partial(attempt, database, review) for review in EVERY])
    assert sorted(map(str, outcomes)) == ["changed"] * (len(EVERY) - 1) + ["done"]
    assert row(database, EventRow, "c1-e1").review_version == 2
    assert kept(database, MinuteRollupRow) == recount(database, MINUTE_NS)


def attempt(engine: Engine, review: Review) -> str:
    try:
        Reviews(engine, ANN).review("c1-e1", review, 1, NOW_NS)
    except ChangedError:
        return "changed"
    return "done"


def together(what: list[Callable[[], Any]]) -> list[Any]:
    """All at one moment; gives what they gave."""
    barrier, given = threading.Barrier(len(what)), []

    def run(one: Callable[[], Any]) -> None:
        barrier.wait()
        given.append(one())

    threads = [threading.Thread(target=run, args=(one,)) for one in what]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return given


@contextmanager
def held_event(database: Engine, meanwhile: Callable[[], Any]) -> Iterator[Connection]:
    """The lock of an event, as somebody has it for whom another waits then."""
    thread = threading.Thread(target=meanwhile)
    with writing(database) as connection:
        connection.execute(select(EventRow.id).where(EventRow.id == "c1-e1").with_for_update())
        thread.start()
        until_s = time.monotonic() + 5
        while database.dialect.name == "postgresql" and time.monotonic() < until_s:
            if connection.execute(text("SELECT count(*) FROM pg_locks WHERE NOT granted")).scalar():
                break
        yield connection
    thread.join()


def test_a_track_that_is_written_while_its_event_is_waited_for_is_reviewed_too(
    database: Engine, ledger: Ledger, reviews: Reviews
) -> None:
    passage(ledger)
    track = row(database, TrackRow, "c1-t1")._mapping
    with writing(database) as connection:
        connection.execute(delete(TrackRow))
    with held_event(database, lambda: reviews.review("c1-e1", MASKED, 1, NOW_NS)) as connection:
        connection.execute(insert(TrackRow).values(dict(track)))
    assert row(database, TrackRow, "c1-t1").label == "with_mask"
    assert kept(database, MinuteRollupRow) == recount(database, MINUTE_NS)


def test_who_judges_an_event_without_a_track_leaves_nothing_when_its_footage_is_run_anew(
    database: Engine, ledger: Ledger
) -> None:
    passage(ledger)
    with writing(database) as connection:
        connection.execute(delete(TrackRow))
    said = {"event_id": "c1-e1", "version": 2, "verdict": "confirmed", "by_id": "u1", "by_name": "Ann", "at_ns": NOW_NS}
    with held_event(database, lambda: ledger.commit(Batch("9-0", resets={"c1"}), NOW_NS)) as connection:
        connection.execute(insert(ReviewRow).values(said))
    with reading(database) as connection:
        assert connection.execute(select(ReviewRow.event_id)).all() == []


def test_undo_goes_back_one_review_at_a_time_and_all_is_kept(
    database: Engine, ledger: Ledger, reviews: Reviews
) -> None:
    passage(ledger)
    reviews.review("c1-e1", AS_INCORRECT, 1, NOW_NS + 1)
    reviews.review("c1-e1", EXEMPT, 2, NOW_NS + 2)
    back = reviews.undo("c1-e1", 3, NOW_NS + 3)
    assert (back.verdict, back.type, back.review_label, back.review_note, back.reviewed_at_ns, back.review_version) == (
        "confirmed", "incorrect_mask", "incorrect_mask", None, NOW_NS + 1, 4,
    )  # fmt: skip
    assert totals(database) == {"tracks": 1, "incorrect_mask": 1, "events": 1}
    reviews.review("c1-e1", MASKED, 4, NOW_NS + 4)
    reviews.undo("c1-e1", 5, NOW_NS + 5)
    assert reviews.undo("c1-e1", 6, NOW_NS + 6).verdict == "pending"
    with pytest.raises(ConflictError, match="nothing to undo"):
        reviews.undo("c1-e1", 7, NOW_NS + 7)
    history = [
        (one.version, one.verdict, one.reason, one.by_name, one.undone_at_ns) for one in reviews.history("c1-e1")
    ]
    assert history == [
        (5, "dismissed", "wrong_label", "Ann", NOW_NS + 5),
        (3, "dismissed", "exempt", "Ann", NOW_NS + 3),
        (2, "confirmed", None, "Ann", NOW_NS + 6),
    ]


def test_what_is_not_theirs_is_not_there(database: Engine, ledger: Ledger, reviews: Reviews) -> None:
    passage(ledger, camera="c2")
    missing = pytest.raises(NotFoundError, match=r"there is no event c\d-e1")
    with missing:
        reviews.review("c2-e1", CONFIRMED, 1, NOW_NS)
    with missing:
        reviews.undo("c2-e1", 1, NOW_NS)
    with missing:
        reviews.history("c2-e1")
    with missing:
        reviews.review("c9-e1", CONFIRMED, 1, NOW_NS)
    assert row(database, EventRow, "c2-e1").verdict == "pending"


def test_reviews_and_undos_are_in_the_audit_log(database: Engine, ledger: Ledger, reviews: Reviews) -> None:
    passage(ledger)
    reviews.review("c1-e1", EXEMPT, 1, NOW_NS)
    reviews.undo("c1-e1", 2, NOW_NS)
    with reading(database) as connection:
        rows = connection.execute(select(AuditRow).where(AuditRow.object_type == "event").order_by(AuditRow.id)).all()
    assert [(one.action, one.object_id, one.building_id, one.caller_name, one.detail) for one in rows] == [
        ("event.reviewed", "c1-e1", "b1", "Ann", {"version": 2, "verdict": "dismissed", "reason": "exempt"}),
        ("event.review_undone", "c1-e1", "b1", "Ann", {"version": 3, "undone": 2}),
    ]


def test_what_is_refused_leaves_nothing(database: Engine, ledger: Ledger, reviews: Reviews) -> None:
    passage(ledger)
    with pytest.raises(InvalidError):
        reviews.review("c1-e1", Review(Verdict.DISMISSED), 1, NOW_NS)
    assert row(database, EventRow, "c1-e1").review_version == 1
    with reading(database) as connection:
        assert connection.execute(select(ReviewRow)).all() == []


def test_many_are_judged_each_by_itself(database: Engine, ledger: Ledger, reviews: Reviews) -> None:
    for number in (1, 2, 3):
        passage(ledger, number=number)
    passage(ledger, camera="c2")
    reviews.review("c1-e2", CONFIRMED, 1, NOW_NS)
    ids = ["c1-e1", "c1-e2", "c1-e3", "c2-e1", "c1-e1"]
    outcomes = reviews.review_each(ids, POSTER, {"c1-e1": 1, "c1-e2": 1, "c2-e1": 1}, NOW_NS)
    assert [(one.event_id, one.event is not None, type(one.refusal)) for one in outcomes] == [
        ("c1-e1", True, type(None)),
        ("c1-e2", False, ChangedError),
        ("c1-e3", False, ConflictError),
        ("c2-e1", False, NotFoundError),
    ]
    assert totals(database) == {"tracks": 3, "without_mask": 3, "events": 3}


# Whatever the order


@pytest.mark.parametrize("seed", range(2))
def test_totals_equal_a_recount_after_any_order_of_writes_reviews_and_undos(
    database: Engine, ledger: Ledger, seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311 the same each time
    reviews = Reviews(database)
    versions: Counter[str] = Counter()
    for _ in range(40):
        number = chance.randint(1, 4)
        event_id = f"c1-e{number}"
        act = chance.random()
        if act < 0.5 or not versions[event_id]:
            label, kind = chance.choice(list(Label)), chance.choice([Label.WITHOUT_MASK, Label.INCORRECT_MASK])
            passage(ledger, label, number=number, kind=kind, closed=chance.random() < 0.5)
            versions[event_id] = versions[event_id] or 1
            found = row(database, TrackRow, f"c1-t{number}")
            assert said_of_track(found)[0] is label
        elif act < 0.8:
            try:
                reviews.review(event_id, chance.choice(EVERY), versions[event_id], NOW_NS)
            except InvalidError:
                continue
            versions[event_id] += 1
        else:
            try:
                reviews.undo(event_id, versions[event_id], NOW_NS)
            except ConflictError:
                continue
            versions[event_id] += 1
        assert kept(database, MinuteRollupRow) == recount(database, MINUTE_NS)
    assert kept(database, HourRollupRow) == recount(database, HOUR_NS)


def test_writes_and_reviews_at_the_same_moment_leave_totals_that_equal_a_recount(
    database: Engine, ledger: Ledger
) -> None:
    passage(ledger, closed=False)

    def write() -> None:
        for label in [Label.UNKNOWN, Label.WITHOUT_MASK, Label.INCORRECT_MASK] * 4:
            passage(ledger, label, closed=label is not Label.UNKNOWN)

    def judge() -> None:
        reviews = Reviews(database)
        for version, review in enumerate([POSTER, AS_INCORRECT, MASKED, EXEMPT] * 3, 1):
            reviews.review("c1-e1", review, version, NOW_NS)

    together([write, judge])
    assert kept(database, MinuteRollupRow) == recount(database, MINUTE_NS)
    found = row(database, TrackRow, "c1-t1")
    assert (found.ruling, found.label, found.closed) == ("exempt", "incorrect_mask", True)
