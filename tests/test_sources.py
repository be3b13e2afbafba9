"""Live sources: a file played at its own pace, cameras in the network, and all the ways they fail."""

import http.server
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from urllib.parse import quote

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from infra.rtsp.server import RtspServer
from infra.rtsp.server import Stream as Served
from ingest.footage import Footage
from ingest.frame import Frame
from ingest.played import LATE_NS, PlayedFile
from ingest.sampling import FrameClock
from ingest.sources import Source, SourceError
from ingest.stream import Stream
from ingest.timing import StreamTiming
from storage.messages import NS_PER_S
from storage.pulse import Pulse
from storage.status import StateReason
from tests.conftest import flat

MS = 1_000_000
PASSWORD = "p@ss/w:rd"  # noqa: S105
PROOF = bool(os.environ.get("MASKWATCH_PROOF"))
FAILS_S = 10.0 if PROOF else 40.0


def moving(count: int, size: tuple[int, int] = (96, 128)) -> list[NDArray[np.uint8]]:
    """A bright square that moves over a grey picture."""
    pictures = []
    for index in range(count):
        picture = flat((90, 90, 90), size)
        x = (4 * index) % (size[1] - 24)
        picture[20:60, x : x + 24] = 220
        pictures.append(picture)
    return pictures


@pytest.fixture
def clip(tmp_path: Path) -> Callable[..., Path]:
    """Write moving pictures at 25 fps with a keyframe every 10."""

    def write(seconds: float, *, name: str = "clip.mp4", bframes: int = 2, gop: int = 10) -> Path:
        path = tmp_path / name
        with av.open(str(path), "w") as container:
            stream = container.add_stream("libx264", 25)
            stream.width, stream.height, stream.pix_fmt, stream.gop_size = 128, 96, "yuv420p", gop
            stream.options = {"bf": str(bframes), "sc_threshold": "0"}
            for index, picture in enumerate(moving(round(25 * seconds))):
                frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
                frame.pts, frame.time_base = index, Fraction(1, 25)
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        return path

    return write


@pytest.fixture
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long this machine stands still, a stream is not given up for it, and nothing of it is left out or moved."""
    monkeypatch.setattr("ingest.stream.OPEN_S", 30.0)
    monkeypatch.setattr("ingest.stream.READ_S", 30.0)
    monkeypatch.setattr("ingest.catching_up.BEHIND_NS", 60 * NS_PER_S)
    monkeypatch.setattr("ingest.timing.LONGEST_DELAY_NS", 60 * NS_PER_S)


@pytest.fixture
def never_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """Likewise every frame of a played file comes in time."""
    monkeypatch.setattr("ingest.played.LATE_NS", 60 * NS_PER_S)


def first(source: Source, count: int) -> list[Frame]:
    """The first frames of a source."""
    pulse, frames = Pulse(), []
    for frame in source.frames(pulse):
        frames.append(frame)
        if len(frames) == count:
            pulse.stop()
    return frames


def failing(source: Source) -> SourceError:
    """How it fails, and within `FAILS_S`."""
    began_s = time.monotonic()
    with pytest.raises(SourceError) as caught:
        for _ in source.frames(Pulse()):
            pass
    assert time.monotonic() - began_s < FAILS_S
    return caught.value


# --- footage entered in the middle ---


@pytest.mark.parametrize("name", ["a.mp4", "b.mkv", "c.ts", "d.avi"])
@pytest.mark.parametrize("start_ms", [40, 700, 1990, 3000])
def test_footage_entered_in_the_middle_gives_the_same_frames_and_samples(
    clip: Callable[..., Path], name: str, start_ms: int
) -> None:
    path = clip(3, name=name, bframes=0 if name.endswith("avi") else 2)
    with Footage(path) as footage:
        whole = {frame.at_ns: (frame.sampled, frame.rgb().tobytes()) for frame in footage.frames(5)}
    with Footage(path) as footage:
        part = {
            frame.at_ns: (frame.sampled, frame.rgb().tobytes()) for frame in footage.frames(5, start_ns=start_ms * MS)
        }
    wanted = {at_ns for at_ns in whole if at_ns >= start_ms * MS} or {max(whole)}
    assert wanted <= set(part) <= set(whole)
    for at_ns in wanted:
        assert part[at_ns][1] == whole[at_ns][1]
        # The very first decoded frame is always a sample; players leave out what is before the start.
        assert part[at_ns][0] == whole[at_ns][0] or at_ns == min(part)


def test_a_place_behind_the_end_leads_to_the_last_frames(clip: Callable[..., Path]) -> None:
    path = clip(2)
    with Footage(path) as footage:
        last = [frame.at_ns for frame in footage.frames(5)][-1]
    with Footage(path) as footage:
        assert [frame.at_ns for frame in footage.frames(5, start_ns=3600 * NS_PER_S)][-1] == last


@given(st.lists(st.integers(0, 10**14), min_size=1, max_size=20, unique=True), st.integers(0, 19))
def test_a_clock_that_is_entered_in_the_middle_goes_on_like_the_whole(stamps: list[int], start: int) -> None:
    stamps = sorted(stamps)
    start = min(start, len(stamps) - 1)
    entered = FrameClock(25, origin_ns=stamps[0])
    assert entered.at(stamps[start]) == stamps[start] - stamps[0]


# --- a file as a camera ---


@pytest.mark.usefixtures("never_late")
def test_a_played_file_comes_at_its_own_pace_with_the_samples_of_the_footage(clip: Callable[..., Path]) -> None:
    path = clip(1)
    with Footage(path) as footage:
        expected = [(frame.at_ns, frame.sampled) for frame in footage.frames(5)]
    since_ns = time.time_ns()
    source, pulse, played = PlayedFile(path, 5, since_ns, since_ns), Pulse(), []
    for frame in source.frames(pulse):
        # Never before its time; a clock that is set between two readings may be off by a little.
        assert time.time_ns() - frame.at_ns > -5 * MS
        played.append((frame.at_ns - since_ns, frame.sampled))
        if len(played) == len(expected):
            pulse.stop()
    assert played == expected
    assert source.late == 0


@pytest.mark.usefixtures("never_late")
def test_after_its_end_the_last_frame_stands_still_on_the_grid(clip: Callable[..., Path]) -> None:
    path = clip(0.5)
    since_ns = time.time_ns()
    frames = [frame for frame in first(PlayedFile(path, 10, since_ns, since_ns), 20) if frame.sampled]
    assert [round((frame.at_ns - since_ns) / MS) for frame in frames] == [
        0, 120, 200, 320, 400, 500, 600, 700, 800, 900, 1000, 1100, 1200
    ][: len(frames)]  # fmt: skip
    assert len(frames) >= 12
    assert np.array_equal(frames[-1].luma(), frames[-2].luma())


@pytest.mark.usefixtures("never_late")
def test_a_file_started_late_goes_on_where_it_would_be_and_repeats_nothing(clip: Callable[..., Path]) -> None:
    path = clip(4)
    begun_ns = time.time_ns()
    since_ns = begun_ns - 2 * NS_PER_S
    source = PlayedFile(path, 5, since_ns, begun_ns)
    frames = first(source, 35)
    assert 1_000 * MS < frames[0].at_ns - since_ns <= 2_000 * MS
    sampled = [frame.at_ns - since_ns for frame in frames if frame.sampled]
    assert sampled[:4] == [2_000 * MS, 2_200 * MS, 2_400 * MS, 2_600 * MS]
    assert source.late == 0


def test_a_file_that_would_be_over_by_now_stands_still_at_once(clip: Callable[..., Path]) -> None:
    path = clip(1)
    with Footage(path) as footage:
        last = [frame.luma().copy() for frame in footage.frames(5)][-1]
    begun_ns = time.time_ns()
    frames = [frame for frame in first(PlayedFile(path, 5, begun_ns - 60 * NS_PER_S, begun_ns), 14) if frame.sampled]
    assert frames
    assert all(frame.at_ns > begun_ns - LATE_NS - 200 * MS for frame in frames)
    assert all(np.array_equal(frame.luma(), last) for frame in frames)


def test_frames_more_than_a_second_late_are_no_samples_and_are_counted(clip: Callable[..., Path]) -> None:
    path = clip(3)
    since_ns = time.time_ns()
    source, pulse, skipped = PlayedFile(path, 5, since_ns, since_ns), Pulse(), 0
    asked_ns = time.time_ns()
    for frame in source.frames(pulse):
        came_ns = time.time_ns()
        # Whether it is late is found out between being asked for it and giving it out.
        if frame.sampled:
            assert asked_ns - frame.at_ns <= LATE_NS + 5 * MS
        elif (frame.at_ns - since_ns) // MS % 200 == 0:
            skipped += 1
            assert came_ns - frame.at_ns > LATE_NS - 5 * MS
        if frame.index == 10:
            # A consumer that hangs for longer than a second.
            Pulse().wait(1.9)
        if frame.at_ns - since_ns > 2_300 * MS:
            pulse.stop()
        asked_ns = time.time_ns()
    assert source.late == skipped > 0


def test_a_stopped_pulse_ends_a_played_file_at_once(clip: Callable[..., Path]) -> None:
    path = clip(1)
    pulse = Pulse()
    frames = PlayedFile(path, 5, (far_ns := time.time_ns() + 3600 * NS_PER_S), far_ns).frames(pulse)
    threading.Timer(0.1, pulse.stop).start()
    began_s = time.monotonic()
    assert list(frames) == []
    assert time.monotonic() - began_s < (2 if PROOF else 20)


def test_a_file_that_is_missing_or_no_footage_says_so(tmp_path: Path) -> None:
    text = tmp_path / "text.mp4"
    text.write_text("This is not a film.\n" * 100)
    now_ns = time.time_ns()
    assert failing(PlayedFile(tmp_path / "no.mp4", 5, now_ns, now_ns)).reason is StateReason.NOT_FOUND
    assert failing(PlayedFile(text, 5, now_ns, now_ns)).reason is StateReason.UNSUPPORTED_CODEC


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("list.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{other}\n#EXT-X-ENDLIST\n"),
        ("list.mp4", "ffconcat version 1.0\nfile other.ts\n"),
        ("list.sdp", "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 26\n"),
        ("picture%d.jpg", ""),
    ],
)
def test_a_file_leads_to_no_other_file_and_into_no_network(
    clip: Callable[..., Path], tmp_path: Path, name: str, text: str
) -> None:
    other = clip(1, name="other.ts")
    for path in (tmp_path / "picture1.jpg", tmp_path / "picture%d.jpg"):
        Image.fromarray(flat(size=(96, 128))).save(path)
    if text:
        (tmp_path / name).write_text(text.format(other=other))
    now_ns = time.time_ns()
    error = failing(PlayedFile(tmp_path / name, 5, now_ns, now_ns))
    assert error.reason is StateReason.UNSUPPORTED_CODEC
    assert "is not a video that can be read" in str(error)


# --- the time of a stream ---


def placed(timing: StreamTiming, frames: Sequence[tuple[int | None, int]]) -> list[int]:
    return [round(timing.next(None if pts is None else pts * MS, arrived * MS).at_ns / MS) for pts, arrived in frames]


def test_frames_that_a_hitch_brought_together_keep_their_distance() -> None:
    frames = [(0, 1000), (40, 1040), (80, 1500), (120, 1501), (160, 1502), (200, 1503), (240, 1504), (520, 1530)]
    assert placed(StreamTiming(5, 25), frames) == [1000, 1040, 1080, 1120, 1160, 1200, 1240, 1520]


def test_capture_is_never_after_arrival() -> None:
    random = np.random.default_rng(0)
    frames = [(40 * k, 40 * k + 100 + int(random.exponential(30))) for k in range(200)]
    times = placed(StreamTiming(5, 25), frames)
    assert all(at <= arrived for at, (_, arrived) in zip(times, frames, strict=True))
    assert times == sorted(times)
    # Once the shortest delay was seen, frames are even.
    steps = np.diff(times[100:])
    assert steps.min() >= 38
    assert steps.max() <= 42


def test_a_stream_that_paused_is_placed_by_arrival_again() -> None:
    frames = [(0, 0), (40, 40), (80, 5_080), (120, 5_120)]
    assert placed(StreamTiming(5, 25), frames) == [0, 40, 5_080, 5_120]


def test_a_camera_s_slow_clock_is_followed() -> None:
    # Its second lasts 1.0005 of ours: after an hour it is almost 2 s behind.
    frames = [(second * 1000, round(second * 1000.5)) for second in range(3600)]
    times = placed(StreamTiming(5, 25), frames)
    assert all(abs(at - arrived) <= 2 for at, (_, arrived) in zip(times, frames, strict=True))


def test_a_stream_without_first_timestamps_or_without_any_is_sampled_by_time() -> None:
    timing = StreamTiming(5, 25)
    taken = [timing.next(None if k < 2 else 40 * k * MS, (40 * k + 7) * MS).sampled for k in range(20)]
    assert [k for k, sampled in enumerate(taken) if sampled] == [0, 5, 10, 15]
    untimed = StreamTiming(5, 25, timed=False)
    taken = [untimed.next(k * 40 * MS, 100 * k * MS).sampled for k in range(10)]
    assert [k for k, sampled in enumerate(taken) if sampled] == [0, 2, 4, 6, 8]


def test_what_http_brings_too_early_is_held_back() -> None:
    timing = StreamTiming(5, 25, paced=True)
    early = [timing.next(40 * k * MS, 1000 * MS + k).early_ns // MS for k in range(4)]
    assert early == [0, 39, 79, 119]


# --- cameras in the network ---


@pytest.mark.usefixtures("unhurried")
def test_an_rtsp_camera_is_sampled_evenly_from_its_first_picture(clip: Callable[..., Path]) -> None:
    with RtspServer({"door": clip(2)}) as server:
        began_s = time.monotonic()
        began_ns = time.time_ns()
        frames = first(Stream(server.url("door"), 5), 40)
        assert time.monotonic() - began_s < (4 if PROOF else 20)
    sampled = [frame.at_ns for frame in frames if frame.sampled]
    assert [frame.index for frame in frames if frame.sampled] == [0, 5, 10, 15, 20, 25, 30, 35]
    assert all(150 * MS <= step <= 250 * MS for step in np.diff(sampled)[1:])
    assert all(began_ns <= at_ns <= time.time_ns() for at_ns in sampled)
    assert frames[0].rgb().shape == (96, 128, 3)


@pytest.mark.usefixtures("unhurried")
def test_a_server_that_goes_away_ends_the_stream_with_a_reason(clip: Callable[..., Path]) -> None:
    with RtspServer({"door": clip(1)}) as server:
        stream = Stream(server.url("door"), 5).frames(Pulse())
        next(stream)
        server.drop_clients("door")
        with pytest.raises(SourceError) as caught:
            list(stream)
    assert caught.value.reason is StateReason.REFUSED


@pytest.mark.usefixtures("unhurried")
def test_a_stream_that_ends_is_a_camera_that_went_away(clip: Callable[..., Path]) -> None:
    with RtspServer({"once": Served(clip(1), loop=False)}) as server:
        assert failing(Stream(server.url("once"), 5)).reason is StateReason.REFUSED


@pytest.mark.usefixtures("unhurried")
def test_what_a_camera_answers_is_said_and_no_password_with_it(clip: Callable[..., Path]) -> None:
    with RtspServer({"door": clip(1)}, user="guard", password=PASSWORD) as server:
        right = server.url("door")
        assert first(Stream(right, 5), 1)
        wrong = right.replace(quote(PASSWORD, safe=""), "secret")
        errors = {
            StateReason.WRONG_PASSWORD: failing(Stream(wrong, 5)),
            StateReason.NOT_FOUND: failing(Stream(server.url("window"), 5)),
        }
    errors[StateReason.REFUSED] = failing(Stream(right, 5))
    errors[StateReason.NO_ROUTE] = failing(Stream("rtsp://guard:secret@no-such-host.invalid/door", 5))
    for reason, error in errors.items():
        assert error.reason is reason
        assert "guard:***@" in str(error)
        for chained in (error, error.__cause__, error.__context__):
            assert not any(word in repr(chained) for word in ("secret", PASSWORD, quote(PASSWORD, safe="")))


@pytest.mark.parametrize("scheme", ["rtsp", "http"])
def test_a_port_that_never_answers_is_given_up(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.stream.OPEN_S", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        assert failing(Stream(f"{scheme}://u:secret@127.0.0.1:{port}/door", 5)).reason is StateReason.TIMEOUT


def test_a_server_that_hangs_up_at_once_refuses() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def hang_up() -> None:
            while True:
                try:
                    listener.accept()[0].close()
                except OSError:
                    return

        threading.Thread(target=hang_up, daemon=True).start()
        port = listener.getsockname()[1]
        assert failing(Stream(f"rtsp://127.0.0.1:{port}/door", 5)).reason is StateReason.REFUSED
        listener.shutdown(socket.SHUT_RDWR)


@contextmanager
def http_server(answer: Callable[[http.server.BaseHTTPRequestHandler], None]) -> Iterator[str]:
    """Serve whatever `answer` writes; gives the address."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        # What PyAV does not read to its end breaks the pipe.
        server.handle_error = lambda *_: None  # type: ignore[method-assign]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def answering(
    status: int, body: bytes = b"", kind: str = "video/mp2t"
) -> Callable[[http.server.BaseHTTPRequestHandler], None]:
    def answer(request: http.server.BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        request.send_header("Content-Type", kind)
        request.end_headers()
        request.wfile.write(body)

    return answer


@pytest.mark.usefixtures("unhurried")
@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (401, StateReason.WRONG_PASSWORD),
        (403, StateReason.WRONG_PASSWORD),
        (404, StateReason.NOT_FOUND),
        (500, StateReason.REFUSED),
        (200, StateReason.UNSUPPORTED_CODEC),
    ],
)
def test_what_an_http_camera_answers_becomes_a_reason(status: int, reason: StateReason) -> None:
    with http_server(answering(status, b"<html>Not a film.</html>" * 50)) as url:
        assert failing(Stream(f"{url}/live.ts", 5)).reason is reason


@pytest.mark.usefixtures("unhurried")
def test_recorded_pieces_over_http_are_played_at_their_own_pace(clip: Callable[..., Path]) -> None:
    with http_server(answering(200, clip(1, name="clip.ts").read_bytes())) as url:
        stream = Stream(f"{url}/clip.ts", 5).frames(Pulse())
        began_s = time.monotonic()
        times = [next(stream).at_ns for _ in range(20)]
        assert time.monotonic() - began_s > 0.7
        assert all(30 * MS < step < 50 * MS for step in np.diff(times))
        with pytest.raises(SourceError) as caught:
            list(stream)
    assert caught.value.reason is StateReason.REFUSED


def test_a_stream_that_stalls_is_given_up(clip: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.stream.READ_S", 1.0)
    hold = threading.Event()
    data = clip(4, name="clip.ts").read_bytes()

    def half(request: http.server.BaseHTTPRequestHandler) -> None:
        answering(200, data[: len(data) // 2])(request)
        hold.wait(20)

    with http_server(half) as url:
        error = failing(Stream(f"{url}/clip.ts", 5))
        hold.set()
    assert error.reason is StateReason.TIMEOUT


@pytest.mark.usefixtures("unhurried")
def test_motion_jpeg_is_sampled_by_arrival() -> None:
    picture = av.VideoFrame.from_ndarray(moving(1)[0], format="rgb24").reformat(format="yuvj420p")
    encoder = av.CodecContext.create("mjpeg", "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt, encoder.time_base = 128, 96, "yuvj420p", Fraction(1, 25)
    jpeg = bytes(encoder.encode(picture)[0])
    part = b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n%s\r\n" % (len(jpeg), jpeg)

    def parts(request: http.server.BaseHTTPRequestHandler) -> None:
        answering(200, kind="multipart/x-mixed-replace;boundary=frame")(request)
        for _ in range(60):
            request.wfile.write(part)
            # Ten a second, whatever FFmpeg makes up.
            time.sleep(0.1)

    with http_server(parts) as url:
        frames = [frame for frame in first(Stream(f"{url}/mjpeg", 5), 20) if frame.sampled]
    steps = np.diff([frame.at_ns for frame in frames]) / MS
    assert 180 < np.median(steps[1:]) < 320


def test_a_play_list_leads_to_no_file_of_this_machine(clip: Callable[..., Path]) -> None:
    secret = clip(1, name="secret.ts")
    playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile://{secret}\n#EXT-X-ENDLIST\n".encode()
    with http_server(answering(200, playlist, "application/vnd.apple.mpegurl")) as url:
        error = failing(Stream(f"{url}/live.m3u8", 5))
    assert error.reason in {StateReason.UNSUPPORTED_CODEC, StateReason.REFUSED}
