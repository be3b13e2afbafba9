"""What the OpenAPI document says against what the API answers: requests that schemathesis makes, good ones and bad ones."""

import io
import os
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from PIL import Image
from schemathesis import APIOperation, Case, GenerationMode
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from sqlalchemy import insert

from api.app import create_app
from api.problems import TITLES
from api.times import iso
from storage.database.engine import writing
from storage.database.models import EventFaceRow, SpotCheckRow
from storage.messages import NS_PER_S
from storage.words import Label
from tests.api_server import Api, api_fixture, migrated_fixture  # noqa: F401
from tests.conftest import flat

AnyCase = Case[Any]
AnyOperation = APIOperation[Any, Any, Any, Any]

PROOF: Final = os.environ.get("MASKWATCH_PROOF") == "1"
LIMIT_S: Final = 10.0
ROUNDS: Final = 40
"""Small operations run out of cases; the others then get more, so often at most."""

FEW: Final = 50
REACHED: Final = 0.65
"""Share of the operations that are to succeed at least once."""

CHECKS: Final = [
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]

ENDLESS: Final = frozenset({"GET /api/v1/stream", "GET /api/v1/cameras/{camera_id}/preview"})
"""Answers that go on: how they begin is looked at."""

NOBODY_THERE: Final = {
    "GET /api/v1/health/ready": "not-ready",
    "GET /api/v1/cameras/{camera_id}/preview": "preview-unavailable",
    "GET /api/v1/cameras/{camera_id}/preview.jpg": "preview-unavailable",
    "GET /api/v1/cameras/{camera_id}/still": "ingest-unavailable",
    "GET /api/v1/cameras/{camera_id}/suitability/still": "ingest-unavailable",
    "POST /api/v1/cameras/{camera_id}/test": "ingest-unavailable",
    "GET /api/v1/events/{event_id}/explanation": "classify-unavailable",
    "POST /api/v1/analyze": "classify-unavailable",
}
"""What takes a process that watches or judges, of which none runs here: 503, as a problem of this kind, is right."""


@dataclass
class Place:
    """An API with something of everything in it.

    Attributes:
        known: what leads to something, by the name of the parameter.
        taken: what is taken in bodies, by the name of the field.
        calls: how often each operation answered with each status.
        found: what was wrong, told once for each operation.
    """

    api: Api
    session: requests.Session
    known: dict[str, list[Any]]
    taken: dict[str, list[Any]]
    calls: Counter[tuple[str, int]] = field(default_factory=Counter)
    found: dict[str, str] = field(default_factory=dict)

    def ask(self, case: AnyCase) -> None:
        """Make the request, and compare what comes with the document."""
        label = case.operation.label
        kwargs = case.as_transport_kwargs(base_url=str(self.api.client.base_url))
        began_s = time.monotonic()
        with self.session.request(**kwargs, stream=True, timeout=LIMIT_S) as answer:
            self.calls[label, answer.status_code] += 1
            endless = label in ENDLESS and answer.status_code == HTTPStatus.OK
            body = b"" if endless else answer.content
            wrong = _wrong(case, answer, endless=endless)
        if wrong is not None and label not in self.found:
            self.found[label] = (
                f"{label}: {wrong}\n  {time.monotonic() - began_s:.2f} s, {answer.status_code}: {body[:500]!r}\n"
                f"  {case.as_curl_command()[:2000]}"
            )


def _wrong(case: AnyCase, answer: requests.Response, *, endless: bool) -> str | None:
    documented = {str(status) for status in case.operation.responses.status_codes}
    if answer.ok:
        # `default` stands for problems alone.
        if str(answer.status_code) not in documented:
            return f"{answer.status_code} is not in the document"
    else:
        kind = answer.json()["type"].removeprefix("/problems/")
        if kind not in TITLES:
            return f"{kind} is no kind of problem"
        if answer.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR and NOBODY_THERE.get(case.operation.label) != kind:
            return f"{answer.status_code} {kind}"
    if endless:
        kinds = case.operation.definition.raw["responses"]["200"]["content"]
        return None if answer.headers["content-type"].partition(";")[0] in kinds else "of another type"
    try:
        case.validate_response(answer, checks=CHECKS)
    except (Failure, FailureGroup) as error:
        return "; ".join(str(one) for one in getattr(error, "exceptions", [error]))
    return None


@pytest.fixture(name="place")
def place_fixture(api: Api, monkeypatch: pytest.MonkeyPatch) -> Place:
    """Two buildings, cameras, passages, events with pictures and faces, reviews, spot checks, people and keys."""
    # Nothing comes from the cameras here, which nobody watches.
    monkeypatch.setattr("api.preview.FIRST_S", 0.05)
    file = io.BytesIO()
    Image.fromarray(flat()).save(file, "JPEG")
    now_ns = time.time_ns() - 3600 * NS_PER_S
    buildings = [api.building("North"), api.building("South", "America/New_York")]
    for building in buildings:
        assert api.client.patch(f"/api/v1/buildings/{building}", json={"spot_share": 0.5}).is_success
    zones = [str(api.post(f"/buildings/{buildings[0]}/zones", {"name": "Hall"})["id"])]
    cameras = [api.camera(buildings[0], "Door", zone_id=zones[0]), api.camera(buildings[1], "Gate")]
    events = []
    for camera in cameras:
        for label in [*Label, Label.WITHOUT_MASK, Label.WITHOUT_MASK]:
            number = api.passage(camera, now_ns, label, picture=file.getvalue())
            if label in {Label.WITHOUT_MASK, Label.INCORRECT_MASK}:
                events.append(f"{camera}-e{number}")
    with writing(api.context.engine) as connection:
        face = {"event_id": events[0], "at_ns": now_ns, "label": "without_mask", "jpeg": file.getvalue()}
        connection.execute(insert(EventFaceRow).values(face))
        for camera, building in zip(cameras, buildings, strict=True):
            for number in (1, 3):
                check: dict[str, object] = {
                    "track_id": f"{camera}-t{number}",
                    "camera_id": camera,
                    "building_id": building,
                }
                check |= {"started_ns": now_ns, "expires_at_ns": now_ns + 10**15, "share": 0.5, "jpeg": file.getvalue()}
                connection.execute(insert(SpotCheckRow).values(check | {"machine_label": "with_mask"}))
    for event in events[:2]:
        answer = api.client.post(
            f"/api/v1/events/{event}/review", json={"verdict": "confirmed"}, headers={"If-Match": '"1"'}
        )
        assert answer.is_success, answer.text
    users = [
        api.post(
            "/users", {"name": f"Person {number}", "role": "viewer", "buildings": None, "password": "correct horse 47"}
        )["id"]
        for number in range(3)
    ]
    till = {"role": "viewer", "buildings": None}
    keys = [api.post("/api-keys", {"name": f"Till {number}", **till})["id"] for number in range(3)]
    credentials = [
        api.post("/credentials", {"name": name, "user": "u", "password": "geheim-47"})["name"]
        for name in ("shared", "gates")
    ]
    session = requests.Session()
    own = api.post("/api-keys", {"name": "own", "role": "admin", "buildings": None})
    session.headers["Authorization"] = f"Bearer {own['key']}"
    moments = [iso(now_ns - NS_PER_S * 3600 * hours) for hours in (0, 2, 30, 800)]
    words = [*"abcdefghijklmnopqrstuvwxyz", "<b>", "=1+1", "\u00e4\u4e2d", "'; DROP TABLE camera; --"]
    return Place(
        api,
        session,
        {
            "building_id": buildings, "building": buildings, "camera_id": cameras, "camera": cameras,
            "zone": zones, "event_id": events, "user_id": users, "key_id": keys, "at_ns": [str(now_ns)],
            "track_id": [f"{camera}-t{number}" for camera in cameras for number in (1, 3)],
            "week": ["2026-W46", "2026-W47"], "timezone": ["Europe/Berlin", "UTC"], "from": moments, "to": moments,
            "If-Match": ['"1"', '"2"', "*"], "path name": credentials,
        },
        {
            "name": [f"{word} {number}" for word in words for number in range(40)], "building_id": buildings,
            "zone_id": [None, *zones], "timezone": ["Europe/Berlin", "UTC"], "url": ["rtsp://10.0.0.5/1"],
            "credential": [None], "buildings": [None, buildings, buildings[:1]], "ids": [events[:2], events],
            "password": ["correct horse 47"], "expires_at": [None], "substream_url": [None], "policy": [None],
        },
    )  # fmt: skip


def _led(case: AnyCase, data: st.DataObject, place: Place) -> None:
    """Let parts of a request lead to what there is, or be what is taken; else hardly any would."""
    operation = case.operation
    for part, named in (
        (case.path_parameters, operation.path_parameters),
        (case.query, operation.query),
        (case.headers, operation.headers),
    ):
        if part is not None:
            for name in sorted(one.name for one in named):
                values = place.known.get("path name" if named is operation.path_parameters and name == "name" else name)
                if values is not None and data.draw(st.integers(0, 4)) < (4 if name in part else 2):
                    part[name] = data.draw(st.sampled_from(values))
    if isinstance(case.body, dict):
        for name in sorted(set(case.body) & set(place.taken)):
            if data.draw(st.integers(0, 7)) < 7:
                case.body[name] = data.draw(st.sampled_from(place.taken[name]))


def _try(place: Place, operation: AnyOperation, mode: GenerationMode, number: int, cases: int) -> None:
    """Make so many cases of an operation, or as many as there are."""

    @seed(number)
    @settings(
        max_examples=cases,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode), data=st.data())
    def ask(case: AnyCase, data: st.DataObject) -> None:
        if mode is GenerationMode.POSITIVE:
            _led(case, data, place)
        place.ask(case)

    # Without parameters there is nothing to do wrong.
    with suppress(Unsatisfiable):
        ask()


@pytest.mark.parametrize(
    "cases",
    [
        pytest.param(FEW, id="fifty"),
        pytest.param(10_000 if PROOF else 1000, id="thousands", marks=pytest.mark.slow),
    ],
)
def test_the_api_answers_as_its_document_says(place: Place, cases: int) -> None:
    document = create_app(place.api.context).openapi()
    schema = schemathesis.openapi.from_dict(document)
    operations = [found.ok() for found in schema.get_all_operations() if isinstance(found, Ok)]
    assert len(operations) == sum(len(path) for path in document["paths"].values())
    tries = [(operation, mode) for mode in GenerationMode for operation in operations]
    # What is there is looked at and changed before it is removed.
    last = [one for one in tries if one[0].method == "delete"]
    first = [one for one in tries if one[0].method != "delete"]
    each = max(1, cases // len(tries))
    for number in range(ROUNDS):
        for operation, mode in first:
            left = cases - place.calls.total() - len(last)
            if left > 0:
                _try(place, operation, mode, number, min(each, left))
    for operation, mode in last:
        _try(place, operation, mode, ROUNDS, max(each, cases - place.calls.total()))
    assert not place.found, "\n\n".join(place.found.values())
    assert place.calls.total() >= cases
    if cases > FEW:
        # It would be easy to be refused everywhere.
        done = {label for label, status in place.calls if status < HTTPStatus.BAD_REQUEST}
        assert len(done) > REACHED * len(operations), sorted({one.label for one in operations} - done)
