"""The weekly report: what it says, what it says of what is not known, and that it can be printed under a strict policy."""

import re
import time
from datetime import UTC, datetime
from html.parser import HTMLParser

import msgspec
import pytest

from api import weekly
from storage.database.changes import CameraChanges
from storage.database.ledger import Batch
from storage.database.records import NewCamera
from storage.database.weekly import SpotChecks
from storage.errors import NotFoundError
from storage.identity import SYSTEM, Caller, Role
from storage.messages import NS_PER_S, Event, Track
from storage.words import EVENT_LABELS, Label, UnknownReason
from tests.api_server import Api, api_fixture, migrated_fixture, problem, still_fixture  # noqa: F401

DAY_NS = 86_400 * NS_PER_S
MONDAY_NS = round(datetime(2026, 6, 29, 6, 10, tzinfo=UTC).timestamp()) * NS_PER_S
"""08:10 in Berlin, in week 27."""

WEEK = "2026-W27"


class Reading(HTMLParser):
    """What a browser would get from a page: its tags with attributes, its text, and its tables row by row."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.rows: list[list[str]] = []
        self._cell = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append([])
        if tag in {"td", "th"}:
            self._cell = True
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        if tag in {"td", "th"}:
            self._cell = False

    def handle_data(self, data: str) -> None:
        self.words.append(data)
        if self._cell:
            self.rows[-1][-1] += data

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).replace("\xa0", " ").split())

    def row(self, name: str) -> list[str]:
        """The cells of the row with that name."""
        [found] = [row for row in self.rows if row and row[0] == name]
        return [cell.replace("\xa0", " ") for cell in found[1:]]


def report(api: Api, building: str, week: str = WEEK) -> Reading:
    """The report as it is served."""
    answer = api.client.get("/api/v1/reports/weekly", params={"building": building, "week": week})
    assert answer.status_code == 200, answer.text
    return Reading(answer.text)


@pytest.fixture(scope="module", name="busy")
def busy_fixture(still: Api) -> str:
    """A building's week: two cameras, one in a zone; half as many the week before. Everything else only reads."""
    sites = still.context.sites
    building = sites.add_building("<North> & Söhne", "Europe/Berlin").id
    zone = sites.add_zone(building, "Hall").id
    door = sites.add_camera(NewCamera("=Door", building, "rtsp://10.0.0.5/1")).id
    hall = sites.add_camera(NewCamera("Hall", building, "rtsp://10.0.0.5/2", zone)).id
    batch = Batch("1-0")
    for number in range(12):
        label = list(Label)[number % 4]
        for camera, day, worn in ((hall, 0, Label.WITH_MASK), (door, 2, label), (door, -7, Label.WITH_MASK)):
            at_ns, count = MONDAY_NS + day * DAY_NS + number * NS_PER_S, 100 * (day + 8) + number
            reason = UnknownReason.BLURRED if worn is Label.UNKNOWN else None
            track = Track(count, at_ns, at_ns + 4 * NS_PER_S, 20, worn, 0.9, reason, counted=True, closed=True)
            batch.tracks[camera, count] = track
            if worn in EVENT_LABELS:
                batch.events[camera, count] = Event(count, worn, at_ns, at_ns + NS_PER_S, None, 0.9, closed=True)
    still.ledger.commit(batch, time.time_ns())
    return building


def test_it_has_the_figures_of_the_week(still: Api, busy: str) -> None:
    page = report(still, busy)
    assert "Monday 29 June to Sunday 5 July 2026" in page.text
    assert "71.4 %" in page.text
    assert "of 21 judged passages" in page.text
    assert "95 % interval: 50.0 to 86.2 %" in page.text
    assert "-28.6 percentage points against the week before (100.0 %)" in page.text
    assert "more than chance explains" in page.text
    assert page.row("Monday 29 June")[:2] == ["12", "12"]
    assert page.row("Wednesday 1 July") == ["12", "3", "3", "3", "3", "33.3 %", "12.1 to 64.6 %"]
    assert page.row("In no zone")[0] == page.row("=Door")[0] == "12"
    # A zone and a camera have that name.
    assert [row[1] for row in page.rows if row and row[0] == "Hall"] == ["12", "12"]
    assert page.row("Without mask") == ["3", "0", "0", "0", "0", "0", "3"]
    assert page.row("The face was blurred") == ["3"]
    assert page.row("Can't tell, in all") == ["3"]
    assert "Busiest hours, with passages an hour: Monday 08:00 (12), Wednesday 08:00 (12)" in page.text


def test_it_says_what_is_not_known_and_what_is_never_judged(still: Api, busy: str) -> None:
    text = report(still, busy).text
    assert "Not yet verified" in text
    assert "When cameras were away is not recorded" in text
    assert "kind of mask, how well it fits and what is under it are not judged, and never who the person is" in text
    assert "The interval covers chance alone" in text


def test_it_needs_no_script_and_no_style_of_its_own(still: Api, busy: str) -> None:
    answer = still.client.get("/api/v1/reports/weekly", params={"building": busy, "week": WEEK})
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "script-src" not in policy
    page = Reading(answer.text)
    assert not {"script", "style", "iframe", "form", "object"} & {tag for tag, _ in page.tags}
    names = {name for _, attributes in page.tags for name in attributes}
    assert not {name for name in names if name == "style" or name.startswith("on")}
    links = [attributes["href"] for _, attributes in page.tags if attributes.get("href")]
    assert links == ["/static/icon.svg", "/static/report.css"]
    assert still.client.get("/static/report.css").status_code == 200
    known = set(re.findall(r"[\w.-]*\.([\w-]+)", still.client.get("/static/report.css").text))
    used = {name for _, attributes in page.tags for name in (attributes.get("class") or "").split()}
    assert used <= known | {"tracks", "events"}


def test_names_are_text(still: Api, busy: str) -> None:
    answer = still.client.get("/api/v1/reports/weekly", params={"building": busy, "week": WEEK})
    assert "<title>&lt;North&gt; &amp; Söhne: 2026-W27</title>" in answer.text
    assert "<North>" not in answer.text


def test_a_week_without_anybody_and_one_to_come_are_pages_too(still: Api, busy: str) -> None:
    for week, over in (("2026-W01", True), ("2199-W01", False)):
        page = report(still, busy, week)
        assert "Nobody was counted" in page.text
        assert "No events." in page.text
        assert ("This week is not over" in page.text) is not over


def test_hours_of_a_week_in_which_the_clock_was_set(still: Api, busy: str) -> None:
    page = still.context.reports.week(busy, "2026-W13", MONDAY_NS)
    html = weekly.page(page)
    # Sunday 02:00 did not exist: one empty cell in each of the two tables.
    assert page.summary.table[6][2] is None
    assert html.count('<td class="none"></td>') == 2


def test_a_long_silence_of_a_camera_is_named(still: Api, busy: str) -> None:
    week = still.context.reports.week(busy, "2026-W40", MONDAY_NS + 100 * DAY_NS)
    # These were set up later than that week, by the clock of this machine, or earlier: only whole hours of theirs count.
    for camera in week.cameras:
        if camera.quiet is not None:
            assert camera.quiet.end_ns - camera.quiet.start_ns == 168 * 3600 * NS_PER_S
    assert {camera.totals.tracks for camera in week.cameras} == {0}


def test_verified_figures_have_a_sentence_of_their_own(still: Api, busy: str) -> None:
    week = still.context.reports.week(busy, WEEK, MONDAY_NS + 8 * DAY_NS)
    assert week.spot_checks is None
    checked = SpotChecks(240, 0.873, (0.81, 0.92))
    html = weekly.page(msgspec.structs.replace(week, spot_checks=checked))
    text = Reading(html).text
    assert "People checked 240 passages" in text
    assert "87.3 %, with an interval of 81.0 to 92.0 %" in text


def test_another_building_s_week_is_not_there(still: Api, busy: str) -> None:
    guard = Caller("u", "Anna", "account", Role.VIEWER, frozenset({"b99"}))
    with pytest.raises(NotFoundError, match="there is no building"):
        still.context.reports.for_(guard).week(busy, WEEK, MONDAY_NS)
    theirs = still.context.reports.for_(msgspec.structs.replace(guard, buildings=frozenset({busy})))
    assert theirs.week(busy, WEEK, MONDAY_NS + 8 * DAY_NS).summary.totals.tracks == 24


def test_what_a_camera_loses_in_another_building_is_not_theirs_to_know(api: Api) -> None:
    north, south = api.building(), api.building("South")
    camera = api.camera(north)
    api.passage(camera, MONDAY_NS)
    api.context.sites.change_camera(camera, CameraChanges(name="Vault", building_id=south))
    guard = Caller("u", "Anna", "account", Role.VIEWER, frozenset({north}))
    lost = {
        who: api.context.reports.for_(who).week(north, WEEK, MONDAY_NS + 8 * DAY_NS).cameras for who in (SYSTEM, guard)
    }
    assert [(one.name, one.lost) for one in lost[SYSTEM]] == [("Vault", 2)]
    assert [(one.name, one.lost) for one in lost[guard]] == [(camera, 0)]


def test_a_week_so_far_is_compared_with_as_much_of_the_one_before(still: Api, busy: str) -> None:
    # Monday 08:10:05: five of the twelve of this Monday, and five of those of the Monday before.
    week = still.context.reports.week(busy, WEEK, MONDAY_NS + 5 * NS_PER_S)
    assert (week.ended, week.summary.totals.tracks, week.summary.totals_before.tracks) == (False, 5, 5)
    assert "This week is not over: the figures still change" in Reading(weekly.page(week)).text


@pytest.mark.parametrize(
    ("parameters", "status"),
    [
        ({"building": "b99", "week": WEEK}, 404),
        ({"building": "b1"}, 422),
        ({"week": WEEK}, 422),
        ({"building": "b99", "week": WEEK, "x": "1"}, 422),
        ({"building": "../etc", "week": WEEK}, 422),
    ],
)
def test_what_can_t_be_reported_is_said(still: Api, parameters: dict[str, str], status: int) -> None:
    answer = still.client.get("/api/v1/reports/weekly", params=parameters)
    problem(answer, status, "not-found" if status == 404 else "invalid-request")


def test_a_week_that_does_not_exist_is_said(still: Api, busy: str) -> None:
    for week in ("2026-W54", "47", "2026-W1", "<script>"):
        answer = still.client.get("/api/v1/reports/weekly", params={"building": busy, "week": week})
        assert "is no week" in problem(answer, 422, "invalid-request")["detail"]
