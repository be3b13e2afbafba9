"""Buildings, zones and cameras over HTTP: set up, listed, archived, and how cameras fare."""

import json
from typing import Any

import pytest

from storage.messages import Lost
from storage.status import CameraState, CameraStatus, StateReason
from tests.api_server import START_NS, Api, api_fixture, migrated_fixture, problem, still_fixture  # noqa: F401

PASSWORD = "geheim-47"  # noqa: S105
CAMERA_KEYS = [
    "id",
    "name",
    "building_id",
    "zone_id",
    "url",
    "substream_url",
    "enabled",
    "counts",
    "analyze_fps",
    "min_face_px",
    "regions",
    "policy",
    "thresholds",
    "transport",
    "credential",
    "trouble",
    "version",
    "created_at",
    "archived_at",
]
BUILDING_KEYS = [
    "id",
    "name",
    "timezone",
    "retention_days",
    "policy",
    "spot_share",
    "version",
    "created_at",
    "archived_at",
]
STATUS_KEYS = [
    "state",
    "reason",
    "since",
    "fps_in",
    "fps_analyzed",
    "dropped",
    "last_frame_at",
    "clock",
    "detail",
    "drops",
    "warnings",
    "reconnects",
]


def test_a_building_is_set_up_and_listed(api: Api) -> None:
    answer = api.client.post("/api/v1/buildings", json={"name": "North", "timezone": "Europe/Berlin"})
    assert answer.status_code == 201
    made = answer.json()
    assert answer.headers["location"] == f"/api/v1/buildings/{made['id']}"
    assert list(made) == BUILDING_KEYS
    assert made["policy"] == {"labels": ["without_mask", "incorrect_mask"], "dwell_s": 1.0, "hours": None}
    assert api.get(f"/buildings/{made['id']}") == made
    assert api.get("/buildings") == {"items": [made], "next_cursor": None}


def test_a_building_s_policy_goes_to_its_cameras(api: Api) -> None:
    policy = {"labels": ["without_mask", "incorrect_mask"], "dwell_s": 2.5, "hours": None}
    building = api.post("/buildings", {"name": "North", "timezone": "UTC", "policy": policy, "id": "hq"})
    assert (building["id"], building["policy"]) == ("hq", policy)
    camera = api.post("/cameras", {"name": "Door", "building_id": "hq", "url": "rtsp://10.0.0.5/1"})
    assert camera["policy"] == policy


def test_zones_belong_to_a_building(api: Api) -> None:
    building = api.building()
    made = [api.post(f"/buildings/{building}/zones", {"name": f"Floor {number}"}) for number in range(11)]
    assert made[0] == {"id": "z1", "building_id": building, "name": "Floor 0"}
    first = api.get(f"/buildings/{building}/zones", limit=2)
    assert [zone["id"] for zone in first["items"]] == ["z11", "z10"]
    rest = api.get(f"/buildings/{building}/zones", cursor=first["next_cursor"])
    assert [zone["id"] for zone in rest["items"]] == [f"z{number}" for number in range(9, 0, -1)]
    problem(api.client.get("/api/v1/buildings/b9/zones"), 404, "not-found")
    problem(api.client.post("/api/v1/buildings/b9/zones", json={"name": "x"}), 404, "not-found")


def test_a_camera_is_registered(api: Api) -> None:
    building = api.building()
    zone = api.post(f"/buildings/{building}/zones", {"name": "Hall"})["id"]
    body = {
        "name": "Main entrance",
        "building_id": building,
        "zone_id": zone,
        "url": f"rtsp://user:{PASSWORD}@10.0.0.5/1",
        "counts": False,
        "analyze_fps": 8,
        "min_face_px": 32,
        "policy": {"labels": ["incorrect_mask", "without_mask"], "dwell_s": 3},
    }
    answer = api.client.post("/api/v1/cameras", json=body)
    assert answer.status_code == 201
    made = answer.json()
    assert answer.headers["location"] == f"/api/v1/cameras/{made['id']}"
    # No ingest process runs that could look.
    assert list(made) == [*CAMERA_KEYS, "check"]
    assert made.pop("check") is None
    assert made["url"] == "rtsp://user:***@10.0.0.5/1"
    assert (made["zone_id"], made["counts"], made["analyze_fps"], made["min_face_px"]) == (zone, False, 8, 32)
    assert (made["substream_url"], made["regions"]) == (None, [])
    assert made["policy"] == {"labels": ["incorrect_mask", "without_mask"], "dwell_s": 3, "hours": None}
    assert api.get(f"/cameras/{made['id']}") == made
    assert api.get("/cameras")["items"] == [made]
    # What it is reached by is kept all the same.
    assert api.context.sites.camera(made["id"]).url == body["url"]


def test_a_file_under_the_media_root_can_be_a_camera(api: Api) -> None:
    (api.media / "door.mp4").write_bytes(b"film")
    building = api.building()
    assert (
        api.post("/cameras", {"name": "Door", "building_id": building, "url": "file:door.mp4"})["url"]
        == "file:door.mp4"
    )
    for url in ("file:../maskwatch.sqlite3", "file:none.mp4", "file:///etc/passwd"):
        body = {"name": url, "building_id": building, "url": url}
        problem(api.client.post("/api/v1/cameras", json=body), 422, "invalid-request")


def test_cameras_are_listed_by_place_newest_first(api: Api) -> None:
    north, south = api.building("North"), api.building("South")
    zone = api.post(f"/buildings/{south}/zones", {"name": "Hall"})["id"]
    cameras = [api.camera(north, "A"), api.camera(south, "B"), api.camera(south, "C", zone_id=zone)]

    def listed(**query: Any) -> list[str]:
        return [camera["id"] for camera in api.get("/cameras", **query)["items"]]

    assert listed() == cameras[::-1]
    assert listed(building=north) == cameras[:1]
    assert listed(building=south, limit=1) == cameras[2:]
    assert listed(zone=zone) == cameras[2:]
    first = api.get("/cameras", limit=2)
    assert listed(cursor=first["next_cursor"]) == cameras[:1]


def test_deleting_a_camera_archives_it(api: Api) -> None:
    camera = api.camera(api.building())
    api.passage(camera)
    for _ in range(2):
        assert api.client.delete(f"/api/v1/cameras/{camera}").status_code == 204
    assert api.get("/cameras")["items"] == []
    assert api.get(f"/cameras/{camera}")["archived_at"] is not None
    assert api.get(f"/cameras/{camera}/status")["state"] == "disabled"
    assert len(api.get("/tracks", camera=camera)["items"]) == 1
    problem(api.client.delete("/api/v1/cameras/c9"), 404, "not-found")


@pytest.mark.parametrize(
    ("change", "status", "location"),
    [
        ({"url": "ftp://user:geheim-47@10.0.0.5/1"}, 422, None),
        ({"url": "rtsp://user:geheim-47@10.0.0.5:99999/1"}, 422, None),
        ({"url": "rtsp://user:geheim-47@/1"}, 422, None),
        ({"url": "rtsp://user:geheim-47@169.254.169.254/1"}, 422, None),
        ({"url": "http://user:geheim-47@[2001:db8::1]/1"}, 422, None),
        ({"url": "rtsp://user:geheim-47@0x08080808/1"}, 422, None),
        ({"url": "rtsp://user:***@10.0.0.5/1"}, 422, None),
        ({"url": "file:///etc/passwd"}, 422, None),
        ({"substream_url": "gopher://user:geheim-47@10.0.0.5/1"}, 422, None),
        ({"transport": "udp", "url": "http://10.0.0.5/1"}, 422, None),
        ({"credential": "nobody"}, 404, None),
        ({"thresholds": {"confidence": 0.1}}, 422, "body.thresholds.confidence"),
        ({"url": "rtsp://user:geheim-47@10.0.0.5/1", "nmae": "x"}, 422, "body.nmae"),
        ({"url": 5}, 422, "body.url"),
        ({"url": "rtsp://user:geheim-47@10.0.0.5/" + "x" * 3000}, 422, "body.url"),
        ({"name": ""}, 422, None),
        ({"name": "a\0b"}, 422, None),
        ({"name": None}, 422, "body.name"),
        ({"building_id": "b9"}, 404, None),
        ({"building_id": "x" * 50}, 422, "body.building_id"),
        ({"zone_id": "z9"}, 404, None),
        ({"analyze_fps": 0}, 422, "body.analyze_fps"),
        ({"analyze_fps": "fast"}, 422, "body.analyze_fps"),
        ({"min_face_px": 2}, 422, "body.min_face_px"),
        ({"regions": [{"mode": "watch", "points": [[0, 0], [1, 1]]}]}, 422, "body.regions.0.points"),
        ({"regions": [{"mode": "watch", "points": [[0, 0], [1, 1], [2, 0]]}]}, 422, "body.regions.0.points.2.0"),
        ({"policy": {"labels": ["with_mask"]}}, 422, "body.policy.labels.0"),
        ({"policy": {"labels": []}}, 422, "body.policy.labels"),
        ({"policy": {"hours": "9-17"}}, 422, "body.policy.hours"),
        ({"policy": {"hours": [{"days": ["mon"], "from": "08:00", "to": "8:75"}]}}, 422, None),
        ({"id": "a/b"}, 422, "body.id"),
        ({"id": "x" * 30}, 422, "body.id"),
    ],
)
def test_a_camera_that_can_t_be_is_refused_with_the_reason(
    api: Api, change: dict[str, Any], status: int, location: str | None
) -> None:
    body = {"name": "Door", "building_id": api.building(), "url": "rtsp://10.0.0.5/1"} | change
    answer = api.client.post("/api/v1/cameras", json=body)
    found = problem(answer, status, "not-found" if status == 404 else "invalid-request")
    assert PASSWORD not in answer.text
    if location is not None:
        assert location in [error["location"] for error in found["errors"]]
        assert location in found["detail"]
    assert api.get("/cameras")["items"] == []


def test_what_is_there_already_is_a_conflict(api: Api) -> None:
    building = api.building()
    api.camera(building, id="door")
    for path, body in [
        ("/buildings", {"name": "North", "timezone": "UTC"}),
        ("/buildings", {"name": "Other", "timezone": "UTC", "id": building}),
        ("/cameras", {"name": "Door", "building_id": building, "url": "rtsp://10.0.0.6/1"}),
        ("/cameras", {"name": "Other", "building_id": building, "url": "rtsp://10.0.0.6/1", "id": "door"}),
    ]:
        problem(api.client.post(f"/api/v1{path}", json=body), 409, "conflict")


@pytest.mark.parametrize(
    "body",
    [
        {"name": "North"},
        {"name": "North", "timezone": "Mars/Olympus"},
        {"name": "North", "timezone": "UTC", "retention_days": 0},
        {"name": " ", "timezone": "UTC"},
        {"name": "\ud800", "timezone": "UTC"},
        [],
        "North",
        None,
    ],
)
def test_a_building_that_can_t_be_is_refused(still: Api, body: Any) -> None:
    answer = still.client.post(
        "/api/v1/buildings", content=json.dumps(body), headers={"content-type": "application/json"}
    )
    problem(answer, 422, "invalid-request")


def test_a_camera_s_status_is_what_ingest_says(api: Api) -> None:
    camera = api.camera(api.building())
    api.passage(camera)
    status = CameraStatus(
        CameraState.BACKING_OFF,
        StateReason.REFUSED,
        START_NS,
        24.987,
        4.999,
        START_NS + 5_000_000,
        "rtcp",
        detail="it refuses the connection",
        drops={"shed": 3},
        warnings=("it has moved",),
        reconnects=4,
    )
    api.says(camera, status)
    found = api.get(f"/cameras/{camera}/status")
    assert list(found) == STATUS_KEYS
    assert found == {
        "state": "backing_off",
        "reason": "refused",
        "since": "2026-07-01T10:00:00.123Z",
        "fps_in": 24.99,
        "fps_analyzed": 5.0,
        "dropped": 2,
        "last_frame_at": "2026-07-01T10:00:00.128Z",
        "clock": "rtcp",
        "detail": "it refuses the connection",
        "drops": {"shed": 3},
        "warnings": ["it has moved"],
        "reconnects": 4,
    }


def test_a_camera_s_status_tells_what_was_shed_before_it_was_classified(api: Api) -> None:
    building = api.building()
    camera, other = api.camera(building), api.camera(building, "Gate")
    api.says(camera, CameraStatus(CameraState.LIVE, None, START_NS, 5.0, 5.0, None, "rtcp", drops={"shed": 3}))
    api.context.bus.faces_queue("classify-0").done([], messages=[Lost(camera, 1, first=5, last=8, at_ns=START_NS)])
    assert api.get(f"/cameras/{camera}/status")["drops"] == {"shed": 3, "classify": 4}
    assert api.get(f"/cameras/{other}/status")["drops"] == {}


def test_a_camera_nobody_has_begun_with_is_connecting(api: Api) -> None:
    camera = api.camera(api.building())
    found = api.get(f"/cameras/{camera}/status")
    assert (found["state"], found["reason"], found["dropped"], found["last_frame_at"]) == ("connecting", None, 0, None)
    assert found["since"] == api.get(f"/cameras/{camera}")["created_at"]


def test_a_camera_that_is_off_says_so(api: Api) -> None:
    camera = api.camera(api.building(), enabled=False)
    assert api.get(f"/cameras/{camera}/status")["state"] == "disabled"
    problem(api.client.get("/api/v1/cameras/c9/status"), 404, "not-found")
