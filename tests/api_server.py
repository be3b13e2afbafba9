"""A real API for tests: on a port of its own, with a real database, a real Redis and an aggregator's hand to fill it.

The database is SQLite; PostgreSQL where `MASKWATCH_TEST_POSTGRES` names the folder of a server's socket, as
`tests/test_postgres_system.py` runs these tests once more.

Import the fixture where it is used: `from tests.api_server import Api, api_fixture, migrated_fixture  # noqa: F401`.
"""

import hashlib
import os
import shutil
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
from sqlalchemy import Engine

from api.app import ApiContext
from api.context import FootagePlaces
from api.login_setup import LoginSetup
from infra.listening import listen
from infra.web import serve_api
from storage.bus import Bus
from storage.database.batch import Kept
from storage.database.engine import open_engine, sqlite_url
from storage.database.ledger import Batch, Ledger
from storage.database.reports import Reports
from storage.database.sites import Sites
from storage.messages import NS_PER_S, Event, Track
from storage.networks import Networks
from storage.passwords import Passwords
from storage.pulse import Heartbeat, Pulse
from storage.secrets import Secrets
from storage.status import CameraStatus
from storage.telling import Telling
from storage.words import Label, UnknownReason
from tests.postgres import Postgres, migrated_sqlite

START_NS = 1_782_900_000 * NS_PER_S + 123_456_789
"""2026-07-01T10:00:00.123Z."""

LIMIT_S = 30.0

ZONES = (
    "Pacific/Honolulu",
    "America/Phoenix",
    "America/Fortaleza",
    "Africa/Lagos",
    "Asia/Dubai",
    "Asia/Jakarta",
    "Australia/Darwin",
    "Pacific/Tongatapu",
)
"""Round the world, where every day has 24 hours."""

POSTGRES = os.environ.get("MASKWATCH_TEST_POSTGRES")
"""Of a server with a database `migrated`, of which each API gets a copy; see `tests.postgres`."""

NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""For clients of what is served without TLS: reading the machine's certificates takes longer than most tests."""

CHEAP = Passwords(memory_kib=8, rounds=1)
"""Hashes that cost nothing."""

_threads: list[threading.Thread] = []


@dataclass
class Api:
    """A running API and what is behind it."""

    context: ApiContext
    client: httpx.Client
    pulse: Pulse
    ledger: Ledger
    media: Path
    numbers: dict[str, int] = field(default_factory=dict)

    def get(self, path: str, **parameters: Any) -> Any:
        """What a route under `/api/v1` answers."""
        answer = self.client.get(f"/api/v1{path}", params=parameters)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, body: Any) -> Any:
        """What comes of creating something there."""
        answer = self.client.post(f"/api/v1{path}", json=body)
        assert answer.status_code == 201, answer.text
        return answer.json()

    def building(self, name: str = "North", timezone: str = "Europe/Berlin") -> str:
        """Set up a building."""
        return str(self.post("/buildings", {"name": name, "timezone": timezone})["id"])

    def camera(self, building: str, name: str = "Door", **more: Any) -> str:
        """Register a camera."""
        body = {"name": name, "building_id": building, "url": "rtsp://10.0.0.5/1", **more}
        return str(self.post("/cameras", body)["id"])

    def passage(
        self,
        camera: str,
        at_ns: int = START_NS,
        label: Label = Label.WITH_MASK,
        *,
        picture: bytes | None = None,
        closed: bool = True,
        number: int | None = None,
    ) -> int:
        """Let somebody pass, as the aggregator would write it down; a breach becomes an event."""
        if number is None:
            number = self.numbers[camera] = self.numbers.get(camera, 0) + 1
        reason = UnknownReason.BLURRED if label is Label.UNKNOWN else None
        end_ns = at_ns + 4 * NS_PER_S
        batch = Batch(f"{time.time_ns()}-0", lost={camera: 2})
        batch.tracks[camera, number] = Track(number, at_ns, end_ns, 20, label, 0.9876, reason, closed, closed)
        if label in {Label.WITHOUT_MASK, Label.INCORRECT_MASK}:
            batch.events[camera, number] = Event(number, label, at_ns + NS_PER_S, end_ns, None, 0.9512, closed)
            if picture is not None:
                batch.snapshots[camera, number] = Kept(self.keep(picture), len(picture))
        written = self.ledger.commit(batch, time.time_ns())
        Telling(self.context.bus).tell(written.news)
        return number

    def keep(self, picture: bytes) -> str:
        """Write a picture into the snapshot folder."""
        name = f"{hashlib.sha256(picture).hexdigest()}.jpg"
        (self.context.snapshots / name).write_bytes(picture)
        return name

    def says(self, camera: str, status: CameraStatus) -> None:
        """Let ingest say how a camera fares."""
        self.context.bus.put_status(camera, status)

    def beat(self, worker: str, trouble: str | None = None, store: str = "", device: str | None = None) -> None:
        """Let a worker beat."""
        self.context.bus.beat(Heartbeat(worker, 1, time.time(), 1, trouble, store, device))


@pytest.fixture(name="api")
def api_fixture(tmp_path: Path, redis: str, migrated: Path) -> Iterator[Api]:
    """One for each test."""
    with _running(tmp_path, redis, migrated) as api:
        yield api


@pytest.fixture(scope="module", name="still")
def still_fixture(tmp_path_factory: pytest.TempPathFactory, migrated: Path) -> Iterator[Api]:
    """One for all tests of a module that change nothing; there is no bus."""
    with _running(tmp_path_factory.mktemp("still"), "unix:///nowhere/redis.sock", migrated) as api:
        yield api


@pytest.fixture(scope="session", name="migrated")
def migrated_fixture(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A database with all tables, to be copied."""
    yield migrated_sqlite(tmp_path_factory)
    # What still ends would be found with its socket open at the end of all tests.
    for thread in _threads:
        thread.join(LIMIT_S)


@contextmanager
def _running(folder: Path, redis: str, migrated: Path, login: LoginSetup | None = None) -> Iterator[Api]:
    with _database(folder, migrated) as engine, _serving(folder, redis, engine, login) as api:
        yield api


@contextmanager
def _database(folder: Path, migrated: Path) -> Iterator[Engine]:
    """A database of its own, gone afterwards."""
    if POSTGRES is None:
        shutil.copy(migrated, folder / "maskwatch.sqlite3")
        engine = open_engine(sqlite_url(folder / "maskwatch.sqlite3"))
        yield engine
        engine.dispose()
        return
    server = Postgres(Path(POSTGRES))
    url = server.new(template="migrated")
    engine = open_engine(url)
    try:
        yield engine
    finally:
        engine.dispose()
        server.drop(url)
        server.close()


@contextmanager
def _serving(folder: Path, redis: str, engine: Engine, login: LoginSetup | None) -> Iterator[Api]:
    for name in ("media", "snapshots"):
        (folder / name).mkdir()
    bus, pulse = Bus(redis), Pulse()
    ledger = Ledger(engine, 0, "aggregate-0", lease_s=600)
    ledger.acquire("bus", time.time_ns())
    context = ApiContext(
        engine=engine,
        # By itself it is found beside SQLite's file alone.
        sites=Sites(
            engine, folder / "media", networks=Networks.parse("private"), secrets=Secrets(folder / "secret.key")
        ),
        reports=Reports(engine),
        bus=bus,
        snapshots=folder / "snapshots",
        footage=FootagePlaces(folder / "uploads", folder / "annotated", folder / "media"),
        workers=("detect-0", "aggregate-0"),
        login=login or LoginSetup(passwords=CHEAP),
    )
    address, _ = serve(context, pulse)
    try:
        with httpx.Client(base_url=address, timeout=LIMIT_S, verify=NO_TLS) as client:
            yield Api(context, client, pulse, ledger, folder / "media")
    finally:
        # It ends by itself, and nobody has to wait for that.
        pulse.stop()
        bus.close()


def serve(context: ApiContext, pulse: Pulse) -> tuple[str, threading.Thread]:
    """Serve on a free port, as the worker does, until the pulse stops; gives the address."""
    listening = listen("127.0.0.1", 0)
    thread = threading.Thread(target=serve_api, args=(context, listening, pulse), daemon=True)
    address = f"http://127.0.0.1:{listening.getsockname()[1]}"
    thread.start()
    _threads.append(thread)
    # Once it is there: making it hides warnings, and so does pytest between tests, both for the whole process.
    with socket.create_connection(listening.getsockname(), timeout=LIMIT_S) as first:
        first.sendall(b"GET /api/v1/health/live HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        first.recv(1)
    return address, thread


def midday_zones() -> list[str]:
    """Time zones, those first where it is about midday: there, today (and this month) stays today for as long as a test takes."""
    now = datetime.now(UTC)

    def from_midday(zone: str) -> int:
        there = now.astimezone(ZoneInfo(zone))
        return abs(60 * there.hour + there.minute - 12 * 60)

    return sorted(ZONES, key=from_midday)


def problem(answer: httpx.Response, status: int, kind: str) -> dict[str, Any]:
    """The problem details of an answer, which must be these."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert list(body)[:5] == ["type", "title", "status", "detail", "instance"]
    assert (body["type"], body["status"]) == (f"/problems/{kind}", status)
    assert body["detail"]
    return body


def wait_for(condition: Callable[[], bool], limit_s: float = LIMIT_S) -> None:
    """Wait until something is so."""
    until_s = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < until_s
        time.sleep(0.01)
