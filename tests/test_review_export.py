"""Pictures that people have judged, taken along to train with: what is in the file, and that training reads it."""

import csv
import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from storage.close_ups import face_jpeg
from storage.database.batch import Batch, FaceShot, Kept
from storage.messages import NS_PER_S, Box, Event, Track
from storage.snapshots import encode_snapshot
from storage.words import Label
from tests.api_server import START_NS, Api, api_fixture, migrated_fixture, problem  # noqa: F401
from training.formats import reviews

FACE: Box = (300, 120, 64, 80)
REVIEWS = {
    1: {"verdict": "confirmed", "note": "yes"},
    2: {"verdict": "confirmed", "label": "incorrect_mask"},
    3: {"verdict": "dismissed", "reason": "wrong_label", "label": "with_mask"},
    4: {"verdict": "dismissed", "reason": "not_a_person"},
    5: {"verdict": "dismissed", "reason": "wrong_label", "label": "unknown"},
    6: {"verdict": "dismissed", "reason": "exempt"},
    7: {"verdict": "dismissed", "reason": "duplicate"},
}


@pytest.fixture
def picture() -> NDArray[np.uint8]:
    """A picture that is sharp everywhere."""
    return np.random.default_rng(7).integers(0, 256, (480, 640, 3), np.uint8)


def breach(
    api: Api, camera: str, number: int, picture: NDArray[np.uint8], box: Box = FACE, faces: dict[int, str] | None = None
) -> None:
    """An event with its picture, and small ones of the face at some seconds."""
    at_ns = START_NS + number * 60 * NS_PER_S
    # Two of the same would be one file.
    picture = np.roll(picture, number, axis=1)
    jpeg = encode_snapshot(picture, box)
    shots: dict[int, FaceShot | None] = {}
    for second, label in (faces or {}).items():
        small = face_jpeg(picture, box)
        assert small is not None
        shots[at_ns + second * NS_PER_S] = FaceShot(Label(label), small)
    key = (camera, number)
    batch = Batch(f"{number}-0")
    batch.tracks[key] = Track(number, at_ns, at_ns, 9, Label.WITHOUT_MASK, 0.9, None, counted=True, closed=True)
    batch.events[key] = Event(number, Label.WITHOUT_MASK, at_ns, at_ns, None, 0.9, closed=True)
    batch.snapshots[key] = Kept(api.keep(jpeg), len(jpeg), box, at_ns)
    batch.faces[key] = shots
    api.ledger.commit(batch, at_ns)


def judge(api: Api, event: str, body: dict[str, str]) -> None:
    answer = api.client.post(f"/api/v1/events/{event}/review", json=body, headers={"If-Match": '"1"'})
    assert answer.status_code == 200, answer.text


def export(api: Api, **query: str) -> zipfile.ZipFile:
    answer = api.client.get("/api/v1/training/export", params=query)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/zip")
    archive = zipfile.ZipFile(io.BytesIO(answer.content))
    assert archive.testzip() is None
    return archive


def pictures(archive: zipfile.ZipFile) -> list[str]:
    return sorted(name for name in archive.namelist() if name.endswith(".jpg"))


def test_what_people_said_is_exported_and_training_reads_it(
    api: Api, picture: NDArray[np.uint8], tmp_path: Path
) -> None:
    camera = api.camera(api.building())
    for number in range(1, 9):
        breach(api, camera, number, picture, faces={0: "without_mask", 1: "without_mask", 2: "incorrect_mask"})
    for number, body in REVIEWS.items():
        judge(api, f"{camera}-e{number}", body)
    archive = export(api)
    labels = {1: "without_mask", 2: "incorrect_mask", 3: "with_mask", 4: "not_a_face"}
    # The snapshot, and the face a second later; what was seen as something else nobody has judged.
    expected = []
    for number, label in labels.items():
        later_ns = START_NS + (number * 60 + 1) * NS_PER_S
        expected += [f"{label}/{camera}-e{number}.jpg", f"{label}/{camera}-e{number}-{later_ns}.jpg"]
    assert pictures(archive) == sorted(expected)
    manifest = list(csv.DictReader(io.StringIO(archive.read("manifest.csv").decode())))
    assert sorted(one["picture"] for one in manifest) == sorted(expected)
    second = next(one for one in manifest if one["picture"] == f"incorrect_mask/{camera}-e2.jpg")
    assert (second["label"], second["machine_label"], second["labelled_by"], second["camera"], second["event"]) == (
        "incorrect_mask", "without_mask", "this machine", camera, f"{camera}-e2",
    )  # fmt: skip
    assert second["seen_at"] == "2026-07-01T10:02:00Z"
    archive.extractall(tmp_path / "export")
    assert reviews.applies(tmp_path / "export")
    listed = reviews.read(tmp_path / "export", "reviews").pictures
    assert sorted(one.path.relative_to(tmp_path / "export").as_posix() for one in listed) == sorted(expected)
    assert {one.group for one in listed} == {f"{camera} 2026-07-01"}
    (box,) = next(one for one in listed if one.path.name == f"{camera}-e1.jpg").boxes
    assert box == (16, 20, 64, 80)


def test_faces_that_are_small_or_blurred_are_left_out(api: Api, picture: NDArray[np.uint8]) -> None:
    camera = api.camera(api.building())
    breach(api, camera, 1, picture, box=(300, 120, 20, 23))
    breach(api, camera, 2, np.full_like(picture, 120), faces={1: "without_mask"})
    for number in (1, 2):
        judge(api, f"{camera}-e{number}", {"verdict": "confirmed"})
    assert pictures(export(api)) == []


def test_an_export_is_of_a_time_and_of_the_callers_buildings_and_is_noted(api: Api, picture: NDArray[np.uint8]) -> None:
    north, south = api.building("North"), api.building("South")
    for house in (north, south):
        camera = api.camera(house, house)
        for number in (1, 2):
            breach(api, camera, number, picture)
            judge(api, f"{camera}-e{number}", {"verdict": "confirmed"})
    assert len(pictures(export(api))) == 4
    late = pictures(export(api, **{"from": "2026-07-01T10:02:00Z", "to": "2026-07-01T10:03:00Z"}))
    assert len(late) == 2
    assert all(name.endswith("-e2.jpg") for name in late)
    body = {"name": "trainer", "role": "admin", "buildings": [south]}
    api.client.headers["Authorization"] = f"Bearer {api.post('/api-keys', body)['key']}"
    assert pictures(export(api)) == [f"without_mask/{camera}-e1.jpg", f"without_mask/{camera}-e2.jpg"]
    del api.client.headers["Authorization"]
    noted = api.get("/audit", action="training.exported")["items"]
    assert len(noted) == 3
    answer = api.client.get("/api/v1/training/export", params={"when": "now"})
    problem(answer, 422, "invalid-request")


def test_a_picture_that_is_gone_is_passed_over(api: Api, picture: NDArray[np.uint8]) -> None:
    camera = api.camera(api.building())
    breach(api, camera, 1, picture)
    judge(api, f"{camera}-e1", {"verdict": "confirmed"})
    for path in api.context.snapshots.iterdir():
        path.unlink()
    assert pictures(export(api)) == []
