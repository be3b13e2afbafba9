"""A system keeps passwords of cameras encrypted, with a key in its data folder or one that is set; nobody is shown them."""

import json
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import update

from infra.places import Places, database_url
from infra.settings import load_settings
from infra.sites import sealed_sites, system_sites
from infra.system.workers import worker_environment
from storage.database.engine import migrate, open_engine, writing
from storage.database.models import CameraRow

Call = Callable[..., tuple[int, str, str]]

URL = "rtsp://admin:geheim@10.0.0.5/1"
SHOWN = "rtsp://admin:***@10.0.0.5/1"


@pytest.fixture
def data(maskwatch: Call, tmp_path: Path) -> Path:
    """The data folder of a system with a building."""
    assert maskwatch("building", "add", "North", "--timezone", "UTC")[0] == 0
    return tmp_path / "data"


def passwords_in(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob("*") if path.is_file() and b"geheim" in path.read_bytes()]


def test_a_camera_s_password_is_in_no_file(maskwatch: Call, data: Path) -> None:
    status, out, err = maskwatch("camera", "add", "Door", URL, "--no-check", "--json")
    assert (status, err, json.loads(out)["url"]) == (0, "", SHOWN)
    assert passwords_in(data) == []
    key = Places.of(load_settings()).secret_key
    assert key == data / "secret.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    shown = maskwatch("camera", "list")[1] + maskwatch("camera", "show", "c1")[1]
    assert "geheim" not in shown
    assert SHOWN in shown


def test_without_passwords_no_key_is_made(maskwatch: Call, data: Path) -> None:
    assert maskwatch("camera", "add", "Door", "rtsp://10.0.0.5/1", "--no-check")[0] == 0
    assert not (data / "secret.key").exists()


def test_what_an_earlier_version_left_is_encrypted_at_the_next_start(maskwatch: Call, data: Path) -> None:
    maskwatch("camera", "add", "Door", "rtsp://10.0.0.5/1", "--no-check")
    engine = open_engine(database_url(load_settings()))
    with writing(engine) as connection:
        connection.execute(update(CameraRow).values(url=URL))
    assert passwords_in(data) != []
    complaints: list[str] = []
    sites = sealed_sites(engine, load_settings(), complaints.append)
    assert (sites.camera("c1").url, complaints) == (URL, [])
    engine.dispose()
    assert passwords_in(data) == []


def test_a_lost_key_is_told_for_the_camera_that_needs_it(maskwatch: Call, data: Path) -> None:
    maskwatch("camera", "add", "Door", URL, "--no-check")
    (data / "secret.key").unlink()
    status, out, _ = maskwatch("camera", "list", "--json")
    assert status == 0
    assert json.loads(out)["url"] == SHOWN
    assert f"the key {data / 'secret.key'} is missing: put it back" in json.loads(out)["trouble"]


def test_a_key_that_is_none_is_told_and_stops_nobody_who_needs_it_not(
    maskwatch: Call, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    maskwatch("camera", "add", "Door", "rtsp://10.0.0.5/1", "--no-check")
    engine = open_engine(database_url(load_settings()))
    with writing(engine) as connection:
        connection.execute(update(CameraRow).values(url=URL))
    engine.dispose()
    monkeypatch.setenv("MASKWATCH_SECRET_KEY", "geheim")
    status, out, err = maskwatch("camera", "list")
    assert (status, SHOWN in out) == (0, True)
    assert "MASKWATCH_SECRET_KEY holds no key (32 bytes in base64): make one with" in err
    status, _, err = maskwatch("camera", "add", "Gate", URL, "--no-check")
    assert status == 1
    assert "geheim" not in err
    assert not (data / "secret.key").exists()


def test_migrate_encrypts_everything_with_the_newest_key(
    maskwatch: Call, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    monkeypatch.setenv("MASKWATCH_SECRET_KEY", old)
    assert maskwatch("camera", "add", "Door", URL, "--no-check")[0] == 0
    monkeypatch.setenv("MASKWATCH_SECRET_KEY", f"{new},{old}")
    assert maskwatch("migrate")[0] == 0
    # Read as the API reads it, which encrypts nothing anew.
    for key, readable in ((new, True), (old, False)):
        monkeypatch.setenv("MASKWATCH_SECRET_KEY", key)
        engine = open_engine(database_url(load_settings()))
        assert (system_sites(engine, load_settings()).camera("c1").url == URL) is readable
        engine.dispose()


def test_every_worker_has_the_key_that_is_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, maskwatch: Call) -> None:
    key = Fernet.generate_key().decode()
    monkeypatch.setenv("MASKWATCH_SECRET_KEY", key)
    settings = load_settings()
    environment = worker_environment(settings, Places.of(settings), "redis://host", "run")
    assert environment["MASKWATCH_SECRET_KEY"] == key
    assert key not in repr(settings)
    maskwatch("building", "add", "North", "--timezone", "UTC")
    maskwatch("camera", "add", "Door", URL, "--no-check")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    engine = open_engine(database_url(load_settings()))
    migrate(engine)
    assert system_sites(engine, load_settings()).camera("c1").url == URL
    engine.dispose()
    assert not (tmp_path / "data" / "secret.key").exists()
