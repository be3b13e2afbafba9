"""The first page of the console in one request, and a summary over HTTP: right figures, and to each caller their own."""

import time
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest

from api.routes.overview import overview
from storage.bus import Bus
from storage.database.changes import CameraChanges
from storage.identity import SYSTEM, Caller, Role
from storage.messages import NS_PER_S
from storage.status import CameraState, CameraStatus, StateReason
from storage.words import Label
from tests.api_server import START_NS, Api, api_fixture, migrated_fixture, problem, still_fixture  # noqa: F401

DAY_NS = 86_400 * NS_PER_S


def shown(api: Api, caller: Caller = SYSTEM, now_ns: int = START_NS) -> dict[str, Any]:
    """The overview at a moment, as a caller has it."""
    context = replace(api.context, sites=api.context.sites.for_(caller), reports=api.context.reports.for_(caller))
    return overview(context, now_ns).model_dump(by_alias=True, mode="json")


def live(state: CameraState = CameraState.LIVE, **more: Any) -> CameraStatus:
    """What ingest says of a camera."""
    return CameraStatus(state, more.pop("reason", None), START_NS, 25.0, 5.0, START_NS, "rtcp", **more)


def test_an_empty_system_has_an_empty_overview(api: Api) -> None:
    found = api.get("/overview")
    assert list(found) == [
        "as_of",
        "today",
        "trend",
        "buildings",
        "cameras",
        "events_pending",
        "spot_checks",
        "jobs",
        "trouble",
    ]
    assert (found["buildings"], found["jobs"], found["trend"]) == ([], [], [])
    assert found["today"]["compliance_rate"] is None
    assert found["events_pending"] == {"count": 0, "oldest_started_at": None}
    assert found["cameras"] == {"known": True, "enabled": 0, "live": 0, "down": [], "warned": []}
    # Nothing but the API runs.
    assert any("gives no sign of life" in line for line in found["trouble"])


def test_today_is_each_building_s_own_by_zone(api: Api) -> None:
    north, far = api.building("North"), api.building("Far", "Pacific/Auckland")
    zone = api.post(f"/buildings/{north}/zones", {"name": "Hall"})["id"]
    door, hall, beach = api.camera(north, "Door"), api.camera(north, "Hall", zone_id=zone), api.camera(far, "Beach")
    for label in (Label.WITH_MASK, Label.WITH_MASK, Label.UNKNOWN):
        api.passage(hall, START_NS - 60 * NS_PER_S, label)
    api.passage(door, START_NS - 90 * NS_PER_S, Label.WITHOUT_MASK)
    api.passage(door, START_NS - 5 * NS_PER_S, Label.UNKNOWN, closed=False)
    # 14:00 UTC of the day before: there it is already today, here it is yesterday.
    for camera in (beach, hall):
        api.passage(camera, START_NS - 20 * 3600 * NS_PER_S)
    found = shown(api)
    by_name = {building["name"]: building for building in found["buildings"]}
    assert list(by_name) == ["Far", "North"]
    assert (by_name["Far"]["tracks"], by_name["Far"]["zones"]) == (1, [])
    inside = by_name["North"]
    assert (inside["tracks"], inside["open_tracks"], inside["events"], inside["compliance_rate"]) == (4, 1, 1, 0.6667)
    assert inside["interval"] == [0.2077, 0.9385]
    assert inside["unknown_reasons"]["blurred"] == 1
    assert [(one["name"], one["tracks"], one["open_tracks"]) for one in inside["zones"]] == [
        ("Hall", 3, 0),
        (None, 1, 1),
    ]
    assert [(one["date"], one["tracks"]) for one in inside["trend"]] == [
        *((f"2026-06-{day}", 0) for day in range(25, 30)),
        ("2026-06-30", 1),
        ("2026-07-01", 4),
    ]
    assert found["today"]["tracks"] == 5
    # There it is already 1 July, 22:00.
    assert [(one["date"], one["tracks"]) for one in found["trend"]][-2:] == [("2026-06-30", 1), ("2026-07-01", 5)]
    assert len(found["trend"]) == 7
    assert found["as_of"] == "2026-07-01T10:00:00.123Z"


def test_cameras_that_are_down_come_with_the_reason_in_words(api: Api) -> None:
    building = api.building()
    names = ("Door", "Hall", "Gate", "Roof", "Off")
    door, hall, gate, roof, off = (api.camera(building, name) for name in names)
    api.context.sites.change_camera(off, CameraChanges(enabled=False))
    api.says(door, live())
    api.says(hall, live(CameraState.BACKING_OFF, reason=StateReason.WRONG_PASSWORD, detail="the password is wrong"))
    api.says(roof, live(warnings=("it seems to have been moved",)))
    found = shown(api)["cameras"]
    assert (found["known"], found["enabled"], found["live"]) == (True, 4, 2)
    assert {(one["id"], one["state"], one["reason"]) for one in found["down"]} == {
        (hall, "backing_off", "wrong_password"),
        (gate, "connecting", None),
    }
    told = {one["id"]: one["detail"] for one in found["down"]}
    assert told[hall] == "the password is wrong"
    assert "nothing has come from it yet" in told[gate]
    assert [(one["name"], one["detail"]) for one in found["warned"]] == [("Roof", "it seems to have been moved")]


def test_events_wait_until_they_are_reviewed(api: Api) -> None:
    camera = api.camera(api.building())
    for minutes in (30, 20):
        api.passage(camera, START_NS - minutes * 60 * NS_PER_S, Label.WITHOUT_MASK)
    assert shown(api)["events_pending"] == {"count": 2, "oldest_started_at": "2026-07-01T09:30:01.123Z"}


def test_each_caller_sees_their_own_buildings(api: Api) -> None:
    north, south = api.building("North"), api.building("South")
    here, there = api.camera(north, "Door"), api.camera(south, "Gate")
    for camera in (here, there, there):
        api.passage(camera, START_NS - 60 * NS_PER_S, Label.WITHOUT_MASK)
    guard = Caller("u1", "Anna", "account", Role.VIEWER, frozenset({north}))
    found = shown(api, guard)
    assert [building["name"] for building in found["buildings"]] == ["North"]
    assert (found["today"]["tracks"], found["events_pending"]["count"]) == (1, 1)
    assert [one["tracks"] for one in found["trend"]] == [0] * 6 + [1]
    assert (found["cameras"]["enabled"], [one["id"] for one in found["cameras"]["down"]]) == (1, [here])
    nobody = shown(api, Caller("u2", "Bo", "account", Role.VIEWER, frozenset()))
    assert (nobody["buildings"], nobody["today"]["tracks"], nobody["events_pending"]["count"]) == ([], 0, 0)
    assert shown(api)["today"]["tracks"] == 3


def test_what_is_kept_of_one_caller_is_not_shown_to_another(api: Api) -> None:
    north, south = api.building("North"), api.building("South")
    for building in (north, south):
        api.passage(api.camera(building, f"Door {building}"), time.time_ns() - NS_PER_S)
    keys = [
        api.post("/api-keys", {"name": name, "role": "viewer", "buildings": buildings})["key"]
        for name, buildings in (("north", [north]), ("south", [south]))
    ]
    seen = []
    # One after the other, faster than what is kept grows old.
    for key in (*keys, *keys):
        answer = api.client.get("/api/v1/overview", headers={"Authorization": f"Bearer {key}"})
        assert answer.status_code == 200, answer.text
        seen.append([building["id"] for building in answer.json()["buildings"]])
    assert seen == [[north], [south], [north], [south]]


def test_without_the_bus_the_database_s_part_is_shown(api: Api) -> None:
    api.passage(api.camera(api.building()), START_NS - NS_PER_S)
    with closing(Bus("unix:///nowhere/redis.sock")) as nowhere:
        found = overview(replace(api.context, bus=nowhere), START_NS)
    assert (found.cameras.known, found.cameras.enabled, found.today.tracks) == (False, 1, 1)
    assert any(line.startswith("bus: ") for line in found.trouble)


def test_a_summary_over_http(api: Api) -> None:
    camera = api.camera(api.building())
    for number in range(4):
        api.passage(camera, START_NS + number * NS_PER_S, Label.WITHOUT_MASK if number == 3 else Label.WITH_MASK)
        api.passage(camera, START_NS - 7 * DAY_NS + number * NS_PER_S, Label.WITH_MASK)
    found = api.get("/statistics/summary", **{"from": "2026-06-28T22:00:00Z", "to": "2026-07-05T22:00:00Z"})
    assert list(found) == ["as_of", "timezone", "period", "before", "change", "busiest_hours", "hours_of_week"]
    assert found["period"]["from"] == "2026-06-28T22:00:00.000Z"
    assert found["before"]["from"] == "2026-06-21T22:00:00.000Z"
    assert (found["period"]["compliance_rate"], found["before"]["compliance_rate"]) == (0.75, 1.0)
    assert found["change"]["points"] == -25.0
    assert found["change"]["interval"][0] < -25.0 < 0.0 < found["change"]["interval"][1]
    [busiest] = found["busiest_hours"]
    assert (busiest["weekday"], busiest["hour"], busiest["tracks"]) == ("wed", 12, 4)
    assert [len(row) for row in found["hours_of_week"]] == [24] * 7
    assert found["hours_of_week"][2][12] == busiest
    assert api.get("/statistics/summary", period="day")["period"]["tracks"] == 0


@pytest.mark.parametrize(
    ("parameters", "status"),
    [
        ({"period": "year"}, 422),
        ({"from": "2026-07-01T00:00:00Z"}, 422),
        ({"from": "2026-07-02T00:00:00Z", "to": "2026-07-01T00:00:00Z"}, 422),
        ({"from": "2024-07-02T00:00:00Z", "to": "2026-07-01T00:00:00Z"}, 422),
        ({"building": "b99"}, 404),
        ({"bucket": "day"}, 422),
    ],
)
def test_a_summary_that_can_t_be_given(still: Api, parameters: dict[str, str], status: int) -> None:
    answer = still.client.get("/api/v1/statistics/summary", params=parameters)
    problem(answer, status, "not-found" if status == 404 else "invalid-request")
