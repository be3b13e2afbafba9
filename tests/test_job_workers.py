"""Jobs through real workers: what comes of footage is what one process makes of it, whoever works on it, however it is cut."""

from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import numpy as np
import pytest

from infra.analysis import Analyzer
from infra.demo.clips import write_clip
from infra.demo.script import small_clip
from infra.footage import analyze_footage
from infra.jobs.app import TEND, UPKEEP, broker_url, jobs_app
from infra.jobs.lease import Lease
from infra.jobs.place import JobsPlace
from infra.jobs.rounds import MOST_WAITING, Rounds
from infra.jobs.upkeep import UPKEEP as WORKS
from infra.jobs.way import RedoError, Way
from infra.places import Places
from infra.settings import load_settings
from storage.bus import Bus
from storage.database.models import EventRow, TrackRow
from storage.frames import FrameStore
from storage.job_work import HeldChunk, HeldFile, LeaseLostError
from storage.jobs import ChunkKey, JobOptions, JobState, Pin
from storage.keys import FOOTAGE_LIFE_S
from storage.messages import FrameRef, Look, Lost, Result, Sample, classified_by
from storage.pulse import Pulse
from storage.report import to_json
from storage.snapshots import SnapshotFolder
from tests.job_house import JobHouse, told


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "corridor.mp4"
    write_clip(small_clip(800, 450, 8.0, 2), path)
    return path


def test_a_job_gives_the_report_of_a_single_process_byte_for_byte(clip: Path, tmp_path: Path) -> None:
    with Analyzer(load_settings()) as analyzer:
        alone = analyze_footage(clip, analyzer, SnapshotFolder(tmp_path / "alone")).report
    with JobHouse(tmp_path, jobs_workers=1) as house:
        job = house.finished(house.submit(clip, chunk_s=2.0))
        assert (job.state, job.error, job.progress) == (JobState.DONE, None, 1.0)
        [file] = house.jobs.report(job.id)
        assert told(file.report) == told(to_json(alone))
        assert (house.count(TrackRow), house.count(EventRow)) == (len(alone.tracks), len(alone.events))
        house.until(house.quiet)
    assert {path.name for path in house.places.snapshots.iterdir()} == {
        Path(event.snapshot).name for event in alone.events if event.snapshot
    }


# On the bus.

SOURCE = ChunkKey("j-1", 0, 3).source(2)


def result(seq: int, camera: str = SOURCE, **values: Any) -> Result:
    return Result(camera, 0, seq, seq * 1000, 640, 360, Look.FULL, **values)


def test_results_of_footage_go_to_who_sent_it_and_to_no_aggregator(bus: Bus, raw: Any) -> None:
    footage, frame = bus.footage(), FrameRef(7, 0, 360, 640, "here")
    bus.send([result(1, frame=frame), result(2), result(1, camera="c1")])
    assert [message for _, message in bus.read(0, "0-0", count=10, block_ms=0)] == [result(1, camera="c1")]
    assert footage.sources() == [SOURCE]
    assert 0 < raw.ttl(f"maskwatch:footage:{SOURCE}") <= FOOTAGE_LIFE_S
    (first, one), (_, two) = footage.read(SOURCE, "0-0", block_ms=0)
    assert (one, two) == (result(1, frame=frame), result(2))
    assert [message for _, message in footage.read(SOURCE, first, block_ms=0)] == [two]
    footage.end(SOURCE)
    assert (footage.sources(), raw.keys("maskwatch:footage*")) == ([], [])
    assert footage.read(SOURCE, "0-0", block_ms=0) == []


def test_what_arrives_for_who_is_gone_is_drained_however_late_it_comes(bus: Bus) -> None:
    footage, frame = bus.footage(), FrameRef(7, 0, 360, 640, "here")
    footage.begin(SOURCE)
    assert (footage.sources(), footage.drained(SOURCE)) == ([SOURCE], [])
    bus.send([result(1, frame=frame), Lost(SOURCE, 0, 2, 2, 2000), result(3)])
    assert (footage.sources(), footage.drained(SOURCE), footage.sources()) == ([SOURCE], [frame], [])


def test_only_the_first_to_ask_a_new_redis_is_told_that_it_is_new(bus: Bus) -> None:
    assert [bus.footage().is_new() for _ in range(3)] == [True, False, False]


def test_a_result_of_a_version_that_named_no_classifier_is_understood() -> None:
    before = msgspec.to_builtins(result(1))
    del before["by"]
    assert msgspec.convert(before, Result) == result(1)
    assert classified_by("ab" * 32, "litert") == "abababababababab/litert"


class Ended:
    """A lease that is over as soon as it is told so."""

    over = False
    faces: int | None = None

    def check(self) -> None:
        if self.over:
            raise LeaseLostError("it is somebody else's")


def way(bus: Bus, frames: FrameStore, lease: Ended) -> Way:
    """Of a chunk, with all of its place that it needs."""
    file = HeldFile(0, "door.mp4", "/media/door.mp4", None, None, None, None, 0, 1, None)
    held = HeldChunk(ChunkKey("j-1", 0, 3), 2, "b1", JobOptions(), Pin("m", "ab" * 32, "x", "faces"), file, b"", 0, 1)
    place = SimpleNamespace(bus=bus, footage=bus.footage(), frames=frames, pulse=Pulse(), engine=None, trouble=None)
    return Way(cast("JobsPlace", place), held, cast("Lease", lease))


def send_two(way: Way) -> None:
    for seq in range(2):
        sample = Sample(SOURCE, 0, seq, seq, Look.FULL, 24, FrameRef(0, 0, 0, 0), b"", 0, 0)
        way.send(np.zeros((360, 640, 3), np.uint8), sample)


def test_pictures_whose_samples_got_lost_with_redis_are_released(bus: Bus, raw: Any, frames: FrameStore) -> None:
    with suppress(RedoError), way(bus, frames, Ended()) as lost:
        send_two(lost)
        assert frames.used_blocks == 2
        raw.flushall()
        with pytest.raises(RedoError, match="lost what it held"):
            lost.wait()
        raise RedoError
    assert frames.used_blocks == 0


def test_pictures_whose_chunk_was_lost_with_redis_are_released_too(bus: Bus, raw: Any, frames: FrameStore) -> None:
    lease = Ended()
    with suppress(LeaseLostError), way(bus, frames, lease) as lost:
        send_two(lost)
        raw.flushall()
        lease.over = True
        lost.wait()
    assert frames.used_blocks == 0


def test_pictures_whose_samples_nobody_answers_are_released(
    bus: Bus, frames: FrameStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    with suppress(RedoError), way(bus, frames, Ended()) as late:
        send_two(late)
        monkeypatch.setattr("infra.jobs.way.ANSWER_S", 0.01)
        monkeypatch.setattr("infra.jobs.way.LOOK_S", 0.0)
        with pytest.raises(RedoError, match="have not answered"):
            late.wait()
        raise RedoError
    assert frames.used_blocks == 0


def test_pictures_whose_samples_are_on_their_way_are_left_to_who_drains_them(bus: Bus, frames: FrameStore) -> None:
    lease = Ended()
    with suppress(LeaseLostError), way(bus, frames, lease) as left:
        send_two(left)
        lease.over = True
        left.wait()
    assert frames.used_blocks == 2
    assert bus.footage().sources() == [SOURCE]


# As Celery has it.


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("unix:///dev/shm/mw/redis.sock", "redis+socket:///dev/shm/mw/redis.sock?virtual_host=0"),
        ("unix://:pw@/run/redis.sock?db=3", "redis+socket://:pw@/run/redis.sock?virtual_host=3"),
        ("redis://:pw@host:6379/2", "redis://:pw@host:6379/2"),
        ("rediss://host/0", "rediss://host/0"),
    ],
)
def test_celery_is_told_of_the_same_redis(url: str, expected: str) -> None:
    assert broker_url(url) == expected


def test_celery_takes_json_alone_keeps_no_results_and_loses_nothing() -> None:
    settings = load_settings(redis_prefix="mw-2")
    conf = jobs_app(settings, Places.of(settings)).conf
    assert (conf.accept_content, conf.task_serializer, conf.result_backend) == (["json"], "json", None)
    assert (conf.task_acks_late, conf.task_reject_on_worker_lost, conf.worker_prefetch_multiplier) == (True, True, 1)
    assert conf.worker_pool == "solo"
    assert conf.broker_transport_options["global_keyprefix"] == "mw-2:celery:"
    assert {entry["task"] for entry in conf.beat_schedule.values()} == {TEND, UPKEEP}
    assert {entry["args"][0] for entry in conf.beat_schedule.values() if entry["task"] == UPKEEP} == {
        work.name for work in WORKS
    }


def test_what_nobody_takes_does_not_fill_redis(redis: str, raw: Any) -> None:
    settings = load_settings(redis_url=redis, redis_prefix="mw-2")
    rounds = Rounds(app=jobs_app(settings, Places.of(settings)))

    def send(times: int) -> int:
        """Tasks that wait after so many were due."""
        for _ in range(times):
            rounds.apply_entry(rounds.schedule["tend"], producer=rounds.producer)
        return int(raw.llen("mw-2:celery:jobs"))

    assert send(1) == 1
    assert send(2 * MOST_WAITING) == rounds.sent == MOST_WAITING
    assert "wait for a `jobs` process" in str(rounds.trouble)
    raw.lpop("mw-2:celery:jobs", 2)
    assert (send(1), rounds.trouble) == (MOST_WAITING - 1, None)
    raw.delete("mw-2:celery:jobs")
    assert (send(1), rounds.trouble) == (1, None)
