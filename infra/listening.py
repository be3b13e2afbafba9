"""A socket that listens, and what is said where it can't."""

import errno
import ipaddress
import socket
from typing import Final

from storage.errors import ConflictError, StorageError, UsageError

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

BACKLOG: Final = 128


def listen(host: str, port: int, *, loopback_only: bool) -> socket.socket:
    """Open it.

    Args:
        host: an IP address of this machine, `0.0.0.0` or `::` for all of them, or `localhost`.
        port: 0 takes any that is free.
        loopback_only: whether the host has to be this machine's loopback.

    Raises:
        UsageError: the host is none of these, or the port is not for everybody.
        ConflictError: the port is in use.
        StorageError: it can't be opened for another reason.
    """
    address = loopback(host) if loopback_only else ip_address(host)
    listening = socket.socket(socket.AF_INET6 if address.version == 6 else socket.AF_INET, socket.SOCK_STREAM)
    try:
        # A port whose connections were closed a moment ago is free; one where another program listens is not.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((str(address), port))
        listening.listen(BACKLOG)
    except OSError as error:
        listening.close()
        if error.errno == errno.EADDRINUSE:
            raise ConflictError(
                f"port {port} on {host} is in use by another program: end that one, or choose another with --port"
            ) from error
        if error.errno == errno.EACCES:
            raise UsageError(f"port {port} is for the system's administrator: choose one above 1023") from error
        if error.errno == errno.EADDRNOTAVAIL:
            other = "choose 127.0.0.1" if loopback_only else "0.0.0.0 means all it has"
            raise UsageError(f"--host {host} is no address of this machine: {other}") from error
        raise StorageError(f"cannot listen on {host} port {port}: {error.strerror}") from error
    return listening


def ip_address(host: str) -> IPAddress:
    """The IP address that is meant.

    Raises:
        UsageError: the host is no address.
    """
    name = host.removeprefix("[").removesuffix("]")
    try:
        return ipaddress.ip_address("127.0.0.1" if name == "localhost" else name)
    except ValueError:
        raise UsageError(
            f"--host {host}: give an IP address of this machine, such as 127.0.0.1, or 0.0.0.0 for all it has"
        ) from None


def loopback(host: str) -> IPAddress:
    """The IP address of a host that is this machine's loopback.

    Raises:
        UsageError: it is another one.
    """
    try:
        address = ip_address(host)
    except UsageError:
        address = None
    if address is None or not address.is_loopback:
        raise UsageError(
            f"--host {host}: until there are accounts, Maskwatch listens on this machine alone: 127.0.0.1, ::1 or localhost"
        )
    return address


def url_of(listening: socket.socket) -> str:
    """The address for a browser on this machine."""
    host, port = listening.getsockname()[:2]
    address = ipaddress.ip_address(host)
    if address.is_unspecified:
        host = "127.0.0.1" if address.version == 4 else "::1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
