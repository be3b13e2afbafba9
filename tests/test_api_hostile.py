"""Whatever is asked of the API: an answer with a reason, in time, and nothing that helps an attacker."""

import json
import logging
import re
import resource
import socket
import zlib
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from select import select
from typing import Any
from urllib.parse import quote

import httpx
import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from api import request_body
from api.openapi import text as document_text
from api.request_body import MOST_LARGE, MOST_OF_ONE
from api.routes.health import NOT_OK
from storage.database.api_keys import ApiKeys, NewKey
from storage.database.engine import writing
from storage.identity import Role
from storage.pulse import Pulse
from storage.words import Label
from tests.api_server import NO_TLS, Api, api_fixture, migrated_fixture, problem, serve, still_fixture, wait_for  # noqa: F401

PASSWORD = "geheim-47"  # noqa: S105


def test_what_is_not_there_is_a_problem(still: Api) -> None:
    for path in ("/api/v1/nothing", "/api/v2/cameras", "/nothing", "/api/v1/cameras/", "/static/none.js", "/metrics/"):
        assert problem(still.client.get(path), 404, "not-found")["instance"] == path
    for identifier in ("b9", "a%00b", "x" * 300, "%F0%9F%98%80", ".."):
        problem(still.client.get(f"/api/v1/buildings/{identifier}"), 404, "not-found")
        problem(still.client.get(f"/api/v1/events/{identifier}"), 404, "not-found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/api/v1/cameras", "GET, POST"),
        ("POST", "/api/v1/cameras/c1", "DELETE, GET, PATCH"),
        ("DELETE", "/api/v1/tracks", "GET"),
        ("OPTIONS", "/api/v1/version", "GET"),
        ("POST", "/", "GET"),
    ],
)
def test_what_can_t_be_done_there_is_a_problem(still: Api, method: str, path: str, allowed: str) -> None:
    answer = still.client.request(method, path)
    problem(answer, 405, "method-not-allowed")
    assert answer.headers["allow"] == allowed


@pytest.mark.parametrize("content", ["{", "", "[" * 100_000, '{"name": NaN}', "\xff", '{"a": 1e999999}'])
def test_a_body_that_is_no_json_is_a_problem(still: Api, content: str) -> None:
    answer = still.client.post(
        "/api/v1/buildings", content=content.encode("latin-1"), headers={"content-type": "application/json"}
    )
    assert answer.status_code in {400, 422}
    problem(answer, answer.status_code, "bad-request" if answer.status_code == 400 else "invalid-request")


def test_a_body_of_another_kind_is_refused(still: Api) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        answer = still.client.post("/api/v1/buildings", content='{"name": "x"}', headers={"content-type": kind})
        problem(answer, 415, "unsupported-media-type")


@pytest.mark.parametrize("size", [2**20 + 1, 4 * 2**20])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_that_is_too_large_is_refused(still: Api, size: int, chunked: bool) -> None:
    body = b'{"name": "' + b"x" * size + b'"}'
    content: Any = iter([body[:1000], body[1000:]]) if chunked else body
    answer = still.client.post("/api/v1/buildings", content=content, headers={"content-type": "application/json"})
    problem(answer, 413, "body-too-large")
    assert still.get("/health/live")


def test_a_body_that_never_comes_does_not_hold_the_server(still: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.request_body.BODY_LIMIT_S", 0.2)
    with socket.create_connection((still.client.base_url.host, still.client.base_url.port or 0), timeout=30) as link:
        head = "POST /api/v1/buildings HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n"
        link.sendall(head.encode())
        assert b"408" in link.recv(1000).split(b"\r\n")[0]


HUGE = "POST /api/v1/analyze HTTP/1.1\r\nHost: {host}\r\nContent-Type: image/jpeg\r\nContent-Length: 20000000\r\n"


def sending(api: Api, host: str = "localhost", *more: str) -> socket.socket:
    """One who announces a large picture, and sends the beginning of it."""
    link = socket.create_connection((api.client.base_url.host, api.client.base_url.port or 0), timeout=30)
    link.sendall("".join([HUGE.format(host=host), *more, "\r\n"]).encode() + b"\xff\xd8")
    return link


def test_a_large_body_is_read_of_those_alone_who_may_send_it(still: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.request_body.BODY_LIMIT_S", 0.3)
    wrong = "Authorization: Bearer mwk_k1_wrong\r\n"
    with ExitStack() as stack:
        # They hold no place while they are still sending.
        links = [stack.enter_context(sending(still, "localhost", wrong)) for _ in range(MOST_LARGE + 1)]
        for link in links:
            assert b"401" in link.recv(1000).split(b"\r\n")[0]


def test_one_caller_leaves_places_for_large_bodies_of_others(still: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.request_body.BODY_LIMIT_S", 60.0)
    with ExitStack() as stack:
        for _ in range(MOST_OF_ONE):
            stack.enter_context(sending(still))
        # They are read for as long as something may come.
        wait_for(lambda: request_body._large.total() == MOST_OF_ONE)
        monkeypatch.setattr("api.request_body.BODY_LIMIT_S", 0.2)
        assert b"429" in stack.enter_context(sending(still)).recv(1000).split(b"\r\n")[0]
        assert request_body._large.total() == MOST_OF_ONE
    # Who goes leaves the place to others.
    wait_for(lambda: request_body._large.total() == 0)


def test_more_requests_than_there_is_room_for_are_told_to_come_again(
    still: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.guards.MOST_AT_ONCE", 0)
    assert "try again" in problem(still.client.get("/api/v1/version"), 503, "busy")["detail"]


def test_so_many_may_be_connected_and_no_more(still: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infra.web.MOST_CONNECTIONS", 2)
    pulse = Pulse()
    address, thread = serve(still.context, pulse)
    try:
        with httpx.Client(verify=NO_TLS, timeout=30) as one, httpx.Client(verify=NO_TLS, timeout=30) as other:
            told = [client.get(f"{address}/api/v1/version").status_code for client in (one, other)]
        assert told == [200, 503]
    finally:
        pulse.stop()
        thread.join(10)


def test_what_is_wrong_is_told_to_callers_with_all_buildings(api: Api) -> None:
    building = api.building()
    api.beat("detect-0", "the disk of /srv/media is full", device="litert on cpu")
    _, secret = ApiKeys(api.context.engine).add(NewKey("till", Role.ADMIN, (building,)))
    for headers in ({"Authorization": f"Bearer {secret}"}, {"Authorization": "Bearer mwk_wrong"}, {"X-Real-IP": "1"}):
        found = problem(api.client.get("/api/v1/health/ready", headers=headers), 503, "not-ready")
        assert found["detail"] == f"aggregate-0: {NOT_OK}"
        assert {check["name"]: check["ok"] for check in found["checks"]} == {
            "database": True,
            "bus": True,
            "detect-0": True,
            "aggregate-0": False,
        }
        assert {(check["detail"], check["device"], check["store"]) for check in found["checks"]} == {(None, None, None)}
    limited = api.client.get("/api/v1/overview", headers={"Authorization": f"Bearer {secret}"}).json()
    assert limited["trouble"] == [f"detect-0: {NOT_OK}", f"aggregate-0: {NOT_OK}"]
    assert api.get("/overview")["trouble"][0] == "detect-0: the disk of /srv/media is full"


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "127.0.0.1.evil.example",
        "10.0.0.5",
        "localhost.evil.example:80",
        "0.0.0.0",  # noqa: S104
        "[::2]",
        "",
        "[",
        "a@b",
    ],
)
def test_other_names_of_this_machine_are_not_served(still: Api, host: str) -> None:
    problem(still.client.get("/api/v1/version", headers={"Host": host}), 421, "host-not-allowed")


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8000", "127.0.0.1", "127.1.2.3:80", "[::1]:8000", "LOCALHOST"]
)
def test_names_of_the_loopback_are_served(still: Api, host: str) -> None:
    assert still.client.get("/api/v1/version", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Origin": "http://localhost:1"},
    ],
)
def test_pages_of_other_sites_change_nothing(api: Api, headers: dict[str, str]) -> None:
    body = {"name": "North", "timezone": "UTC"}
    problem(api.client.post("/api/v1/buildings", json=body, headers=headers), 403, "cross-site")
    problem(api.client.delete("/api/v1/cameras/c1", headers=headers), 403, "cross-site")
    own = {"Origin": str(api.client.base_url).rstrip("/"), "Sec-Fetch-Site": "same-origin"}
    assert api.client.post("/api/v1/buildings", json=body, headers=own).status_code == 201


def test_pages_of_other_addresses_lead_here_and_load_nothing_from_here(still: Api) -> None:
    for site in ("cross-site", "same-site"):
        for wanted in ("image", "iframe", "empty"):
            headers = {"Sec-Fetch-Site": site, "Sec-Fetch-Dest": wanted, "Sec-Fetch-Mode": "no-cors"}
            problem(still.client.get("/api/v1/version", headers=headers), 403, "cross-site")
        followed = {"Sec-Fetch-Site": site, "Sec-Fetch-Dest": "document", "Sec-Fetch-Mode": "navigate"}
        assert still.client.get("/api/v1/version", headers=followed).status_code == 200
    for site in ("none", "same-origin"):
        assert still.client.get("/api/v1/version", headers={"Sec-Fetch-Site": site}).status_code == 200


def test_every_answer_forbids_what_it_does_not_need(still: Api) -> None:
    for path in ("/api/v1/version", "/api/v1/nothing", "/api/openapi.json"):
        headers = still.client.get(path).headers
        assert headers["content-security-policy"].startswith("default-src 'none'")
        # What was read may be kept by who read it, and is asked for again each time; errors and all else are not kept.
        kept = path == "/api/v1/version"
        assert headers["cache-control"] == ("private, no-cache" if kept else "no-store")
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert "server" not in headers
        assert "access-control-allow-origin" not in headers


def test_our_own_mistakes_tell_nothing_of_the_inside(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise RuntimeError("what nobody outside should know")

    monkeypatch.setattr(api.context.sites, "buildings", fail)
    with structlog.testing.capture_logs() as logged:
        answer = api.client.get("/api/v1/buildings")
    problem(answer, 500, "internal-error")
    assert "nobody outside" not in answer.text
    [line] = logged
    assert (line["event"], line["path"], line["log_level"]) == ("request failed", "/api/v1/buildings", "error")
    assert isinstance(line["exc_info"], RuntimeError)


def test_without_a_database_the_answer_comes_and_says_so(api: Api) -> None:
    with writing(api.context.engine) as connection:
        connection.execute(text("DROP TABLE track"))
    found = problem(api.client.get("/api/v1/tracks"), 503, "database-unavailable")
    assert "no tables yet" in found["detail"]


def test_without_the_bus_facts_are_served_and_states_say_why_not(api: Api) -> None:
    camera = api.camera(api.building())
    lost = Api(api.context, api.client, api.pulse, api.ledger, api.media)
    object.__setattr__(api.context, "bus", type(api.context.bus)("unix:///nowhere/redis.sock"))
    found = problem(lost.client.get(f"/api/v1/cameras/{camera}/status"), 503, "bus-unavailable")
    assert "MASKWATCH_REDIS_URL" in found["detail"]
    assert [
        check["name"] for check in problem(lost.client.get("/api/v1/health/ready"), 503, "not-ready")["checks"]
    ] == [
        "database",
        "bus",
    ]
    assert lost.get("/tracks")["items"] == []


def test_no_password_reaches_the_log(
    api: Api, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    building = api.building()
    url = f"rtsp://user:{PASSWORD}@10.0.0.5/1"
    api.camera(building, url=url)
    for body in [
        {"name": "Door", "building_id": building, "url": url},
        {"name": "Other", "building_id": "b9", "url": url},
        {"name": 5, "building_id": building, "url": url},
        {"name": "Other", "building_id": building, "url": url.replace("rtsp", "gopher")},
    ]:
        assert PASSWORD not in api.client.post("/api/v1/cameras", json=body).text
    with writing(api.context.engine) as connection:
        connection.execute(text("ALTER TABLE camera RENAME TO lens"))
    answer = api.client.post("/api/v1/cameras", json={"name": "Other", "building_id": building, "url": url})
    assert answer.status_code == 503
    assert PASSWORD not in answer.text + caplog.text + "".join(capfd.readouterr())


DOCUMENT = json.loads(document_text())
ENDLESS = {"/api/v1/stream", "/api/v1/cameras/{camera_id}/preview"}
ROUTES = [
    (method, path) for path, operations in DOCUMENT["paths"].items() if path not in ENDLESS for method in operations
]
JUNK = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.lists(st.text())
    | st.dictionaries(st.text(), st.text())
)


@settings(max_examples=150)
@given(data=st.data())
def test_nothing_that_is_sent_makes_it_fail(data: st.DataObject, api: Api) -> None:
    method, path = data.draw(st.sampled_from(ROUTES))
    operation = DOCUMENT["paths"][path][method]
    names = [one["name"] for one in operation.get("parameters", ()) if one["in"] == "query"] or ["x"]
    query = data.draw(st.dictionaries(st.sampled_from(names), st.text() | st.integers().map(str), max_size=3))
    filled = re.sub(r"\{\w+\}", lambda _: quote(data.draw(st.text(min_size=1)), safe=""), path)
    shape = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    fields = (
        DOCUMENT["components"]["schemas"].get(shape.get("$ref", "").rpartition("/")[2], {}).get("properties", {"x": 0})
    )
    content, headers = None, {}
    if method == "post":
        content = json.dumps(data.draw(JUNK | st.dictionaries(st.sampled_from(list(fields)), JUNK))).encode()
        headers["content-type"] = "application/json"
    answer = api.client.request(method, filled, params=query, content=content, headers=headers)
    if answer.status_code >= 400:
        # No worker beats here, so nothing is ready.
        kind = answer.json()["type"]
        assert kind == "/problems/not-ready" or (kind.startswith("/problems/") and answer.status_code < 500)


def test_who_asks_for_the_head_alone_gets_it(still: Api) -> None:
    for path in ("/", "/api/v1/health/live"):
        answer = still.client.head(path)
        assert (answer.status_code, answer.content) == (200, b"")
        assert int(answer.headers["content-length"]) > 0


def test_a_cursor_leads_on_in_its_own_list_alone(api: Api) -> None:
    building = api.building()
    camera = api.camera(building)
    other = api.camera(building, "Gate")
    for _ in range(3):
        api.passage(camera, label=Label.WITHOUT_MASK)
    first = api.get("/tracks", limit=1, camera=camera)
    after = first["next_cursor"]
    # The size of a page may change; what is on it may not.
    assert len(api.get("/tracks", limit=2, camera=camera, cursor=after)["items"]) == 2
    for path, query in (
        ("/tracks", {"camera": other}),
        ("/tracks", {}),
        ("/tracks", {"camera": camera, "label": "without_mask"}),
        ("/events", {"camera": camera}),
        ("/cameras", {}),
    ):
        answer = api.client.get(f"/api/v1{path}", params=query | {"cursor": after})
        assert "another list" in problem(answer, 422, "invalid-request")["detail"], (path, query)


HOSTILE_NAMES = (
    "Door\r\nSet-Cookie: session=1",
    "Door\nX-Accel-Redirect: /etc/passwd",
    "Door\x00",
    "Door\u2028next",
    "Door\x1b[2J",
)


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_names_hold_no_second_line(api: Api, name: str) -> None:
    building = api.building()
    for path, body in (
        ("/buildings", {"name": name, "timezone": "UTC"}),
        (f"/buildings/{building}/zones", {"name": name}),
        ("/cameras?check=false", {"name": name, "building_id": building, "url": "rtsp://10.0.0.5/1"}),
        ("/credentials", {"name": name, "user": "u", "password": PASSWORD}),
    ):
        answer = api.client.post(f"/api/v1{path}", json=body)
        problem(answer, 422, "invalid-request")
        assert not {"set-cookie", "x-accel-redirect"} & set(answer.headers)


def test_html_is_text(api: Api) -> None:
    name = "<img src=x onerror=alert(1)>"
    building = api.building(name)
    camera = api.camera(building, f"{name} too")
    api.passage(camera)
    for path in ("/buildings", "/cameras", "/overview", "/statistics/compliance?group_by=building"):
        answer = api.client.get(f"/api/v1{path}")
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
    report = api.client.get(f"/api/v1/reports/weekly?building={building}&week=2026-W27")
    assert "<img src=x" not in report.text
    assert "&lt;img src=x" in report.text


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"name": ' + b"9" * 500_000 + b"}",
        b'{"name": "' + b"x" * 900_000 + b'", "timezone": "UTC"}',
        b'{"name": "a", "name": {}, "timezone": ' + b"[" * 900 + b"]" * 900 + b"}",
        b'{"name": "\\ud800", "timezone": "UTC"}',
        b'{"name": 1e999, "timezone": NaN}',
        b"\xff\xfe",
        b"",
    ],
)
def test_large_and_deep_bodies_are_refused_at_once(api: Api, body: bytes) -> None:
    for path in ("/buildings", "/cameras", "/cameras/import"):
        answer = api.client.post(f"/api/v1{path}", content=body, headers={"content-type": "application/json"})
        assert 400 <= answer.status_code < 500, answer.text[:200]
        assert answer.json()["type"].startswith("/problems/")
        # What was sent is not thrown back.
        assert len(answer.content) < 20_000
    assert api.get("/buildings")["items"] == []


GIB = 2**30
SPARE = 64 * 2**20
"""Bytes: what lies in the buffers of a connection, and what else the process does meanwhile."""


def memory() -> int:
    """What this process, which serves, has in memory, in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


@dataclass
class Upload:
    """A body of 1 GiB, sent for as long as somebody takes it."""

    answer: bytes = b""
    sent: int = 0
    most_memory: int = 0

    def to(self, api: Api, path: str, head: str, block: bytes) -> None:
        """Send it."""
        with socket.create_connection(("127.0.0.1", api.client.base_url.port or 0), timeout=30) as link:
            link.sendall(f"POST {path} HTTP/1.1\r\nHost: localhost\r\n{head}\r\n\r\n".encode())
            with suppress(BrokenPipeError, ConnectionResetError):
                while self.sent < GIB and not select([link], [], [], 0)[0]:
                    self.sent += link.send(block)
                    self.most_memory = max(self.most_memory, memory())
            with suppress(ConnectionResetError):
                while part := link.recv(65536):
                    self.answer += part


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/api/v1/buildings", "application/json"),
        ("/api/v1/cameras/import", "text/csv"),
        ("/api/v1/analyze", "image/jpeg"),
    ],
)
def test_an_upload_of_1_gib_is_refused_early_and_takes_no_memory(
    still: Api, path: str, kind: str, chunked: bool
) -> None:
    head, block = f"Content-Type: {kind}\r\nConnection: close\r\n", bytes(64 * 1024)
    if chunked:
        head, block = f"{head}Transfer-Encoding: chunked", b"10000\r\n" + block + b"\r\n"
    else:
        head = f"{head}Content-Length: {GIB}"
    still.get("/health/live")
    before, upload = memory(), Upload()
    upload.to(still, path, head, block)
    assert upload.answer.split(b" ")[1] == b"413"
    assert b"/problems/body-too-large" in upload.answer
    assert upload.sent < SPARE
    assert upload.most_memory - before < SPARE
    assert still.get("/health/live")


def test_a_body_that_says_it_is_packed_is_not_unpacked(still: Api) -> None:
    pack = zlib.compressobj(1, wbits=31)
    packed = b"".join(pack.compress(bytes(2**20)) for _ in range(256)) + pack.flush()
    assert len(packed) < 2 * 2**20
    before = memory()
    for path, kind in (("/buildings", "application/json"), ("/cameras/import", "text/csv"), ("/analyze", "image/png")):
        headers = {"content-type": kind, "content-encoding": "gzip"}
        answer = still.client.post(f"/api/v1{path}", content=packed, headers=headers)
        # Nobody looks at pictures here.
        assert answer.status_code == 503 if path == "/analyze" else 400 <= answer.status_code < 500, answer.text
    assert memory() - before < SPARE


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "PROPFIND", "PURGE", "GET\t", "x" * 100])
def test_methods_that_nobody_knows_do_nothing(still: Api, method: str) -> None:
    with socket.create_connection(("127.0.0.1", still.client.base_url.port or 0), timeout=30) as connection:
        connection.sendall(
            f"{method} /api/v1/buildings HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
        )
        answer = b""
        while part := connection.recv(4096):
            answer += part
    assert answer.split(b" ")[1] in {b"400", b"404", b"405", b"501"}, answer[:200]


@pytest.mark.parametrize(
    "path",
    [
        "/static/../api/app.py",
        "/console/../../pyproject.toml",
        "/console/%2e%2e/%2e%2e/pyproject.toml",
        "/console/..%2f..%2fpyproject.toml",
        "/console//etc/passwd",
        "/api/v1/events/..%2f..%2fetc%2fpasswd/snapshot",
        "/api/v1/cameras/%2e%2e/still",
        "/api/v1/credentials/../../../etc/passwd",
    ],
)
def test_no_path_leads_out(still: Api, path: str) -> None:
    with socket.create_connection(("127.0.0.1", still.client.base_url.port or 0), timeout=30) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        answer = b""
        while part := connection.recv(65536):
            answer += part
    assert int(answer.split(b" ")[1]) in {400, 404}, answer[:300]
    assert b"root:" not in answer
    assert b"[project]" not in answer


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Idempotency-Key", "a\x7f"),
        ("If-Match", '"1", "2"'),
        ("If-Match", "x" * 5000),
        ("If-None-Match", '"' * 5000),
        ("Authorization", "Bearer " + "x" * 5000),
        ("Authorization", "Basic YWRtaW46YWRtaW4="),
        ("Cookie", "; ".join(f"a{number}=b" for number in range(500))),
        ("Range", "bytes=0-1"),
        ("Content-Type", "application/json; charset=utf-7"),
    ],
)
def test_headers_are_read_with_care(still: Api, name: str, value: str) -> None:
    for method in ("GET", "PATCH", "POST"):
        path = "/api/v1/buildings/b9" if method == "PATCH" else "/api/v1/buildings"
        answer = still.client.request(method, path, headers={name: value}, json=None if method == "GET" else {})
        assert answer.status_code < 500, (method, answer.text)
