"""A socket that listens, and what is said where it can't."""

import errno
import ipaddress
import socket
from typing import Final

from storage.errors import ConflictError, StorageError, UsageError

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

BACKLOG: Final = 128


def listen(host: str, port: int) -> socket.socket:
    """Open it.

    Args:
        host: an IP address of this machine, `0.0.0.0` or `::` for all of them, or `localhost`.
        port: 0 takes any that is free.

    Raises:
        UsageError: the host is none of these, or the port is not for everybody.
        ConflictError: the port is in use.
        StorageError: it can't be opened for another reason.
    """
    address = ip_address(host)
    listening = socket.socket(socket.AF_INET6 if address.version == 6 else socket.AF_INET, socket.SOCK_STREAM)
    try:
        # A port whose connections were closed a moment ago is free; one where another program listens is not.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Connections inherit it (tcp(7)). asyncio sets it only where the protocol was named, and without it the second
        # part of an answer waits for the acknowledgement of the first, which callers put off by 40 ms.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
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
            raise UsageError(f"--host {host} is no address of this machine: 0.0.0.0 means all it has") from error
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


def elsewhere_url(listening: socket.socket) -> str:
    """The address for a browser on another machine; where the socket is for this one alone, for this one."""
    host, port = listening.getsockname()[:2]
    address = ipaddress.ip_address(host)
    if address.is_unspecified:
        host = _outward(socket.AF_INET6 if address.version == 6 else socket.AF_INET) or socket.gethostname()
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _outward(family: socket.AddressFamily) -> str:
    """The address of this machine by which others know it; empty where it has none."""
    with socket.socket(family, socket.SOCK_DGRAM) as asking:
        try:
            # Nothing is sent: the kernel only looks up the way to an address of documentation (RFC 5737, RFC 3849).
            asking.connect(("192.0.2.1", 9) if family is socket.AF_INET else ("2001:db8::1", 9))
        except OSError:
            return ""
        return str(asking.getsockname()[0])


def url_of(listening: socket.socket) -> str:
    """The address for a browser on this machine."""
    host, port = listening.getsockname()[:2]
    address = ipaddress.ip_address(host)
    if address.is_unspecified:
        host = "127.0.0.1" if address.version == 4 else "::1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
