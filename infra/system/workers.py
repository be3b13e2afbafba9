"""Which processes make up a system, as data: a name, a role and a command each, and the environment they share."""

import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from infra.places import Places
from infra.settings import PREFIX, Settings

RUN: Final = f"{PREFIX}RUN"
"""Names one run of a system, from start to stop. Every process of it carries this in its environment."""

LISTENING: Final = f"{PREFIX}LISTENING_FD"
"""The file descriptor of the socket the API is to serve: it outlives the process, so that callers wait, not fail."""

SPARING: Final = {"MALLOC_ARENA_MAX": "2", "OPENBLAS_NUM_THREADS": "1"}
"""For memory that does not grow with the cores, unless the person says otherwise. The C library gives threads heaps of
their own, up to eight a core, each of which keeps what was freed in it: on 16 cores two do with 50 MiB less in `detect`,
where threads are busy in the networks. OpenBLAS starts a thread for each core in each process; nothing here multiplies
matrices large enough for a second."""


class Role(StrEnum):
    """What a worker does, in the order of the data."""

    INGEST = "ingest"
    DETECT = "detect"
    CLASSIFY = "classify"
    AGGREGATE = "aggregate"
    JOBS = "jobs"
    BEAT = "beat"
    API = "api"


@dataclass(frozen=True, slots=True)
class WorkerCommand:
    """A worker to keep running.

    Attributes:
        name: unique in the system: its heartbeats and its log go by it.
        role: decides when it is started and stopped.
        command: program and arguments.
    """

    name: str
    role: Role
    command: tuple[str, ...]


def worker_names(settings: Settings, roles: Iterable[Role] = Role) -> list[tuple[str, Role]]:
    """The workers of these roles: an aggregator for each partition, ingest and jobs processes as set, one of every other."""
    count = {Role.AGGREGATE: settings.partitions, Role.INGEST: settings.ingests, Role.JOBS: settings.jobs_workers}
    return [(f"{role}-{number}", role) for role in roles for number in range(count.get(role, 1))]


def worker_commands(settings: Settings, roles: Iterable[Role] = Role) -> tuple[WorkerCommand, ...]:
    """How to start them."""
    return tuple(WorkerCommand(name, role, worker_command(role, name)) for name, role in worker_names(settings, roles))


def worker_command(role: Role, name: str) -> tuple[str, ...]:
    """How to start one."""
    # -P: a folder that happens to be called `storage` where the person stands is not imported.
    return (sys.executable, "-P", "-m", "infra.roles", role, name)


def worker_environment(settings: Settings, places: Places, redis_url: str, run: str) -> dict[str, str]:
    """The environment of every worker: all settings spelled out, so that each goes by the same, wherever it stands."""
    values: Mapping[str, object] = {
        **settings.model_dump(),
        "data_dir": places.data,
        "shm_dir": places.shared.parent,
        "media_dir": places.media,
        "redis_url": redis_url,
    }
    names = {f"{PREFIX}{name}".upper() for name in values} | {RUN, LISTENING}
    environment = {name: value for name, value in os.environ.items() if name.upper() not in names}
    for name, value in values.items():
        if value is not None:
            environment[f"{PREFIX}{name}".upper()] = _spelled(value)
    # A crash inside a native library leaves its stack in the log.
    return SPARING | environment | {RUN: run, "PYTHONFAULTHANDLER": "1"}


def _spelled(value: object) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return str(value.absolute()) if isinstance(value, Path) else str(value)
