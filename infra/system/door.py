"""The address where the API listens. The socket is the supervisor's: while the API is started again, callers wait."""

import socket

from infra.listening import elsewhere_url, ip_address, listen, url_of


class Door:
    """A listening socket."""

    def __init__(self, host: str, port: int) -> None:
        """Open it.

        Args:
            host: an IP address of this machine, `0.0.0.0` or `::` for all of them, or `localhost`.
            port: 0 takes any that is free.

        Raises:
            UsageError: the host is none of these.
            ConflictError: the port is in use.
            StorageError: it can't be opened for another reason.
        """
        self._socket = listen(host, port)
        self._name = "localhost" if host == "localhost" else ""
        self.open = not ip_address(host).is_loopback
        """Whether it can be reached from other machines."""

    @property
    def url(self) -> str:
        """The address for a browser on this machine."""
        return f"http://{self._name}:{self._socket.getsockname()[1]}" if self._name else url_of(self._socket)

    @property
    def elsewhere(self) -> str:
        """The address for a browser on another machine."""
        return elsewhere_url(self._socket) if self.open else self.url

    @property
    def listening(self) -> socket.socket:
        """The socket, already listening."""
        return self._socket

    def close(self) -> None:
        """Close it."""
        self._socket.close()
