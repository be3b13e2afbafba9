"""The aggregator's side of the database: all of a batch or nothing, by one owner, and totals that equal a recount."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, event, func, select, text, update

from storage.database.batch import Kept
from storage.database.changes import BuildingChanges, CameraChanges
from storage.database.engine import migrate, open_engine, reading, sqlite_url, writing
from storage.database.ledger import Batch, LeaseHeldError, LeaseLostError, Ledger, Restored
from storage.database.models import (
    Base,
    BuildingRow,
    CameraRow,
    CameraStateRow,
    CandidateRow,
    CheckpointRow,
    EventRow,
    HourRollupRow,
    MinuteRollupRow,
    SnapshotRow,
    TrackPathRow,
    TrackRow,
)
from storage.database.records import NewCamera, Policy
from storage.database.rollups import COLUMNS, HOUR_NS, MINUTE_NS
from storage.database.sites import Sites
from storage.errors import StorageError
from storage.hours import Hours
from storage.messages import NS_PER_S, Event, Track
from storage.snapshots import Picture
from storage.words import Label, UnknownReason
from tests.postgres import Postgres, database_fixture, postgres_fixture  # noqa: F401

PROOF = bool(os.environ.get("MASKWATCH_PROOF"))
NOW_NS = 1_700_000_000 * NS_PER_S
MINUTE = NOW_NS // MINUTE_NS * MINUTE_NS
HOUR = NOW_NS // HOUR_NS * HOUR_NS


def track(number: int = 1, *, label: Label = Label.WITH_MASK, counted: bool = True, at_ns: int = NOW_NS) -> Track:
    reason = UnknownReason.BLURRED if label is Label.UNKNOWN else None
    return Track(number, at_ns, at_ns + 3 * NS_PER_S, 15, label, 0.9, reason, counted, counted)


def breach(number: int = 1, *, label: Label = Label.WITHOUT_MASK, at_ns: int = NOW_NS) -> Event:
    return Event(number, label, at_ns, at_ns + 3 * NS_PER_S, None, 0.9, closed=False)


@pytest.fixture
def site(database: Engine) -> Sites:
    """A building with a zone and three cameras; the last one's passages are not counted."""
    sites = Sites(database)
    sites.add_building("North", "UTC")
    sites.add_zone("b1", "Hall")
    for number in (1, 2, 3):
        url = f"rtsp://10.0.0.5/{number}"
        sites.add_camera(NewCamera(f"Door {number}", "b1", url, "z1" if number == 2 else None, counts=number != 3))
    return sites


@pytest.fixture
def ledger(database: Engine, site: Sites) -> Ledger:
    ledger = Ledger(database, 0, "aggregate-0")
    ledger.acquire("bus-1", NOW_NS)
    return ledger


def everything(engine: Engine) -> dict[str, list[Any]]:
    """All rows of all tables but the lease's."""
    with reading(engine) as connection:
        return {
            table.name: sorted(map(repr, connection.execute(select(table))))
            for table in Base.metadata.sorted_tables
            if table.name != "aggregator_checkpoint"
        }


def totals(engine: Engine, table: Any = MinuteRollupRow) -> dict[tuple[str, str, str, int], dict[str, int]]:
    """What a rollup says, without its zeros."""
    with reading(engine) as connection:
        rows = connection.execute(select(table)).mappings().all()
    every = {
        (row["camera_id"], row["building_id"], row["zone_id"], row["start_ns"]): {
            name: row[name] for name in COLUMNS if row[name]
        }
        for row in rows
    }
    return {key: found for key, found in every.items() if found}


def recount(engine: Engine, bucket_ns: int) -> dict[tuple[str, str, str, int], dict[str, int]]:
    """What it should say, from tracks and events one by one."""
    counts: dict[tuple[str, str, str, int], Counter[str]] = {}
    with reading(engine) as connection:
        tracks = connection.execute(select(TrackRow)).all()
        events = connection.execute(select(EventRow)).all()
    found: list[tuple[Any, tuple[str, ...]]] = [
        (
            row,
            ("outside_hours",)
            if row.outside_hours
            else ("tracks", row.label, *([row.unknown_reason] if row.unknown_reason else []))
            if row.counted
            else ("open_tracks",),
        )
        for row in tracks
    ]
    labels = {row.id: row.label for row in tracks}
    assert [row.label for row in events] == [labels.get(row.track_id) for row in events]
    for row, names in [*found, *((row, ("events",)) for row in events)]:
        if row.counts:
            key = (row.camera_id, row.building_id, row.zone_id or "", row.started_ns // bucket_ns * bucket_ns)
            counts.setdefault(key, Counter()).update(names)
    return {key: dict(count) for key, count in counts.items()}


def rows_of(engine: Engine, column: Any, *conditions: Any) -> list[Any]:
    """One column's values, in order."""
    with reading(engine) as connection:
        return list(connection.execute(select(column).where(*conditions).order_by(column)).scalars())


def position(engine: Engine) -> str:
    with reading(engine) as connection:
        return connection.execute(select(CheckpointRow.position)).scalar_one()


def number_committed(engine: Engine) -> int:
    return int(position(engine).partition("-")[0])


def wait_for(condition: Callable[[], bool], limit_s: float = 30.0) -> None:
    end_s = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end_s, "waited in vain"
        time.sleep(0.005)


# The lease


def test_a_new_partition_begins_at_the_beginning(database: Engine) -> None:
    assert Ledger(database, 0, "a").acquire("bus-1", NOW_NS) == Restored(1, "0-0", {}, {})


def test_a_successor_finds_position_states_and_candidates(database: Engine, ledger: Ledger) -> None:
    ledger.commit(
        Batch("5-0", states={"c1": b"one", "c2": b"two"}, candidates={("c1", 4): Picture(b"jpeg", (1, 2, 3, 4), 5)}),
        NOW_NS,
    )
    ledger.commit(Batch("7-0", states={"c2": b"", "c1": b"new"}), NOW_NS)
    assert Ledger(database, 0, "aggregate-0").acquire("bus-1", NOW_NS) == Restored(
        2, "7-0", {"c1": b"new"}, {("c1", 4): Picture(b"jpeg", (1, 2, 3, 4), 5)}
    )


def test_another_redis_is_read_from_its_beginning_with_all_that_is_remembered(database: Engine, ledger: Ledger) -> None:
    ledger.commit(Batch("5-0", states={"c1": b"one"}), NOW_NS)
    restored = Ledger(database, 0, "aggregate-0").acquire("bus-2", NOW_NS)
    assert (restored.position, restored.states) == ("0-0", {"c1": b"one"})


def test_a_lease_is_held_until_it_runs_out(database: Engine) -> None:
    first, second = Ledger(database, 0, "a", lease_s=3.0), Ledger(database, 0, "b")
    first.acquire("bus-1", NOW_NS)
    with pytest.raises(LeaseHeldError, match=r"partition 0 belongs to a for another 1\.0 s"):
        second.acquire("bus-1", NOW_NS + 2 * NS_PER_S)
    first.renew(NOW_NS + 2 * NS_PER_S)
    with pytest.raises(LeaseHeldError):
        second.acquire("bus-1", NOW_NS + 4 * NS_PER_S)
    first.commit(Batch("1-0"), NOW_NS + 4 * NS_PER_S)
    with pytest.raises(LeaseHeldError):
        second.acquire("bus-1", NOW_NS + 6 * NS_PER_S)
    assert second.acquire("bus-1", NOW_NS + 7 * NS_PER_S).token == 2


def test_a_killed_worker_s_successor_of_the_same_name_need_not_wait(database: Engine) -> None:
    Ledger(database, 0, "a").acquire("bus-1", NOW_NS)
    assert Ledger(database, 0, "a").acquire("bus-1", NOW_NS + 1).token == 2


def test_a_clock_that_was_set_back_locks_nobody_out(database: Engine) -> None:
    Ledger(database, 0, "a").acquire("bus-1", NOW_NS)
    assert Ledger(database, 0, "b").acquire("bus-1", NOW_NS - HOUR_NS).token == 2


def test_an_owner_that_was_replaced_changes_nothing_any_more(database: Engine, ledger: Ledger) -> None:
    ledger.commit(Batch("1-0", states={"c1": b"one"}), NOW_NS)
    successor = Ledger(database, 0, "b")
    successor.acquire("bus-1", NOW_NS + 4 * NS_PER_S)
    before = everything(database)
    full = Batch("2-0", states={"c1": b"two"}, tracks={("c1", 1): track()}, resets={"c1"}, lost={"c1": 3})
    with pytest.raises(LeaseLostError, match="partition 0 was taken over by another aggregator: aggregate-0 stops"):
        ledger.commit(full, NOW_NS + 5 * NS_PER_S)
    with pytest.raises(LeaseLostError):
        ledger.renew(NOW_NS + 5 * NS_PER_S)
    assert everything(database) == before
    assert position(database) == "1-0"
    successor.commit(full, NOW_NS + 5 * NS_PER_S)
    assert position(database) == "2-0"


def test_who_never_had_the_lease_commits_nothing(database: Engine) -> None:
    with pytest.raises(LeaseLostError):
        Ledger(database, 0, "a").commit(Batch("1-0"), NOW_NS)
    with pytest.raises(LeaseLostError):
        Ledger(database, 0, "a").renew(NOW_NS)


def test_a_successor_waits_for_a_commit_that_is_under_way(database: Engine, ledger: Ledger) -> None:
    restored: list[Restored] = []
    successor = threading.Thread(
        target=lambda: restored.append(Ledger(database, 0, "aggregate-0").acquire("bus-1", NOW_NS))
    )
    with writing(database) as connection:
        connection.execute(update(CheckpointRow).values(position="9-0"))
        successor.start()
        successor.join(0.2)
        assert successor.is_alive()
    successor.join(5)
    assert [found.position for found in restored] == ["9-0"]


def test_partitions_have_nothing_to_do_with_each_other(database: Engine, ledger: Ledger) -> None:
    other = Ledger(database, 1, "aggregate-1")
    assert other.acquire("bus-1", NOW_NS).states == {}
    ledger.commit(Batch("1-0", states={"c1": b"one"}, candidates={("c1", 1): Picture(b"x")}), NOW_NS)
    other.commit(Batch("7-0", states={"c2": b"two"}, candidates={("c2", 1): Picture(b"y")}), NOW_NS)
    assert Ledger(database, 1, "aggregate-1").acquire("bus-1", NOW_NS) == Restored(
        2, "7-0", {"c2": b"two"}, {("c2", 1): Picture(b"y")}
    )


def test_with_another_number_of_partitions_cameras_find_their_memory(database: Engine, ledger: Ledger) -> None:
    ledger.commit(Batch("1-0", states={"c1": b"one", "c2": b"two"}), NOW_NS)
    moved = Ledger(database, 1, "aggregate-1", mine=lambda camera: camera == "c2")
    assert moved.acquire("bus-1", NOW_NS).states == {"c2": b"two"}


# Tracks, events and their totals


def test_a_track_is_open_until_it_counts(database: Engine, ledger: Ledger) -> None:
    key = ("c1", "b1", "", MINUTE)
    ledger.commit(Batch("1-0", tracks={("c1", 1): track(label=Label.UNKNOWN, counted=False)}), NOW_NS)
    assert totals(database) == {key: {"open_tracks": 1}}
    ledger.commit(Batch("2-0", tracks={("c1", 1): track(label=Label.WITHOUT_MASK)}), NOW_NS)
    assert totals(database) == {key: {"tracks": 1, "without_mask": 1}}
    assert totals(database, HourRollupRow) == {("c1", "b1", "", HOUR): {"tracks": 1, "without_mask": 1}}
    ledger.commit(Batch("3-0", tracks={("c1", 1): track(label=Label.INCORRECT_MASK)}), NOW_NS)
    assert totals(database) == {key: {"tracks": 1, "incorrect_mask": 1}}


def test_an_event_counts_when_it_started_whatever_it_becomes(database: Engine, ledger: Ledger) -> None:
    began = breach(at_ns=NOW_NS + MINUTE_NS)
    ledger.commit(Batch("1-0", tracks={("c1", 1): track(counted=False)}, events={("c1", 1): began}), NOW_NS)
    ended = msgspec.structs.replace(
        began, label=Label.INCORRECT_MASK, ended_ns=NOW_NS + 5 * MINUTE_NS, corrected_ns=NOW_NS, closed=True
    )
    ledger.commit(Batch("2-0", events={("c1", 1): ended}), NOW_NS)
    assert totals(database)["c1", "b1", "", MINUTE + MINUTE_NS] == {"events": 1}
    with reading(database) as connection:
        row = connection.execute(select(EventRow)).one()
    assert (row.id, row.track_id, row.type, row.closed, row.corrected_ns) == (
        "c1-e1",
        "c1-t1",
        "incorrect_mask",
        True,
        NOW_NS,
    )
    assert (row.verdict, row.review_version, row.building_id) == ("pending", 1, "b1")


def test_what_people_said_of_an_event_stays_when_it_goes_on(database: Engine, ledger: Ledger) -> None:
    ledger.commit(Batch("1-0", tracks={("c1", 1): track()}, events={("c1", 1): breach()}), NOW_NS)
    with writing(database) as connection:
        connection.execute(update(EventRow).values(verdict="dismissed", review_note="scarf", review_version=2))
    ledger.commit(Batch("2-0", events={("c1", 1): breach(at_ns=NOW_NS - 1)}), NOW_NS)
    with reading(database) as connection:
        row = connection.execute(select(EventRow)).one()
    assert (row.verdict, row.review_note, row.review_version, row.started_ns) == ("dismissed", "scarf", 2, NOW_NS - 1)


def test_a_track_keeps_the_building_and_zone_of_its_start(database: Engine, ledger: Ledger) -> None:
    ledger.commit(Batch("1-0", tracks={("c2", 1): track(counted=False)}), NOW_NS)
    with writing(database) as connection:
        connection.execute(update(CameraRow).where(CameraRow.id == "c2").values(zone_id=None, counts=False))
    ledger.commit(Batch("2-0", tracks={("c2", 1): track(), ("c2", 2): track(2)}, events={("c2", 1): breach()}), NOW_NS)
    assert totals(database) == {("c2", "b1", "z1", MINUTE): {"tracks": 1, "with_mask": 1, "events": 1}}
    with reading(database) as connection:
        rows = connection.execute(select(TrackRow.zone_id, TrackRow.counts).order_by(TrackRow.number)).all()
    assert [tuple(row) for row in rows] == [("z1", True), (None, False)]


def test_passages_outside_the_hours_are_counted_beside_the_others(
    database: Engine, site: Sites, ledger: Ledger
) -> None:
    """It is Tuesday, 23:13 in Berlin: what begins in the last minute before the hours is outside, however long it is."""
    site.change_building("b1", BuildingChanges(timezone="Europe/Berlin"))
    site.change_camera("c1", CameraChanges(policy=Policy(hours=(Hours(("tue",), "23:14", "24:00"),))))
    minute_ns = MINUTE + MINUTE_NS
    tracks = {
        ("c1", 1): track(1, label=Label.WITHOUT_MASK, at_ns=minute_ns - 1),
        ("c1", 2): track(2, at_ns=minute_ns),
        ("c1", 3): track(3, counted=False, at_ns=minute_ns - 1),
        ("c2", 1): track(1, at_ns=minute_ns - 1),
    }
    events = {("c1", 1): breach(1, at_ns=minute_ns + 1), ("c1", 2): breach(2, at_ns=minute_ns + 1)}
    ledger.commit(Batch("1-0", tracks=tracks, events=events), NOW_NS)
    assert totals(database) == {
        ("c1", "b1", "", MINUTE): {"outside_hours": 2},
        ("c1", "b1", "", minute_ns): {"tracks": 1, "with_mask": 1, "events": 1},
        ("c2", "b1", "z1", MINUTE): {"tracks": 1, "with_mask": 1},
    }
    assert rows_of(database, EventRow.id) == ["c1-e2"]
    # What was decided at a passage's start stays, whatever the hours become.
    site.change_camera("c1", CameraChanges(policy=Policy()))
    later = {("c1", 3): track(3, at_ns=minute_ns - 1), ("c1", 4): track(4, at_ns=minute_ns - 1)}
    ledger.commit(Batch("2-0", tracks=later, events={("c1", 3): breach(3)}), NOW_NS)
    assert totals(database)["c1", "b1", "", MINUTE] == {"outside_hours": 2, "tracks": 1, "with_mask": 1}
    assert rows_of(database, EventRow.id) == ["c1-e2"]
    assert rows_of(database, TrackRow.id, TrackRow.outside_hours) == ["c1-t1", "c1-t3"]


def test_outside_the_hours_no_picture_stays(database: Engine, site: Sites, ledger: Ledger) -> None:
    site.change_camera("c1", CameraChanges(policy=Policy(hours=(Hours(("wed",), "00:00", "24:00"),))))
    ledger.commit(Batch("1-0", candidates={("c1", 1): Picture(b"early"), ("c2", 1): Picture(b"other")}), NOW_NS)
    assert rows_of(database, CandidateRow.number) == [1, 1]
    ledger.commit(Batch("2-0", tracks={("c1", 1): track(1, counted=False)}), NOW_NS)
    assert rows_of(database, CandidateRow.camera_id) == ["c2"]
    ledger.commit(Batch("3-0", candidates={("c1", 1): Picture(b"late")}), NOW_NS)
    assert rows_of(database, CandidateRow.camera_id) == ["c2"]
    ledger.announce({"a.jpg": "c1"}, NOW_NS)
    ledger.commit(Batch("4-0", events={("c1", 1): breach(1)}, snapshots={("c1", 1): Kept("a.jpg", 9)}), NOW_NS)
    assert rows_of(database, EventRow.id) == []
    assert ledger.obsolete() == ["a.jpg"]
    ledger.forget(["a.jpg"])
    assert rows_of(database, SnapshotRow.name) == []


def test_hours_that_cannot_be_told_hold(database: Engine, site: Sites, ledger: Ledger) -> None:
    site.change_camera("c1", CameraChanges(policy=Policy(hours=(Hours(("wed",), "00:00", "24:00"),))))
    with writing(database) as connection:
        connection.execute(update(BuildingRow).values(timezone="Mars/Olympus"))
    ledger.commit(Batch("1-0", tracks={("c1", 1): track()}), NOW_NS)
    assert totals(database)["c1", "b1", "", MINUTE] == {"tracks": 1, "with_mask": 1}


def test_a_camera_that_does_not_count_adds_nothing_but_its_tracks(database: Engine, ledger: Ledger) -> None:
    ledger.commit(Batch("1-0", tracks={("c3", 1): track()}, events={("c3", 1): breach()}), NOW_NS)
    assert totals(database) == {}
    with reading(database) as connection:
        assert connection.execute(select(func.count()).select_from(EventRow)).scalar_one() == 1


def test_footage_without_a_camera_row_has_no_building(database: Engine, ledger: Ledger) -> None:
    ledger.commit(Batch("1-0", tracks={("run", 1): track(at_ns=0)}, events={("run", 1): breach(at_ns=0)}), NOW_NS)
    assert totals(database) == {("run", "", "", 0): {"tracks": 1, "with_mask": 1, "events": 1}}


def test_the_same_batch_again_changes_nothing(database: Engine, ledger: Ledger) -> None:
    batch = Batch(
        "1-0",
        states={"c1": b"one"},
        tracks={("c1", 1): track(), ("c2", 1): track(counted=False)},
        events={("c1", 1): breach()},
        paths=[("c1", 1, 0, b"path")],
        candidates={("c2", 1): Picture(b"jpeg"), ("c2", 2): None},
        snapshots={("c1", 1): Kept("a.jpg", 100)},
    )
    ledger.commit(batch, NOW_NS)
    before = everything(database)
    ledger.commit(batch, NOW_NS)
    assert everything(database) == before


def test_lost_samples_add_up(database: Engine, ledger: Ledger) -> None:
    ledger.commit(Batch("1-0", lost={"c1": 3}), NOW_NS)
    ledger.commit(Batch("2-0", states={"c1": b"one"}, lost={"c1": 4}), NOW_NS)
    ledger.commit(Batch("3-0", states={"c1": b"two"}), NOW_NS)
    with reading(database) as connection:
        row = connection.execute(select(CameraStateRow)).one()
    assert (row.camera_id, row.partition, row.state, row.lost) == ("c1", 0, b"two", 7)


def test_footage_that_is_run_anew_begins_with_nothing(database: Engine, ledger: Ledger) -> None:
    other = Batch("1-0", tracks={("c2", 1): track()}, events={("c2", 1): breach()}, states={"c2": b"two"})
    other.paths, other.snapshots = [("c2", 1, 0, b"x")], {("c2", 1): Kept("shared.jpg", 1)}
    ledger.commit(other, NOW_NS)
    before = everything(database)
    old = Batch("2-0", states={"c1": b"one"}, lost={"c1": 3}, candidates={("c1", 8): Picture(b"jpeg")})
    old.tracks = {("c1", number): track(number, counted=number < 3) for number in (1, 2, 3)}
    old.events = {("c1", 1): breach(1), ("c1", 2): breach(2)}
    old.paths = [("c1", 1, 0, b"x"), ("c1", 1, 1, b"y")]
    old.snapshots = {("c1", 1): Kept("own.jpg", 1), ("c1", 2): Kept("shared.jpg", 1)}
    ledger.commit(old, NOW_NS)
    ledger.commit(Batch("3-0", resets={"c1"}), NOW_NS)
    assert ledger.obsolete() == ["own.jpg"]
    ledger.forget(["own.jpg"])
    after = everything(database)
    # Who took the shared picture last is of no importance.
    assert len(before.pop("snapshot")) == len(after.pop("snapshot")) == 1
    assert after == before
    ledger.commit(replace(old, resets={"c1"}), NOW_NS)
    assert ledger.obsolete() == []
    assert totals(database)["c1", "b1", "", MINUTE] == {"tracks": 2, "with_mask": 2, "open_tracks": 1, "events": 2}


# Pictures


def with_picture(name: str, number: int = 1, camera: str = "c1") -> Batch:
    key = (camera, number)
    return Batch("1-0", tracks={key: track(number)}, events={key: breach(number)}, snapshots={key: Kept(name, 100)})


def test_a_better_picture_makes_the_old_one_obsolete(database: Engine, ledger: Ledger) -> None:
    ledger.commit(with_picture("a.jpg"), NOW_NS)
    assert ledger.obsolete() == []
    ledger.commit(Batch("2-0", snapshots={("c1", 1): Kept("b.jpg", 200)}), NOW_NS)
    assert ledger.obsolete() == ["a.jpg"]
    ledger.forget(["a.jpg", "b.jpg"])
    with reading(database) as connection:
        assert connection.execute(select(SnapshotRow.name, SnapshotRow.bytes)).all() == [("b.jpg", 200)]
        assert connection.execute(select(EventRow.snapshot)).scalar_one() == "b.jpg"


def test_a_picture_that_another_event_names_stays(ledger: Ledger) -> None:
    ledger.commit(with_picture("same.jpg", camera="c1"), NOW_NS)
    ledger.commit(with_picture("same.jpg", camera="c2"), NOW_NS)
    ledger.commit(with_picture("b.jpg", camera="c1"), NOW_NS)
    assert ledger.obsolete() == []
    ledger.commit(with_picture("b.jpg", camera="c2"), NOW_NS)
    assert ledger.obsolete() == ["same.jpg"]


def test_an_obsolete_picture_that_comes_back_stays(ledger: Ledger) -> None:
    for name in ("a.jpg", "b.jpg", "a.jpg"):
        ledger.commit(with_picture(name), NOW_NS)
    assert ledger.obsolete() == ["b.jpg"]
    ledger.forget(["a.jpg", "b.jpg"])
    ledger.commit(with_picture("c.jpg"), NOW_NS)
    assert ledger.obsolete() == ["a.jpg"]


def test_a_picture_without_an_event_is_one_too_many(ledger: Ledger) -> None:
    ledger.commit(Batch("1-0", snapshots={("c1", 9): Kept("a.jpg", 1)}), NOW_NS)
    assert ledger.obsolete() == ["a.jpg"]


# Whatever comes

PASSAGES = st.builds(
    track,
    st.integers(1, 4),
    label=st.sampled_from(Label),
    counted=st.booleans(),
    at_ns=st.sampled_from([NOW_NS, NOW_NS + MINUTE_NS, NOW_NS + HOUR_NS]),
)
BREACHES = st.builds(
    breach,
    st.integers(1, 4),
    label=st.sampled_from([Label.WITHOUT_MASK, Label.INCORRECT_MASK]),
    at_ns=st.sampled_from([NOW_NS, NOW_NS + MINUTE_NS, NOW_NS + HOUR_NS]),
)
CAMERAS = st.sampled_from(["c1", "c2", "c3", "run"])


@st.composite
def batches(draw: st.DrawFn) -> Batch:
    """Tracks that appear, change and count, events, pictures, cameras that are run anew: in any order."""
    batch = Batch("1-0", resets=draw(st.sets(CAMERAS, max_size=1)))
    for camera, passage in draw(st.lists(st.tuples(CAMERAS, PASSAGES), max_size=8)):
        batch.tracks[camera, passage.number] = passage
    for camera, event_ in draw(st.lists(st.tuples(CAMERAS, BREACHES), max_size=4)):
        batch.events[camera, event_.track] = event_
        if draw(st.booleans()):
            batch.snapshots[camera, event_.track] = Kept(draw(st.sampled_from(["a.jpg", "b.jpg", "c.jpg"])), 1)
    return batch


OPEN = Policy(hours=(Hours(("tue",), "22:00", "22:14"),))
"""Of the times above, all but the first are outside."""


@given(work=st.lists(st.one_of(batches(), st.sampled_from(["z1", None, Policy(), OPEN])), max_size=8))
@settings(max_examples=60 if PROOF else 25)
def test_totals_always_equal_a_recount(
    database: Engine, site: Sites, ledger: Ledger, work: list[Batch | str | Policy | None]
) -> None:
    with writing(database) as connection:
        for table in (TrackRow, EventRow, MinuteRollupRow, HourRollupRow, SnapshotRow):
            connection.execute(Base.metadata.tables[table.__tablename__].delete())
    for step in work:
        if isinstance(step, Batch):
            ledger.commit(step, NOW_NS)
        elif isinstance(step, Policy):
            site.change_camera("c1", CameraChanges(policy=step))
        else:
            with writing(database) as connection:
                moved = {"zone_id": step, "counts": step is None}
                connection.execute(update(CameraRow).where(CameraRow.id == "c2").values(moved))
        assert totals(database, MinuteRollupRow) == recount(database, MINUTE_NS)
        assert totals(database, HourRollupRow) == recount(database, HOUR_NS)
    with reading(database) as connection:
        needed = set(connection.execute(select(EventRow.snapshot).where(EventRow.snapshot.is_not(None))).scalars())
        kept = set(connection.execute(select(SnapshotRow.name).where(~SnapshotRow.obsolete)).scalars())
    assert kept == needed


# Kills and full disks

COMMITS = """
import sys, time
from storage.database.engine import open_engine
from storage.database.batch import Kept
from storage.database.ledger import Ledger, Batch
from storage.messages import Event, Track
from storage.words import Label

ledger = Ledger(open_engine(sys.argv[1]), 0, "aggregate-0")
restored = ledger.acquire("bus-1", time.time_ns())
number = int(restored.position.partition("-")[0])
assert restored.states.get("c1", b"0") == str(number).encode()
print("ready", flush=True)
while True:
    number += 1
    key = ("c1", number)
    ledger.commit(Batch(
        f"{number}-0",
        states={"c1": str(number).encode()},
        tracks={key: Track(number, number, number, 1, Label.WITH_MASK, 1.0, None, True, True)},
        events={key: Event(number, Label.WITHOUT_MASK, number, number, None, 1.0, True)},
        paths=[("c1", number, 0, bytes(5000))],
        snapshots={key: Kept(f"{number}.jpg", 1)},
        lost={"c1": 1},
    ), time.time_ns())
"""


def test_a_kill_during_a_commit_leaves_all_of_it_or_nothing(database: Engine, site: Sites) -> None:
    url = database.url.render_as_string(hide_password=False)
    last = 0
    for _ in range(3):
        with subprocess.Popen([sys.executable, "-c", COMMITS, url], stdout=subprocess.PIPE) as worker:
            assert worker.stdout is not None
            assert worker.stdout.readline() == b"ready\n"
            # It does nothing but commit, so it is killed within one.
            wait_for(lambda: number_committed(database) > last + 5)  # noqa: B023 - called at once
            os.kill(worker.pid, signal.SIGKILL)
        # PostgreSQL may be still about to finish the last one.
        with writing(database) as connection:
            connection.execute(update(CheckpointRow).values(owner="aggregate-0"))
        last = number = number_committed(database)
        with reading(database) as connection:
            state = connection.execute(select(CameraStateRow)).one()
            for table in (TrackRow, EventRow, TrackPathRow, SnapshotRow):
                assert connection.execute(select(func.count()).select_from(table)).scalar_one() == number
        assert (state.state, state.lost) == (str(number).encode(), number)
        assert totals(database) == recount(database, MINUTE_NS)
        assert totals(database, HourRollupRow) == recount(database, HOUR_NS)


def test_a_full_disk_applies_nothing_and_later_all_is_well(tmp_path: Path) -> None:
    engine = open_engine(sqlite_url(tmp_path / "maskwatch.sqlite3"))
    migrate(engine)
    ledger = Ledger(engine, 0, "aggregate-0")
    ledger.acquire("bus-1", NOW_NS)
    ledger.commit(with_picture("a.jpg"), NOW_NS)
    with reading(engine) as connection:
        pages = connection.execute(text("PRAGMA page_count")).scalar_one()

    def limit(connection: Any, _record: object) -> None:
        connection.execute(f"PRAGMA max_page_count={pages + 2}")

    event.listen(engine, "connect", limit)
    engine.dispose()
    before = everything(engine)
    large = Batch("2-0", tracks={("c1", 2): track(2)}, lost={"c1": 1}, states={"c1": os.urandom(100_000)})
    with pytest.raises(StorageError, match=r"the disk is full; free some space, what is waiting is written then"):
        ledger.commit(large, NOW_NS)
    assert everything(engine) == before
    assert position(engine) == "1-0"
    # The lease can be kept: that needs no new space.
    ledger.renew(NOW_NS)
    event.remove(engine, "connect", limit)
    engine.dispose()
    ledger.commit(large, NOW_NS)
    assert position(engine) == "2-0"
    assert totals(engine) == recount(engine, MINUTE_NS)
    engine.dispose()


def test_a_server_that_goes_away_during_a_batch_is_said_so_and_all_is_well_later(postgres: Postgres) -> None:
    engine = open_engine(postgres.new())
    migrate(engine)
    ledger = Ledger(engine, 0, "aggregate-0")
    ledger.acquire("bus-1", NOW_NS)

    def lose(connection: Any, *_others: object) -> None:
        backend = connection.connection.driver_connection.info.backend_pid
        postgres.run(f"SELECT pg_terminate_backend({backend}, 5000)")

    event.listen(engine, "commit", lose, once=True)
    with pytest.raises(StorageError, match="can't be reached"):
        ledger.commit(with_picture("a.jpg"), NOW_NS)
    assert Ledger(engine, 0, "aggregate-0").acquire("bus-1", NOW_NS).position == "0-0"
    engine.dispose()
