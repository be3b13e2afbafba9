"""`maskwatch job`: recorded footage submitted, watched, cancelled and reported on, as a person or a script does it."""

import csv
import io
import json
import os
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from sqlalchemy import Engine

from infra import console
from infra.commands import job_watch
from infra.commands.footage_paths import expanded
from infra.commands.job_watch import clock
from infra.places import Places, database_url
from infra.settings import load_settings
from storage.camera_words import parse_hours
from storage.database.audit import AuditLog, AuditWanted
from storage.database.batch import Batch, Source
from storage.database.engine import migrate, open_engine
from storage.database.job_work import JobWork
from storage.database.records import NewCamera
from storage.database.rollups import Place
from storage.database.sites import Sites
from storage.job_work import FileReport, PlannedFile, Stretch
from storage.jobs import ChunkKey, Pin
from storage.messages import NS_PER_S, Event, Track
from storage.words import Label
from tests.test_media import forbid

Call = Callable[..., tuple[int, str, str]]

START_NS = 1_772_352_000 * NS_PER_S
REPORT = {
    "schema_version": 1, "video": "door.mp4", "duration_s": 12.0, "fps": 25.0, "frames_decoded": 300, "frames_analyzed": 60,
    "errors": [], "model": {"name": "m", "sha256": "0", "backend": "litert"},
    "settings": {"fps": 5, "dwell_s": 1.0, "min_face_px": 24, "detector": "d"},
    "tracks": [{"id": "t1", "first_seen_s": 0.0, "last_seen_s": 1.0, "faces": 17, "label": "without_mask", "confidence": 0.98,
                "unknown_reason": None, "boxes": []}],
    "events": [{"id": "e1", "track_id": "t1", "type": "without_mask", "started_s": 0.0, "ended_s": 1.0, "corrected_s": None,
                "confidence": 0.97, "snapshot": None}],
    "statistics": {"tracks": 1, "with_mask": 0, "without_mask": 1, "incorrect_mask": 0, "unknown": 0, "compliance_rate": 0.0,
                   "interval": [0.0, 0.8]},
    "timing": {"wall_s": 1.0, "cpu_s": 1.0, "realtime_factor": 12.0, "peak_memory_mib": 100},
}  # fmt: skip


@pytest.fixture
def engine() -> Iterator[Engine]:
    """The database of the command line."""
    settings = load_settings()
    Places.of(settings).data.mkdir(parents=True)
    engine = open_engine(database_url(settings))
    migrate(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def door(engine: Engine) -> str:
    """A camera in a building with a zone."""
    sites = Sites(engine)
    home = sites.add_building("North", "Europe/Berlin")
    sites.add_zone(home.id, "Lobby")
    return sites.add_camera(NewCamera("Door", home.id, "rtsp://127.0.0.1:9/1")).id


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """What is in it is for the workers to find out."""
    path = tmp_path / "door-20260301_080000.mp4"
    path.write_bytes(b"film")
    return path


def lines(out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines()]


def submit(maskwatch: Call, *arguments: object) -> str:
    status, out, err = maskwatch("job", "add", *arguments, "--json")
    assert status == 0, err
    return str(json.loads(out)["id"])


def plan(engine: Engine, job: str, chunks: int = 0) -> JobWork:
    """Somebody takes and plans it."""
    work = JobWork(engine, "jobs-0")
    held = work.take_job(job, time.time_ns())
    assert held is not None
    length_ns = 12 * NS_PER_S
    stretches = tuple(Stretch(number * 4 * NS_PER_S, (number + 1) * 4 * NS_PER_S) for number in range(chunks))
    files = [
        PlannedFile(
            file.number, 4, 5, f"{file.number:064}", START_NS + file.number * length_ns, length_ns, f"{file.number:064}",
            b"plan", stretches,
        )
        for file in held.files
    ]  # fmt: skip
    work.save_plan(held, files, Pin("m", "0" * 64, "litert", "d"), time.time_ns())
    return work


def finish(engine: Engine, job: str, *, remark: str | None = None) -> None:
    """Somebody does all of it."""
    work = plan(engine, job)
    held = work.take_job(job, time.time_ns())
    assert held is not None
    batch = Batch(sources={job: Source(Place("c1", "b1", None, counts=True), job)})
    batch.tracks[job, 1] = Track(1, START_NS, START_NS + NS_PER_S, 17, Label.WITHOUT_MASK, 0.98, None, True, True)
    batch.events[job, 1] = Event(1, Label.WITHOUT_MASK, START_NS, START_NS + NS_PER_S, None, 0.97, True)
    remarks = () if remark is None else (remark,)
    reports = [FileReport(file.number, json.dumps(REPORT).encode(), remarks) for file in held.files]
    work.commit(held, batch, reports, time.time_ns())


def test_footage_is_submitted_as_it_lies_there(maskwatch: Call, door: str, film: Path) -> None:
    status, out, err = maskwatch("job", "add", film, "--camera", "Door")
    assert (status, err) == (0, "")
    assert out.endswith(f": queued, 1 file of camera {door}\n")
    (job,) = lines(maskwatch("job", "list", "--json")[1])
    assert (job["state"], job["camera_id"], job["building_id"], job["progress"]) == ("queued", door, "b1", 0)
    assert [file["name"] for file in job["files"]] == [film.name]
    status, out, _ = maskwatch("job", "list")
    assert status == 0
    assert job["id"] in out
    status, out, _ = maskwatch("job", "show", job["id"])
    assert status == 0
    assert "queued" in out
    assert film.name in out
    assert lines(maskwatch("job", "show", job["id"], "--json")[1]) == [job]


def test_all_that_may_be_said_of_footage(maskwatch: Call, engine: Engine, door: str, film: Path) -> None:
    more = ("--building", "North", "--zone", "Lobby", "--start", "2026-03-01T09:00:00+01:00", "--fps", "2.5")
    policy = ("--labels", "without_mask", "--dwell", "2.5", "--hours", "mon-fri 07:00-19:00")
    job = submit(
        maskwatch, film, "--camera", door, *more, "--name-pattern", "%Y%m%d_%H%M%S", "--annotate", "--fresh", *policy
    )
    held = JobWork(engine, "jobs-0").take_job(job, time.time_ns())
    assert held is not None
    assert (held.building_id, held.zone_id, held.files[0].path) == ("b1", "z1", str(film))
    options = held.options
    assert (options.start_ns, options.fps, options.annotate, options.fresh) == (START_NS, 2.5, True, True)
    assert (options.name_pattern, options.timezone) == ("%Y%m%d_%H%M%S", "Europe/Berlin")
    assert (options.labels, options.dwell_s) == ((Label.WITHOUT_MASK,), 2.5)
    assert options.hours == parse_hours("mon-fri 07:00-19:00")


def test_what_is_not_said_of_the_policy_is_as_the_camera_has_it(
    maskwatch: Call, engine: Engine, door: str, film: Path
) -> None:
    for option in (("--hours", "sat 10:00-12:00"), ("--dwell", "4"), ("--labels", "incorrect_mask")):
        assert maskwatch("camera", "change", door, *option, "--no-check")[0] == 0
    work = JobWork(engine, "jobs-0")
    given = (), ("--dwell", "0.5"), ("--hours", "none")
    jobs = [submit(maskwatch, film, "--camera", door, *options) for options in given]
    held = [work.take_job(job, time.time_ns()) for job in jobs]
    sat = parse_hours("sat 10:00-12:00")
    assert [(one.options.labels, one.options.dwell_s, one.options.hours) for one in held if one] == [
        ((Label.INCORRECT_MASK,), dwell_s, hours) for dwell_s, hours in ((4, sat), (0.5, sat), (4, None))
    ]


def test_a_folder_gives_its_videos_by_name(maskwatch: Call, engine: Engine, door: str, tmp_path: Path) -> None:
    folder = tmp_path / 'it\'s "a"\nfolder \N{GRINNING FACE}'
    (folder / "c").mkdir(parents=True)
    for name in ("b.MP4", "a.mkv", "c/c.avi", "notes.txt"):
        (folder / name).write_bytes(b"film")
    job = submit(maskwatch, folder, "--camera", door)
    held = JobWork(engine, "jobs-0").take_job(job, time.time_ns())
    assert held is not None
    assert [file.path for file in held.files] == [str(folder / name) for name in ("a.mkv", "b.MP4", "c/c.avi")]
    status, _, _ = maskwatch("job", "show", job)
    assert status == 0


def test_what_begins_with_a_dot_is_taken_only_where_it_is_named(
    maskwatch: Call, engine: Engine, door: str, tmp_path: Path
) -> None:
    folder = tmp_path / ".card"
    names = ("._door.mp4", ".Trashes/x.mp4", ".Trashes/more/y.mp4", "day/._z.mts", "day/z.MTS", "door.dav")
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"film")
    job = submit(maskwatch, folder, folder / "._door.mp4", "--camera", door)
    held = JobWork(engine, "jobs-0").take_job(job, time.time_ns())
    assert held is not None
    assert [file.path for file in held.files] == [str(folder / one) for one in ("day/z.MTS", "door.dav", "._door.mp4")]


def test_a_folder_of_which_a_part_can_not_be_read_is_no_job(
    maskwatch: Call, door: str, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked = film.parent / "locked"
    locked.mkdir()
    forbid(monkeypatch, locked)
    ((path, error),) = expanded([film.parent])
    assert (path, str(error)) == (
        film.parent,
        f"{locked} can't be read: Permission denied; get access to it, or name other footage",
    )
    status, out, err = maskwatch("job", "add", "--camera", door, film.parent)
    assert (status, out) == (1, "")
    assert "/locked can't be read: Permission denied" in " ".join(err.split())
    assert maskwatch("job", "list")[1] == "none yet\n"


def test_what_can_not_be_processed_is_said_at_once(maskwatch: Call, door: str, tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "film.mp4").write_bytes(b"film")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for arguments, status, message in (
        (("nowhere.mp4",), 1, "nowhere.mp4 does not exist"),
        (("empty.mp4",), 1, "is empty"),
        (("folder",), 1, "holds no footage"),
        (("pipe",), 1, "neither a file nor a folder"),
        (("film.mp4", "--camera", "Gate"), 1, "no camera 'Gate'"),
        (("film.mp4", "--building", "South"), 1, "no building 'South'"),
        (("film.mp4", "--zone", "Roof"), 1, "no zone 'Roof'"),
        (("film.mp4", "--start", "yesterday"), 2, "no ISO 8601 time"),
        (("film.mp4", "--start", "2026-03-01T08:00:00"), 2, "names no time zone"),
        (("film.mp4", "--name-pattern", "%H%M"), 2, "tells no day"),
        (("film.mp4", "--fps", "0"), 2, "samples a second"),
        (("film.mp4", "--labels", "with_mask"), 2, "with_mask"),
        (("film.mp4", "--dwell", "-1"), 2, "dwell"),
        (("film.mp4", "--hours", "never"), 2, "never"),
    ):
        ended, out, err = maskwatch("job", "add", "--camera", door, tmp_path / arguments[0], *arguments[1:])
        assert (ended, out) == (status, ""), err
        assert message in " ".join(err.split())
    assert maskwatch("job", "list")[1] == "none yet\n"


def test_a_job_is_cancelled(maskwatch: Call, engine: Engine, door: str, film: Path) -> None:
    job = submit(maskwatch, film, "--camera", door)
    assert maskwatch("job", "cancel", job)[:2] == (0, f"job {job} is cancelled\n")
    status, out, err = maskwatch("job", "watch", job)
    assert (status, out) == (1, "")
    assert f"job {job} was cancelled" in err
    busy = submit(maskwatch, film, "--camera", door)
    assert JobWork(engine, "jobs-0").take_job(busy, time.time_ns()) is not None
    assert "is being cancelled" in maskwatch("job", "cancel", busy)[1]
    finish(engine, ready := submit(maskwatch, film, "--camera", door))
    status, _, err = maskwatch("job", "cancel", ready)
    assert status == 1
    assert "is done already" in err


def test_a_job_that_is_not_there(maskwatch: Call, door: str) -> None:
    for command in ("show", "watch", "cancel", "report"):
        status, out, err = maskwatch("job", command, "j-0000000000")
        assert (status, out) == (1, "")
        assert "there is no job" in err


def when_said(monkeypatch: pytest.MonkeyPatch, words: str) -> threading.Event:
    """Set once whoever watches a job is told so."""
    said = threading.Event()

    def say(text: str) -> None:
        console.say(text)
        if words in text:
            said.set()

    monkeypatch.setattr(job_watch, "say", say)
    return said


def test_a_job_is_watched_until_it_is_done(
    maskwatch: Call, engine: Engine, door: str, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, seen = submit(maskwatch, film, "--camera", door), when_said(monkeypatch, "queued")

    def work() -> None:
        assert seen.wait(60)
        finish(engine, job, remark="2 damaged packets were skipped")

    worker = threading.Thread(target=work)
    worker.start()
    status, out, err = maskwatch("job", "watch", job)
    worker.join()
    assert status == 0
    assert out.startswith(f"job {job} is done: 0:12 of 0:12 footage")
    assert "1 tracks, 1 events" in out
    assert f"job {job}: queued" in err
    assert "2 damaged packets were skipped" in err
    (shown,) = lines(maskwatch("job", "watch", job, "--json")[1])
    assert (shown["state"], shown["tracks"], shown["events"], shown["progress"]) == ("done", 1, 1, 1)


def test_a_job_is_waited_for_as_it_is_submitted(
    maskwatch: Call, engine: Engine, door: str, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    missed = when_said(monkeypatch, "is not taken by anybody yet")
    monkeypatch.setattr(job_watch, "NOBODY_S", 0.0)

    def fail() -> None:
        assert missed.wait(60)
        work = JobWork(engine, "jobs-0")
        todos = work.due(time.time_ns())
        held = work.take_job(todos[0].job, time.time_ns())
        assert held is not None
        work.fail(held, "door.mp4 does not say when it began", time.time_ns())

    worker = threading.Thread(target=fail)
    worker.start()
    status, out, err = maskwatch("job", "add", film, "--camera", door, "--wait", "--json")
    worker.join()
    assert status == 1
    assert lines(out)[0]["state"] == "failed"
    assert "is not taken by anybody yet" in err
    assert "has failed: door.mp4 does not say when it began" in err


def test_the_bar_on_a_terminal_says_how_far_it_is(
    maskwatch: Call, engine: Engine, door: str, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = Console(file=io.StringIO(), force_terminal=True, width=200)
    monkeypatch.setattr(job_watch, "messages", terminal)
    job = submit(maskwatch, film, "--camera", door)
    finish(engine, job)
    assert maskwatch("job", "watch", job)[0] == 0
    shown = terminal.file.getvalue() if isinstance(terminal.file, io.StringIO) else ""
    assert f"job {job} done" in shown
    assert "0:12 of 0:12 footage" in shown
    assert "100%" in shown


def test_nobody_is_told_how_long_a_job_takes_to_be_finished(
    maskwatch: Call, engine: Engine, door: str, film: Path
) -> None:
    job = submit(maskwatch, film, "--camera", door)
    work = plan(engine, job, 1)
    held = work.take_chunk(ChunkKey(job, 0, 0), time.time_ns())
    assert held is not None
    assert "being finished" not in maskwatch("job", "show", job)[1]
    work.save_chunk(held, b"", 60, 0, time.time_ns())
    shown = maskwatch("job", "show", job)[1]
    assert "0:12 of 0:12 footage" in shown
    assert "being finished" in shown
    assert " left" not in shown


@pytest.mark.parametrize(("seconds", "shown"), [(0.2, "0:00"), (61, "1:01"), (-3, "0:00"), (90_000, "25:00:00")])
def test_lengths_of_time_for_people(seconds: float, shown: str) -> None:
    assert clock(seconds) == shown


def test_the_report_of_a_job(maskwatch: Call, engine: Engine, door: str, film: Path, tmp_path: Path) -> None:
    job = submit(maskwatch, film, "--camera", door)
    status, out, err = maskwatch("job", "report", job)
    assert (status, out) == (1, "")
    assert "is queued: there is a report once it is done" in err
    finish(engine, job)
    status, out, _ = maskwatch("job", "report", job)
    assert status == 0
    assert json.loads(out) == REPORT
    (row,) = csv.DictReader(io.StringIO(maskwatch("job", "report", job, "--format", "csv")[1]))
    assert (row["job"], row["track"], row["event"], row["started_at"]) == (job, "t1", "e1", "2026-03-01T08:00:00.000Z")
    assert maskwatch("job", "report", job, "--out", tmp_path / "r" / "report.json")[:2] == (0, "")
    assert json.loads((tmp_path / "r" / "report.json").read_bytes()) == REPORT


def test_all_of_a_job_as_one_archive(maskwatch: Call, engine: Engine, door: str, film: Path, tmp_path: Path) -> None:
    job = submit(maskwatch, film, film, "--camera", door)
    finish(engine, job)
    status, _, err = maskwatch("job", "report", job, "--format", "zip")
    assert status == 2
    assert "--out" in err
    assert maskwatch("job", "report", job, "--format", "zip", "--out", tmp_path / "all.zip")[0] == 0
    with zipfile.ZipFile(tmp_path / "all.zip") as archive:
        assert archive.testzip() is None
        assert sorted(archive.namelist()) == ["job.json", "report-0.json", "report-1.json", "tracks.csv"]
        assert json.loads(archive.read("job.json"))["id"] == job
    entries, _ = AuditLog(engine).entries(AuditWanted(action="job.exported"), 10)
    assert [entry.object_id for entry in entries] == [job]
