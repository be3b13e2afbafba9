"""The API as a whole: health, times, the contract that is committed, and the worker that serves it."""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.openapi import text as document_text
from api.times import iso, parse
from storage.pulse import Pulse
from tests.api_server import START_NS, Api, api_fixture, migrated_fixture, problem, serve, still_fixture, wait_for  # noqa: F401

ROOT = Path(__file__).parent.parent
END_S = 1.0 if os.environ.get("MASKWATCH_PROOF") else 10.0


def test_ready_means_database_bus_and_every_worker(api: Api) -> None:
    assert api.get("/health/live") == {"status": "live"}
    api.beat("detect-0", store="ab12", device="litert on cpu")
    found = problem(api.client.get("/api/v1/health/ready"), 503, "not-ready")
    assert [check["name"] for check in found["checks"] if not check["ok"]] == ["aggregate-0"]
    api.beat("aggregate-0", "the disk is full")
    ready = api.get("/health/ready")
    assert ready["status"] == "ready"
    # It waits, and says what for; what is there can be asked for all the same.
    assert {check["name"]: check["detail"] for check in ready["checks"]} == {
        "database": None,
        "bus": None,
        "detect-0": None,
        "aggregate-0": "the disk is full",
    }
    # What workers run on, and which of them share memory.
    assert [(check["device"], check["store"]) for check in ready["checks"]] == [
        (None, None),
        (None, None),
        ("litert on cpu", "ab12"),
        (None, None),
    ]


def test_the_version_is_said(still: Api) -> None:
    found = still.get("/version")
    assert list(found) == ["name", "version", "api_version"]
    assert re.fullmatch(r"\d+\.\d+\.\d+.*", found["version"])


@given(st.integers(0, 7_258_118_399_999).map(lambda ms: ms * 1_000_000))
def test_times_come_back_as_they_were_written(at_ns: int) -> None:
    assert parse(iso(at_ns)) == at_ns
    assert iso(at_ns + 999_999) == iso(at_ns)


@pytest.mark.parametrize(
    ("written", "at_ns"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01t00:00z", 0),
        ("1970-01-01T02:00:00.000000001+02:00", 1),
        ("2026-07-01T10:00:00.123Z", START_NS // 1_000_000 * 1_000_000),
    ],
)
def test_times_are_read(written: str, at_ns: int) -> None:
    assert parse(written) == at_ns


def test_the_committed_openapi_document_is_current() -> None:
    committed = (ROOT / "docs" / "openapi.json").read_text()
    assert committed == document_text(), "run: python -m api.openapi > docs/openapi.json"


def test_the_document_is_served_and_written_by_one_command(still: Api) -> None:
    written = subprocess.run([sys.executable, "-m", "api.openapi"], cwd=ROOT, capture_output=True, check=True)
    assert json.loads(written.stdout) == still.client.get("/api/openapi.json").json()


def test_the_document_names_every_shape_and_problem() -> None:
    document = json.loads(document_text())
    for path in document["paths"].values():
        for operation in path.values():
            assert operation["responses"]["default"]["content"].keys() == {"application/problem+json"}
            for status, answer in operation["responses"].items():
                schemas = [content.get("schema", {"none": 0}) for content in answer.get("content", {}).values()]
                assert all(schemas), (operation["operationId"], status)
    defined = document["components"]["schemas"]
    assert set(re.findall(r'"#/components/schemas/([^"]+)"', document_text())) <= set(defined)


def test_the_documentation_is_a_page_of_our_own(still: Api) -> None:
    answer = still.client.get("/api/docs")
    assert answer.headers["content-type"].startswith("text/html")
    for path in json.loads(document_text())["paths"]:
        assert path in answer.text
    assert not re.findall(r"(?:src|href)=\"(?:https?:)?//", answer.text)
    assert "<script" not in answer.text


def test_the_worker_beats_and_ends_within_a_second(api: Api) -> None:
    beats: list[int] = []
    pulse = Pulse(lambda done, _: beats.append(done))
    address, thread = serve(api.context, pulse)
    with httpx.Client(base_url=address, timeout=5) as client:
        for _ in range(5):
            assert client.get("/api/v1/version").status_code == 200
        wait_for(lambda: bool(beats) and beats[-1] >= 5)
        # The connection is kept alive; nobody waits for it.
        began_s = time.monotonic()
        pulse.stop()
        thread.join(30)
    assert not thread.is_alive()
    assert time.monotonic() - began_s < END_S
