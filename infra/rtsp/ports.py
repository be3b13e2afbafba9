"""Ports of the loopback interface."""

import ipaddress
import socket

from storage.errors import SetupError, UsageError


def loopback(host: str) -> str:
    """A loopback address as numbers.

    Raises:
        UsageError: it is another interface's.
    """
    address = "127.0.0.1" if host == "localhost" else host
    try:
        inside = ipaddress.ip_address(address).is_loopback
    except ValueError:
        inside = False
    if not inside:
        raise UsageError(
            f"test cameras are served to this machine alone: {host!r} is no loopback address, use 127.0.0.1"
        )
    return address


def bound(host: str, port: int) -> socket.socket:
    """A TCP socket that has a port; several may have the same one as long as none of the others listens.

    Args:
        host: as `loopback` gives it.
        port: 0 takes a free one.

    Raises:
        SetupError: the port is taken, or is none.
    """
    made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((host, port))
    except (OSError, OverflowError) as error:
        made.close()
        reason = error.strerror if isinstance(error, OSError) else "there is no such port"
        raise SetupError(f"can't serve cameras on {host}:{port} ({reason}): choose another port") from None
    return made
