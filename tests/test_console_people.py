"""People, keys, the audit log and the system in the console."""

import re
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Browser, expect

from storage.database.account_rows import AccountChanges
from storage.database.accounts import Accounts
from storage.identity import Caller, Role
from tests.api_server import CHEAP, LIMIT_S, Api, api_fixture, migrated_fixture  # noqa: F401
from tests.console_pages import Console, browser_fixture, console_fixture, console_of  # noqa: F401

SECRET = "correct horse 47"  # noqa: S105
NEW_SECRET = "battery staple 11"  # noqa: S105
HERE = Caller("local", "this machine", "local", Role.ADMIN)
STAYED = {"X-Forwarded-For": "192.0.2.7"}
"""Not from this machine: who comes so has to log in."""


@pytest.fixture(name="stranger")
def stranger_fixture(browser: Browser, api: Api) -> Iterator[Console]:
    """A window that is not at this machine."""
    for console in console_of(browser, str(api.client.base_url)):
        console.page.set_extra_http_headers(STAYED)
        yield console


def asked_with(api: Api, key: str) -> httpx.Response:
    """What a program gets with a key."""
    with httpx.Client(base_url=api.client.base_url, timeout=LIMIT_S) as client:
        return client.get("/api/v1/me", headers={"Authorization": f"Bearer {key}", **STAYED})


def test_somebody_is_let_in_by_a_link_that_is_shown_once(api: Api, console: Console) -> None:
    north = api.building()
    api.building("South")
    page = console.open("people")
    page.get_by_role("button", name="Let somebody in").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill("dana")
    dialog.get_by_label("Role").select_option(label="Reviewer")
    dialog.get_by_label("All buildings").uncheck()
    dialog.get_by_label("North").check()
    dialog.get_by_role("button", name="Add and make a link").click()
    link = page.get_by_role("dialog", name="A link for dana").get_by_label("One-time link")
    expect(link).to_have_value(re.compile(r"/#/link/\S+$"))
    secret = link.input_value().rpartition("/")[2]
    page.get_by_role("button", name="I have it").click()
    row = page.get_by_role("row").filter(has_text="dana")
    for expected in ("Reviewer", "North", "No password yet", "Never"):
        expect(row).to_contain_text(expected)
    assert secret not in page.content()
    found = api.client.post("/api/v1/auth/link", json={"token": secret, "password": SECRET, "cookie": False})
    assert found.status_code == 200
    (user,) = api.get("/users")["items"]
    assert (user["role"], user["buildings"], user["has_password"]) == ("reviewer", [north], True)

    page.get_by_role("button", name="Make a key").click()
    dialog.get_by_label("Name").fill("grafana")
    dialog.get_by_role("button", name="Make it").click()
    key = page.get_by_role("dialog", name="The key of grafana").get_by_label("Key", exact=True)
    expect(key).to_have_value(re.compile("^mwk_"))
    secret = key.input_value()
    page.get_by_role("button", name="I have it").click()
    assert asked_with(api, secret).json()["name"] == "grafana"
    page.get_by_role("button", name="Revoke grafana").click()
    dialog.get_by_role("button", name="Revoke").click()
    expect(page.get_by_role("row").filter(has_text="grafana")).to_contain_text("Revoked on")
    assert asked_with(api, secret).status_code == 401
    assert secret not in page.content()
    assert console.trouble == []


@pytest.mark.slow
def test_an_account_is_disabled_and_enabled_and_who_was_faster_is_said(api: Api, console: Console) -> None:
    accounts = Accounts(api.context.engine, CHEAP).for_(HERE)
    dana = accounts.add("dana", Role.REVIEWER, None, SECRET)
    page = console.open("people")
    page.get_by_role("button", name="Disable dana").click()
    page.get_by_role("dialog").get_by_role("button", name="Disable").click()
    row = page.get_by_role("row").filter(has_text="dana")
    expect(row).to_contain_text("Disabled")
    row.get_by_role("button", name="Enable").click()
    expect(row).to_contain_text("Active")
    row.get_by_role("button", name="Change").click()
    dialog = page.get_by_role("dialog")
    accounts.change(dana.id, AccountChanges(role=Role.VIEWER), None)
    dialog.get_by_label("Role").select_option(label="Operator")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_role("alert")).to_contain_text("Somebody changed this account")
    dialog.get_by_role("button", name="Cancel").click()
    row.get_by_role("button", name="Remove").click()
    dialog.get_by_role("button", name="Remove").click()
    expect(page.get_by_role("heading", name="Nobody has an account yet")).to_be_visible()
    assert console.trouble == []


@pytest.mark.slow
def test_one_changes_ones_own_password_and_stays(api: Api, stranger: Console) -> None:
    Accounts(api.context.engine, CHEAP).for_(HERE).add("dana", Role.VIEWER, None, SECRET)
    page = stranger.open("login")
    page.get_by_label("Name").fill("dana")
    page.get_by_label("Password").fill(SECRET)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Overview")
    page.get_by_role("button", name="Account").click()
    page.get_by_role("button", name="Change password").click()
    dialog = page.get_by_role("dialog")
    for label, words in (("Your password now", "wrong it is 47"), ("New password", NEW_SECRET)):
        dialog.get_by_label(label).fill(words)
    dialog.get_by_label("The same password again").fill(NEW_SECRET)
    dialog.get_by_role("button", name="Change it").click()
    expect(dialog.get_by_role("alert")).to_be_visible()
    assert stranger.violations() == []
    dialog.get_by_label("Your password now").fill(SECRET)
    dialog.get_by_role("button", name="Change it").click()
    expect(page.get_by_text("Your password is changed.")).to_be_visible()
    # The new login is this window's: what comes next works.
    stranger.open("wall")
    expect(page.get_by_role("heading", level=1)).to_have_text("Wall")
    given = api.client.post("/api/v1/auth/token", json={"name": "dana", "password": NEW_SECRET, "cookie": False})
    assert given.status_code == 200


@pytest.mark.slow
def test_nobody_is_offered_a_link_for_their_own_account(api: Api, stranger: Console) -> None:
    accounts = Accounts(api.context.engine, CHEAP).for_(HERE)
    for name in ("dana", "kim"):
        accounts.add(name, Role.ADMIN, None, SECRET)
    page = stranger.open("login")
    page.get_by_label("Name").fill("dana")
    page.get_by_label("Password").fill(SECRET)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Overview")
    stranger.open("people")
    expect(page.get_by_role("button", name="Make a link for kim")).to_be_visible()
    expect(page.get_by_role("button", name="Make a link")).to_have_count(1)


@pytest.mark.slow
def test_the_audit_log_is_filtered_paged_and_exported(api: Api, console: Console) -> None:
    north = api.building()
    for number in range(60):
        api.post(f"/buildings/{north}/zones", {"name": f"Zone {number}"})
    page = console.open("audit")
    rows = page.get_by_role("row")
    expect(rows).to_have_count(51)
    expect(rows.nth(1)).to_contain_text("Added a zone")
    page.get_by_role("button", name="Show more").click()
    expect(rows).to_have_count(62)
    page.get_by_label("Did what").select_option(label="Buildings")
    expect(rows).to_have_count(2)
    expect(rows.nth(1)).to_contain_text("Added a building")
    expect(page).to_have_url(re.compile(r"#/audit\?action=building$"))
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV").click()
    assert "building.added" in download.value.path().read_text()
    page.get_by_label("Who").fill("nobody")
    page.keyboard.press("Tab")
    expect(page.get_by_role("heading", name="Nothing matches")).to_be_visible()
    assert console.trouble == []


@pytest.mark.slow
def test_the_system_says_what_works_and_what_does_not(api: Api, console: Console) -> None:
    api.beat("detect-0", device="litert on cpu")
    page = console.open("system")
    expect(page.get_by_role("row").filter(has_text="Detect")).to_contain_text("litert on cpu")
    expect(page.get_by_role("row").filter(has_text="Aggregate")).to_contain_text("It gives no sign of life")
    expect(page.get_by_role("heading", name="Something does not work")).to_be_visible()
    api.beat("aggregate-0", "the disk is full: events wait")
    expect(page.get_by_role("heading", name="Everything runs, but something waits")).to_be_visible()


@pytest.mark.slow
@pytest.mark.parametrize("place", ["people", "audit", "system"])
def test_these_pages_are_fit_for_everybody(api: Api, console: Console, place: str) -> None:
    Accounts(api.context.engine, CHEAP).for_(HERE).add("dana", Role.VIEWER, None, SECRET)
    api.post("/api-keys", {"name": "grafana", "role": "viewer", "buildings": None})
    for worker in ("detect-0", "aggregate-0"):
        api.beat(worker)
    console.check(place)


@pytest.mark.slow
def test_dialogs_are_fit_for_everybody(api: Api, console: Console) -> None:
    api.building()
    page = console.open("people")
    page.get_by_role("button", name="Let somebody in").click()
    assert console.violations() == []
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Make a key").click()
    page.get_by_role("dialog").get_by_label("Name").fill("grafana")
    page.get_by_role("dialog").get_by_role("button", name="Make it").click()
    expect(page.get_by_role("dialog", name="The key of grafana")).to_be_visible()
    assert console.violations() == []
