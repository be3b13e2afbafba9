"""Cameras over TLS, with certificates that they made themselves, as cameras have them."""

import datetime as dt
import selectors
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from infra.rtsp.server import RtspServer
from ingest.stream import Stream
from storage.networks import Networks
from storage.status import StateReason
from tests.test_sources import answering, clip, failing, first, http_server  # noqa: F401


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Certificate and key of a camera, signed by itself and long out of date."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "IPCAM")])
    past = dt.datetime(2015, 1, 1, tzinfo=dt.UTC)
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(past)
        .not_valid_after(past + dt.timedelta(days=365))
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("camera") / "camera.pem"
    plain = serialization.NoEncryption()
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
        + signed.public_bytes(serialization.Encoding.PEM)
    )
    return path


@contextmanager
def behind_tls(port: int, certificate: Path) -> Iterator[int]:
    """A port that speaks TLS and passes on to another one."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def one(raw: socket.socket) -> None:
        with (
            suppress(OSError),
            context.wrap_socket(raw, server_side=True) as outer,
            socket.create_connection(("127.0.0.1", port)) as inner,
            selectors.DefaultSelector() as ready,
        ):
            ready.register(outer, selectors.EVENT_READ, inner)
            ready.register(inner, selectors.EVENT_READ, outer)
            while True:
                for key, _ in ready.select():
                    data = key.fileobj.recv(1 << 16)  # type: ignore[union-attr]
                    if not data:
                        return
                    key.data.sendall(data)

    def loop() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=one, args=(listening.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=loop, daemon=True)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join(5)


@pytest.mark.parametrize("networks", ["private", "any"])
def test_a_camera_is_watched_over_rtsps(
    clip: Callable[..., Path],  # noqa: F811
    certificate: Path,
    networks: str,
) -> None:
    with (
        RtspServer({"door": clip(1)}, user="guard", password="p@ss") as server,  # noqa: S106
        behind_tls(server.port, certificate) as port,
    ):
        url = f"rtsps://guard:p%40ss@127.0.0.1:{port}/door"
        assert first(Stream(url, 5, networks=Networks.parse(networks)), 5)
        assert failing(Stream(url.replace("p%40ss", "secret"), 5)).reason is StateReason.WRONG_PASSWORD


def test_a_camera_is_watched_over_https(clip: Callable[..., Path], certificate: Path) -> None:  # noqa: F811
    with (
        http_server(answering(200, clip(1, name="clip.ts").read_bytes())) as url,
        behind_tls(int(url.rpartition(":")[2]), certificate) as port,
    ):
        assert first(Stream(f"https://127.0.0.1:{port}/clip.ts", 5), 5)


def test_a_camera_without_tls_refuses(clip: Callable[..., Path]) -> None:  # noqa: F811
    with RtspServer({"door": clip(1)}) as server:
        assert failing(Stream(server.url("door").replace("rtsp:", "rtsps:"), 5)).reason in {
            StateReason.REFUSED,
            StateReason.TIMEOUT,
        }
