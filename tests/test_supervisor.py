"""The supervisor with real processes: stand-ins for the workers, a real Redis, real signals."""

import json
import os
import secrets
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import redis as redis_client

import infra.system.crew
import infra.system.ground
import infra.system.keeper
from infra.embedded import redis_command, redis_url, wait_for_socket
from infra.places import Places
from infra.settings import Settings, load_settings
from infra.supervisor import System
from infra.system.claim import processes_of
from infra.system.crew import STOPPING, Crew
from infra.system.ground import Ground
from infra.system.keeper import Pauses
from infra.system.workers import RUN, Role, WorkerCommand
from storage.errors import ConflictError, MaskwatchError, SetupError, StorageError, UsageError

STANDIN = Path(__file__).parent / "standin.py"
LIMIT_S = 60.0
PROOF = bool(os.environ.get("MASKWATCH_PROOF"))
STOP_S, BACK_S, REFUSED_S = (5.0, 0.2, 10.0) if PROOF else (30.0, 10.0, 30.0)
"""Within which all has ended, a killed worker is back, a start that can't succeed is over; a machine that does much else
takes longer."""


def worker(name: str, kind: str = "good") -> WorkerCommand:
    """A stand-in; its role is the name up to the hyphen."""
    return WorkerCommand(name, Role(name.partition("-")[0]), (sys.executable, str(STANDIN), name, kind))


def until(condition: Callable[[], object], limit_s: float = LIMIT_S) -> None:
    """Wait until something holds; it has to within the limit."""
    end_s = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end_s, "it took too long"
        time.sleep(0.005)


class Said(list[str]):
    """What a person was told."""

    def __call__(self, text: str) -> None:
        self.append(text)


@pytest.fixture
def said() -> Said:
    return Said()


@contextmanager
def running(said: Said, *workers: WorkerCommand, settings: Settings | None = None) -> Iterator[System]:
    """A system that has come up; it must leave nothing behind."""
    with System(settings or load_settings(), workers, port=0, say=said) as system:
        system.wait_ready()
        yield system
    assert_nothing_left(system.places, system.run)


def assert_nothing_left(places: Places, run: str) -> None:
    assert processes_of(run) == []
    assert not places.shared.exists()
    assert not places.run.exists()
    with System(load_settings(data_dir=places.data), [], port=0):
        """The lock is free."""


def sessions_of(run: str) -> set[int]:
    """The sessions in which a run's processes are."""
    sessions = set()
    for pid in processes_of(run):
        with suppress(ProcessLookupError):
            sessions.add(os.getsid(pid))
    return sessions


def turn_until(system: System, condition: Callable[[], object], limit_s: float = LIMIT_S) -> list[str]:
    """Let a system look after itself until something holds; gives who was started again."""
    again: list[str] = []

    def turn() -> object:
        again.extend(system.check())
        return condition()

    until(turn, limit_s)
    return again


# From start to stop.


def test_samples_come_when_all_else_is_there_and_all_stop_in_the_order_of_the_data(
    said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not PROOF:
        # Whoever is slow to stop on a busy machine is waited for, and says so: the order is what is looked at.
        monkeypatch.setattr(infra.system.crew, "STOPPING", tuple((roles, 20.0) for roles, _ in STOPPING))
    workers = [worker(f"{role}-0") for role in Role]
    with System(load_settings(), workers, port=0, say=said) as system:
        assert set(system.pids()) == {"redis", "detect-0", "classify-0", "aggregate-0"}
        system.wait_ready()
        assert set(system.pids()) == {"redis", *(f"{role}-0" for role in Role)}
        assert system.places.shared.stat().st_mode & 0o777 == 0o700
        began_s = time.monotonic()
    assert time.monotonic() - began_s < STOP_S
    stopped = (system.places.data / "stopped").read_text().split()
    assert set(stopped[:3]) == {"ingest-0", "jobs-0", "beat-0"}
    assert set(stopped[3:5]) == {"detect-0", "classify-0"}
    assert set(stopped[5:]) == {"aggregate-0", "api-0"}
    assert_nothing_left(system.places, system.run)
    assert said == []


def test_who_does_not_stop_is_killed_in_time(said: Said) -> None:
    assert sum(limit_s for _, limit_s in STOPPING) < 5.0
    with running(said, *(worker(f"{role}-0", "stubborn") for role in (Role.INGEST, Role.DETECT, Role.API))):
        began_s = time.monotonic()
    assert time.monotonic() - began_s < STOP_S


def test_what_workers_started_ends_with_them(said: Said) -> None:
    with running(said, worker("detect-0", "parent")) as system:
        # Itself, two of its own, of which the last one made has gone to a session of its own, and Redis.
        until(lambda: (len(processes_of(system.run)), len(sessions_of(system.run))) == (4, 3))
        os.kill(system.pids()["detect-0"], signal.SIGKILL)
        turn_until(system, lambda: len(processes_of(system.run)) == 5)
        # The one in a session of its own is found at the latest at the end.
    assert processes_of(system.run) == []


def test_workers_go_by_the_same_settings_wherever_they_stand(
    said: Said, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = load_settings(data_dir=Path("here"), dwell_s=2.5)
    with running(said, worker("detect-0"), settings=settings) as system:
        environment = Path(f"/proc/{system.pids()['detect-0']}/environ").read_bytes().split(b"\0")
    assert f"MASKWATCH_DATA_DIR={tmp_path}/here".encode() in environment
    assert b"MASKWATCH_DWELL_S=2.5" in environment
    assert f"MASKWATCH_REDIS_URL=unix://{system.places.socket}".encode() in environment


@pytest.mark.parametrize(
    ("owner", "moment"),
    [(System, "_migrate"), (Ground, "hurry"), (System, "wait_ready"), (Crew, "stop"), (Crew, "kill")],
)
def test_interrupted_at_any_moment_it_leaves_nothing(
    owner: type, moment: str, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = getattr(owner, moment)

    def interrupted(self: object, *arguments: object) -> None:
        monkeypatch.setattr(owner, moment, done)
        raise KeyboardInterrupt

    monkeypatch.setattr(owner, moment, interrupted)
    system = System(load_settings(), [worker("aggregate-0", "parent")], port=0, say=said)
    with pytest.raises(KeyboardInterrupt), system:
        system.wait_ready()
    assert_nothing_left(system.places, system.run)


# What dies is started again.


def test_a_killed_worker_is_back_at_once(said: Said) -> None:
    with running(said, worker("detect-0"), worker("classify-0")) as system:
        before = system.pids()
        os.kill(before["detect-0"], signal.SIGKILL)
        died_s = time.monotonic()
        assert turn_until(system, lambda: system.pids().get("detect-0") not in {None, before["detect-0"]}) == [
            "detect-0"
        ]
        assert time.monotonic() - died_s < BACK_S
        assert system.pids()["classify-0"] == before["classify-0"]
    assert len(said) == 1
    assert "detect-0 was ended by SIGKILL and is started again: " in said[0], "without a pause"


def test_pauses_grow_for_who_never_comes_up_and_stay_short_for_who_does() -> None:
    never, often = Pauses(), Pauses()
    assert [never.after_death(lived_s=1.0, worked=False) for _ in range(8)] == [0, 0.5, 1, 2, 4, 8, 10, 10]
    assert [often.after_death(lived_s=5.0, worked=True) for _ in range(5)] == [0, 0.5, 1, 1, 1]
    assert never.after_death(lived_s=20.0, worked=True) == 0


def test_each_death_of_a_worker_is_said_once_with_its_reason(said: Said) -> None:
    with System(load_settings(), [worker("detect-0", "broken"), worker("classify-0")], port=0, say=said) as system:
        assert turn_until(system, lambda: len(said) == 3) == ["detect-0"] * 2
        assert all(
            "detect-0 ended with status 1 and is started again" in text and "the model is missing" in text
            for text in said
        )
        assert [" in 0.5 s" in said[1], " in 1 s" in said[2]] == [True, True]
        assert system.places.log("supervisor").read_text().count("the model is missing") == 3


def test_a_worker_that_says_why_it_can_t_come_up_ends_the_start(said: Said) -> None:
    with (
        pytest.raises(SetupError, match=r"detect-0 can't be started: the model is missing \(see .*detect-0.log\)"),
        running(said, worker("detect-0", "broken"), worker("classify-0")),
    ):
        pytest.fail("unreachable")
    assert said == []


def test_a_worker_that_dies_at_each_start_ends_the_start_too(said: Said) -> None:
    silent = WorkerCommand("detect-0", Role.DETECT, ("/bin/false",))
    with pytest.raises(SetupError, match=r"detect-0 can't be started: see .*detect-0.log"), running(said, silent):
        pytest.fail("unreachable")
    assert len(said) == 3


def test_a_worker_that_hangs_is_killed_and_started_again(said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    with running(said, worker("detect-0"), worker("classify-0")) as system:
        monkeypatch.setattr(infra.system.keeper, "BEAT_LIFE_S", 1.5)
        hanging = system.pids()["detect-0"]
        os.kill(hanging, signal.SIGSTOP)
        again = turn_until(system, lambda: system.pids().get("detect-0") not in {None, hanging})
        assert "detect-0" in again
        assert any("detect-0 has shown no sign of life" in text for text in said)
        # On a busy machine the other one, too, may be given no time for so long.
        assert again == ["detect-0"] or not PROOF


def test_who_could_not_be_heard_is_not_blamed(said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    """A supervisor that stood still (a machine that slept, a container that was paused) once killed all its workers."""
    with running(said, worker("detect-0")) as system:
        monkeypatch.setattr(infra.system.keeper, "BEAT_LIFE_S", 2.0)
        os.kill(system.pids()["detect-0"], signal.SIGSTOP)
        listener = system._ground._listener
        assert listener is not None
        heard = listener.report
        # Nobody listens for as long as this call takes, and the worker stands still with us.
        monkeypatch.setattr(listener._bus, "heartbeats", lambda: threading.Event().wait(3.0) or {})
        until(lambda: listener.report is not heard)
        monkeypatch.undo()
        os.kill(system.pids()["detect-0"], signal.SIGCONT)
        until(lambda: listener.report.heard["detect-0"].silent_s == 0.0)
        assert system.check() == ()
    assert said == []


def test_what_a_worker_waits_for_is_said_and_when_it_goes_on(said: Said) -> None:
    with running(said, worker("aggregate-0", "troubled")) as system:
        (system.places.data / "trouble").touch()
        turn_until(system, lambda: said == ["aggregate-0: the disk is full"])
        (system.places.data / "trouble").unlink()
        turn_until(system, lambda: said == ["aggregate-0: the disk is full", "aggregate-0: goes on"])


def test_without_the_embedded_redis_everything_is_started_again(said: Said) -> None:
    with running(said, worker("detect-0"), worker("ingest-0")) as system:
        before, store = system.pids(), system.places.frames.stat()
        os.kill(before["redis"], signal.SIGKILL)
        turn_until(system, lambda: system.ready and "ingest-0" in system.pids() and system.pids() != before)
        assert not set(before.values()) & set(system.pids().values())
        # What the lost messages named is released by nobody: the frame store is a new one, too.
        assert system.places.frames.stat().st_mtime_ns != store.st_mtime_ns
        assert said == ["the embedded Redis was ended by SIGKILL; everything is started again"]


def test_a_redis_that_lost_what_it_held_is_as_good_as_a_new_one(said: Said, redis: str) -> None:
    with running(said, worker("detect-0"), settings=load_settings(redis_url=redis)) as system:
        before = system.pids()
        assert "redis" not in before
        with redis_client.Redis.from_url(redis) as client:
            client.flushall()
        turn_until(system, lambda: system.ready and system.pids() and system.pids() != before)
        assert "has lost what it held" in said[0]


def test_an_embedded_redis_that_hangs_is_replaced(said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(infra.system.ground, "BEAT_LIFE_S", 1.0)
    with running(said, worker("detect-0")) as system:
        before = system.pids()
        os.kill(before["redis"], signal.SIGSTOP)
        turn_until(system, lambda: system.ready and system.pids().get("redis") not in {None, before["redis"]})
        assert any("the embedded Redis has not answered" in text for text in said)


def test_workers_that_end_without_redis_are_started_again_when_it_answers(said: Said, tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="mw-") as folder:
        address = Path(folder) / "redis.sock"
        server = subprocess.Popen(redis_command(address), stdout=subprocess.DEVNULL)
        wait_for_socket(address, server)
        with running(said, worker("detect-0"), settings=load_settings(redis_url=redis_url(address))) as system:
            server.kill()
            server.wait()
            address.unlink(missing_ok=True)
            # From here on it is known that Redis is away: who ends is not started again.
            until(lambda: system._ground.report.trouble)
            turn_until(system, lambda: system.pids() == {} and any("cannot reach Redis" in text for text in said))
            later_s = time.monotonic() + 0.3
            assert turn_until(system, lambda: time.monotonic() > later_s) == [], "nobody is started meanwhile"
            server = subprocess.Popen(redis_command(address), stdout=subprocess.DEVNULL)
            turn_until(system, lambda: system.ready and "detect-0" in system.pids())
        server.kill()
        server.wait()
    assert sum("detect-0 ended with status 1" in text for text in said) == 1


def test_workers_are_started_by_the_main_thread_alone(said: Said) -> None:
    """The kernel would end them together with the thread."""
    caught: list[BaseException] = []

    def start() -> None:
        try:
            with running(said, worker("detect-0")):
                pytest.fail("unreachable")
        except RuntimeError as error:
            caught.append(error)

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    assert "main thread" in str(caught[0])


# Stopped or killed from outside.


class Little:
    """A system of stand-ins in a process of its own."""

    def __init__(self, *names: str) -> None:
        self.process = subprocess.Popen(
            # Under `nohup`, or in the background of a shell, signals are ignored, and by what is started there, too.
            ["env", "--default-signal", sys.executable, "-m", "tests.little_system", *names],
            cwd=STANDIN.parent.parent,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        told = json.loads(self.process.stdout.readline() or "{}")
        self.run, self.pids = str(told["run"]), dict(told["pids"])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_asked_to_stop_it_leaves_nothing_within_5_s(number: signal.Signals) -> None:
    little = Little("detect-0")
    little.process.send_signal(number)
    began_s = time.monotonic()
    _, told = little.process.communicate(timeout=60)
    assert time.monotonic() - began_s < STOP_S
    assert (little.process.returncode, told) == (0, "")
    assert_nothing_left(Places.of(load_settings()), little.run)


def test_a_killed_supervisor_takes_its_workers_along_and_the_next_start_clears_up(said: Said) -> None:
    little = Little("detect-0")
    places = Places.of(load_settings())
    until(lambda: len(processes_of(little.run)) == 4)
    little.process.kill()
    little.process.communicate(timeout=60)
    until(lambda: not any(Path(f"/proc/{pid}/environ").exists() for pid in little.pids.values()))
    # What workers had started is on no leash; shared memory stays.
    assert len(processes_of(little.run)) > 0
    assert places.frames.exists()
    with running(said, worker("detect-0")):
        assert processes_of(little.run) == []
    assert said == []


def test_two_systems_on_one_data_folder_are_one_too_many(said: Said) -> None:
    with running(said, worker("detect-0")) as system:
        before = system.pids()
        with (
            pytest.raises(ConflictError, match=rf"another Maskwatch runs on .*data \(process {os.getpid()}\)"),
            System(load_settings(), [worker("detect-0")], port=0, say=said),
        ):
            pytest.fail("unreachable")
        # The first one does not even notice.
        assert system.check() == ()
        assert system.pids() == before
        assert system.places.frames.exists()


# What a person can mend is told in one sentence.


def refused(error: type[MaskwatchError], match: str, *workers: WorkerCommand, **options: object) -> str:
    """Start a system that can't start: it says why in time, and leaves nothing."""
    port = options.pop("port", 0)
    assert isinstance(port, int)
    settings, began_s = load_settings(**options), time.monotonic()
    system = System(settings, workers or [worker("detect-0")], port=port)
    with pytest.raises(error, match=match) as told, system:
        pytest.fail("unreachable")
    assert time.monotonic() - began_s < REFUSED_S
    assert not system.places.shared.exists()
    assert processes_of(system.run) == []
    return str(told.value)


def test_a_port_in_use_leaves_nothing_of_a_killed_run() -> None:
    places, run = Places.of(load_settings()), secrets.token_hex(16)
    places.data.mkdir(parents=True, exist_ok=True)
    with (
        subprocess.Popen(["/bin/sleep", "60"], env={RUN: run}) as left,
        socket.create_server(("127.0.0.1", 0)) as other,
    ):
        until(lambda: processes_of(run))
        places.run.write_text(json.dumps({"run": run, "pid": 1}))
        try:
            refused(ConflictError, "is in use", worker("api-0"), port=other.getsockname()[1])
            assert left.wait(LIMIT_S) == -signal.SIGKILL
        finally:
            left.kill()


def test_the_data_folder_and_its_logs_are_for_this_user_alone() -> None:
    with System(load_settings(), [worker("detect-0")], say=Said()) as system:
        modes = [folder.stat().st_mode & 0o777 for folder in (system.places.data, system.places.logs)]
    assert modes == [0o700, 0o700]


def test_a_port_in_use_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        refused(ConflictError, rf"port {port} on 127.0.0.1 is in use.*--port", worker("api-0"), port=port)


@pytest.mark.parametrize(
    ("host", "said"), [("192.0.2.1", "is no address of this machine"), ("example.org", "give an IP address of this")]
)
def test_only_addresses_of_this_machine_are_listened_on(host: str, said: str) -> None:
    with pytest.raises(UsageError, match=said), System(load_settings(), [worker("api-0")], host=host):
        pytest.fail("unreachable")


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1"])
def test_callers_wait_while_the_api_is_started_again(host: str, said: Said) -> None:
    with System(load_settings(), [worker("api-0")], host=host, port=0, say=said) as system:
        address, _, port = system.url.removeprefix("http://").rpartition(":")
        with socket.create_connection((address.strip("[]"), int(port)), timeout=1.0):
            """The connection is taken although nobody answers yet."""


def test_a_data_folder_that_can_t_be_one_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    refused(StorageError, "a file stands where a folder is needed", data_dir=tmp_path / "file")
    refused(StorageError, "a part of the path is a file", data_dir=tmp_path / "file" / "below")
    refused(StorageError, "cannot write /proc/nowhere", data_dir=Path("/proc/nowhere"))


def test_too_little_shared_memory_is_told_with_the_size_needed() -> None:
    refused(SetupError, r"MASKWATCH_FRAMES_MIB", frames_mib=1_000_000)


def test_no_shared_memory_is_told(tmp_path: Path) -> None:
    refused(SetupError, "MASKWATCH_SHM_DIR", shm_dir=Path("/nowhere"))
    with pytest.raises(UsageError, match="too long"):
        System(load_settings(shm_dir=tmp_path / ("long" * 20)))


def test_shared_memory_of_somebody_else_is_left_alone(said: Said) -> None:
    shared = Places.of(load_settings()).shared
    shared.symlink_to("/etc")
    try:
        with pytest.raises(SetupError, match="belongs to somebody else"), running(said, worker("detect-0")):
            pytest.fail("unreachable")
        assert Path("/etc/passwd").exists()
    finally:
        shared.unlink()


@pytest.mark.parametrize("url", ["redis://:secret@127.0.0.1:1/0", "unix:///nowhere.sock?password=secret"])
def test_a_redis_that_is_not_there_is_told_without_its_password(url: str) -> None:
    assert "secret" not in refused(MaskwatchError, "cannot reach Redis at .*MASKWATCH_REDIS_URL", redis_url=url)


def test_a_database_of_a_newer_version_is_told() -> None:
    places = Places.of(load_settings())
    places.data.mkdir()
    with sqlite3.connect(places.database) as connection:
        connection.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
        connection.execute("INSERT INTO alembic_version VALUES ('9999')")
    connection.close()
    refused(SetupError, "newer version of Maskwatch", worker("aggregate-0"))


def test_logs_that_can_t_be_written_stop_nothing(said: Said) -> None:
    places = Places.of(load_settings())
    places.logs.mkdir(parents=True)
    for name in ("supervisor", "redis", "detect-0"):
        places.log(name).symlink_to("/dev/full")
    with running(said, worker("detect-0")) as system:
        os.kill(system.pids()["detect-0"], signal.SIGKILL)
        turn_until(system, lambda: "detect-0" in system.pids() and said)


def test_logs_are_moved_aside_when_they_have_grown(said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infra.supervisor.LOGS_S", 0.0)
    with running(said, worker("detect-0")) as system:
        log = system.places.log("detect-0")
        log.write_bytes(b"x" * 6_000_000)
        turn_until(system, lambda: log.stat().st_size == 0)
        assert log.with_name("detect-0.log.1").stat().st_size == 6_000_000
