"""RTSP over UDP, from a sender that is not ours: FFmpeg's own, with its sender reports."""

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction

import av
import pytest

from ingest.stream import Stream
from storage.status import StateReason
from tests.conftest import flat
from tests.test_sources import failing, first

DESCRIPTION = (
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=door\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\na=control:*\r\nm=video 0 RTP/AVP 96\r\n"
    "a=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1\r\na=control:track1\r\n"
)


class UdpCamera:
    """Shows a grey picture to one client at a time, over UDP alone."""

    def __init__(self) -> None:
        self.over = threading.Event()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"rtsp://127.0.0.1:{self._listening.getsockname()[1]}/door"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self.over.set()
        self._listening.close()

    def _accept(self) -> None:
        while not self.over.is_set():
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        port = 0
        # Clients that were answered 461 may leave before they have read it.
        with suppress(ConnectionError), connection, connection.makefile("rb") as requests:
            while request := b"".join(iter(requests.readline, b"\r\n")).decode():
                sequence = re.search(r"CSeq: (\d+)", request)
                asked = re.search(r"client_port=(\d+)", request)
                status, headers, body = "200 OK", "Session: 1\r\n", ""
                if request.startswith("DESCRIBE"):
                    headers, body = "Content-Type: application/sdp\r\n", DESCRIPTION
                elif request.startswith("SETUP") and asked is None:
                    status = "461 Unsupported Transport"
                elif request.startswith("SETUP") and asked is not None:
                    port = int(asked[1])
                    headers += f"Transport: RTP/AVP;unicast;client_port={port}-{port + 1};server_port=40000-40001\r\n"
                elif request.startswith("PLAY"):
                    threading.Thread(target=self._send, args=(port,), daemon=True).start()
                head = f"RTSP/1.0 {status}\r\nCSeq: {sequence[1] if sequence else 0}\r\n{headers}"
                connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode())

    def _send(self, port: int) -> None:
        picture = av.VideoFrame.from_ndarray(flat(), format="rgb24").reformat(format="yuv420p")
        with av.open(f"rtp://127.0.0.1:{port}", "w", format="rtp") as container:
            stream = container.add_stream("libx264", 25)
            stream.width, stream.height, stream.pix_fmt, stream.gop_size = 128, 96, "yuv420p", 10
            stream.options = {"tune": "zerolatency", "x264-params": "repeat-headers=1"}
            index = 0
            while not self.over.wait(0.04):
                picture.pts, picture.time_base, index = index, Fraction(1, 25), index + 1
                container.mux(stream.encode(picture))


@pytest.fixture
def camera() -> Iterator[UdpCamera]:
    camera = UdpCamera()
    yield camera
    camera.close()


def test_a_camera_is_watched_over_udp_where_that_is_asked_for(camera: UdpCamera) -> None:
    source = Stream(camera.url, 5, transport="udp")
    frames = first(source, 30)
    assert sum(frame.sampled for frame in frames) == 6
    assert source.clock == "rtcp"


def test_a_camera_that_sends_udp_alone_refuses_tcp(camera: UdpCamera) -> None:
    assert failing(Stream(camera.url, 5)).reason is StateReason.REFUSED
