"""Try a photo: the same answer as on the command line, nothing kept, and no picture that stops the worker."""

import io
import json
import os
import signal
import struct
import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from PIL import Image
from sqlalchemy import func, select

from infra import looking_up as module
from infra.looking_up import LookingUp, looking_up
from infra.settings import load_settings
from storage.asking import ANALYZE, EXPLAIN, Asking, NoAnswerError, Request
from storage.database.engine import reading
from storage.database.models import AuditRow
from storage.looking import AnalyzeAsked, Fault
from tests.api_server import Api, api_fixture, migrated_fixture, problem, wait_for  # noqa: F401
from tests.conftest import Maskwatch, flat


@pytest.fixture(name="answered")
def answered_fixture(api: Api) -> Iterator[Api]:
    """An API whose questions are answered."""
    with looking_up(Asking(api.context.bus), load_settings()):
        yield api


def post(api: Api, body: bytes, query: str = "", kind: str = "image/jpeg") -> Any:
    return api.client.post(f"/api/v1/analyze{query}", content=body, headers={"Content-Type": kind}, timeout=40)


def encoded(kind: str, size: tuple[int, int] = (90, 120)) -> bytes:
    out = io.BytesIO()
    Image.fromarray(flat(size=size)).save(out, kind)
    return out.getvalue()


def png(width: int, height: int) -> bytes:
    """A file of some bytes that claims to be a large picture."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(bytes(1_000_000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def test_the_answer_is_that_of_the_command_line_and_nothing_is_kept(
    answered: Api, photo: Path, maskwatch: Maskwatch, raw: Any
) -> None:
    status, said, _ = maskwatch("image", photo, "--json")
    assert status == 0
    wait_for(lambda: post(answered, photo.read_bytes()).status_code == 200)
    answer = post(answered, photo.read_bytes(), f"?name={photo}")
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "private, no-store"
    assert answer.text == said.strip()
    assert "without_mask" in [face["label"] for face in answer.json()["faces"]]
    drawn = post(answered, photo.read_bytes(), "?annotate=true")
    assert drawn.headers["content-type"] == "image/jpeg"
    with Image.open(io.BytesIO(drawn.content)) as picture, Image.open(photo) as plain:
        assert picture.size == plain.size
        assert np.abs(np.asarray(picture).astype(int) - np.asarray(plain)).max() > 100
    assert not [key for key in raw.scan_iter() if b"question" in key or b":answer:" in key]
    assert list(answered.context.snapshots.iterdir()) == []
    with reading(answered.context.engine) as connection:
        assert connection.execute(select(func.count()).select_from(AuditRow)).scalar() == 0


def test_no_picture_of_a_stranger_does_harm_and_each_is_told_why(answered: Api, photo: Path) -> None:
    whole = photo.read_bytes()
    refused = {
        b"": "is empty",
        b"no picture": "not a picture",
        whole[: len(whole) // 2]: "damaged",
        whole[:3] + bytes(2000): "not a picture",
        png(50_000, 50_000): "pixels",
        png(9_000, 9_000): "pixels",
        png(2_000, 2_000): "damaged",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\nshowpage\n": "not a picture",
        b"GIF89a" + b"\xff" * 50: "",
        b"II*\x00" + b"\xff" * 100: "",
    }
    wait_for(lambda: post(answered, b"x").status_code == 422)
    for body, why in refused.items():
        assert why in problem(post(answered, body), 422, "picture-refused")["detail"]
    for kind in ("text/plain", "multipart/form-data; boundary=x", "application/json", "image/svg+xml"):
        problem(post(answered, whole, kind=kind), 415, "unsupported-media-type")
    problem(post(answered, bytes(20_000_001)), 413, "body-too-large")
    for query in ("?name=", f"?name={'x' * 201}", "?save=1", "?annotate=perhaps"):
        problem(post(answered, whole, query), 422, "invalid-request")
    name = post(answered, b"x", "?name=%0d%0aSet-Cookie:%20a").json()["detail"]
    assert name.endswith("is not a picture in a format that can be read")
    # The worker lives, and other formats than JPEG are taken whatever their type says.
    for form in ("PNG", "WEBP", "BMP", "GIF", "TIFF"):
        answer = post(answered, encoded(form), kind="image/png")
        assert answer.json() == {"image": "picture", "width": 120, "height": 90, "faces": []}


def test_where_nobody_answers_it_is_said_at_once(api: Api, photo: Path) -> None:
    said = problem(post(api, photo.read_bytes()), 503, "classify-unavailable")
    assert "maskwatch serve classify" in said["detail"]


def test_many_at_once_are_answered_or_told_to_come_again(answered: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.request_body.MOST_LARGE", 0)
    problem(post(answered, b"x"), 503, "busy")
    monkeypatch.undo()
    monkeypatch.setattr("storage.asking.MOST_WAITING", 0)
    problem(post(answered, b"x"), 503, "classify-unavailable")


def test_the_networks_go_when_nobody_asks_and_come_back(photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looking = LookingUp(load_settings())
    request = Request("a", ANALYZE, msgspec.msgpack.encode(AnalyzeAsked(photo.read_bytes(), "a")), 5)
    assert not looking.is_open
    first = looking.answer(request)
    looking.rest()
    assert looking.is_open
    monkeypatch.setattr(module, "IDLE_S", 0.0)
    looking.rest()
    assert not looking.is_open
    assert looking.answer(request) == first
    assert json.loads(first.body or b"")["faces"]
    looking.close()


def test_a_question_that_is_none_gets_a_reason_and_a_model_that_is_away_is_our_fault(tmp_path: Path) -> None:
    looking = LookingUp(load_settings())
    for kind in (ANALYZE, EXPLAIN):
        said = looking.answer(Request("a", kind, b"\xc1", 5))
        assert (said.body, said.fault) == (None, Fault.PICTURE)
    away = LookingUp(load_settings(model=tmp_path / "gone.tflite"))
    said = away.answer(Request("a", ANALYZE, msgspec.msgpack.encode(AnalyzeAsked(encoded("PNG"), "a")), 5))
    assert (said.body, said.fault) == (None, Fault.SETUP)
    assert "gone.tflite" in (said.reason or "")


def test_questions_about_pictures_may_be_large_and_others_may_not(api: Api) -> None:
    asking = Asking(api.context.bus)
    with pytest.raises(ValueError, match="at most 4194304 bytes"):
        asking.ask("probe", bytes(5_000_000), 1)
    with pytest.raises(NoAnswerError, match="no classify process"):
        asking.ask(ANALYZE, bytes(20_000_000), 1)


@pytest.mark.slow
def test_a_classify_process_answers_beside_its_work_and_stops_in_time(api: Api, redis: str, photo: Path) -> None:
    environment = os.environ | {"MASKWATCH_REDIS_URL": redis, "MASKWATCH_FRAME_STORE": "redis"}
    command = [str(Path(sys.executable).parent / "maskwatch"), "serve", "classify"]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        try:
            wait_for(lambda: post(api, photo.read_bytes()).status_code == 200, 90)
            problem(post(api, photo.read_bytes()[:5000]), 422, "picture-refused")
        finally:
            process.send_signal(signal.SIGTERM)
            _, told = process.communicate(timeout=60)
    assert process.returncode == 0, told
    events = [json.loads(line)["event"] for line in told.splitlines() if line.startswith("{")]
    assert events[-1] == "stopped"
    assert photo.name not in told
    problem(post(api, photo.read_bytes()), 503, "classify-unavailable")
