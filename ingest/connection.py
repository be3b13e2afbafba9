"""A connection to a web server in which every step has a time limit."""

import http.client
import io
import socket
import time
from typing import TYPE_CHECKING, Final

from ingest.origin import PORTS
from ingest.tls import wrapped

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

BUDGET_BYTES: Final = 64 << 20
"""A camera that sends more without a picture coming of it sends none; 8K pictures as JPEG have a quarter of that."""


class TooMuchError(Exception):
    """More was sent than is any good."""


class Allowance:
    """What the next steps may take, all together."""

    def __init__(self, silence_s: float) -> None:
        """Nothing, as yet.

        Args:
            silence_s: longest wait for any byte.
        """
        self._silence_s = silence_s
        self._until_s = 0.0
        self._bytes = 0

    def grant(self, limit_s: float) -> None:
        """From now on so long, and `BUDGET_BYTES`."""
        self._until_s = time.monotonic() + limit_s
        self._bytes = BUDGET_BYTES

    def remaining_s(self) -> float:
        """How long the next step may take.

        Raises:
            TimeoutError: nothing is left.
        """
        left_s = self._until_s - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        return min(left_s, self._silence_s)

    def spend(self, count: int) -> None:
        """Count bytes.

        Raises:
            TooMuchError: those were too many.
        """
        self._bytes -= count
        if self._bytes < 0:
            raise TooMuchError


class Connection(http.client.HTTPConnection):
    """A connection to an address that was checked, under a name that was not looked up again."""

    def __init__(self, host: str, port: int, allowance: Allowance, *, tls: bool) -> None:
        """Nothing is connected yet.

        Args:
            host: that is asked for.
            port: to connect to.
            allowance: what it may take.
            tls: whether it is encrypted.
        """
        super().__init__(host, port)
        # What http.client adds to Host itself.
        self.default_port = PORTS["https" if tls else "http"]
        self._allowance, self._tls = allowance, tls
        self._socket: socket.socket | None = None

    def reach(self, address: str) -> None:
        """Connect to this network address, whatever the name means by now.

        Raises:
            OSError: nobody there, or not in time.
        """
        self._socket = socket.create_connection((address, self.port), self._allowance.remaining_s())
        if self._tls:
            self._socket.settimeout(self._allowance.remaining_s())
            self._socket = wrapped(self._socket, self.host)
        self.sock = _Door(self._socket, self._allowance)

    def hang_up(self) -> None:
        """Disconnect; http.client calls `close` as soon as the answer begins."""
        if self._socket is not None:
            self._socket.close()


class _Door:
    """A socket each step of which has what is left of the time."""

    def __init__(self, raw: socket.socket, allowance: Allowance) -> None:
        self._raw, self._allowance = raw, allowance

    def sendall(self, data: bytes) -> None:
        self._raw.settimeout(self._allowance.remaining_s())
        self._raw.sendall(data)

    def makefile(self, _mode: str, *_: object) -> io.BufferedReader:
        return io.BufferedReader(_Reading(self._raw, self._allowance), 1 << 15)

    def close(self) -> None:
        pass


class _Reading(io.RawIOBase):
    def __init__(self, raw: socket.socket, allowance: Allowance) -> None:
        self._raw, self._allowance = raw, allowance

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        self._raw.settimeout(self._allowance.remaining_s())
        return self._raw.recv_into(buffer)
