"""What is too old goes, file and row together, wherever the work is killed; and what is not too old stays."""

import hashlib
import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, delete, func, insert, select, update

from storage.database.batch import Batch, FaceShot, Kept
from storage.database.changes import BuildingChanges
from storage.database.engine import reading, writing
from storage.database.gone import read
from storage.database.ledger import Ledger
from storage.database.models import (
    CandidateRow,
    EventFaceRow,
    EventRow,
    HourRollupRow,
    JobChunkRow,
    JobFileRow,
    JobRow,
    MinuteRollupRow,
    ReviewRow,
    SnapshotRow,
    SpotCheckRow,
    TrackPathRow,
    TrackRow,
)
from storage.database.pictures import announce
from storage.database.records import NewCamera
from storage.database.retention import DAY_NS, PART, Retention
from storage.database.reviews import Reviews
from storage.database.sites import Sites
from storage.database.sweeping import ALONE_NS, sweep
from storage.errors import StorageError
from storage.messages import NS_PER_S, Event, Track
from storage.reviewing import Review, Verdict
from storage.snapshots import SnapshotFolder
from storage.words import Label
from tests.postgres import database_fixture, postgres_fixture  # noqa: F401

NOW_NS = 1_790_000_000 * NS_PER_S
DAYS = 30
LIMIT_S = 30.0
OLD_NS = NOW_NS - (DAYS + 1) * DAY_NS
YOUNG_NS = NOW_NS - (DAYS - 1) * DAY_NS


class KilledError(Exception):
    """Stands for a process that ends at this moment."""


class House:
    """A building that keeps things for 30 days, with two cameras, and its folders."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.engine, self.folder = engine, folder / "snapshots"
        self.annotated = folder / "annotated"
        self.folder.mkdir()
        self.annotated.mkdir()
        self.sites = Sites(engine)
        self.sites.add_building("North", "UTC", retention_days=DAYS)
        for name in ("Door", "Gate"):
            self.sites.add_camera(NewCamera(name, "b1", "rtsp://10.0.0.5/1"))
        self.ledger = Ledger(engine, 0, "aggregate-0")
        self.ledger.acquire("bus-1", NOW_NS)
        self.retention = Retention(engine, self.folder, self.annotated)

    def passage(
        self, number: int, at_ns: int, camera: str = "c1", *, closed: bool = True, picture: bytes | None = None
    ) -> str:
        """Somebody without a mask passes, with all that is kept of them; gives the name of their picture."""
        key = (camera, number)
        name = self.write(picture or f"{camera} {number}".encode())
        batch = Batch("1-0", paths=[(camera, number, 0, b"path")])
        batch.tracks[key] = Track(number, at_ns, at_ns + NS_PER_S, 9, Label.WITHOUT_MASK, 0.9, None, True, closed)
        batch.events[key] = Event(number, Label.WITHOUT_MASK, at_ns + 1, at_ns + NS_PER_S, None, 0.9, closed)
        batch.snapshots[key] = Kept(name, 10)
        batch.faces[key] = {at_ns: FaceShot(Label.WITHOUT_MASK, b"jpeg")}
        self.ledger.announce({name: camera}, at_ns)
        self.ledger.commit(batch, at_ns)
        return name

    def write(self, data: bytes) -> str:
        """Put a picture into the folder."""
        name = f"{hashlib.sha256(data).hexdigest()}.jpg"
        (self.folder / name).write_bytes(data)
        return name

    def job(self, name: str, ended_ns: int | None, *, passages: int = 2, at_ns: int = OLD_NS, **more: Any) -> None:
        """Footage that was analysed, with a report, an annotated video and passages with pictures."""
        row = {
            "id": name,
            "state": "done" if ended_ns else "running",
            "camera_id": "c1",
            "building_id": "b1",
            "counts": True,
            "options": {},
            "created_by_id": "local",
            "created_by": "me",
            "created_at_ns": OLD_NS,
            "ended_at_ns": ended_ns,
            **more,
        }
        (self.annotated / f"{name}-0.mp4").write_bytes(b"video")
        file = {"job_id": name, "number": 0, "name": "a.mp4", "path": "/a.mp4", "annotated": f"{name}-0.mp4"}
        chunk = {"job_id": name, "file": 0, "number": 0, "state": "done", "start_ns": 0, "end_ns": 1, "at_ns": 1}
        found: dict[Any, list[dict[str, Any]]] = {TrackRow: [], EventRow: [], SnapshotRow: []}
        with writing(self.engine) as connection:
            connection.execute(insert(JobRow), row)
            connection.execute(insert(JobFileRow), file)
            connection.execute(insert(JobChunkRow), chunk)
            place = {"camera_id": "c1", "building_id": "b1", "zone_id": None, "job_id": name, "counts": True}
            times = {"started_ns": at_ns, "ended_ns": at_ns + 1, "confidence": 0.9, "closed": True}
            for number in range(1, passages + 1):
                picture = self.write(f"{name} {number}".encode())
                event = {"id": f"{name}-e{number}", "track_id": f"{name}-t{number}", "type": "without_mask"}
                found[EventRow].append({**event, "snapshot": picture, **place, **times})
                track = {"id": f"{name}-t{number}", "number": number, "faces": 9, "label": "without_mask"}
                found[TrackRow].append({**track, "counted": True, **place, **times})
                shown = {"name": picture, "camera_id": name, "event_id": event["id"], "bytes": 1}
                found[SnapshotRow].append({**shown, "created_at_ns": OLD_NS, "obsolete": False})
            for table, rows in found.items():
                if rows:
                    connection.execute(insert(table), rows)

    def rows(self, table: Any) -> list[Any]:
        """The first column of its rows."""
        with reading(self.engine) as connection:
            return sorted(connection.execute(select(next(iter(table.__table__.primary_key)))).scalars())

    @property
    def files(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir())

    def check_partners(self) -> None:
        """Every picture has a row and every row that is not obsolete a file; what an event names is there."""
        with reading(self.engine) as connection:
            rows = {
                row.name: row.obsolete for row in connection.execute(select(SnapshotRow.name, SnapshotRow.obsolete))
            }
            named = set(connection.execute(select(EventRow.snapshot)).scalars())
            events = set(connection.execute(select(EventRow.id)).scalars())
            tracks = set(connection.execute(select(TrackRow.id)).scalars())
            jobs = set(connection.execute(select(JobRow.id)).scalars())
            videos = [(row.job_id, row.annotated) for row in connection.execute(select(JobFileRow.__table__))]
        files = set(self.files)
        assert files <= rows.keys()
        assert {name for name, obsolete in rows.items() if not obsolete} <= files
        assert named <= files
        assert {event.replace("-e", "-t") for event in events} == tracks
        assert set(self.rows(TrackPathRow)) <= tracks
        assert set(self.rows(EventFaceRow)) <= events
        assert set(self.rows(ReviewRow)) <= events
        assert {job for job, _ in videos} == jobs
        assert {path.name for path in self.annotated.iterdir()} <= {video for _, video in videos}


@pytest.fixture(name="house")
def house_fixture(database: Engine, tmp_path: Path) -> House:
    return House(database, tmp_path)


def test_what_is_too_old_goes_with_all_that_belongs_to_it_and_the_rest_stays(house: House) -> None:
    house.passage(1, OLD_NS)
    house.passage(2, OLD_NS + 10)
    kept = [house.passage(3, YOUNG_NS), house.passage(1, YOUNG_NS, "c2")]
    reviews = Reviews(house.engine)
    for event in ("c1-e1", "c1-e3"):
        reviews.review(event, Review(Verdict.CONFIRMED), 1, NOW_NS)
    check = {"camera_id": "c1", "building_id": "b1", "expires_at_ns": 0, "share": 0.5, "label": "with_mask"}
    candidate = {"camera_id": "c1", "jpeg": b"jpeg"}
    with writing(house.engine) as connection:
        for number, at_ns in ((1, OLD_NS), (3, YOUNG_NS), (8, OLD_NS), (9, NOW_NS)):
            connection.execute(insert(CandidateRow), {"number": number, "at_ns": at_ns, **candidate})
            row = {"track_id": f"c1-t{number}", "started_ns": at_ns, **check}
            connection.execute(insert(SpotCheckRow), row)
        totals = {
            table: connection.execute(select(table.__table__)).all() for table in (MinuteRollupRow, HourRollupRow)
        }
    assert house.retention.run(NOW_NS) == {"tracks": 2, "events": 2, "jobs": 0, "pictures": 2}
    assert house.rows(TrackRow) == house.rows(TrackPathRow) == ["c1-t3", "c2-t1"]
    assert house.rows(EventRow) == house.rows(EventFaceRow) == ["c1-e3", "c2-e1"]
    assert house.rows(ReviewRow) == ["c1-e3"]
    assert "c1-t1" not in house.rows(SpotCheckRow)
    with reading(house.engine) as connection:
        assert sorted(connection.execute(select(CandidateRow.number)).scalars()) == [3, 9]
        for table, before in totals.items():
            assert connection.execute(select(table.__table__)).all() == before, "totals have no people in them"
        gone = read(connection)["b1"]
    assert gone.before_ns == NOW_NS - DAYS * DAY_NS, "how far back totals can be recounted is written down"
    assert house.files == house.rows(SnapshotRow) == sorted(kept)
    assert house.retention.run(NOW_NS) == {"tracks": 0, "events": 0, "jobs": 0, "pictures": 0}


def test_each_building_has_its_own_days_and_archived_ones_too(house: House) -> None:
    house.sites.add_building("South", "UTC", retention_days=400)
    house.sites.add_camera(NewCamera("Hall", "b2", "rtsp://10.0.0.5/1"))
    house.passage(1, OLD_NS)
    house.passage(1, OLD_NS, "c3")
    house.passage(1, OLD_NS, "stranger")
    for camera in ("c1", "c2"):
        house.sites.archive_camera(camera)
    house.sites.remove_building("b1")
    house.retention.run(NOW_NS)
    assert house.rows(TrackRow) == ["c3-t1"], "what no building has is kept for 30 days"
    house.sites.change_building("b2", BuildingChanges(retention_days=DAYS))
    house.retention.run(NOW_NS)
    assert house.rows(TrackRow) == house.files == []


def test_whoever_is_in_view_stays(house: House) -> None:
    house.passage(1, OLD_NS, closed=False)
    house.passage(2, OLD_NS)
    with writing(house.engine) as connection:
        connection.execute(update(EventRow).where(EventRow.id == "c1-e2").values(closed=False))
    assert house.retention.run(NOW_NS)["tracks"] == 0
    assert house.rows(EventRow) == ["c1-e1", "c1-e2"]
    house.check_partners()


def test_an_event_without_a_passage_goes_too(house: House) -> None:
    house.passage(1, OLD_NS)
    with writing(house.engine) as connection:
        connection.execute(delete(TrackRow))
    assert house.retention.run(NOW_NS) == {"tracks": 0, "events": 1, "jobs": 0, "pictures": 1}
    assert house.rows(EventRow) == house.rows(TrackPathRow) == house.files == []


def test_a_picture_that_a_younger_event_shows_too_stays(house: House) -> None:
    house.passage(1, OLD_NS, picture=b"the same")
    name = house.passage(1, YOUNG_NS, "c2", picture=b"the same")
    house.retention.run(NOW_NS)
    assert house.files == [name]
    house.check_partners()


def test_a_picture_that_is_announced_anew_at_that_moment_stays(house: House) -> None:
    name = house.passage(1, OLD_NS)
    # Footage that is analysed once more is about to give the very same picture.
    with writing(house.engine) as connection:
        announce(connection, {name: "c2"}, NOW_NS - 1)
    assert house.retention.run(NOW_NS)["pictures"] == 0
    assert house.files == [name]
    assert house.retention.run(NOW_NS + ALONE_NS)["pictures"] == 1, "nobody ever used it"
    assert house.files == house.rows(SnapshotRow) == []


def test_a_picture_that_is_written_anew_while_it_goes_is_there_afterwards(house: House) -> None:
    going, go_on = threading.Event(), threading.Event()

    class SlowFolder(SnapshotFolder):
        def discard(self, name: str) -> None:
            going.set()
            assert go_on.wait(LIMIT_S)
            super().discard(name)

    def write_anew() -> None:
        with writing(house.engine) as connection:
            announce(connection, {name: "c2"}, NOW_NS)
        SnapshotFolder(house.folder).keep(b"the same")

    name = house.write(b"the same")
    with writing(house.engine) as connection:
        announce(connection, {name: "c1"}, OLD_NS)
    sweeper = threading.Thread(target=sweep, args=(house.engine, SlowFolder(house.folder), NOW_NS))
    writer = threading.Thread(target=write_anew)
    sweeper.start()
    assert going.wait(LIMIT_S)
    writer.start()
    # It has to wait; where it had not, its file would be removed.
    writer.join(0.1)
    go_on.set()
    for thread in (sweeper, writer):
        thread.join(LIMIT_S)
    assert house.files == house.rows(SnapshotRow) == [name]


def test_a_picture_announced_for_a_job_stays_until_that_is_over(house: House) -> None:
    house.job("j-1", None, passages=0)
    name = house.write(b"found")
    with writing(house.engine) as connection:
        announce(connection, {name: "j-1"}, OLD_NS)
    house.retention.run(NOW_NS)
    assert house.files == [name]
    with writing(house.engine) as connection:
        connection.execute(update(JobRow).values(state="failed", ended_at_ns=NOW_NS))
    house.retention.run(NOW_NS)
    assert house.files == house.rows(SnapshotRow) == []


def test_footage_ages_from_the_end_of_its_job(house: House) -> None:
    house.job("j-old", OLD_NS, passages=PART + 5, at_ns=NOW_NS + DAY_NS)
    house.job("j-young", YOUNG_NS, at_ns=OLD_NS - 1000 * DAY_NS)
    house.job("j-now", None, at_ns=OLD_NS - 1000 * DAY_NS)
    done = house.retention.run(NOW_NS)
    assert done == {"tracks": PART + 5, "events": PART + 5, "jobs": 1, "pictures": PART + 5}
    assert house.rows(JobRow) == house.rows(JobFileRow) == house.rows(JobChunkRow) == ["j-now", "j-young"]
    assert sorted(path.name for path in house.annotated.iterdir()) == ["j-now-0.mp4", "j-young-0.mp4"]
    house.check_partners()
    with reading(house.engine) as connection:
        gone = read(connection)["b1"]
    assert gone.from_ns <= NOW_NS + DAY_NS < gone.until_ns, "footage said that it was of tomorrow"


def test_a_job_stays_as_long_as_a_later_one_answers_with_its_report(house: House) -> None:
    house.job("j-old", OLD_NS)
    house.job("j-again", YOUNG_NS, passages=0, replaced_by="j-old")
    assert house.retention.run(NOW_NS)["jobs"] == 0
    assert house.retention.run(NOW_NS + DAY_NS * DAYS)["jobs"] == 2
    assert house.rows(JobRow) == house.rows(EventRow) == house.files == []


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", [1, 3, 5])
def test_killed_at_any_file_nothing_is_left_without_its_partner(
    house: House, at: int, after: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.passage(1, OLD_NS)
    house.passage(2, OLD_NS)
    house.passage(3, YOUNG_NS)
    house.job("j-old", OLD_NS)
    house.job("j-young", YOUNG_NS)
    left = at
    unlink = Path.unlink

    def killing(path: Path, missing_ok: bool = False) -> None:
        nonlocal left
        left -= 1
        if left == 0 and not after:
            raise KilledError
        unlink(path, missing_ok=missing_ok)
        if left == 0:
            raise KilledError

    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", killing)
        with pytest.raises(KilledError):
            house.retention.run(NOW_NS)
    # A file may be gone before its row, which says so: it is obsolete, or its job's facts are gone.
    house.check_partners()
    Retention(house.engine, house.folder, house.annotated).run(NOW_NS)
    house.check_partners()
    assert house.rows(TrackRow) == ["c1-t3", "j-young-t1", "j-young-t2"]
    assert len(house.files) == 3
    assert house.rows(SnapshotRow) == house.files
    assert house.rows(JobRow) == ["j-young"]


def test_what_the_disk_refuses_is_said_and_goes_the_next_time(house: House) -> None:
    house.passage(1, OLD_NS)
    name = house.files[0]
    (house.folder / name).unlink()
    (house.folder / name).mkdir()
    with pytest.raises(StorageError, match=name):
        house.retention.run(NOW_NS)
    assert house.rows(SnapshotRow) == [name]
    (house.folder / name).rmdir()
    assert house.retention.run(NOW_NS)["pictures"] == 1
    assert house.rows(SnapshotRow) == []


def test_without_the_folder_of_pictures_nothing_goes(house: House) -> None:
    house.passage(1, OLD_NS)
    house.folder.rename(house.folder.with_name("elsewhere"))
    with pytest.raises(StorageError, match="is not there: mount it"):
        house.retention.run(NOW_NS)
    assert house.rows(TrackRow) == ["c1-t1"]


@pytest.mark.slow
def test_a_million_passages_take_little_and_what_is_young_is_not_looked_at(house: House) -> None:
    many = 1_000_000 if os.environ.get("MASKWATCH_PROOF") else 200_000
    old = many // 50
    place = {"camera_id": "c1", "building_id": "b1", "faces": 9, "label": "with_mask", "confidence": 0.9}
    flags = {"counts": True, "counted": True, "closed": True, "outside_hours": False}
    with writing(house.engine) as connection:
        for first in range(0, many, 20_000):
            rows = [
                {
                    "id": f"c1-t{number}",
                    "number": number,
                    "started_ns": (OLD_NS if number < old else YOUNG_NS) + number,
                    "ended_ns": (OLD_NS if number < old else YOUNG_NS) + number + 1,
                    **place,
                    **flags,
                }
                for number in range(first, first + 20_000)
            ]
            connection.execute(insert(TrackRow.__table__), rows)  # type: ignore[arg-type]
    began_s = time.process_time()
    assert house.retention.run(NOW_NS)["tracks"] == old
    assert time.process_time() - began_s < 20.0
    began_s = time.process_time()
    assert house.retention.run(NOW_NS)["tracks"] == 0
    assert time.process_time() - began_s < 1.0
    with reading(house.engine) as connection:
        assert connection.execute(select(func.count()).select_from(TrackRow)).scalar_one() == many - old
