"""The address where the API listens. The socket is the supervisor's: while the API is started again, callers wait."""

import errno
import ipaddress
import socket
from typing import Final

from storage.errors import ConflictError, StorageError, UsageError

BACKLOG: Final = 128


class Door:
    """A listening socket on this machine's loopback."""

    def __init__(self, host: str, port: int) -> None:
        """Open it.

        Args:
            host: a loopback address or name.
            port: 0 takes any that is free.

        Raises:
            UsageError: the host is not this machine's loopback.
            ConflictError: the port is in use.
            StorageError: it can't be opened for another reason.
        """
        address = loopback(host)
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_STREAM)
        try:
            # A port whose connections were closed a moment ago is free; one where another program listens is not.
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._socket.bind((address, port))
            self._socket.listen(BACKLOG)
        except OSError as error:
            self._socket.close()
            if error.errno == errno.EADDRINUSE:
                raise ConflictError(
                    f"port {port} on {host} is in use by another program: end that one, or choose another with --port"
                ) from error
            if error.errno == errno.EACCES:
                raise UsageError(f"port {port} is for the system's administrator: choose one above 1023") from error
            raise StorageError(f"cannot listen on {host} port {port}: {error.strerror}") from error
        self._host = f"[{address}]" if family == socket.AF_INET6 else host

    @property
    def url(self) -> str:
        """The address for a browser."""
        return f"http://{self._host}:{self._socket.getsockname()[1]}"

    @property
    def listening(self) -> socket.socket:
        """The socket, already listening."""
        return self._socket

    def close(self) -> None:
        """Close it."""
        self._socket.close()


def loopback(host: str) -> str:
    """The IP address of a host that is this machine's loopback.

    Raises:
        UsageError: it is another one.
    """
    name = host.removeprefix("[").removesuffix("]")
    try:
        address = ipaddress.ip_address("127.0.0.1" if name == "localhost" else name)
    except ValueError:
        address = None
    if address is None or not address.is_loopback:
        raise UsageError(
            f"--host {host}: until there are accounts, Maskwatch listens on this machine alone: 127.0.0.1, ::1 or localhost"
        )
    return str(address)
