"""The services of `docker-compose.yml` as processes, with exactly its commands, environments and health checks.

There is no container engine where this runs: see `compose_engine` for what stands in for it.
"""

import os
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from sqlalchemy import NullPool, create_engine, text

from infra.bench.api_postgres import own_postgres
from infra.demo.clips import write_clip
from infra.demo.script import small_clip
from tests.api_server import NO_TLS
from tests.compose import VALUES, mib, resolved
from tests.compose_engine import GRACE_S, Engine, Machine, answer_of, postgres_tools, redis_tools

pytestmark = pytest.mark.slow

PROOF = bool(os.environ.get("MASKWATCH_PROOF"))
HEALTHY_S = 60.0 if PROOF else 300.0
"""Until all services are healthy; the strict limit is for a machine that does nothing else."""

STOP_S = GRACE_S if PROOF else 60.0
"""For all services, which stop one after the other, whoever was started last first; strict likewise."""

READY_S = 60.0
EVENT_S = 300.0
JOB_S = 600.0
ENDS = {"done", "failed", "cancelled"}
FOLDERS = ("data", "shm", "demo")


@pytest.fixture(scope="module", name="engine")
def engine_fixture() -> Iterator[Engine]:
    """All services but the GPU's, healthy."""
    values = {**VALUES, "MASKWATCH_FRAMES_MIB": "48", "MASKWATCH_JOBS_REPLICAS": "1", "MASKWATCH_THREADS": "1"}
    services = {name: one for name, one in resolved(values)["services"].items() if one.get("profiles") != ["gpu"]}
    postgres, redis, api, cameras = free_ports(4)
    # Short: a socket's path is to fit.
    with (
        own_postgres(("fsync=off", "listen_addresses=127.0.0.1", f"port={postgres}")) as server,
        tempfile.TemporaryDirectory(prefix="mw-", dir="/dev/shm") as name,
    ):
        folder = Path(name)
        make_database(server, postgres)
        for made in FOLDERS:
            (folder / made).mkdir(mode=0o755)
        write_clip(small_clip(960, 540, 8.0, 2), folder / "demo" / "entrance.mp4")
        tools = {
            "redis": redis_tools(folder / "redis", redis),
            "postgres": postgres_tools(folder / "postgres", postgres),
        }
        words = {
            "@redis:6379": f"@127.0.0.1:{redis}",
            "@postgres:5432": f"@127.0.0.1:{postgres}",
            "127.0.0.1:8000": f"127.0.0.1:{api}",
            "8000": str(api),
            "8554": str(cameras),
            **{f"/{made}": str(folder / made) for made in FOLDERS},
        }
        engine = Engine(Machine(folder, words), services, tools)
        try:
            engine.up(HEALTHY_S, without=["postgres"])
            yield engine
        finally:
            engine.kill()


def free_ports(count: int) -> list[int]:
    """Of the loopback."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(one.getsockname()[1]) for one in held]
    for one in held:
        one.close()
    return ports


def make_database(server: Path, port: int) -> None:
    """As PostgreSQL's image does from its environment at the first start."""
    engine = create_engine(
        f"postgresql+psycopg://postgres@/postgres?host={server}&port={port}", isolation_level="AUTOCOMMIT"
    )
    with engine.connect() as connection:
        connection.execute(text("CREATE ROLE maskwatch LOGIN"))
        connection.execute(text("CREATE DATABASE maskwatch OWNER maskwatch"))
    engine.dispose()


@pytest.fixture(scope="module", name="client")
def client_fixture(engine: Engine) -> Iterator[httpx.Client]:
    """Somebody with a key, which a person makes by `docker compose exec api maskwatch key create`."""
    command = ["maskwatch", "key", "create", "--role", "admin", "--json"]
    status, said = engine.machine.run(engine.services["api"], command)
    assert status == 0, said
    headers = {"Authorization": f"Bearer {answer_of(said)['key']}"}
    address = engine.machine.here("http://127.0.0.1:8000")
    with httpx.Client(base_url=f"{address}/api/v1", headers=headers, timeout=30, verify=NO_TLS) as client:
        yield client


def wait_for(engine: Engine, what: str, condition: Callable[[], object], limit_s: float) -> None:
    until_s = time.monotonic() + limit_s
    while not condition():
        logs = "\n".join(f"{name}: {engine.log(name)}" for name in engine.services)
        assert time.monotonic() < until_s, f"no {what} within {limit_s:g} s\n{logs}"
        time.sleep(0.2)


def test_all_are_healthy_in_time(engine: Engine) -> None:
    assert set(engine.healthy_s) == set(engine.services)
    assert max(engine.healthy_s.values()) < HEALTHY_S
    order = engine.in_order()
    for name in order:
        for other in engine.services[name].get("depends_on", {}):
            assert engine.healthy_s[other] <= engine.healthy_s[name]


def test_the_system_is_ready_and_strangers_have_to_log_in(engine: Engine, client: httpx.Client) -> None:
    wait_for(engine, "readiness", lambda: client.get("/health/ready").status_code == 200, READY_S)
    assert httpx.get(f"{client.base_url}cameras", verify=NO_TLS).status_code == 401


def test_the_demos_cameras_make_events_that_are_in_postgresql(engine: Engine, client: httpx.Client) -> None:
    assert [one["id"] for one in client.get("/cameras").json()["items"]] == ["entrance"]
    wait_for(engine, "event", lambda: client.get("/events").json()["items"], EVENT_S)
    found = client.get("/events").json()["items"]
    assert count(engine, "SELECT count(*) FROM event WHERE camera_id = 'entrance'") >= len(found)


def test_footage_that_is_sent_becomes_a_report(engine: Engine, client: httpx.Client) -> None:
    clip = Path(engine.machine.here("/demo")) / "entrance.mp4"
    kind = {"Content-Type": "video/mp4"}
    sent = client.post("/uploads", params={"name": clip.name}, content=clip.read_bytes(), headers=kind)
    assert sent.status_code == 201, sent.text
    wanted = {
        "camera_id": "entrance",
        "footage_start": "2026-07-01T08:00:00Z",
        "files": [{"upload_id": sent.json()["id"]}],
    }
    made = client.post("/jobs", json=wanted)
    assert made.status_code == 201, made.text
    job = made.json()["id"]
    wait_for(engine, "end of the job", lambda: client.get(f"/jobs/{job}").json()["state"] in ENDS, JOB_S)
    ended = client.get(f"/jobs/{job}").json()
    assert (ended["state"], ended["error"]) == ("done", None)
    report = client.get(f"/jobs/{job}/report").json()
    assert len(report["tracks"]) == ended["tracks"] > 0
    assert count(engine, f"SELECT count(*) FROM track WHERE job_id = '{job}'") == ended["tracks"]  # noqa: S608 our own


def test_footage_that_is_copied_in_is_listed(engine: Engine, client: httpx.Client) -> None:
    """As by `docker compose cp`: it belongs to root, and everybody may read it."""
    clip = Path(engine.machine.here("/demo")) / "entrance.mp4"
    copied = Path(engine.machine.here("/data")) / "media" / "clips" / clip.name
    copied.parent.mkdir(mode=0o755)
    copied.write_bytes(clip.read_bytes())
    copied.chmod(0o644)
    found = client.get("/media").json()["items"]
    assert [(one["path"], one["bytes"]) for one in found] == [("clips/entrance.mp4", clip.stat().st_size)]


def count(engine: Engine, query: str) -> int:
    """What PostgreSQL itself says."""
    url = engine.machine.environment(engine.services["api"])["MASKWATCH_DATABASE_URL"]
    database = create_engine(url.replace("postgresql:", "postgresql+psycopg:"), poolclass=NullPool)
    with database.connect() as connection:
        return int(connection.execute(text(query)).scalar_one())


def test_memory_stays_well_within_the_limits(engine: Engine, capsys: pytest.CaptureFixture[str]) -> None:
    held = engine.memory_mib()
    limits = {name: mib(one["deploy"]["resources"]["limits"]["memory"]) for name, one in engine.services.items()}
    with capsys.disabled():
        healthy = {name: round(seconds, 1) for name, seconds in engine.healthy_s.items()}
        print(f"\nheld back by: {' '.join(engine.machine.contained) or 'nothing'}")  # noqa: T201 to be seen
        print(f"healthy after, s: {healthy}")  # noqa: T201 the figures of docs/operations.md
        print(f"memory, MiB: { {name: round(size) for name, size in held.items()} }")  # noqa: T201 likewise
    assert {name: size for name, size in held.items() if size > 0.6 * limits[name]} == {}


def test_a_stop_takes_ten_seconds_at_most_and_nobody_has_to_be_killed(
    engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    began_s = time.monotonic()
    took = engine.stop(STOP_S)
    whole_s = time.monotonic() - began_s
    assert took.keys() == {name for name in engine.services if name not in {"postgres", "migrate"}}
    assert max(took.values()) < STOP_S, took
    ends = {name: [process.returncode for process in engine.processes[name]] for name in took}
    assert {name: end for name, end in ends.items() if any(end)} == {}
    with capsys.disabled():
        each = {name: round(seconds, 1) for name, seconds in took.items()}
        print(f"\nended after, s: {whole_s:.1f}, of which {each}")  # noqa: T201 the figure of docs/operations.md
    assert whole_s < STOP_S
    assert not list(Path(engine.machine.words["/shm"]).glob("*.sock"))
