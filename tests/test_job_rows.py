"""Jobs in the database: who works on what, what is known already, and what is left when they end."""

import hashlib
import itertools
import random
import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, func, insert, select, update

from storage.database.audit import AuditLog, AuditWanted
from storage.database.batch import Batch, FaceShot, Kept, Source, Written
from storage.database.booking import apply
from storage.database.engine import reading, writing
from storage.database.job_pictures import JobPictures
from storage.database.job_videos import JobVideos
from storage.database.job_work import JobWork
from storage.database.jobs import Jobs
from storage.database.models import (
    EventFaceRow,
    EventRow,
    HourRollupRow,
    JobChunkRow,
    JobFileRow,
    JobRow,
    MinuteRollupRow,
    ReviewRow,
    SnapshotRow,
    TrackPathRow,
    TrackRow,
    UploadRow,
)
from storage.database.orphans import uploads
from storage.database.records import NewCamera, Policy
from storage.database.reviews import Reviews
from storage.database.rollups import COLUMNS, Place
from storage.database.sites import Sites
from storage.database.uploads import Upload, Uploads, new_upload_id
from storage.errors import ConflictError, InvalidError, NotFoundError, StorageError
from storage.identity import Caller, Role
from storage.job_work import (
    FileReport,
    HeldChunk,
    HeldJob,
    JobCancelledError,
    LeaseLostError,
    PlannedFile,
    Stretch,
    Todo,
)
from storage.jobs import FINAL, ChunkKey, Job, JobState, JobsWanted, NewFile, NewJob, Pin
from storage.messages import NS_PER_S, Event, Track
from storage.reviewing import Review, Verdict
from storage.snapshots import SnapshotFolder
from storage.telling import NewsKind
from storage.words import Label
from tests.postgres import database_fixture, postgres_fixture  # noqa: F401

NOW_NS = 1_700_000_000 * NS_PER_S
SHOT_NS = 1_600_000_000 * NS_PER_S
MODEL = Pin("masks", "ab" * 32, "litert", "faces")
ANN = Caller("u1", "Ann", "account", Role.OPERATOR, frozenset({"b1"}), "10.0.0.9")
BOB = Caller("u2", "Bob", "account", Role.OPERATOR, frozenset({"b2"}), "10.0.0.8")
RESULTS = b"what was seen in "


@pytest.fixture
def jobs(database: Engine) -> Jobs:
    """Two buildings with a camera each, and Ann, who sees the first."""
    sites = Sites(database)
    for number in (1, 2):
        sites.add_building(f"House {number}", "Europe/Berlin")
        sites.add_camera(NewCamera(f"Door {number}", f"b{number}", f"rtsp://10.0.0.{number}/1", analyze_fps=2.0))
    return Jobs(database).for_(ANN)


@pytest.fixture
def work(database: Engine) -> JobWork:
    return JobWork(database, "jobs-0")


@pytest.fixture
def other(database: Engine) -> JobWork:
    return JobWork(database, "jobs-1")


def new(*names: str, **more: Any) -> NewJob:
    """Footage of the first camera."""
    files = tuple(NewFile(name, f"/media/{name}", start_ns=SHOT_NS) for name in names or ("door.mp4",))
    return NewJob(more.pop("camera_id", "c1"), files, **more)


def at(later_s: float = 0.0) -> int:
    return NOW_NS + round(later_s * NS_PER_S)


def planned(number: int, name: str = "door.mp4", chunks: int = 3) -> PlannedFile:
    """A file of so many minutes, a chunk each."""
    minute = 60 * NS_PER_S
    digest = hashlib.sha256(name.encode()).hexdigest()
    stretches = tuple(Stretch(one * minute, (one + 1) * minute) for one in range(chunks))
    return PlannedFile(
        number, 1000, 5, digest, SHOT_NS, chunks * minute, digest, b"plan of " + name.encode(), stretches
    )


def plan(work: JobWork, job: Job, chunks: int = 3, now_ns: int = NOW_NS) -> str | None:
    """Somebody plans it."""
    held = work.take_job(job.id, now_ns)
    assert held is not None
    assert not held.planned
    return work.save_plan(held, [planned(file.number, file.name, chunks) for file in held.files], MODEL, now_ns)


def take(work: JobWork, job: Job, number: int = 0, now_ns: int = NOW_NS) -> HeldChunk:
    held = work.take_chunk(ChunkKey(job.id, 0, number), now_ns)
    assert held is not None
    return held


def look(work: JobWork, job: Job, now_ns: int = NOW_NS) -> int:
    """Somebody looks at everything that is to be looked at; gives how many chunks these were."""
    done = 0
    while todos := [todo for todo in work.due(now_ns) if todo.key is not None and todo.job == job.id]:
        for todo in todos:
            assert todo.key is not None
            held = work.take_chunk(todo.key, now_ns)
            assert held is not None
            work.save_chunk(held, RESULTS + b"%d" % held.key.number, 300, 7, now_ns)
            done += 1
    return done


def found(held: HeldJob, passages: int = 2) -> Batch:
    """Somebody in breach passes, every minute."""
    batch = Batch(sources={held.id: Source(Place("c1", "b1", None, counts=True), held.id)})
    for number in range(1, passages + 1):
        key, began_ns = (held.id, number), SHOT_NS + 60 * number * NS_PER_S
        end_ns = began_ns + 9 * NS_PER_S
        batch.tracks[key] = Track(number, began_ns, end_ns, 15, Label.WITHOUT_MASK, 0.9, None, True, True)
        batch.events[key] = Event(number, Label.WITHOUT_MASK, began_ns, end_ns, None, 0.9, True)
        batch.paths.append((held.id, number, 0, b"boxes"))
        batch.snapshots[key] = Kept(f"{held.id}-{number}.jpg", 10)
        batch.faces[key] = {began_ns: FaceShot(Label.WITHOUT_MASK, b"jpeg")}
    return batch


def finish(work: JobWork, job: Job, now_ns: int = NOW_NS) -> None:
    """Somebody finishes it."""
    held = work.take_job(job.id, now_ns)
    assert held is not None
    assert held.planned
    batch = found(held)
    work.announce(held, [kept.name for kept in batch.snapshots.values()], now_ns)
    reports = [FileReport(file.number, b'{"file": %d}' % file.number, ("a frame",)) for file in held.files]
    work.commit(held, batch, reports, now_ns)


def done(jobs: Jobs, work: JobWork, asked: NewJob) -> Job:
    """A job from beginning to end."""
    job = jobs.create(asked)
    plan(work, job)
    look(work, job)
    finish(work, job)
    return jobs.get(job.id)


def count(engine: Engine, table: Any, *where: Any) -> int:
    with reading(engine) as connection:
        return int(connection.execute(select(func.count()).select_from(table).where(*where)).scalar_one())


def totals(engine: Engine, table: Any = HourRollupRow) -> dict[str, int]:
    """All totals, without zeros."""
    with reading(engine) as connection:
        rows = connection.execute(select(table)).mappings().all()
    counted: Counter[str] = Counter()
    for row in rows:
        counted.update({name: row[name] for name in COLUMNS})
    return {name: number for name, number in counted.items() if number}


def test_a_job_is_settled_when_it_is_submitted(database: Engine, jobs: Jobs) -> None:
    job = jobs.create(new("a.mp4", "b.mp4", policy=Policy(dwell_s=3.0), annotate=True))
    assert job.state is JobState.QUEUED
    assert (job.camera_id, job.building_id, job.created_by) == ("c1", "b1", "Ann")
    assert (job.options.fps, job.options.dwell_s, job.options.timezone) == (2.0, 3.0, "Europe/Berlin")
    assert [file.name for file in job.files] == ["a.mp4", "b.mp4"]
    assert (job.progress, job.footage_s, job.eta_s) == (0.0, None, None)
    assert jobs.get(job.id) == job
    (entry,), _ = AuditLog(database).entries(AuditWanted(action="job"), 10)
    assert (entry.action, entry.object_id, entry.building_id) == ("job.created", job.id, "b1")


def test_what_can_not_be_is_refused_and_leaves_nothing(database: Engine, jobs: Jobs) -> None:
    sent = NewJob("c1", (NewFile("a.mp4", "/up/u-1", upload_id="u-1"),))
    elsewhere = [new(camera_id="c9"), new(camera_id="c2"), new(building_id="b2"), new(zone_id="z9"), sent]
    wrong = [NewJob("c1", ()), new("a\0b.mp4"), new("caf\udce9.mp4"), new(fps=0.0), new(fps=float("nan"))]
    wrong += [new(chunk_s=0.5), new(start_ns=-1), new(name_pattern="")]
    for refused, asked in ((NotFoundError, elsewhere), (InvalidError, wrong)):
        for one in asked:
            with pytest.raises(refused):
                jobs.create(one)
    assert count(database, JobRow) == count(database, JobFileRow) == 0


def test_names_may_be_anything_that_is_unicode(jobs: Jobs, work: JobWork) -> None:
    name = "d'o\"or\n\U0001f6aa.mp4"
    job = jobs.create(new(name))
    held = work.take_job(job.id, NOW_NS)
    assert held is not None
    work.fail(held, f"{name} is \udce9\0", NOW_NS)
    assert jobs.get(job.id).files[0].name == name
    assert jobs.get(job.id).error == f"{name} is ??"


def test_footage_of_a_removed_camera_is_refused(database: Engine, jobs: Jobs) -> None:
    Sites(database).archive_camera("c1")
    with pytest.raises(NotFoundError, match="was removed"):
        jobs.create(new())


def test_jobs_of_other_buildings_are_not_there(database: Engine, jobs: Jobs, work: JobWork) -> None:
    job = done(jobs, work, new())
    theirs = jobs.for_(BOB)
    for ask in (theirs.get, theirs.cancel, theirs.report):
        with pytest.raises(NotFoundError, match="there is no job"):
            ask(job.id)
    assert theirs.list(JobsWanted(), None, 10) == ((), None)
    assert len(Jobs(database).list(JobsWanted(), None, 10)[0]) == 1


def test_jobs_are_listed_in_pages_latest_first(jobs: Jobs) -> None:
    made = [jobs.create(new(f"{number}.mp4")).id for number in range(7)]
    seen: list[str] = []
    cursor = None
    while True:
        page, cursor = jobs.list(JobsWanted(state=JobState.QUEUED, camera="c1", building="b1"), cursor, 3)
        seen += [job.id for job in page]
        if cursor is None:
            break
    assert seen == made[::-1]
    assert jobs.list(JobsWanted(state=JobState.DONE), None, 3) == ((), None)


def test_a_job_goes_its_way(database: Engine, jobs: Jobs, work: JobWork) -> None:
    job = jobs.create(new())
    assert work.due(NOW_NS) == [Todo("plan", job.id)]
    assert plan(work, job) is None
    assert jobs.get(job.id).state is JobState.RUNNING
    assert [todo.key for todo in work.due(NOW_NS)] == [ChunkKey(job.id, 0, number) for number in range(3)]
    held = take(work, job)
    assert (held.plan, held.model, held.file.name, held.end_ns) == (
        b"plan of door.mp4",
        MODEL,
        "door.mp4",
        60 * NS_PER_S,
    )
    work.renew(held, at(1), at_ns=30 * NS_PER_S, faces=4)
    now = jobs.get(job.id)
    assert (now.progress, now.faces, now.footage_s, now.done_s) == (round(1 / 6, 4), 4, 180.0, 30.0)
    assert now.realtime_factor is not None
    assert now.eta_s is not None
    assert now.files[0].state == "running"
    work.save_chunk(held, RESULTS + b"0", 300, 7, at(2))
    for number in (1, 2):
        work.save_chunk(take(work, job, number), RESULTS + b"%d" % number, 300, 7, at(2))
    almost = jobs.get(job.id)
    assert (almost.state, almost.progress, almost.eta_s) == (JobState.RUNNING, 0.99, None)
    assert work.due(at(3)) == [Todo("finish", job.id)]
    assert list(work.results(job.id, 0)) == [RESULTS + b"0", RESULTS + b"1", RESULTS + b"2"]
    finish(work, job, at(4))
    over = jobs.get(job.id)
    assert (over.state, over.progress, over.faces, over.tracks, over.events) == (JobState.DONE, 1.0, 21, 2, 2)
    assert (over.not_decoded, over.eta_s, over.done_s) == (("a frame",), None, 180.0)
    assert work.due(at(99)) == []
    assert jobs.report(job.id) == (FileReport(0, b'{"file": 0}', ("a frame",), None),)
    assert count(database, TrackRow, TrackRow.job_id == job.id, TrackRow.camera_id == "c1") == 2
    actions = [entry.action for entry in AuditLog(database).entries(AuditWanted(action="job"), 10)[0]]
    assert actions == ["job.report_read", "job.created"]


def test_a_report_is_there_once_a_job_is_done(jobs: Jobs) -> None:
    job = jobs.create(new())
    with pytest.raises(ConflictError, match="queued"):
        jobs.report(job.id)
    with pytest.raises(ConflictError, match="queued"):
        jobs.note_shown(job.id, 0)


def test_what_is_sent_and_not_taken_is_sent_again(jobs: Jobs, work: JobWork) -> None:
    job = jobs.create(new())
    assert work.due(NOW_NS) == [Todo("plan", job.id)]
    assert work.due(at(29)) == []
    assert work.due(at(31)) == [Todo("plan", job.id)]
    # A clock that is set back makes nobody wait for it to catch up.
    assert work.due(at(-3600)) == [Todo("plan", job.id)]


def test_what_its_worker_died_with_is_sent_again_when_the_lease_has_run_out(
    jobs: Jobs, work: JobWork, other: JobWork
) -> None:
    job = jobs.create(new())
    plan(work, job, 1)
    (todo,) = work.due(NOW_NS)
    assert todo.key is not None
    held = take(work, job)
    work.renew(held, at(5), at_ns=NS_PER_S)
    assert other.due(at(14)) == []
    assert other.take_chunk(todo.key, at(14)) is None
    assert other.due(at(16)) == [todo]
    assert other.due(at(17)) == []
    again = take(other, job, now_ns=at(17))
    assert again.token > held.token
    assert again.key.source(again.token) != held.key.source(held.token)


def test_small_jobs_are_not_stuck_behind_large_ones(jobs: Jobs, work: JobWork) -> None:
    large, small = jobs.create(new("large.mp4")), jobs.create(new("small.mp4"))
    plan(work, large, 100)
    assert len(work.due(NOW_NS)) == 5
    plan(work, small, 1)
    assert [todo.job for todo in work.due(NOW_NS)] == [small.id]
    # Each that is done makes room for one.
    work.save_chunk(take(work, large), RESULTS, 1, 0, NOW_NS)
    assert work.due(NOW_NS) == [Todo("chunk", large.id, ChunkKey(large.id, 0, 4))]


def test_however_little_is_sent_ahead_there_is_a_place_for_what_another_job_needs(jobs: Jobs, work: JobWork) -> None:
    large = jobs.create(new("large.mp4"))
    plan(work, large, 100)
    assert len(work.due(NOW_NS, window=3, most=4)) == 3
    assert work.due(NOW_NS, window=3, most=4) == []
    small = jobs.create(new("small.mp4"))
    assert work.due(NOW_NS, window=3, most=4) == [Todo("plan", small.id)]
    plan(work, small, 5)
    assert [todo.job for todo in work.due(NOW_NS, window=3, most=4)] == [small.id]
    work.save_chunk(take(work, large), RESULTS, 1, 0, NOW_NS)
    assert [todo.job for todo in work.due(NOW_NS, window=3, most=4)] == [small.id], "the one with less in flight"


def test_no_video_is_kept_of_a_job_that_ended_without_it(
    database: Engine, jobs: Jobs, work: JobWork, tmp_path: Path
) -> None:
    over, going_on, cancelled = (jobs.create(new(name)) for name in ("over.mp4", "going.mp4", "gone.mp4"))
    plan(work, over, 1)
    look(work, over)
    held = work.take_job(over.id, NOW_NS)
    assert held is not None
    work.commit(held, found(held), [FileReport(0, b"{}", (), f"{over.id}-0.mp4")], NOW_NS)
    names = {
        f"{over.id}-0.mp4": True,
        f".{over.id}-0-a1b2c3d4.mp4": False,
        f"{going_on.id}-0.mp4": True,
        f".{going_on.id}-1-a1b2c3d4.mp4": True,
        f"{cancelled.id}-0.mp4": False,
        f".{cancelled.id}-1-a1b2c3d4.mp4": False,
        # It may be the wrong database: see `test_upkeep.py`.
        "j-0123456789-0.mp4": True,
        "somebody's.mp4": True,
    }
    videos = JobVideos(database, tmp_path / "annotated")
    assert videos.sweep() == 0, "no folder yet"
    (tmp_path / "annotated").mkdir()
    for name in names:
        (tmp_path / "annotated" / name).touch()
    jobs.cancel(cancelled.id)
    assert videos.sweep() == 3
    assert {path.name for path in (tmp_path / "annotated").iterdir()} == {name for name, kept in names.items() if kept}
    jobs.cancel(going_on.id)
    assert videos.sweep() == 2
    assert videos.sweep() == 0


def test_only_so_much_is_in_flight(jobs: Jobs, work: JobWork) -> None:
    made = [jobs.create(new(f"{number}.mp4")).id for number in range(5)]
    assert [todo.job for todo in work.due(NOW_NS, most=3)] == made[:3]
    assert work.due(NOW_NS, most=3) == []
    assert [todo.job for todo in work.due(NOW_NS, most=10)] == made[3:]


def test_many_that_look_what_is_due_send_it_once(database: Engine, jobs: Jobs) -> None:
    made = {jobs.create(new(f"{number}.mp4")).id for number in range(40)}
    todos = at_once(database, lambda work: [todo.job for todo in work.due(NOW_NS)])
    sent = [job for one in todos for job in one]
    assert Counter(sent) == Counter(made)


def test_one_of_many_gets_a_chunk(database: Engine, jobs: Jobs, work: JobWork) -> None:
    job = jobs.create(new())
    assert len([held for held in at_once(database, lambda one: one.take_job(job.id, NOW_NS)) if held]) == 1
    held = work.take_job(job.id, at(11))
    assert held is not None
    work.save_plan(held, [planned(0)], MODEL, at(11))
    key = ChunkKey(job.id, 0, 1)
    assert len([held for held in at_once(database, lambda one: one.take_chunk(key, at(11))) if held]) == 1


def test_a_late_result_is_refused(database: Engine, jobs: Jobs, work: JobWork, other: JobWork) -> None:
    job = jobs.create(new())
    plan(work, job)
    slow = take(work, job)
    quick = take(other, job, now_ns=at(11))
    attempts: tuple[Callable[[], object], ...] = (
        lambda: work.save_chunk(slow, b"late", 1, 1, at(12)),
        lambda: work.put_off(slow, "late", at(12)),
        lambda: work.fail(slow, "late", at(12)),
        lambda: work.make_whole(slow, b"late", Stretch(0, 1), "late", at(12)),
        lambda: work.renew(slow, at(12)),
    )
    for attempt in attempts:
        with pytest.raises(LeaseLostError):
            attempt()
    work.let_go(slow)
    other.save_chunk(quick, RESULTS + b"0", 300, 7, at(13))
    with pytest.raises(LeaseLostError):
        other.save_chunk(quick, b"again", 300, 7, at(13))
    with reading(database) as connection:
        rows = connection.execute(select(JobChunkRow).where(JobChunkRow.number == 0)).one()
    assert (rows.results, rows.state) == (RESULTS + b"0", "done")
    assert jobs.get(job.id).state is JobState.RUNNING


def test_a_lease_that_nobody_took_over_goes_on(jobs: Jobs, work: JobWork) -> None:
    """The database was away for longer than the lease."""
    job = jobs.create(new())
    plan(work, job)
    held = take(work, job)
    work.renew(held, at(60))
    work.save_chunk(held, RESULTS, 1, 0, at(61))


def test_a_job_that_is_planned_or_finished_late_changes_nothing(
    database: Engine, jobs: Jobs, work: JobWork, other: JobWork
) -> None:
    job = jobs.create(new())
    slow = work.take_job(job.id, NOW_NS)
    assert slow is not None
    plan(other, job, now_ns=at(11))
    with pytest.raises(LeaseLostError):
        work.save_plan(slow, [planned(0, "other.mp4", 9)], MODEL, at(12))
    look(other, job, at(12))
    slow = work.take_job(job.id, at(13))
    assert slow is not None
    finish(other, job, at(24))
    attempts: tuple[Callable[[], object], ...] = (
        lambda: work.commit(slow, found(slow), [], at(25)),
        lambda: work.announce(slow, ["x.jpg"], at(25)),
    )
    for attempt in attempts:
        with pytest.raises(LeaseLostError):
            attempt()
    assert count(database, TrackRow) == 2
    assert count(database, SnapshotRow, SnapshotRow.name == "x.jpg") == 0


def test_what_may_pass_is_tried_again_later_each_time(jobs: Jobs, work: JobWork) -> None:
    job = jobs.create(new())
    plan(work, job, 1)
    now_ns, waited = NOW_NS, []
    for _ in range(8):
        held = take(work, job, now_ns=now_ns)
        waited.append(work.put_off(held, "the disk is full", now_ns))
        assert work.take_chunk(held.key, now_ns) is None
        assert work.due(now_ns) == []
        now_ns += round(waited[-1] * NS_PER_S) + 1
        assert len(work.due(now_ns)) == 1
    assert waited == [1, 2, 4, 8, 16, 32, 60, 60]
    assert (jobs.get(job.id).state, jobs.get(job.id).error) == (JobState.WAITING, "the disk is full")
    held = take(work, job, now_ns=now_ns)
    work.renew(held, now_ns, at_ns=0)
    assert jobs.get(job.id).state is JobState.WAITING
    work.renew(held, now_ns, at_ns=1)
    assert (jobs.get(job.id).state, jobs.get(job.id).error) == (JobState.RUNNING, None)


def test_a_job_that_waits_before_it_is_planned_goes_on(jobs: Jobs, work: JobWork) -> None:
    job = jobs.create(new())
    held = work.take_job(job.id, NOW_NS)
    assert held is not None
    work.put_off(held, "no workers", NOW_NS)
    assert (jobs.get(job.id).state, jobs.get(job.id).error) == (JobState.WAITING, "no workers")
    plan(work, job, now_ns=at(2))
    assert (jobs.get(job.id).state, jobs.get(job.id).error) == (JobState.RUNNING, None)


def test_what_too_many_workers_died_with_fails_its_job(database: Engine, jobs: Jobs) -> None:
    work, job = JobWork(database, "jobs-0", deaths=5), jobs.create(new())
    plan(work, job)
    for death in range(5):
        assert work.settle(at(11 * death)).news == ()
        take(work, job, now_ns=at(11 * death))
    assert work.take_chunk(ChunkKey(job.id, 0, 0), at(55)) is None
    (news,) = work.settle(at(55)).news
    assert (news.kind, news.id, news.building_id) == (NewsKind.JOB_FINISHED, job.id, "b1")
    over = jobs.get(job.id)
    assert over.state is JobState.FAILED
    assert over.error is not None
    assert "5 workers died with it" in over.error
    assert "'door.mp4'" in over.error


def test_a_job_that_nobody_survives_planning_fails(database: Engine, jobs: Jobs) -> None:
    work, job = JobWork(database, "jobs-0", deaths=5), jobs.create(new())
    for death in range(5):
        assert work.take_job(job.id, at(11 * death)) is not None
    assert work.take_job(job.id, at(55)) is None
    work.settle(at(55))
    assert jobs.get(job.id).state is JobState.FAILED


def test_a_worker_that_was_only_slow_has_not_died(jobs: Jobs, work: JobWork, other: JobWork) -> None:
    job = jobs.create(new())
    plan(work, job)
    workers = [work, other]
    held = take(work, job)
    for turn in range(1, 20):
        late, held = held, take(workers[turn % 2], job, now_ns=at(11 * turn))
        with pytest.raises(LeaseLostError):
            workers[(turn + 1) % 2].renew(late, at(11 * turn))
    assert jobs.get(job.id).state is JobState.RUNNING


def test_who_lets_go_or_puts_off_has_not_died(jobs: Jobs, work: JobWork) -> None:
    job = jobs.create(new())
    plan(work, job, 1)
    for _ in range(9):
        work.let_go(take(work, job))
        assert len(work.due(NOW_NS)) == 1
    assert jobs.get(job.id).state is JobState.RUNNING


def test_a_job_fails_as_a_whole(database: Engine, jobs: Jobs, work: JobWork, other: JobWork) -> None:
    job = jobs.create(new())
    plan(work, job)
    bad, good = take(work, job, 0), take(other, job, 1)
    work.fail(bad, "the file has changed", at(1))
    assert (jobs.get(job.id).state, jobs.get(job.id).error) == (JobState.FAILED, "the file has changed")
    with pytest.raises(LeaseLostError):
        other.renew(good, at(2))
    assert count(database, JobChunkRow) == count(database, TrackRow) == 0
    assert work.due(at(60)) == []
    with pytest.raises(ConflictError, match="has failed"):
        jobs.cancel(job.id)


def test_a_job_that_nobody_holds_is_cancelled_at_once(database: Engine, jobs: Jobs, work: JobWork) -> None:
    job = jobs.create(new())
    plan(work, job)
    assert jobs.cancel(job.id).state is JobState.CANCELLED
    assert count(database, JobChunkRow) == 0
    assert work.due(at(60)) == []
    assert jobs.cancel(job.id).state is JobState.CANCELLED


def test_holders_learn_of_a_cancellation_and_let_go(jobs: Jobs, work: JobWork, other: JobWork) -> None:
    job = jobs.create(new())
    plan(work, job)
    # Leases are given by the clock that cancels.
    now_ns = jobs.get(job.id).created_at_ns
    held = [take(work, job, 0, now_ns), take(other, job, 1, now_ns)]
    assert jobs.cancel(job.id).state is JobState.CANCELLING
    attempts: tuple[Callable[[], object], ...] = (
        lambda: work.renew(held[0], now_ns),
        lambda: work.save_chunk(held[0], b"", 0, 0, now_ns),
        lambda: work.fail(held[0], "", now_ns),
        lambda: work.make_whole(held[0], b"", Stretch(0, 1), "", now_ns),
    )
    for attempt in attempts:
        with pytest.raises(JobCancelledError):
            attempt()
    assert work.take_chunk(ChunkKey(job.id, 0, 2), now_ns) is None
    work.let_go(held[0])
    assert work.settle(now_ns).news == ()
    assert jobs.get(job.id).state is JobState.CANCELLING
    other.put_off(held[1], "the disk is full", now_ns)
    assert [news.id for news in work.settle(now_ns).news] == [job.id]
    assert (jobs.get(job.id).state, jobs.get(job.id).error) == (JobState.CANCELLED, None)


def test_a_job_that_is_cancelled_while_it_is_finished_leaves_no_facts(
    database: Engine, jobs: Jobs, work: JobWork
) -> None:
    job = jobs.create(new())
    plan(work, job)
    look(work, job)
    now_ns = job.created_at_ns
    held = work.take_job(job.id, now_ns)
    assert held is not None
    jobs.cancel(job.id)
    with pytest.raises(JobCancelledError):
        work.commit(held, found(held), [], now_ns)
    work.let_go(held)
    work.settle(now_ns)
    assert jobs.get(job.id).state is JobState.CANCELLED
    assert count(database, TrackRow) == count(database, EventRow) == count(database, JobChunkRow) == 0
    assert totals(database) == {}


def test_a_cancelled_job_whose_holder_died_ends_with_the_lease(jobs: Jobs, work: JobWork) -> None:
    job = jobs.create(new())
    plan(work, job)
    now_ns = job.created_at_ns
    take(work, job, 0, now_ns)
    jobs.cancel(job.id)
    assert work.settle(now_ns + 9 * NS_PER_S).news == ()
    assert len(work.settle(now_ns + 11 * NS_PER_S).news) == 1


def test_a_file_that_is_read_in_one_piece_after_all(
    database: Engine, jobs: Jobs, work: JobWork, other: JobWork
) -> None:
    job = jobs.create(new())
    plan(work, job)
    work.save_chunk(take(work, job, 0), RESULTS, 1, 1, NOW_NS)
    held, late = take(work, job, 1), take(other, job, 2)
    work.make_whole(held, b"whole", Stretch(0, 180 * NS_PER_S), "it is damaged", at(1))
    with pytest.raises(LeaseLostError):
        other.save_chunk(late, RESULTS, 1, 1, at(2))
    assert jobs.get(job.id).files[0].whole == "it is damaged"
    assert [todo.key for todo in work.due(at(2))] == [ChunkKey(job.id, 0, 0)]
    whole = take(work, job, 0, at(2))
    assert whole.token > held.token
    assert (whole.plan, whole.end_ns) == (b"whole", 180 * NS_PER_S)
    work.save_chunk(whole, RESULTS, 1, 1, at(3))
    assert list(work.results(job.id, 0)) == [RESULTS]
    assert work.plan(job.id, 0) == b"whole"
    assert count(database, JobChunkRow) == 1


def test_the_same_footage_again_is_known(database: Engine, jobs: Jobs, work: JobWork) -> None:
    first = done(jobs, work, new())
    before = totals(database)
    again = jobs.create(new(chunk_s=20.0))
    assert plan(work, again, 9) == first.id
    known = jobs.get(again.id)
    assert (known.state, known.replaced_by, known.error) == (JobState.DONE, first.id, None)
    assert (known.tracks, known.events, known.faces, known.progress) == (2, 2, 21, 1.0)
    assert jobs.report(again.id) == jobs.report(first.id)
    assert totals(database) == before
    assert count(database, JobChunkRow, JobChunkRow.job_id == again.id) == 0


def test_footage_that_is_known_is_told_of_as_the_job_that_knows_it_tells(jobs: Jobs, work: JobWork) -> None:
    first, again = jobs.create(new("a.mp4", "b.mp4", annotate=True)), jobs.create(new("a.mp4", "b.mp4"))
    plan(work, first, 1)
    work.make_whole(take(work, first), b"whole", Stretch(0, 60 * NS_PER_S), "it is damaged", NOW_NS)
    look(work, first)
    held = work.take_job(first.id, NOW_NS)
    assert held is not None
    reports = [FileReport(0, b"{}", ("a frame",), "a.mp4"), FileReport(1, b"{}")]
    work.commit(held, found(held), reports, NOW_NS)
    assert plan(work, again, 1) == first.id
    known = jobs.get(again.id)
    assert known.not_decoded == ("a.mp4: a frame",)
    assert [(one.whole, one.annotated) for one in known.files] == [("it is damaged", "a.mp4"), (None, None)]
    assert jobs.note_shown(again.id, 0) == "a.mp4"
    # So does one that is replaced later.
    later = jobs.create(new("a.mp4", "b.mp4", annotate=True, fresh=True))
    plan(work, later, 1)
    look(work, later)
    held = work.take_job(later.id, NOW_NS)
    assert held is not None
    work.commit(held, found(held), [FileReport(0, b"{}"), FileReport(1, b"{}", (), "new.mp4")], NOW_NS)
    for job in (first, again, later):
        assert [one.annotated for one in jobs.get(job.id).files] == [None, "new.mp4"]


@pytest.mark.parametrize("more", [{"policy": Policy(dwell_s=9.0)}, {"annotate": True}])
def test_the_same_footage_by_other_rules_is_looked_at_once_and_judged_anew(
    database: Engine, jobs: Jobs, work: JobWork, more: dict[str, Any]
) -> None:
    first = done(jobs, work, new())
    before = {table: totals(database, table) for table in (HourRollupRow, MinuteRollupRow)}
    again = jobs.create(new(**more))
    assert plan(work, again) is None
    # What was seen is known.
    assert look(work, again) == 0
    assert jobs.get(again.id).realtime_factor is None
    finish(work, again)
    replaced = jobs.get(first.id)
    assert (replaced.state, replaced.replaced_by) == (JobState.DONE, again.id)
    assert jobs.get(again.id).replaced_by is None
    assert {table: totals(database, table) for table in before} == before
    for table in (TrackRow, EventRow):
        assert count(database, table) == count(database, table, table.job_id == again.id) == 2
    assert count(database, TrackPathRow) == count(database, EventFaceRow) == 2
    assert count(database, SnapshotRow, SnapshotRow.obsolete, SnapshotRow.camera_id == first.id) == 2
    assert count(database, SnapshotRow, SnapshotRow.obsolete, SnapshotRow.camera_id == again.id) == 0
    assert jobs.report(first.id) == jobs.report(again.id)


def test_the_same_footage_afresh_is_looked_at_again(database: Engine, jobs: Jobs, work: JobWork) -> None:
    first = done(jobs, work, new())
    known = jobs.create(new())
    assert plan(work, known) == first.id
    fresh = jobs.create(new(fresh=True))
    assert plan(work, fresh) is None
    assert look(work, fresh) == 3
    finish(work, fresh)
    assert jobs.get(first.id).replaced_by == jobs.get(known.id).replaced_by == fresh.id
    assert len(jobs.report(known.id)) == 1
    assert count(database, TrackRow) == 2


def test_what_is_seen_in_one_file_serves_another_job_with_more(jobs: Jobs, work: JobWork) -> None:
    done(jobs, work, new("a.mp4"))
    both = jobs.create(new("b.mp4", "a.mp4"))
    plan(work, both)
    assert look(work, both) == 3
    assert [len(list(work.results(both.id, number))) for number in (0, 1)] == [3, 3]
    assert next(work.results(both.id, 1)) == RESULTS + b"0"


def test_other_cuts_or_another_camera_share_nothing(database: Engine, jobs: Jobs, work: JobWork) -> None:
    done(jobs, work, new())
    job = jobs.create(new(policy=Policy(dwell_s=9.0)))
    plan(work, job, 2)
    assert look(work, job) == 0
    elsewhere = Jobs(database).create(new(camera_id="c2"))
    assert plan(work, elsewhere) is None


def test_reviews_of_what_is_analysed_anew_go_and_totals_are_right(database: Engine, jobs: Jobs, work: JobWork) -> None:
    first = done(jobs, work, new())
    Reviews(database).review(f"{first.id}-e1", Review(Verdict.CONFIRMED, None, Label.INCORRECT_MASK), 1, NOW_NS)
    assert totals(database) == {"tracks": 2, "without_mask": 1, "incorrect_mask": 1, "events": 2}
    done(jobs, work, new(fresh=True))
    assert totals(database) == {"tracks": 2, "without_mask": 2, "events": 2}
    assert count(database, ReviewRow) == 0


def test_of_two_that_finish_the_same_footage_the_later_one_stays(
    database: Engine, jobs: Jobs, work: JobWork, other: JobWork
) -> None:
    both = [jobs.create(new()), jobs.create(new())]
    for job in both:
        plan(work, job)
        look(work, job)
    threads = [threading.Thread(target=finish, args=(one, job)) for one, job in zip((work, other), both, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    replaced = [jobs.get(job.id).replaced_by for job in both]
    assert replaced in ([both[1].id, None], [None, both[0].id])
    assert count(database, TrackRow) == 2
    assert totals(database) == {"tracks": 2, "without_mask": 2, "events": 2}


def test_footage_that_is_known_is_not_answered_by_what_is_being_replaced(
    database: Engine, jobs: Jobs, work: JobWork, other: JobWork, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = done(jobs, work, new())
    fresh, again = jobs.create(new(fresh=True)), jobs.create(new())
    plan(work, fresh)
    look(work, fresh)
    here, go_on = threading.Event(), threading.Event()

    def slowly(*args: Any) -> Written:
        """Between taking the place of the first one and being done."""
        here.set()
        assert go_on.wait(10)
        return apply(*args)

    monkeypatch.setattr("storage.database.job_finish.apply", slowly)
    threads = [threading.Thread(target=finish, args=(work, fresh)), threading.Thread(target=plan, args=(other, again))]
    threads[0].start()
    assert here.wait(10)
    threads[1].start()
    threads[1].join(0.5)
    go_on.set()
    for thread in threads:
        thread.join()
    assert [jobs.get(job.id).replaced_by for job in (first, again, fresh)] == [fresh.id, fresh.id, None]
    assert jobs.report(again.id) == jobs.report(fresh.id)


def test_what_was_seen_in_one_piece_is_not_taken_for_what_is_cut_up(jobs: Jobs, work: JobWork) -> None:
    first = jobs.create(new())
    plan(work, first, 1)
    work.make_whole(take(work, first), b"whole", Stretch(0, 60 * NS_PER_S), "it is damaged", NOW_NS)
    assert look(work, first) == 1
    finish(work, first)
    again = jobs.create(new(policy=Policy(dwell_s=9.0)))
    plan(work, again, 1)
    assert look(work, again) == 1


def test_uploads_belong_to_who_sent_them(database: Engine, jobs: Jobs) -> None:
    uploads = Uploads(database).for_(ANN)
    sent = uploads.add(Upload(new_upload_id(), "d'oor\n.mp4", 5, "ab" * 32, NOW_NS))
    assert uploads.get(sent.id) == sent
    with pytest.raises(NotFoundError):
        uploads.for_(BOB).get(sent.id)
    with pytest.raises(NotFoundError):
        jobs.for_(BOB).create(NewJob("c2", (NewFile("x", f"/up/{sent.id}", sent.id),)))
    assert Uploads(database).get(sent.id) == sent
    assert uploads.remove(sent.id) == sent
    with pytest.raises(NotFoundError):
        uploads.get(sent.id)
    with pytest.raises(InvalidError):
        uploads.add(Upload(new_upload_id(), "a\0", 5, "ab" * 32, NOW_NS))
    actions = [entry.action for entry in AuditLog(database).entries(AuditWanted(action="upload"), 10)[0]]
    assert actions == ["upload.removed", "upload.added"]


@pytest.mark.parametrize("how", ["done", "cancelled"])
def test_uploads_go_when_their_job_ends(database: Engine, jobs: Jobs, work: JobWork, how: str) -> None:
    uploads = Uploads(database).for_(ANN)
    sent = uploads.add(Upload(new_upload_id(), "sent.mp4", 5, "ab" * 32, NOW_NS))
    job = jobs.create(NewJob("c1", (NewFile("", f"/up/{sent.id}", sent.id, SHOT_NS),)))
    assert job.files[0].name == "sent.mp4"
    assert (job.files[0].size, job.files[0].sha256) == (5, sent.sha256)
    with pytest.raises(ConflictError, match="is read by"):
        uploads.remove(sent.id)
    with pytest.raises(ConflictError, match="is read by"):
        jobs.create(NewJob("c1", (NewFile("sent.mp4", f"/up/{sent.id}", sent.id),)))
    assert work.settle(NOW_NS).uploads == ()
    plan(work, job)
    if how == "done":
        look(work, job)
        finish(work, job)
    else:
        jobs.cancel(job.id)
    assert jobs.get(job.id).state == how
    # Until the file is gone for sure.
    assert work.settle(NOW_NS).uploads == work.settle(NOW_NS).uploads == (sent.id,)
    work.forget_uploads([sent.id])
    assert work.settle(NOW_NS).uploads == ()
    assert count(database, UploadRow) == 0


@pytest.mark.parametrize("how", ["failed", "deadly"])
def test_uploads_of_a_job_that_failed_wait_for_another(
    database: Engine, jobs: Jobs, work: JobWork, tmp_path: Path, how: str
) -> None:
    sent = Uploads(database).for_(ANN).add(Upload(new_upload_id(), "sent.mp4", 5, "ab" * 32, NOW_NS))
    (tmp_path / sent.id).write_bytes(b"12345")
    request = NewJob("c1", (NewFile("", f"/up/{sent.id}", sent.id, SHOT_NS),))
    job, failed_ns = jobs.create(request), at(90_000)
    plan(work, job, now_ns=failed_ns)
    if how == "failed":
        work.fail(take(work, job, now_ns=failed_ns), "bad", failed_ns)
    else:
        fragile = JobWork(database, "jobs-9", deaths=1)
        take(fragile, job, now_ns=failed_ns)
        failed_ns += 20 * NS_PER_S
        fragile.settle(failed_ns)
    assert jobs.get(job.id).state == "failed"
    assert work.settle(failed_ns).uploads == ()
    day_ns = 24 * 3600 * NS_PER_S
    assert uploads(database, tmp_path, failed_ns + day_ns - 1)["removed"] == 0
    again = jobs.create(request)
    assert (again.files[0].upload_id, again.files[0].sha256) == (sent.id, sent.sha256)
    jobs.cancel(again.id)
    assert work.settle(failed_ns).uploads == (sent.id,)
    # One that nobody uses goes, a day later.
    left = Uploads(database).for_(ANN).add(Upload(new_upload_id(), "left.mp4", 5, "ab" * 32, NOW_NS))
    last = jobs.create(NewJob("c1", (NewFile("", f"/up/{left.id}", left.id, SHOT_NS),)))
    plan(work, last, now_ns=failed_ns)
    work.fail(take(work, last, now_ns=failed_ns), "bad", failed_ns)
    uploads(database, tmp_path, failed_ns + day_ns + 1)
    assert count(database, UploadRow) == 0


def test_annotated_videos_are_shown_and_that_is_noted(database: Engine, jobs: Jobs, work: JobWork) -> None:
    job = jobs.create(new(annotate=True))
    plan(work, job)
    look(work, job)
    held = work.take_job(job.id, NOW_NS)
    assert held is not None
    work.commit(held, found(held), [FileReport(0, b"{}", (), "a.mp4")], NOW_NS)
    assert jobs.note_shown(job.id, 0) == "a.mp4"
    with pytest.raises(NotFoundError):
        jobs.note_shown(job.id, 1)
    with pytest.raises(NotFoundError):
        jobs.report(job.id, 1)
    assert AuditLog(database).entries(AuditWanted(action="job"), 1)[0][0].action == "job.video_shown"


@pytest.mark.slow
def test_whatever_happens_to_workers_each_job_ends_right(database: Engine, jobs: Jobs) -> None:
    """Workers die, are slow, let go and put off at random, while people cancel: there are no more facts than of jobs done."""
    made = [jobs.create(new(f"{number}.mp4", fresh=True)) for number in range(12)]
    clock = itertools.count(time.time_ns(), NS_PER_S // 2)

    def live(number: int) -> None:
        chance = random.Random(number)  # noqa: S311 no secret
        work = JobWork(database, f"jobs-{number}", deaths=1000)
        while any(jobs.get(job.id).state not in FINAL for job in made):
            for todo in work.due(next(clock), most=6) or [Todo("plan", chance.choice(made).id)]:
                with suppress(LeaseLostError, JobCancelledError):
                    live_through(work, todo, chance, clock)
            if chance.random() < 0.02:
                with suppress(ConflictError):
                    jobs.cancel(chance.choice(made[:3]).id)
            work.settle(next(clock))

    threads = [threading.Thread(target=live, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    over = [jobs.get(job.id) for job in made]
    assert {job.state for job in over[3:]} == {JobState.DONE}
    finished = [job for job in over if job.state is JobState.DONE]
    assert count(database, TrackRow) == count(database, EventRow) == 2 * len(finished)
    assert totals(database) == {
        "tracks": 2 * len(finished),
        "without_mask": 2 * len(finished),
        "events": 2 * len(finished),
    }
    assert (
        count(database, JobChunkRow) == count(database, JobChunkRow, JobChunkRow.state == "done") == 3 * len(finished)
    )


def live_through(work: JobWork, todo: Todo, chance: random.Random, clock: Iterator[int]) -> None:
    """Do what is to be done, or die or fail with it."""
    fate = chance.random()
    held: HeldJob | HeldChunk | None
    held = work.take_chunk(todo.key, next(clock)) if todo.key else work.take_job(todo.job, next(clock))
    if held is None or fate < 0.1:
        return
    if fate < 0.2:
        work.put_off(held, "no room", next(clock))
    elif fate < 0.25:
        work.let_go(held)
    else:
        work.renew(held, next(clock) + (30 * NS_PER_S if fate < 0.3 else 0))
        if isinstance(held, HeldChunk):
            work.save_chunk(held, RESULTS, 300, 7, next(clock))
        elif held.planned:
            assert len(list(work.results(held.id, 0))) == 3
            work.commit(held, found(held), [FileReport(0, b"{}")], next(clock))
        else:
            work.save_plan(held, [planned(0, held.files[0].name)], MODEL, next(clock))


def test_footage_in_bulk_is_quick_to_look_through(database: Engine, jobs: Jobs, work: JobWork) -> None:
    """Thousands of chunks that are done with results of their size, and hundreds of jobs, keep nobody waiting."""
    large = jobs.create(new())
    plan(work, large, 2000)
    blob = zlib.compress(bytes(range(256)) * 40, 0)
    with writing(database) as connection:
        rows = JobChunkRow.number < 1990
        connection.execute(update(JobChunkRow).where(rows).values(state="done", at_ns=JobChunkRow.end_ns, results=blob))
        template = dict(connection.execute(select(JobRow.__table__)).mappings().one())
        copies = [{**template, "id": f"j-{number:010d}", "planned": False} for number in range(200)]
        connection.execute(insert(JobRow), copies)
    took = [_cpu_s(lambda: work.due(NOW_NS)) for _ in range(3)]
    took.append(_cpu_s(lambda: jobs.list(JobsWanted(), None, 50)))
    took.append(_cpu_s(lambda: jobs.get(large.id)))
    assert max(took) < 1.0, took
    assert work.due(at(31))
    assert jobs.get(large.id).progress == 0.99


def _cpu_s(call: Callable[[], object]) -> float:
    began = time.thread_time()
    call()
    return time.thread_time() - began


def at_once(engine: Engine, call: Callable[[JobWork], Any], workers: int = 6) -> list[Any]:
    """What comes of it when several workers do it at the same moment."""
    answers: list[Any] = []
    begin = threading.Barrier(workers)

    def run(number: int) -> None:
        work = JobWork(engine, f"jobs-{number}")
        begin.wait()
        answers.append(call(work))

    threads = [threading.Thread(target=run, args=(number,)) for number in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == workers
    return answers


def both_finishing(jobs: Jobs, work: JobWork, other: JobWork) -> tuple[HeldJob, HeldJob]:
    """Two jobs over the same footage whose chunks are done, each held by a worker."""
    held = []
    for worker in (work, other):
        job = jobs.create(new())
        plan(work, job)
        look(work, job)
        held.append(worker.take_job(job.id, NOW_NS))
    mine, theirs = held
    assert mine is not None
    assert theirs is not None
    return mine, theirs


def test_a_picture_that_went_with_another_job_of_the_same_footage_is_written_again(
    database: Engine, jobs: Jobs, work: JobWork, other: JobWork, tmp_path: Path
) -> None:
    held, held_too = both_finishing(jobs, work, other)
    batch, folder = found(held), SnapshotFolder(tmp_path)
    names = [folder.keep(str(number).encode())[0] for number in range(len(batch.snapshots))]
    batch.snapshots = {key: Kept(name, 1) for key, name in zip(batch.snapshots, names, strict=True)}
    work.announce(held, names, NOW_NS)
    other.announce(held_too, names, NOW_NS)
    assert JobPictures(database, folder).discard(held_too.id) == 2
    with pytest.raises(StorageError, match="2 pictures went"):
        work.commit(held, batch, [FileReport(0, b"{}")], NOW_NS, names)
    assert count(database, EventRow) == 0
    work.announce(held, names, NOW_NS)
    for number in range(len(names)):
        folder.keep(str(number).encode())
    work.commit(held, batch, [FileReport(0, b"{}")], NOW_NS, names)
    assert JobPictures(database, folder).discard(held.id) == 0
    assert {path.name for path in tmp_path.glob("*.jpg")} == set(names)


@pytest.mark.parametrize("first", ["commit", "discard"])
def test_pictures_that_are_discarded_while_they_are_committed_stay_or_it_is_refused(
    database: Engine, jobs: Jobs, work: JobWork, other: JobWork, tmp_path: Path, first: str
) -> None:
    held, held_too = both_finishing(jobs, work, other)
    here, refused, batch = threading.Event(), list[StorageError](), found(held)
    names = [kept.name for kept in batch.snapshots.values()]

    class Slow(SnapshotFolder):
        """Somebody comes while files go."""

        def discard(self, name: str) -> None:
            here.set()
            threads[0].join(0.1)
            super().discard(name)

    folder = Slow(tmp_path)
    for name in names:
        (tmp_path / name).touch()
    work.announce(held, names, NOW_NS)
    other.announce(held_too, names, NOW_NS)

    def commit() -> None:
        assert first == "commit" or here.wait(10)
        try:
            work.commit(held, batch, [FileReport(0, b"{}")], NOW_NS, names)
        except StorageError as error:
            refused.append(error)

    threads = [
        threading.Thread(target=commit),
        threading.Thread(target=JobPictures(database, folder).discard, args=(held_too.id,)),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert first == "commit" or refused
    assert bool(refused) == (count(database, EventRow) == 0)
    assert {path.name for path in tmp_path.glob("*.jpg")} == (set() if refused else set(names))
