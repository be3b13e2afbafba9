"""Jobs among processes that are killed, stopped and started anew, at random moments: nothing is lost, nothing is twice."""

import logging
import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest

from infra.bench.footage_system import ROLES
from infra.bench.processes import memory_mib, open_files
from infra.demo.clips import write_clip
from infra.demo.script import small_clip
from infra.jobs.app import CHUNK, FINISH, PLAN, jobs_app
from infra.jobs.way import MOST_WAITING
from infra.system.workers import Role
from storage.database.models import EventRow, TrackRow
from storage.jobs import FINAL, JobState
from tests.conftest import WriteVideo
from tests.job_house import JobHouse, told

pytestmark = pytest.mark.slow

PROOF = bool(os.environ.get("MASKWATCH_PROOF"))
KILLS = 200 if PROOF else 50
REDIS_KILLS = 5 if PROOF else 1
CANCELS = 100 if PROOF else 10
TINY = 1000 if PROOF else 20
GROWTH_MIB = 24.0 if PROOF else 48.0
GROWTH_FILES = 24
"""Connections to the database, which are kept, are made as they are needed."""
LEASE_S = 2.0
LIMIT_S = 600.0
PICTURE_BLOCKS = 2
"""Of the frame store, for a picture of the clip."""


_log = logging.getLogger(__name__)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "corridor.mp4"
    write_clip(small_clip(800, 450, 8.0, 2), path)
    return path


@contextmanager
def killing(house: JobHouse, dice: random.Random, killed: list[str]) -> Iterator[None]:
    """Kill a random process at random moments."""
    over = threading.Event()

    def kill() -> None:
        while not over.wait(dice.uniform(0.5, 4.0)) and len(killed) < KILLS:
            # Whoever has not come up has nothing in hand that could get lost; killing it would only take longer.
            working = house.bus.heartbeats()
            name, pid = dice.choice([one for one in sorted(house.system.pids().items()) if one[0] != "redis"])
            if name not in working or working[name].pid != pid:
                continue
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                killed.append(name)

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def kill_redis(house: JobHouse) -> None:
    os.kill(house.system.pids()["redis"], signal.SIGKILL)
    house.until(lambda: not house.system.ready)
    house.until(lambda: house.system.ready)


def taken_up(house: JobHouse, clip: Path, chunk_s: float) -> tuple[str, str]:
    """A job that is being worked on, and the name of somebody who does."""
    holders: list[str] = []

    def seen(job_id: str) -> bool:
        holders.extend(house.holders(job_id))
        return bool(holders) or house.jobs.get(job_id).state in FINAL

    for _ in range(10):
        job_id = house.submit(clip, chunk_s=chunk_s, fresh=True)
        house.until(lambda job_id=job_id: seen(job_id), LIMIT_S)  # type: ignore[misc]
        if holders:
            return job_id, min(holders).partition("@")[0]
        assert house.jobs.get(job_id).state is JobState.DONE, "it was done before anybody looked"
    raise AssertionError("nobody was seen to work")


def told_of(house: JobHouse, job_id: str) -> list[str]:
    return [told(file.report) for file in house.jobs.report(job_id)]


def test_whatever_is_killed_the_report_is_the_same_byte_for_byte(clip: Path, tmp_path: Path) -> None:
    dice, killed, redis_kills = random.Random(7), list[str](), 0  # noqa: S311
    with JobHouse(tmp_path, job_lease_s=LEASE_S) as house:
        calm = house.finished(house.submit(clip, chunk_s=1.0), LIMIT_S)
        assert (calm.state, calm.error) == (JobState.DONE, None)
        expected, facts, pictures = told_of(house, calm.id), house.facts(), house.pictures()
        assert house.count(EventRow), "it has to show something"
        while len(killed) < KILLS:
            job_id = house.submit(clip, chunk_s=1.0, fresh=True)
            if redis_kills < REDIS_KILLS:
                house.until(lambda job_id=job_id: house.jobs.get(job_id).progress > dice.uniform(0.0, 0.6))  # type: ignore[misc]
                kill_redis(house)
                redis_kills += 1
            with killing(house, dice, killed):
                job = house.finished(job_id, LIMIT_S)
            assert (job.state, job.error) == (JobState.DONE, None), killed
            assert told_of(house, job_id) == expected, killed
            assert (house.facts(), house.pictures()) == (facts, pictures), "no row without a file, and no file without"
        house.until(house.quiet)
    assert {name.partition("-")[0] for name in killed} == {"detect", "classify", "jobs", "beat"} or not PROOF


def test_a_job_that_is_cancelled_at_any_moment_leaves_nothing(clip: Path, tmp_path: Path) -> None:
    dice = random.Random(8)  # noqa: S311
    with JobHouse(tmp_path, job_lease_s=LEASE_S) as house:
        for _ in range(CANCELS):
            # Of what is known nothing would be looked at again.
            job_id = house.submit(*[clip] * 8, chunk_s=1.0, fresh=True)
            moment_s = time.monotonic() + dice.uniform(0.0, 3.0)
            house.until(lambda until_s=moment_s: time.monotonic() > until_s)  # type: ignore[misc]
            assert house.jobs.cancel(job_id).state in {JobState.CANCELLING, JobState.CANCELLED}
            assert house.finished(job_id, LIMIT_S).state is JobState.CANCELLED
            assert house.chunks(job_id) == 0
            assert (house.count(TrackRow), house.pictures()) == (0, set())
        house.until(house.quiet)


def test_a_process_that_slept_through_its_lease_changes_nothing(clip: Path, tmp_path: Path) -> None:
    with JobHouse(tmp_path, job_lease_s=LEASE_S) as house:
        calm = house.finished(house.submit(clip, chunk_s=1.0), LIMIT_S)
        expected = told_of(house, calm.id)
        job_id, name = taken_up(house, clip, 1.0)
        pid = house.system.pids()[name]
        os.kill(pid, signal.SIGSTOP)
        try:
            assert house.finished(job_id, LIMIT_S).state is JobState.DONE
        finally:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        assert told_of(house, job_id) == expected
        house.until(house.quiet)


def test_who_is_asked_to_stop_gives_back_what_it_holds(clip: Path, tmp_path: Path) -> None:
    with JobHouse(tmp_path, jobs_workers=1) as house:
        job_id, name = taken_up(house, clip, 4.0)
        os.kill(house.system.pids()[name], signal.SIGTERM)
        assert house.finished(job_id, LIMIT_S).state is JobState.DONE
        assert house.deaths(job_id) == 0


def test_a_job_says_what_it_waits_for_and_goes_on_by_itself(clip: Path, tmp_path: Path) -> None:
    with JobHouse(tmp_path, [role for role in ROLES if role is not Role.CLASSIFY]) as house:
        job_id = house.submit(clip)
        house.until(lambda: house.jobs.get(job_id).state is JobState.WAITING)
        assert house.jobs.get(job_id).error == "no classify worker is at work: start one; it goes on by itself"
    with JobHouse(tmp_path / "again", [role for role in ROLES if role is not Role.DETECT]) as house:
        job_id = house.submit(clip, chunk_s=1.0)
        house.until(lambda: house.jobs.get(job_id).state is JobState.WAITING)
        assert "`detect`" in (house.jobs.get(job_id).error or "")
        assert house.frames_held <= 2 * (MOST_WAITING + 1) * PICTURE_BLOCKS, "there is room left for live cameras"
        assert house.jobs.cancel(job_id).state is JobState.CANCELLING
        assert house.finished(job_id, LIMIT_S).state is JobState.CANCELLED


def test_what_is_sent_several_times_is_done_once(clip: Path, tmp_path: Path) -> None:
    with JobHouse(tmp_path) as house:
        app = jobs_app(house.settings, house.places)
        job_id = house.submit(clip, chunk_s=1.0)
        for _ in range(3):
            app.send_task(PLAN, args=(job_id,))
        house.until(lambda: house.chunks(job_id))
        for number in range(house.chunks(job_id)):
            for _ in range(3):
                app.send_task(CHUNK, args=(job_id, 0, number))
                app.send_task(FINISH, args=(job_id,))
        job = house.finished(job_id, LIMIT_S)
        assert (job.state, job.error) == (JobState.DONE, None)
        assert set(house.tokens(job_id)) == {1}
        house.until(lambda: house.messages() == 0)
        app.close()


def test_many_tiny_jobs_are_all_done_and_nothing_grows(tmp_path: Path, write_video: WriteVideo) -> None:
    dice = np.random.default_rng(1)
    noise = [dice.integers(0, 255, (96, 128, 3), np.uint8) for _ in range(25)]
    tiny = write_video(noise, fps=5, codec="mjpeg", name="tiny.avi", pix_fmt="yuvj420p")
    with JobHouse(tmp_path) as house:
        ids = [house.submit(tiny, fresh=True) for _ in range(TINY)]
        for job_id in ids[: TINY // 4]:
            assert house.finished(job_id, LIMIT_S).state is JobState.DONE
        warm_mib, warm_files = taken(house)
        for job_id in ids[TINY // 4 :]:
            assert house.finished(job_id, LIMIT_S).state is JobState.DONE
        house.until(lambda: house.messages() == 0)
        house.until(house.quiet)
        mib, files = taken(house)
        _log.info("%d jobs: from %.1f to %.1f MiB, from %d to %d open files", TINY, warm_mib, mib, warm_files, files)
        assert mib - warm_mib <= GROWTH_MIB
        assert files - warm_files <= GROWTH_FILES


def taken(house: JobHouse) -> tuple[float, int]:
    """Memory in MiB and open files of all processes together."""
    pids = house.system.pids()
    return sum(memory_mib(pids, house.places.frames).values()), sum(open_files(pids).values())
