"""Periodic work: done when it is due and by one of many; files without rows and rows without files; weeks as reports."""

import json
import os
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest
from sqlalchemy import Engine, insert, select

from infra.jobs import tasks
from infra.jobs import upkeep as work
from infra.jobs.place import JobsPlace
from infra.jobs.upkeep import UPKEEP, Upkeep, UpkeepPlace, run_upkeep
from infra.places import Places, database_url
from infra.settings import load_settings
from storage.database.engine import open_engine, reading, writing
from storage.database.job_videos import JobVideos
from storage.database.models import (
    BuildingRow,
    EventRow,
    JobFileRow,
    JobRow,
    SnapshotRow,
    SpotCheckRow,
    UploadRow,
)
from storage.database.orphans import FEW
from storage.database.pictures import announce
from storage.database.sweeping import ALONE_NS
from storage.database.upkeep import AGAIN_S, NAMES, UNENDED, UpkeepLog, UpkeepRecord
from storage.errors import StorageError, UsageError
from storage.messages import NS_PER_S
from tests.postgres import database_fixture, postgres_fixture  # noqa: F401

NOW_NS = time.time_ns()
HOUR_NS = 3600 * NS_PER_S
OLD_NS = NOW_NS - 2 * HOUR_NS


@pytest.fixture(name="place")
def place_fixture(database: Engine, tmp_path: Path) -> UpkeepPlace:
    return UpkeepPlace(database, Places(tmp_path, tmp_path / "shm", tmp_path / "media"), NOW_NS)


def put(path: Path, at_ns: int = OLD_NS) -> str:
    """A file that was last written then."""
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"data")
    os.utime(path, ns=(at_ns, at_ns))
    return path.name


def rows(engine: Engine, column: Any) -> list[Any]:
    with reading(engine) as connection:
        return list(connection.execute(select(column).order_by(column)).scalars())


def add(engine: Engine, table: Any, **values: Any) -> None:
    with writing(engine) as connection:
        connection.execute(insert(table), values)


def add_job(engine: Engine, name: str, state: str) -> None:
    made = {"created_by_id": "local", "created_by": "me", "created_at_ns": OLD_NS}
    add(engine, JobRow, id=name, state=state, camera_id="c1", building_id="b1", counts=True, options={}, **made)


def add_picture(place: UpkeepPlace, number: int, **values: Any) -> str:
    """A picture of an event, with its row but without its file."""
    name = f"{number:064x}.jpg"
    row = {"name": name, "camera_id": "c1", "bytes": 4, "created_at_ns": OLD_NS, "obsolete": False}
    add(place.engine, SnapshotRow, **(row | values))
    return name


def did(place: UpkeepPlace, name: str, *, due: bool = False) -> dict[str, int]:
    """What came of a piece of work."""
    record = run_upkeep(name, place, due=due)
    assert record is not None
    assert record.error is None
    return dict(record.outcome)


def tries(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Work that is done each hour, and only counts: the times at which it was done."""
    done: list[int] = []

    def run(own: UpkeepPlace) -> dict[str, int]:
        done.append(own.now_ns)
        return {"tries": len(done)}

    monkeypatch.setattr(work, "UPKEEP", (Upkeep("try", 3600.0, run),))
    return done


def test_work_is_done_once_in_its_time_whoever_asks(place: UpkeepPlace, monkeypatch: pytest.MonkeyPatch) -> None:
    done = tries(monkeypatch)

    def at(seconds: float) -> UpkeepRecord | None:
        return run_upkeep("try", UpkeepPlace(place.engine, place.places, NOW_NS + round(seconds * NS_PER_S)))

    first = at(0)
    assert first is not None
    assert (first.outcome, first.error) == ({"tries": 1}, None)
    assert UpkeepLog(place.engine).records() == {"try": first}
    assert at(1) is None
    assert at(3000) is None
    # Who asks each hour may come a moment early.
    assert at(3599) is not None
    # By a clock that was an hour ahead, the last time is still to come.
    assert at(0) is not None
    assert len(done) == 3


def test_many_hosts_at_once_do_it_once(place: UpkeepPlace, monkeypatch: pytest.MonkeyPatch) -> None:
    done = tries(monkeypatch)
    threads = [threading.Thread(target=run_upkeep, args=("try", place)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(done) == 1


def test_what_fails_or_is_killed_is_due_again_soon(place: UpkeepPlace, monkeypatch: pytest.MonkeyPatch) -> None:
    trouble: list[BaseException] = [StorageError("the disk is full"), KeyboardInterrupt()]

    def run(_: UpkeepPlace) -> dict[str, int]:
        if trouble:
            raise trouble.pop(0)
        return {"done": 1}

    monkeypatch.setattr(work, "UPKEEP", (Upkeep("try", 86_400.0, run),))
    log, later_ns = UpkeepLog(place.engine), round(AGAIN_S * NS_PER_S)
    assert run_upkeep("try", place) is not None
    assert log.records()["try"].error == "the disk is full"
    assert run_upkeep("try", UpkeepPlace(place.engine, place.places, NOW_NS + later_ns - 1)) is None
    with pytest.raises(KeyboardInterrupt):
        run_upkeep("try", UpkeepPlace(place.engine, place.places, NOW_NS + later_ns))
    assert log.records()["try"].error == UNENDED
    done = run_upkeep("try", UpkeepPlace(place.engine, place.places, NOW_NS + 2 * later_ns))
    assert done is not None
    assert log.records()["try"] == done
    assert done.outcome == {"done": 1}


def test_there_is_no_other_work(place: UpkeepPlace) -> None:
    with pytest.raises(UsageError, match="there is weekly-reports, retention"):
        run_upkeep("tidying", place)


def test_all_of_it_can_be_done_where_there_is_nothing_yet(place: UpkeepPlace) -> None:
    for one in UPKEEP:
        assert not any(value for what, value in did(place, one.name).items() if what != "hours")
        assert one.asked_s <= one.every_s


def test_pictures_without_a_row_go_after_an_hour(place: UpkeepPlace) -> None:
    folder = place.places.snapshots
    for number in range(2):
        put(folder / f"{number:064x}.jpg")
    kept = [put(folder / f"{5:064x}.jpg", NOW_NS - ALONE_NS + NS_PER_S), put(folder / "notes.txt")]
    named = put(folder / add_picture(place, 7))
    spared = put(folder / add_picture(place, 8, obsolete=True))
    put(folder / add_picture(place, 9, obsolete=True))
    event = {"id": "c1-e1", "camera_id": "c1", "building_id": "b1", "track_id": "c1-t1", "type": "without_mask"}
    times = {"started_ns": OLD_NS, "ended_ns": OLD_NS, "confidence": 0.9, "counts": True, "closed": True}
    # Two cameras saw the same, and one of them replaced it while the other began to show it.
    add(place.engine, EventRow, **event, **times, snapshot=spared)
    assert did(place, "orphan-pictures") == {"removed": 3, "missing": 0}
    assert sorted(path.name for path in folder.iterdir()) == sorted([*kept, named, spared])
    assert rows(place.engine, SnapshotRow.name) == sorted([named, spared])
    assert did(place, "orphan-pictures") == {"removed": 0, "missing": 0}


def test_a_picture_without_a_row_that_is_announced_at_that_moment_stays(place: UpkeepPlace) -> None:
    name = put(place.places.snapshots / f"{1:064x}.jpg")
    with writing(place.engine) as connection:
        announce(connection, {name: "c1"}, NOW_NS - 1)
    assert did(place, "orphan-pictures") == {"removed": 0, "missing": 0}
    assert (place.places.snapshots / name).exists()


def test_of_a_picture_that_is_lost_the_event_stays_and_still_says_so(place: UpkeepPlace) -> None:
    place.places.snapshots.mkdir()
    name = add_picture(place, 1)
    assert did(place, "orphan-pictures") == {"removed": 0, "missing": 1}
    assert rows(place.engine, SnapshotRow.name) == [name], "it may come back from a backup"
    put(place.places.snapshots / name)
    assert did(place, "orphan-pictures") == {"removed": 0, "missing": 0}


def test_without_the_folder_of_pictures_nothing_is_said_of_them(place: UpkeepPlace) -> None:
    add_picture(place, 1)
    record = run_upkeep("orphan-pictures", place, due=False)
    assert record is not None
    assert "is not there: mount it" in str(record.error)


@pytest.mark.parametrize("kind", ["pictures", "uploads", "videos"])
def test_a_database_that_does_not_know_the_files_removes_none(place: UpkeepPlace, kind: str) -> None:
    places = place.places
    folder = {"pictures": places.snapshots, "uploads": places.uploads, "videos": places.annotated}[kind]
    work_name = "orphan-pictures" if kind == "pictures" else "orphan-footage"
    stem, ending = {"pictures": ("", ".jpg"), "uploads": ("u-", ""), "videos": ("j-", "-0.mp4")}[kind]
    names = [put(folder / f"{stem}{number:0{64 if kind == 'pictures' else 10}x}{ending}") for number in range(FEW + 1)]

    def know(number: int) -> None:
        """Let the database have a row of it."""
        if kind == "pictures":
            add_picture(place, number)
        elif kind == "videos":
            # It was cancelled: the video goes, but it is known whose it was.
            add_job(place.engine, f"j-{number:010x}", "cancelled")
        else:
            own = {"name": "a.mp4", "bytes": 4, "sha256": "0" * 64, "created_by_id": "local", "created_at_ns": NOW_NS}
            add(place.engine, UploadRow, id=names[number], **own)

    half = (FEW + 1) // 2
    for number in range(half):
        know(number)
    record = run_upkeep(work_name, place, due=False)
    assert record is not None
    said = f"knows only {half} of the {FEW + 1} {kind} in {folder}, and nothing was removed: is it the right one?"
    assert said in str(record.error)
    assert JobVideos(place.engine, places.annotated).sweep() == (half if kind == "videos" else 0)
    for name in names:
        put(folder / name)
    know(half)
    prefix = "" if kind == "pictures" else f"{kind}_"
    assert did(place, work_name)[f"{prefix}removed"] == (FEW + 1 if kind == "videos" else FEW - half)


def test_long_work_gives_signs_of_life_and_ends_where_it_is_asked_to(place: UpkeepPlace) -> None:
    building(place.engine, "b1", "UTC", 0)
    for folder in (place.places.snapshots, place.places.uploads, place.places.annotated, place.places.reports):
        put(folder / ".u-1.part")
    signs: list[int] = []

    def stop() -> None:
        raise StorageError("it was asked to stop")

    for one in UPKEEP:
        before = len(signs)
        assert did(replace(place, progress=lambda: signs.append(1)), one.name) is not None
        # What is one short statement has no parts.
        assert (len(signs) > before) is (one.name != "spot-pictures")
    put(place.places.uploads / ".u-2.part")
    log = UpkeepLog(place.engine)
    assert run_upkeep("temporary-files", replace(place, progress=stop), due=False) is not None
    assert log.records()["temporary-files"].error == "it was asked to stop"
    assert (place.places.uploads / ".u-2.part").exists()


def test_a_task_tells_its_process_that_it_goes_on_and_ends_with_it(place: UpkeepPlace) -> None:
    class Standing:
        """As much of the place of a `jobs` process as the task uses."""

        engine, places = place.engine, place.places
        moved = 0

        def move(self) -> bool:
            self.moved += 1
            return True

    left = put(place.places.uploads / ".u-1.part")
    standing = Standing()
    tasks.upkeep(cast("JobsPlace", standing), "temporary-files")
    assert standing.moved == 1
    assert "asked to stop" in str(UpkeepLog(place.engine).records()["temporary-files"].error)
    assert (place.places.uploads / left).exists()


def test_all_periodic_work_is_known_by_name() -> None:
    assert tuple(one.name for one in UPKEEP) == NAMES
    assert not any("." in name for name in NAMES)


def test_uploads_go_with_their_job_or_when_nobody_used_them(place: UpkeepPlace) -> None:
    folder, day_ns = place.places.uploads, 24 * HOUR_NS
    add_job(place.engine, "j-on", "running")
    add_job(place.engine, "j-over", "failed")
    uploads = {
        "u-on": ("j-on", NOW_NS - 9 * day_ns),
        "u-over": ("j-over", OLD_NS),
        "u-gone": ("j-nowhere", OLD_NS),
        "u-new": (None, OLD_NS),
        "u-unused": (None, NOW_NS - day_ns - 1),
        "u-lost": ("j-on", OLD_NS),
    }
    for name, (job, at_ns) in uploads.items():
        put(folder / name)
        own = {"name": "a.mp4", "bytes": 4, "sha256": "0" * 64, "created_by_id": "local", "created_at_ns": at_ns}
        add(place.engine, UploadRow, id=name, job_id=job, **own)
    put(folder / "u-nobody")
    put(folder / "u-writing", NOW_NS)
    (folder / "u-lost").unlink()
    assert did(place, "orphan-footage")["uploads_removed"] == 4
    assert rows(place.engine, UploadRow.id) == ["u-lost", "u-new", "u-on"]
    assert sorted(path.name for path in folder.iterdir()) == ["u-new", "u-on", "u-writing"]
    assert did(place, "orphan-footage") == {
        "uploads_removed": 0,
        "uploads_missing": 1,
        "videos_removed": 0,
        "videos_missing": 0,
    }


def test_annotated_videos_go_that_no_job_has(place: UpkeepPlace) -> None:
    folder = place.places.annotated
    add_job(place.engine, "j-on", "running")
    add_job(place.engine, "j-over", "done")
    for number, video in enumerate(["j-over-0.mp4", "j-over-1.mp4"]):
        add(place.engine, JobFileRow, job_id="j-over", number=number, name="a", path="/a", annotated=video)
    for name in ("j-over-0.mp4", "j-over-9.mp4", "j-gone-0.mp4", "j-on-0.mp4"):
        put(folder / name)
    found = did(place, "orphan-footage")
    assert (found["videos_removed"], found["videos_missing"]) == (2, 1)
    assert sorted(path.name for path in folder.iterdir()) == ["j-on-0.mp4", "j-over-0.mp4"]


def test_what_writers_left_unfinished_goes_after_an_hour(place: UpkeepPlace) -> None:
    places = place.places
    for folder in (places.snapshots, places.uploads, places.annotated, places.reports):
        put(folder / ".abcdef-a1b2c3d4.jpg")
        put(folder / ".u-1.part")
        put(folder / ".keep")
        put(folder / ".abcdef-z1b2c3d4.mp4", NOW_NS)
    assert did(place, "temporary-files") == {"removed": 8}
    assert sorted(path.name for path in places.reports.iterdir()) == [".abcdef-z1b2c3d4.mp4", ".keep"]


def test_pictures_of_drawn_passages_go_when_their_time_is_over(place: UpkeepPlace) -> None:
    check = {"track_id": "c1-t1", "camera_id": "c1", "building_id": "b1", "started_ns": 1, "share": 0.1, "jpeg": b"x"}
    add(place.engine, SpotCheckRow, **check, expires_at_ns=NOW_NS - 1)
    assert did(place, "spot-pictures") == {}
    assert rows(place.engine, SpotCheckRow.jpeg) == [None]


def moment(*date: int) -> int:
    return round(datetime(*date, tzinfo=UTC).timestamp()) * NS_PER_S  # type: ignore[arg-type, misc]


def building(engine: Engine, name: str, timezone: str, created_ns: int) -> None:
    row = {"id": name, "name": f"<{name}>", "timezone": timezone, "retention_days": 30, "policy": {}, "version": 1}
    add(engine, BuildingRow, **row, created_at_ns=created_ns)


def test_each_monday_there_is_the_report_of_the_past_week_and_missed_ones_are_made_up(place: UpkeepPlace) -> None:
    folder = place.places.reports
    building(place.engine, "b1", "Europe/Berlin", 0)
    building(place.engine, "b2", "America/New_York", moment(2026, 10, 21))

    def at(now_ns: int) -> list[str]:
        did(UpkeepPlace(place.engine, place.places, now_ns), "weekly-reports")
        return sorted(path.name for path in folder.glob("*"))

    before = [f"b1-2026-W{week}.html" for week in (39, 40, 41, 42)]
    # Sunday, 23:59 in Berlin, where the clock was set back that morning.
    assert at(moment(2026, 10, 25, 22, 59)) == before
    first = [*before, "b1-2026-W43.html"]
    assert at(moment(2026, 10, 25, 23, 0)) == first
    (folder / "b1-2026-W43.html").write_text("as it was printed")
    # Monday in New York, too; that building is younger than the weeks before.
    assert at(moment(2026, 10, 26, 4, 0)) == [*first, "b2-2026-W43.html"]
    assert (folder / "b1-2026-W43.html").read_text() == "as it was printed"
    late = at(moment(2027, 1, 20))
    assert [name for name in late if "2026-W53" in name] == ["b1-2026-W53.html", "b2-2026-W53.html"]
    assert "b1-2026-W49.html" not in late
    page = (folder / "b2-2026-W43.html").read_text()
    assert "&lt;b2&gt;: 2026-W43" in page
    assert "<style>" in page
    assert "/static/" not in page


def test_by_hand_all_of_it_is_done_due_or_not(maskwatch: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MASKWATCH_DATA_DIR", str(tmp_path / "data"))
    for _ in range(2):
        status, out, err = maskwatch("upkeep")
        assert (status, err) == (0, "")
        assert "0 tracks, 0 events, 0 jobs, 0 pictures" in out
    status, out, _ = maskwatch("upkeep", "retention", "--json")
    assert status == 0
    assert json.loads(out)["outcome"] == {"tracks": 0, "events": 0, "jobs": 0, "pictures": 0}
    status, out, err = maskwatch("upkeep", "tidying")
    assert (status, out) == (2, "")
    assert "there is no upkeep 'tidying'; there is weekly-reports" in err
    engine = open_engine(database_url(load_settings()))
    row = {"name": f"{1:064x}.jpg", "camera_id": "c1", "bytes": 4, "created_at_ns": OLD_NS, "obsolete": False}
    add(engine, SnapshotRow, **row)
    engine.dispose()
    (tmp_path / "data" / "snapshots").mkdir(exist_ok=True)
    status, _, err = maskwatch("upkeep", "orphan-pictures")
    assert (status, err) == (0, f"maskwatch: the file of a picture is missing: file {row['name']}, of 1\n")
    (tmp_path / "data" / "uploads").write_text("no folder")
    status, out, err = maskwatch("upkeep", "orphan-footage")
    assert status == 1
    assert "cannot read the folder" in err
