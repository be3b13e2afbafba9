"""The stream of what happens: told to whom it concerns, taken up where it was left, and ended when it has to."""

import asyncio
import json
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from api import hub, lasting, stream, watching
from api.hub import MOST_WAITING, Onlooker, Told
from infra.embedded import redis_command, wait_for_socket
from storage.bus import Bus
from storage.identity import SYSTEM
from storage.status import CameraState, CameraStatus, StateReason
from storage.telling import MOST_KEPT, News, NewsKind, Telling
from storage.words import Label
from tests.api_server import LIMIT_S, START_NS, Api, api_fixture, migrated_fixture, problem, wait_for  # noqa: F401

STATUS = CameraStatus(CameraState.LIVE, None, START_NS, 25.0, 5.0, START_NS, "rtcp")


class Listening:
    """One who looks on."""

    def __init__(self, answer: httpx.Response) -> None:
        self.lines = answer.iter_lines()

    def message(self) -> dict[str, Any]:
        """The next message: `id`, `event`, `data`."""
        found: dict[str, Any] = {}
        for line in self.lines:
            if not line and "event" in found:
                return found
            name, _, value = line.partition(": ")
            if name in {"id", "event", "data"}:
                found[name] = json.loads(value) if name == "data" else value
        raise EOFError

    def until(self, kind: str) -> dict[str, Any]:
        """The next message of a kind."""
        while (found := self.message())["event"] != kind:
            pass
        return found

    def ends(self) -> bool:
        """Whether nothing more comes."""
        try:
            while True:
                self.message()
        except (EOFError, httpx.RemoteProtocolError):
            return True


@contextmanager
def listening(api: Api, last: str | None = None, key: str | None = None) -> Iterator[Listening]:
    headers = {} if last is None else {"Last-Event-ID": last}
    if key is not None:
        headers["Authorization"] = f"Bearer {key}"
    with api.client.stream("GET", "/api/v1/stream", headers=headers) as answer:
        assert answer.status_code == 200, answer.read()
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["cache-control"] == "no-store"
        yield Listening(answer)


def key_for(api: Api, *buildings: str) -> tuple[str, str]:
    """A viewer's API key for these buildings, and its identifier."""
    made = api.post("/api-keys", {"name": "screen", "role": "viewer", "buildings": list(buildings)})
    return made["key"], made["id"]


def test_what_happens_to_an_event_is_told(api: Api) -> None:
    camera = api.camera(building := api.building())
    with listening(api) as ear:
        assert ear.message() == {"event": "hello", "data": {"resumed": False}}
        number = api.passage(camera, label=Label.WITHOUT_MASK, closed=False)
        opened = ear.message()
        assert (opened["event"], opened["data"]) == (
            "event.opened",
            {"id": f"{camera}-e{number}", "building_id": building},
        )
        api.passage(camera, label=Label.WITHOUT_MASK, number=number)
        assert ear.message()["event"] == "event.ended"
        body, headers = {"verdict": "confirmed"}, {"If-Match": '"1"'}
        api.client.post(f"/api/v1/events/{camera}-e{number}/review", json=body, headers=headers)
        assert ear.message()["event"] == "event.reviewed"


def test_nobody_hears_of_other_buildings(api: Api) -> None:
    north, south = api.building("North"), api.building("South")
    cameras = {house: api.camera(house, house) for house in (north, south)}
    key, _ = key_for(api, south)
    with listening(api, key=key) as ear:
        ear.until("hello")
        for house in (north, south):
            api.passage(cameras[house], label=Label.WITHOUT_MASK)
            api.says(cameras[house], STATUS)
        Telling(api.context.bus).tell([News(NewsKind.OPENED, "film-e1", "")])
        heard = ear.message()
        assert heard["data"]["building_id"] == south
        place = heard["id"]
        api.passage(cameras[south], label=Label.WITHOUT_MASK)
        assert ear.until("event.opened")["data"]["id"] == f"{cameras[south]}-e2"
    with listening(api, "0-1", key) as ear:
        # It can't be known that nothing is missing since before the first.
        assert ear.message()["data"] == {"resumed": False}
    with listening(api, place, key) as ear:
        assert ear.message()["data"] == {"resumed": True}
        assert ear.message()["data"]["id"] == f"{cameras[south]}-e2"


def test_who_comes_back_hears_what_they_missed_once(api: Api) -> None:
    camera = api.camera(api.building())
    with listening(api) as ear:
        ear.until("hello")
        api.passage(camera, label=Label.WITHOUT_MASK)
        place = ear.message()["id"]
    for _ in range(3):
        api.passage(camera, label=Label.WITHOUT_MASK)
    with listening(api, place) as ear:
        assert ear.message()["data"] == {"resumed": True}
        api.passage(camera, label=Label.WITHOUT_MASK)
        heard = [ear.message()["data"]["id"] for _ in range(4)]
    assert heard == [f"{camera}-e{number}" for number in (2, 3, 4, 5)]


def test_what_is_no_place_is_refused(api: Api) -> None:
    for last in ("x", "1", "-", "9" * 30, "1-1\u00fc"):
        headers = httpx.Headers({"Last-Event-ID": last}, encoding="utf-8")
        problem(api.client.get("/api/v1/stream", headers=headers), 422, "invalid-request")


def test_a_camera_that_fares_otherwise_is_told(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "ASK_S", 0.0)
    camera = api.camera(building := api.building())
    states = watching.States(api.context)
    assert states.changes() == []
    api.says(camera, STATUS)
    (change,) = states.changes()
    assert (change.kind, change.building_id) == ("camera.state_changed", building)
    assert change.data == {"id": camera, "building_id": building, "state": "live", "reason": None}
    assert states.changes() == []
    heard = threading.Event()

    def fare_now_so_now_otherwise() -> None:
        # Whichever of both is seen first, the other is a change.
        while not heard.wait(0.7):
            api.says(camera, STATUS)
            heard.wait(0.7)
            api.says(camera, msgspec.structs.replace(STATUS, state=CameraState.STALLED, reason=StateReason.FROZEN))

    with listening(api) as ear:
        thread = threading.Thread(target=fare_now_so_now_otherwise)
        thread.start()
        try:
            message = ear.until("camera.state_changed")
        finally:
            heard.set()
            thread.join()
    assert "id" not in message
    assert (message["data"]["state"], message["data"]["reason"]) in {("live", None), ("stalled", "frozen")}


def test_silence_is_broken_and_after_a_while_it_ends(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "HEARTBEAT_S", 0.05)
    monkeypatch.setattr(lasting, "LONGEST_S", 0.3)
    with api.client.stream("GET", "/api/v1/stream") as answer:
        told = answer.read()
    assert told.startswith(b"retry: 2000\n\nevent: hello\n")
    assert b"\n\n: still here\n\n" in told


def test_no_more_look_on_than_there_is_room_for(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "MOST_STREAMS", 1)
    with listening(api) as ear:
        ear.until("hello")
        problem(api.client.get("/api/v1/stream"), 503, "too-many-streams")

    def room() -> bool:
        with api.client.stream("GET", "/api/v1/stream") as answer:
            return answer.status_code == 200

    wait_for(room)


def test_one_caller_leaves_places_for_others(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "MOST_OF_ONE", 1)
    key, _ = key_for(api, api.building())
    with listening(api) as ear:
        ear.until("hello")
        refused = problem(api.client.get("/api/v1/stream"), 429, "too-many-streams")
        assert refused["detail"] == "'this machine' has 1 streams open already: close one"
        with listening(api, key=key) as other:
            other.until("hello")


def test_whose_key_is_revoked_hears_no_more(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "HEARTBEAT_S", 0.05)
    monkeypatch.setattr(lasting, "WELCOME_S", 0.05)
    key, identifier = key_for(api, api.building())
    with listening(api, key=key) as ear:
        ear.until("hello")
        assert api.client.delete(f"/api/v1/api-keys/{identifier}").status_code == 204
        assert ear.ends()


def test_the_server_ends_it_when_it_stops(api: Api) -> None:
    with listening(api) as ear:
        ear.until("hello")
        began_s = time.monotonic()
        api.pulse.stop()
        assert ear.ends()
        assert time.monotonic() - began_s < 5


def test_while_redis_is_away_that_is_said_and_then_it_goes_on(api: Api, redis: str, raw: Any) -> None:
    camera = api.camera(api.building())
    socket = Path(redis.removeprefix("unix://").partition("?")[0])
    with listening(api) as ear:
        ear.until("hello")
        raw.shutdown(nosave=True)
        assert "Redis" in ear.until("trouble")["data"]["detail"]
        api.passage(camera, label=Label.WITHOUT_MASK)
        wait_for(lambda: not socket.exists())
        with subprocess.Popen(redis_command(socket), stdout=subprocess.DEVNULL) as server:
            try:
                wait_for_socket(socket, server)
                ear.until("mended")
                api.passage(camera, label=Label.WITHOUT_MASK)
                assert ear.until("event.opened")["data"]["id"] == f"{camera}-e2"
            finally:
                server.kill()


def test_who_cannot_keep_up_is_dropped() -> None:
    async def slow() -> list[Told | None]:
        onlooker = Onlooker(SYSTEM)
        for number in range(MOST_WAITING + 1):
            onlooker.tell(Told("event.opened", {"id": str(number)}))
        return [await onlooker.next()]

    assert asyncio.run(slow()) == [None]


def test_only_the_latest_are_kept(bus: Bus) -> None:
    telling = Telling(bus)
    place = telling.latest()
    for _ in range(3):
        telling.tell(News(NewsKind.OPENED, f"c1-e{number}", "b1") for number in range(MOST_KEPT))
    kept = telling.after(place, count=10 * MOST_KEPT)
    assert MOST_KEPT <= len(kept) < 1.2 * MOST_KEPT
    assert not telling.reaches(place)
    assert telling.reaches(kept[0][0])


def test_without_redis_telling_does_no_harm() -> None:
    Telling(Bus("unix:///nowhere/redis.sock")).tell([News(NewsKind.OPENED, "c1-e1", "b1")])
