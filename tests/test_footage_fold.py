"""What was seen in chunks of recorded footage comes to the facts, pictures and reports that one process comes to."""

import shutil
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray
from sqlalchemy import Engine, insert, select, update

from classify.fold import FoldState, Rules, finish, fold
from classify.footage import FootageFold, Hands
from infra.analysis import Analyzer
from infra.footage import analyze_footage
from infra.jobs.finishing import FinishingPlace, annotated_name, finish_job
from infra.recorder import Recorder
from infra.settings import load_settings
from ingest.footage import Footage
from ingest.motion import Motion
from ingest.pieces import FootagePlan, Piece, PieceReader, pack, plan_footage, whole_plan
from storage.database.batch import Batch, Key, Source
from storage.database.booking import apply
from storage.database.engine import open_engine, reading, sqlite_url, writing
from storage.database.job_pictures import JobPictures
from storage.database.job_work import JobWork
from storage.database.ledger import Ledger
from storage.database.left_open import left_open
from storage.database.models import (
    CameraHourRow,
    CameraStateRow,
    CandidateRow,
    EventFaceRow,
    EventRow,
    JobFileRow,
    JobRow,
    SnapshotRow,
    TrackPathRow,
    TrackRow,
)
from storage.database.pictures import announce
from storage.database.recorded import recorded
from storage.database.rollups import MINUTE_NS, Place
from storage.errors import InputError, StorageError
from storage.face_tally import Tally
from storage.footage_results import pack_results, unpack_results
from storage.hours import Hours
from storage.job_work import HeldJob, JobCancelledError, LeaseLostError, PlannedFile, Stretch
from storage.jobs import ChunkKey, JobOptions, Pin
from storage.messages import NS_PER_S, Begin, Changes, Look, Result, Track
from storage.paths import unpack
from storage.report import Report
from storage.snapshots import Picture, SnapshotFolder
from storage.telling import NewsKind
from storage.words import Label
from tests.conftest import WriteVideo
from tests.postgres import database_fixture, migrated_sqlite, postgres_fixture  # noqa: F401
from tests.test_fold import face
from tests.test_ledger import recount, totals

STEP_NS = NS_PER_S // 5
START_NS = 1_700_000_000 * NS_PER_S
JOB = "j-0123456789"
BEGIN = Begin(JOB, 1, 0, live=False, dwell_ns=NS_PER_S, min_face_px=24, sample_ns=STEP_NS)
RULES = Rules.of(BEGIN)


def samples(count: int = 40) -> list[Result]:
    """Two people, one of them without a mask for a while, and one who takes the mask off for a moment only."""
    made = []
    for k in range(count):
        faces = [face(20 + 12 * k, 40, label=Label.WITH_MASK, k=k)] if k % 11 else []
        if 5 < k < 30:
            faces.append(face(560 - 12 * k, 150, label=Label.WITHOUT_MASK if k < 24 else Label.WITH_MASK, k=k))
        if 10 < k < 28:
            faces.append(face(300, 250, label=Label.WITHOUT_MASK if k < 14 else Label.WITH_MASK, k=k))
        failed = "detect: no memory" if k == 32 else None
        made.append(Result("any", 7, k, k * STEP_NS, 640, 360, Look.FULL, tuple(faces if not failed else ()), failed))
    return made


def own(results: Sequence[Result]) -> list[Result]:
    """The results as they are given to the fold."""
    return list(unpack_results(pack_results(results, frames=1, end_ns=1)).results(JOB, BEGIN.epoch))


def packed(results: Sequence[Result], size: int) -> list[bytes]:
    """The results in chunks."""
    chunks = [results[at : at + size] for at in range(0, len(results), size)]
    return [pack_results(chunk, frames=len(chunk), end_ns=chunk[-1].at_ns + STEP_NS) for chunk in chunks]


@dataclass
class Seen:
    """What a fold gives to others."""

    recorder: Recorder = field(default_factory=Recorder)
    pictures: dict[Key, Picture] = field(default_factory=dict)
    asked: list[int] = field(default_factory=list)

    def pixels(self, at_ns: int) -> NDArray[np.uint8]:
        self.asked.append(at_ns)
        return np.full((360, 640, 3), at_ns // STEP_NS, np.uint8)

    def keep(self, made: Any) -> None:
        assert not self.pictures.keys() & made.keys(), "each event's picture comes once"
        self.pictures |= made

    @property
    def hands(self) -> Hands:
        return Hands(self.pixels, self.keep, self.recorder.take)


def folded(chunks: Sequence[bytes], *, start_ns: int = START_NS, last_number: int = 0) -> tuple[Seen, Batch, int]:
    seen, batch = Seen(), Batch()
    fold = FootageFold(BEGIN, start_ns, batch, seen.hands, last_number=last_number)
    for chunk in chunks:
        fold.take(unpack_results(chunk).results(JOB, BEGIN.epoch))
    fold.end()
    assert fold.set_aside == ["the sample at 6.400 s was set aside: detect: no memory"]
    return seen, batch, fold.last_number


def in_one_process() -> tuple[Recorder, dict[int, int]]:
    """What the fold alone says, and when each event's picture was taken, as `infra.footage` does it."""
    recorder, state = Recorder(), FoldState()
    waiting: dict[int, int] = {}
    kept: dict[int, int] = {}

    def note(result: Result | None, changes: Changes) -> None:
        recorder.take(result, changes)
        for picture in changes.pictures:
            assert result is not None
            waiting[picture.track] = result.at_ns
        for event in changes.events:
            if event.track in waiting:
                kept[event.track] = waiting.pop(event.track)

    for result in samples():
        note(result, fold(state, result, RULES))
    note(None, finish(state, RULES))
    return recorder, kept


# Results


def test_results_are_packed_without_losing_a_bit() -> None:
    results = samples()
    chunk = unpack_results(pack_results(results[::-1], frames=200, end_ns=8 * NS_PER_S, errors=["1 damaged packet"]))
    assert (chunk.frames, chunk.end_ns, chunk.errors) == (200, 8 * NS_PER_S, ("1 damaged packet",))
    read = list(chunk.results("any", 7))
    assert [msgspec.structs.replace(result, frame=None) for result in read] == results
    assert [result.frame is not None for result in read] == [bool(result.faces) for result in results]
    assert chunk.faces == sum(len(result.faces) for result in results)


def test_results_that_are_not_whole_or_of_another_version_are_refused() -> None:
    data = pack_results(samples(), frames=1, end_ns=1)
    with pytest.raises(StorageError, match="can't be read"):
        unpack_results(data[:-20])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("storage.footage_results.RESULTS_VERSION", 2)
        with pytest.raises(StorageError, match=r"another version of the program \(format 1, not 2\): submit"):
            unpack_results(data)


# The fold


@pytest.mark.parametrize("size", [1, 7, 40])
def test_chunks_of_any_length_come_to_what_one_process_comes_to(size: int) -> None:
    seen, batch, last_number = folded(packed(samples(), size))
    recorder, pictures = in_one_process()
    assert seen.recorder == recorder
    assert last_number == 3
    assert {number: picture.at_ns for (_, number), picture in seen.pictures.items()} == {
        number: START_NS + at_ns for number, at_ns in pictures.items()
    }
    assert len(pictures) == 1
    assert batch.tracks.keys() == {(JOB, number) for number in recorder.tracks}
    for (_, number), track in batch.tracks.items():
        assert track.first_seen_ns == START_NS + recorder.tracks[number].first_seen_ns
        assert track.last_seen_ns == START_NS + recorder.tracks[number].last_seen_ns
        boxes = [boxes for _, other, _, boxes in batch.paths if other == number]
        assert [msgspec.structs.replace(place, at_ns=place.at_ns - START_NS) for place in unpack(boxes)] == (
            recorder.sightings[number]
        )
    [(key, event)] = batch.events.items()
    assert event.started_ns - START_NS == recorder.events[key[1]].started_ns
    assert event.closed


def test_facts_do_not_depend_on_when_the_footage_was_recorded() -> None:
    one, at_zero, _ = folded(packed(samples(), 7), start_ns=0)
    other, later, _ = folded(packed(samples(), 7), start_ns=START_NS + 1)
    assert one.recorder == other.recorder
    assert one.asked == other.asked
    assert [at_ns + START_NS + 1 for at_ns in at_zero.faces.popitem()[1]] == list(later.faces.popitem()[1])


def test_a_frame_is_decoded_again_only_for_an_event_once_and_in_order() -> None:
    seen, batch, _ = folded(packed(samples(), 40))
    assert seen.asked == sorted(set(seen.asked))
    [faces] = batch.faces.values()
    [event] = batch.events.values()
    # A picture of the event, and a face now and then; none of the mask that was off for a moment.
    wanted = {*faces, seen.pictures[JOB, event.track].at_ns}
    assert {at_ns + START_NS for at_ns in seen.asked} == wanted
    assert not batch.states
    assert not batch.candidates


def test_numbers_of_tracks_go_on_from_file_to_file() -> None:
    _, first, last_number = folded(packed(samples(), 40))
    _, second, _ = folded(packed(samples(), 40), start_ns=START_NS + 8 * NS_PER_S, last_number=last_number)
    assert [number for _, number in sorted(second.tracks)] == [number + 3 for _, number in sorted(first.tracks)]


def test_a_result_that_is_missing_is_told_of() -> None:
    results, seen = own(samples()), Seen()
    fold = FootageFold(BEGIN, START_NS, Batch(), seen.hands)
    fold.take(result for result in results if result.seq != 20)
    with pytest.raises(InputError, match="not whole: sample 20 is missing; submit it again"):
        fold.end()


def test_results_that_cannot_be_followed_end_the_job_with_the_place_and_the_reason() -> None:
    results = own(samples())
    odd = msgspec.structs.replace(results[2].faces[0], thumbnail=b"odd")
    results[2] = msgspec.structs.replace(results[2], faces=(odd,))
    fold = FootageFold(BEGIN, START_NS, Batch(), Seen().hands)
    with pytest.raises(InputError, match=r"at 0\.400 s can't be followed: "):
        fold.take(results)


# The job


OPTIONS = JobOptions()
PIN = Pin("model", "00", "litert", "detector")


class House:
    """A camera whose people are watched, and jobs over footage of it."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.engine, self.folder = engine, folder
        self.work = JobWork(engine, "jobs-0")
        self.snapshots = SnapshotFolder(folder / "snapshots")
        self.annotated = folder / "annotated"
        self.alive: Callable[[], None] = lambda: None
        self.ledger = Ledger(engine, 0, "aggregate-0")
        self.ledger.acquire("bus-1", START_NS)

    @property
    def place(self) -> FinishingPlace:
        settings = load_settings()
        return FinishingPlace(self.engine, self.snapshots, self.annotated, settings, self.alive)

    def planned(
        self, files: Sequence[tuple[Path, FootagePlan]], options: JobOptions = OPTIONS, job: str = JOB
    ) -> HeldJob:
        """A job whose chunks wait."""
        now_ns = time.time_ns()
        submit(self.engine, job, [path for path, _ in files], options)
        held = self.work.take_job(job, now_ns)
        assert held is not None
        made = []
        for number, (path, plan) in enumerate(files):
            found = path.stat()
            chunks = tuple(Stretch(piece.start_ns, piece.end_ns) for piece in plan.pieces)
            start_ns = START_NS + number * 60 * NS_PER_S
            made.append(
                PlannedFile(number, found.st_size, found.st_mtime_ns, "00", start_ns, plan.duration_ns, job, pack(plan), chunks)
            )  # fmt: skip
        self.work.save_plan(held, made, PIN, now_ns)
        return held

    def analysed(self, job: str, file: int, chunks: Sequence[bytes]) -> None:
        """All chunks of a file are done."""
        for number, results in enumerate(chunks):
            chunk = self.work.take_chunk(ChunkKey(job, file, number), time.time_ns())
            assert chunk is not None
            self.work.save_chunk(chunk, results, 1, unpack_results(results).faces, time.time_ns())

    def take(self, job: str = JOB) -> HeldJob:
        held = self.work.take_job(job, time.time_ns())
        assert held is not None
        return held

    def files(self) -> set[str]:
        """Names of all files that were written for people."""
        return {path.name for folder in (self.snapshots.folder, self.annotated) for path in folder.glob("*")}


def submit(engine: Engine, job: str, paths: Sequence[Path], options: JobOptions) -> None:
    row = {"id": job, "state": "queued", "camera_id": "c1", "building_id": "b7", "zone_id": "z9", "counts": True}
    row |= {
        "options": msgspec.to_builtins(options),
        "created_by_id": "u1",
        "created_by": "me",
        "created_at_ns": START_NS,
    }
    files = [
        {"job_id": job, "number": number, "name": path.name, "path": str(path)} for number, path in enumerate(paths)
    ]
    with writing(engine) as connection:
        connection.execute(insert(JobRow).values(row))
        connection.execute(insert(JobFileRow), files)


def in_one_piece(path: Path) -> FootagePlan:
    return whole_plan(path, 5.0, "for this test")


@pytest.fixture
def either(database: Engine, tmp_path: Path) -> House:
    """One with a database of either kind."""
    return House(database, tmp_path / "house")


@pytest.fixture
def house(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    shutil.copy(migrated_sqlite(tmp_path_factory), tmp_path / "maskwatch.sqlite3")
    engine = open_engine(sqlite_url(tmp_path / "maskwatch.sqlite3"))
    yield House(engine, tmp_path / "house")
    engine.dispose()


@pytest.fixture
def clip(write_video: WriteVideo) -> Path:
    """Eight seconds, each sample of another grey."""
    pictures = [np.full((360, 640, 3), 40 + 2 * (k // 2), np.uint8) for k in range(80)]
    return write_video(pictures, fps=10)


def rows(engine: Engine, table: Any, *conditions: Any) -> list[Any]:
    with reading(engine) as connection:
        return list(
            connection.execute(select(table.__table__).where(*conditions).order_by(*table.__table__.primary_key))
        )


def live_track(house: House) -> None:
    """Number 1 of the camera itself, with a breach that is no event yet."""
    batch = Batch(states={"c1": b"memory"})
    batch.tracks["c1", 1] = Track(1, START_NS, START_NS, 5, Label.WITHOUT_MASK, 0.9, None, counted=False, closed=False)
    batch.candidates["c1", 1] = Picture(b"jpeg")
    house.ledger.commit(batch, START_NS)


def test_a_job_of_two_files_becomes_facts_pictures_and_reports(either: House, clip: Path) -> None:
    live_track(either)
    before = [rows(either.engine, table) for table in (CameraStateRow, CandidateRow)]
    plan = in_one_piece(clip)
    either.planned([(clip, plan), (clip, plan)])
    for file in (0, 1):
        either.analysed(JOB, file, [pack_results(samples(), frames=80, end_ns=8 * NS_PER_S, errors=["as it is"])])
    written = finish_job(either.take(), either.work, either.place)
    [job] = rows(either.engine, JobRow)
    assert (job.state, job.tracks, job.events) == ("done", 6, 2)
    assert {news.kind for news in written.news} == {NewsKind.OPENED}
    tracks = rows(either.engine, TrackRow, TrackRow.job_id == JOB)
    assert sorted(track.number for track in tracks) == [1, 2, 3, 4, 5, 6]
    assert {(track.camera_id, track.building_id, track.zone_id, track.closed) for track in tracks} == {
        ("c1", "b7", "z9", True)
    }
    assert {track.id for track in tracks} == {f"{JOB}-t{number}" for number in range(1, 7)}
    assert tracks[3].started_ns - tracks[0].started_ns == 60 * NS_PER_S
    events = rows(either.engine, EventRow)
    assert [(event.camera_id, event.building_id, event.job_id, event.verdict) for event in events] == 2 * [
        ("c1", "b7", JOB, "pending")
    ]
    assert {event.track_id for event in events} <= {track.id for track in tracks}
    for event in events:
        faces = rows(either.engine, EventFaceRow, EventFaceRow.event_id == event.id)
        assert len(faces) > 3
        assert all(event.started_ns - NS_PER_S <= each.at_ns <= event.ended_ns for each in faces)
        [picture] = rows(either.engine, SnapshotRow, SnapshotRow.name == event.snapshot)
        assert not picture.obsolete
        assert picture.at_ns >= START_NS
    assert either.files() == {event.snapshot for event in events}
    assert len(rows(either.engine, TrackPathRow)) == 6
    assert totals(either.engine) == recount(either.engine, MINUTE_NS)
    # What is known of the camera itself is as it was.
    assert [rows(either.engine, table) for table in (CameraStateRow, CandidateRow)] == before
    assert left_open(either.engine, "c1").last_number == 1
    assert recorded(either.engine, "c1").tracks.keys() == {1}
    for file, row in enumerate(rows(either.engine, JobFileRow)):
        report = msgspec.json.decode(zlib.decompress(row.report), type=Report)
        assert row.errors == ["as it is", "the sample at 6.400 s was set aside: detect: no memory"]
        assert (report.video, report.frames_decoded, report.frames_analyzed) == (clip.name, 80, 40)
        assert [track.id for track in report.tracks] == ["t1", "t2", "t3"]
        assert [event.snapshot for event in report.events] == [f"snapshots/{events[file].snapshot}"]
        assert report.model.name == PIN.name


def test_outside_the_hours_there_is_no_event_and_no_picture(house: House, clip: Path) -> None:
    # A Tuesday, 22:13 UTC.
    options = JobOptions(hours=(Hours(("tue",), "08:00", "17:00"),))
    house.planned([(clip, in_one_piece(clip))], options)
    house.analysed(JOB, 0, [pack_results(samples(), frames=80, end_ns=8 * NS_PER_S)])
    finish_job(house.take(), house.work, house.place)
    assert [track.outside_hours for track in rows(house.engine, TrackRow)] == [True] * 3
    assert not [*rows(house.engine, EventRow), *rows(house.engine, EventFaceRow), *rows(house.engine, SnapshotRow)]
    assert not house.files()
    [file] = rows(house.engine, JobFileRow)
    assert msgspec.json.decode(zlib.decompress(file.report), type=Report).events == ()


def test_a_job_analysed_anew_takes_the_place_of_the_one_before_with_its_pictures(either: House, clip: Path) -> None:
    for job in (JOB, "j-1"):
        either.planned([(clip, in_one_piece(clip))], JobOptions(fresh=True), job)
        either.analysed(job, 0, [pack_results(samples(), frames=80, end_ns=8 * NS_PER_S)])
        finish_job(either.take(job), either.work, either.place)
    [event] = rows(either.engine, EventRow)
    assert event.job_id == "j-1"
    assert either.files() == {event.snapshot}
    [picture] = rows(either.engine, SnapshotRow)
    assert (picture.obsolete, picture.camera_id) == (False, "j-1")
    assert totals(either.engine) == recount(either.engine, MINUTE_NS)


def test_an_annotated_video_is_made_where_it_is_asked_for(house: House, clip: Path) -> None:
    house.planned([(clip, in_one_piece(clip))], JobOptions(annotate=True))
    house.analysed(JOB, 0, [pack_results(samples(), frames=80, end_ns=8 * NS_PER_S)])
    finish_job(house.take(), house.work, house.place)
    [file] = rows(house.engine, JobFileRow)
    assert file.annotated == annotated_name(JOB, 0)
    with Footage(house.annotated / file.annotated) as video:
        assert sum(1 for _ in video.frames(5.0)) == 80


@pytest.mark.parametrize("step", [1, 5, 30])
def test_a_job_that_is_cancelled_while_it_is_finished_leaves_nothing(house: House, clip: Path, step: int) -> None:
    house.planned([(clip, in_one_piece(clip))] * 2, JobOptions(annotate=True))
    for file in (0, 1):
        house.analysed(JOB, file, [pack_results(samples(), frames=80, end_ns=8 * NS_PER_S)])
    held, left = house.take(), [step]

    def alive() -> None:
        left[0] -= 1
        if left[0] == 0:
            with writing(house.engine) as connection:
                connection.execute(update(JobRow).values(state="cancelling"))
            raise JobCancelledError("cancelled")

    house.alive = alive
    with pytest.raises(JobCancelledError):
        finish_job(held, house.work, house.place)
    assert not house.files()
    assert not [*rows(house.engine, TrackRow), *rows(house.engine, SnapshotRow), *rows(house.engine, EventFaceRow)]


def test_a_file_that_changes_before_all_is_done_fails_the_job_and_leaves_nothing(house: House, clip: Path) -> None:
    house.planned([(clip, in_one_piece(clip))])
    house.analysed(JOB, 0, [pack_results(samples(), frames=80, end_ns=8 * NS_PER_S)])
    steps = iter(range(100))

    def alive() -> None:
        if next(steps) == 3:
            with clip.open("ab") as stream:
                stream.write(b"more")

    house.alive, held = alive, house.take()
    with pytest.raises(InputError, match=r"clip\.mp4 has changed since it was first read: submit it again"):
        finish_job(held, house.work, house.place)
    assert not house.files()
    assert not [*rows(house.engine, TrackRow), *rows(house.engine, SnapshotRow)]
    clip.unlink()
    with pytest.raises(InputError, match=r"clip\.mp4 can't be read"):
        finish_job(held, house.work, house.place)


def test_who_has_lost_the_job_leaves_its_files_to_the_one_who_has_it(house: House, clip: Path) -> None:
    house.planned([(clip, in_one_piece(clip))])
    house.analysed(JOB, 0, [pack_results(samples(), frames=80, end_ns=8 * NS_PER_S)])
    slow = house.take()
    successor = JobWork(house.engine, "jobs-1")
    held = successor.take_job(JOB, time.time_ns() + 60 * NS_PER_S)
    assert held is not None
    written = finish_job(held, successor, house.place)
    files = house.files()
    with pytest.raises(LeaseLostError):
        finish_job(slow, house.work, house.place)
    clip.unlink()
    with pytest.raises(InputError):
        finish_job(slow, house.work, house.place)
    assert written.news
    assert house.files() == files
    assert len(rows(house.engine, EventRow)) == 1


def test_a_full_disk_keeps_the_job_from_its_end_and_it_comes_to_the_same_later(house: House, clip: Path) -> None:
    house.planned([(clip, in_one_piece(clip))])
    house.analysed(JOB, 0, [pack_results(samples(), frames=80, end_ns=8 * NS_PER_S)])
    house.snapshots.folder.parent.mkdir(parents=True, exist_ok=True)
    # A file where the folder goes: no picture can be written, as on a full disk.
    house.snapshots.folder.write_text("")
    held = house.take()
    with pytest.raises(StorageError, match="snapshots"):
        finish_job(held, house.work, house.place)
    assert not rows(house.engine, TrackRow)
    house.snapshots.folder.unlink()
    finish_job(held, house.work, house.place)
    [event] = rows(house.engine, EventRow)
    assert house.files() == {event.snapshot}


def test_an_aggregator_leaves_pictures_of_jobs_alone_and_upkeep_of_ended_ones_not(either: House, clip: Path) -> None:
    either.planned([(clip, in_one_piece(clip))])
    name, _ = either.snapshots.keep(b"jpeg")
    with writing(either.engine) as connection:
        announce(connection, {name: JOB}, START_NS)
        announce(connection, {"of a camera.jpg": "c1"}, START_NS)
    assert either.ledger.obsolete() == ["of a camera.jpg"]
    pictures = JobPictures(either.engine, either.snapshots)
    assert pictures.sweep() == 0
    with writing(either.engine) as connection:
        connection.execute(update(JobRow).values(state="failed"))
    assert pictures.sweep() == 1
    assert not either.files()
    assert [row.name for row in rows(either.engine, SnapshotRow)] == ["of a camera.jpg"]


def test_nothing_is_remembered_tallied_or_awaited_of_a_job(house: House) -> None:
    source = Source(Place("c1", "b7", None, counts=True), JOB)
    batch = Batch(sources={JOB: source}, states={JOB: b"x"}, lost={JOB: 3}, candidates={(JOB, 1): Picture(b"x")})
    batch.tallies[JOB, 0] = Tally(samples=5)
    with writing(house.engine) as connection:
        apply(connection, batch, 0, START_NS)
    assert not [
        *rows(house.engine, CameraStateRow),
        *rows(house.engine, CandidateRow),
        *rows(house.engine, CameraHourRow),
    ]


# From pixels


@pytest.mark.slow
def test_a_job_s_report_is_that_of_one_process_for_any_length_of_chunks(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("skimage", reason="the demo's portrait comes with scikit-image, which is in the demo set")
    from infra.demo.clips import write_clip
    from infra.demo.script import small_clip

    path = tmp_path / "people.mp4"
    write_clip(small_clip(960, 540, 9.0, 3), path)
    kept = SnapshotFolder(tmp_path / "kept")
    with Analyzer(load_settings()) as analyzer:
        whole = analyze_footage(path, analyzer, kept)
        assert len(whole.report.tracks) >= 3
        assert len(whole.report.events) >= 2
        model = analyzer.model_info
        monkeypatch.setattr(f"{__name__}.PIN", Pin(model.name, model.sha256, model.backend, analyzer.detector_name))
        for chunk_s, chunks in ((2.0, 4), (5.0, 1), (60.0, 1)):
            plan = plan_footage(path, 5.0, chunk_s, lambda: False)
            assert plan.whole is None
            assert len(plan.pieces) >= chunks
            job = f"j-{chunk_s:g}"
            house.planned([(path, plan)], JobOptions(chunk_s=chunk_s, fresh=True), job)
            house.analysed(job, 0, [looked_at(path, plan, piece, analyzer) for piece in plan.pieces])
            finish_job(house.take(job), house.work, house.place)
            [file] = rows(house.engine, JobFileRow, JobFileRow.job_id == job)
            report = msgspec.json.decode(zlib.decompress(file.report), type=Report)
            assert msgspec.structs.replace(report, timing=whole.report.timing) == whole.report
            assert house.files() == {each.name for each in kept.folder.iterdir()}


def looked_at(path: Path, plan: FootagePlan, piece: Piece, analyzer: Analyzer) -> bytes:
    """The results of a piece, as workers on different machines would give them."""
    motion, results = Motion(), []
    with PieceReader(path, plan, piece, 5.0) as reader:
        for seq, frame, own in reader:
            look, active = motion.judge(frame.luma(), frame.at_ns)
            if own:
                found = None if look is Look.NONE else analyzer.found_in_sample(frame.rgb(), look, active, seq)
                faces = () if found is None else analyzer.classified(frame.rgb(), found)
                results.append(Result("any", 0, seq, frame.at_ns, *frame.size, look, faces))
        read = reader.summary()
    return pack_results(results, frames=read.frames, end_ns=read.end_ns, errors=read.errors)
