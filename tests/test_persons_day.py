"""A person's day with the console: from the first start to the log-out, in a real browser, with the whole real system behind it."""

import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from playwright.sync_api import Browser, Locator, expect

from infra.demo.clips import write_clip
from infra.demo.script import small_clip
from infra.rtsp.server import RtspServer
from tests import api_server
from tests.console_pages import DESKTOP, LIMIT_MS, PHONE, Console, browser_fixture, console_of, told  # noqa: F401

MASKWATCH: Final = str(Path(sys.executable).parent / "maskwatch")
PASSWORD: Final = "three old gardeners"  # noqa: S105
OTHER: Final = "something else entirely"
BREACHES: Final = {"without_mask", "incorrect_mask"}
CORNERS: Final = [(0.02, 0.02), (0.98, 0.02), (0.98, 0.98), (0.02, 0.98)]
START_S: Final = 120
STEP_S: Final = 60
"""How long each step may take on a busy machine."""

WATCHED_MS: Final = 90_000
"""How long it may take, on a busy machine, until a camera that was added has given an event, and until the next."""


@dataclass(frozen=True)
class Started:
    """A running `maskwatch up`: where it is, and the link that leads in once."""

    url: str
    link: str


@pytest.fixture(name="entrance", scope="module")
def entrance_fixture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight seconds of a corridor: somebody whose mask slips, and somebody without one."""
    path = tmp_path_factory.mktemp("clip") / "entrance.mp4"
    write_clip(small_clip(800, 450, 8.0, 2), path)
    return path


@pytest.fixture(name="camera")
def camera_fixture(entrance: Path) -> Iterator[RtspServer]:
    """A camera of the house, which asks for a password."""
    with RtspServer({"hall": entrance}, user="viewer", password="geheim-47") as server:  # noqa: S106
        yield server


@pytest.fixture(name="started")
def started_fixture(monkeypatch: pytest.MonkeyPatch) -> Iterator[Started]:
    """The whole system, started for the first time, where everybody has to log in."""
    monkeypatch.setenv("MASKWATCH_LOGIN", "always")
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    command = [MASKWATCH, "up", "--host", "127.0.0.1", "--port", "0", "--dwell", "0.5"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    said = ""
    # Whatever it waits for: without it there is nothing more to read.
    limit = threading.Timer(START_S, process.kill)
    limit.start()
    try:
        for line in process.stderr:
            said += line
            if "Maskwatch is at" in line:
                break
        limit.cancel()
        link, url = re.search(r"http\S+/#/link/\S+", said), re.search(r"Maskwatch is at (http\S+) ", said)
        assert link is not None, said
        assert url is not None, said
        yield Started(url[1], link[0])
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        assert process.returncode == 0
    finally:
        limit.cancel()
        process.kill()
        process.communicate()


@pytest.fixture(name="window")
def window_fixture(browser: Browser, started: Started) -> Iterator[Console]:
    """A window that nobody has used yet, and somebody who waits for each step."""
    expect.set_options(timeout=1000 * STEP_S)
    for console in console_of(browser, started.url):
        console.page.context.set_default_timeout(1000 * STEP_S)
        yield console
    expect.set_options(timeout=LIMIT_MS)


class Day:
    """What a person does with the console, one thing after the other; whoever calls knows in which order."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.page = console.page
        self.main = self.page.locator("main")

    def sees(self, heading: str) -> None:
        """The page that they are on says so."""
        expect(self.page.get_by_role("heading", level=1)).to_have_text(heading)

    def is_let_in(self, link: str) -> None:
        """Open the one-time link, and choose a password."""
        self.page.goto(link)
        self.sees("Set your password")
        for label, words in (("New password", PASSWORD), ("The same password again", OTHER)):
            self.page.get_by_label(label).fill(words)
        self.page.get_by_role("button", name="Set it and log in").click()
        expect(self.page.get_by_text("The two are not the same.")).to_be_visible()
        self.page.get_by_label("The same password again").fill(PASSWORD)
        self.page.get_by_role("button", name="Set it and log in").click()
        self.sees("Overview")

    def logs_in(self) -> None:
        """Log in with name and password; the first time it is the wrong one."""
        self.sees("Log in")
        self.page.get_by_label("Name").fill("admin")
        self.page.get_by_label("Password").fill(OTHER)
        self.page.get_by_role("button", name="Log in").click()
        expect(self.page.get_by_role("alert")).to_have_text("This name and password do not go together.")
        self.page.get_by_label("Password").fill(PASSWORD)
        self.page.get_by_role("button", name="Log in").click()
        self.sees("Overview")

    def logs_out(self) -> None:
        """Log out by the menu."""
        self.page.get_by_role("button", name="Account").click()
        self.page.get_by_role("button", name="Log out").click()
        self.sees("Log in")

    def adds_a_building(self) -> None:
        """Where there is none, adding a camera begins with one."""
        self.main.get_by_role("link", name="Add a camera").click()
        self.main.get_by_role("button", name="Add a building").click()
        dialog = self.page.get_by_role("dialog")
        dialog.get_by_label("Name").fill("Town hall")
        dialog.get_by_label("Time zone").select_option(api_server.midday_zones()[0])
        dialog.get_by_role("button", name="Save").click()
        expect(dialog).to_have_count(0)

    def adds_a_camera(self, url: str) -> str:
        """Add a camera, which is looked at on the spot, and see its picture; gives its identifier."""
        self.page.get_by_label("Name").fill("Hall")
        self.page.get_by_label("Address", exact=True).fill(url)
        self.page.get_by_role("button", name="Add and check").click()
        expect(self.main).to_contain_text("It shows a picture")
        expect(self.main).to_contain_text("800 \N{MULTIPLICATION SIGN} 450 pixels")
        expect(self.page.get_by_role("img", name="What Hall shows")).to_be_visible()
        (found,) = told(self.console, "/cameras")["items"]
        assert "geheim" not in str(found)
        return str(found["id"])

    def draws_a_region(self) -> None:
        """Draw round nearly all of the picture, with the mouse."""
        self.main.get_by_role("link", name="Draw regions").click()
        canvas = self.page.locator(".canvas")
        expect(canvas.locator("svg")).to_have_attribute("viewBox", "0 0 800 450")
        self.main.get_by_role("button", name="Watch a part").click()
        canvas.scroll_into_view_if_needed()
        for corner in CORNERS:
            self.page.mouse.click(*on(canvas, corner))
        self.page.keyboard.press("Enter")
        self.main.get_by_role("button", name="Save regions").click()
        expect(self.main.get_by_text("Nothing changed")).to_be_visible()
        (region,) = told(self.console, "/cameras")["items"][0]["regions"]
        assert region["mode"] == "watch"
        assert all(abs(x - a) + abs(y - b) < 0.02 for (x, y), (a, b) in zip(region["points"], CORNERS, strict=True))

    def goes_to(self, name: str) -> None:
        """Take a link of the menu."""
        self.page.get_by_role("navigation", name="Pages").get_by_role("link", name=name, exact=True).click()
        self.sees(name)

    def sees_it_live(self) -> None:
        """A picture comes to the wall, and the camera is live; enlarged, too."""
        self.goes_to("Wall")
        tile = self.page.locator(".tile").filter(has_text="Hall")
        expect(tile).to_contain_text("Live")
        shown(tile.locator("img"))
        tile.click()
        dialog = self.page.get_by_role("dialog", name="Hall")
        shown(dialog.get_by_role("img", name="What Hall sees now"))
        expect(dialog).to_contain_text("looks a second")
        self.page.keyboard.press("Escape")
        expect(dialog).to_have_count(0)

    def waits_for_events(self) -> None:
        """They come to the overview and to an open review without anything being loaded again."""
        self.goes_to("Overview")
        self.page.evaluate("window.neverLoadedAgain = true")
        waits = self.main.get_by_role("listitem").filter(has_text=re.compile("events? waits? for review"))
        expect(waits).to_be_visible(timeout=WATCHED_MS)
        self.goes_to("Review")
        self.page.locator(".view-frame img[data-whole]").wait_for()
        expect(self.main.get_by_role("button", name=re.compile(r"^\d+ new$"))).to_be_visible(timeout=WATCHED_MS)
        assert self.page.evaluate("window.neverLoadedAgain")
        # One of them is not the newest.
        api_server.wait_for(lambda: len(self.breaches()) >= 2, WATCHED_MS / 1000)

    def turns_the_camera_off(self) -> None:
        """The day is over: from now on the figures stand still."""
        self.goes_to("Cameras")
        self.main.get_by_role("link", name="Hall", exact=True).click()
        self.main.get_by_role("link", name="Settings").click()
        self.page.get_by_label("Watch this camera").uncheck()
        self.main.get_by_role("button", name="Save").click()
        expect(self.main.get_by_text("Nothing changed")).to_be_visible()
        wait_for(lambda: self.figures()["open_tracks"] == 0)
        wait_for(lambda: all(one["ended_at"] for one in self.events()))

    def reports(self) -> str:
        """The rate as the report of today says it."""
        self.goes_to("Reports")
        self.page.get_by_label("Period").select_option(label="Today")
        self.console.settle()
        return self.main.locator(".today .figure").first.inner_text()

    def reviews(self) -> None:
        """By keyboard alone: some confirmed; one dismissed, as somebody with a mask; that taken back, and said again."""
        self.goes_to("Review")
        self.page.locator(".view-frame img[data-whole]").wait_for()
        events = [one["id"] for one in self.events()]
        place = next(place for place in self.breaches() if place > 0)
        article = self.page.locator("article")
        for event in events[:place]:
            expect(article).to_have_attribute("aria-label", f"Event {event}")
            self.page.keyboard.press("c")
        expect(article).to_have_attribute("aria-label", f"Event {events[place]}")
        confirmed = place * ["confirmed"]
        wait_for(lambda: self.verdicts()[: place + 1] == [*confirmed, "pending"])
        before = self.figures()
        self.dismisses()
        wait_for(lambda: self.verdicts()[: place + 1] == [*confirmed, "dismissed"])
        assert self.figures()["with_mask"] == before["with_mask"] + 1
        assert self.figures()["events"] == before["events"] - 1
        self.page.keyboard.press("u")
        wait_for(lambda: self.verdicts()[: place + 1] == [*confirmed, "pending"])
        assert self.figures() == before
        expect(article).to_have_attribute("aria-label", f"Event {events[place]}")
        self.dismisses()
        wait_for(lambda: self.verdicts()[: place + 1] == [*confirmed, "dismissed"])

    def dismisses(self) -> None:
        """Say of the event that is shown that the label is wrong: a mask was worn properly."""
        self.page.keyboard.press("d")
        expect(self.page.get_by_role("group", name="Why is it dismissed?")).to_be_visible()
        self.page.keyboard.press("1")
        choices = self.page.get_by_role("group", name="What do they wear?")
        expect(choices.get_by_role("button").first).to_contain_text("With mask")
        self.page.keyboard.press("1")

    def downloads(self) -> tuple[str, str]:
        """The report of today as CSV, and this week's as a page for print; gives what stands in them."""
        self.main.get_by_role("button", name="Download").click()
        with self.page.expect_download() as started:
            self.main.get_by_role("link", name="CSV").click()
        assert started.value.suggested_filename == "compliance.csv"
        csv = started.value.path().read_text(encoding="utf-8")
        self.page.get_by_label("Week", exact=True).fill(
            self.page.get_by_label("Week", exact=True).get_attribute("max") or ""
        )
        with self.page.expect_popup() as opened:
            self.main.get_by_role("link", name="Open to print").click()
        weekly = opened.value
        expect(weekly.get_by_role("heading", level=1)).to_be_visible()
        text = weekly.locator("body").inner_text()
        weekly.close()
        return csv, text

    def events(self) -> list[Any]:
        """Newest first."""
        return list(told(self.console, "/events")["items"])

    def breaches(self) -> list[int]:
        """The places, in the list of events, of those whose passage is over and counts as a breach as a whole.

        Others are of somebody whose mask was worn properly most of the way.
        """
        passages = told(self.console, "/tracks?limit=200")["items"]
        found = {one["id"] for one in passages if one["state"] == "ended" and one["label"] in BREACHES}
        return [place for place, one in enumerate(self.events()) if one["track_id"] in found]

    def verdicts(self) -> list[str]:
        """Of all events, newest first."""
        return [one["review"]["verdict"] for one in self.events()]

    def figures(self) -> dict[str, Any]:
        """What is counted by now, corrected by what was reviewed."""
        row = told(self.console, "/statistics/compliance?bucket=month")["series"][-1]
        names = ("with_mask", "without_mask", "incorrect_mask", "unknown", "events", "open_tracks", "compliance_rate")
        return {name: row[name] for name in names}

    def looked_at(self) -> list[str]:
        """What the page of the audit log says that was done, newest first."""
        self.goes_to("Audit")
        cells = self.page.get_by_role("row").get_by_role("cell")
        expect(cells.first).to_be_visible()
        return self.page.get_by_role("table").inner_text().splitlines()


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait until something is so, as long as a step may take."""
    api_server.wait_for(condition, STEP_S)


def on(picture: Locator, share: tuple[float, float]) -> tuple[float, float]:
    """Where a point of a picture is on the screen."""
    box = picture.bounding_box()
    assert box is not None
    return box["x"] + share[0] * box["width"], box["y"] + share[1] * box["height"]


def shown(picture: Locator) -> None:
    """See that a picture is there, and not only a place for one."""
    expect(picture).to_be_visible()
    wait_for(lambda: picture.evaluate("image => image.naturalWidth") > 0)


def asked(url: str, cookies: dict[str, str]) -> int:
    """The status that somebody gets who comes with these cookies."""
    with httpx.Client(base_url=url, cookies=cookies, timeout=STEP_S) as client:
        return client.get("/api/v1/cameras").status_code


@pytest.mark.slow
def test_a_persons_day(started: Started, window: Console, camera: RtspServer) -> None:
    day = Day(window)
    page = day.page
    window.open("cameras")
    day.sees("Log in")
    day.is_let_in(started.link)
    day.logs_out()
    day.logs_in()
    expect(day.main.get_by_role("heading", name="No camera is registered yet")).to_be_visible()
    day.adds_a_building()
    day.adds_a_camera(camera.url("hall"))
    day.draws_a_region()
    day.sees_it_live()
    day.waits_for_events()
    day.turns_the_camera_off()

    before, counted = day.reports(), day.figures()
    day.reviews()
    corrected = day.figures()
    assert corrected["with_mask"] == counted["with_mask"] + 1
    assert day.reports() != before
    csv, weekly = day.downloads()
    assert f",{corrected['with_mask']}," in csv
    assert "Town hall" in weekly
    assert str(corrected["events"]) in weekly
    done = "\n".join(day.looked_at())
    for words in (
        "Looked at a snapshot",
        "Reviewed an event",
        "Took a review back",
        "Added a camera",
        "Looked at a camera",
        "Logged in",
    ):
        assert words in done

    cookies = {one["name"]: one["value"] for one in page.context.cookies()}
    assert asked(started.url, cookies) == 200
    day.logs_out()
    page.go_back()
    day.sees("Log in")
    expect(page.get_by_role("table")).to_have_count(0)
    page.reload()
    day.sees("Log in")
    assert asked(started.url, cookies) == 401
    assert window.trouble == []
