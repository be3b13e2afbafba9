"""Whether a camera is placed well enough: asked over HTTP, and from the command line."""

import io
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from infra.demo.clips import write_clip
from infra.demo.script import small_clip
from infra.places import Places
from infra.settings import load_settings
from ingest.answers import Grounds, run_answers
from ingest.frame import Frame
from ingest.played import PlayedFile
from storage.asking import NoAnswerError
from storage.database.ledger import Batch
from storage.database.suitability import HOUR_NS, KeptView, Views
from storage.face_tally import Tally
from storage.probing import still_of
from storage.pulse import Pulse
from storage.status import CameraState, CameraStatus
from tests.api_server import Api, api_fixture, migrated_fixture, problem  # noqa: F401
from tests.conftest import WriteVideo

Call = Callable[..., tuple[int, str, str]]


def seen(width: int, passages: int = 5) -> Tally:
    tally = Tally(samples=1000, looked=400)
    for _ in range(passages):
        for _ in range(20):
            tally.note_face(width, 0.5, 0.5, (0.3, 0.5, 0.1))
        tally.note_passage(width, None)
    return tally


def write(api: Api, camera: str, hours_ago: int, tally: Tally) -> None:
    hour_ns = (time.time_ns() // HOUR_NS - hours_ago) * HOUR_NS
    api.ledger.commit(Batch(f"{time.time_ns()}-0", tallies={(camera, hour_ns): tally}), time.time_ns())


@pytest.fixture
def camera(api: Api) -> str:
    return api.camera(api.building())


def test_the_verdict_is_that_of_the_hours_asked_for(api: Api, camera: str) -> None:
    write(api, camera, 5, seen(14))
    write(api, camera, 0, seen(80))
    late = api.get(f"/cameras/{camera}/suitability", hours=2)
    assert (late["verdict"], late["zoom"], late["passages"], late["faces"]) == ("good", None, 5, 100)
    day = api.get(f"/cameras/{camera}/suitability")
    assert (day["verdict"], day["zoom"], day["passages"]) == ("unsuitable", 1.7, 10)
    assert (day["needed_px"], day["comfortable_px"]) == (24, 40)
    assert day["sharpness"] == {"p10": 0.31, "p50": 0.31, "p90": 0.31}
    # Another camera's faces are its own.
    other = api.camera(api.building("South"), "Gate")
    assert api.get(f"/cameras/{other}/suitability")["verdict"] == "too_little_seen"


def test_drift_is_said_with_it(api: Api, camera: str) -> None:
    assert api.get(f"/cameras/{camera}/suitability")["warnings"] == []
    warning = "dark: there has been too little light"
    api.says(camera, CameraStatus(CameraState.LIVE, None, 0, 25.0, 5.0, None, "rtcp", warnings=(warning,)))
    assert api.get(f"/cameras/{camera}/suitability")["warnings"] == [warning]


@pytest.mark.parametrize("query", ["hours=0", "hours=721", "hours=x", "days=2"])
def test_hours_out_of_range_are_refused(api: Api, camera: str, query: str) -> None:
    problem(api.client.get(f"/api/v1/cameras/{camera}/suitability?{query}"), 422, "invalid-request")


def test_a_camera_that_is_not_there_is_not_found(api: Api) -> None:
    for path in ("", "/still"):
        problem(api.client.get(f"/api/v1/cameras/c9/suitability{path}"), 404, "not-found")
    problem(api.client.post("/api/v1/cameras/c9/suitability/accept"), 404, "not-found")


def test_a_new_view_is_accepted_by_forgetting_the_old_one(api: Api, camera: str) -> None:
    views = Views(api.context.engine)
    views.add(KeptView(camera, "address", b"reference"), 1)
    assert api.client.post(f"/api/v1/cameras/{camera}/suitability/accept").status_code == 204
    assert views.known([camera]) == set()
    assert not views.replace(KeptView(camera, "address", b"reference"), 2)


def opened(answer: Any) -> NDArray[np.int16]:
    assert answer.status_code == 200, answer.text
    assert (answer.headers["content-type"], answer.headers["cache-control"]) == ("image/jpeg", "private, no-store")
    return np.asarray(Image.open(io.BytesIO(answer.content)).convert("RGB"), np.int16)


@pytest.fixture
def frame(api: Api, write_video: WriteVideo) -> Frame:
    picture = np.random.default_rng(1).integers(0, 255, (240, 320, 3)).astype(np.uint8)
    path = write_video([picture] * 5, options={"crf": "5"}).rename(api.media / "clip.mp4")
    return next(iter(PlayedFile(path, 5.0, time.time_ns(), time.time_ns()).frames(Pulse())))


@pytest.fixture
def ingest(api: Api, camera: str, frame: Frame) -> Iterator[None]:
    """An ingest process that watches the camera; people may be in the left half of its picture."""
    pulse, people = Pulse(), np.zeros((6, 8), bool)
    people[:, :4] = True
    grounds = Grounds(api.context.sites, api.media, "private")
    thread = threading.Thread(
        target=run_answers,
        args=(api.context.asking, grounds, lambda: [camera], lambda _: frame, pulse, lambda _: people),
        daemon=True,
    )
    thread.start()
    until_s = time.monotonic() + 5
    while True:
        try:
            api.context.asking.ask(still_of(camera), b"", 5)
            break
        except NoAnswerError:
            assert time.monotonic() < until_s
    yield
    pulse.stop()
    thread.join()


def detail(picture: NDArray[np.int16]) -> float:
    return float(np.abs(np.diff(picture, axis=1)).mean())


@pytest.mark.usefixtures("ingest")
def test_the_still_covers_people_before_it_leaves_the_ingest_process(api: Api, camera: str) -> None:
    picture = opened(api.client.get(f"/api/v1/cameras/{camera}/suitability/still"))
    assert picture.shape[1] == 960
    assert detail(picture[:120, :420]) < 4 < detail(picture[:120, 540:])


@pytest.mark.usefixtures("frame")
def test_of_a_camera_that_is_not_watched_all_is_covered(api: Api) -> None:
    camera = api.camera(api.building("South"), "Clip", url="file:clip.mp4")
    pulse = Pulse()
    grounds = Grounds(api.context.sites, api.media, "private")
    args = (api.context.asking, grounds, list, lambda _: None, pulse)
    thread = threading.Thread(target=run_answers, args=args, daemon=True)
    thread.start()
    until_s = time.monotonic() + 20
    answer = api.client.get(f"/api/v1/cameras/{camera}/suitability/still", timeout=20)
    while answer.status_code == 503 and time.monotonic() < until_s:
        answer = api.client.get(f"/api/v1/cameras/{camera}/suitability/still", timeout=20)
    assert detail(opened(answer)[:40]) < 8
    pulse.stop()
    thread.join()


def test_nobody_to_ask_for_a_still_is_said(api: Api, camera: str) -> None:
    problem(api.client.get(f"/api/v1/cameras/{camera}/suitability/still"), 503, "ingest-unavailable")


@pytest.fixture
def corridor() -> str:
    media = Places.of(load_settings()).media
    media.mkdir(parents=True)
    write_clip(small_clip(duration_s=6.0, persons=2), media / "corridor.mp4")
    return "file:corridor.mp4"


def test_a_camera_is_watched_for_a_while_and_judged(maskwatch: Call, corridor: str, tmp_path: Path) -> None:
    still = tmp_path / "still.jpg"
    status, out, err = maskwatch("camera", "test", corridor, "--watch", "7s", "--still", still, "--json")
    assert status == 0, err
    [line] = out.splitlines()
    found = json.loads(line)
    assert (found["camera_id"], found["url"], found["needed_px"]) == (None, corridor, 24)
    assert found["faces"] > 10
    assert found["verdict"] in {"good", "limited", "too_little_seen", "unsuitable"}
    assert 5 < found["seconds"] < 8
    picture = np.asarray(Image.open(still).convert("RGB"), np.int16)
    assert picture.shape[1] == 960
    # In so short a time nobody can say where nobody is.
    assert detail(picture[:60]) < 8
    assert "is in" in err


def test_a_camera_that_can_not_be_reached_is_said_soon(maskwatch: Call, tmp_path: Path) -> None:
    began_s = time.monotonic()
    still = tmp_path / "still.jpg"
    status, out, err = maskwatch("camera", "test", "rtsp://127.0.0.1:9/1", "--watch", "1m", "--still", still)
    assert (status, out) == (1, "")
    assert "refuses the connection" in err
    assert time.monotonic() - began_s < 8
    assert not still.exists()


@pytest.mark.parametrize("text", ["", "0", "10x", "-5", "25h", "nan", "1e9", "٣s"])
def test_a_time_that_is_none_is_a_wrong_call(maskwatch: Call, text: str) -> None:
    status, out, err = maskwatch("camera", "test", "rtsp://127.0.0.1:9/1", f"--watch={text}")
    assert (status, out) == (2, "")
    assert "say for how long" in err
