"""Tracks, events, snapshots and statistics over HTTP: shapes as the interface documentation has them."""

import csv
import io
import time
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from api.asking import cursor
from api.routes.statistics import as_csv
from api.shapes.facts import Group, Row
from api.times import iso, parse
from storage.database.engine import writing
from storage.database.event_pictures import EventPictures
from storage.database.groups import GroupBy
from storage.database.reports import Position
from storage.messages import NS_PER_S
from storage.words import Label, UnknownReason
from tests.api_server import (
    START_NS,
    Api,
    api_fixture,  # noqa: F401
    midday_zones,
    migrated_fixture,  # noqa: F401
    problem,
    still_fixture,  # noqa: F401
)

JPEG = b"\xff\xd8\xff\xe0 a picture"
TRACK_KEYS = [
    "id",
    "camera_id",
    "building_id",
    "zone_id",
    "started_at",
    "ended_at",
    "faces",
    "label",
    "confidence",
    "unknown_reason",
    "state",
    "job_id",
    "outside_hours",
]
EVENT_KEYS = [
    "id",
    "camera_id",
    "building_id",
    "zone_id",
    "track_id",
    "type",
    "state",
    "started_at",
    "ended_at",
    "corrected_at",
    "confidence",
    "snapshot_url",
    "job_id",
    "machine_type",
    "review",
]
REVIEW_KEYS = ["verdict", "reason", "label", "note", "by", "at", "version"]
ROW_KEYS = [
    "group",
    "from",
    "to",
    "tracks",
    "with_mask",
    "without_mask",
    "incorrect_mask",
    "unknown",
    "exempt",
    "outside_hours",
    "open_tracks",
    "events",
    "compliance_rate",
    "interval",
    "unknown_reasons",
    "corrected_rate",
    "corrected_interval",
    "corrected_note",
    "verified_by",
]


def test_tracks_and_events_have_their_shapes(api: Api) -> None:
    building = api.building()
    zone = api.post(f"/buildings/{building}/zones", {"name": "Hall"})["id"]
    camera = api.camera(building, zone_id=zone)
    api.passage(camera, START_NS, Label.WITHOUT_MASK, picture=JPEG)
    api.passage(camera, START_NS + NS_PER_S, Label.UNKNOWN)
    api.passage(camera, START_NS + 2 * NS_PER_S, Label.INCORRECT_MASK, closed=False)
    open_track, unknown, track = api.get("/tracks")["items"]
    assert list(track) == TRACK_KEYS
    assert track == {
        "id": f"{camera}-t1",
        "camera_id": camera,
        "building_id": building,
        "zone_id": zone,
        "started_at": "2026-07-01T10:00:00.123Z",
        "ended_at": "2026-07-01T10:00:04.123Z",
        "faces": 20,
        "label": "without_mask",
        "confidence": 0.9876,
        "unknown_reason": None,
        "state": "ended",
        "job_id": None,
        "outside_hours": False,
    }
    assert (unknown["label"], unknown["unknown_reason"]) == ("unknown", "blurred")
    assert open_track["state"] == "open"
    ongoing, event = api.get("/events")["items"]
    assert list(event) == EVENT_KEYS
    assert list(event["review"]) == REVIEW_KEYS
    assert event == {
        "id": f"{camera}-e1",
        "camera_id": camera,
        "building_id": building,
        "zone_id": zone,
        "track_id": f"{camera}-t1",
        "type": "without_mask",
        "state": "ended",
        "started_at": "2026-07-01T10:00:01.123Z",
        "ended_at": "2026-07-01T10:00:04.123Z",
        "corrected_at": None,
        "confidence": 0.9512,
        "snapshot_url": f"/api/v1/events/{camera}-e1/snapshot",
        "job_id": None,
        "machine_type": "without_mask",
        "review": {
            "verdict": "pending",
            "reason": None,
            "label": None,
            "note": None,
            "by": None,
            "at": None,
            "version": 1,
        },
    }
    assert (ongoing["state"], ongoing["type"], ongoing["snapshot_url"]) == ("ongoing", "incorrect_mask", None)
    assert api.get(f"/events/{camera}-e1") == event
    problem(api.client.get(f"/api/v1/events/{camera}-e9"), 404, "not-found")


def test_footage_without_a_camera_is_in_no_building(api: Api) -> None:
    api.passage("film", label=Label.WITHOUT_MASK)
    assert api.get("/tracks")["items"][0]["building_id"] is None
    assert api.get("/events")["items"][0]["building_id"] is None


def test_facts_are_filtered(api: Api) -> None:
    north, south = api.building("North"), api.building("South")
    zone = api.post(f"/buildings/{south}/zones", {"name": "Hall"})["id"]
    one, other = api.camera(north, "A"), api.camera(south, "B", zone_id=zone)
    for number, (camera, label) in enumerate(
        [(one, Label.WITH_MASK), (one, Label.WITHOUT_MASK), (other, Label.INCORRECT_MASK), (other, Label.UNKNOWN)]
    ):
        api.passage(camera, START_NS + number * NS_PER_S, label)
    with writing(api.context.engine) as connection:
        connection.execute(text("UPDATE event SET verdict = 'confirmed' WHERE camera_id = :camera"), {"camera": other})

    def found(path: str, **query: Any) -> list[str]:
        return [item["id"] for item in api.get(path, **query)["items"]]

    assert found("/tracks", camera=one) == [f"{one}-t2", f"{one}-t1"]
    assert found("/tracks", building=south) == [f"{other}-t2", f"{other}-t1"]
    assert found("/tracks", zone=zone, label="unknown") == [f"{other}-t2"]
    assert found("/tracks", type="without_mask") == [f"{one}-t2"]
    assert found("/tracks", verdict="confirmed") == [f"{other}-t1"]
    assert found("/events", type="incorrect_mask") == [f"{other}-e1"]
    assert found("/events", label="without_mask") == [f"{one}-e2"]
    assert found("/events", verdict="pending", building=north) == [f"{one}-e2"]
    assert found("/events", verdict="dismissed") == []
    second = iso(START_NS + NS_PER_S)
    assert found("/tracks", **{"from": second, "to": iso(START_NS + 2 * NS_PER_S)}) == [f"{one}-t2"]
    assert found("/tracks", to=second) == [f"{one}-t1"]
    assert found("/tracks", **{"from": "2026-07-01T12:00:03+02:00"}) == [f"{other}-t2"]
    assert found("/tracks", camera="nobody") == []


def test_pages_follow_each_other(api: Api) -> None:
    camera = api.camera(api.building())
    for number in range(7):
        # Two of each time: the order is settled all the same.
        api.passage(camera, START_NS + number // 2 * NS_PER_S)
    found: list[str] = []
    query: dict[str, Any] = {"limit": 3}
    while query.get("cursor", "") is not None:
        page = api.get("/tracks", **query)
        found += [track["id"] for track in page["items"]]
        query["cursor"] = page["next_cursor"]
    assert sorted(found) == sorted(f"{camera}-t{number}" for number in range(1, 8))
    assert api.get("/tracks", limit=7)["next_cursor"] is None


@pytest.mark.parametrize("path", ["/tracks", "/events", "/cameras", "/buildings"])
@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=201",
        "limit=99999999999999999999999",
        "limit=many",
        "cursor=",
        "cursor=nonsense",
        "cursor=kwE",
        "cursor=" + "A" * 500,
        f"cursor={cursor(Position(2**63, 'x'))}",
        f"cursor={cursor(Position(5, 'a b'))}",
        "colour=red",
        "limit=1&limit=2",
        "building=a%00b",
        "building=",
    ],
)
def test_a_list_asked_wrongly_says_what_is_wrong(still: Api, path: str, query: str) -> None:
    if path == "/buildings" and query.startswith("building"):
        query = "Limit=1"
    found = problem(still.client.get(f"/api/v1{path}?{query}"), 422, "invalid-request")
    assert f"query.{query.partition('=')[0]}" in found["detail"]


@pytest.mark.parametrize(
    "query",
    [
        {"from": "yesterday"},
        {"from": "2026-07-01T10:00:00"},
        {"from": "2026-02-30T10:00:00Z"},
        {"to": "0001-01-01T00:00:00+14:00"},
        {"to": "9999-12-31T23:59:59-14:00"},
        {"label": "mask"},
        {"type": "with_mask"},
        {"verdict": "guilty"},
        {"camera": "../../x"},
    ],
)
def test_a_filter_that_means_nothing_is_refused(still: Api, query: dict[str, str]) -> None:
    for path in ("/tracks", "/events"):
        found = problem(still.client.get(f"/api/v1{path}", params=query), 422, "invalid-request")
        assert [error["location"] for error in found["errors"]] == [f"query.{name}" for name in query]


def test_routes_without_parameters_take_none(still: Api) -> None:

    for path in ("/buildings/b1", "/health/live", "/version", "/events/c1-e1/snapshot"):
        problem(still.client.get(f"/api/v1{path}?verbose=1"), 422, "invalid-request")


def test_a_snapshot_is_private_and_stays_a_picture(api: Api) -> None:
    camera = api.camera(api.building())
    api.passage(camera, label=Label.WITHOUT_MASK, picture=JPEG)
    answer = api.client.get(f"/api/v1/events/{camera}-e1/snapshot")
    assert (answer.status_code, answer.content) == (200, JPEG)
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["cache-control"] == "private, no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"


def test_a_snapshot_replaced_while_it_is_asked_for_is_the_new_one(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    camera = api.camera(api.building())
    number = api.passage(camera, label=Label.WITHOUT_MASK, picture=JPEG, closed=False)
    ask = EventPictures.snapshot

    def slowly(pictures: EventPictures, event_id: str) -> Any:
        found = ask(pictures, event_id)
        monkeypatch.undo()
        api.passage(camera, label=Label.WITHOUT_MASK, picture=JPEG + b" better", number=number)
        for name in api.ledger.obsolete():
            (api.context.snapshots / name).unlink()
        return found

    monkeypatch.setattr(EventPictures, "snapshot", slowly)
    assert api.client.get(f"/api/v1/events/{camera}-e1/snapshot").content == JPEG + b" better"


def test_a_picture_that_is_not_there_is_not_found(api: Api) -> None:
    camera = api.camera(api.building())
    api.passage(camera, label=Label.WITHOUT_MASK)
    problem(api.client.get(f"/api/v1/events/{camera}-e1/snapshot"), 404, "not-found")
    problem(api.client.get(f"/api/v1/events/{camera}-e2/snapshot"), 404, "not-found")
    api.passage(camera, label=Label.WITHOUT_MASK, picture=JPEG)
    for file in api.context.snapshots.iterdir():
        file.unlink()
    problem(api.client.get(f"/api/v1/events/{camera}-e2/snapshot"), 404, "not-found")


def test_a_picture_s_name_can_t_lead_out_of_its_folder(api: Api) -> None:
    camera = api.camera(api.building())
    api.passage(camera, label=Label.WITHOUT_MASK, picture=JPEG)
    with writing(api.context.engine) as connection:
        connection.execute(text("UPDATE event SET snapshot = '../maskwatch.sqlite3'"))
    problem(api.client.get(f"/api/v1/events/{camera}-e1/snapshot"), 404, "not-found")


def test_statistics_have_their_shape(api: Api) -> None:
    building = api.building()
    camera = api.camera(building)
    labels = [Label.WITH_MASK] * 7 + [Label.WITHOUT_MASK, Label.INCORRECT_MASK, Label.UNKNOWN]
    for number, label in enumerate(labels):
        api.passage(camera, START_NS + number * NS_PER_S, label)
    query = {"from": "2026-06-30T22:00:00Z", "to": "2026-07-02T22:00:00Z", "bucket": "day", "group_by": "building"}
    answer = api.get("/statistics/compliance", **query)
    assert list(answer) == ["as_of", "timezone", "bucket", "series", "whole"]
    assert (answer["timezone"], answer["bucket"]) == ("Europe/Berlin", "day")
    first, second = answer["series"]
    assert list(first) == ROW_KEYS
    assert first == {
        "group": {"type": "building", "id": building, "name": "North"},
        "from": "2026-06-30T22:00:00.000Z",
        "to": "2026-07-01T22:00:00.000Z",
        "tracks": 10,
        "with_mask": 7,
        "without_mask": 1,
        "incorrect_mask": 1,
        "unknown": 1,
        "exempt": 0,
        "outside_hours": 0,
        "open_tracks": 0,
        "events": 2,
        "compliance_rate": 0.7778,
        "interval": [0.4526, 0.9368],
        "unknown_reasons": dict.fromkeys(UnknownReason, 0) | {UnknownReason.BLURRED: 1},
        "corrected_rate": None,
        "corrected_interval": None,
        "corrected_note": "not yet verified",
        "verified_by": None,
    }
    assert (second["tracks"], second["compliance_rate"], second["interval"]) == (0, None, None)
    assert answer["whole"] == [first | {"to": "2026-07-02T22:00:00.000Z"}]


def test_statistics_are_of_today_unless_asked_otherwise(api: Api) -> None:
    zone = midday_zones()[0]
    midnight = datetime.now(ZoneInfo(zone)).replace(hour=0, minute=0, second=0, microsecond=0)
    camera = api.camera(api.building("South", zone))
    api.passage(camera, time.time_ns(), closed=False)
    answer = api.get("/statistics/compliance")
    assert (answer["timezone"], answer["bucket"], len(answer["series"])) == (zone, "day", 1)
    [row] = answer["series"]
    assert row["group"] is None
    assert parse(row["from"]) == round(midnight.timestamp()) * NS_PER_S
    assert parse(row["to"]) - parse(row["from"]) == 86400 * NS_PER_S
    assert (row["open_tracks"], row["tracks"]) == (1, 0)


def test_a_passage_that_ends_moves_from_open_to_counted(api: Api) -> None:
    camera = api.camera(api.building())
    number = api.passage(camera, label=Label.WITHOUT_MASK, closed=False)
    query = {"from": "2026-07-01T10:00:00.123Z", "to": "2026-07-01T10:00:30Z"}
    for closed, expected in [(False, (1, 0, 0)), (True, (0, 1, 1))]:
        api.passage(camera, label=Label.WITHOUT_MASK, closed=closed, number=number)
        for to in (query["to"], "2026-07-01T11:00:00Z"):
            [row] = api.get("/statistics/compliance", **query | {"to": to})["series"]
            assert (row["open_tracks"], row["tracks"], row["without_mask"]) == expected


@pytest.mark.parametrize(
    ("query", "status", "words"),
    [
        ({}, 422, "several time zones"),
        ({"timezone": "Mars/Olympus"}, 422, "no IANA time zone"),
        ({"timezone": "../../etc/passwd"}, 422, "no IANA time zone"),
        ({"timezone": "UTC", "bucket": "minute"}, 422, "query.bucket"),
        ({"timezone": "UTC", "group_by": "label"}, 422, "query.group_by"),
        ({"timezone": "UTC", "form": "csv"}, 422, "query.form"),
        ({"timezone": "UTC", "from": "2026-07-02T00:00:00Z", "to": "2026-07-01T00:00:00Z"}, 422, "earlier"),
        ({"timezone": "UTC", "from": "1970-01-01T00:00:00Z", "bucket": "hour"}, 422, "more than 10000"),
        ({"building": "b9"}, 404, "no building"),
        ({"camera": "c9"}, 404, "no camera"),
        ({"zone": "z9"}, 404, "no zone"),
    ],
)
def test_statistics_that_can_t_be_are_refused(api: Api, query: dict[str, str], status: int, words: str) -> None:
    api.building("North", "Europe/Berlin")
    api.building("South", "Asia/Kolkata")
    answer = api.client.get("/api/v1/statistics/compliance", params=query)
    assert words in problem(answer, status, "not-found" if status == 404 else "invalid-request")["detail"]


@pytest.mark.parametrize("how", [{"params": {"format": "csv"}}, {"headers": {"Accept": "text/csv"}}])
def test_statistics_come_as_csv(api: Api, how: dict[str, Any]) -> None:
    camera = api.camera(api.building('=HYPERLINK("http://x")'))
    api.passage(camera)
    how.setdefault("params", {}).update(
        {"group_by": "building", "from": "2026-07-01T10:00:00Z", "to": "2026-07-01T11:00:00Z"}
    )
    answer = api.client.get("/api/v1/statistics/compliance", **how)
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    [row] = csv.DictReader(io.StringIO(answer.text, newline=""))
    assert row["group_name"] == '\'=HYPERLINK("http://x")'
    assert (row["group_type"], row["group_id"], row["tracks"], row["with_mask"]) == ("building", "b1", "1", "1")
    assert row["unknown_too_dark"] == "0"
    assert (row["from"], row["to"]) == ("2026-07-01T10:00:00.000Z", "2026-07-01T11:00:00.000Z")
    assert (row["compliance_rate"], row["interval_low"], row["interval_high"]) == ("1.0", "0.2065", "1.0")


@given(name=st.text(max_size=20))
def test_no_cell_is_a_formula_and_every_name_comes_back(name: str) -> None:
    group = Group(type=GroupBy.ZONE, id="z1", name=name)
    numbers = dict.fromkeys([key for key in ROW_KEYS if key not in {"group", "from", "to", "unknown_reasons"}], 0)
    nothing = {"compliance_rate": None, "interval": None, "unknown_reasons": dict.fromkeys(UnknownReason, 0)}
    nothing |= dict.fromkeys(("corrected_rate", "corrected_interval", "corrected_note", "verified_by"))
    row = Row.model_validate({"group": group, "from": "x", "to": "y", **numbers, **nothing})
    _, cells = list(csv.reader(io.StringIO(as_csv([row]), newline="")))
    assert cells[2].removeprefix("'") == name.removeprefix("'")
    assert not cells[2].lstrip(" ").startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
