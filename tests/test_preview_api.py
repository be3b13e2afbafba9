"""Live previews as viewers get them over HTTP, and from a real camera to a real browser's connection."""

import io
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from infra.demo.clips import write_clip
from infra.demo.live import BUILDING, closing_engine, demo_settings, set_up
from infra.demo.script import small_clip
from infra.places import Places
from infra.settings import load_settings
from infra.supervisor import System
from storage.bus import Bus, BusError
from storage.database.api_keys import ApiKeys, NewKey
from storage.database.records import NewCamera
from storage.database.sites import Sites
from storage.identity import Role
from storage.preview import Picture, Previews
from storage.status import CameraState, CameraStatus, StateReason
from tests.api_server import Api, api_fixture, migrated_fixture, problem, wait_for  # noqa: F401

KIND = "multipart/x-mixed-replace; boundary=maskwatch-preview"
NEXT = b"\r\n--maskwatch-preview"


@pytest.fixture
def camera(api: Api) -> str:
    return api.camera(api.building())


@pytest.fixture
def previews(api: Api) -> Previews:
    return Previews(api.context.bus)


def parts(answer: httpx.Response) -> Iterator[bytes]:
    """The pictures of a stream, each as soon as it is there."""
    left = b"\r\n"
    for chunk in answer.iter_raw():
        left += chunk
        while (end := left.find(NEXT, 1)) > 0:
            head, _, body = left[:end].partition(b"\r\n\r\n")
            assert b"Content-Type: image/jpeg" in head
            yield body
            left = left[end:]


@contextmanager
def showing(previews: Previews, camera: str, every_s: float = 0.05) -> Iterator[list[bytes]]:
    """A camera whose pictures are numbered, while it is looked at."""
    made: list[bytes] = []
    over = threading.Event()

    def show() -> None:
        while not over.wait(every_s):
            if previews.wanted([camera]):
                made.append(b"picture %d" % len(made))
                previews.put_picture(camera, Picture(len(made), 640, 360, made[-1]))

    thread = threading.Thread(target=show)
    thread.start()
    try:
        yield made
    finally:
        over.set()
        thread.join()


def test_pictures_come_one_after_another_while_somebody_looks(api: Api, camera: str, previews: Previews) -> None:
    with showing(previews, camera) as made:
        assert made == []
        with api.client.stream("GET", f"/api/v1/cameras/{camera}/preview") as answer:
            assert (answer.status_code, answer.headers["content-type"]) == (200, KIND)
            assert answer.headers["cache-control"] == "private, no-store"
            seen = [body for body, _ in zip(parts(answer), range(4), strict=False)]
            assert previews.wanted([camera]) == {camera: 640}
    numbers = [int(body.split()[1]) for body in seen]
    assert numbers == sorted(set(numbers))
    assert set(seen) <= set(made)


def test_one_picture_is_the_latest(api: Api, camera: str, previews: Previews) -> None:
    with showing(previews, camera):
        answer = api.client.get(f"/api/v1/cameras/{camera}/preview.jpg", params={"width": 320})
        assert previews.wanted([camera]) == {camera: 320}
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/jpeg")
    assert answer.headers["cache-control"] == "private, no-store"
    previews.put_picture(camera, Picture(99, 640, 360, b"the latest"))
    assert api.client.get(f"/api/v1/cameras/{camera}/preview.jpg").content == b"the latest"


def test_all_viewers_of_a_camera_cost_one_and_the_widest_decides(api: Api, camera: str, previews: Previews) -> None:
    path = f"/api/v1/cameras/{camera}/preview"
    before = threading.enumerate()
    with (
        showing(previews, camera),
        api.client.stream("GET", path, params={"width": 320}) as one,
        api.client.stream("GET", path, params={"width": 960}) as other,
    ):
        # Those of the tests before may still be ending.
        readers = [thread for thread in threading.enumerate() if thread.name == "previews" and thread not in before]
        assert len(readers) == 1
        first, second = parts(one), parts(other)
        next(first)
        next(second)
        wait_for(lambda: previews.wanted([camera]) == {camera: 960})
    # With the last viewer its thread goes, too.
    wait_for(lambda: not readers[0].is_alive())


def test_who_takes_pictures_slowly_gets_the_newest(api: Api, camera: str, previews: Previews) -> None:
    large = bytes(2_000_000)
    with _joined(api, camera, previews) as answer:
        pictures = parts(answer)
        next(pictures)
        for number in range(20):
            previews.put_picture(camera, Picture(number, 640, 360, b"%d " % number + large))
            time.sleep(0.02)
        previews.put_picture(camera, Picture(99, 640, 360, b"last"))
        seen = []
        for body in pictures:
            seen.append(body.split(b" ")[0])
            if body == b"last":
                break
    assert len(seen) < 15


@contextmanager
def _joined(api: Api, camera: str, previews: Previews) -> Iterator[httpx.Response]:
    previews.put_picture(camera, Picture(0, 640, 360, b"first"))
    with api.client.stream("GET", f"/api/v1/cameras/{camera}/preview") as answer:
        yield answer


def test_where_nothing_comes_the_reason_is_said(api: Api, camera: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.preview.FIRST_S", 0.2)
    for path in ("preview", "preview.jpg"):
        body = problem(api.client.get(f"/api/v1/cameras/{camera}/{path}"), 503, "preview-unavailable")
        assert "'Door' shows nothing now: it is connecting" in body["detail"]
    detail = "the camera refuses the password: correct it"
    away = CameraStatus(CameraState.BACKING_OFF, StateReason.WRONG_PASSWORD, 1, 0.0, 0.0, None, "rtcp", detail)
    api.says(camera, away)
    body = problem(api.client.get(f"/api/v1/cameras/{camera}/preview"), 503, "preview-unavailable")
    assert detail in body["detail"]


def test_a_camera_that_is_not_in_use_has_no_preview_and_nobody_waits(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.preview.FIRST_S", 60.0)
    disabled = api.camera(api.building(), enabled=False)
    began_s = time.monotonic()
    body = problem(api.client.get(f"/api/v1/cameras/{disabled}/preview"), 503, "preview-unavailable")
    assert "enable it" in body["detail"]
    problem(api.client.get("/api/v1/cameras/c999/preview"), 404, "not-found")
    problem(api.client.get(f"/api/v1/cameras/{disabled}/preview", params={"width": 641}), 422, "invalid-request")
    assert time.monotonic() - began_s < 30


def test_a_camera_of_another_building_is_not_there(api: Api, camera: str, previews: Previews) -> None:
    _, secret = ApiKeys(api.context.engine).add(NewKey("screen", Role.VIEWER, (api.building("South"),)))
    there = {"Authorization": f"Bearer {secret}"}
    previews.put_picture(camera, Picture(1, 640, 360, b"somebody"))
    for path in ("preview", "preview.jpg"):
        answer = api.client.get(f"/api/v1/cameras/{camera}/{path}", headers=there)
        assert b"somebody" not in answer.content
        problem(answer, 404, "not-found")
    assert previews.wanted([camera]) == {}


def test_so_many_may_look_and_no_more(
    api: Api, camera: str, previews: Previews, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.preview.MOST_VIEWERS", 1)
    path = f"/api/v1/cameras/{camera}/preview"
    with _joined(api, camera, previews):
        problem(api.client.get(path), 503, "too-many-streams")
    # Their place is free as soon as they have gone.
    wait_for(lambda: api.client.get(f"{path}.jpg").status_code == 200)


def test_one_caller_leaves_previews_for_others(
    api: Api, camera: str, previews: Previews, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.preview.MOST_OF_ONE", 1)
    _, secret = ApiKeys(api.context.engine).add(NewKey("screen", Role.VIEWER, (building_of(api, camera),)))
    path = f"/api/v1/cameras/{camera}/preview.jpg"
    with _joined(api, camera, previews):
        problem(api.client.get(path), 429, "too-many-streams")
        previews.put_picture(camera, Picture(9, 640, 360, b"somebody"))
        there = {"Authorization": f"Bearer {secret}"}
        assert api.client.get(path, headers=there).content == b"somebody"


def test_a_preview_ends_after_a_while(
    api: Api, camera: str, previews: Previews, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.lasting.LONGEST_S", 0.3)
    with _joined(api, camera, previews) as answer:
        assert answer.read().endswith(b"--maskwatch-preview--\r\n")


@pytest.mark.parametrize("change", ["revoked", "moved", "disabled", "removed"])
def test_who_may_look_no_more_sees_no_more(
    api: Api, camera: str, previews: Previews, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    monkeypatch.setattr("api.lasting.WELCOME_S", 0.05)
    key, secret = ApiKeys(api.context.engine).add(NewKey("screen", Role.VIEWER, (building_of(api, camera),)))
    path, there = f"/api/v1/cameras/{camera}", {"Authorization": f"Bearer {secret}"}
    with showing(previews, camera), api.client.stream("GET", f"{path}/preview", headers=there) as answer:
        shown = parts(answer)
        assert [next(shown) for _ in range(3)]
        if change == "revoked":
            assert api.client.delete(f"/api/v1/api-keys/{key.id}").status_code == 204
        elif change == "moved":
            assert api.client.patch(path, json={"building_id": api.building("South")}).status_code == 200
        elif change == "disabled":
            assert api.client.patch(path, json={"enabled": False}).status_code == 200
        else:
            assert api.client.delete(path).status_code == 204
        # It ends by itself: pictures still come.
        assert len(list(shown)) < 100


def building_of(api: Api, camera: str) -> str:
    return str(api.get(f"/cameras/{camera}")["building_id"])


def test_a_server_that_stops_ends_previews_at_once(api: Api, camera: str, previews: Previews) -> None:
    with _joined(api, camera, previews) as answer:
        began_s = time.monotonic()
        api.pulse.stop()
        assert answer.read().endswith(b"--maskwatch-preview--\r\n")
    assert time.monotonic() - began_s < (1.0 if os.environ.get("MASKWATCH_PROOF") else 10.0)


def test_without_the_bus_it_is_said_so(api: Api, camera: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> None:
        raise BusError("cannot reach Redis")

    monkeypatch.setattr(api.context.bus, "ping", away)
    problem(api.client.get(f"/api/v1/cameras/{camera}/preview"), 503, "bus-unavailable")


# --- from the camera on ---


@pytest.mark.slow
def test_a_camera_is_seen_live_with_boxes_and_nothing_is_made_once_nobody_looks(tmp_path: Path) -> None:
    truth = write_clip(small_clip(960, 540, 15.0, 3), tmp_path / "entrance.mp4")
    settings = demo_settings(load_settings(), tmp_path / "demo").model_copy(update={"media_dir": tmp_path})
    set_up(settings, [])
    boxes = 0
    with System(settings, port=0) as system:
        system.wait_ready()
        # It plays from now on, when nothing else is starting.
        with closing_engine(settings) as engine:
            camera = NewCamera("Entrance", BUILDING, f"file:{truth.camera}.mp4", id=truth.camera)
            Sites(engine, Places.of(settings).media).add_camera(camera)
        with _first_shown(f"{system.url}/api/v1/cameras/{truth.camera}/preview") as answer:
            began_s = time.monotonic()
            for body in parts(answer):
                picture = np.asarray(Image.open(io.BytesIO(body)))
                assert picture.shape == (360, 640, 3)
                boxes += _has_box(picture)
                if boxes or time.monotonic() - began_s > 20:
                    break
        bus = Bus(system.redis_url)
        previews = Previews(bus)
        wait_for(lambda: not previews.wanted([truth.camera]), 30)
        wait_for(lambda: not previews.pictures({truth.camera: "0-0"}, 0), 30)
        bus.close()
    assert boxes


@contextmanager
def _first_shown(url: str, limit_s: float = 30.0) -> Iterator[httpx.Response]:
    """The stream of a camera that has just been registered, once it shows something."""
    began_s = time.monotonic()
    while True:
        with httpx.stream("GET", url, timeout=30) as answer:
            if answer.status_code == 200:
                yield answer
                return
            assert answer.status_code == 503
            assert time.monotonic() - began_s < limit_s, answer.read()


def _has_box(picture: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> bool:
    """Whether the colours of labels are in it, as nothing in the corridor has them."""
    red, green, blue = (picture[..., index].astype(int) for index in range(3))
    labelled = (red > 190) & (green < 90) & (blue < 90) | (green > 140) & (red < 80) & (blue < 100)
    return int(labelled.sum()) > 100
