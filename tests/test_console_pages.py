"""The console in a real browser: what a person sees and does there, by mouse, by keyboard and by ear."""

import io
import os
import re
import time
from collections.abc import Iterator

import pytest
from PIL import Image
from playwright.sync_api import Browser, expect

from storage.database.accounts import Accounts
from storage.identity import Caller, Role
from storage.messages import NS_PER_S
from storage.preview import Picture, Previews
from storage.status import CameraState, CameraStatus, StateReason
from storage.words import Label
from tests.api_server import Api, api_fixture, midday_zones, migrated_fixture  # noqa: F401
from tests.console_pages import (
    Console,
    browser_fixture,  # noqa: F401
    console_fixture,  # noqa: F401
    console_of,
    told,
    try_again,
    wait_in,
)

SECRET = "correct horse 47"  # noqa: S105
HERE = Caller("local", "this machine", "local", Role.ADMIN)
MOST_AT_ONCE = 12
FIRST_VIEW_S = 1.0 if os.environ.get("MASKWATCH_PROOF") else 3.0
"""One second is asked of a machine that does nothing else."""
STAYED = {"X-Forwarded-For": "192.0.2.7"}
"""Not from this machine: who comes so has to log in."""


def busy(api: Api) -> tuple[str, str]:
    """Two buildings in different time zones; passages of today in both; one camera that is away."""
    here, there, *_ = midday_zones()
    north, south = api.building("North", here), api.building("South & <b>East</b>", there)
    door, gate = api.camera(north, "Door"), api.camera(south, "Gate")
    now_ns = time.time_ns()
    for label in (Label.WITH_MASK, Label.WITH_MASK, Label.UNKNOWN):
        api.passage(door, now_ns, label)
    api.passage(gate, now_ns - NS_PER_S, Label.WITHOUT_MASK)
    api.says(door, CameraStatus(CameraState.LIVE, None, now_ns, 25.0, 5.0, now_ns, "rtcp"))
    api.says(gate, CameraStatus(CameraState.BACKING_OFF, StateReason.WRONG_PASSWORD, now_ns, 0.0, 0.0, None, "arrival"))
    api.beat("detect-0")
    api.beat("aggregate-0", "the disk is full: events wait")
    return door, gate


def shows(api: Api, camera: str, colour: tuple[int, int, int]) -> None:
    """Let a camera's preview show one colour."""
    made = io.BytesIO()
    Image.new("RGB", (64, 36), colour).save(made, "JPEG")
    Previews(api.context.bus).put_picture(camera, Picture(time.time_ns(), 64, 36, made.getvalue()))


@pytest.fixture(name="stranger")
def stranger_fixture(browser: Browser, api: Api) -> Iterator[Console]:
    """A window that is not at this machine."""
    for console in console_of(browser, str(api.client.base_url)):
        console.page.set_extra_http_headers(STAYED)
        yield console


def test_the_overview_says_how_today_is_and_what_needs_somebody(api: Api, console: Console) -> None:
    busy(api)
    page = console.open("overview")
    main = page.locator("main")
    for expected in (
        "66.7\u202f%",
        "95\u202f% interval: 21 to 94\u202f%",
        "South & <b>East</b>",
        "1 camera without picture",
        "Trying again: wrong user name or password",
        "1 event waits for review",
        "aggregate-0: the disk is full: events wait",
    ):
        expect(main).to_contain_text(expected)
    expect(page.locator(".frame").get_by_text("Live", exact=True)).to_be_visible()
    api.passage(told(console, "/cameras")["items"][-1]["id"], label=Label.WITHOUT_MASK, at_ns=time.time_ns())
    # Nobody loads the page again: it hears of the event.
    expect(main).to_contain_text("2 events wait for review")
    assert console.trouble == []


@pytest.mark.slow
def test_a_system_that_is_still_empty_says_what_comes_first(api: Api, console: Console) -> None:
    page = console.open("overview")
    expect(page.get_by_role("heading", name="No camera is registered yet")).to_be_visible()
    page.get_by_role("link", name="Add a camera").click()
    expect(page).to_have_url(re.compile(r"#/cameras/new$"))


@pytest.mark.slow
def test_an_address_that_leads_nowhere_says_so(api: Api, console: Console) -> None:
    page = console.open("nowhere")
    expect(page.get_by_role("heading", level=1)).to_have_text("There is no page at this address")
    page.get_by_role("link", name="To the overview").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Overview")


@pytest.mark.slow
def test_when_the_server_is_away_what_was_known_stays_and_it_goes_on_by_itself(api: Api, console: Console) -> None:
    busy(api)
    page = console.open("overview")
    page.context.set_offline(True)
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    notice = page.locator(".notice")
    expect(notice).to_contain_text("The server can't be reached")
    expect(page.locator("main")).to_contain_text("66.7\u202f%")
    page.context.set_offline(False)
    try_again(notice)
    expect(notice).to_have_count(0)


def test_the_wall_shows_every_camera_and_one_of_them_large(api: Api, console: Console) -> None:
    door, _ = busy(api)
    shows(api, door, (200, 30, 30))
    page = console.open("wall")
    tiles = page.locator(".tile")
    expect(tiles).to_have_count(2)
    expect(tiles.filter(has_text="Door").locator("img")).to_be_visible()
    expect(tiles.filter(has_text="Gate")).to_contain_text("Trying again: wrong user name or password")
    tiles.filter(has_text="Door").focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Door")
    expect(dialog.get_by_role("img", name="What Door sees now")).to_be_visible()
    expect(dialog).to_contain_text("25.0 frames and 5.0 looks a second")
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("dialog", name="Gate")).to_contain_text("wrong user name or password")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.get_by_label("Show").select_option(label="Without picture")
    expect(tiles).to_have_count(1)
    expect(page).to_have_url(re.compile(r"#/wall\?show=down$"))
    assert console.trouble == []


@pytest.mark.slow
def test_everything_of_the_frame_is_reached_by_keyboard(api: Api, console: Console) -> None:
    page = console.open("overview")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the page")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    account = page.get_by_role("button", name="Account")
    account.focus()
    page.keyboard.press("Enter")
    expect(account).to_have_attribute("aria-expanded", "true")
    page.keyboard.press("Escape")
    expect(account).to_be_focused()
    expect(account).to_have_attribute("aria-expanded", "false")
    page.get_by_role("navigation").get_by_role("link", name="Wall").click()
    expect(page).to_have_title("Wall · Maskwatch")
    expect(page.locator("main")).to_be_focused()


@pytest.mark.slow
def test_light_or_dark_is_chosen_and_stays(api: Api, console: Console) -> None:
    console.theme("light")
    page = console.open("overview")
    page.get_by_role("button", name="Account").click()
    page.get_by_role("radio", name="Dark").check()
    ground = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(ground)
    page.reload()
    console.settle()
    assert page.evaluate(ground) == dark
    page.evaluate("window.maskwatchTheme.set('system')")
    assert page.evaluate(ground) != dark


def test_who_is_not_at_the_machine_logs_in_and_comes_where_they_wanted(api: Api, stranger: Console) -> None:
    busy(api)
    Accounts(api.context.engine).for_(HERE).add("Dana", Role.VIEWER, None, SECRET)
    page = stranger.open("wall?show=down")
    expect(page.get_by_role("heading", level=1)).to_have_text("Log in")
    page.get_by_label("Name").fill("Dana")
    page.get_by_label("Password").fill("not the password")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_have_text("This name and password do not go together.")
    page.get_by_label("Password").fill(SECRET)
    page.keyboard.press("Enter")
    expect(page.locator(".tile")).to_have_count(1)
    expect(page).to_have_url(re.compile(r"#/wall\?show=down$"))
    # A viewer is not offered what takes an administrator, and is told so where they go there all the same.
    expect(page.get_by_role("navigation").get_by_role("link", name="People and keys")).to_have_count(0)
    stranger.open("people")
    expect(page.get_by_role("heading", level=1)).to_have_text("You may not see this page")
    page.get_by_role("button", name="Account: Dana").click()
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Log in")
    assert page.context.cookies() == []
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_have_text("Log in")


@pytest.mark.slow
def test_a_one_time_link_sets_the_password_and_leads_in_once(api: Api, stranger: Console) -> None:
    accounts = Accounts(api.context.engine).for_(HERE)
    link = accounts.link(accounts.add("Dana", Role.VIEWER).id)
    page = stranger.open(f"link/{link.secret}")
    page.get_by_label("New password").fill("short")
    page.keyboard.press("Enter")
    expect(page.get_by_label("New password")).to_have_attribute("aria-invalid", "true")
    page.get_by_label("New password").fill(SECRET)
    page.get_by_label("The same password again").fill(SECRET)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Overview")
    assert link.secret not in page.url
    stranger.open(f"link/{link.secret}")
    page.get_by_label("New password").fill(SECRET)
    page.get_by_label("The same password again").fill(SECRET)
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("this link leads in no more", ignore_case=True)


@pytest.mark.slow
def test_a_wall_of_many_cameras_asks_for_what_is_in_view_and_for_twelve_at_once(api: Api, console: Console) -> None:
    north, now_ns = api.building(), time.time_ns()
    cameras = [api.camera(north, f"Door {number:02}") for number in range(40)]

    def alive() -> None:
        for camera in cameras:
            api.says(camera, CameraStatus(CameraState.LIVE, None, now_ns, 25.0, 5.0, now_ns, "rtcp"))
            shows(api, camera, (30, 90, 80))

    alive()
    asked: list[str] = []
    page = console.page
    page.on("request", lambda request: asked.append(request.url) if "preview.jpg" in request.url else None)
    console.open("wall")
    pictures = page.locator(".tile img")
    expect(pictures.first).to_be_visible()
    page.wait_for_timeout(2_000)  # Long enough for others to be asked for, if they were
    wait_in(page, lambda: pictures.count() == len(set(asked)) >= 6)
    assert len(set(asked)) <= MOST_AT_ONCE
    # All in view at once: they take turns.
    page.set_viewport_size({"width": 2560, "height": 3600})
    until_s = time.monotonic() + 120
    while pictures.count() < len(cameras):
        assert time.monotonic() < until_s
        alive()
        page.wait_for_timeout(500)
    assert console.trouble == []


@pytest.mark.slow
def test_the_first_view_is_there_at_once(api: Api, browser: Browser) -> None:
    busy(api)
    best_s = 10.0
    for _ in range(20):
        if best_s < FIRST_VIEW_S:
            break
        # Nothing is kept from the one before.
        for console in console_of(browser, str(api.client.base_url)):
            began_s = time.monotonic()
            console.open("overview")
            expect(console.page.locator(".figure").first).to_be_visible()
            best_s = min(best_s, time.monotonic() - began_s)
    assert best_s < FIRST_VIEW_S


@pytest.mark.slow
@pytest.mark.parametrize("place", ["overview", "wall", "login", "link/abc", "nowhere"])
def test_pages_are_fit_for_everybody(api: Api, console: Console, place: str) -> None:
    door, gate = busy(api)
    for camera in (door, gate):
        shows(api, camera, (30, 90, 80))
    console.check(place)


@pytest.mark.slow
def test_a_picture_shown_large_is_fit_for_everybody(api: Api, console: Console) -> None:
    door, _ = busy(api)
    shows(api, door, (30, 90, 80))
    page = console.open(f"wall/{door}")
    expect(page.get_by_role("dialog", name="Door").get_by_role("img")).to_be_visible()
    for theme in ("light", "dark"):
        console.theme(theme)
        assert console.violations() == []
    assert console.trouble == []
