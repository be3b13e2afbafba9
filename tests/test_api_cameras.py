"""Cameras over HTTP: changed, checked, looked at, many at once; and the users they share."""

import io
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from api import ingest
from api.bodies import CameraIn, CameraPatch, ListedCamera
from ingest.answers import Grounds, run_answers
from ingest.frame import Frame
from ingest.played import PlayedFile
from storage.asking import NoAnswerError
from storage.probing import at_once, still_of
from storage.pulse import Pulse
from tests.api_server import Api, api_fixture, migrated_fixture, problem, still_fixture  # noqa: F401
from tests.conftest import WriteVideo, flat

PASSWORD = "geheim-47"  # noqa: S105
CHECK_KEYS = [
    "ok",
    "reason",
    "detail",
    "codec",
    "width",
    "height",
    "fps",
    "first_frame_s",
    "clock",
    "substream",
]
LIST = (
    "name,building,zone,url,analyze_fps\n"
    f"Door,North,Hall,rtsp://admin:{PASSWORD}@127.0.0.1:9/1,4\n"
    "Yard,North,none,rtsp://127.0.0.1:9/2,\n"
)


@pytest.fixture
def clip(api: Api, write_video: WriteVideo) -> Path:
    path = write_video([flat(size=(240, 320))] * 50)
    return path.rename(api.media / "clip.mp4")


@pytest.fixture
def watching(api: Api, clip: Path) -> Iterator[dict[str, Frame]]:
    """An ingest process that answers; what it is given to show, it shows."""
    pulse, shown = Pulse(), dict[str, Frame]()
    grounds = Grounds(api.context.sites, api.media, "private")
    asking = api.context.asking
    thread = threading.Thread(
        target=run_answers, args=(asking, grounds, lambda: [*shown, "ready"], shown.get, pulse), daemon=True
    )
    thread.start()
    until_s = time.monotonic() + 30
    while True:
        try:
            asking.ask(still_of("ready"), b"", 5)
            break
        except NoAnswerError:
            assert time.monotonic() < until_s
    yield shown
    pulse.stop()
    thread.join()


@pytest.fixture
def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def looked_for(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Let a check take no longer than this, and its answer be on its way for as long as any wait."""
    monkeypatch.setattr("ingest.answers.WAY_S", 20.0)
    monkeypatch.setattr(ingest, "PROBE_LIMIT_S", 20.0 + seconds)


def patch(api: Api, path: str, body: Any, **headers: str) -> httpx.Response:
    return api.client.patch(f"/api/v1{path}", json=body, headers=headers)


def imported(api: Api, text: str, **query: Any) -> httpx.Response:
    return api.client.post(
        "/api/v1/cameras/import", content=text.encode(), headers={"content-type": "text/csv"}, params=query
    )


def test_a_camera_is_changed_in_part(api: Api) -> None:
    building = api.building()
    camera = api.camera(building, url=f"rtsp://admin:{PASSWORD}@10.0.0.5/1", policy={"dwell_s": 2})
    change = {
        "name": "Gate",
        "analyze_fps": 8,
        "enabled": False,
        "regions": [{"mode": "watch", "points": [[0, 0], [1, 0], [1, 1]]}],
        "policy": {"hours": [{"days": ["mon", "tue"], "from": "08:00", "to": "18:30"}]},
        "thresholds": {"confidence": 0.8},
        "substream_url": "rtsp://10.0.0.5/2",
        "transport": "udp",
    }
    answer = patch(api, f"/cameras/{camera}", change)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert answer.headers["etag"] == f'"{found["version"]}"'
    for name in ("name", "analyze_fps", "enabled", "regions", "substream_url", "transport"):
        assert found[name] == change[name]
    assert found["policy"] == {
        "labels": ["without_mask", "incorrect_mask"],
        "dwell_s": 2,
        "hours": [{"days": ["mon", "tue"], "from": "08:00", "to": "18:30"}],
    }
    assert found["thresholds"] == {"detection": None, "confidence": 0.8}
    assert found["url"] == "rtsp://admin:***@10.0.0.5/1"
    # What is sent back as it was shown changes nothing.
    assert patch(api, f"/cameras/{camera}", {"url": found["url"]}).json()["version"] == found["version"]
    assert api.context.sites.camera(camera).url == f"rtsp://admin:{PASSWORD}@10.0.0.5/1"
    cleared = patch(api, f"/cameras/{camera}", {"regions": [], "substream_url": None, "policy": {"hours": None}}).json()
    assert (cleared["regions"], cleared["substream_url"], cleared["policy"]["hours"]) == ([], None, None)
    assert cleared["policy"]["dwell_s"] == 2


def test_a_change_for_another_version_is_refused(api: Api) -> None:
    camera = api.camera(api.building())
    tag = api.client.get(f"/api/v1/cameras/{camera}").headers["etag"]
    assert tag == '"1"'
    assert patch(api, f"/cameras/{camera}", {"name": "Gate"}, **{"If-Match": tag}).status_code == 200
    answer = patch(api, f"/cameras/{camera}", {"name": "Yard"}, **{"If-Match": tag})
    assert "version 2 now, not 1" in problem(answer, 412, "version-mismatch")["detail"]
    assert patch(api, f"/cameras/{camera}", {"name": "Yard"}, **{"If-Match": "*"}).json()["name"] == "Yard"
    problem(patch(api, f"/cameras/{camera}", {"name": "x"}, **{"If-Match": "latest"}), 422, "invalid-request")


def test_changes_of_parts_at_the_same_time_lose_nothing(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody else changes another part between the reading and the writing of a change."""
    building = api.building()
    camera, sites = api.camera(building), api.context.sites
    reads = {"camera": sites.camera, "building": sites.building}

    def meanwhile(kind: str, path: str, body: Any) -> None:
        def read(identifier: str) -> Any:
            found = reads[kind](identifier)
            monkeypatch.setattr(sites, kind, reads[kind])
            assert patch(api, path, body).status_code == 200
            return found

        monkeypatch.setattr(sites, kind, read)

    for kind, path in (("camera", f"/cameras/{camera}"), ("building", f"/buildings/{building}")):
        meanwhile(kind, path, {"policy": {"labels": ["without_mask"]}})
        policy = patch(api, path, {"policy": {"dwell_s": 7}}).json()["policy"]
        assert (policy["labels"], policy["dwell_s"]) == (["without_mask"], 7)
    meanwhile("camera", f"/cameras/{camera}", {"thresholds": {"detection": 0.7}})
    found = patch(api, f"/cameras/{camera}", {"thresholds": {"confidence": 0.9}}).json()
    assert found["thresholds"] == {"detection": 0.7, "confidence": 0.9}
    meanwhile("camera", f"/cameras/{camera}", {"name": "Gate"})
    answer = patch(api, f"/cameras/{camera}", {"policy": {"dwell_s": 8}}, **{"If-Match": str(found["version"])})
    problem(answer, 412, "version-mismatch")


@pytest.mark.parametrize("word", ["export", "import"])
def test_a_word_of_the_api_is_no_identifier_of_a_camera(api: Api, word: str) -> None:
    body = {"name": "Door", "building_id": api.building(), "url": "rtsp://10.0.0.5/1", "id": word}
    answer = api.client.post("/api/v1/cameras", json=body)
    assert f"'{word}' can't be a camera's identifier" in problem(answer, 422, "invalid-request")["detail"]


def test_what_was_sent_shows_no_password_where_it_is_logged() -> None:
    url = f"rtsp://admin:{PASSWORD}@10.0.0.5/1"
    sent = {"name": "Door", "url": url, "substream_url": url}
    bodies = (CameraIn(**sent, building_id="b1"), CameraPatch(**sent), ListedCamera(**sent))
    assert not any(PASSWORD in f"{body} {body!r}" for body in bodies)


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"url": "ftp://10.0.0.5/1"}, 422),
        ({"url": "file:../maskwatch.sqlite3"}, 422),
        ({"url": f"rtsp://admin:{PASSWORD}@/1"}, 422),
        ({"url": "rtsp://admin:***@10.0.0.6/1"}, 422),
        ({"building_id": "b9"}, 404),
        ({"zone_id": "z9"}, 404),
        ({"credential": "nobody"}, 404),
        ({"name": ""}, 422),
        ({"name": None}, 422),
        ({"analyze_fps": 0}, 422),
        ({"analyze_fps": None}, 422),
        ({"regions": [{"mode": "watch", "points": [[0, 0], [1, 0], [1, 1.01]]}]}, 422),
        ({"regions": [{"mode": "watch", "points": [[0, 0], [0.5, 0.5], [1, 1]]}]}, 422),
        ({"policy": {"hours": []}}, 422),
        ({"policy": {"hours": [{"days": ["mon"], "from": "25:00", "to": "26:00"}]}}, 422),
        ({"policy": {"hours": [{"days": ["funday"], "from": "08:00", "to": "09:00"}]}}, 422),
        ({"thresholds": {"detection": 2}}, 422),
        ({"transport": "multicast"}, 422),
        ({"version": 5}, 422),
    ],
)
def test_a_change_that_can_t_be_is_refused_and_nothing_is_changed(api: Api, change: Any, status: int) -> None:
    camera = api.camera(api.building())
    before = api.get(f"/cameras/{camera}")
    answer = patch(api, f"/cameras/{camera}", {"counts": False, **change})
    problem(answer, status, "not-found" if status == 404 else "invalid-request")
    assert PASSWORD not in answer.text
    assert api.get(f"/cameras/{camera}") == before


def test_an_archived_camera_is_restored(api: Api) -> None:
    camera = api.camera(api.building())
    api.client.delete(f"/api/v1/cameras/{camera}")
    problem(patch(api, f"/cameras/{camera}", {"name": "x"}), 409, "conflict")
    answer = api.client.post(f"/api/v1/cameras/{camera}/restore")
    assert (answer.status_code, answer.json()["archived_at"]) == (200, None)
    assert [one["id"] for one in api.get("/cameras")["items"]] == [camera]
    api.client.delete(f"/api/v1/cameras/{camera}")
    api.camera(answer.json()["building_id"])
    problem(api.client.post(f"/api/v1/cameras/{camera}/restore"), 409, "conflict")


def test_a_building_is_changed_in_part(api: Api) -> None:
    building = api.building()
    answer = patch(
        api, f"/buildings/{building}", {"timezone": "Asia/Tokyo", "policy": {"dwell_s": 3}}, **{"If-Match": "1"}
    )
    found = answer.json()
    assert (found["name"], found["timezone"], found["version"]) == ("North", "Asia/Tokyo", 2)
    assert found["policy"]["dwell_s"] == 3
    problem(patch(api, f"/buildings/{building}", {"timezone": "Mars/Olympus"}), 422, "invalid-request")
    problem(patch(api, f"/buildings/{building}", {"name": "x"}, **{"If-Match": "1"}), 412, "version-mismatch")
    problem(patch(api, "/buildings/b9", {"name": "x"}), 404, "not-found")


def test_registration_says_whether_the_camera_can_be_reached(
    api: Api, watching: dict[str, Frame], closed_port: int
) -> None:
    building = api.building()
    good = api.post("/cameras", {"name": "Clip", "building_id": building, "url": "file:clip.mp4"})
    assert list(good["check"]) == CHECK_KEYS
    assert (good["check"]["ok"], good["check"]["width"], good["check"]["clock"]) == (True, 320, "file")
    url = f"rtsp://admin:{PASSWORD}@127.0.0.1:{closed_port}/1"
    bad = api.post("/cameras", {"name": "Door", "building_id": building, "url": url})
    assert (bad["check"]["ok"], bad["check"]["reason"]) == (False, "refused")
    assert "admin:***@" in bad["check"]["detail"]
    unseen = api.client.post(
        "/api/v1/cameras?check=false", json={"name": "Gate", "building_id": building, "url": "rtsp://10.0.0.5/1"}
    ).json()
    assert unseen["check"] is None
    assert len(api.get("/cameras")["items"]) == 3


def test_registration_says_of_a_camera_that_does_not_answer_that_it_does_not(
    api: Api, watching: dict[str, Frame], monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_for(monkeypatch, 3.0)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"rtsp://127.0.0.1:{silent.getsockname()[1]}/1"
        made = api.post("/cameras", {"name": "Door", "building_id": api.building(), "url": url})
    assert (made["check"]["ok"], made["check"]["reason"]) == (False, "timeout")
    assert made["check"]["detail"]


def test_a_camera_is_tested_on_request(api: Api, watching: dict[str, Frame], closed_port: int) -> None:
    building = api.building()
    good = api.camera(building, "Clip", url="file:clip.mp4")
    answer = api.client.post(f"/api/v1/cameras/{good}/test")
    assert answer.status_code == 200
    assert list(answer.json()) == CHECK_KEYS
    bad = api.camera(building, "Door", url=f"rtsp://127.0.0.1:{closed_port}/1")
    found = problem(api.client.post(f"/api/v1/cameras/{bad}/test"), 422, "camera-unreachable")
    assert found["reason"] == "refused"
    problem(api.client.post("/api/v1/cameras/c9/test"), 404, "not-found")


def test_where_no_ingest_process_runs_that_is_said_at_once(api: Api) -> None:
    camera = api.camera(api.building())
    began_s = time.monotonic()
    problem(api.client.post(f"/api/v1/cameras/{camera}/test"), 503, "ingest-unavailable")
    problem(api.client.get(f"/api/v1/cameras/{camera}/still"), 503, "ingest-unavailable")
    assert time.monotonic() - began_s < 10


def test_what_a_camera_shows_is_given_and_kept_nowhere(
    api: Api, watching: dict[str, Frame], clip: Path, closed_port: int
) -> None:
    building = api.building()
    watched = api.camera(building, "Clip", url="file:clip.mp4")
    idle = api.camera(building, "Spare", url="file:clip.mp4", enabled=False)
    away = api.camera(building, "Door", url=f"rtsp://127.0.0.1:{closed_port}/1")
    watching[watched] = next(PlayedFile(clip, 5, time.time_ns(), time.time_ns()).frames(Pulse()))
    for camera in (watched, idle):
        answer = api.client.get(f"/api/v1/cameras/{camera}/still")
        assert (answer.status_code, answer.headers["content-type"]) == (200, "image/jpeg")
        assert answer.headers["cache-control"] == "private, no-store"
        assert Image.open(io.BytesIO(answer.content)).size == (320, 240)
    problem(api.client.get(f"/api/v1/cameras/{away}/still"), 422, "camera-unreachable")


def test_so_many_may_wait_and_no_more(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest, "_askers", threading.BoundedSemaphore(1))
    camera = api.camera(api.building())
    with ingest._askers:
        found = problem(api.client.post(f"/api/v1/cameras/{camera}/test"), 503, "ingest-unavailable")
    assert "too many wait" in found["detail"]


def test_a_list_is_taken_in_and_written_again(api: Api) -> None:
    building = api.building()
    api.post(f"/buildings/{building}/zones", {"name": "Hall"})
    tried = imported(api, LIST, dry_run=True).json()
    assert (tried["applied"], [one["action"] for one in tried["cameras"]]) == (False, ["new", "new"])
    assert api.get("/cameras")["items"] == []
    answer = imported(api, LIST)
    assert answer.status_code == 200, answer.text
    assert PASSWORD not in answer.text
    found = answer.json()
    assert (found["applied"], found["made"]) == (True, [])
    assert [(one["line"], one["name"], one["camera_id"]) for one in found["cameras"]] == [
        (2, "Door", "c1"),
        (3, "Yard", "c2"),
    ]
    assert [one["action"] for one in imported(api, LIST).json()["cameras"]] == ["unchanged", "unchanged"]
    written = api.client.get("/api/v1/cameras/export")
    assert written.headers["content-type"].startswith("text/csv")
    assert PASSWORD not in written.text
    assert [one["action"] for one in imported(api, written.text).json()["cameras"]] == ["unchanged", "unchanged"]


def test_a_list_as_json(api: Api) -> None:
    api.building()
    body = [
        {"name": "Door", "url": "rtsp://10.0.0.5/1", "hours": [{"days": ["mon"], "from": "08:00", "to": "09:00"}]},
        {
            "name": "Yard",
            "url": "rtsp://10.0.0.5/2",
            "regions": [{"mode": "ignore", "points": [[0, 0], [1, 0], [1, 1]]}],
        },
    ]
    answer = api.client.post("/api/v1/cameras/import", json=body)
    assert answer.status_code == 200, answer.text
    assert [one["line"] for one in answer.json()["cameras"]] == [1, 2]
    assert api.get("/cameras/c2")["regions"] == body[1]["regions"]
    assert api.get("/cameras/c1")["policy"]["hours"] == body[0]["hours"]
    changed = api.client.post("/api/v1/cameras/import", json=[{"name": "Door", "hours": None, "dwell_s": 4}]).json()
    assert (changed["cameras"][0]["action"], changed["cameras"][0]["columns"]) == ("changed", ["dwell_s", "hours"])


def test_a_list_with_a_mistake_changes_nothing_and_names_the_lines(api: Api) -> None:
    answer = imported(api, LIST)
    found = problem(answer, 422, "invalid-request")
    assert [one["line"] for one in found["mistakes"]] == [2, 3]
    assert PASSWORD not in answer.text
    assert api.get("/cameras")["items"] == []
    for bad in ("", "nmae\nx\n", "name\n\0"):
        problem(imported(api, bad), 422, "invalid-request")
    bodies: list[Any] = [[{"nmae": "x"}], [{"name": "x", "url": 5}], {}, "x", [{"name": "x", "analyze_fps": "fast"}]]
    for body in bodies:
        refused = problem(api.client.post("/api/v1/cameras/import", json=body), 422, "invalid-request")
        assert refused["errors"][0]["location"].startswith("body")
    json = {"content-type": "application/json"}
    problem(api.client.post("/api/v1/cameras/import", content="{", headers=json), 400, "bad-request")
    plain = {"content-type": "text/plain"}
    problem(api.client.post("/api/v1/cameras/import", content=LIST, headers=plain), 415, "unsupported-media-type")
    csv = {"content-type": "text/csv"}
    problem(api.client.post("/api/v1/cameras", content=LIST, headers=csv), 415, "unsupported-media-type")
    problem(imported(api, LIST, dryrun=True), 422, "invalid-request")


def test_missing_places_are_made_in_a_time_zone_that_is_named(api: Api) -> None:
    found = imported(api, LIST, timezone="Europe/Berlin").json()
    assert found["made"] == ["North", "North / Hall"]
    assert api.get("/buildings")["items"][0]["timezone"] == "Europe/Berlin"
    problem(imported(api, LIST.replace("North", "South"), timezone="Mars/Olympus"), 422, "invalid-request")


def test_an_import_says_what_can_be_reached(api: Api, watching: dict[str, Frame], closed_port: int) -> None:
    api.building()
    rows = f"name,url\nClip,file:clip.mp4\nDoor,rtsp://127.0.0.1:{closed_port}/1\n"
    found = imported(api, rows).json()
    assert (found["checked"], [one["check"]["ok"] for one in found["cameras"]]) == (True, [True, False])
    tried = imported(api, rows, dry_run=True).json()
    assert (tried["checked"], [one["check"] for one in tried["cameras"]]) == (False, [None, None])
    assert [one["check"] for one in imported(api, rows, check=False).json()["cameras"]] == [None, None]


def test_credentials_go_in_and_never_come_out(api: Api) -> None:
    made = api.post("/credentials", {"name": "North / guards", "user": "guard", "password": PASSWORD})
    assert list(made) == ["name", "user", "version", "created_at", "changed_at"]
    camera = api.camera(api.building(), credential="North / guards")
    assert api.context.sites.camera(camera).url == f"rtsp://guard:{PASSWORD}@10.0.0.5/1"
    assert api.get(f"/cameras/{camera}")["url"] == "rtsp://10.0.0.5/1"
    path = "/credentials/North%20%2F%20guards"
    assert api.get(path) == made
    assert api.get("/credentials") == {"items": [made], "next_cursor": None}
    changed = patch(api, path, {"password": "neu/es"})
    assert (changed.status_code, changed.json()["version"]) == (200, 2)
    assert api.context.sites.camera(camera).url == "rtsp://guard:neu%2Fes@10.0.0.5/1"
    assert PASSWORD not in changed.text + api.client.get("/api/v1/cameras").text
    problem(api.client.delete(f"/api/v1{path}"), 409, "conflict")
    problem(
        api.client.post("/api/v1/credentials", json={"name": "North / guards", "user": "x", "password": "y"}),
        409,
        "conflict",
    )
    assert patch(api, f"/cameras/{camera}", {"credential": None}).json()["credential"] is None
    assert api.client.delete(f"/api/v1{path}").status_code == 204
    problem(api.client.get(f"/api/v1{path}"), 404, "not-found")
    problem(patch(api, path, {"user": "x"}), 404, "not-found")
    for body in (
        {"name": "x", "user": "y"},
        {"name": "", "user": "y", "password": "z"},
        {"name": "x", "user": "y", "password": ""},
    ):
        problem(api.client.post("/api/v1/credentials", json=body), 422, "invalid-request")


def test_credentials_are_listed_page_by_page(api: Api) -> None:
    for number in range(5):
        api.post("/credentials", {"name": f"n {number}", "user": "u", "password": "p"})
    first = api.get("/credentials", limit=3)
    rest = api.get("/credentials", limit=3, cursor=first["next_cursor"])
    assert [one["name"] for one in first["items"] + rest["items"]] == [f"n {number}" for number in range(4, -1, -1)]
    assert rest["next_cursor"] is None


def test_without_a_usable_key_no_password_is_taken(api: Api) -> None:
    building = api.building()
    (api.media.parent / "secret.key").write_text("no key")
    answer = api.client.post("/api/v1/credentials", json={"name": "guards", "user": "guard", "password": PASSWORD})
    assert "secret.key" in problem(answer, 503, "setup-incomplete")["detail"]
    assert PASSWORD not in answer.text
    assert api.camera(building) == "c1"


def test_a_list_of_cameras_that_do_not_answer_is_checked_as_many_at_once_as_by_the_command_line(
    api: Api, watching: dict[str, Frame], monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_for(monkeypatch, 3.0)
    api.building()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"rtsp://127.0.0.1:{silent.getsockname()[1]}"
        rows = "".join(f"Door {number},{url}/{number}\n" for number in range(at_once()))
        began_s = time.monotonic()
        found = imported(api, f"name,url\n{rows}").json()
    # One after the other they would take 3 s each.
    assert time.monotonic() - began_s < 3.0 * at_once() - 2.0
    assert [one["check"]["reason"] for one in found["cameras"]] == ["timeout"] * at_once()
