"""The console in a real browser, for tests: start one, look at a page in light and dark, large and small, ask axe.

Import the fixture where it is used: `from tests.console_pages import Console, browser_fixture, console_fixture  # noqa: F401`.
"""

import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, Request, Route, expect, sync_playwright
from playwright.sync_api import TimeoutError as TookTooLongError

from tests.api_server import Api

AXE: Final = Path(sys.prefix) / "share" / "maskwatch" / "npm" / "node_modules" / "axe-core" / "axe.min.js"
RULES: Final = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]
DESKTOP: Final = (1280, 800)
PHONE: Final = (390, 844)
LIMIT_MS: Final = 30_000

LASTING: Final[dict[str, float]] = {
    "storage.bus.BEAT_LIFE_S": 600.0,
    "storage.bus.STATUS_LIFE_S": 600,
    "storage.preview.LIFE_MS": 600_000,
    "api.routes.overview.PATIENCE_S": 30.0,
}
"""What a test says once, of a worker, a camera or its picture, holds for as long as a slow browser looks."""

Theme = Literal["light", "dark"]


@dataclass
class Console:
    """A browser's window with the console in it, and what was not to happen there.

    Attributes:
        page: of Playwright.
        url: of the API.
        trouble: what the page complained about, what it asked of other hosts, and answers with 5xx.
    """

    page: Page
    url: str
    trouble: list[str] = field(default_factory=list)

    def open(self, place: str = "overview") -> Page:
        """Go to a place such as `wall?show=down`, and wait until it is loaded."""
        if self.page.url.startswith(self.url):
            self.page.evaluate("place => { location.hash = `#/${place}`; }", place)
        else:
            self.page.goto(f"{self.url}/#/{place}")
        self.settle()
        return self.page

    def settle(self) -> None:
        """Wait until nothing on the page says that it is still loading."""
        self.page.locator("h1, .empty, .failed").first.wait_for()
        # The page's policy forbids what Playwright would evaluate again and again.
        expect(self.page.locator(".loading")).to_have_count(0, timeout=LIMIT_MS)

    def theme(self, theme: Theme) -> None:
        """Let the system be light or dark."""
        self.page.emulate_media(color_scheme=theme)

    def size(self, size: tuple[int, int]) -> None:
        """Make the window so large."""
        self.page.set_viewport_size({"width": size[0], "height": size[1]})

    def violations(self) -> list[str]:
        """What axe finds on the page as it is: rule, where, and why; it should be nothing."""
        if not AXE.exists():
            pytest.fail(f"{AXE} is not there: run `make test`, or `make .venv/.dev`")
        if self.page.evaluate("typeof axe") == "undefined":
            self.page.evaluate(AXE.read_text(encoding="utf-8"))
        found = self.page.evaluate(
            "rules => axe.run(document, { runOnly: { type: 'tag', values: rules }, resultTypes: ['violations'] })",
            RULES,
        )
        return [
            f"{one['id']}: {node['target']}: {node['failureSummary']}"
            for one in found["violations"]
            for node in one["nodes"]
        ]

    def overflow(self) -> int:
        """By how many pixels the page is wider than the window; it should be 0."""
        return int(self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))

    def check(self, place: str) -> None:
        """See that a page is fit to be seen: in both themes and sizes, nothing sticks out and axe finds nothing."""
        for size in (DESKTOP, PHONE):
            self.size(size)
            for theme in ("light", "dark"):
                self.theme(theme)
                self.open(place)
                assert self.violations() == [], f"{place} {size} {theme}"
                assert self.overflow() == 0, f"{place} {size} {theme}"
        assert self.trouble == []

    def shoot(self, name: str, folder: Path) -> None:
        """Take pictures of the page as it is: `NAME-1280-light.png` and so on."""
        folder.mkdir(parents=True, exist_ok=True)
        for size in (DESKTOP, PHONE):
            self.size(size)
            for theme in ("light", "dark"):
                self.theme(theme)
                self.settle()
                self.page.screenshot(path=folder / f"{name}-{size[0]}-{theme}.png")


@pytest.fixture(scope="module", name="browser")
def browser_fixture() -> Iterator[Browser]:
    """A headless browser; tests that need one are skipped, in one clear line, where there is none (in CI they fail).

    As long as there is one, `asyncio.run` does not work in its thread: no longer than a module, and not for its tests.
    """
    found = chromium()
    with sync_playwright() as playwright, pytest.MonkeyPatch.context() as patch:
        for name, value in LASTING.items():
            patch.setattr(name, value)
        expect.set_options(timeout=LIMIT_MS)
        browser = playwright.chromium.launch(
            executable_path=found, args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        )
        yield browser
        browser.close()


def chromium() -> str:
    """Where the browser is."""
    found = shutil.which("chromium")
    if found is None:
        words = "there is no browser to look at the console with: apt-get install chromium"
        if os.environ.get("CI"):
            pytest.fail(words)
        pytest.skip(words)
    return found


@pytest.fixture(name="console")
def console_fixture(browser: Browser, api: Api) -> Iterator[Console]:
    """A window for the running API `api`, with nothing kept from another."""
    yield from console_of(browser, str(api.client.base_url))


def console_of(browser: Browser, url: str) -> Iterator[Console]:
    """A window for an API at an address."""
    context = browser.new_context(viewport={"width": DESKTOP[0], "height": DESKTOP[1]}, reduced_motion="reduce")
    context.set_default_timeout(LIMIT_MS)
    console = Console(context.new_page(), url.rstrip("/"))

    def said(message: ConsoleMessage) -> None:
        # An answer with a problem is said there, too, and may be what a test wants.
        if message.type in {"error", "warning"} and "Failed to load resource" not in message.text:
            console.trouble.append(message.text)

    def asked(request: Request) -> None:
        if not request.url.startswith((console.url, "blob:", "data:")):
            console.trouble.append(f"asks {request.url}")

    console.page.on("console", said)
    console.page.on("pageerror", lambda error: console.trouble.append(str(error)))
    console.page.on("request", asked)
    console.page.on(
        "response",
        lambda answer: console.trouble.append(f"{answer.status} {answer.url}") if answer.status >= 500 else None,
    )
    yield console
    context.close()


def told(console: Console, path: str) -> Any:
    """What the API says to the person in this window."""
    return json.loads(str(console.page.evaluate(f"fetch('/api/v1{path}').then(answer => answer.text())")))


def wait_in(page: Page, condition: Callable[[], bool], limit_s: float = LIMIT_MS / 1000) -> None:
    """Wait until something is so that the window tells of, such as what was asked for."""
    until_s = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < until_s
        # Only meanwhile is anything told.
        page.wait_for_timeout(20)


def hold(page: Page, addresses: str) -> list[Route]:
    """Keep requests from going out; gives those that wait, each until its `continue_()`."""
    held: list[Route] = []

    def keep(route: Route) -> None:
        held.append(route)

    page.route(addresses, keep)
    return held


def try_again(notice: Locator) -> None:
    """Press the button of a notice, unless the page went on by itself before."""
    button = notice.get_by_role("button", name="Try again")
    until_s = time.monotonic() + LIMIT_MS / 1000
    while button.count():
        with suppress(TookTooLongError):
            button.click(timeout=1000)
            return
        assert time.monotonic() < until_s
