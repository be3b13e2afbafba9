"""Checking a camera in a child process: what it shows or why it does not, soon, and nothing is left of it."""

import io
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from structlog.testing import capture_logs

from infra.rtsp.server import RtspServer
from ingest import probe as module
from ingest.answers import MOST_PROBES, Grounds, run_answers
from ingest.frame import Frame
from ingest.glance import rate
from ingest.played import PlayedFile
from ingest.probe import probe
from ingest.still import still_jpeg
from storage.asking import Asking, NoAnswerError, Request
from storage.bus import Bus, BusError
from storage.database.engine import migrate, open_engine, sqlite_url
from storage.database.records import NewCamera
from storage.database.sites import Sites
from storage.probing import PROBE, CameraAsked, Probe, ProbeRequest, Still, still_of
from storage.pulse import Pulse
from storage.status import StateReason
from tests.conftest import WriteVideo, flat
from tests.rtsp_client import is_alive

PASSWORD = "ge/heim@47"  # noqa: S105
PROOF = bool(os.environ.get("MASKWATCH_PROOF"))
CHECK_S = 10.0 if PROOF else 40.0
"""Longest time that a check takes of a camera that shows something."""


@pytest.fixture
def clip(write_video: WriteVideo) -> Path:
    frames = [flat(size=(240, 320)) for _ in range(50)]
    for number, frame in enumerate(frames):
        frame[40:90, 4 * number : 4 * number + 50] = (200, 90, 30)
    return write_video(frames, options={"movflags": "faststart"})


@pytest.fixture
def camera(clip: Path) -> Iterator[RtspServer]:
    with RtspServer({"1": clip, "2": clip}, user="guard", password=PASSWORD) as server:
        yield server


def children() -> set[int]:
    """Of all our threads."""
    found: set[int] = set()
    for task in Path("/proc/self/task").iterdir():
        # A thread may end meanwhile.
        with suppress(FileNotFoundError):
            found |= {int(name) for name in (task / "children").read_text().split()}
    return found


def picture(jpeg: bytes | None) -> Image.Image:
    assert jpeg is not None
    return Image.open(io.BytesIO(jpeg))


@contextmanager
def silent() -> Iterator[int]:
    """A port at which connections are taken and nothing is ever said."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@contextmanager
def closed() -> Iterator[int]:
    """A port at which connections are refused, and that nobody else gets meanwhile."""
    with socket.socket() as kept:
        kept.bind(("127.0.0.1", 0))
        yield kept.getsockname()[1]


def test_what_a_camera_shows_is_said(camera: RtspServer) -> None:
    found = probe(ProbeRequest(camera.url("1"), substream_url=camera.url("2")), CHECK_S)
    assert (found.ok, found.reason, found.detail) == (True, None, None)
    assert (found.codec, found.width, found.height) == ("h264", 320, 240)
    assert found.fps == pytest.approx(25, rel=0.1)
    assert found.first_frame_s is not None
    assert 0 <= found.first_frame_s < CHECK_S / 2
    assert found.clock in {"rtcp", "arrival"}
    assert picture(found.still).size == (320, 240)
    assert found.substream is not None
    assert (found.substream.ok, found.substream.width, found.substream.still) == (True, 320, None)


def test_a_file_is_a_camera_too(clip: Path) -> None:
    found = probe(ProbeRequest(f"file:{clip.name}", media_root=str(clip.parent), still=False), CHECK_S)
    assert (found.ok, found.width, found.clock, found.still) == (True, 320, "file", None)
    assert found.fps == pytest.approx(25, rel=0.1)


def test_why_a_camera_shows_nothing_is_said_without_its_password(camera: RtspServer) -> None:
    good = camera.url("1")
    with closed() as port:
        cases = {
            good.replace("@", "x@"): {StateReason.WRONG_PASSWORD},
            good.replace("/1", "/9"): {StateReason.NOT_FOUND},
            f"rtsp://guard:ge%2Fheim@127.0.0.1:{port}/1": {StateReason.REFUSED},
            "rtsp://guard:ge%2Fheim@169.254.169.254/1": {StateReason.NOT_ALLOWED},
            "file:none.mp4": {StateReason.NOT_FOUND},
        }
        for url, reasons in cases.items():
            found = probe(ProbeRequest(url, still=False), CHECK_S)
            assert not found.ok
            assert found.reason in reasons, found
            assert found.detail
            assert "heim" not in found.detail


def test_a_camera_that_hangs_costs_no_more_than_the_limit_and_leaves_nothing() -> None:
    before = children()
    with silent() as port:
        began_s = time.monotonic()
        found = probe(ProbeRequest(f"rtsp://guard:geheim@127.0.0.1:{port}/1"), limit_s=1.5)
    assert time.monotonic() - began_s < (2.5 if PROOF else 10.0)
    assert (found.ok, found.reason) == (False, StateReason.TIMEOUT)
    assert "guard:***@" in (found.detail or "")
    assert children() <= before


@pytest.fixture
def endless(monkeypatch: pytest.MonkeyPatch) -> None:
    """The child takes for ever."""
    code = "import sys, time; sys.stdin.buffer.read(); time.sleep(600)"
    monkeypatch.setattr(module, "COMMAND", (module.COMMAND[0], "-c", code))


@pytest.mark.usefixtures("endless")
def test_who_is_asked_to_stop_does_not_wait() -> None:
    pulse = Pulse()
    with silent() as port:
        threading.Timer(0.3, pulse.stop).start()
        began_s = time.monotonic()
        found = probe(ProbeRequest(f"rtsp://127.0.0.1:{port}/1"), 60.0, pulse)
    # It says nothing about the camera.
    assert (found.ok, found.reason) == (False, None)
    assert "interrupted" in (found.detail or "")
    assert time.monotonic() - began_s < (2.0 if PROOF else 8.0)


def test_the_address_is_on_no_command_line_and_in_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MASKWATCH_SECRET_KEY", "geheim")
    before, pulse = children(), Pulse()
    with silent() as port:
        url = f"rtsp://guard:geheim@127.0.0.1:{port}/1"
        thread = threading.Thread(target=probe, args=(ProbeRequest(url), 30.0, pulse))
        thread.start()
        until_s = time.monotonic() + 30
        while not (new := children() - before):
            assert time.monotonic() < until_s
        while os.getsid(next(iter(new))) != next(iter(new)):
            assert time.monotonic() < until_s
        while b"ingest.probe" not in Path(f"/proc/{next(iter(new))}/cmdline").read_bytes():
            assert time.monotonic() < until_s
        for name in ("cmdline", "environ"):
            seen = Path(f"/proc/{next(iter(new))}/{name}").read_bytes()
            assert b"geheim" not in seen
            assert f"127.0.0.1:{port}".encode() not in seen
        pulse.stop()
        thread.join()


def test_nothing_is_left_when_whoever_asked_is_killed() -> None:
    with silent() as port:
        asker = f"from ingest.probe import *\nwhile True: probe(ProbeRequest('rtsp://127.0.0.1:{port}/1'))"
        with subprocess.Popen([sys.executable, "-c", asker]) as parent:
            try:
                until_s = time.monotonic() + 60
                listed = Path(f"/proc/{parent.pid}/task/{parent.pid}/children")
                while not (found := listed.read_text().split()):
                    assert time.monotonic() < until_s
                # By then it has read what it is to do.
                while not (connected(port) and checking(found)):
                    found = listed.read_text().split()
                    assert time.monotonic() < until_s
            finally:
                parent.kill()
        while is_alive(int(found[0])):
            assert time.monotonic() < until_s


def checking(pids: Sequence[str]) -> bool:
    """Whether the first of them is a check's child, which ends by itself after a while."""
    with suppress(OSError):
        return bool(pids) and b"ingest.probe" in Path(f"/proc/{pids[0]}/cmdline").read_bytes()
    return False


def connected(port: int) -> bool:
    """Whether anybody has connected to a port of this machine."""
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    return any(line.split()[2].endswith(f":{port:04X}") for line in lines)


def test_a_child_that_is_killed_is_said(camera: RtspServer) -> None:
    """A stream that brings the decoder down takes nothing else with it."""
    before = children()
    found: list[Probe] = []
    thread = threading.Thread(target=lambda: found.append(probe(ProbeRequest(camera.url("1")), 60.0)))
    thread.start()
    until_s = time.monotonic() + 30
    while not (new := children() - before):
        assert time.monotonic() < until_s
    os.kill(next(iter(new)), signal.SIGSEGV)
    thread.join()
    assert (found[0].ok, found[0].reason) == (False, StateReason.UNSUPPORTED_CODEC)
    assert PASSWORD not in (found[0].detail or "")


def test_a_child_without_memory_ends_with_a_reason(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit is its own: what it would take beyond is refused to it, not taken from us."""
    code = "import sys; sys.stdin.buffer.read(); x = bytearray(1 << 40)"
    monkeypatch.setattr(module, "COMMAND", (module.COMMAND[0], "-c", code))
    found = probe(ProbeRequest(f"file:{clip.name}", media_root=str(clip.parent)), CHECK_S)
    assert (found.ok, found.reason) == (False, StateReason.UNSUPPORTED_CODEC)


def test_an_answer_without_end_is_cut_off(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = "import sys\nwhile True: sys.stdout.buffer.write(bytes(65536))"
    monkeypatch.setattr(module, "COMMAND", (module.COMMAND[0], "-c", code))
    before = children()
    assert not probe(ProbeRequest(f"file:{clip.name}", media_root=str(clip.parent))).ok
    assert children() <= before


@pytest.mark.parametrize("size", [(240, 320), (1080, 1920), (2000, 1000), (1, 4000)])
def test_a_still_is_a_picture_of_modest_size(size: tuple[int, int]) -> None:
    noise: NDArray[np.uint8] = np.random.default_rng(1).integers(0, 255, (*size, 3), np.uint8)
    made = picture(still_jpeg(noise))
    assert made.width <= 1280
    assert made.width == min(1280, size[1]) or made.height == 2560
    assert b"may show people" in made.info["comment"]


@pytest.mark.parametrize(
    ("times_ms", "fps"), [([], None), ([5], None), ([0, 1000], 1.0), ([0, 40, 80, 900], 25.0), ([3, 3, 3], None)]
)
def test_the_rate_is_that_of_most_frames(times_ms: list[int], fps: float | None) -> None:
    assert rate([time_ms * 1_000_000 for time_ms in times_ms]) == fps


@pytest.fixture
def sites(tmp_path: Path) -> Iterator[Sites]:
    engine = open_engine(sqlite_url(tmp_path / "maskwatch.sqlite3"))
    migrate(engine)
    yield Sites(engine, tmp_path)
    engine.dispose()


Answering = Callable[[], Asking]


@pytest.fixture
def answering(bus: Bus, sites: Sites, clip: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Asking]:
    """An ingest process as far as others can ask it: it watches `c1`."""
    monkeypatch.setattr("ingest.answers.PROBE_LIMIT_S", CHECK_S)
    pulse, asking = Pulse(), Asking(bus)
    frame = next(PlayedFile(clip, 5, time.time_ns(), time.time_ns()).frames(Pulse()))

    def latest(camera: str) -> Frame | None:
        if camera == "c2":
            raise RuntimeError("a library failed")
        return frame if camera == "c1" else None

    grounds = Grounds(sites, clip.parent, "private")
    thread = threading.Thread(target=run_answers, args=(asking, grounds, lambda: ["c1", "c2", "c3"], latest, pulse))
    thread.start()
    try:
        until_s = time.monotonic() + 30
        while True:
            try:
                asking.ask(still_of("c3"), b"", 20)
                break
            except NoAnswerError:
                assert time.monotonic() < until_s
        yield asking
    finally:
        pulse.stop()
        thread.join()
        with pytest.raises(NoAnswerError, match="no ingest process answers"):
            asking.ask(PROBE, b"", 5)


def asked(asking: Asking, camera: str, *, still: bool = False) -> Probe:
    body = msgspec.msgpack.encode(CameraAsked(camera, still))
    return msgspec.msgpack.decode(asking.ask(PROBE, body, CHECK_S), type=Probe)


def test_the_ingest_process_checks_cameras_for_others(answering: Asking, sites: Sites, clip: Path) -> None:
    building = sites.add_building("North", "UTC").id
    good = sites.add_camera(NewCamera("Good", building, f"file:{clip.name}")).id
    found = asked(answering, good, still=True)
    assert (found.ok, found.width) == (True, 320)
    assert picture(found.still).size == (320, 240)
    assert asked(answering, good).still is None
    with closed() as port:
        bad = sites.add_camera(NewCamera("Bad", building, f"rtsp://127.0.0.1:{port}/1")).id
        assert asked(answering, bad).reason is StateReason.REFUSED
    assert "there is no camera" in (asked(answering, "c9").detail or "")


def test_the_ingest_process_gives_the_latest_picture(answering: Asking) -> None:
    still = msgspec.msgpack.decode(answering.ask(still_of("c1"), b"", 20), type=Still)
    assert picture(still.jpeg).size == (320, 240)
    assert still.at_ns is not None
    for camera in ("c2", "c3"):
        assert msgspec.msgpack.decode(answering.ask(still_of(camera), b"", 20), type=Still) == Still()
    with pytest.raises(NoAnswerError, match="no ingest process answers"):
        answering.ask(still_of("c4"), b"", 5)


@pytest.mark.usefixtures("endless")
def test_a_check_that_a_stopping_process_did_not_finish_is_no_answer(bus: Bus, sites: Sites, clip: Path) -> None:
    pulse, asking, before = Pulse(), Asking(bus), children()

    def stop() -> None:
        while not children() - before and not pulse.wait(0.01):
            pass
        pulse.stop()

    building = sites.add_building("North", "UTC").id
    grounds = Grounds(sites, clip.parent, "private")
    with silent() as port:
        hanging = sites.add_camera(NewCamera("Hanging", building, f"rtsp://127.0.0.1:{port}/1")).id
        thread = threading.Thread(target=run_answers, args=(asking, grounds, list, lambda _: None, pulse))
        asking.present([PROBE])
        thread.start()
        threading.Thread(target=stop, daemon=True).start()
        began_s = time.monotonic()
        try:
            with pytest.raises(NoAnswerError, match="is stopping"):
                asked(asking, hanging)
        finally:
            pulse.stop()
        assert time.monotonic() - began_s < (5 if PROOF else 20)
        thread.join(60)
        assert not thread.is_alive()


def test_a_question_that_makes_no_sense_gets_no_answer_and_harms_nothing(answering: Asking) -> None:
    with pytest.raises(NoAnswerError):
        answering.ask(PROBE, b"\xff", 0.3)
    assert answering.ask(still_of("c1"), b"", 20)


@pytest.mark.parametrize("error", [BusError("Redis is away"), RuntimeError("a library failed")])
def test_whatever_keeps_questions_away_for_a_while_later_ones_are_answered(
    bus: Bus, sites: Sites, clip: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr("ingest.answers.RETRY_S", 0.02)
    pulse, asking, failures = Pulse(), Asking(bus), iter(range(2 * MOST_PROBES))

    class Failing(Asking):
        """More often than there may be checks at once."""

        def next_request(self, kinds: Sequence[str], block_ms: int) -> Request | None:
            if next(failures, None) is not None:
                raise error
            return super().next_request(kinds, block_ms)

    grounds = Grounds(sites, clip.parent, "private")
    thread = threading.Thread(target=run_answers, args=(Failing(bus), grounds, list, lambda _: None, pulse))
    # Whoever asks before the thread runs is told that nobody answers.
    asking.present([PROBE])
    with capture_logs() as logs:
        thread.start()
        try:
            assert "there is no camera" in (asked(asking, "c9").detail or "")
        finally:
            pulse.stop()
            thread.join()
    assert [line["event"] for line in logs].count("no questions are taken") == 2 * MOST_PROBES


def test_a_process_with_thousands_of_open_files_checks_cameras_too(clip: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    held: list[int] = []
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(2048, hard), hard))
    try:
        while not held or held[-1] <= 1024:
            held.append(os.dup(0))
        assert probe(ProbeRequest(f"file:{clip.name}", media_root=str(clip.parent), still=False), CHECK_S).ok
    finally:
        for number in held:
            os.close(number)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
