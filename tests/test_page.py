"""The page: today's numbers, camera states and latest snapshots, for people, with nothing from anywhere else."""

import html
import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from api.page import FILES, FRESH_S
from storage.bus import Bus
from storage.database.engine import writing
from storage.database.records import NewCamera
from storage.database.sites import Sites
from storage.messages import NS_PER_S
from storage.status import CameraState, CameraStatus, StateReason
from storage.words import Label
from tests.api_server import Api, api_fixture, migrated_fixture, wait_for  # noqa: F401

JPEG = b"\xff\xd8\xff\xe0 a picture"


def state(api: Api) -> dict[str, Any]:
    """What the page shows, asked for after whatever came before."""
    time.sleep(FRESH_S)
    answer = api.client.get("/page/state")
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def busy(api: Api) -> None:
    """Two buildings in different time zones; passages of today in both; one camera that is away."""
    north, south = api.building("North", "Europe/Berlin"), api.building("South & <b>East</b>", "Asia/Kolkata")
    door, gate = api.camera(north, "Door"), api.camera(south, "Gate")
    now_ns = time.time_ns()
    for label in (Label.WITH_MASK, Label.WITH_MASK, Label.UNKNOWN):
        api.passage(door, now_ns, label)
    api.passage(gate, now_ns - NS_PER_S, Label.WITHOUT_MASK, picture=JPEG)
    api.passage(gate, now_ns, Label.INCORRECT_MASK, picture=JPEG + b"2", closed=False)
    api.passage(door, now_ns - 3 * 86400 * NS_PER_S, Label.WITHOUT_MASK)
    api.says(door, CameraStatus(CameraState.LIVE, None, now_ns, 25.0, 5.0, now_ns, "rtcp"))
    api.says(gate, CameraStatus(CameraState.BACKING_OFF, StateReason.WRONG_PASSWORD, now_ns, 0.0, 0.0, None, "arrival"))
    api.beat("detect-0")
    api.beat("aggregate-0", "the disk is full: events wait")


def test_the_page_shows_today_in_each_building_s_own_day(api: Api) -> None:
    busy(api)
    found = state(api)
    assert found["today"] == {
        "tracks": 4,
        "with_mask": 2,
        "without_mask": 1,
        "incorrect_mask": 0,
        "unknown": 1,
        "open_tracks": 1,
        "events": 2,
        "compliance_rate": 0.6667,
        "interval": [0.2077, 0.9385],
    }
    assert [(line["name"], line["numbers"]["tracks"]) for line in found["buildings"]] == [
        ("North", 3),
        ("South & <b>East</b>", 1),
    ]


def test_the_page_shows_how_cameras_fare_and_the_latest_pictures(api: Api) -> None:
    busy(api)
    found = state(api)
    door, gate = found["cameras"]
    assert (door["name"], door["building"], door["status"]["state"]) == ("Door", "North", "live")
    assert (gate["name"], gate["status"]["reason"]) == ("Gate", "wrong_password")
    latest, first = found["pictures"]
    assert (latest["type"], latest["ongoing"], latest["camera"]) == ("incorrect_mask", True, "Gate")
    assert (first["type"], first["ongoing"], first["timezone"]) == ("without_mask", False, "Asia/Kolkata")
    assert api.client.get(latest["url"]).content == JPEG + b"2"


def test_a_better_picture_is_another_version(api: Api) -> None:
    camera = api.camera(api.building())
    number = api.passage(camera, label=Label.WITHOUT_MASK, picture=JPEG, closed=False)
    before = state(api)["pictures"][0]
    api.passage(camera, label=Label.WITHOUT_MASK, picture=JPEG + b" better", closed=False, number=number)
    after = state(api)["pictures"][0]
    assert before["url"] == after["url"]
    assert before["version"] != after["version"]


def test_what_a_worker_waits_for_is_said_on_the_page(api: Api) -> None:
    busy(api)
    assert state(api)["trouble"] == ["aggregate-0: the disk is full: events wait"]


def test_without_the_bus_the_facts_are_still_shown(api: Api) -> None:
    busy(api)
    object.__setattr__(api.context, "bus", Bus("unix:///nowhere/redis.sock"))
    found = state(api)
    assert found["today"]["tracks"] == 4
    assert [camera["status"] for camera in found["cameras"]] == [None, None]
    assert "MASKWATCH_REDIS_URL" in found["trouble"][0]


def test_without_the_database_the_page_gets_the_reason(api: Api) -> None:
    with writing(api.context.engine) as connection:
        connection.execute(text("DROP TABLE event"))
    answer = api.client.get("/page/state")
    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/database-unavailable")


def test_a_system_that_is_still_empty_has_a_page(api: Api) -> None:
    found = state(api)
    assert (found["buildings"], found["cameras"], found["pictures"]) == ([], [], [])
    assert found["today"]["compliance_rate"] is None


def test_an_archived_camera_is_gone_but_its_pictures_keep_its_name(api: Api) -> None:
    busy(api)
    api.context.sites.archive_camera("c2")
    found = state(api)
    assert [camera["name"] for camera in found["cameras"]] == ["Door"]
    assert found["pictures"][0]["camera"] == "Gate"


def test_however_many_look_the_database_is_asked_once(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    buildings = api.context.sites.buildings
    monkeypatch.setattr(
        api.context.sites,
        "buildings",
        lambda **options: asked.append(options) or buildings(**options),  # type: ignore[func-returns-value]
    )
    began_s = time.monotonic()
    answers = [api.client.get("/page/state").content for _ in range(10)]
    rounds = 1 + (time.monotonic() - began_s) // FRESH_S
    assert len(set(answers)) <= rounds
    assert len(asked) <= 2 * rounds


def test_the_page_runs_nothing_but_its_own_files(api: Api) -> None:
    answer = api.client.get("/")
    assert answer.headers["content-type"].startswith("text/html")
    policy = dict(part.strip().partition(" ")[::2] for part in answer.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert not re.search(r"<style|\son\w+=|\sstyle=|<script(?![^>]*\ssrc=)", answer.text)
    for address in re.findall(r'(?:src|href)="([^"]+)"', answer.text):
        assert api.client.get(address).status_code == 200, address


@pytest.mark.parametrize("file", sorted(path.name for path in FILES.iterdir()))
def test_no_file_of_the_page_reaches_out(api: Api, file: str) -> None:
    answer = api.client.get(f"/static/{file}")
    assert answer.status_code == 200
    kinds = {".css": "text/css", ".js": "javascript", ".html": "text/html", ".svg": "image/svg+xml"}
    assert kinds[Path(file).suffix] in answer.headers["content-type"]
    addresses = set(re.findall(r"(?:https?:)?//[a-z0-9][a-z0-9.-]+", answer.text))
    # A name, not an address: nothing is fetched from there.
    assert addresses <= {"http://www.w3.org"}
    assert "innerHTML" not in answer.text


def test_every_place_the_script_writes_to_is_on_the_page() -> None:
    page, script = (FILES / "index.html").read_text(), (FILES / "page.js").read_text()
    there = set(re.findall(r'id="([^"]+)"', page))
    numbers = re.search(r"NUMBERS = \[(.*)\]", script)
    assert numbers
    written = set(re.findall(r'\$\("([^"]+)"\)', script)) | set(re.findall(r'"([^"]+)"', numbers.group(1)))
    assert written <= there


def test_a_browser_shows_it(api: Api, tmp_path: Path) -> None:
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("there is no chromium here")
    busy(api)
    shown = ""

    def settled() -> bool:
        nonlocal shown
        options = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--virtual-time-budget=3000",
        ]
        done = subprocess.run(
            [chromium, *options, f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", str(api.client.base_url)],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        shown = done.stdout
        return "Up to date" in shown

    wait_for(settled, 60)
    words = html.unescape(re.sub(r"<[^>]+>", " ", shown))
    for expected in (
        "66.7 %",
        "95 % interval: 21 to 94 %",
        "Gate · South & <b>East</b>",
        "Trying again: wrong user name or password",
        "5.0 looks a second",
        "Worn incorrectly, in view now",
        "aggregate-0: the disk is full: events wait",
    ):
        assert expected in words
    assert shown.count("blob:") == 2


def test_a_camera_and_its_building_may_be_added_while_the_page_is_made(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    cameras = Sites.cameras

    def adding(self: Sites, *args: object, **options: object) -> object:
        self.add_building("South", "UTC", building_id="late")
        self.add_camera(NewCamera("Late", "late", "rtsp://10.0.0.5/1"))
        return cameras(self, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Sites, "cameras", adding)
    assert [camera["building"] for camera in state(api)["cameras"]] == ["South"]
