"""The console's files as they are served: what a browser may run, what it gets again, and what is not there."""

import asyncio
import gzip
import html
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from api.console import FILES, KINDS, NEEDED, STATIC, VENDOR, Shelf, attach, policy
from api.problems import handle_problems
from storage.policy import INTENDED_USE, LABEL_POLICY, NOT_JUDGED
from storage.words import NOT_A_FACE
from tests.api_server import Api, migrated_fixture, still_fixture  # noqa: F401

OURS = sorted(path.relative_to(FILES).as_posix() for path in FILES.rglob("*") if path.suffix in KINDS)
MODULES = [name for name in OURS if name.endswith(".js")]
FIRST_VIEW_BYTES = 200 * 1024
NAMES = {
    "preact": "vendor/preact.js",
    "preact/hooks": "vendor/hooks.js",
    "htm": "vendor/htm.js",
    "uplot": "vendor/uplot.js",
}


def source(name: str) -> str:
    return (FILES / name).read_text(encoding="utf-8")


def without_comments(text: str) -> str:
    return re.sub(r"(?m)(?:^|\s)//.*$", "", text)


def imports(name: str, *, later: bool = False) -> set[str]:
    """What a module needs before it runs; with `later`, also what it loads when it is wanted."""
    text = without_comments(source(name))
    found = re.findall(r'^(?:import|export)\b[^;]*?\bfrom "([^"]+)"', text, re.MULTILINE)
    if later:
        found += re.findall(r'\bimport\("([^"]+)"\)', text)
    return {NAMES.get(one) or os.path.normpath(Path(name).parent / one) for one in found}


def with_all_it_needs(start: str) -> set[str]:
    found, todo = set[str](), {start}
    while todo:
        found |= todo
        todo = {one for name in todo if not name.startswith("vendor/") for one in imports(name) if one not in found}
    return found


def test_the_page_runs_nothing_but_its_own_files(still: Api) -> None:
    answer = still.client.get("/")
    assert answer.headers["content-type"].startswith("text/html")
    told = dict(part.strip().partition(" ")[::2] for part in answer.headers["content-security-policy"].split(";"))
    assert told["default-src"] == "'none'"
    assert told["style-src"] == told["connect-src"] == "'self'"
    assert re.fullmatch(r"'self' 'sha256-[A-Za-z0-9+/=]{44}'", told["script-src"])
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert not re.search(r'<style|\son\w+=|\sstyle=|<script(?![^>]*(?:\ssrc=|type="importmap"))', answer.text)
    addresses = re.findall(r'(?:src|href)="(/[^"]+)"', answer.text)
    assert len(addresses) > 10
    for address in addresses:
        assert still.client.get(address).status_code == 200, address


@pytest.mark.parametrize("name", OURS)
def test_no_file_of_the_console_reaches_out_or_writes_markup(still: Api, name: str) -> None:
    answer = still.client.get(f"/console/{name}")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == KINDS[Path(name).suffix]
    assert set(re.findall(r"(?:https?:)?//[a-z0-9][a-z0-9-]*\.[a-z0-9.-]+", answer.text)) == set()
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|\beval\(|new Function", answer.text)
    # As an attribute of a template it would be refused in the browser; objects are set property by property.
    assert not re.search(r'\sstyle="', answer.text)


@pytest.mark.parametrize("name", MODULES)
def test_what_a_module_imports_is_there(name: str) -> None:
    missing = {
        one for one in imports(name, later=True) if one not in OURS and one.removeprefix("vendor/") not in NEEDED
    }
    assert missing == set()


@pytest.mark.parametrize("name", [name for name in MODULES if name != "texts.js"])
def test_words_for_people_stand_in_one_place(name: str) -> None:
    text = without_comments(source(name))
    between_tags = re.findall(r"(?<![=\-])>\s*([A-Z][a-z]{2,}[a-z ,.]*)<", text)
    in_attributes = re.findall(r'\s(?:title|aria-label|placeholder|alt|label|text)="([A-Za-z][^"]*)"', text)
    assert between_tags + in_attributes == []


def test_the_console_says_what_the_label_policy_says() -> None:
    section = re.search(r"\n  policy: \{(.*?)\n  \},", source("texts.js"), re.DOTALL)
    assert section
    said = dict(re.findall(r'^\s+(\w+): "([^"]*)",$', section[1], re.MULTILINE))
    rules = {**LABEL_POLICY, "not_judged": NOT_JUDGED, "intended_use": INTENDED_USE}
    # A passage is never shown as `not_a_face`: what is none is dropped before it becomes one.
    assert said == {name: text for name, text in rules.items() if name != NOT_A_FACE}


@pytest.mark.parametrize("page", ["overview", "login"])
def test_the_first_view_is_small(still: Api, page: str) -> None:
    names = (
        {"index.html", "styles.css", "theme.js"} | with_all_it_needs("main.js") | with_all_it_needs(f"pages/{page}.js")
    )
    size = sum(
        int(still.client.get(f"/console/{name}", headers={"Accept-Encoding": "gzip"}).headers["content-length"])
        for name in names
    )
    assert size < FIRST_VIEW_BYTES
    # What draws charts is large, and comes with the pages that have some.
    assert "vendor/uplot.js" not in names


def test_what_has_not_changed_is_not_sent_again(still: Api) -> None:
    first = still.client.get("/console/main.js")
    assert first.headers["cache-control"] == "no-cache"
    tag = first.headers["etag"]
    again = still.client.get("/console/main.js", headers={"If-None-Match": f'"other", W/{tag}'})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert still.client.get("/console/main.js", headers={"If-None-Match": '"other"'}).status_code == 200


def test_files_are_sent_small_to_who_takes_that(still: Api) -> None:
    packed = still.client.get("/console/styles.css", headers={"Accept-Encoding": "br, gzip;q=0.9"})
    plain = still.client.get("/console/styles.css", headers={"Accept-Encoding": "identity"})
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.headers["vary"] == plain.headers["vary"] == "Accept-Encoding"
    assert "content-encoding" not in plain.headers
    assert packed.text == plain.text == source("styles.css")
    assert len(gzip.compress(plain.content)) < len(plain.content) / 3


@pytest.mark.parametrize(
    "name",
    [
        "",
        "none.js",
        "package.json",
        "package-lock.json",
        "../console.py",
        "%2e%2e/console.py",
        "vendor/axe.min.js",
    ],
)
def test_nothing_else_is_served(still: Api, name: str) -> None:
    answer = still.client.get(f"/console/{name}")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


def asked_of(shelf: Shelf) -> Callable[[str], httpx.Response]:
    """Ask a console with these files."""
    app = FastAPI()
    attach(app, shelf)
    handle_problems(app)

    async def ask(path: str) -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
            return await client.get(path)

    return lambda path: asyncio.run(ask(path))


def test_without_the_scripts_of_others_the_page_says_what_to_do(tmp_path: Path) -> None:
    get = asked_of(Shelf(vendor=tmp_path))
    answer = get("/")
    assert (answer.status_code, answer.headers["content-security-policy"]) == (503, policy())
    assert "run `make setup`" in html.unescape(answer.text)
    assert get("/static/page.css").status_code == 200
    script = get("/console/vendor/preact.js")
    assert script.status_code >= 400
    assert "make setup" in script.json()["detail"]


def test_a_file_that_changes_is_served_anew(tmp_path: Path) -> None:
    shutil.copytree(FILES, tmp_path / "console")
    get = asked_of(Shelf(tmp_path / "console", VENDOR))
    before = get("/console/texts.js")
    (tmp_path / "console" / "texts.js").write_text("export const T = {};\n")
    after = get("/console/texts.js")
    assert after.text == "export const T = {};\n"
    assert after.headers["etag"] != before.headers["etag"]


def test_the_lock_of_the_scripts_names_no_registry() -> None:
    lock = source("package-lock.json")
    assert '"resolved"' not in lock
    assert set(re.findall(r"https?://([^/\"]+)", lock)) <= {"opencollective.com"}
    packages = re.findall(r'"node_modules/[^"]+": \{(.*?)\n    \}', lock, re.DOTALL)
    assert packages
    assert all('"integrity": "sha512-' in one for one in packages)


def test_what_other_pages_use_is_still_there(still: Api) -> None:
    for path in sorted(STATIC.iterdir()):
        assert still.client.get(f"/static/{path.name}").status_code == 200
    reference = still.client.get("/api/docs")
    assert reference.headers["content-security-policy"] == policy()
    for address in re.findall(r'(?:src|href)="(/static/[^"]+)"', reference.text):
        assert still.client.get(address).status_code == 200
