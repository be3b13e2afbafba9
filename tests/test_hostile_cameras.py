"""Cameras that lie, hang, flood and lead elsewhere: bounded time, bounded memory, a reason, and no other network."""

import base64
import hashlib
import http.server
import io
import os
import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from urllib.parse import quote

import av
import pytest
from PIL import Image

from infra.rtsp.server import RtspServer
from ingest.glance import Glance
from ingest.source import SourceError
from ingest.stream import READ_S, Stream
from storage.networks import Networks
from storage.probing import ProbeRequest
from storage.pulse import Pulse
from storage.status import StateReason
from tests.test_sources import answering, clip, failing, first, http_server, moving, unhurried  # noqa: F401

pytestmark = pytest.mark.usefixtures("unhurried")

Clip = Callable[..., Path]
USER, PASSWORD = "gu@rd/?#%& +ü", 'p@:/?#%& +ü:x"\\'
LOGIN = f"{quote(USER, safe='')}:{quote(PASSWORD, safe='')}"
LOOPBACK = Networks.parse("127.0.0.1")
PROOF = bool(os.environ.get("MASKWATCH_PROOF"))


@contextmanager
def at_most(mib: float) -> Iterator[None]:
    """The process takes no more memory than so much on top, at any moment within."""

    def status(name: str) -> float:
        found = re.search(rf"{name}:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="utf-8"))
        return int(found[1]) / 1024 if found else 0.0

    # Forgets the peak so far (man 5 proc).
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")
    before_mib = status("VmRSS")
    yield
    assert status("VmHWM") - before_mib < mib


@pytest.fixture
def strict(unhurried: None, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    """A camera that sends nothing is given up when it usually is."""
    monkeypatch.setattr("ingest.stream.READ_S", READ_S)


@pytest.fixture
def hasty(strict: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Connecting has less time than usual, so that the tests have more."""
    monkeypatch.setattr("ingest.stream.OPEN_S", 1.0)


@contextmanager
def peer(serve: Callable[[socket.socket], None]) -> Iterator[str]:
    """A TCP server that does as it likes; gives host and port."""

    def loop() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=one, args=(connection,), daemon=True).start()

    def one(connection: socket.socket) -> None:
        with connection:
            try:
                serve(connection)
            except OSError:
                return

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=loop, daemon=True)
        thread.start()
        try:
            yield f"127.0.0.1:{listener.getsockname()[1]}"
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(5)


# --- RTSP ---


def test_special_characters_in_user_and_password_work_over_rtsp(clip: Clip) -> None:  # noqa: F811
    with RtspServer({"door": clip(1)}, user=USER, password=PASSWORD) as server:
        assert LOGIN in server.url("door")
        assert first(Stream(server.url("door"), 5), 1)


@pytest.mark.parametrize("answered", [0, 1, 3])
def test_a_camera_that_stalls_in_the_handshake_is_given_up(hasty: None, clip: Clip, answered: int) -> None:  # noqa: F811
    with RtspServer({"door": clip(1)}) as server:
        server.hang_handshake(True, after=answered)
        began_s = time.monotonic()
        assert failing(Stream(server.url("door"), 5)).reason is StateReason.TIMEOUT
        assert time.monotonic() - began_s < (2.5 if PROOF else 10)


@pytest.mark.parametrize("networks", ["private", "any"])
def test_a_header_without_an_end_takes_neither_time_nor_memory(hasty: None, clip: Clip, networks: str) -> None:  # noqa: F811
    with RtspServer({"door": clip(1)}) as server:
        server.shout(True)
        began_s = time.monotonic()
        with at_most(50):
            error = failing(Stream(server.url("door"), 5, networks=Networks.parse(networks)))
        assert time.monotonic() - began_s < (4 if PROOF else 16)
    assert error.reason in {StateReason.UNSUPPORTED_CODEC, StateReason.TIMEOUT}


def test_a_camera_that_stalls_is_reported_within_5_s(strict: None, clip: Clip) -> None:  # noqa: F811
    with RtspServer({"door": clip(1)}) as server:
        frames = Stream(server.url("door"), 5).frames(Pulse())
        next(frames)
        server.stall("door")
        began_s = time.monotonic()
        with pytest.raises(SourceError) as caught:
            list(frames)
        assert time.monotonic() - began_s < (5 if PROOF else 20)
    assert caught.value.reason is StateReason.TIMEOUT


def test_damaged_packets_do_not_end_a_stream(clip: Clip) -> None:  # noqa: F811
    with RtspServer({"door": clip(2)}) as server:
        server.corrupt("door", 0.3, drop=0.1)
        frames = first(Stream(server.url("door"), 5), 25)
        server.resume("door")
    # A damaged header may claim any size: none but the stream's own counts.
    assert len({frame.luma().shape for frame in frames}) == 1


def test_a_change_of_resolution_is_followed(clip: Clip, tmp_path: Path) -> None:  # noqa: F811
    large = tmp_path / "large.mp4"
    encode(large, (192, 256), 50)
    with RtspServer({"door": clip(2)}) as server:
        source, pulse, shapes = Stream(server.url("door"), 5), Pulse(), list[tuple[int, ...]]()
        for frame in source.frames(pulse):
            if not shapes:
                server.switch("door", large)
            if frame.luma().shape not in shapes:
                shapes.append(frame.luma().shape)
            if len(shapes) == 2 or frame.index > 200:
                pulse.stop()
    assert shapes == [(96, 128), (192, 256)]


def test_a_camera_without_keyframes_is_in_trouble_and_then_given_up(
    clip: Clip,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ingest.decoding.PATIENCE_S", 0.5)
    monkeypatch.setattr("ingest.decoding.NO_PICTURE_S", 1.5)
    with RtspServer({"door": clip(1)}) as server:
        server.no_keyframes("door")
        source = Stream(server.url("door"), 5)
        assert failing(source).reason is StateReason.NO_KEYFRAMES
        assert source.trouble is StateReason.NO_KEYFRAMES


def redirecting(*places: str) -> Callable[[socket.socket], None]:
    """An RTSP server that sends everybody elsewhere."""
    turns = iter(places)

    def serve(connection: socket.socket) -> None:
        request = connection.recv(4096).decode()
        sequence = re.search(r"CSeq: (\d+)", request)
        place = next(turns, places[-1])
        connection.sendall(
            f"RTSP/1.0 302 Found\r\nCSeq: {sequence[1] if sequence else 1}\r\nLocation: {place}\r\n\r\n".encode()
        )

    return serve


def test_an_rtsp_redirection_is_followed_where_it_may_lead(clip: Clip) -> None:  # noqa: F811
    with RtspServer({"door": clip(1)}) as server, peer(redirecting(server.url("door"))) as place:
        assert first(Stream(f"rtsp://{place}/old", 5, networks=LOOPBACK), 1)


@pytest.mark.parametrize(
    ("there", "reason"),
    [
        ("rtsp://127.0.0.2/x", StateReason.NOT_ALLOWED),
        ("rtsp://169.254.169.254/x", StateReason.NOT_ALLOWED),
        ("http://127.0.0.1/x", StateReason.REFUSED),
        ("rtsp://[::1/x", StateReason.REFUSED),
    ],
)
def test_an_rtsp_redirection_leads_into_no_other_network(there: str, reason: StateReason) -> None:
    with peer(redirecting(there)) as place:
        assert failing(Stream(f"rtsp://u:secret@{place}/old", 5, networks=LOOPBACK)).reason is reason


def test_redirections_without_an_end_are_given_up() -> None:
    with peer(redirecting("/again")) as place:
        assert failing(Stream(f"rtsp://{place}/old", 5, networks=LOOPBACK)).reason is StateReason.REFUSED


@pytest.mark.parametrize("scheme", ["rtsp", "rtsps", "http", "https"])
def test_a_camera_outside_the_networks_is_not_even_connected_to(scheme: str) -> None:
    knocked = threading.Event()

    def serve(_: socket.socket) -> None:
        knocked.set()

    with peer(serve) as place:
        error = failing(Stream(f"{scheme}://u:secret@{place}/1", 5, networks=Networks.parse("10.0.0.0/8")))
    assert error.reason is StateReason.NOT_ALLOWED
    assert "MASKWATCH_CAMERA_NETWORKS" in str(error)
    assert not knocked.is_set()


def test_a_name_is_connected_to_where_it_was_checked(clip: Clip, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    # A name server may answer differently the second time: there is no second time.
    with RtspServer({"door": clip(1)}) as server:
        port = server.port
        monkeypatch.setattr(
            socket,
            "getaddrinfo",
            lambda host, *_, **__: [(2, 1, 6, "", (host if host[0].isdigit() else "127.0.0.1", port))],
        )
        assert first(Stream(f"rtsp://camera.example:{port}/door", 5, networks=LOOPBACK), 1)


def test_an_rtsp_password_follows_no_redirection_to_another_port_of_its_host() -> None:
    heard: list[bytes] = []

    def listen(connection: socket.socket) -> None:
        while data := connection.recv(4096):
            heard.append(data)
            sequence = re.search(rb"CSeq: (\d+)", data)
            connection.sendall(
                b'RTSP/1.0 401 Unauthorized\r\nCSeq: %b\r\nWWW-Authenticate: Basic realm="x"\r\n\r\n'
                % (sequence[1] if sequence else b"1")
            )

    with peer(listen) as there, peer(redirecting(f"rtsp://{there}/x")) as place:
        error = failing(Stream(f"rtsp://guard:secret@{place}/old", 5, networks=LOOPBACK))
    assert error.reason is StateReason.WRONG_PASSWORD
    assert heard
    assert not any(b"Authorization:" in data for data in heard)


@pytest.mark.parametrize("networks", ["private", "any"])
def test_what_does_not_speak_rtsp_is_said_to_be_something_else(networks: str) -> None:
    with http_server(answering(200, b"Welcome")) as url:
        error = failing(Stream(url.replace("http:", "rtsp:") + "/1", 5, networks=Networks.parse(networks)))
    assert error.reason is StateReason.REFUSED
    assert "does not speak RTSP: check the port" in str(error)


def without_transport(connection: socket.socket) -> None:
    """An RTSP camera that sends only otherwise than it is asked to."""
    while data := connection.recv(4096):
        sequence = re.search(rb"CSeq: (\d+)", data)
        describing = data.startswith(b"DESCRIBE")
        status = b"461 Unsupported Transport" if data.startswith(b"SETUP") else b"200 OK"
        body = b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
        head = b"RTSP/1.0 %b\r\nCSeq: %b\r\nPublic: DESCRIBE, SETUP, PLAY\r\n" % (
            status,
            sequence[1] if sequence else b"1",
        )
        told = b"Content-Type: application/sdp\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
        connection.sendall(head + (told if describing else b"\r\n"))


def test_a_camera_that_refuses_the_transport_leads_to_the_other_one() -> None:
    with peer(without_transport) as place:
        for transport, other in (("udp", "tcp"), ("tcp", "udp")):
            error = failing(Stream(f"rtsp://guard:secret@{place}/1", 5, transport=transport))  # type: ignore[arg-type]
            assert "secret" not in repr((error, error.__context__))
            assert error.reason is StateReason.REFUSED
            assert f"try --transport {other}" in str(error)


def test_schemes_may_be_written_in_capitals(clip: Clip) -> None:  # noqa: F811
    with RtspServer({"door": clip(1)}) as server:
        assert first(Stream(server.url("door").replace("rtsp:", "RTSP:"), 5), 1)
    with http_server(answering(200, clip(1, name="clip.ts").read_bytes())) as url:
        assert first(Stream(url.replace("http:", "HTTP:") + "/clip.ts", 5), 1)


# --- HTTP ---


def test_a_web_page_is_said_to_be_one() -> None:
    with http_server(answering(200, b"<html>Log in</html>" * 50, "text/html; charset=utf-8")) as url:
        error = failing(Stream(f"{url}/live", 5))
    assert error.reason is StateReason.UNSUPPORTED_CODEC
    assert "a web page" in str(error)
    assert "check the path" in str(error)


def guarded(
    data: bytes, check: Callable[[str, http.server.BaseHTTPRequestHandler], bool], challenge: str
) -> Callable[[http.server.BaseHTTPRequestHandler], None]:
    def answer(request: http.server.BaseHTTPRequestHandler) -> None:
        if check(request.headers.get("Authorization", ""), request):
            answering(200, data)(request)
            return
        request.send_response(401)
        request.send_header("WWW-Authenticate", challenge)
        request.end_headers()

    return answer


def basic(given: str, _: object) -> bool:
    return given == "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()


def digest(given: str, request: http.server.BaseHTTPRequestHandler) -> bool:
    """RFC 7616, 3.4.1, with SHA-256 and `auth`."""
    fields = {
        name: quoted or plain for name, quoted, plain in re.findall(r'(\w+)=(?:"((?:[^"\\]|\\.)*)"|([^, ]+))', given)
    }
    if not given.startswith("Digest ") or fields.get("uri") != request.path:
        return False

    def hashed(text: str) -> str:
        return hashlib.sha256(text.encode()).hexdigest()

    middle = ":".join(fields[name] for name in ("nonce", "nc", "cnonce", "qop"))
    secret = hashed(f"{USER}:camera:{PASSWORD}")
    return str(fields["response"]) == hashed(f"{secret}:{middle}:{hashed(f'GET:{request.path}')}")


@pytest.mark.parametrize(
    ("check", "challenge"),
    [
        (basic, 'Basic realm="camera", charset="UTF-8"'),
        (digest, 'Basic realm="x", Digest realm="camera", nonce="n1", qop="auth", algorithm=SHA-256, opaque="o"'),
    ],
)
def test_special_characters_in_user_and_password_work_over_http(
    clip: Clip,  # noqa: F811
    check: Callable[[str, http.server.BaseHTTPRequestHandler], bool],
    challenge: str,
) -> None:
    with http_server(guarded(clip(1, name="clip.ts").read_bytes(), check, challenge)) as url:
        right = url.replace("//", f"//{LOGIN}@")
        assert first(Stream(f"{right}/clip.ts?channel=1", 5), 1)
        for wrong in (url, url.replace("//", "//guard:secret@")):
            assert failing(Stream(f"{wrong}/clip.ts", 5)).reason is StateReason.WRONG_PASSWORD


def sent_to(*places: str) -> Callable[[http.server.BaseHTTPRequestHandler], None]:
    turns = iter(places)

    def answer(request: http.server.BaseHTTPRequestHandler) -> None:
        request.send_response(302)
        request.send_header("Location", next(turns, places[-1]))
        request.end_headers()

    return answer


@pytest.mark.parametrize(
    ("there", "reason"),
    [
        ("http://169.254.169.254/latest/meta-data/", StateReason.NOT_ALLOWED),
        ("http://127.0.0.2/x", StateReason.NOT_ALLOWED),
        ("file:///etc/passwd", StateReason.UNSUPPORTED_CODEC),
        ("/again", StateReason.REFUSED),
    ],
)
def test_http_redirections_lead_into_no_other_network(there: str, reason: StateReason) -> None:
    with http_server(sent_to(there)) as url:
        assert failing(Stream(f"{url}/live", 5, networks=LOOPBACK)).reason is reason


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_a_password_follows_no_redirection_to_another_host_or_port(clip: Clip, host: str) -> None:  # noqa: F811
    given: list[str | None] = []
    data = clip(1, name="clip.ts").read_bytes()

    def elsewhere(request: http.server.BaseHTTPRequestHandler) -> None:
        given.append(request.headers.get("Authorization"))
        answering(200, data)(request)

    with http_server(elsewhere) as there:
        moved = there.replace("127.0.0.1", host) + "/clip.ts"

        def answer(request: http.server.BaseHTTPRequestHandler) -> None:
            known = "Authorization" in request.headers
            (sent_to(moved) if known else guarded(b"", basic, "Basic"))(request)

        with http_server(answer) as url:
            assert first(Stream(url.replace("//", "//guard:secret@") + "/x", 5), 1)
    assert given == [None]


def test_live_pieces_are_played_from_a_play_list_and_from_no_other_network(clip: Clip) -> None:  # noqa: F811
    piece = clip(1, name="piece.ts").read_bytes()
    other = "piece.ts"

    def answer(request: http.server.BaseHTTPRequestHandler) -> None:
        if request.path == "/piece.ts":
            answering(200, piece)(request)
            return
        text = f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\npiece.ts\n#EXTINF:1,\n{other}\n#EXT-X-ENDLIST\n"
        answering(200, text.encode(), "application/vnd.apple.mpegurl")(request)

    with http_server(answer) as url:
        assert len(first(Stream(f"{url}/live", 5, networks=LOOPBACK), 30)) == 30
        other = "http://169.254.169.254/piece.ts"
        assert failing(Stream(f"{url}/live", 5, networks=LOOPBACK)).reason is StateReason.NOT_ALLOWED


CONCAT = "ffconcat version 1.0\nfile {url}\n"
SESSION = "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 26\n"
SUBTITLES = "# VobSub index file, v7\nid: en, index: 0\ntimestamp: 00:00:01:000, filepos: 000000000\n"
MANIFEST = "<?xml version='1.0'?><MPD><Period><AdaptationSet><Representation><BaseURL>{url}</BaseURL>"


@pytest.mark.parametrize("text", [CONCAT, SESSION, SUBTITLES, MANIFEST])
@pytest.mark.parametrize("name", ["live", "live.ffconcat", "live.sdp", "live.idx", "live.mpd"])
def test_no_list_of_files_gets_ffmpeg_to_open_any_by_itself(clip: Clip, text: str, name: str) -> None:  # noqa: F811
    piece, asked = clip(1, name="piece.ts").read_bytes(), list[str]()

    def answer(request: http.server.BaseHTTPRequestHandler) -> None:
        asked.append(request.path)
        body = piece if request.path == "/piece.ts" else text.format(url=f"{there}/piece.ts").encode()
        answering(200, body, "application/octet-stream")(request)

    with http_server(answer) as there:
        assert failing(Stream(f"{there}/{name}", 5, networks=LOOPBACK)).reason is StateReason.UNSUPPORTED_CODEC
    assert asked == [f"/{name}"]


def test_a_film_whose_index_is_at_its_end_is_read_in_parts(clip: Clip) -> None:  # noqa: F811
    data = clip(1).read_bytes()

    def answer(request: http.server.BaseHTTPRequestHandler) -> None:
        asked = re.fullmatch(r"bytes=(\d+)-", request.headers.get("Range", ""))
        start = int(asked[1]) if asked else 0
        request.send_response(206 if asked else 200)
        request.send_header("Accept-Ranges", "bytes")
        request.send_header("Content-Length", str(len(data) - start))
        request.end_headers()
        request.wfile.write(data[start:])

    with http_server(answer) as url:
        assert len(first(Stream(f"{url}/clip.mp4", 5), 20)) == 20


def trickling(connection: socket.socket) -> None:
    connection.recv(4096)
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    while True:
        connection.sendall(b"X-A: b\r\n" if threading.active_count() else b"")
        time.sleep(0.05)


def flooding(connection: socket.socket) -> None:
    connection.recv(4096)
    connection.sendall(b"HTTP/1.1 200 OK\r\nX-A: ")
    while True:
        connection.sendall(b"a" * (1 << 16))


def continuing(connection: socket.socket) -> None:
    connection.recv(4096)
    while True:
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n" * 1000)


def endless_play_list(connection: socket.socket) -> None:
    connection.recv(4096)
    connection.sendall(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/x-mpegurl\r\n\r\n#EXTM3U\n#EXT-X-TARGETDURATION:1\n"
    )
    while True:
        connection.sendall(b"#EXTINF:1,\npiece.ts\n" * 5000)


def endless_picture(connection: socket.socket) -> None:
    connection.recv(4096)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace;boundary=b\r\n\r\n")
    connection.sendall(b"--b\r\nContent-Type: image/jpeg\r\nContent-Length: 2000000000\r\n\r\n")
    while True:
        connection.sendall(b"\xff" * (1 << 16))


@pytest.mark.parametrize("serve", [trickling, flooding, continuing, endless_play_list, endless_picture])
def test_whatever_an_http_camera_sends_takes_bounded_time_and_memory(
    hasty: None, serve: Callable[[socket.socket], None]
) -> None:
    with peer(serve) as place, at_most(250):
        error = failing(Stream(f"http://{place}/live", 5))
    assert error.reason in {StateReason.TIMEOUT, StateReason.UNSUPPORTED_CODEC, StateReason.REFUSED}


# --- pictures ---


def encode(path: Path, size: tuple[int, int], count: int, **options: str) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", 25)
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = size[1], size[0], "yuv420p", 10
        stream.options = {"bf": "0", "preset": "ultrafast", **options}
        for index in range(count):
            frame = av.VideoFrame(size[1], size[0], "yuv420p")
            for plane in frame.planes:
                plane.update(bytes([40 + index % 100]) * plane.buffer_size)
            frame.pts, frame.time_base = index, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


@pytest.fixture(scope="module")
def huge(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """One picture of 8000x8000 pixels as a transport stream."""
    path = tmp_path_factory.mktemp("huge") / "huge.ts"
    encode(path, (8000, 8000), 1, tune="zerolatency", crf="51")
    return path.read_bytes()


def test_a_stream_of_8000x8000_pixels_is_refused_by_its_header(huge: bytes) -> None:
    with http_server(answering(200, huge)) as url, at_most(80):
        error = failing(Stream(f"{url}/huge.ts", 5))
    assert error.reason is StateReason.UNSUPPORTED_CODEC
    assert "8000x8000" in str(error)


def test_a_stream_that_grows_to_8000x8000_pixels_on_its_way_is_ended(tmp_path: Path, huge: bytes) -> None:
    encode(tmp_path / "small.ts", (96, 128), 30)
    data = (tmp_path / "small.ts").read_bytes() + huge * 3
    with http_server(answering(200, data)) as url, at_most(80):
        error = failing(Stream(f"{url}/grows.ts", 5))
    assert error.reason in {StateReason.UNSUPPORTED_CODEC, StateReason.REFUSED}


def test_motion_jpeg_of_8000x8000_pixels_is_refused_by_its_header() -> None:
    made = io.BytesIO()
    Image.new("RGB", (64, 64), (90, 90, 90)).save(made, "jpeg")
    size = struct.pack(">HH", 64, 64)
    at = made.getvalue().index(b"\xff\xc0") + 5
    assert made.getvalue()[at : at + 4] == size
    jpeg = made.getvalue()[:at] + struct.pack(">HH", 8000, 8000) + made.getvalue()[at + 4 :]
    part = b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n%s\r\n" % (len(jpeg), jpeg)

    def parts(request: http.server.BaseHTTPRequestHandler) -> None:
        answering(200, kind="multipart/x-mixed-replace;boundary=frame")(request)
        for _ in range(100):
            request.wfile.write(part)
            time.sleep(0.04)

    with http_server(parts) as url, at_most(80):
        error = failing(Stream(f"{url}/mjpeg", 5))
        found = Glance(f"{url}/mjpeg", ProbeRequest(f"{url}/mjpeg"))
        found.join(time.monotonic() + 8)
    for reason, detail in (
        (error.reason, str(error)),
        (found.found(still=False).reason, found.found(still=False).detail),
    ):
        assert reason is StateReason.UNSUPPORTED_CODEC
        assert "8000x8000 pixels" in (detail or "")
