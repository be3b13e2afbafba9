"""A job on several hosts: two groups of workers without common memory or data folder, on one Redis and one PostgreSQL."""

import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select

from infra.analysis import Analyzer
from infra.bench.camera_clips import Loop
from infra.bench.clips import later
from infra.bench.footage_clips import long_footage
from infra.demo.clips import write_clip
from infra.demo.script import small_clip
from infra.embedded import redis_binary
from infra.footage import analyze_footage
from infra.settings import load_settings
from infra.system.workers import Role
from storage.bus import Bus
from storage.database.engine import open_engine, reading
from storage.database.jobs import Jobs
from storage.database.models import JobChunkRow
from storage.database.records import NewCamera
from storage.database.sites import Sites
from storage.identity import SYSTEM
from storage.jobs import FINAL, ChunkState, Job, JobState, NewFile, NewJob
from storage.messages import NS_PER_S
from storage.report import Report, to_json
from storage.snapshots import SnapshotFolder
from tests.job_house import told
from tests.postgres import Postgres, postgres_fixture  # noqa: F401
from tests.test_scale_out import Host, at_work, short_folder, until

pytestmark = pytest.mark.slow

PROOF = bool(os.environ.get("MASKWATCH_PROOF"))
CHUNKS_S = (20.0, 60.0, 600.0) if PROOF else (2.0, 60.0)
SECONDS = 20 * 60.0 if PROOF else 16.0
JOB_LIMIT_S = 3600.0 if PROOF else 180.0
UP_LIMIT_S = 90.0
BEGAN_NS = 1_767_225_600 * NS_PER_S
CAMERA = "door"
WORKING = (Role.DETECT, Role.CLASSIFY, Role.JOBS)


@pytest.fixture
def redis_tcp() -> Iterator[str]:
    """Address of a Redis that hosts reach by TCP."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="mw-") as folder:
        command = [str(redis_binary()), "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--dir", folder]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as server:
            try:
                until(lambda: listens(port))
                yield f"redis://127.0.0.1:{port}/0"
            finally:
                server.kill()


def listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


@dataclass(frozen=True)
class Hosts:
    """Two hosts at work.

    Attributes:
        engine: of their database.
        bus: theirs.
        jobs: process ids of those who work on jobs, one of each host.
        processes: all of them.
    """

    engine: Engine
    bus: Bus
    jobs: tuple[int, ...]
    processes: Sequence["subprocess.Popen[bytes]"]

    def done(self, footage: Path, chunk_s: float) -> tuple[Job, str, set[int]]:
        """A job once it is done, what its report says, and who was seen at work on its chunks."""
        jobs, owners, in_redis = Jobs(self.engine).for_(SYSTEM), set[str](), False
        pictures, end_s = self.bus.remote_frames(64), time.monotonic() + JOB_LIMIT_S
        files = (NewFile(footage.name, str(footage)),)
        job_id = jobs.create(NewJob(CAMERA, files, start_ns=BEGAN_NS, chunk_s=chunk_s, fresh=True)).id
        while jobs.get(job_id).state not in FINAL:
            assert all(process.poll() is None for process in self.processes)
            assert time.monotonic() < end_s, ("it took too long", jobs.get(job_id))
            owners.update(row.owner for row in self._chunks(job_id) if row.state == ChunkState.RUNNING and row.owner)
            in_redis = in_redis or pictures.held > 0
            # Who looks takes time from those who work.
            time.sleep(0.05)
        job = jobs.get(job_id)
        assert (job.state, job.error) == (JobState.DONE, None)
        assert in_redis, "nobody sees the other host's memory"
        [file] = jobs.report(job_id)
        return job, told(file.report), {int(owner.rpartition("/")[2]) for owner in owners}

    def _chunks(self, job_id: str) -> Sequence[Any]:
        query = select(JobChunkRow.state, JobChunkRow.owner).where(JobChunkRow.job_id == job_id)
        with reading(self.engine) as connection:
            return connection.execute(query).all()


@contextmanager
def at_work_on(redis: str, database: str, folder: Path) -> Iterator[Hosts]:
    with ExitStack() as stack:
        engine = open_engine(database)
        stack.callback(engine.dispose)
        sites = Sites(engine)
        building = sites.add_building("North", "UTC")
        sites.add_camera(NewCamera("Door", building.id, "rtsp://10.0.0.5/1", id=CAMERA))
        bus = stack.enter_context(closing(Bus(redis)))
        hosts = [Host(redis, folder / name, MASKWATCH_DATABASE_URL=database) for name in ("one", "two")]
        served = [(host, role) for host in hosts for role in WORKING] + [(hosts[0], Role.BEAT)]
        processes = [(role, stack.enter_context(host.serve(role))) for host, role in served]
        for _, process in processes:
            until(at_work(bus, process), UP_LIMIT_S)
        jobs = tuple(process.pid for role, process in processes if role is Role.JOBS)
        yield Hosts(engine, bus, jobs, [process for _, process in processes])


@pytest.fixture(scope="module")
def footage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("footage")
    clip = small_clip(800, 450, 8.0, 2)
    if PROOF:
        # As on most days, there is nobody most of the time.
        clip = replace(clip, duration_s=26.0, walkers=tuple(later(walker, 9.0) for walker in clip.walkers))
    truth = write_clip(clip, folder / "once.mp4")
    loops = (Loop(folder / "once.mp4", truth, (0.0, truth.duration_s)),)
    return long_footage(folder / "corridor.mp4", loops, SECONDS).path


def test_two_hosts_give_the_report_of_one_process_however_the_footage_is_cut(
    footage: Path, redis_tcp: str, postgres: Postgres, tmp_path: Path
) -> None:
    with Analyzer(load_settings()) as analyzer:
        alone: Report = analyze_footage(footage, analyzer, SnapshotFolder(tmp_path / "alone")).report
    assert alone.events, "it has to show something"
    with short_folder() as folder, at_work_on(redis_tcp, postgres.new("migrated"), folder) as hosts:
        for chunk_s in CHUNKS_S:
            job, said, owners = hosts.done(footage, chunk_s)
            assert (job.tracks, job.events) == (len(alone.tracks), len(alone.events))
            assert said == told(to_json(alone)), chunk_s
            if job.footage_s is not None and chunk_s * 3 < job.footage_s:
                assert owners == set(hosts.jobs), "both hosts work on it"
