"""The running system with the demo's two cameras: how soon it looks, what it takes, how soon a killed worker is back."""

import os
import signal
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Final

from sqlalchemy import select

from infra.bench.camera_system import last_samples
from infra.bench.processes import cpu_s, memory_mib
from infra.bench.report import Measurement, figure
from infra.demo.live import closing_engine, demo_settings, found, set_up
from infra.demo.prepared import prepared_clips
from infra.footage import Progress
from infra.scoring import added
from infra.settings import Settings
from infra.supervisor import SUPERVISOR, TURN_S, System
from infra.system.workers import Role
from storage.bus import Bus
from storage.database.engine import reading
from storage.database.models import CameraStateRow
from storage.errors import SetupError

SECONDS: Final = 50.0
"""The clips take 40; people are waited for another 7."""

SETTLED_S: Final = 20.0
"""Memory is measured with people in view, once everything has warmed up."""

LIMIT_S: Final = 60.0
KILLED: Final = (Role.INGEST, Role.DETECT, Role.CLASSIFY, Role.AGGREGATE, Role.API)


def run_system(settings: Settings, folder: Path, progress: Progress) -> list[Measurement]:
    """Play the demo's clips as live cameras, then kill each worker once.

    Args:
        settings: of the system, save its folders.
        folder: for the clips, and the system's own data.
        progress: told how far it is.

    Raises:
        SetupError: something did not come up in time.
    """
    truths = prepared_clips(folder)
    own = demo_settings(settings, folder)
    set_up(own, truths)
    started_s = time.monotonic()
    with System(own, port=0, say=lambda _: None) as system:
        _wait(system, lambda: _looked(own) == len(truths))
        first_s = time.monotonic() - started_s
        spent_s, measured = _cpu_s(system), time.monotonic()
        memory: dict[str, float] = {}
        while (played_s := time.monotonic() - started_s - first_s) < SECONDS:
            system.check()
            progress(played_s, SECONDS + LIMIT_S / 4)
            if not memory and played_s > SETTLED_S:
                memory = memory_mib(_pids(system), system.places.frames)
            time.sleep(TURN_S)
        cores = (_cpu_s(system) - spent_s) / (time.monotonic() - measured)
        truth = added([one.matching.score for one in found(own, truths)])
        lost = _lost(own)
        with closing(Bus(system.redis_url, prefix=own.redis_prefix)) as bus:
            back = [_back(system, bus, role, progress) for role in KILLED]
    return [
        figure("first_sample_s", first_s, "s"),
        figure("memory_mib", sum(memory.values()), "MiB"),
        *(figure(f"memory_{part}_mib", mib, "MiB") for part, mib in memory.items()),
        figure("cpu_cores", cores, "cores"),
        figure("passages", truth.tracks, ""),
        figure("right", truth.right, ""),
        figure("missed_tracks", truth.missed, ""),
        figure("invented_events", truth.invented_events, ""),
        figure("counted_twice", truth.counted_twice, ""),
        figure("dropped_samples", lost, ""),
        *back,
    ]


def _back(system: System, bus: Bus, role: Role, progress: Progress) -> Measurement:
    """How long after its death a worker's successor beats for the first time."""
    name = f"{role}-0"
    _wait(system, lambda: _pid(bus, name) in {system.pids().get(name)} - {None})
    killed = system.pids()[name]
    os.kill(killed, signal.SIGKILL)
    started_s = time.monotonic()
    _wait(system, lambda: _pid(bus, name) not in {None, killed})
    progress(SECONDS + 3.0 * KILLED.index(role), SECONDS + LIMIT_S / 4)
    return figure(f"{role}_back_s", time.monotonic() - started_s, "s")


def _pid(bus: Bus, name: str) -> int | None:
    """Of the process that last beat under a name."""
    heard = bus.heartbeats().get(name)
    return None if heard is None else heard.pid


def _wait(system: System, condition: Callable[[], bool]) -> None:
    until_s = time.monotonic() + LIMIT_S
    while not condition():
        system.check()
        if time.monotonic() > until_s:
            raise SetupError(f"the system did not come up within {LIMIT_S:g} s: see {system.places.logs}")
        time.sleep(TURN_S / 5)


def _looked(settings: Settings) -> int:
    """Number of cameras of which a sample went all the way."""
    with closing_engine(settings) as engine:
        return len(last_samples(engine))


def _lost(settings: Settings) -> int:
    with closing_engine(settings) as engine, reading(engine) as connection:
        return sum(connection.execute(select(CameraStateRow.lost)).scalars())


def _pids(system: System) -> dict[str, int]:
    return {SUPERVISOR: os.getpid(), **system.pids()}


def _cpu_s(system: System) -> float:
    """Processor time of all processes so far; one that was replaced is missing."""
    return sum(cpu_s(_pids(system)).values())
