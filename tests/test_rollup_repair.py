"""Totals that differ from what they come from are found and corrected; and nothing that others write meanwhile is lost."""

import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, delete, insert, select, text, update

from storage.database.batch import Batch
from storage.database.engine import reading, writing
from storage.database.ledger import Ledger
from storage.database.models import HourRollupRow, MinuteRollupRow, TrackRow
from storage.database.repair import repair
from storage.database.retention import DAY_NS, Retention
from storage.database.reviews import Reviews
from storage.database.rollups import COLUMNS, HOUR_NS, MINUTE_NS, Place, Totals
from storage.messages import NS_PER_S, Event
from storage.reviewing import Reason, Review, Verdict
from storage.words import Label
from tests.postgres import database_fixture, postgres_fixture  # noqa: F401
from tests.test_ledger import recount, site, totals  # noqa: F401
from tests.test_ledger import track as passage

NOW_NS = 1_790_000_000 * NS_PER_S

LIMIT_S = 30.0
LABELS = tuple(Label)


def write(ledger: Ledger, numbers: range, at_ns: int = NOW_NS, camera: str = "c1") -> None:
    """Let people pass, a minute and a half apart, back from a moment."""
    batch = Batch("1-0")
    for number in numbers:
        label, begun_ns = LABELS[number % len(LABELS)], at_ns - number % 80 * 90 * NS_PER_S
        batch.tracks[camera, number] = passage(number, label=label, at_ns=begun_ns)
        if label is Label.WITHOUT_MASK:
            batch.events[camera, number] = Event(number, label, begun_ns, begun_ns + 1, None, 0.9, closed=True)
    ledger.commit(batch, at_ns)


def check(engine: Engine) -> None:
    """Totals equal a recount of facts."""
    assert totals(engine, MinuteRollupRow) == recount(engine, MINUTE_NS)
    assert totals(engine, HourRollupRow) == recount(engine, HOUR_NS)


def execute(engine: Engine, *statements: Any) -> None:
    with writing(engine) as connection:
        for statement in statements:
            connection.execute(statement)


@pytest.fixture
def ledger(database: Engine, site: object) -> Ledger:  # noqa: F811
    ledger = Ledger(database, 0, "aggregate-0")
    ledger.acquire("bus-1", NOW_NS)
    return ledger


def test_totals_that_are_right_stay_untouched(database: Engine, ledger: Ledger) -> None:
    for camera in ("c1", "c2", "c3", "stranger"):
        write(ledger, range(1, 60), camera=camera)
    reviews = Reviews(database)
    judged = [f"c1-e{number}" for number in range(1, 60) if LABELS[number % len(LABELS)] is Label.WITHOUT_MASK]
    for name, reason in zip(judged, Reason, strict=False):
        label = Label.WITH_MASK if reason is Reason.WRONG_LABEL else None
        reviews.review(name, Review(Verdict.DISMISSED, reason, label), 1, NOW_NS)
    with reading(database) as connection:
        before = [connection.execute(select(table.__table__)).all() for table in (MinuteRollupRow, HourRollupRow)]
    assert repair(database, NOW_NS, days=1) == {"hours": 25, "wrong": 0}
    with reading(database) as connection:
        after = [connection.execute(select(table.__table__)).all() for table in (MinuteRollupRow, HourRollupRow)]
    assert after == before


def test_what_is_wrong_is_corrected_and_counted(database: Engine, ledger: Ledger) -> None:
    write(ledger, range(1, 60))
    write(ledger, range(1, 60), camera="c2")
    hour, minute = HourRollupRow, MinuteRollupRow
    with reading(database) as connection:
        one, other = connection.execute(select(minute.start_ns).where(minute.camera_id == "c1").limit(2)).scalars()
    nobody = {"camera_id": "c9", "building_id": "b1", "zone_id": "", "start_ns": NOW_NS // HOUR_NS * HOUR_NS}
    execute(
        database,
        update(minute).where(minute.camera_id == "c1", minute.start_ns == one).values(tracks=minute.tracks + 1),
        delete(minute).where(minute.camera_id == "c1", minute.start_ns == other),
        update(hour).where(hour.camera_id == "c2", hour.start_ns == nobody["start_ns"]).values(open_tracks=-1),
        insert(hour).values(nobody | dict.fromkeys(COLUMNS, 0) | {"tracks": 3}),
    )
    assert repair(database, NOW_NS, days=1)["wrong"] == 4
    check(database)
    assert repair(database, NOW_NS, days=1)["wrong"] == 0


def test_what_retention_has_removed_stays_as_it_was_counted(database: Engine, ledger: Ledger, tmp_path: Path) -> None:
    execute(database, text("UPDATE building SET retention_days = 1"))
    write(ledger, range(1, 60), NOW_NS - 30 * HOUR_NS)
    write(ledger, range(60, 90))
    before = totals(database)
    assert Retention(database, tmp_path, tmp_path).run(NOW_NS)["tracks"] == 59
    assert repair(database, NOW_NS, days=2)["wrong"] == 0
    assert totals(database) == before
    # Somebody asks to keep more from now on: what is gone is gone.
    execute(database, text("UPDATE building SET retention_days = 3650"))
    execute(database, update(HourRollupRow).values(tracks=HourRollupRow.tracks + 1))
    young = len([key for key in totals(database, HourRollupRow) if key[3] > NOW_NS - DAY_NS])
    assert repair(database, NOW_NS, days=2)["wrong"] == young


def test_what_others_write_meanwhile_is_not_lost(database: Engine, ledger: Ledger) -> None:
    """Two aggregators and a reviewer write while totals are spoilt and corrected, again and again."""
    rounds, wrong, errors = 8, Counter[str](), list[BaseException]()
    second = Ledger(database, 1, "aggregate-1")
    second.acquire("bus-1", NOW_NS)
    stop = threading.Event()

    def aggregate(own: Ledger, camera: str) -> None:
        for number in range(rounds):
            write(own, range(1 + 10 * number, 11 + 10 * number), camera=camera)
            write(own, range(1 + 10 * number, 6 + 10 * number), NOW_NS - HOUR_NS // 2, camera=camera)

    def mend() -> None:
        while not stop.is_set():
            spoilt = update(HourRollupRow).where(HourRollupRow.camera_id == "c1")
            execute(database, spoilt.values(tracks=HourRollupRow.tracks + 7))
            wrong["rows"] += repair(database, NOW_NS, days=0)["wrong"]

    def guarded(work: Any, *arguments: Any) -> None:
        try:
            work(*arguments)
        except BaseException as error:  # noqa: BLE001 told by the test
            errors.append(error)

    writers = [
        threading.Thread(target=guarded, args=(aggregate, ledger, "c1")),
        threading.Thread(target=guarded, args=(aggregate, second, "c2")),
    ]
    mender = threading.Thread(target=guarded, args=(mend,))
    for thread in (*writers, mender):
        thread.start()
    for thread in writers:
        thread.join(LIMIT_S)
    stop.set()
    mender.join(LIMIT_S)
    assert not errors
    assert wrong["rows"] > 0
    repair(database, NOW_NS, days=1)
    check(database)


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
@pytest.mark.parametrize("first", ["facts", "totals"])
def test_a_transaction_that_has_written_a_part_is_neither_missed_nor_counted_twice(
    database: Engine, ledger: Ledger, first: str
) -> None:
    """On PostgreSQL; SQLite has one writer at a time."""
    write(ledger, range(1, 20))
    execute(database, update(HourRollupRow).values(tracks=HourRollupRow.tracks + 1))
    mender = threading.Thread(target=repair, args=(database, NOW_NS, 1))
    place = Place("c1", "b1", None, True)
    columns = {"id": "c1-t99", "number": 99, "started_ns": NOW_NS, "ended_ns": NOW_NS + 1, "faces": 3}
    label = {"label": "with_mask", "confidence": 0.9, "counted": True, "closed": True}
    added = Totals()
    added.add(place, NOW_NS, ("tracks", "with_mask"))
    with writing(database) as connection:
        connection.execute(insert(TrackRow), {**columns, **label, **place._asdict()})
        if first == "facts":
            mender.start()
            mender.join(LIMIT_S)
            added.write(connection)
        else:
            added.write(connection)
            mender.start()
            wait_for_waiter(database)
    mender.join(LIMIT_S)
    assert not mender.is_alive()
    check(database)


def wait_for_waiter(engine: Engine) -> None:
    """Until somebody waits for a lock on a table."""
    limit_s = time.monotonic() + LIMIT_S
    waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'relation'")
    while time.monotonic() < limit_s:
        with reading(engine) as connection:
            if connection.execute(waiting).scalar_one():
                return
        time.sleep(0.005)
    raise AssertionError("nobody waits")
