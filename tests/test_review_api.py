"""Reviews over HTTP: the second of two reviewers is told, figures follow, and notes are text."""

from typing import Any

import httpx
import pytest

from storage.messages import NS_PER_S
from storage.telling import NewsKind, Telling
from storage.words import Label
from tests.api_server import START_NS, Api, api_fixture, migrated_fixture, problem  # noqa: F401


@pytest.fixture
def event(api: Api) -> str:
    """An event in a building."""
    camera = api.camera(api.building())
    api.passage(camera, START_NS, Label.WITHOUT_MASK)
    return f"{camera}-e1"


def review(api: Api, event: str, version: int | None, **body: Any) -> httpx.Response:
    headers = {} if version is None else {"If-Match": f'"{version}"'}
    return api.client.post(f"/api/v1/events/{event}/review", json=body, headers=headers)


def undo(api: Api, event: str, version: int | None) -> httpx.Response:
    headers = {} if version is None else {"If-Match": f'"{version}"'}
    return api.client.post(f"/api/v1/events/{event}/review/undo", headers=headers)


def row(api: Api) -> dict[str, Any]:
    query = {"from": "2026-07-01T00:00:00Z", "to": "2026-07-02T00:00:00Z", "timezone": "UTC"}
    found: dict[str, Any] = api.get("/statistics/compliance", **query)["series"][0]
    return {
        name: found[name] for name in ("tracks", "with_mask", "without_mask", "exempt", "events", "compliance_rate")
    }


def test_a_review_and_its_undo_change_event_and_figures(api: Api, event: str) -> None:
    before = row(api)
    assert before == {
        "tracks": 1, "with_mask": 0, "without_mask": 1, "exempt": 0, "events": 1, "compliance_rate": 0.0,
    }  # fmt: skip
    answer = review(api, event, 1, verdict="dismissed", reason="wrong_label", label="with_mask", note="<b>scarf</b>")
    assert (answer.status_code, answer.headers["etag"]) == (200, '"2"')
    done = answer.json()
    assert done == api.get(f"/events/{event}")
    at = done["review"].pop("at")
    assert done["review"] == {
        "verdict": "dismissed", "reason": "wrong_label", "label": "with_mask", "note": "<b>scarf</b>",
        "by": "this machine", "version": 2,
    }  # fmt: skip
    assert (done["type"], done["machine_type"]) == ("without_mask", "without_mask")
    assert row(api) == {
        "tracks": 1, "with_mask": 1, "without_mask": 0, "exempt": 0, "events": 0, "compliance_rate": 1.0,
    }  # fmt: skip
    assert api.get("/tracks")["items"][0]["label"] == "with_mask"
    assert [one["id"] for one in api.get("/events", verdict="dismissed")["items"]] == [event]
    undone = undo(api, event, 2)
    assert undone.json()["review"]["verdict"] == "pending"
    assert row(api) == before
    (said,) = api.get(f"/events/{event}/history")["items"]
    assert said["at"] == at
    assert (said["version"], said["note"], said["by"], said["undone_by"]) == (
        2,
        "<b>scarf</b>",
        "this machine",
        "this machine",
    )
    problem(undo(api, event, 3), 409, "conflict")


def test_confirmed_as_the_other_type_it_is_of_that_type(api: Api, event: str) -> None:
    review(api, event, 1, verdict="confirmed", label="incorrect_mask")
    found = api.get(f"/events/{event}")
    assert (found["type"], found["machine_type"]) == ("incorrect_mask", "without_mask")
    assert [one["id"] for one in api.get("/events", type="incorrect_mask")["items"]] == [event]
    history = api.get(f"/events/{event}/history")
    assert (history["type"], history["machine_type"]) == ("incorrect_mask", "without_mask")


def test_who_has_not_read_the_review_is_told(api: Api, event: str) -> None:
    problem(review(api, event, None, verdict="confirmed"), 428, "version-required")
    problem(undo(api, event, None), 428, "version-required")
    assert review(api, event, 1, verdict="confirmed").status_code == 200
    refused = problem(review(api, event, 1, verdict="dismissed", reason="duplicate"), 412, "version-mismatch")
    assert "version 2 now, not 1" in refused["detail"]
    assert api.get(f"/events/{event}")["review"]["verdict"] == "confirmed"


NONSENSE: list[dict[str, Any]] = [
    {},
    {"verdict": "pending"},
    {"verdict": "dismissed"},
    {"verdict": "dismissed", "reason": "bored"},
    {"verdict": "dismissed", "reason": "wrong_label"},
    {"verdict": "dismissed", "reason": "duplicate", "label": "with_mask"},
    {"verdict": "confirmed", "label": "with_mask"},
    {"verdict": "confirmed", "reason": "exempt"},
    {"verdict": "confirmed", "note": "a\x00b"},
    {"verdict": "confirmed", "note": "a" * 2001},
    {"verdict": "confirmed", "more": 1},
]


def test_what_makes_no_sense_is_refused(api: Api, event: str) -> None:
    for body in NONSENSE:
        problem(review(api, event, 1, **body), 422, "invalid-request")
    # Half a character, which no database takes.
    headers = {"If-Match": '"1"', "Content-Type": "application/json"}
    half = b'{"verdict": "confirmed", "note": "\\ud800"}'
    problem(api.client.post(f"/api/v1/events/{event}/review", content=half, headers=headers), 422, "invalid-request")
    assert api.get(f"/events/{event}")["review"]["version"] == 1


def test_many_are_judged_at_once_each_by_itself(api: Api, event: str) -> None:
    camera = event.rpartition("-")[0]
    for number in (1, 2):
        api.passage(camera, START_NS + number * NS_PER_S, Label.WITHOUT_MASK)
    review(api, f"{camera}-e2", 1, verdict="confirmed")
    ids = [f"{camera}-e{number}" for number in (1, 2, 3, 9)]
    body = {"ids": ids, "verdict": "dismissed", "reason": "exempt", "versions": dict.fromkeys([*ids[:2], ids[3]], 1)}
    answer = api.client.post("/api/v1/events/review", json=body)
    assert answer.status_code == 200, answer.text
    assert [(one["id"], one["done"], one["problem"]) for one in answer.json()["items"]] == [
        (ids[0], True, None),
        (ids[1], False, "/problems/version-mismatch"),
        (ids[2], False, "/problems/conflict"),
        (ids[3], False, "/problems/not-found"),
    ]
    assert answer.json()["items"][0]["event"] == api.get(f"/events/{event}")
    assert row(api)["exempt"] == 1
    body["ids"] = [f"c1-e{number}" for number in range(201)]
    problem(api.client.post("/api/v1/events/review", json=body), 422, "invalid-request")


def test_a_review_is_told(api: Api, event: str) -> None:
    telling = Telling(api.context.bus)
    place = telling.latest()
    review(api, event, 1, verdict="confirmed")
    assert [(news.kind, news.id) for _, news in telling.after(place)] == [(NewsKind.REVIEWED, event)]


def test_what_is_not_there_is_not_found(api: Api) -> None:
    problem(review(api, "c9-e9", 1, verdict="confirmed"), 404, "not-found")
    problem(undo(api, "c9-e9", 1), 404, "not-found")
    problem(api.client.get("/api/v1/events/c9-e9/history"), 404, "not-found")
