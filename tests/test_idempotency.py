"""The same request again: a key on POST lets it be done once, a tag on GET lets it be sent once."""

import json
import re
import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
import structlog
from sqlalchemy import Engine, select

from api.openapi import text as document_text
from storage.database.engine import reading
from storage.database.idempotency import KEPT_NS, LONGEST_NS, MOST_BYTES, Idempotency, Kept
from storage.database.models import IdempotencyRow
from storage.errors import ConflictError, InvalidError
from storage.identity import Caller, Role
from storage.words import Label
from tests.api_server import Api, api_fixture, migrated_fixture, problem  # noqa: F401
from tests.postgres import database_fixture, postgres_fixture  # noqa: F401

NORTH = {"name": "North", "timezone": "Europe/Berlin"}
NOW_NS = 1_790_000_000_000_000_000
ANNA = Caller("u1", "Anna", "account", Role.OPERATOR)
DONE = Kept(201, {"location": "/x"}, b"{}")


def post(api: Api, path: str, body: object, key: str | None = "k-1") -> httpx.Response:
    headers = {} if key is None else {"Idempotency-Key": key}
    return api.client.post(f"/api/v1{path}", json=body, headers=headers)


def test_the_same_request_again_does_nothing_and_is_answered_alike(api: Api) -> None:
    first, again = post(api, "/buildings", NORTH), post(api, "/buildings", NORTH)
    assert first.status_code == again.status_code == 201
    assert first.json() == again.json()
    assert again.headers["location"] == first.headers["location"] == "/api/v1/buildings/b1"
    assert (first.headers.get("idempotency-replayed"), again.headers["idempotency-replayed"]) == (None, "true")
    assert again.headers["content-type"] == "application/json"
    assert len(api.get("/buildings")["items"]) == 1
    # Without the key it is what it is: a second building of that name.
    problem(post(api, "/buildings", NORTH, None), 409, "conflict")
    problem(post(api, "/buildings", NORTH, "k-2"), 409, "conflict")


def test_a_refusal_is_kept_too(api: Api) -> None:
    problem(post(api, "/buildings", NORTH | {"timezone": "Moon"}), 422, "invalid-request")
    again = post(api, "/buildings", NORTH | {"timezone": "Moon"})
    problem(again, 422, "invalid-request")
    assert again.headers["idempotency-replayed"] == "true"


def test_another_request_with_the_same_key_is_refused(api: Api) -> None:
    post(api, "/buildings", NORTH)
    for path, body in (("/buildings", NORTH | {"name": "South"}), ("/buildings/b1/zones", NORTH)):
        found = problem(post(api, path, body), 422, "invalid-request")
        assert "idempotency-key" in found["detail"]
    assert len(api.get("/buildings")["items"]) == 1


@pytest.mark.parametrize("key", ["", "a b", "x" * 256, "a\tb", "ä".encode("latin-1").decode("latin-1")])
def test_a_key_is_a_word(api: Api, key: str) -> None:
    answer = api.client.post("/api/v1/buildings", json=NORTH, headers=[(b"Idempotency-Key", key.encode("latin-1"))])
    problem(answer, 422, "invalid-request")
    assert api.get("/buildings")["items"] == []


def test_one_that_is_being_answered_is_not_done_at_the_same_time(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go_on = threading.Event(), threading.Event()
    add = type(api.context.sites).add_building

    def slow(*given: object, **more: object) -> object:
        begun.set()
        assert go_on.wait(10)
        return add(*given, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(type(api.context.sites), "add_building", slow)
    with ThreadPoolExecutor() as pool:
        first = pool.submit(post, api, "/buildings", NORTH)
        assert begun.wait(10)
        problem(post(api, "/buildings", NORTH), 409, "conflict")
        go_on.set()
        assert first.result().status_code == 201
    assert post(api, "/buildings", NORTH).headers["idempotency-replayed"] == "true"


def test_what_failed_here_may_be_sent_again(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("our own mistake")

    with monkeypatch.context() as broken, structlog.testing.capture_logs():
        broken.setattr(type(api.context.sites), "add_building", fail)
        problem(post(api, "/buildings", NORTH), 500, "internal-error")
    assert post(api, "/buildings", NORTH).status_code == 201


def test_an_answer_that_shows_a_secret_is_given_once(api: Api) -> None:
    body = {"name": "till", "role": "viewer", "buildings": None}
    first = post(api, "/api-keys", body)
    assert first.status_code == 201
    assert "secret" in problem(post(api, "/api-keys", body), 409, "conflict")["detail"]
    assert len(api.get("/api-keys")["items"]) == 1
    with reading(api.context.engine) as connection:
        rows = list(connection.execute(select(IdempotencyRow.__table__)))
    assert [row.body for row in rows] == [None]
    # What was refused showed none.
    for _ in range(2):
        problem(post(api, "/api-keys", {"name": "till", "role": "king"}, "k-2"), 422, "invalid-request")


def test_routes_that_show_a_secret_say_so() -> None:
    document = json.loads(document_text())
    for path, operations in document["paths"].items():
        if (operation := operations.get("post")) is None:
            continue
        named = any(one["name"] == "Idempotency-Key" for one in operation.get("parameters", ()))
        # What is longer than memory can't be told from something else.
        assert named == (operation["x-access"] != "public" and not operation.get("x-streams")), path
        shapes = re.findall(r"#/components/schemas/(\w+)", json.dumps(operation["responses"]))
        fields = {field for shape in shapes for field in document["components"]["schemas"][shape].get("properties", ())}
        if fields & {"key", "link", "access_token", "csrf_token", "password", "secret"}:
            assert operation.get("x-shows-secret") is True, path


def test_what_a_body_said_is_not_kept(api: Api) -> None:
    post(api, "/credentials", {"name": "all", "user": "u", "password": "geheim-47"}, "a-key-of-mine")
    with reading(api.context.engine) as connection:
        [row] = connection.execute(select(IdempotencyRow.__table__))
    assert "geheim-47" not in str(row)
    # Nor the key: with it one could try passwords until the digest fits.
    assert "a-key-of-mine" not in str(row)


def test_keys_are_their_callers_own(database: Engine) -> None:
    anna, key = Idempotency(database, ANNA), Idempotency(database, Caller("u1", "Anna", "key", Role.OPERATOR))
    assert anna.begin("k", "d", NOW_NS) is None
    anna.finish("k", DONE)
    assert key.begin("k", "other", NOW_NS) is None
    assert anna.begin("k", "d", NOW_NS) == DONE


def test_keys_end(database: Engine) -> None:
    kept = Idempotency(database, ANNA)
    assert kept.begin("k", "d", NOW_NS) is None
    with pytest.raises(ConflictError, match="at this moment"):
        kept.begin("k", "d", NOW_NS + LONGEST_NS)
    # Whoever answered it is gone.
    assert kept.begin("k", "d", NOW_NS + LONGEST_NS + 1) is None
    kept.finish("k", DONE)
    with pytest.raises(InvalidError, match="another request"):
        kept.begin("k", "e", NOW_NS + KEPT_NS)
    assert kept.begin("k", "e", NOW_NS + LONGEST_NS + KEPT_NS + 2) is None
    kept.forget("k")
    assert kept.begin("k", "f", NOW_NS + LONGEST_NS + KEPT_NS + 2) is None


def test_what_is_not_kept_is_not_done_again_either(database: Engine) -> None:
    kept = Idempotency(database, ANNA)
    for number, body in enumerate((None, b"x" * (MOST_BYTES + 1))):
        assert kept.begin(f"k{number}", "d", NOW_NS) is None
        kept.finish(f"k{number}", Kept(201, {}, body))
        with pytest.raises(ConflictError, match="not kept"):
            kept.begin(f"k{number}", "d", NOW_NS)
    assert kept.begin("empty", "d", NOW_NS) is None
    kept.finish("empty", Kept(204, {}, b""))
    assert kept.begin("empty", "d", NOW_NS) == Kept(204, {}, b"")


def test_of_many_at_once_one_is_done(database: Engine) -> None:
    def begin(_: int) -> bool:
        try:
            return Idempotency(database, ANNA).begin("k", "d", NOW_NS) is None
        except ConflictError:
            return False

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(begin, range(16))) == 1


def test_what_has_not_changed_is_not_sent_again(api: Api) -> None:
    building = api.building()
    camera = api.camera(building)
    for path in ("/buildings", "/cameras", f"/cameras/{camera}", f"/buildings/{building}/zones", "/tracks"):
        first = api.client.get(f"/api/v1{path}")
        assert first.headers["cache-control"] == "private, no-cache", path
        assert {"Authorization", "Cookie"} <= set(first.headers["vary"].split(", "))
        tag = first.headers["etag"]
        for known in (tag, f'"other", {tag}', "*", tag.removeprefix("W/")):
            again = api.client.get(f"/api/v1{path}", headers={"If-None-Match": known})
            assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag), path
        assert api.client.get(f"/api/v1{path}", headers={"If-None-Match": '"other"'}).content == first.content
    before = api.client.get("/api/v1/tracks").headers["etag"]
    api.passage(camera, label=Label.WITH_MASK)
    assert api.client.get("/api/v1/tracks", headers={"If-None-Match": before}).status_code == 200
    tag = api.client.get(f"/api/v1/cameras/{camera}").headers["etag"]
    api.client.patch(f"/api/v1/cameras/{camera}", json={"name": "Other"})
    assert api.client.get(f"/api/v1/cameras/{camera}", headers={"If-None-Match": tag}).json()["name"] == "Other"


def test_what_is_not_there_has_no_tag(api: Api) -> None:
    answer = api.client.get("/api/v1/cameras/c9", headers={"If-None-Match": "*"})
    problem(answer, 404, "not-found")
    assert "etag" not in answer.headers
