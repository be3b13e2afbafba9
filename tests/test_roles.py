"""Workers as processes: `maskwatch serve`, places and settings they share."""

import json
import os
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from infra.cli import run
from infra.demo.live import BUILDING, closing_engine, set_up
from infra.places import Places, database_url
from infra.roles import partition_of
from infra.settings import Settings, load_settings
from infra.sites import system_sites
from infra.system.claim import remove_shared, shared_alone
from infra.system.workers import Role, worker_commands, worker_environment, worker_names
from ingest.options import Options
from storage.bus import Bus
from storage.database.records import NewCamera
from storage.errors import SetupError, UsageError
from storage.frames import FrameStore, create_store
from storage.messages import Lost
from tests.test_supervisor import until

MASKWATCH = str(Path(sys.executable).parent / "maskwatch")
START_S = END_S = 60.0
"""What a process takes to start, and to end, is not what is looked at here."""


def test_a_variable_that_is_set_to_nothing_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MASKWATCH_REDIS_URL", "")
    assert load_settings().redis_url is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("frames_mib", "15"),
        ("partitions", "0"),
        ("partitions", "65"),
        ("live_backlog", "0"),
        ("frames_mib", "much"),
        ("redis_prefix", "a:b"),
        ("camera_dwell_s", "-1"),
    ],
)
def test_settings_out_of_range_are_wrong_calls(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"MASKWATCH_{name.upper()}", value)
    with pytest.raises(UsageError, match=name):
        load_settings()


def test_two_ways_to_one_data_folder_lead_to_one_place_in_shared_memory(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "link").symlink_to("data")
    direct, linked, other = (
        Places.of(load_settings(data_dir=tmp_path / name)).shared for name in ("data", "link", "other")
    )
    assert direct == linked
    assert direct != other
    assert direct.name.startswith(f"maskwatch-{os.getuid()}-")


def test_every_setting_reaches_the_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty or lower-case variable of the person's must not speak over what the supervisor says."""
    settings = load_settings(data_dir=tmp_path, fps=7.5, partitions=3, database_url="postgresql://me:pw@db/mw")
    monkeypatch.setenv("maskwatch_fps", "2")
    environment = worker_environment(settings, Places.of(settings), "redis://host", "run")
    for name in [name for name in os.environ if name.upper().startswith("MASKWATCH_")]:
        monkeypatch.delenv(name)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    expected = {"redis_url": "redis://host", "media_dir": tmp_path / "media"}
    assert load_settings().model_dump() == settings.model_dump() | expected
    assert database_url(load_settings()) == "postgresql://me:pw@db/mw"


def test_workers_spare_memory_unless_the_person_says_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MALLOC_ARENA_MAX", "7")
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    environment = worker_environment(load_settings(), Places.of(load_settings()), "redis://host", "run")
    assert (environment["MALLOC_ARENA_MAX"], environment["OPENBLAS_NUM_THREADS"]) == ("7", "1")


def test_there_is_an_aggregator_for_each_partition() -> None:
    settings = load_settings(partitions=3, jobs_workers=2)
    names = [name for name, _ in worker_names(settings)]
    live = ["ingest-0", "detect-0", "classify-0", "aggregate-0", "aggregate-1", "aggregate-2"]
    assert names == [*live, "jobs-0", "jobs-1", "beat-0", "api-0"]
    assert [partition_of(name, settings) for name in names[3:6]] == [0, 1, 2]
    for wrong in ("aggregate-3", "aggregate", "aggregate-x"):
        with pytest.raises(UsageError, match="aggregate-0 to aggregate-2"):
            partition_of(wrong, settings)
    part = worker_commands(settings, [Role.DETECT, Role.CLASSIFY])
    assert [worker.name for worker in part] == ["detect-0", "classify-0"]


@pytest.mark.parametrize(
    ("call", "status", "told"),
    [
        (["serve", "cook"], 2, "there is no role 'cook'"),
        (["serve", "detect"], 2, "no Redis: set MASKWATCH_REDIS_URL"),
        (["serve", "api", "--host", "192.0.2.1"], 2, "no address of this machine"),
        (["up", "--host", "everywhere"], 2, "give an IP address of this machine"),
        (["up", "--port", "65536"], 2, ""),
    ],
)
def test_calls_that_can_t_work_are_told(
    call: list[str], status: int, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(call) == status
    error = capsys.readouterr().err
    assert told in error
    assert "Traceback" not in error


@pytest.mark.parametrize("role", ["classify", "aggregate", "ingest"])
def test_a_role_served_alone_beats_and_stops_when_asked(role: str, redis: str, tmp_path: Path) -> None:
    settings = load_settings(redis_url=redis)
    places = Places.of(settings)
    places.shared.mkdir(mode=0o700)
    environment = os.environ | {"MASKWATCH_REDIS_URL": redis}
    bus = Bus(redis)
    try:
        create_store(places.frames, 16)
        places.data.mkdir()
        with subprocess.Popen(
            [MASKWATCH, "serve", role], env=environment, stderr=subprocess.PIPE, text=True
        ) as process:
            until(
                lambda: any(name.startswith(f"{role}-") for name in bus.heartbeats()) or process.poll() is not None,
                START_S,
            )
            [beat] = bus.heartbeats().values()
            process.send_signal(signal.SIGTERM)
            _, told = process.communicate(timeout=END_S)
        assert process.returncode == 0, told
        assert beat.device == ("litert on cpu" if role == "classify" else None)
        with FrameStore(places.frames) as frames:
            assert beat.store == frames.identity
        assert bus.heartbeats() == {}, "who ends in order says so"
        assert [json.loads(line)["event"] for line in told.splitlines()][-1] == "stopped"
    finally:
        bus.close()
        remove_shared(places)


def test_an_ingest_process_counts_anew_what_is_shed_of_its_own_cameras(redis: str) -> None:
    settings = load_settings(redis_url=redis, ingests=2, frame_store="redis")
    set_up(settings, [])
    with closing_engine(settings) as engine:
        sites = system_sites(engine, settings)
        for number in range(8):
            sites.add_camera(
                NewCamera(f"Hall {number}", BUILDING, "rtsp://127.0.0.1:1/", enabled=False, id=f"c{number}")
            )
        names = [camera.id for camera in sites.cameras()]
    own = [name for name in names if Options("", None, number=1, ingests=2).mine(name)]
    assert 0 < len(own) < len(names)
    environment = os.environ | {
        "MASKWATCH_REDIS_URL": redis,
        "MASKWATCH_INGESTS": "2",
        "MASKWATCH_FRAME_STORE": "redis",
    }
    with closing(Bus(redis)) as bus:
        bus.faces_queue("classify-0").done([], messages=[Lost(name, 1, 0, 2, 0) for name in names])
        with subprocess.Popen([MASKWATCH, "serve", "ingest", "--number", "1"], env=environment) as process:
            until(lambda: bus.heartbeats() or process.poll() is not None, START_S)
            process.send_signal(signal.SIGTERM)
            assert process.wait(END_S) == 0
        assert bus.shed_by_classify(names) == {name: 3 for name in names if name not in own}


def test_roles_that_start_together_make_one_frame_store(redis: str) -> None:
    settings = load_settings(redis_url=redis, redis_prefix="shared", frames_mib=16)
    places = Places.of(settings)
    environment = os.environ | {
        "MASKWATCH_REDIS_URL": redis,
        "MASKWATCH_REDIS_PREFIX": "shared",
        "MASKWATCH_FRAMES_MIB": "16",
    }
    bus, other = Bus(redis, prefix="shared"), Bus(redis)
    roles = ("classify", "aggregate", "ingest")
    processes = [subprocess.Popen([MASKWATCH, "serve", role], env=environment) for role in roles]
    try:
        until(
            lambda: (
                set(roles) <= {name.partition("-")[0] for name in bus.heartbeats()}
                or any(process.poll() is not None for process in processes)
            ),
            90.0,
        )
        assert not other.heartbeats()
        for process in processes:
            process.send_signal(signal.SIGTERM)
        assert [process.wait(END_S) for process in processes] == [0, 0, 0]
        assert places.snapshots.stat().st_mode & 0o777 == places.data.stat().st_mode & 0o777 == 0o700
    finally:
        for process in processes:
            process.kill()
        bus.close()
        other.close()
        remove_shared(places)


def test_a_folder_of_somebody_else_s_is_no_shared_memory() -> None:
    places = Places.of(load_settings())
    places.shared.symlink_to("/")
    try:
        with pytest.raises(SetupError, match="belongs to somebody else"), shared_alone(places):
            pytest.fail("unreachable")
    finally:
        places.shared.unlink()


@pytest.mark.parametrize("own", [True, False])
def test_up_may_speak_for_all_cameras(own: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def system(settings: Settings, **_: object) -> None:
        asked.append((settings.camera_dwell_s, settings.camera_min_face_px))
        raise UsageError("enough")

    monkeypatch.setattr("infra.commands.up.System", system)
    run(["up"] if own else ["up", "--dwell", "2.5", "--min-face", "40"])
    assert asked == [(None, None) if own else (2.5, 40)]
