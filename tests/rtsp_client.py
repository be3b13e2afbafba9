"""What tests of cameras over RTSP share: a clip made on the spot, FFmpeg as a client, and one that speaks by hand."""

import contextlib
import select
import socket
import struct
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Self

import av
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream
from numpy.typing import NDArray

from infra.rtsp.server import RtspServer

FPS = 25
GOP = 10
TICKS = 90_000 // FPS

Pictures = list[NDArray[np.uint8]]


def encoded(
    path: Path,
    frames: int,
    *,
    b_frames: int = 0,
    size: tuple[int, int] = (180, 320),
    noise: bool = False,
    options: Mapping[str, str] | None = None,
) -> Path:
    """A moving square, a keyframe every `GOP` pictures; with `noise`, a stream of many bytes; `options` are the encoder's."""
    random = np.random.default_rng(1)
    usual = {"bf": str(b_frames), "sc_threshold": "0", "preset": "veryfast", "qp": "10" if noise else "28"}
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", FPS, options=usual | dict(options or {}))
        stream.height, stream.width = size
        stream.pix_fmt, stream.gop_size = "yuv420p", GOP
        for number in range(frames):
            picture = random.integers(0, 255, (*size, 3), np.uint8) if noise else np.full((*size, 3), 70, np.uint8)
            picture[40:90, 4 * number % 260 :][:, :50] = (200, 90, 30)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def pictures(container: InputContainer, count: int | None = None) -> Pictures:
    return [frame.to_ndarray().astype(np.uint8) for frame in islice(container.decode(video=0), count)]


def same(left: Pictures, right: Pictures) -> bool:
    return len(left) == len(right) and all(np.array_equal(*pair) for pair in zip(left, right, strict=True))


def opened(url: str) -> InputContainer:
    # FFmpeg would look at the stream for a second before it gives out the first picture.
    return av.open(url, options={"rtsp_transport": "tcp", "analyzeduration": "100000"}, timeout=(30, 20))


def captured_at_ns(packet: "av.Packet[VideoStream]") -> int:
    """Unix time by the camera's clock, as FFmpeg tells it (`AVProducerReferenceTime`, microseconds)."""
    (side,) = [data for data in packet.iter_sidedata() if data.data_type == "prft"]
    return int.from_bytes(bytes(side)[:8], sys.byteorder, signed=True) * 1000


def eventually(condition: Callable[[], bool], limit_s: float = 20.0) -> bool:
    until = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.005)
    return True


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that only waits to be collected does not."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


class Peer:
    """A client that speaks the protocol by hand."""

    def __init__(self, server: RtspServer, *, receive_bytes: int | None = None) -> None:
        self._socket = socket.socket()
        if receive_bytes is not None:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        self._socket.settimeout(20)
        try:
            self._socket.connect(("127.0.0.1", server.port))
        except OSError:
            self._socket.close()
            raise
        self._file = self._socket.makefile("rb")
        self._base = f"rtsp://127.0.0.1:{server.port}"
        self._sent = 0

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def ask(self, method: str, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
        self._sent += 1
        lines = [f"{method} {self._base}/{path} RTSP/1.0", f"CSeq: {self._sent}"]
        self.send("\r\n".join([*lines, *(f"{name}: {value}" for name, value in headers.items()), "", ""]).encode())
        status, answer, body = self.reply()
        assert answer["CSeq"] == str(self._sent)
        return status, answer, body

    def reply(self) -> tuple[int, dict[str, str], bytes]:
        line = self._file.readline().decode()
        assert line.startswith("RTSP/1.0 "), line
        headers = dict[str, str]()
        while text := self._file.readline().decode().strip():
            name, _, value = text.partition(": ")
            headers[name] = value
        return int(line.split()[1]), headers, self._file.read(int(headers.get("Content-Length", 0)))

    def play(self, path: str) -> dict[str, str]:
        """Set up and play; channels 4 and 5."""
        status, headers, _ = self.ask("SETUP", f"{path}/track1", Transport="RTP/AVP/TCP;unicast;interleaved=4-5")
        assert status == 200
        assert headers["Transport"] == "RTP/AVP/TCP;unicast;interleaved=4-5"
        status, headers, _ = self.ask("PLAY", f"{path}/", Session=headers["Session"].partition(";")[0])
        assert status == 200
        return headers

    def packets(self) -> Iterator[tuple[int, bytes]]:
        while head := self._file.read(4):
            assert head[0] == ord("$")
            yield head[1], self._file.read(struct.unpack(">H", head[2:])[0])

    def is_left_in_silence(self, for_s: float) -> bool:
        """Whether nothing comes for a while; what is on its way already may still come, and is passed over."""
        until = time.monotonic() + 20
        while select.select([self._socket], [], [], for_s)[0]:
            if not self._socket.recv(1 << 20) or time.monotonic() > until:
                return False
        self._file.close()
        self._file = self._socket.makefile("rb")
        return True

    def is_disconnected(self) -> bool:
        try:
            while self._socket.recv(65_536):
                pass
        except ConnectionError:
            pass
        return True

    def vanish(self) -> None:
        """Without a word, in the middle of it."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.__exit__()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._socket.close()
