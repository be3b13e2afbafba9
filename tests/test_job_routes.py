"""Recorded footage over the API: sending it, naming it, submitting jobs, and what comes of them."""

import asyncio
import csv
import hashlib
import io
import json
import os
import shutil
import socket
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
import pytest
from sqlalchemy import select
from starlette.types import Message

from api import footage_video
from api import uploads as uploads_module
from api.routes.overview import overview
from api.shapes.jobs import Job as Shown
from storage.database.api_keys import ApiKeys, NewKey
from storage.database.batch import Batch, Source
from storage.database.engine import reading
from storage.database.job_work import JobWork
from storage.database.models import AuditRow, JobFileRow, JobRow, UploadRow
from storage.database.rollups import Place
from storage.errors import StorageError
from storage.identity import Role
from storage.job_work import FileReport, PlannedFile, Stretch
from storage.jobs import NewFile, NewJob, Pin
from storage.messages import Event, Track
from storage.telling import Telling
from storage.upload_files import UploadFile
from storage.words import Label
from tests.api_server import (  # noqa: F401
    START_NS,
    Api,
    api_fixture,
    migrated_fixture,
    problem,
    still_fixture,
    wait_for,
)

FOOTAGE: Final = bytes(range(256)) * 9000
"""2.3 MB: more than is written at once."""

DIGEST: Final = hashlib.sha256(FOOTAGE).hexdigest()
TYPE: Final = {"Content-Type": "video/mp4"}


def send(api: Api, body: Any = FOOTAGE, name: str = "door.mp4", **more: Any) -> httpx.Response:
    """Upload something."""
    headers = TYPE | more.pop("headers", {})
    return api.client.post("/api/v1/uploads", params={"name": name, **more}, content=body, headers=headers)


def kept(api: Api) -> list[str]:
    """What is in the upload folder."""
    folder = api.context.footage.uploads
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def rows(api: Api) -> int:
    """How many uploads are known."""
    with reading(api.context.engine) as connection:
        return len(connection.execute(select(UploadRow.id)).all())


def media(api: Api, *names: str) -> None:
    """Put files under the media root."""
    for name in names:
        path = api.media / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"footage")


def submit(api: Api, camera: str, **more: Any) -> Any:
    """Have footage processed."""
    if "folder" not in more:
        more.setdefault("files", [{"path": "door.mp4"}])
    return api.post("/jobs", {"camera_id": camera, **more})


@pytest.fixture(name="camera")
def camera_fixture(api: Api) -> str:
    """A camera, and a file that it might have seen."""
    media(api, "door.mp4")
    return api.camera(api.building())


@pytest.fixture(scope="module", name="door")
def door_fixture(still: Api) -> str:
    """Likewise, where nothing comes of what is asked."""
    media(still, "door.mp4")
    return still.camera(still.building())


# What is sent.


def test_an_upload_is_there_whole_with_its_hash(api: Api) -> None:
    answer = send(api, sha256=DIGEST.upper())
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert made == {"id": made["id"], "name": "door.mp4", "bytes": len(FOOTAGE), "sha256": DIGEST}
    folder = api.context.footage.uploads
    assert kept(api) == [made["id"]]
    assert (folder / made["id"]).read_bytes() == FOOTAGE
    assert (folder.stat().st_mode & 0o777, (folder / made["id"]).stat().st_mode & 0o777) == (0o700, 0o600)


def test_an_upload_may_come_without_a_length(api: Api) -> None:
    def parts() -> Iterator[bytes]:
        for begin in range(0, len(FOOTAGE), 70_000):
            yield FOOTAGE[begin : begin + 70_000]

    assert send(api, parts()).json()["sha256"] == DIGEST


def test_a_name_is_only_a_label(api: Api) -> None:
    names = ["a'b\"c.mp4", "two\nlines.mp4", "🎥 ☃.mp4", "../../etc/passwd", "/abs", "=1+1", "x" * 400]
    made = [send(api, b"x", name).json() for name in names]
    assert [one["name"] for one in made] == names
    assert kept(api) == sorted(one["id"] for one in made)


@pytest.mark.parametrize("name", ["", "x" * 401, "nul\0.mp4"])
def test_a_name_that_is_none_is_refused(still: Api, name: str) -> None:
    problem(send(still, b"x", name), 422, "invalid-request")
    assert (kept(still), rows(still)) == ([], 0)


def test_what_is_not_what_it_says_is_not_kept(still: Api) -> None:
    found = problem(send(still, sha256="0" * 64), 422, "upload-damaged")
    assert DIGEST in found["detail"]
    problem(send(still, sha256="abc"), 422, "invalid-request")
    problem(send(still, b""), 422, "invalid-request")
    assert (kept(still), rows(still)) == ([], 0)


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_forms_are_no_footage(still: Api, kind: str) -> None:
    problem(send(still, headers={"Content-Type": kind}), 415, "unsupported-media-type")
    assert kept(still) == []


def test_an_upload_takes_no_key(still: Api) -> None:
    problem(send(still, headers={"Idempotency-Key": "k-1"}), 422, "invalid-request")
    assert kept(still) == []


def test_more_than_is_taken_is_refused_before_it_comes_and_while_it_comes(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    object.__setattr__(api.context.footage, "upload_bytes", 2_000_000)
    problem(send(api), 413, "body-too-large")
    problem(send(api, iter([FOOTAGE[:1_500_000], FOOTAGE[:1_500_000]])), 413, "body-too-large")
    assert (kept(api), rows(api)) == ([], 0)
    assert send(api, FOOTAGE[:2_000_000]).status_code == 201


def test_an_upload_that_stops_at_99_percent_leaves_nothing(still: Api) -> None:
    address = urlsplit(str(still.client.base_url))
    head = (
        f"POST /api/v1/uploads?name=door.mp4 HTTP/1.1\r\nHost: {address.netloc}\r\nContent-Type: video/mp4\r\n"
        f"Content-Length: {len(FOOTAGE)}\r\n\r\n"
    ).encode()
    with socket.create_connection((address.hostname or "", address.port or 0)) as connection:
        connection.sendall(head + FOOTAGE[: len(FOOTAGE) * 99 // 100])
        wait_for(lambda: len(kept(still)) == 1)
        assert kept(still)[0].endswith(".part")
    wait_for(lambda: not kept(still))
    assert rows(still) == 0


def test_of_what_does_not_go_on_nothing_is_kept(still: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads_module, "STILL_S", 0.1)
    address = urlsplit(str(still.client.base_url))
    head = (
        f"POST /api/v1/uploads?name=door.mp4 HTTP/1.1\r\nHost: {address.netloc}\r\nContent-Type: video/mp4\r\n"
        "Content-Length: 1000\r\n\r\nbeginning"
    ).encode()
    with socket.create_connection((address.hostname or "", address.port or 0), timeout=10) as connection:
        connection.sendall(head)
        assert b" 408 " in connection.recv(4096).partition(b"\r\n")[0]
    assert (kept(still), rows(still)) == ([], 0)


def test_a_full_disk_is_said_and_leaves_nothing(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage

    def nearly_full(path: Path) -> Any:
        return usage(path)._replace(free=300 * 1024 * 1024)

    with monkeypatch.context() as full:
        full.setattr("storage.upload_files.shutil.disk_usage", nearly_full)
        full.setattr("storage.upload_files.LEFT_FREE", 299 * 1024 * 1024)
        found = problem(send(api), 507, "disk-full")
        assert "room" in found["detail"]
        assert "free some space" in found["detail"]
        problem(send(api, iter([FOOTAGE])), 507, "disk-full")

    def fails(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as full:
        # Nothing but what the upload itself writes.
        full.setattr("storage.upload_files.os", SimpleNamespace(**vars(os) | {"write": fails}))
        problem(send(api), 507, "disk-full")
    assert (kept(api), rows(api)) == ([], 0)
    assert send(api).status_code == 201


def test_a_file_whose_row_can_t_be_written_is_not_kept(still: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object) -> None:
        raise StorageError("the database is away: look whether it runs")

    monkeypatch.setattr("storage.database.uploads.Uploads.add", away)
    problem(send(still), 503, "database-unavailable")
    assert kept(still) == []


def test_one_caller_sends_so_many_at_a_time(still: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads_module, "MOST_OF_ONE", 0)
    problem(send(still), 429, "busy")
    monkeypatch.setattr(uploads_module, "MOST_AT_ONCE", 0)
    problem(send(still), 503, "busy")
    assert kept(still) == []


def test_a_file_on_its_way_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    with UploadFile(tmp_path / "in", "u-1") as file:
        file.write(b"abc")
        assert [path.name for path in (tmp_path / "in").iterdir()] == [".u-1.part"]
    assert list((tmp_path / "in").iterdir()) == []
    with UploadFile(tmp_path / "in", "u-1") as file:
        file.write(b"abc")
        file.keep()
    assert (tmp_path / "in" / "u-1").read_bytes() == b"abc"


def test_a_file_on_its_way_is_flushed_as_it_comes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed = []

    def flush(_: int) -> None:
        flushed.append(file.bytes)

    monkeypatch.setattr("storage.upload_files.FLUSHED", 100)
    with UploadFile(tmp_path, "u-1") as file, monkeypatch.context() as watched:
        watched.setattr("storage.upload_files.os", SimpleNamespace(**vars(os) | {"fdatasync": flush}))
        for _ in range(10):
            file.write(bytes(30))
    assert flushed == [90, 210]


def test_an_upload_is_removed_with_its_file_unless_a_job_reads_it(api: Api, camera: str) -> None:
    first, second = send(api, b"1").json()["id"], send(api, b"2").json()["id"]
    assert api.client.delete(f"/api/v1/uploads/{first}").status_code == 204
    assert kept(api) == [second]
    problem(api.client.delete(f"/api/v1/uploads/{first}"), 404, "not-found")
    job = submit(api, camera, files=[{"upload_id": second}])
    assert job["files"][0]["name"] == "door.mp4"
    problem(api.client.delete(f"/api/v1/uploads/{second}"), 409, "conflict")
    again = api.client.post("/api/v1/jobs", json={"camera_id": camera, "files": [{"upload_id": second}]})
    problem(again, 409, "conflict")
    assert kept(api) == [second]


# What lies under the media root.


def test_footage_under_the_media_root_is_listed(api: Api) -> None:
    media(api, "b/late.MKV", "b/early.mp4", "a.mov", "notes.txt", ".hidden.mp4", ".folder/x.mp4", 'odd "name"\n🎥.mp4')
    found = api.get("/media")["items"]
    assert [one["path"] for one in found] == ["a.mov", "b/early.mp4", "b/late.MKV", 'odd "name"\n🎥.mp4']
    assert (found[0]["bytes"], found[0]["modified_at"][-1]) == (7, "Z")
    assert [one["path"] for one in api.get("/media", under="b")["items"]] == ["b/early.mp4", "b/late.MKV"]


def test_nothing_outside_the_media_root_is_listed_or_named(api: Api, camera: str, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.mp4").write_bytes(b"secret")
    (api.media / "out").symlink_to(outside)
    (api.media / "leads-out.mp4").symlink_to(outside / "secret.mp4")
    media(api, "inside/one.mp4")
    (api.media / "again.mp4").symlink_to(api.media / "inside" / "one.mp4")
    os.mkfifo(api.media / "pipe.mp4")
    assert [one["path"] for one in api.get("/media")["items"]] == ["again.mp4", "door.mp4", "inside/one.mp4"]
    for under in ("..", "out", "inside/../..", "/", "missing", "door.mp4", "x\0"):
        problem(api.client.get("/api/v1/media", params={"under": under}), 422, "invalid-request")
    for path in (
        "../outside/secret.mp4",
        "out/secret.mp4",
        "leads-out.mp4",
        "/etc/passwd",
        "pipe.mp4",
        "inside",
        "no.mp4",
    ):
        answer = api.client.post("/api/v1/jobs", json={"camera_id": camera, "files": [{"path": path}]})
        assert path in problem(answer, 422, "invalid-request")["detail"]
    assert api.get("/jobs")["items"] == []


# Jobs.


def test_a_job_is_submitted_and_read(api: Api, camera: str) -> None:
    answer = api.client.post(
        "/api/v1/jobs",
        json={
            "camera_id": camera,
            "footage_start": "2026-07-01T10:00:00+02:00",
            "fps": 2.5,
            "policy": {"dwell_s": 3},
            "annotate": True,
            "files": [{"path": "door.mp4"}, {"path": "door.mp4", "footage_start": "2026-07-02T10:00:00Z"}],
        },
    )
    assert answer.status_code == 201, answer.text
    job = answer.json()
    assert answer.headers["location"] == f"/api/v1/jobs/{job['id']}"
    assert (job["state"], job["camera_id"], job["building_id"], job["zone_id"]) == ("queued", camera, "b1", None)
    assert (job["fps"], job["annotate"], job["annotated"], job["progress"], job["error"]) == (2.5, True, False, 0, None)
    assert (job["realtime_factor"], job["eta_s"], job["replaced_by"], job["not_decoded"]) == (None, None, None, [])
    assert job["files"][1]["footage_start"] == "2026-07-02T10:00:00.000Z"
    assert [one["name"] for one in job["files"]] == ["door.mp4", "door.mp4"]
    assert api.get(f"/jobs/{job['id']}") == job
    assert api.get("/jobs")["items"] == [job]
    with reading(api.context.engine) as connection:
        row = connection.execute(select(JobRow.__table__)).one()
        file = connection.execute(select(JobFileRow.__table__).where(JobFileRow.number == 0)).one()
    assert (row.options["dwell_s"], row.options["start_ns"]) == (3, 1_782_892_800 * 10**9)
    assert row.options["labels"] == ["without_mask", "incorrect_mask"]
    assert file.path == str(api.media / "door.mp4")


def test_a_job_says_how_it_is_asked_for_again(api: Api, camera: str, tmp_path: Path) -> None:
    media(api, "day/1.mp4")
    upload = send(api, b"x").json()["id"]
    first = submit(
        api, camera, footage_start="2026-07-01T10:00:00+02:00", files=[{"path": "day/1.mp4"}, {"upload_id": upload}]
    )
    assert (first["given_start"], first["name_pattern"]) == ("2026-07-01T08:00:00.000Z", None)
    assert [one["path"] for one in first["files"]] == ["day/1.mp4", None]
    second = submit(api, camera, name_pattern="door-%Y%m%d")
    assert (second["given_start"], second["name_pattern"]) == (None, "door-%Y%m%d")
    # From the command line come base names, and whatever path there is.
    paths = [
        api.media.resolve() / "day/1.mp4",
        tmp_path / "secret.mp4",
        f"{api.media}/../secret.mp4",
        f"{api.media}2/x",
    ]
    third = api.context.jobs.create(NewJob(camera, tuple(NewFile("1.mp4", str(path)) for path in paths)))
    assert [one["path"] for one in api.get(f"/jobs/{third.id}")["files"]] == ["day/1.mp4", None, None, None]
    (tmp_path / "link").symlink_to(api.media)
    assert Shown.of(third, tmp_path / "link").files[0].path == "day/1.mp4"


def test_a_job_may_be_long_without_keeping_short_ones_waiting(
    api: Api, camera: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # So much room do 10,000 files need, also with long paths.
    body = json.dumps({"camera_id": camera, "files": [{"path": "door.mp4"}]}).encode() + b" " * 12_000_000
    headers = {"Content-Type": "application/json"}
    assert api.client.post("/api/v1/jobs", content=body, headers=headers).status_code == 201
    problem(api.client.post("/api/v1/jobs", content=body + b" " * 5_000_000, headers=headers), 413, "body-too-large")
    monkeypatch.setattr("api.request_body.MOST_LARGE", 0)
    problem(api.client.post("/api/v1/jobs", content=body, headers=headers), 503, "busy")
    problem(api.client.post("/api/v1/jobs", content=iter([body]), headers=headers), 503, "busy")
    submit(api, camera)


def test_what_is_wrong_with_a_job_is_said_shortly(still: Api, door: str) -> None:
    long = {f"x{number}": 1 for number in range(5000)}
    for body in ({"folder": "", **long}, {"folder": "", "policy": long}, {"files": [long]}):
        answer = still.client.post("/api/v1/jobs", json={"camera_id": door, **body})
        assert len(problem(answer, 422, "invalid-request")["errors"]) == 1


def test_a_folder_is_a_job_over_all_that_is_in_it(api: Api, camera: str) -> None:
    media(api, "day/2.mp4", "day/1.mp4", "day/more/3.avi", "day/notes.txt")
    job = submit(api, camera, folder="day")
    assert [one["name"] for one in job["files"]] == ["day/1.mp4", "day/2.mp4", "day/more/3.avi"]
    (api.media / "empty").mkdir()
    answer = api.client.post("/api/v1/jobs", json={"camera_id": camera, "folder": "empty"})
    assert "holds no footage" in problem(answer, 422, "invalid-request")["detail"]


BAD: Final[dict[str, dict[str, Any]]] = {
    "nothing": {},
    "no files": {"files": []},
    "files and a folder": {"files": [{"path": "door.mp4"}], "folder": ""},
    "neither path nor upload": {"files": [{}]},
    "path and upload": {"files": [{"path": "door.mp4", "upload_id": "u-1"}]},
    "an unknown field": {"files": [{"path": "door.mp4"}], "speed": 2},
    "no zone of the clock": {"files": [{"path": "door.mp4"}], "footage_start": "2026-07-01T10:00:00"},
    "no time": {"files": [{"path": "door.mp4"}], "footage_start": "yesterday"},
    "an empty pattern": {"files": [{"path": "door.mp4"}], "name_pattern": ""},
    "a pattern without a time": {"files": [{"path": "door.mp4"}], "name_pattern": "door.mp4"},
    "a pattern that is none": {"files": [{"path": "door.mp4"}], "name_pattern": "%Q"},
    "a stray %": {"files": [{"path": "door.mp4"}], "name_pattern": "%Y %"},
    "a part twice": {"files": [{"path": "door.mp4"}], "name_pattern": "%Y%Y"},
    "fps": {"files": [{"path": "door.mp4"}], "fps": 0},
    "policy": {"files": [{"path": "door.mp4"}], "policy": {"labels": []}},
    "hours": {"files": [{"path": "door.mp4"}], "policy": {"hours": [{"days": ["mon"], "from": "25:00", "to": "1"}]}},
    "NUL": {"files": [{"path": "door\0.mp4"}]},
    **{
        f"the pattern {pattern}": {"files": [{"path": "door.mp4"}], "name_pattern": pattern}
        for pattern in ("%H-%M-%S", "%Y%m", "%c", "%A", "%Y-%m-%d %X", "%Y%m%d_%H%M%S%Z")
    },
}


@pytest.mark.parametrize("body", BAD.values(), ids=BAD)
def test_what_is_no_job_is_refused(still: Api, door: str, body: dict[str, Any]) -> None:
    problem(still.client.post("/api/v1/jobs", json={"camera_id": door, **body}), 422, "invalid-request")
    assert still.get("/jobs")["items"] == []


def test_where_it_was_seen_must_be_there(api: Api, camera: str) -> None:
    files = {"files": [{"path": "door.mp4"}]}
    for more in (
        {"camera_id": "c99"},
        {"camera_id": camera, "building_id": "b99"},
        {"camera_id": camera, "zone_id": "z99"},
        {"camera_id": camera, "files": [{"upload_id": "u-99"}]},
    ):
        problem(api.client.post("/api/v1/jobs", json=files | more), 404, "not-found")
    other = api.building("South", "UTC")
    zone = str(api.post(f"/buildings/{other}/zones", {"name": "Hall"})["id"])
    problem(api.client.post("/api/v1/jobs", json=files | {"camera_id": camera, "zone_id": zone}), 404, "not-found")
    job = submit(api, camera, building_id=other, zone_id=zone)
    assert (job["building_id"], job["zone_id"]) == (other, zone)
    api.context.sites.archive_camera(camera)
    answer = api.client.post("/api/v1/jobs", json=files | {"camera_id": camera})
    assert answer.status_code in {404, 409, 422}, answer.text


def test_the_same_request_again_submits_nothing(api: Api, camera: str) -> None:
    body = {"camera_id": camera, "files": [{"path": "door.mp4"}]}
    first, again = (api.client.post("/api/v1/jobs", json=body, headers={"Idempotency-Key": "k-1"}) for _ in range(2))
    assert first.status_code == again.status_code == 201
    assert (again.json(), again.headers["idempotency-replayed"]) == (first.json(), "true")
    assert len(api.get("/jobs")["items"]) == 1


def test_jobs_are_listed_newest_first_by_state_and_place(api: Api, camera: str) -> None:
    other = api.camera(api.building("South", "UTC"), "Gate")
    jobs = [submit(api, one)["id"] for one in (camera, camera, other)]
    page = api.get("/jobs", limit=2)
    assert [one["id"] for one in page["items"]] == [jobs[2], jobs[1]]
    assert [one["id"] for one in api.get("/jobs", limit=2, cursor=page["next_cursor"])["items"]] == [jobs[0]]
    assert [one["id"] for one in api.get("/jobs", camera=other)["items"]] == [jobs[2]]
    assert [one["id"] for one in api.get("/jobs", building="b1")["items"]] == [jobs[1], jobs[0]]
    assert api.client.post(f"/api/v1/jobs/{jobs[0]}/cancel").json()["state"] == "cancelled"
    assert [one["id"] for one in api.get("/jobs", state="cancelled")["items"]] == [jobs[0]]
    problem(api.client.get("/api/v1/jobs", params={"state": "lost"}), 422, "invalid-request")


def test_a_job_is_cancelled_once_and_said_to_be(api: Api, camera: str) -> None:
    job = submit(api, camera)["id"]
    for _ in range(2):
        assert api.client.post(f"/api/v1/jobs/{job}/cancel").json()["state"] == "cancelled"
    heard = [(news.kind, news.id, news.building_id) for _, news in Telling(api.context.bus).after("0-0")]
    assert heard[:2] == [("job.changed", job, "b1"), ("job.finished", job, "b1")]
    problem(api.client.post("/api/v1/jobs/j-99/cancel"), 404, "not-found")


# What comes of them.

REPORT: Final[dict[str, Any]] = {
    "schema_version": 1,
    "video": "door.mp4",
    "duration_s": 12.0,
    "fps": 5.0,
    "frames_decoded": 300,
    "frames_analyzed": 60,
    "errors": [],
    "model": {"name": "m", "sha256": "0" * 64, "backend": "litert"},
    "settings": {"fps": 5.0, "dwell_s": 1.0, "min_face_px": 24, "detector": "d"},
    "tracks": [
        {
            "id": "t1", "first_seen_s": 0.2, "last_seen_s": 3.4, "faces": 17, "label": "without_mask", "confidence": 0.98,
            "unknown_reason": None, "boxes": [[0.2, 1, 2, 30, 40]],
        },
        {
            "id": "t2", "first_seen_s": 5.0, "last_seen_s": 6.001, "faces": 6, "label": "unknown", "confidence": 0.5,
            "unknown_reason": "blurred", "boxes": [],
        },
    ],
    "events": [
        {
            "id": "e1", "track_id": "t1", "type": "without_mask", "started_s": 1.2, "ended_s": 3.4, "corrected_s": None,
            "confidence": 0.97, "snapshot": None,
        }
    ],
    "statistics": {
        "tracks": 2, "with_mask": 0, "without_mask": 1, "incorrect_mask": 0, "unknown": 1, "exempt": 0,
        "compliance_rate": 0.0, "interval": [0.0, 0.79],
    },
    "timing": {"wall_s": 1.0, "cpu_s": 1.0, "realtime_factor": 12.0, "peak_memory_mib": 200},
}  # fmt: skip


def report_on(number: int, snapshot: str) -> bytes:
    """The report on a file."""
    event = REPORT["events"][0] | {"snapshot": f"snapshots/{snapshot}"}
    return json.dumps(REPORT | {"video": f"{number}.mp4", "events": [event]}).encode()


def done(api: Api, job: str, *, video: bytes | None = None) -> list[bytes]:
    """Let a job be done, as a worker would; gives its reports."""
    work, now_ns = JobWork(api.context.engine, "jobs-0"), time.time_ns()
    held = work.take_job(job, now_ns)
    assert held is not None
    second = 10**9
    planned = [
        PlannedFile(
            file.number, 7, now_ns, "f" * 64, file.start_ns or START_NS + file.number * 12 * second, 12 * second, "a" * 64,
            b"plan", (),
        )
        for file in held.files
    ]  # fmt: skip
    if work.save_plan(held, planned, Pin("m", "0" * 64, "litert", "d"), now_ns) is not None:
        return []
    held = work.take_job(job, now_ns + second)
    assert held is not None
    reports = []
    folder = api.context.footage.annotated
    folder.mkdir(exist_ok=True)
    for file in held.files:
        name = None if video is None else f"{job}-{file.number}.mp4"
        if name is not None:
            (folder / name).write_bytes(video or b"")
        report = report_on(file.number, api.keep(f"picture {file.number}".encode()))
        reports.append(FileReport(file.number, report, annotated=name))
    batch = Batch("0-0", sources={job: Source(Place(held.camera_id, held.building_id, held.zone_id, held.counts), job)})
    begin_ns = planned[0].start_ns
    batch.tracks[job, 1] = Track(1, begin_ns, begin_ns + second, 17, Label.WITHOUT_MASK, 0.98, None, True, True)
    batch.events[job, 1] = Event(1, Label.WITHOUT_MASK, begin_ns, begin_ns + second, None, 0.97, True)
    work.commit(held, batch, reports, now_ns + 2 * second)
    return [one.report for one in reports]


def noted(api: Api, action: str) -> int:
    """How often it was written down."""
    with reading(api.context.engine) as connection:
        return len(connection.execute(select(AuditRow.id).where(AuditRow.action == action)).all())


def test_before_a_job_is_done_there_is_no_report_and_its_state_is_said(api: Api, camera: str) -> None:
    job = submit(api, camera)["id"]
    for path in ("report", "report?format=csv", "report?format=zip", "files/0/report", "files/0/video"):
        found = problem(api.client.get(f"/api/v1/jobs/{job}/{path}"), 409, "job-not-done")
        assert found["state"] == "queued"
        problem(api.client.get(f"/api/v1/jobs/j-99/{path}"), 404, "not-found")
    assert api.client.post(f"/api/v1/jobs/{job}/cancel").is_success
    assert problem(api.client.get(f"/api/v1/jobs/{job}/report"), 409, "job-not-done")["state"] == "cancelled"
    problem(api.client.get(f"/api/v1/jobs/{job}/report?format=pdf"), 422, "invalid-request")


def test_the_report_of_one_file_is_given_as_it_is(api: Api, camera: str) -> None:
    job = submit(api, camera)["id"]
    (report,) = done(api, job)
    for path in ("report", "files/0/report"):
        answer = api.client.get(f"/api/v1/jobs/{job}/{path}")
        assert (answer.content, answer.headers["content-type"]) == (report, "application/json")
        assert answer.headers["cache-control"] == "private, no-store"
    problem(api.client.get(f"/api/v1/jobs/{job}/files/1/report"), 404, "not-found")
    found = api.get(f"/jobs/{job}")
    assert (found["state"], found["progress"], found["tracks"], found["events"]) == ("done", 1.0, 1, 1)
    assert found["model"] == {"name": "m", "sha256": "0" * 64, "backend": "litert", "detector": "d"}
    problem(api.client.post(f"/api/v1/jobs/{job}/cancel"), 409, "conflict")


def test_reports_of_several_files_come_together(api: Api, camera: str) -> None:
    job = submit(api, camera, files=[{"path": "door.mp4"}] * 2)["id"]
    reports = done(api, job)
    assert api.get(f"/jobs/{job}/report") == {"job": job, "reports": [json.loads(one) for one in reports]}
    assert api.client.get(f"/api/v1/jobs/{job}/files/1/report").content == reports[1]


def test_tracks_are_a_table_with_times_of_the_clock_and_no_formulas(api: Api, camera: str) -> None:
    upload = send(api, b"x", '=cmd("x"),\n.mp4').json()["id"]
    job = submit(api, camera, files=[{"upload_id": upload}, {"path": "door.mp4"}])["id"]
    done(api, job)
    answer = api.client.get(f"/api/v1/jobs/{job}/report", params={"format": "csv"})
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.headers["content-disposition"] == f'attachment; filename="{job}.csv"'
    lines = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    assert len(lines) == 4
    first, second = lines[:2]
    assert (first["file"], first["camera"], first["track"]) == ('\'=cmd("x"),\n.mp4', camera, "t1")
    assert (first["started_at"], first["ended_at"]) == ("2026-07-01T10:00:00.323Z", "2026-07-01T10:00:03.523Z")
    assert (first["label"], first["event_type"], first["event_started_at"]) == (
        "without_mask", "without_mask", "2026-07-01T10:00:01.323Z",
    )  # fmt: skip
    assert (second["label"], second["unknown_reason"], second["event"]) == ("unknown", "blurred", "")
    assert second["ended_s"] == "6.001"
    assert lines[2]["started_at"] == "2026-07-01T10:00:12.323Z"


def test_all_of_a_job_is_one_archive_whose_pictures_are_where_the_reports_say(api: Api, camera: str) -> None:
    job = submit(api, camera, files=[{"path": "door.mp4"}] * 2, annotate=True)["id"]
    reports = done(api, job, video=FOOTAGE)
    gone = json.loads(reports[1])["events"][0]["snapshot"]
    (api.context.snapshots / Path(gone).name).unlink()
    answer = api.client.get(f"/api/v1/jobs/{job}/report", params={"format": "zip"})
    assert answer.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        held = json.loads(reports[0])["events"][0]["snapshot"]
        assert sorted(archive.namelist()) == sorted(
            ["job.json", "tracks.csv", "report-0.json", "report-1.json", held, "video-0.mp4", "video-1.mp4"]
        )
        assert [archive.read(f"report-{number}.json") for number in range(2)] == reports
        assert archive.read(held) == b"picture 0"
        assert archive.read("video-1.mp4") == FOOTAGE
        assert json.loads(archive.read("job.json"))["id"] == job
    assert noted(api, "job.exported") == 1


def test_the_video_plays_from_anywhere_and_is_noted(api: Api, camera: str) -> None:
    job = submit(api, camera, annotate=True)["id"]
    done(api, job, video=FOOTAGE)
    assert api.get(f"/jobs/{job}")["annotated"]
    path = f"/api/v1/jobs/{job}/files/0/video"
    whole = api.client.get(path)
    assert (whole.content, whole.headers["content-type"]) == (FOOTAGE, "video/mp4")
    assert (whole.headers["cache-control"], whole.headers["accept-ranges"]) == ("private, no-store", "bytes")
    for wanted, expected in (
        ("bytes=0-0", FOOTAGE[:1]),
        ("bytes=1000-1999", FOOTAGE[1000:2000]),
        ("bytes=2303000-", FOOTAGE[2_303_000:]),
        ("bytes=-10", FOOTAGE[-10:]),
        ("bytes=-99999999", FOOTAGE),
        ("bytes=5-99999999", FOOTAGE[5:]),
    ):
        part = api.client.get(path, headers={"Range": wanted})
        assert (part.status_code, part.content) == (206, expected), wanted
        assert part.headers["content-range"].endswith(f"/{len(FOOTAGE)}")
    # What is no range of one part is as if it were not there.
    for wanted in ("bytes=9-3", "lines=1-2", "bytes=1-2,4-5", "bytes=-", "nonsense"):
        assert api.client.get(path, headers={"Range": wanted}).status_code == 200, wanted
    for wanted in ("bytes=2304000-", "bytes=-0", "bytes=99999999-100000000"):
        problem(api.client.get(path, headers={"Range": wanted}), 416, "range-not-satisfiable")
    assert noted(api, "job.video_shown") == 1, "a player asks for it part by part"
    (api.context.footage.annotated / f"{job}-0.mp4").unlink()
    problem(api.client.get(path), 404, "not-found")
    plain = submit(api, camera, files=[{"path": "door.mp4", "footage_start": "2026-01-01T00:00:00Z"}])["id"]
    done(api, plain)
    problem(api.client.get(f"/api/v1/jobs/{plain}/files/0/video"), 404, "not-found")


def test_footage_that_is_known_is_answered_by_the_job_that_knew_it(api: Api, camera: str) -> None:
    first, again = submit(api, camera)["id"], submit(api, camera)["id"]
    (report,) = done(api, first)
    done(api, again)
    found = api.get(f"/jobs/{again}")
    assert (found["state"], found["replaced_by"], found["error"]) == ("done", first, None)
    assert api.client.get(f"/api/v1/jobs/{again}/report").content == report
    table = api.client.get(f"/api/v1/jobs/{again}/report", params={"format": "csv"}).text
    assert table.splitlines()[1].startswith(f"{again},door.mp4,")


def test_what_a_job_found_is_listed_by_it(api: Api, camera: str) -> None:
    api.passage(camera, label=Label.WITHOUT_MASK)
    job = submit(api, camera)["id"]
    done(api, job)
    for path in ("/tracks", "/events"):
        found = api.get(path, job=job)["items"]
        assert [(one["job_id"], one["camera_id"], one["building_id"]) for one in found] == [(job, camera, "b1")]
        assert len(api.get(path)["items"]) == 2
        assert api.get(path, job="j-99")["items"] == []
        problem(api.client.get(f"/api/v1{path}", params={"job": "no job"}), 422, "invalid-request")


def test_a_job_that_runs_is_on_the_first_page(api: Api, camera: str) -> None:
    job = submit(api, camera)["id"]
    work, now_ns = JobWork(api.context.engine, "jobs-0"), time.time_ns()
    held = work.take_job(job, now_ns)
    assert held is not None
    work.save_plan(
        held,
        [PlannedFile(0, 7, now_ns, "f" * 64, START_NS, 10**10, "a" * 64, b"plan", (Stretch(0, 10**10),))],
        Pin("m", "0" * 64, "litert", "d"),
        now_ns,
    )
    found = overview(api.context, now_ns).jobs
    assert [(one.id, one.state, one.progress) for one in found] == [(job, "running", 0.0)]


def test_jobs_of_other_buildings_are_not_there(api: Api, camera: str) -> None:
    other = api.building("South", "UTC")
    job, upload = submit(api, camera)["id"], send(api, b"x").json()["id"]
    done(api, job)
    _, secret = ApiKeys(api.context.engine).add(NewKey("South alone", Role.ADMIN, (other,)))
    own = {"Authorization": f"Bearer {secret}"}
    for path in (f"/jobs/{job}", f"/jobs/{job}/report", f"/jobs/{job}/report?format=zip", f"/jobs/{job}/files/0/video"):
        problem(api.client.get(f"/api/v1{path}", headers=own), 404, "not-found")
    problem(api.client.post(f"/api/v1/jobs/{job}/cancel", headers=own), 404, "not-found")
    problem(api.client.delete(f"/api/v1/uploads/{upload}", headers=own), 404, "not-found")
    for files in ([{"path": "door.mp4"}], [{"upload_id": upload}]):
        body = {"camera_id": camera, "files": files}
        problem(api.client.post("/api/v1/jobs", json=body, headers=own), 404, "not-found")
    for path in ("/jobs", "/events", "/tracks"):
        assert api.client.get(f"/api/v1{path}", headers=own).json()["items"] == []


def test_who_takes_nothing_of_an_archive_keeps_nobody_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(footage_video, "STILL_S", 0.05)
    asked = 0

    def parts() -> Iterator[bytes]:
        nonlocal asked
        while True:
            asked += 1
            yield b"more"

    async def stuck(message: Message) -> None:
        if message.get("body"):
            await asyncio.Event().wait()

    async def silent() -> Message:
        return await asyncio.Future[Message]()

    scope: dict[str, Any] = {"type": "http", "asgi": {"spec_version": "2.3"}}
    asyncio.run(footage_video.ArchiveResponse(parts())(scope, silent, stuck))
    assert asked == 1
