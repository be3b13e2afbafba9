"""Reports in a real browser: figures, charts with their tables, filters in the address, what can be downloaded."""

import re
import time

import pytest
from playwright.sync_api import expect

from storage.messages import NS_PER_S
from storage.words import Label
from tests.api_server import Api, api_fixture, midday_zones, migrated_fixture  # noqa: F401
from tests.console_pages import Console, browser_fixture, console_fixture  # noqa: F401

HOUR_NS = 3600 * NS_PER_S
PASSED = (Label.WITH_MASK, Label.WITH_MASK, Label.WITH_MASK, Label.WITHOUT_MASK, Label.UNKNOWN)


def two_weeks(api: Api) -> tuple[str, str]:
    """Two buildings with a door each, passed by five people a day for two weeks; the first one's door now by one more."""
    doors = (
        api.camera(api.building("North", midday_zones()[0]), "Door"),
        api.camera(api.building("South", "Asia/Kolkata"), "Gate"),
    )
    now_ns = time.time_ns()
    for door in doors:
        for days in range(14):
            for n, label in enumerate(PASSED):
                api.passage(door, now_ns - days * 24 * HOUR_NS - (n + 1) * NS_PER_S, label)
    api.passage(doors[0], now_ns, Label.INCORRECT_MASK)
    return doors


def test_a_report_of_a_building_says_the_same_in_figures_chart_and_table(api: Api, console: Console) -> None:
    door, _ = two_weeks(api)
    building = api.get(f"/cameras/{door}")["building_id"]
    zone = api.get(f"/buildings/{building}")["timezone"]
    page = console.open(f"reports?period=last7&building={building}")
    main = page.locator("main")
    # 21 of 29 judged; 21 of 28 the week before.
    for words in (
        "72.4\u202f%",
        "Chance alone may have made the difference.",
        "Before: 75.0\u202f% of 28",
        zone,
    ):
        expect(main).to_contain_text(words)
    expect(page.locator(".chart canvas")).to_have_count(2)
    page.get_by_text("As a table: Passages by label").click()
    table = page.get_by_role("table", name="Passages by label")
    expect(table.get_by_role("row")).to_have_count(8)
    expect(table.get_by_role("row").last).to_contain_text(re.compile("311+16|31116"))
    expect(page.get_by_role("table", name="Why it could not be told")).to_contain_text("blurred")
    assert console.trouble == []


@pytest.mark.slow
def test_filters_stand_in_the_address_and_lead_to_the_same_report(api: Api, console: Console) -> None:
    _, gate = two_weeks(api)
    page = console.open("reports")
    page.get_by_label("Building").first.select_option(label="South")
    page.get_by_label("Camera").select_option(label="Gate")
    page.get_by_label("Period").select_option(label="Last 30 days")
    expect(page).to_have_url(re.compile(f"camera={gate}.*period=last30|period=last30.*camera={gate}"))
    expect(page.locator("main")).to_contain_text("75.0\u202f%")
    expect(page.locator("main")).to_contain_text("Asia/Calcutta" if "Calcutta" in page.content() else "Asia/Kolkata")
    page.get_by_label("Period").select_option(label="From and to")
    expect(page.get_by_label("From", exact=True)).to_be_visible()
    page.reload()
    expect(page.get_by_label("Camera")).to_have_value(gate)


@pytest.mark.slow
def test_what_is_downloaded_is_what_is_shown(api: Api, console: Console) -> None:
    two_weeks(api)
    page = console.open("reports?period=last7")
    page.get_by_role("button", name="Download").click()
    with page.expect_download() as started:
        page.get_by_role("link", name="CSV").click()
    assert started.value.suggested_filename == "compliance.csv"
    lines = started.value.path().read_text().splitlines()
    assert len(lines) == 8
    assert lines[0].startswith("group_type,")
    page.get_by_role("link", name="Open to print").click()
    printed = page.context.wait_for_event("page") if len(page.context.pages) < 2 else page.context.pages[1]
    expect(printed.get_by_role("heading", level=1)).to_be_visible()


@pytest.mark.slow
def test_hours_of_the_week_and_places_are_tables_with_values(api: Api, console: Console) -> None:
    two_weeks(api)
    page = console.open("reports?period=last7")
    heat = page.get_by_role("table", name="Hours of the week: Passages an hour")
    expect(heat.get_by_role("row")).to_have_count(8)
    expect(heat.get_by_role("rowheader")).to_have_text(["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"])
    page.get_by_label("Show").select_option(label="Rate")
    expect(page.get_by_role("table", name="Hours of the week: Rate, %")).to_contain_text("75")
    places = page.get_by_role("table", name="Side by side")
    expect(places.get_by_role("rowheader")).to_have_text(["North", "South"])
    page.get_by_label("By", exact=True).last.select_option(label="Camera")
    expect(places.get_by_role("rowheader")).to_have_text(["Door", "Gate"])


@pytest.mark.slow
def test_reports_are_fit_to_be_seen(api: Api, console: Console) -> None:
    console.check("reports")
    two_weeks(api)
    console.page.reload()
    console.check("reports?period=last30")
    for summary in console.page.locator(".as-table summary").all():
        summary.click()
    assert console.violations() == []
