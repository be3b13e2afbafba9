"""Where viewers come in: a listening socket, on this machine's loopback unless another address is named."""

import errno
import ipaddress
import socket
from typing import Final

from storage.errors import ConflictError, StorageError, UsageError

BACKLOG: Final = 64
UNSENT_BYTES: Final = 256 * 1024
"""Of each connection in the kernel: a viewer that is slow sees fewer pictures, not older ones."""

SILENT_MS: Final = 15_000
"""A viewer that acknowledges nothing for so long is gone."""


def listen(host: str, port: int) -> socket.socket:
    """Open the socket.

    Args:
        host: an IP address of this machine, `0.0.0.0` or `::` for all of them, or `localhost`.
        port: 0 takes any that is free.

    Raises:
        UsageError: the host is none of these, or the port is not for everybody.
        ConflictError: the port is in use.
        StorageError: it can't be opened for another reason.
    """
    address = _address(host)
    listening = socket.socket(socket.AF_INET6 if address.version == 6 else socket.AF_INET, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, UNSENT_BYTES)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, SILENT_MS)
        listening.bind((str(address), port))
        listening.listen(BACKLOG)
    except OSError as error:
        listening.close()
        if error.errno == errno.EADDRINUSE:
            raise ConflictError(
                f"port {port} on {host} is in use by another program: end that one, or choose another with --port"
            ) from None
        if error.errno == errno.EACCES:
            raise UsageError(f"port {port} is for the system's administrator: choose one above 1023") from None
        if error.errno == errno.EADDRNOTAVAIL:
            raise UsageError(f"--host {host} is no address of this machine: 0.0.0.0 means all it has") from None
        raise StorageError(f"cannot listen on {host} port {port}: {error.strerror}") from error
    return listening


def everybody(host: str) -> bool:
    """Whether others than this machine can come in.

    Raises:
        UsageError: the host is no address.
    """
    return not _address(host).is_loopback


def page_url(listening: socket.socket) -> str:
    """The address for a browser on this machine."""
    host, port = listening.getsockname()[:2]
    address = ipaddress.ip_address(host)
    if address.is_unspecified:
        host = "127.0.0.1" if address.version == 4 else "::1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    name = host.removeprefix("[").removesuffix("]")
    try:
        return ipaddress.ip_address("127.0.0.1" if name == "localhost" else name)
    except ValueError:
        raise UsageError(
            f"--host {host}: give an IP address of this machine, such as 127.0.0.1, or 0.0.0.0 for all it has"
        ) from None
