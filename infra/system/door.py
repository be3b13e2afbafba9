"""The address where the API listens. The socket is the supervisor's: while the API is started again, callers wait."""

import socket

from infra.listening import listen, loopback


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
        self._socket = listen(host, port, loopback_only=True)
        self._host = f"[{address}]" if address.version == 6 else host

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
