"""`maskwatch up`: the whole system as a person starts, troubles and stops it."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from infra.places import Places
from infra.settings import load_settings
from infra.system.claim import processes_of
from infra.system.workers import Role
from storage.bus import Bus
from tests.test_supervisor import until

MASKWATCH = str(Path(sys.executable).parent / "maskwatch")
BACK_S = 3.0
PROOF = bool(os.environ.get("MASKWATCH_PROOF"))


class Up:
    """A running `maskwatch up`."""

    def __init__(self) -> None:
        self.places = Places.of(load_settings())
        began_s = time.monotonic()
        self.process = subprocess.Popen([MASKWATCH, "up", "--port", "0"], stderr=subprocess.PIPE, text=True)
        assert self.process.stderr is not None
        self.told = ""
        for line in self.process.stderr:
            self.told += line
            if found := re.search(r"Maskwatch is at (http://127\.0\.0\.1:\d+)", line):
                self.url = found[1]
                break
        self.start_s = time.monotonic() - began_s
        self.run = str(json.loads(self.places.run.read_bytes())["run"])

    def limit_s(self, limit_s: float) -> float:
        """A limit as it stands on a machine that does nothing else; a busy one is given longer, by the system's start."""
        return limit_s if PROOF else 15.0 + 2.0 * self.start_s

    def stopped_by(self, number: signal.Signals) -> str:
        """Ask it to stop, and give what it has told since it was ready."""
        self.process.send_signal(number)
        began_s = time.monotonic()
        told = self.process.communicate(timeout=60)[1]
        assert time.monotonic() - began_s < self.limit_s(5.0)
        assert self.process.returncode == 0
        assert processes_of(self.run) == []
        assert not self.places.shared.exists()
        return told


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> Iterator[Up]:
    # As on a person's machine: what Python has compiled once it keeps, and loads in a third of the time.
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    up = Up()
    try:
        yield up
    finally:
        up.process.kill()
        up.process.communicate()


def is_ready(url: str) -> bool:
    with suppress(OSError), urllib.request.urlopen(f"{url}/api/v1/health/ready", timeout=5) as answer:  # noqa: S310 ours
        return bool(json.load(answer)["status"] == "ready")
    return False


def pid_of(bus: Bus, name: str) -> int:
    """Of a worker, by its last heartbeat; 0: there is none."""
    beat = bus.heartbeats().get(name)
    return 0 if beat is None else beat.pid


def test_it_answers_whichever_worker_is_killed_is_back_within_3_s_and_it_stops_when_asked(system: Up) -> None:
    until(lambda: is_ready(system.url), 30)
    assert system.told.splitlines()[0] == "starting"
    second = subprocess.run([MASKWATCH, "up", "--port", "0"], capture_output=True, text=True, timeout=120, check=False)
    assert second.returncode == 1
    assert re.search(rf"another Maskwatch runs on .* \(process {system.process.pid}\)", second.stderr)
    names = [f"{role}-0" for role in Role]
    with closing(Bus(f"unix://{system.places.socket}")) as bus:
        for name in names:
            until(lambda name=name: pid_of(bus, name), 60)  # type: ignore[misc]
            pid = pid_of(bus, name)
            os.kill(pid, signal.SIGKILL)
            died_s = time.monotonic()
            until(lambda name=name, pid=pid: pid_of(bus, name) not in {0, pid}, 60)  # type: ignore[misc]
            assert time.monotonic() - died_s < system.limit_s(BACK_S)
    told = system.stopped_by(signal.SIGINT)
    assert [f"{name} was ended by SIGKILL" in told for name in names] == [True] * len(names)
    assert told.splitlines()[-2:] == ["stopping", "stopped"]
