"""Starts, asks and stops the services of `docker-compose.yml` as a container engine would, as processes of this machine.

What differs from containers: names of hosts and folders lead to this machine's, ports to free ones, and networks and limits are
not made. Root's processes do see a read-only file system, have no capabilities and, where it can use this environment, the
images' user. Redis and PostgreSQL are real, but not their images'.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from infra.bench.api_postgres import PACKAGE
from infra.embedded import redis_binary

BIN: Final = Path(sys.executable).parent
GRACE_S: Final = 10.0
"""What `stop_grace_period` says; who has not ended by then is killed."""

USER: Final = 10_001
"""Of our images."""

ASK_S: Final = 0.5
"""Between two questions after somebody's health."""


class Machine:
    """Where the services run: what stands for their hosts, folders and ports, and whose processes they are."""

    def __init__(self, folder: Path, words: Mapping[str, str]) -> None:
        """Take the place.

        Args:
            folder: for files; others must be able to enter the folders above it.
            words: what stands here for what the file says: hosts with ports, folders and ports.
        """
        self.words = words
        self.home = folder / "tmp"
        self.logs = folder / "logs"
        for made in (self.home, self.logs):
            made.mkdir()
        self.contained = _contained()
        if f"--reuid={USER}" in self.contained:
            for made in (folder, *folder.rglob("*")):
                os.chown(made, USER, USER)

    def here(self, text: str) -> str:
        """The same for this machine."""
        for word, instead in self.words.items():
            if text == word or (len(word) > 5 and word in text):
                text = text.replace(word, instead)
        return text

    def environment(self, service: Mapping[str, Any], path: Sequence[Path] = ()) -> dict[str, str]:
        """All that a process of a service is given: what the file says, and what the image has."""
        image = {
            "PATH": os.pathsep.join(str(part) for part in (*path, BIN, "/usr/bin", "/bin")),
            "HOME": str(self.home),
            "TMPDIR": str(self.home),
            "PYTHONDONTWRITEBYTECODE": "1",
            "MALLOC_ARENA_MAX": "2",
            "OPENBLAS_NUM_THREADS": "1",
        }
        said = {name: self.here(str(value)) for name, value in service.get("environment", {}).items()}
        return image | said

    def run(
        self, service: Mapping[str, Any], command: Sequence[str], path: Sequence[Path] = (), limit_s: float = 60.0
    ) -> tuple[int, str]:
        """Run a command beside a service, as `docker compose exec` and health checks do; gives its status and output.

        Raises:
            subprocess.TimeoutExpired: it took longer than its limit, and was killed.
        """
        done = subprocess.run(
            [*self.contained, *map(self.here, command)],
            env=self.environment(service, path),
            cwd=self.home,
            capture_output=True,
            text=True,
            timeout=limit_s,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr


class Engine:
    """The services, from the first to the last of their processes."""

    def __init__(self, machine: Machine, services: Mapping[str, Any], tools: Mapping[str, Path]) -> None:
        """Start nothing yet.

        Args:
            machine: where they run.
            services: of the file, with variables resolved.
            tools: folders with the programs of those services that are not ours.
        """
        self.machine, self.services, self.tools = machine, services, tools
        self.processes: dict[str, list[subprocess.Popen[bytes]]] = {}
        self.healthy_s: dict[str, float] = {}
        """When each was first healthy, or had ended well, in seconds from the start."""
        self._started_s = 0.0

    def up(self, limit_s: float, without: Sequence[str] = ()) -> None:
        """Start all, each when those that it waits for are healthy, and wait until all are.

        Args:
            limit_s: for all of it.
            without: which run already.

        Raises:
            AssertionError: one ended, or was not healthy in time; with its log.
        """
        self._started_s = time.monotonic()
        until_s = self._started_s + limit_s
        done: dict[str, Future[None]] = {}
        with ThreadPoolExecutor(len(self.services)) as pool:
            for name in self.in_order():
                waits = [done[other] for other in self.services[name].get("depends_on", {})]
                done[name] = pool.submit(self._bring_up, name, waits, until_s, start=name not in without)
            for future in as_completed(done.values()):
                future.result()

    def in_order(self) -> list[str]:
        """All services, whoever is waited for first."""
        order: list[str] = []

        def add(name: str) -> None:
            for other in self.services[name].get("depends_on", {}):
                add(other)
            if name not in order:
                order.append(name)

        for name in self.services:
            add(name)
        return order

    def ask(self, name: str) -> tuple[int, str]:
        """Run a service's health check as it is written; one that takes longer than its `timeout` has failed."""
        service = self.services[name]
        kind, *command = service["healthcheck"]["test"]
        assert kind == "CMD"
        limit_s = seconds(service["healthcheck"]["timeout"])
        try:
            return self.machine.run(service, command, self._path(name), limit_s)
        except subprocess.TimeoutExpired:
            return 1, f"no answer within {limit_s:g} s"

    def memory_mib(self) -> dict[str, float]:
        """What each service's processes hold, whoever shares it with them: more than an engine would count."""
        found: dict[str, float] = {}
        for name, processes in self.processes.items():
            sessions = [_session_kib(process.pid) for process in processes if process.poll() is None]
            if sessions:
                found[name] = max(sessions) / 1024
        return found

    def stop(self, grace_s: float = GRACE_S) -> dict[str, float]:
        """Stop all, whoever was started last first, and give how many seconds each took; a killed one infinitely many."""
        took: dict[str, float] = {}
        left = [name for name in self.in_order() if name in self.processes]
        while left:
            needed = {other for name in left for other in self.services[name].get("depends_on", {})}
            last = [name for name in left if name not in needed]
            took |= self._end(last, grace_s)
            left = [name for name in left if name in needed]
        return took

    def kill(self) -> None:
        """End whatever is left, and what it started."""
        for process in (process for processes in self.processes.values() for process in processes):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def log(self, name: str) -> str:
        """The end of what a service said."""
        path = self.machine.logs / name
        return path.read_text(encoding="utf-8", errors="replace")[-3000:] if path.exists() else ""

    def _bring_up(self, name: str, waits: Sequence["Future[None]"], until_s: float, *, start: bool) -> None:
        for one in waits:
            one.result()
        service = self.services[name]
        if start:
            replicas = int(service["deploy"].get("replicas", 1))
            self.processes[name] = [self._start(name) for _ in range(replicas)]
        once = service["healthcheck"].get("disable", False)
        while True:
            ends = [process.poll() for process in self.processes.get(name, ())]
            if once and ends == [0]:
                break
            assert not any(end is not None for end in ends), f"{name} ended with {ends}: {self.log(name)}"
            status, said = (1, "it has not ended") if once else self.ask(name)
            if status == 0:
                break
            assert time.monotonic() < until_s, f"{name} is not healthy: {said}\n{self.log(name)}"
            time.sleep(ASK_S)
        self.healthy_s[name] = time.monotonic() - self._started_s

    def _start(self, name: str) -> "subprocess.Popen[bytes]":
        service, machine = self.services[name], self.machine
        with (machine.logs / name).open("ab") as log:
            return subprocess.Popen(
                [*machine.contained, *map(machine.here, service["command"])],
                env=machine.environment(service, self._path(name)),
                cwd=machine.home,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _end(self, names: Sequence[str], grace_s: float) -> dict[str, float]:
        began_s = time.monotonic()
        asked = [(name, process) for name in names for process in self.processes[name] if process.poll() is None]
        for _, process in asked:
            process.send_signal(signal.SIGTERM)
        took = dict.fromkeys((name for name, _ in asked), 0.0)
        while asked:
            passed_s = time.monotonic() - began_s
            for name, process in list(asked):
                if process.poll() is not None or passed_s > grace_s:
                    took[name] = max(took[name], passed_s if process.poll() is not None else float("inf"))
                    process.kill()
                    asked.remove((name, process))
            time.sleep(0.02)
        return took

    def _path(self, name: str) -> Sequence[Path]:
        return [self.tools[name]] if name in self.tools else []


def redis_tools(folder: Path, port: int) -> Path:
    """A folder with `redis-server` and `redis-cli` on this port: those of the machine where they are new enough."""
    own = shutil.which("redis-server"), shutil.which("redis-cli")
    if None in own or _major(str(own[0])) < 7:
        own = str(redis_binary()), str(redis_binary().with_name("redis-cli"))
    # -e, which makes errors count, came with version 7.
    drop = '[ "$1" = -e ] && shift; ' if _major(str(own[0])) < 7 else ""
    folder.mkdir()
    _script(folder / "redis-server", f'exec {own[0]} "$@" --port {port}')
    _script(folder / "redis-cli", f'{drop}exec {own[1]} -p {port} "$@"')
    return folder


def postgres_tools(folder: Path, port: int) -> Path:
    """A folder with the `pg_isready` of the development set, on this port."""
    spec = find_spec(PACKAGE)
    assert spec is not None
    assert spec.origin is not None
    program = max(Path(spec.origin).parent.glob("pginstall*")) / "bin" / "pg_isready"
    folder.mkdir()
    _script(folder / "pg_isready", f'exec {program} --port={port} "$@"')
    return folder


def seconds(duration: str) -> float:
    """A duration such as `500ms`, `10s` or `1m30s`."""
    unit_s = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
    return sum(float(number) * unit_s[unit] for number, unit in re.findall(r"([\d.]+)(ms|s|m|h)", duration))


def answer_of(text: str) -> dict[str, Any]:
    """The line of JSON in what a command wrote."""
    found: dict[str, Any] = next(json.loads(line) for line in text.splitlines() if line.startswith("{"))
    return found


def _session_kib(leader: int) -> int:
    """Resident memory of all processes of a session."""
    total = 0
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            # Whoever has ended meanwhile holds nothing.
            with suppress(OSError):
                if os.getsid(int(folder.name)) == leader:
                    found = re.search(r"VmRSS:\s+(\d+) kB", (folder / "status").read_text(encoding="utf-8"))
                    total += int(found[1]) if found else 0
    return total


def _script(path: Path, line: str) -> None:
    path.write_text(f"#!/bin/sh\n{line}\n", encoding="utf-8")
    path.chmod(0o755)


def _major(program: str) -> int:
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    return int(said.split("v=")[1].split(".")[0])


def _contained() -> list[str]:
    """What to put before a command, so that it is held back as `read_only`, `cap_drop`, `security_opt` and `user` say.

    Only root can, and not everywhere; empty where nothing of it can be done.
    """
    own = ["unshare", "--mount", "--", "sh", "-c", 'mount -o remount,bind,ro / && exec "$@"', "sh"]
    less = ["setpriv", "--no-new-privs", "--inh-caps=-all", "--bounding-set=-all"]
    user = [f"--reuid={USER}", f"--regid={USER}", "--clear-groups"]
    # Where that user can't get at this Python, links may lead to another one.
    same = f"import sys, infra.cli; sys.exit(sys.version != {sys.version!r})"
    probe = [sys.executable, "-c", same]
    for found in ([*own, *less, *user], [*own, *less]):
        if os.geteuid() == 0 and shutil.which("unshare") and shutil.which("setpriv"):
            done = subprocess.run([*found, *probe], cwd="/", capture_output=True, check=False)
            if done.returncode == 0:
                return found
    return []
