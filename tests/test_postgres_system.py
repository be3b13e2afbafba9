"""PostgreSQL in place of SQLite: the API's tests once more on it, and the whole system as a person starts it."""

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text

from infra.demo.clips import write_clip
from infra.demo.script import small_clip
from storage.database.engine import open_engine, reading
from tests.api_server import wait_for
from tests.postgres import Postgres, postgres_fixture  # noqa: F401
from tests.test_up import Up

ROOT = Path(__file__).parent.parent
LIMIT_S = 1800.0
SOON_S = 180.0

MODULES = (
    "test_api.py",
    "test_api_sites.py",
    "test_api_cameras.py",
    "test_api_facts.py",
    "test_api_hostile.py",
    "test_review_api.py",
    "test_review_export.py",
    "test_login.py",
    "test_access_matrix.py",
    "test_overview.py",
    "test_stream.py",
    "test_weekly.py",
)
"""Those whose API stands on one database; others use both kinds by themselves."""


@pytest.mark.slow
def test_the_api_passes_the_same_tests_on_postgresql(postgres: Postgres, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n", "2", "-p", "no:cacheprovider", "--tb=short",
         f"--basetemp={tmp_path / 'inner'}", *(f"tests/{name}" for name in MODULES)],
        cwd=ROOT,
        env=os.environ | {"MASKWATCH_TEST_POSTGRES": str(postgres.folder)},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    assert " passed" in done.stdout


@pytest.mark.slow
def test_the_whole_system_runs_on_postgresql(
    postgres: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    media = tmp_path / "media"
    media.mkdir()
    write_clip(small_clip(960, 540, 12.0, 3), media / "entrance.mp4")
    url = postgres.new()
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    monkeypatch.setenv("MASKWATCH_DATABASE_URL", url)
    monkeypatch.setenv("MASKWATCH_MEDIA_DIR", str(media))
    up = Up()
    try:
        with httpx.Client(base_url=f"{up.url}/api/v1", timeout=20) as client:
            # Where it is about noon: no day ends while this runs.
            zone = f"Etc/GMT{datetime.now(UTC).hour - 12:+d}"
            building = client.post("/buildings", json={"name": "North", "timezone": zone}).json()["id"]
            policy = {"dwell_s": 0.2}
            body = {"name": "Door", "building_id": building, "url": "file:entrance.mp4", "policy": policy}
            answer = client.post("/cameras?check=false", json=body)
            assert answer.status_code == 201, answer.text

            def events() -> list[dict[str, object]]:
                found: list[dict[str, object]] = client.get("/events").raise_for_status().json()["items"]
                return found

            wait_for(lambda: bool(events()), SOON_S)
            event = events()[0]
            assert event["building_id"] == building
            # Its picture comes with it or a moment later.
            path = f"/events/{event['id']}/snapshot"
            wait_for(lambda: client.get(path).headers["content-type"] == "image/jpeg", SOON_S)
            wait_for(lambda: client.get("/overview").json()["today"]["tracks"] > 0, SOON_S)
            wait_for(lambda: all(check["ok"] for check in client.get("/health/ready").json()["checks"]), SOON_S)
        assert "trouble" not in up.stopped_by(signal.SIGTERM)
    finally:
        up.process.kill()
        up.process.communicate()
    # It is all there, and no SQLite file was made.
    engine = open_engine(url)
    with reading(engine) as connection:
        assert connection.execute(text("SELECT count(*) FROM event")).scalar_one() > 0
        assert connection.execute(text("SELECT count(*) FROM audit")).scalar_one() > 0
    engine.dispose()
    assert not list(up.places.data.glob("*.sqlite3*"))
