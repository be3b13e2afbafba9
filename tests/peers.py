"""Cameras for tests: GStreamer's server, TLS in front of any, and a clip that no decent camera would send."""

import asyncio
import datetime as dt
import functools
import ipaddress
import json
import select
import ssl
import subprocess
from collections.abc import Callable
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self
from urllib.parse import quote

import av
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from infra.rtsp.loop_thread import LoopThread

Serve = Callable[..., str]
"""Serve a clip, `user` and `password` being optional: gives the address with both in it."""

SCRIPT: Final = Path(__file__).with_name("gst_peer.py")
ANSWER_S: Final = 15.0
PYTHONS: Final = ("/usr/bin/python3", "/usr/local/bin/python3")
"""Bindings of the system's GStreamer are installed for the system's Python alone."""

TO_INSTALL: Final = (
    "gir1.2-gst-rtsp-server-1.0 python3-gi gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad"
)


@functools.cache
def gstreamers_python() -> str | None:
    """A Python that can run GStreamer's RTSP server; None where there is none."""
    for python in PYTHONS:
        with suppress(OSError, subprocess.SubprocessError):
            subprocess.run([python, str(SCRIPT), "--check"], capture_output=True, timeout=30, check=True)
            return python
    return None


class GstPeer:
    """GStreamer's RTSP server in a process of its own, with one clip, over TCP and UDP."""

    def __init__(self, clip: Path, *, user: str | None = None, password: str | None = None) -> None:
        python = gstreamers_python()
        assert python is not None
        login = [] if user is None else ["--user", user, "--password-stdin"]
        self._process = subprocess.Popen(
            [python, str(SCRIPT), str(clip), *login], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        try:
            _pipe(self._process.stdin).write(b"" if password is None else f"{password}\n".encode())
            _pipe(self._process.stdin).flush()
            out = _pipe(self._process.stdout)
            assert select.select([out], [], [], ANSWER_S)[0], "GStreamer's server does not start"
            url = str(json.loads(out.readline())["url"])
        except BaseException:
            self.close()
            raise
        self.url = (
            url if user is None else url.replace("://", f"://{quote(user, safe='')}:{quote(password or '', safe='')}@")
        )

    @property
    def pid(self) -> int:
        """Its process, which may be stopped and continued by signals, or killed, in the middle of it."""
        return self._process.pid

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(OSError):
                _pipe(pipe).close()


class TlsRelay:
    """TLS in front of a port of this machine, with a certificate that nobody vouches for."""

    def __init__(self, port: int, folder: Path) -> None:
        """Begin to listen.

        Args:
            port: of 127.0.0.1; to which everything is relayed.
            folder: for the certificate and its key.
        """
        self._target = port
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(self_signed(folder))
        self._tasks = set[asyncio.Task[None]]()
        self._thread = LoopThread("tls-relay")
        self._server = self._thread.call(self._listen())
        self.port = int(self._server.sockets[0].getsockname()[1])

    def url(self, plain: str) -> str:
        """The address here of what is at an rtsp or http address there."""
        return (
            plain.replace("rtsp://", "rtsps://")
            .replace("http://", "https://")
            .replace(f":{self._target}", f":{self.port}")
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.call(self._close())
        self._thread.stop()

    async def _listen(self) -> asyncio.Server:
        return await asyncio.start_server(self._relay, "127.0.0.1", 0, ssl=self._context)

    async def _close(self) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=1)
        await asyncio.sleep(0)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        with suppress(OSError, asyncio.CancelledError):
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
            ways = [
                asyncio.ensure_future(_pumped(reader, far_writer)),
                asyncio.ensure_future(_pumped(far_reader, writer)),
            ]
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                far_writer.transport.abort()
                await asyncio.wait(ways)
        writer.transport.abort()


def self_signed(folder: Path) -> Path:
    """A certificate for this machine and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder(subject_name=name, issuer_name=name, public_key=key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName(
                [x509.DNSName("localhost"), x509.IPAddress(ipaddress.IPv4Address("127.0.0.1"))]
            ),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    path = folder / "camera.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return path


def huge_clip(path: Path) -> Path:
    """A black picture of 8000 x 8000 pixels, in some 100 KB; takes two seconds."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", 25, options={"preset": "ultrafast"})
        stream.width = stream.height = 8000
        stream.pix_fmt = "yuv420p"
        picture = av.VideoFrame(8000, 8000, "yuv420p")
        for plane in picture.planes:
            plane.update(bytes(plane.buffer_size))
        picture.pts, picture.time_base = 0, Fraction(1, 25)
        container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return path


async def _pumped(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await source.read(65_536):
            sink.write(data)
            await sink.drain()


def _pipe(made: IO[bytes] | None) -> IO[bytes]:
    assert made is not None
    return made
