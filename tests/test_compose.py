"""What `docker-compose.yml`, `infra/Dockerfile` and `.dockerignore` say; that it works is in `test_compose_run.py`."""

import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.demo.serve import clips_in, register
from infra.joining import own_name, own_prefix
from infra.places import Places
from infra.post import Post
from infra.settings import Settings, load_settings
from infra.system.workers import Role
from storage.bus import Bus
from storage.database.engine import HEAD
from storage.errors import NotFoundError
from storage.framefile import BLOCK, pixels_start
from storage.media import media_files
from storage.pulse import Heartbeat, Pulse
from tests.compose import (
    DOCS,
    FILE,
    ROOT,
    VALUES,
    MissingVariableError,
    environment,
    mib,
    overrides,
    raw,
    resolve,
    resolved,
    strings,
)
from tests.conftest import Maskwatch

RAW = raw()
SERVICES = resolved()["services"]
OURS = [name for name, service in SERVICES.items() if str(service["image"]).startswith("maskwatch")]
ONCE = "migrate"
MIB = 1 << 20
SECRET = re.compile(r"PASSWORD|SECRET|TOKEN|AUTH|_KEY\b", re.IGNORECASE)
every_service = pytest.mark.parametrize("name", SERVICES)
every_one_of_ours = pytest.mark.parametrize("name", OURS)


def service(name: str) -> dict[str, Any]:
    found: dict[str, Any] = SERVICES[name]
    return found


def mounts(name: str) -> dict[str, str]:
    """Volumes by where they are."""
    return {place: volume for volume, place, *_ in (one.split(":") for one in service(name).get("volumes", []))}


def test_every_role_has_a_service() -> None:
    others = {"redis", "postgres", "migrate", "classify-gpu", "demo-cameras"}
    assert set(SERVICES) == {str(role) for role in Role} | others


@every_service
def test_a_container_has_few_rights(name: str) -> None:
    one = service(name)
    user = one["user"].split(":")[0]
    assert user.isdecimal()
    assert int(user) > 0
    assert one["read_only"] is True
    assert one["cap_drop"] == ["ALL"]
    assert one["security_opt"] == ["no-new-privileges:true"]
    assert one["tmpfs"], "a read-only file system needs somewhere to put what is temporary"
    assert not {"privileged", "cap_add", "devices", "pid", "ipc", "userns_mode"} & one.keys()
    assert "docker.sock" not in str(one)


@every_service
def test_a_container_has_limits(name: str) -> None:
    one = service(name)
    limits = one["deploy"]["resources"]["limits"]
    # An engine refuses more than the machine has.
    assert 0 < float(limits["cpus"]) <= 2
    assert 0 < mib(limits["memory"]) <= 8192
    assert limits["pids"] > 0
    assert one["logging"]["options"] == {"max-size": "10m", "max-file": "3"}
    assert all("size=" in mount for mount in one["tmpfs"])


@every_service
def test_a_container_ends_in_time_and_comes_back(name: str) -> None:
    one = service(name)
    assert one["init"] is True
    assert one["stop_grace_period"] == "10s"
    assert one["restart"] == ("no" if name == ONCE else "unless-stopped")


@every_service
def test_a_container_is_asked_how_it_is_without_a_shell(name: str) -> None:
    asked = service(name)["healthcheck"]
    if name == ONCE:
        assert asked == {"disable": True}
        return
    assert asked["test"][0] == "CMD"
    assert {"interval", "timeout", "retries", "start_period", "start_interval"} <= asked.keys()
    if name in OURS:
        assert asked["test"][1:3] == ["maskwatch", "health"]


@every_service
def test_whoever_is_needed_first_is_waited_for(name: str) -> None:
    waits = service(name).get("depends_on", {})
    for other, how in waits.items():
        assert how["condition"] == ("service_completed_successfully" if other == ONCE else "service_healthy")
        assert "profiles" not in service(other)
    known = environment(service(name)).keys()
    if "MASKWATCH_DATABASE_URL" in known:
        assert "postgres" in waits
        assert name == ONCE or ONCE in waits
    if "MASKWATCH_REDIS_URL" in known and name not in {ONCE, "demo-cameras"}:
        assert "redis" in waits


@every_one_of_ours
def test_our_settings_are_settings(name: str) -> None:
    known = {f"MASKWATCH_{field}".upper() for field in Settings.model_fields}
    assert {one for one in environment(service(name)) if one.startswith("MASKWATCH_")} <= known


@every_one_of_ours
def test_our_commands_are_there(name: str, maskwatch: Maskwatch) -> None:
    one = service(name)
    for program, *rest in (one["command"], *([one["healthcheck"]["test"][1:]] if "test" in one["healthcheck"] else [])):
        if program == "maskwatch":
            words = [word for word in rest if not word.startswith("-")]
            assert maskwatch(words[0], "--help")[0] == 0
            assert set(words[1:2]) <= {*Role, "cameras"}
        else:
            assert program in {"celery", "python"}


@pytest.mark.parametrize("variable", VALUES)
def test_without_a_secret_nothing_starts_and_it_is_said_what_to_do(variable: str) -> None:
    with pytest.raises(MissingVariableError, match=f"{variable}: .+head of docker-compose.yml"):
        resolved({**VALUES, variable: ""})


def test_no_secret_stands_in_the_file() -> None:
    for name, one in RAW["services"].items():
        for variable, value in environment(one).items():
            if SECRET.search(variable) or "://" in value:
                # The address of the console is none.
                assert ":?" in value or variable == "MASKWATCH_PUBLIC_URL", (name, variable)
        shown = " ".join(strings({key: value for key, value in one.items() if key != "environment"}))
        assert not re.search(r"\$\{\w*(PASSWORD|SECRET|KEY)", shown), f"{name}: lists of processes show its command"
    assert not [secret for secret in VALUES.values() if secret in FILE.read_text(encoding="utf-8")]


def test_the_api_alone_publishes_a_port_and_on_the_loopback() -> None:
    assert [name for name, one in SERVICES.items() if "ports" in one] == ["api"]
    assert service("api")["ports"] == ["127.0.0.1:8000:8000"]
    shared = {name: one["network_mode"] for name, one in SERVICES.items() if "network_mode" in one}
    assert shared == {"demo-cameras": "service:ingest"}


def test_everybody_logs_in() -> None:
    # Through the engine's proxy everybody may seem to come from the loopback.
    assert environment(service("api"))["MASKWATCH_LOGIN"] == "always"


def test_who_looks_at_pictures_reaches_neither_facts_nor_the_outside() -> None:
    for name in ("detect", "classify", "classify-gpu"):
        assert service(name)["networks"] == ["bus"]
        assert "data" not in mounts(name).values()
        assert not {"MASKWATCH_DATABASE_URL", "MASKWATCH_SECRET_KEY"} & environment(service(name)).keys()
    networks = RAW["networks"]
    assert [name for name in networks if not networks[name].get("internal")] == ["outside"]
    assert [name for name, one in SERVICES.items() if "outside" in one.get("networks", [])] == ["api", "ingest"]


def test_redis_keeps_nothing_and_evicts_nothing() -> None:
    redis = service("redis")
    line = shlex.split(redis["command"][2].split("<<")[0])
    options = dict(zip(line[3::2], line[4::2], strict=True))
    maxmemory = int(options.pop("--maxmemory").removesuffix("mb"))
    assert options == {"--save": "", "--appendonly": "no", "--maxmemory-policy": "noeviction"}
    # Where workers share no memory, pixels may take half of it.
    assert maxmemory >= 2 * int(environment(service("ingest"))["MASKWATCH_FRAMES_MIB"])
    assert mib(redis["deploy"]["resources"]["limits"]["memory"]) > maxmemory
    assert "volumes" not in redis
    assert any(one.startswith("/data:") for one in redis["tmpfs"]), "its image would make a volume there"
    assert int(re.fullmatch(r"redis:(\d+)\.\d+\.\d+-\w+", redis["image"])[1]) >= 7  # type: ignore[index]


def test_the_shared_memory_is_one_and_large_enough() -> None:
    volume = resolved()["volumes"]["shm"]["driver_opts"]
    options = dict(one.partition("=")[::2] for one in volume["o"].split(","))
    frames = int(environment(service("ingest"))["MASKWATCH_FRAMES_MIB"])
    assert (volume["type"], volume["device"]) == ("tmpfs", "tmpfs")
    assert mib(options["size"]) * MIB >= pixels_start(frames) + frames * BLOCK
    assert (options["uid"], options["gid"], options["mode"]) == ("10001", "10001", "0700")
    for name in ("ingest", "detect", "classify", "classify-gpu", "aggregate", "jobs"):
        assert mounts(name)["/shm"] == "shm"
        assert environment(service(name))["MASKWATCH_SHM_DIR"] == "/shm"
        # Its name in there is made from this.
        assert environment(service(name))["MASKWATCH_DATA_DIR"] == "/data"
    # What ingest makes is counted as its own.
    assert mib(service("ingest")["deploy"]["resources"]["limits"]["memory"]) > frames + 512


def test_the_system_is_ready_with_one_of_the_processes_for_jobs() -> None:
    # All that are there have the same number: of a second one with another the API would wait for ever.
    assert environment(service("api"))["MASKWATCH_JOBS_WORKERS"] == "1"
    assert int(service("jobs")["deploy"]["replicas"]) == 2


def test_the_gpu_is_in_its_profile_and_says_that_it_was_not_tried() -> None:
    assert {name: one["profiles"] for name, one in SERVICES.items() if "profiles" in one} == {
        "classify-gpu": ["gpu"],
        "demo-cameras": ["demo"],
    }
    gpu = service("classify-gpu")
    assert gpu["runtime"] == "nvidia"
    assert gpu["build"]["target"] == "gpu"
    assert (
        "NOT YET RUN ON A GPU" in FILE.read_text(encoding="utf-8").split("\n  classify-gpu:")[0].rpartition("\n\n")[2]
    )


def test_compose_itself_takes_the_file() -> None:
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode:
        pytest.skip("`docker compose config` was NOT run: there is no docker client with Compose on this machine")
    command = [docker, "compose", "--file", str(FILE), "--profile", "demo", "--profile", "gpu", "config", "--quiet"]
    done = subprocess.run(command, env={"PATH": "/usr/bin:/bin", **VALUES}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


class Stage:
    """A part of the Dockerfile, from one FROM to the next."""

    def __init__(self, text: str) -> None:
        head, _, body = text.partition("\n")
        self.base, self.name = (str(part) for part in head.split(" AS "))
        joined = re.sub(r"\\\n\s*", " ", re.sub(r"(?m)^\s*#.*\n", "", body))
        self.lines = [line.strip() for line in joined.splitlines() if line.strip()]

    def of(self, word: str) -> list[str]:
        return [line.removeprefix(f"{word} ") for line in self.lines if line.startswith(f"{word} ")]


def stages() -> dict[str, Stage]:
    text = (ROOT / "infra" / "Dockerfile").read_text(encoding="utf-8")
    found = [Stage(part) for part in re.split(r"(?m)^FROM ", text)[1:]]
    return {stage.name: stage for stage in found}


def ancestry(name: str) -> Iterator[Stage]:
    known = stages()
    while name in known:
        yield known[name]
        name = known[name].base


@pytest.mark.parametrize("target", sorted({SERVICES[name]["build"]["target"] for name in OURS}))
def test_a_final_image_is_somebody_without_rights_and_builds_nothing(target: str) -> None:
    parts = list(ancestry(target))
    users = [user for part in parts for user in part.of("USER")]
    assert users == ["10001:10001"]
    runs = [run for part in parts for run in part.of("RUN")]
    assert [found for run in runs for found in re.findall(r"apt-get install (.+?)\s+&&", run)] == [
        "--yes --no-install-recommends libegl1 libgles2"
    ]
    assert not any(tool in run for run in runs for tool in ("pip", "npm", "curl", "wget"))
    assert not any("/build " in copy or "/src" in copy for part in parts for copy in part.of("COPY"))


def test_what_is_installed_is_pinned() -> None:
    known = stages()
    for stage in known.values():
        assert stage.base in known or re.search(r":\d+\.\d+\.\d+[\w.-]*$", stage.base), stage.base
        for run in stage.of("RUN"):
            for part in run.split("&&"):
                if "pip install" in part:
                    assert "--no-deps" in part
                    assert "--require-hashes" in part or part.strip().endswith("/wheels/*.whl")
    locks = {lock for stage in known.values() for run in stage.of("RUN") for lock in re.findall(r"-r (\S+)", run)}
    assert locks == {f"requirements{kind}.lock" for kind in ("", "-setup", "-demo", "-train", "-console")}
    assert next(ancestry("runtime")).base == "person"


def test_no_secret_is_in_a_layer() -> None:
    text = (ROOT / "infra" / "Dockerfile").read_text(encoding="utf-8")
    assert not re.search(r"(?m)^(ARG|HEALTHCHECK)", text)
    assert not [line for line in text.splitlines() if SECRET.search(line) and not line.startswith("#")]


def test_the_console_is_copied_as_the_makefile_does() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    wanted = re.findall(r"cp \$\(SCRIPTS\)/(\S+) \$\(CONSOLE\)/(\S+)", makefile)
    run = " ".join(stages()["console"].of("RUN"))
    copied = re.findall(r"cp (\S+) /opt/maskwatch/share/maskwatch/console/(\S+)", run)
    assert wanted
    assert copied == wanted


def test_all_that_is_copied_is_let_through_and_no_more() -> None:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    let = {line[1:] for line in lines if line.startswith("!")}
    assert "*" in lines
    copied = set[str]()
    for stage in stages().values():
        for copy in stage.of("COPY"):
            if not copy.startswith("--from"):
                copied |= set(copy.split()[:-1])
    assert {source.split("/")[0] for source in copied} == let
    assert all((ROOT / source).exists() for source in copied)
    packages = re.search(r"packages = \[(.*)\]", (ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert packages is not None
    assert set(re.findall(r'"(\w+)"', packages[1])) <= let


def test_health_tells_a_worker_that_lives_from_one_that_waits_and_one_that_is_not_there(
    maskwatch: Maskwatch, redis: str, bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MASKWATCH_REDIS_URL", redis)
    status, out, err = maskwatch("health", "detect")
    assert (status, out) == (1, "")
    assert f"no sign of life of a worker {own_prefix(Role.DETECT)}...-0" in err
    # Elsewhere, or with another number, is somebody else.
    for name in ("detect-elsewhere-7-ab12-0", own_name(Role.DETECT, 1), own_name(Role.CLASSIFY, 0)):
        bus.beat(Heartbeat(name, 1, 0.0, 1))
    assert maskwatch("health", "detect")[0] == 1
    name = own_name(Role.DETECT, 0)
    bus.beat(Heartbeat(name, 1, 0.0, 1))
    status, out, err = maskwatch("health", "detect")
    assert status == 0
    assert f"{name} works" in err
    bus.beat(Heartbeat(name, 1, 0.0, 1, trouble="the disk is full"))
    status, out, err = maskwatch("health", "detect")
    assert (status, f"{name} waits: the disk is full" in err) == (1, True)
    assert maskwatch("health", "detect", "--name", "detect-elsewhere-7-ab12-0")[0] == 0


def test_health_of_who_is_not_there_ends_with_a_sentence(maskwatch: Maskwatch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MASKWATCH_REDIS_URL", "redis://:secret@127.0.0.1:1/0")
    for role, said in (("detect", "cannot reach Redis"), ("api", "does not answer"), ("cameras", "no camera answers")):
        status, out, err = maskwatch("health", role, "--port", "1")
        assert (status, out) == (1, "")
        assert said in err
        assert "secret" not in err
    assert maskwatch("health", "cook")[0] == 2


def test_migrate_makes_the_tables_once(maskwatch: Maskwatch) -> None:
    for _ in range(2):
        status, _, err = maskwatch("migrate")
        assert status == 0
        assert f"revision {HEAD}" in err


def test_the_demos_cameras_are_entered_once(tmp_path: Path) -> None:
    for name in ("ward.mp4", "entrance.mp4", "entrance.truth.json"):
        (tmp_path / name).touch()
    assert list(clips_in(tmp_path)) == ["entrance", "ward"]
    urls = {name: f"rtsp://127.0.0.1:8554/{name}" for name in clips_in(tmp_path)}
    assert register(load_settings(), urls) == ["entrance", "ward"]
    assert register(load_settings(), urls) == []
    with pytest.raises(NotFoundError, match=r"infra\.demo\.prepared"):
        clips_in(tmp_path / "none")


@pytest.mark.parametrize("name", ["detect", "classify", "classify-gpu", "jobs", "api"])
def test_who_reads_a_model_of_your_own_has_its_folder(name: str) -> None:
    """A job pins the model that `classify` runs, and reads it for that; people run commands in `api`."""
    assert "models:/models:ro" in service(name)["volumes"]


def test_what_another_box_asks_for_is_published_by_the_first() -> None:
    first, others = (overrides()[boxes] for boxes in ("the first box", "the other boxes"))
    published = set[str]()
    for name, more in first["services"].items():
        assert leads_out(name, more)
        [(address, own)] = [str(port).rsplit(":", 1) for port in more["ports"]]
        assert own == {"redis": "6379", "postgres": "5432"}[name]
        published.add(address)
    asked = set[str]()
    for name, more in others["services"].items():
        assert leads_out(name, more), f"{name} reaches nobody on another box"
        for value in (environment(service(name)) | environment(resolve(more))).values():
            asked |= set(re.findall(r"@([^/]+)", value))
    assert asked == published


def leads_out(name: str, more: dict[str, Any]) -> bool:
    """Whether a service is in a network that does not end at its box, as Compose merges two files."""
    assert more.keys() <= {"networks", "environment", "ports"}
    joined = {*service(name)["networks"], *more["networks"]}
    return any(not RAW["networks"][network].get("internal") for network in joined)


def test_all_boxes_have_their_data_in_one_place() -> None:
    first, others = (overrides()[boxes] for boxes in ("the first box", "the other boxes"))
    assert "/data" in mounts("jobs")
    assert first["volumes"] == others["volumes"]
    assert first["volumes"]["data"]["driver_opts"]["device"].startswith("/")


def test_the_documents_name_the_images_that_are_taken() -> None:
    licences = DOCS.read_text(encoding="utf-8").split("takes the images of ")[1]
    version = re.match(r"redis:(\d+\.\d+)\.", service("redis")["image"])
    assert version is not None
    # From 7.4 on it is another licence.
    assert licences.startswith(f"Redis {version[1]} (BSD-3-Clause), PostgreSQL")
    assert float(version[1]) < 7.4


@pytest.mark.parametrize("role", [Role.API, Role.JOBS])
def test_a_role_of_its_own_makes_the_folder_that_people_put_footage_in(role: Role, bus: Bus) -> None:
    settings = load_settings()
    places = Places.of(settings)
    with Post(role, "x-0", settings, places, bus, Pulse(), supervised=False, listening=None).database():
        assert media_files("", places.media) == []
