"""Cameras in the console: added with a look at them, regions drawn on their picture, changed, taken in as a list."""

import re
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from infra.rtsp.server import RtspServer
from ingest.answers import Grounds, run_answers
from storage.asking import NoAnswerError
from storage.messages import NS_PER_S
from storage.probing import still_of
from storage.pulse import Pulse
from storage.status import CameraState, CameraStatus, StateReason
from tests.api_server import Api, api_fixture, migrated_fixture  # noqa: F401
from tests.console_pages import LIMIT_MS, Console, browser_fixture, console_fixture  # noqa: F401

pytest_plugins = ("tests.rtsp_fixtures",)

PASSWORD = "geheim-47"  # noqa: S105
WITHIN = 0.02
CORNERS = [(0.2, 0.25), (0.7, 0.2), (0.8, 0.75), (0.3, 0.8)]


@pytest.fixture(name="looking")
def looking_fixture(api: Api) -> Iterator[None]:
    """An ingest process that connects to cameras when it is asked to."""
    pulse = Pulse()
    grounds = Grounds(api.context.sites, api.media, "private")
    thread = threading.Thread(
        target=run_answers, args=(api.context.asking, grounds, lambda: ["ready"], lambda _: None, pulse), daemon=True
    )
    thread.start()
    until_s = time.monotonic() + 30
    while True:
        try:
            api.context.asking.ask(still_of("ready"), b"", 5)
            break
        except NoAnswerError:
            assert time.monotonic() < until_s
    yield
    pulse.stop()
    thread.join()


@pytest.fixture(name="locked")
def locked_fixture(clip: Path) -> Iterator[RtspServer]:
    """A camera that asks for a password."""
    with RtspServer({"hall": clip}, user="admin", password=PASSWORD) as server:
        yield server


def without_login(server: RtspServer) -> str:
    return re.sub("//.*@", "//", server.url("hall"))


def fill(page: Page, name: str, url: str) -> None:
    page.get_by_label("Name").fill(name)
    page.get_by_label("Address", exact=True).fill(url)
    page.get_by_role("button", name="Add and check").click()


def place(picture: Locator, share: tuple[float, float]) -> tuple[float, float]:
    """Where a point of the picture is on the screen."""
    box = picture.bounding_box()
    assert box is not None
    return box["x"] + share[0] * box["width"], box["y"] + share[1] * box["height"]


def regions_of(api: Api, camera: str) -> Any:
    return api.get(f"/cameras/{camera}")["regions"]


def is_drawn(found: list[list[float]], wanted: list[tuple[float, float]]) -> bool:
    pairs = zip(found, wanted, strict=True)
    return all(abs(x - a) <= WITHIN and abs(y - b) <= WITHIN for (x, y), (a, b) in pairs)


@pytest.mark.usefixtures("looking")
def test_a_camera_is_added_seen_and_a_region_drawn_on_its_picture(
    api: Api, console: Console, locked: RtspServer
) -> None:
    api.building()
    page = console.open("cameras/new")
    fill(page, "Hall", locked.url("hall"))
    main = page.locator("main")
    for expected in (
        "It shows a picture",
        "H.264",
        "320 \N{MULTIPLICATION SIGN} 180 pixels",
        "Frames a second",
        "Time to first frame",
    ):
        expect(main).to_contain_text(expected, timeout=LIMIT_MS)
    expect(page.get_by_role("img", name="What Hall shows")).to_be_visible()
    page.get_by_role("link", name="Draw regions").click()
    picture = page.get_by_role("img", name="What Hall shows")
    expect(page.locator(".canvas svg")).to_have_attribute("viewBox", "0 0 320 180")
    page.locator(".canvas").scroll_into_view_if_needed()

    page.get_by_role("button", name="Watch a part").click()
    page.mouse.click(*place(picture, (0.05, 0.05)))
    page.get_by_role("button", name="Undo").click()
    for corner in CORNERS:
        page.mouse.click(*place(picture, corner))
    page.keyboard.press("Enter")
    # One corner is pulled to another place.
    page.mouse.move(*place(picture, CORNERS[2]))
    page.mouse.down()
    page.mouse.move(*place(picture, (0.85, 0.85)), steps=4)
    page.mouse.move(*place(picture, (0.9, 0.9)))
    page.mouse.up()
    page.get_by_role("button", name="Save regions").click()
    expect(page.get_by_text("Saved.")).to_be_visible()
    camera = api.get("/cameras")["items"][0]
    assert camera["url"].startswith("rtsp://admin:***@")
    (region,) = camera["regions"]
    assert region["mode"] == "watch"
    assert is_drawn(region["points"], [*CORNERS[:2], (0.9, 0.9), CORNERS[3]])

    page.get_by_role("button", name="Ignore a part").click()
    for corner in [(0.1, 0.1), (0.2, 0.1)]:
        page.mouse.click(*place(picture, corner))
    page.mouse.dblclick(*place(picture, (0.15, 0.2)))
    page.mouse.click(*place(picture, (0.15, 0.12)))
    page.keyboard.press("Delete")
    expect(page.locator(".canvas polygon")).to_have_count(1)
    expect(page.get_by_text("Nothing changed")).to_be_visible()
    assert PASSWORD not in page.content()
    assert console.trouble == []


@pytest.mark.usefixtures("looking")
@pytest.mark.slow
def test_a_camera_that_cannot_be_reached_says_why_and_what_to_do(
    api: Api, console: Console, locked: RtspServer
) -> None:
    api.building()
    page = console.open("cameras/new")
    fill(page, "Hall", without_login(locked))
    notice = page.get_by_role("status").filter(has_text="No picture: wrong user name or password")
    expect(notice).to_be_visible(timeout=LIMIT_MS)
    expect(notice).to_contain_text("Set user and password right under Settings.")
    page.get_by_role("link", name="Settings").click()
    page.get_by_label("Address", exact=True).fill(locked.url("hall"))
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_label("Address", exact=True)).to_have_value(re.compile(r"^rtsp://admin:\*\*\*@"))
    page.get_by_role("link", name="Now").click()
    page.get_by_role("button", name="Check now").click()
    expect(page.locator("main")).to_contain_text("It shows a picture", timeout=LIMIT_MS)

    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    gone = api.camera(api.get("/buildings")["items"][0]["id"], "Gone", url=f"rtsp://127.0.0.1:{port}/1")
    console.open(f"cameras/{gone}")
    page.get_by_role("button", name="Check now").click()
    expect(page.locator("main")).to_contain_text("No picture: connection refused", timeout=LIMIT_MS)
    assert console.trouble == []


@pytest.mark.slow
def test_the_list_says_how_each_fares_and_is_filtered(api: Api, console: Console) -> None:
    north, south = api.building(), api.building("South")
    zone = api.post(f"/buildings/{north}/zones", {"name": "Lobby"})["id"]
    door, gate = api.camera(north, "Door", zone_id=zone), api.camera(south, "Gate")
    now_ns = time.time_ns()
    api.says(door, CameraStatus(CameraState.LIVE, None, now_ns, 25.0, 5.0, now_ns, "rtcp"))
    since_ns = now_ns - 60 * NS_PER_S
    reason = StateReason.WRONG_PASSWORD
    api.says(gate, CameraStatus(CameraState.BACKING_OFF, reason, since_ns, 0.0, 0.0, None, "arrival"))
    page = console.open("cameras")
    rows = page.get_by_role("row")
    expect(rows.filter(has_text="Door")).to_contain_text("North, Lobby")
    expect(rows.filter(has_text="Door")).to_contain_text("Too little seen yet")
    expect(rows.filter(has_text="Gate")).to_contain_text("Trying again: wrong user name or password, for 1")
    page.get_by_label("Show").select_option(label="Without picture")
    expect(rows).to_have_count(2)
    console.open("cameras?building=" + north)
    page.get_by_label("Zone").select_option(label="Lobby")
    expect(page.get_by_role("link", name="Door")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("link", name="Export").click()
    assert download.value.suggested_filename == "cameras.csv"
    assert console.trouble == []


@pytest.mark.slow
def test_settings_are_saved_and_who_was_faster_is_said(api: Api, console: Console) -> None:
    camera = api.camera(api.building(), "Door")
    page = console.open(f"cameras/{camera}/settings")
    page.get_by_label("Looks a second").fill("8")
    page.get_by_label("Worn incorrectly").uncheck()
    page.get_by_label("Passages are counted at all times").uncheck()
    page.get_by_label("Fri").uncheck()
    page.get_by_label("To", exact=True).fill("16:30")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Nothing changed")).to_be_visible()
    found = api.get(f"/cameras/{camera}")
    assert (found["analyze_fps"], found["policy"]["labels"]) == (8, ["without_mask"])
    assert found["policy"]["hours"] == [{"days": ["mon", "tue", "wed", "thu"], "from": "08:00", "to": "16:30"}]

    page.get_by_label("Smallest face, in pixels").fill("40")
    api.client.patch(f"/api/v1/cameras/{camera}", json={"name": "Side door"})
    page.get_by_role("button", name="Save").click()
    notice = page.get_by_role("alert")
    expect(notice).to_contain_text("this machine changed this camera on")
    expect(notice).to_contain_text("Changed there: name.")
    expect(page.get_by_label("Name")).to_have_value("Side door")
    expect(page.get_by_label("Smallest face, in pixels")).to_have_value("40")
    page.get_by_role("button", name="Save mine").click()
    expect(page.get_by_text("Nothing changed")).to_be_visible()
    found = api.get(f"/cameras/{camera}")
    assert (found["name"], found["min_face_px"]) == ("Side door", 40)
    assert console.trouble == []


@pytest.mark.slow
def test_a_camera_is_archived_and_restored(api: Api, console: Console) -> None:
    camera = api.camera(api.building(), "Door")
    page = console.open(f"cameras/{camera}")
    page.get_by_role("button", name="Archive").click()
    page.get_by_role("dialog").get_by_role("button", name="Archive").click()
    expect(page.get_by_role("heading", name="No camera is registered yet")).to_be_visible()
    console.open(f"cameras/{camera}")
    expect(page.locator("main")).to_contain_text("This camera was archived on")
    page.locator("main").get_by_role("button", name="Restore").click()
    expect(page.locator("main")).not_to_contain_text("This camera was archived on")
    assert api.get(f"/cameras/{camera}")["archived_at"] is None


@pytest.mark.slow
@pytest.mark.usefixtures("looking")
def test_regions_are_typed_without_a_mouse(api: Api, console: Console, locked: RtspServer) -> None:
    camera = api.camera(api.building(), "Door", url=locked.url("hall"))
    page = console.open(f"cameras/{camera}/regions")
    page.get_by_role("button", name="Add a region to type in").press("Enter")
    page.get_by_label("Corner 1, from the left in %").fill("12.5")
    page.get_by_label("Corner 1, from the left in %").press("Tab")
    page.get_by_label("This part is").select_option(label="Ignored")
    page.get_by_role("button", name="Remove corner 4").press("Enter")
    page.get_by_role("button", name="Save regions").press("Enter")
    expect(page.get_by_text("Nothing changed")).to_be_visible()
    assert regions_of(api, camera) == [{"mode": "ignore", "points": [[0.125, 0.25], [0.75, 0.25], [0.75, 0.75]]}]


@pytest.mark.slow
def test_a_list_is_tried_first_and_then_taken_in(api: Api, console: Console, tmp_path: Path) -> None:
    api.building()
    path = tmp_path / "cameras.csv"
    path.write_text(f"name,building,url\nDoor,North,rtsp://admin:{PASSWORD}@127.0.0.1:9/1\nYard,South,oops\n")
    page = console.open("cameras/import")
    page.get_by_label("List").set_input_files(path)
    expect(page.get_by_role("alert")).to_contain_text("Nothing was taken")
    path.write_text(f"name,building,url\nDoor,North,rtsp://admin:{PASSWORD}@127.0.0.1:9/1\n")
    page.get_by_label("List").set_input_files(path)
    row = page.get_by_role("row").filter(has_text="Door")
    expect(row).to_contain_text("New")
    expect(row).to_contain_text("rtsp://admin:***@127.0.0.1:9/1")
    assert api.get("/cameras")["items"] == []
    page.get_by_role("button", name="Apply to 1 camera").click()
    expect(page.get_by_role("heading", name="Done: 1 camera")).to_be_visible()
    assert [one["name"] for one in api.get("/cameras")["items"]] == ["Door"]


@pytest.mark.slow
def test_buildings_and_zones_are_set_up(api: Api, console: Console) -> None:
    page = console.open("cameras/new")
    page.get_by_role("button", name="Add a building").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill("North")
    dialog.get_by_label("Time zone").select_option("Asia/Kolkata")
    dialog.get_by_role("button", name="Save").click()
    expect(page.get_by_role("button", name="Add and check")).to_be_visible()
    console.open("cameras/buildings")
    page.get_by_label("New zone").fill("Lobby")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Lobby", exact=True)).to_be_visible()
    page.get_by_role("button", name="Change North").click()
    expect(dialog.get_by_label("Spot checks, in % of passages")).to_have_value("0")
    dialog.get_by_label("Spot checks, in % of passages").fill("2.5")
    expect(dialog).to_contain_text("It is also of people who did nothing wrong")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_have_count(0)
    (building,) = api.get("/buildings")["items"]
    assert (building["timezone"], building["spot_share"]) == ("Asia/Kolkata", 0.025)
    assert console.trouble == []


@pytest.mark.slow
@pytest.mark.usefixtures("looking")
def test_the_pages_of_cameras_are_fit_for_everybody(api: Api, console: Console, locked: RtspServer) -> None:
    camera = api.camera(api.building(), "Door", url=locked.url("hall"), regions=[{"mode": "watch", "points": CORNERS}])
    for part in ("", f"/{camera}/regions", f"/{camera}/settings", f"/{camera}/suitability", "/new", "/buildings"):
        console.check(f"cameras{part}")
