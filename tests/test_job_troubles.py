"""Footage that is bad, changes or is gone, and a system that loses something meanwhile: each job ends, and says why."""

import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from functools import cache
from itertools import count
from pathlib import Path
from typing import Final

import av
import numpy as np
import pytest
from sqlalchemy import func, select

from infra.analysis import Analyzer
from infra.bench.footage_system import BEGAN_NS
from infra.demo.clips import write_clip
from infra.demo.script import small_clip
from infra.footage import analyze_footage
from infra.settings import load_settings
from storage.database.engine import reading, writing
from storage.database.models import EventRow, TrackRow
from storage.database.pictures import announce
from storage.database.records import NewCamera
from storage.database.repair import repair
from storage.database.sites import Sites
from storage.jobs import ACTIVE, Job, JobState, NewFile, NewJob
from storage.messages import NS_PER_S
from storage.report import to_json
from storage.snapshots import SnapshotFolder
from tests.job_house import JobHouse, told
from tests.postgres import own_server
from tests.test_pieces import CUT_UP, damaged, made, nothing, sound

pytestmark = pytest.mark.slow

PROOF: Final = bool(os.environ.get("MASKWATCH_PROOF"))
OUTAGES: Final = 5 if PROOF else 1
LEASE_S: Final = 2.0
LIMIT_S: Final = 120.0
HOUR_NS: Final = 3600 * NS_PER_S
DAY_IN_FULL: Final = {"fps": 1.0}
DAY_IN_SHORT: Final = {"fps": 0.01, "chunk_s": 600.0}
ODD_NAME: Final = 'a\'b "c"\nd:%s \N{GRINNING FACE}.mp4'
_hours = count()

Report = Callable[[Path], str]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JobHouse]:
    """One for all tests: what one of them leaves would show in the next."""
    with JobHouse(tmp_path_factory.mktemp("troubles"), job_lease_s=LEASE_S) as house:
        yield house


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "corridor.mp4"
    write_clip(small_clip(800, 450, 8.0, 2), path)
    return path


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Report]:
    """What a single process says of footage."""
    folder = SnapshotFolder(tmp_path_factory.mktemp("alone"))
    with Analyzer(load_settings()) as analyzer:
        yield cache(lambda path: told(to_json(analyze_footage(path, analyzer, folder).report)))


@pytest.fixture(autouse=True)
def clean(house: JobHouse) -> Iterator[None]:
    """Whatever becomes of a job, nothing stays on its way, and no picture without its event."""
    yield
    house.until(house.quiet)
    with reading(house.engine) as connection:
        named = set(connection.execute(select(EventRow.snapshot).where(EventRow.snapshot.is_not(None))).scalars())
    house.until(lambda: house.pictures() == named)
    assert repair(house.engine, BEGAN_NS + 9 * 24 * HOUR_NS, days=10)["wrong"] == 0, "totals are those of a recount"


def new_time() -> int:
    """When footage began that is not known yet."""
    return BEGAN_NS + next(_hours) * HOUR_NS


def tracks_of(house: JobHouse, job_id: str) -> int:
    with reading(house.engine) as connection:
        query = select(func.count()).select_from(TrackRow).where(TrackRow.job_id == job_id)
        return int(connection.execute(query).scalar_one())


def failed(house: JobHouse, job_id: str) -> str:
    """Why a job failed, of which nothing is left."""
    job = house.finished(job_id, LIMIT_S)
    assert (job.state, house.chunks(job_id), tracks_of(house, job_id)) == (JobState.FAILED, 0, 0), job.error
    assert job.error is not None
    return job.error


def done(house: JobHouse, job_id: str) -> Job:
    job = house.finished(job_id, LIMIT_S)
    assert (job.state, job.error) == (JobState.DONE, None)
    return job


def told_of(house: JobHouse, job_id: str) -> list[str]:
    return [told(file.report) for file in house.jobs.report(job_id)]


def wait(house: JobHouse, seconds: float) -> None:
    """Let the system be for a while."""
    end_s = time.monotonic() + seconds
    house.until(lambda: time.monotonic() > end_s)


# What can't be analysed.


def encrypted(path: Path) -> None:
    """What should be H.264 is noise, and only as long."""
    data = bytearray(made(path.parent, CUT_UP[0]._replace(name="plain.mp4", frames=30)).read_bytes())
    start, end = data.index(b"mdat") + 4, data.index(b"moov") - 4
    data[start:end] = np.random.default_rng(0).bytes(end - start)
    path.write_bytes(data)


BAD: Final[dict[str, tuple[Callable[[Path], object], str]]] = {
    "removed.mp4": (lambda _: None, "removed.mp4 can't be read: it is not there any more; submit it again when it is"),
    "folder.mp4": (Path.mkdir, "folder.mp4 can't be read: it is a folder, not a file"),
    "pipe.mp4": (os.mkfifo, "pipe.mp4 can't be read: it is a pipe or a device, not a file"),
    "empty.mp4": (Path.touch, "empty.mp4 is empty"),
    "sound.mp4": (sound, "sound.mp4 holds no video stream"),
    "no-frames.mp4": (nothing, "no-frames.mp4 holds no video stream"),
    "no-frames.mkv": (nothing, "no-frames.mkv is not a video that can be read"),
    "garbage.mp4": (
        lambda path: path.write_bytes(np.random.default_rng(0).bytes(20_000)),
        "garbage.mp4 is not a video that can be read",
    ),
    "encrypted.mp4": (encrypted, "no frame of encrypted.mp4 can be decoded"),
}


def test_what_is_no_footage_fails_its_job_with_the_reason_and_harms_no_other(
    house: JobHouse, clip: Path, tmp_path: Path, alone: Report
) -> None:
    for name, (fill, _) in BAD.items():
        fill(tmp_path / name)
    ids = {name: house.submit(tmp_path / name, start_ns=new_time()) for name in BAD}
    good = house.submit(clip, start_ns=new_time(), chunk_s=2.0)
    # Of files beside a bad one nothing is kept.
    mixed = house.submit(clip, tmp_path / "sound.mp4", start_ns=new_time())
    for name, (_, reason) in BAD.items():
        assert reason in failed(house, ids[name])
        assert str(tmp_path) not in failed(house, ids[name]), "people know files by their names"
    assert "sound.mp4" in failed(house, mixed)
    done(house, good)
    assert told_of(house, good) == [alone(clip)]


def test_all_files_that_are_no_footage_are_named_at_once(house: JobHouse, clip: Path, tmp_path: Path) -> None:
    empty, sound_only = tmp_path / "empty.mp4", tmp_path / "sound.mp4"
    empty.touch()
    sound(sound_only)
    why = failed(house, house.submit(empty, clip, sound_only))
    assert "empty.mp4 is empty" in why
    assert "sound.mp4 holds no video stream" in why


def test_footage_that_does_not_say_when_it_began_is_asked_for_the_time(house: JobHouse, tmp_path: Path) -> None:
    path = made(tmp_path, CUT_UP[0]._replace(name="some day.mp4", frames=30))
    plain = house.submit(path, start_ns=None)
    assert "some day.mp4 does not say when it began: give the time (footage_start)" in failed(house, plain)
    named = house.submit(path, start_ns=None, name_pattern="%Y%m%d")
    assert "some day.mp4 does not hold the name pattern '%Y%m%d', so it does not say when" in failed(house, named)
    assert "holds %Q" in failed(house, house.submit(path, start_ns=None, name_pattern="%Q"))


def test_a_file_that_changes_while_it_is_looked_at_fails_its_job(house: JobHouse, clip: Path, tmp_path: Path) -> None:
    path = tmp_path / "still-written.mp4"
    shutil.copy(clip, path)
    job_id = house.submit(path, start_ns=new_time(), chunk_s=1.0, fresh=True)
    house.until(lambda: house.holders(job_id))
    with path.open("ab") as file:
        file.write(b"more")
    assert "still-written.mp4 has changed since it was first read: submit it again" in failed(house, job_id)


def test_a_file_that_grows_while_it_is_planned_fails_its_job(house: JobHouse, clip: Path, tmp_path: Path) -> None:
    path, over = tmp_path / "recording.mp4", threading.Event()
    shutil.copy(clip, path)

    def record() -> None:
        with path.open("ab", buffering=0) as file:
            while not over.wait(0.001):
                file.write(bytes(100))

    recorder = threading.Thread(target=record)
    recorder.start()
    try:
        why = failed(house, house.submit(path, start_ns=new_time()))
        # The second where nothing was written for as long as the reading took.
        said = ("recording.mp4 changes while it is read:", "recording.mp4 has changed since it was first read:")
        assert any(text in why for text in said), why
        assert "submit it again" in why
    finally:
        over.set()
        recorder.join()


def test_a_file_that_is_removed_while_it_is_looked_at_fails_its_job(
    house: JobHouse, clip: Path, tmp_path: Path
) -> None:
    path = tmp_path / "gone.mp4"
    shutil.copy(clip, path)
    job_id = house.submit(path, start_ns=new_time(), chunk_s=1.0, fresh=True)
    house.until(lambda: house.holders(job_id))
    path.unlink()
    assert "gone.mp4 can't be read: it is not there any more; submit it again when it is" in failed(house, job_id)


# What can be analysed all the same, and is as one process does it.


def with_a_gap(clip: Path, path: Path) -> None:
    """Nothing was recorded for half an hour."""
    _copied(clip, path, lambda seconds: seconds + (1800 if seconds >= 4 else 0))


def with_a_clock_set_back(clip: Path, path: Path) -> None:
    """The second half has the times of the first."""
    once = path.with_name("once.ts")
    _copied(clip, once, lambda seconds: seconds, until_s=4.0)
    path.write_bytes(once.read_bytes() * 2)


def with_a_clock_set_forward(clip: Path, path: Path) -> None:
    """Two hours, as when the time zone is set."""
    _copied(clip, path, lambda seconds: seconds + (7200 if seconds >= 4 else 0))


def _copied(clip: Path, path: Path, moved: Callable[[float], float], until_s: float = 1e9) -> None:
    with av.open(str(clip)) as source, av.open(str(path), "w") as target:
        stream = source.streams.video[0]
        copy, base = target.add_stream_from_template(stream), stream.time_base or Fraction(1)
        for packet in source.demux(stream):
            if packet.pts is None or packet.dts is None or packet.pts * base >= until_s:
                continue
            by = round((moved(float(packet.pts * base)) - float(packet.pts * base)) / base)
            packet.pts, packet.dts, packet.stream = packet.pts + by, packet.dts + by, copy
            target.mux(packet)


def with_two_resolutions(clip: Path, path: Path) -> None:
    """As cameras do whose settings are changed."""
    with av.open(str(clip)) as source, av.open(str(path), "w") as target:
        stream = target.add_stream("libx264", 25)
        assert isinstance(stream, av.VideoStream)
        stream.height, stream.width, stream.pix_fmt, stream.time_base = 450, 800, "yuv420p", Fraction(1, 90_000)
        encoder, size = None, (0, 0)
        for number, frame in enumerate(source.decode(video=0)):
            wanted = (800, 450) if number < 100 else (960, 540)
            if encoder is None or size != wanted:
                encoder, size = av.CodecContext.create("libx264", "w"), wanted
                assert isinstance(encoder, av.VideoCodecContext)
                encoder.width, encoder.height, encoder.pix_fmt = *size, "yuv420p"
                encoder.time_base, encoder.framerate = Fraction(1, 90_000), Fraction(25)
                encoder.options = {"g": "50", "preset": "ultrafast", "tune": "zerolatency"}
            picture = frame.reformat(*size, format="yuv420p")
            picture.pts, picture.time_base = number * 3600, Fraction(1, 90_000)
            for packet in encoder.encode(picture):
                packet.stream, packet.time_base = stream, Fraction(1, 90_000)
                target.mux(packet)


def cut_off(clip: Path, path: Path) -> None:
    path.write_bytes(clip.read_bytes()[: clip.stat().st_size * 6 // 10])


def with_holes(clip: Path, path: Path) -> None:
    _copied(clip, path, lambda seconds: seconds)
    damaged(path, holes=4, long=900)


ODD: Final[dict[str, tuple[Callable[[Path, Path], object], str]]] = {
    "gap.mkv": (with_a_gap, ""),
    "forward.mp4": (with_a_clock_set_forward, ""),
    "back.ts": (with_a_clock_set_back, "without a usable timestamp"),
    "two.ts": (with_two_resolutions, ""),
    ODD_NAME: (shutil.copy, ""),
}


def test_odd_footage_is_analysed_as_one_process_does_it_and_says_what_is_wrong(
    house: JobHouse, clip: Path, tmp_path: Path, alone: Report
) -> None:
    for name, (fill, _) in ODD.items():
        fill(clip, tmp_path / name)
    ids = {name: house.submit(tmp_path / name, start_ns=new_time(), chunk_s=2.0) for name in ODD}
    for name, (_, wrong) in ODD.items():
        job = done(house, ids[name])
        assert told_of(house, job.id) == [alone(tmp_path / name)], name
        assert wrong in "; ".join(job.not_decoded), name
        assert job.tracks, name


DAMAGED: Final[dict[str, tuple[Callable[[Path, Path], object], str]]] = {
    "cut.mp4": (cut_off, "s of 8.000 s: the rest is missing"),
    "holes.ts": (with_holes, "without a usable timestamp"),
}


def test_of_damaged_footage_all_is_analysed_that_is_left_and_each_time_the_same(
    house: JobHouse, clip: Path, tmp_path: Path
) -> None:
    for name, (fill, wrong) in DAMAGED.items():
        fill(clip, tmp_path / name)
        ids = [house.submit(tmp_path / name, start_ns=new_time(), chunk_s=2.0, fresh=True) for _ in range(2)]
        one, other = (done(house, job_id) for job_id in ids)
        assert wrong in "; ".join(one.not_decoded)
        assert one.tracks
        assert told_of(house, one.id) == told_of(house, other.id), name


def test_a_day_at_a_frame_a_second_is_analysed_in_many_chunks(house: JobHouse, tmp_path: Path) -> None:
    path, base = tmp_path / "day.mkv", Fraction(1, 1000)
    with av.open(str(path), "w") as target:
        stream = target.add_stream("libx264", 25, options={"g": "250", "preset": "ultrafast", "bf": "0"})
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 160, 96, "yuv420p"
        stream.time_base = stream.codec_context.time_base = base
        hours = []
        for number in range(600):
            picture = av.VideoFrame.from_ndarray(np.full((96, 160, 3), 90 + number // 300, np.uint8), format="rgb24")
            picture.pts, picture.time_base = number * 1000, base
            hours += stream.encode(picture)
        hours += stream.encode(None)
        # The same again and again: encoding a day takes longer than all the rest.
        packets = [
            (bytes(packet), round((packet.pts or 0) * (packet.time_base or 0) * 1000), packet.is_keyframe)
            for packet in hours
        ]
        for turn in range(24 * 6):
            for data, at_ms, key in packets:
                packet = av.Packet(data)
                packet.stream, packet.time_base, packet.is_keyframe = stream, base, key
                packet.pts = packet.dts = turn * 600_000 + at_ms
                target.mux(packet)
    began_s = time.monotonic()
    job_id = house.submit(path, start_ns=new_time(), **(DAY_IN_FULL if PROOF else DAY_IN_SHORT))
    house.until(lambda: house.chunks(job_id) > 100)
    job = house.finished(job_id, 1200.0)
    assert (job.state, job.error, job.files[0].whole) == (JobState.DONE, None, None)
    assert job.footage_s == pytest.approx(86_400, abs=2)
    assert time.monotonic() - began_s < 86_400 / 60, "an hour of it in a minute at most"


# What is known already, or changes meanwhile.


def test_two_jobs_over_the_same_footage_at_once_leave_its_facts_once(house: JobHouse, clip: Path) -> None:
    began_ns, before = new_time(), house.facts()
    ids = [house.submit(clip, start_ns=began_ns, chunk_s=1.0, fresh=True) for _ in range(2)]
    jobs = [done(house, job_id) for job_id in ids]
    one, other = (told_of(house, job.id) for job in jobs)
    assert one == other
    tracks, events = house.facts()
    assert (tracks - before[0], events - before[1]) == (jobs[0].tracks, jobs[0].events)
    assert sorted(tracks_of(house, job_id) for job_id in ids) == [0, jobs[0].tracks]


def test_footage_that_is_known_is_recognised_and_only_on_request_analysed_anew(house: JobHouse, clip: Path) -> None:
    began_ns = new_time()
    first = done(house, house.submit(clip, start_ns=began_ns))
    facts, report = house.facts(), told_of(house, first.id)
    again = done(house, house.submit(clip, start_ns=began_ns))
    assert (again.replaced_by, house.chunks(again.id), house.facts()) == (first.id, 0, facts)
    fresh = done(house, house.submit(clip, start_ns=began_ns, fresh=True))
    assert (fresh.replaced_by, house.facts()) == (None, facts)
    for job in (first, again, fresh):
        assert told_of(house, job.id) == report
        assert tracks_of(house, job.id) == (fresh.tracks if job is fresh else 0)


def test_a_camera_that_is_removed_meanwhile_keeps_no_job_from_being_done(house: JobHouse, clip: Path) -> None:
    sites = Sites(house.engine, house.places.media)
    camera = sites.add_camera(NewCamera("Gate", sites.buildings()[0].id, "rtsp://10.0.0.6/1"))
    new = NewJob(camera.id, (NewFile(clip.name, str(clip)),), start_ns=new_time(), chunk_s=1.0, fresh=True)
    job_id = house.jobs.create(new).id
    house.until(lambda: house.holders(job_id))
    sites.archive_camera(camera.id)
    job = done(house, job_id)
    assert (job.camera_id, tracks_of(house, job_id)) == (camera.id, job.tracks)
    assert job.tracks


# What the system itself may lose.


@contextmanager
def mounted(folder: Path, size: str) -> Iterator[None]:
    """A disk of its own."""
    folder.mkdir(exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("only who may mount file systems can make a small one")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


@contextmanager
def full(folder: Path) -> Iterator[Callable[[], None]]:
    """A folder on a disk that is full, until the function is called; what was written there is kept."""
    folder.mkdir(exist_ok=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", folder], capture_output=True, check=False
    )
    if mounted.returncode:
        # Who may not mount: a file where the folder goes; nothing can be written either.
        aside = folder.rename(folder.with_name("aside"))
        folder.touch()

        def move() -> None:
            with suppress(FileNotFoundError):
                folder.unlink()
                aside.rename(folder)

        try:
            yield move
        finally:
            if folder.is_file():
                move()
        return

    def grow() -> None:
        subprocess.run(["mount", "-o", "remount,size=64m", folder], check=True)

    try:
        yield grow
    finally:
        kept = shutil.copytree(folder, folder.with_name("kept"))
        subprocess.run(["umount", "-l", folder], check=True)
        for file in kept.iterdir():
            shutil.move(file, folder / file.name)
        kept.rmdir()


def test_a_job_that_meets_a_full_disk_waits_and_goes_on_by_itself(house: JobHouse, clip: Path, alone: Report) -> None:
    with full(house.places.snapshots) as make_room:
        job_id = house.submit(clip, start_ns=new_time())
        house.until(lambda: house.jobs.get(job_id).state is JobState.WAITING, LIMIT_S)
        reason = house.jobs.get(job_id).error
        assert reason is not None
        assert f"cannot write {house.places.snapshots}" in reason
        assert ("the disk is full" in reason) or house.places.snapshots.is_file()
        make_room()
        done(house, job_id)
    assert told_of(house, job_id) == [alone(clip)]


def test_a_job_in_a_system_without_any_room_goes_on_once_there_is_some(
    clip: Path, tmp_path: Path, alone: Report
) -> None:
    disk = tmp_path / "disk"
    with mounted(disk, "64m"), JobHouse(disk, job_lease_s=LEASE_S) as house:
        job_id = house.submit(clip, chunk_s=1.0)
        house.until(lambda: house.jobs.get(job_id).progress > 0.3)
        with suppress(OSError), (disk / "ballast").open("wb", buffering=0) as ballast:
            while True:
                ballast.write(bytes(4096))
        wait(house, 2 * LEASE_S)
        # There is no room for its pictures, if for anything.
        assert house.jobs.get(job_id).state in ACTIVE
        (disk / "ballast").unlink()
        done(house, job_id)
        assert told_of(house, job_id) == [alone(clip)]
        house.until(house.quiet)


def test_what_a_killed_process_wrote_for_a_job_that_has_ended_goes(house: JobHouse, tmp_path: Path) -> None:
    job_id = house.submit(tmp_path / "gone.mp4")
    failed(house, job_id)
    picture, folder = b"a picture of nobody", SnapshotFolder(house.places.snapshots)
    with writing(house.engine) as connection:
        announce(connection, {folder.name(picture): job_id}, time.time_ns())
        folder.keep(picture)
    house.until(lambda: folder.name(picture) not in house.pictures())


def test_a_job_whose_redis_is_killed_goes_on_and_comes_to_the_same(house: JobHouse, clip: Path, alone: Report) -> None:
    job_id = house.submit(clip, start_ns=new_time(), chunk_s=1.0, fresh=True)
    house.until(lambda: house.jobs.get(job_id).progress > 0.2)
    os.kill(house.system.pids()["redis"], signal.SIGKILL)
    house.until(lambda: not house.system.ready)
    done(house, job_id)
    assert told_of(house, job_id) == [alone(clip)]


def test_a_job_whose_postgresql_is_gone_for_a_while_goes_on_and_comes_to_the_same(
    clip: Path, tmp_path: Path, alone: Report
) -> None:
    with own_server() as server, JobHouse(tmp_path, job_lease_s=LEASE_S, database_url=server.url) as house:
        for _ in range(OUTAGES):
            job_id = house.submit(clip, chunk_s=1.0, fresh=True)
            # While its chunks are looked at, and when it is finished.
            for progress in (0.3, 0.98):
                house.until(lambda job_id=job_id, least=progress: house.jobs.get(job_id).progress > least)  # type: ignore[misc]
                server.stop()
                # What is held is nobody's when it is back.
                wait(house, 1.5 * LEASE_S)
                server.start()
            job = done(house, job_id)
            assert told_of(house, job_id) == [alone(clip)]
            assert house.facts() == (job.tracks, job.events)
        house.until(house.quiet)
        assert repair(house.engine, BEGAN_NS + HOUR_NS, days=1)["wrong"] == 0
