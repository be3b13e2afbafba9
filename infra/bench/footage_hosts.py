"""One job on one host, then on several: each with a processor core of its own, on one Redis and one database.

A host is a group of `detect`, `classify` and `jobs` that is bound to one core and shares no memory with the others. Redis,
`beat` and who measures run wherever there is room, as on a machine of their own; together they take 1 % of the time.
"""

import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Final

import msgspec

from infra.bench.camera_clips import Loop
from infra.bench.footage_clips import LongFootage, long_footage
from infra.bench.footage_system import BEGAN_NS, CAMERA
from infra.bench.machine import usable_cores
from infra.bench.plan import FootageWanted
from infra.bench.processes import cpu_s
from infra.bench.report import Measurement, figure, speed
from infra.console import say
from infra.demo.live import closing_engine
from infra.embedded import redis_command, redis_url, wait_for_socket
from infra.footage import Progress
from infra.joining import own_name
from infra.places import Places
from infra.scoring import score
from infra.settings import Settings
from infra.system.child import Child
from infra.system.workers import RUN, Role, worker_command, worker_environment
from storage.bus import Bus
from storage.database.engine import migrate
from storage.database.jobs import Jobs
from storage.database.records import NewCamera
from storage.database.sites import Sites
from storage.errors import InputError, SetupError
from storage.files import make_folder
from storage.identity import SYSTEM
from storage.jobs import CHUNK_S, FINAL, JobState, NewFile, NewJob
from storage.report import Report

HOSTS: Final = 2
WORKING: Final = (Role.DETECT, Role.CLASSIFY, Role.JOBS)
FRAMES_MIB: Final = 48
"""Pictures that hosts hand each other through the embedded Redis, which holds 128 MiB."""

UP_LIMIT_S: Final = 60.0
JOB_LIMIT: Final = 20.0
"""Times the footage's own length, and that of a minute."""

TURN_S: Final = 0.05


class Ran(msgspec.Struct, frozen=True):
    """What a job was like.

    Attributes:
        report: on its file.
        wall_s: from submitting it until it was done.
        looked_s: from when it was planned until all its chunks were looked at.
        cpu: seconds of processor time, by host.
    """

    report: Report
    wall_s: float
    looked_s: float
    cpu: tuple[float, ...]


def run_hosts(
    wanted: FootageWanted,
    loops: Sequence[Loop],
    settings: Settings,
    folder: Path,
    progress: Progress,
    chunk_s: float = CHUNK_S,
) -> list[Measurement]:
    """Measure.

    Args:
        wanted: checked.
        loops: what is shown.
        settings: of the hosts, save folders, database and Redis, which are their own.
        folder: for the footage, which is kept, and for the rest, which is not.
        progress: told how far the job is, in seconds of footage.
        chunk_s: how much of it is looked at in one go, at least.

    Raises:
        InputError: the job failed, or took too long.
        SetupError: there are fewer cores than hosts, a model file is missing, or something did not come up in time.
        StorageError: a file can't be written.
    """
    if usable_cores() < HOSTS:
        raise SetupError(f"bench hosts binds {HOSTS} hosts to a core each: this process may use one core alone")
    footage = long_footage(
        folder / f"footage-{wanted.minutes:g}min-activity{100 * wanted.activity:g}.mp4", loops, 60 * wanted.minutes
    )
    # Sockets need short paths.
    with tempfile.TemporaryDirectory(prefix="mw-") as data, _opened(settings, Path(data)) as hosts:
        ran = []
        for core in sorted(os.sched_getaffinity(0))[:HOSTS]:
            hosts.add(core)
            ran.append(hosts.run(footage, chunk_s, progress))
            say(f"{footage.truth.duration_s:.0f} s of footage on {len(ran)} of {HOSTS} hosts: {ran[-1].wall_s:.1f} s")
    return figures(footage, ran)


def figures(footage: LongFootage, ran: Sequence[Ran]) -> list[Measurement]:
    """The figures of the same job on one host, on two, and so on."""
    one, all_hosts = ran[0], ran[-1]
    truth = score(one.report.tracks, one.report.events, footage.truth).score
    same = all(msgspec.structs.replace(each.report, timing=one.report.timing) == one.report for each in ran)
    return [
        speed("times_faster", one.wall_s / all_hosts.wall_s, "", len(ran)),
        speed("looked_times_faster", one.looked_s / all_hosts.looked_s, "", len(ran)),
        figure("identical", float(same), ""),
        figure("passages", truth.tracks, ""),
        figure("right", truth.right, ""),
        figure("footage_s", footage.truth.duration_s, "s"),
        *(figure(f"hosts{count}_wall_s", each.wall_s, "s") for count, each in enumerate(ran, 1)),
        *(figure(f"hosts{count}_looked_s", each.looked_s, "s") for count, each in enumerate(ran, 1)),
        *(figure(f"host{number}_cpu_s", spent_s, "s") for number, spent_s in enumerate(all_hosts.cpu, 1)),
    ]


class _Hosts:
    """What they have in common, and those there are so far; for the main thread alone."""

    def __init__(self, settings: Settings, folder: Path, jobs: Jobs, bus: Bus, stack: ExitStack) -> None:
        self._settings, self._folder, self._jobs, self._bus, self._stack = settings, folder, jobs, bus, stack
        self._hosts: list[list[Child]] = []
        self._all: list[Child] = []

    def add(self, core: int) -> None:
        """Start one more host, and wait until it is at work.

        Raises:
            SetupError: it ended, or did not come up in time.
        """
        memory = self._folder / f"memory-{len(self._hosts)}"
        make_folder(memory)
        own = self._settings.model_copy(update={"shm_dir": memory})
        roles = WORKING if self._hosts else (*WORKING, Role.BEAT)
        names = [own_name(role, 0) for role in roles]
        self._hosts.append([])
        for role, name in zip(roles, names, strict=True):
            child = _started(own, role, name, self._folder)
            self._all.append(child)
            if role in WORKING:
                # What it starts from now on is bound, too, and it has started nothing yet.
                os.sched_setaffinity(child.pid, {core})
                self._hosts[-1].append(child)
            self._stack.callback(child.kill)
        end_s = time.monotonic() + UP_LIMIT_S
        while not set(names) <= self._bus.heartbeats().keys():
            self._check()
            if time.monotonic() > end_s:
                raise SetupError(f"host {len(self._hosts)} did not come up within {UP_LIMIT_S:g} s")
            time.sleep(TURN_S)

    def run(self, footage: LongFootage, chunk_s: float, progress: Progress) -> Ran:
        """Have footage processed, and nothing of it reused.

        Raises:
            InputError: the job failed, or took too long.
            SetupError: a process ended.
        """
        before, started_s = self._cpu_s(), time.monotonic()
        files = (NewFile(footage.path.name, str(footage.path.resolve())),)
        job_id = self._jobs.create(NewJob(CAMERA, files, start_ns=BEGAN_NS, fresh=True, chunk_s=chunk_s)).id
        planned_s = looked_s = passed_s = 0.0
        while (job := self._jobs.get(job_id)).state not in FINAL:
            self._check()
            passed_s = time.monotonic() - started_s
            if passed_s > JOB_LIMIT * max(60.0, footage.truth.duration_s):
                raise InputError(f"the job took longer than {passed_s:.0f} s")
            if job.footage_s is not None:
                planned_s = planned_s or passed_s
                progress(job.done_s, job.footage_s)
                if job.done_s >= job.footage_s:
                    looked_s = looked_s or passed_s
            time.sleep(TURN_S)
        wall_s = time.monotonic() - started_s
        if job.state is not JobState.DONE:
            raise InputError(f"the job failed: {job.error}")
        [file] = self._jobs.report(job_id)
        spent = tuple(after - then for after, then in zip(self._cpu_s(), before, strict=True))
        return Ran(msgspec.json.decode(file.report, type=Report), wall_s, (looked_s or wall_s) - planned_s, spent)

    def _cpu_s(self) -> list[float]:
        return [sum(cpu_s({str(child.pid): child.pid for child in host}).values()) for host in self._hosts]

    def _check(self) -> None:
        if any(child.poll() is not None for child in self._all):
            raise SetupError("a process of the benchmark's hosts ended before its time")


@contextmanager
def _opened(settings: Settings, folder: Path) -> Iterator[_Hosts]:
    """A Redis, and a database that has a camera."""
    own = {"data_dir": folder / "data", "frames_mib": FRAMES_MIB, "database_url": None, "redis_url": None}
    settings = settings.model_copy(update=own | {"media_dir": None})
    make_folder(settings.data_dir)
    with ExitStack() as stack:
        engine = stack.enter_context(closing_engine(settings))
        migrate(engine)
        sites = Sites(engine)
        building = sites.add_building("Hall", "UTC")
        sites.add_camera(NewCamera("Hall", building.id, "rtsp://10.0.0.5/1", id=CAMERA))
        socket = folder / "redis.sock"
        redis = Child(redis_command(socket), dict(os.environ), folder / "redis.log")
        stack.callback(redis.kill)
        wait_for_socket(socket, redis)
        bus = stack.enter_context(closing(Bus(redis_url(socket), prefix=settings.redis_prefix)))
        settings = settings.model_copy(update={"redis_url": redis_url(socket)})
        yield _Hosts(settings, folder, Jobs(engine).for_(SYSTEM), bus, stack)


def _started(settings: Settings, role: Role, name: str, folder: Path) -> Child:
    """A worker as `maskwatch serve` is one: no supervisor has prepared anything for it."""
    environment = worker_environment(settings, Places.of(settings), settings.redis_url or "", "")
    del environment[RUN]
    return Child(worker_command(role, name), environment, folder / f"{name}.log")
