"""The first word with an RTSP camera: is it there, may it be there, and where does it send us?

FFmpeg looks names up without a time limit and follows redirections anywhere. So the name is looked up here, and the
camera is asked once; what FFmpeg then connects to is an address, not a name. A camera that redirects only whoever gave a
password, or only the second time, is not caught.
"""

import re
import socket
import ssl
import time
from contextlib import closing
from typing import Final
from urllib.parse import SplitResult, urljoin, urlsplit

from ingest.origin import origin
from ingest.tls import wrapped
from storage.networks import NetworkError, Networks, NotAllowedError
from storage.status import StateReason

PORTS: Final = {"rtsp": 554, "rtsps": 322}
MOST_HOPS: Final = 3
"""Redirections that are followed."""

OTHER_PROTOCOL: Final = "does not speak RTSP: check the port"

ANSWER_BYTES: Final = 1 << 16
"""Longest answer; a session description has a few hundred bytes."""

_STATUS: Final = re.compile(rb"RTSP/\d\.\d (\d{3})\b")
_LOCATION: Final = re.compile(rb"^location:[ \t]*([\x21-\x7e]+)[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)


class RefusalError(Exception):
    """The camera is not to be connected to, or does not answer.

    Attributes:
        reason: why.
        what_next: said after "what answers at ..."; None: what is always said for the reason.
    """

    def __init__(self, reason: StateReason, what_next: str | None = None) -> None:
        """Make one."""
        super().__init__(reason.value)
        self.reason, self.what_next = reason, what_next


def checked(url: str, networks: Networks, limit_s: float) -> str:
    """The address to connect to: with the network address for the name, behind all redirections.

    Args:
        url: rtsp or rtsps, with user name and password where they are needed.
        networks: that the camera may be in, and may lead to.
        limit_s: longest wait, all together.

    Raises:
        RefusalError: why not.
    """
    until_s = time.monotonic() + limit_s
    parts = urlsplit(url)
    try:
        for _ in range(MOST_HOPS + 1):
            if parts.scheme not in PORTS or not parts.hostname:
                break
            port = parts.port or PORTS[parts.scheme]
            address = networks.resolved(parts.hostname, port, _left_s(until_s))
            location = None if networks.everywhere else _location(_answer(parts, (address, port), until_s))
            if location is None:
                return _at(parts, address)
            parts = _redirected(parts, location)
    except (TimeoutError, ConnectionError, ssl.SSLError, NetworkError, OSError, ValueError) as error:
        raise RefusalError(_meaning(error)) from None
    raise RefusalError(StateReason.REFUSED)


def complaint(url: str, limit_s: float) -> str | None:
    """What is wrong with what answers at an address, as in `RefusalError.what_next`; None: nothing that it says.

    Args:
        url: rtsp or rtsps, with a network address.
        limit_s: longest wait.
    """
    parts = urlsplit(url)
    try:
        place = parts.hostname or "", parts.port or PORTS[parts.scheme]
        _location(_answer(parts, place, time.monotonic() + limit_s))
    except RefusalError as error:
        return error.what_next
    except (OSError, ValueError):
        pass
    return None


def _meaning(error: Exception) -> StateReason:
    kinds: tuple[tuple[tuple[type[Exception], ...], StateReason], ...] = (
        ((NotAllowedError,), StateReason.NOT_ALLOWED),
        ((TimeoutError,), StateReason.TIMEOUT),
        ((ConnectionError, ssl.SSLError, ValueError), StateReason.REFUSED),
    )
    return next((reason for types, reason in kinds if isinstance(error, types)), StateReason.NO_ROUTE)


def _location(answer: bytes) -> str | None:
    """Where the answer sends us; None: nowhere."""
    status, location = _STATUS.match(answer), _LOCATION.search(answer)
    if status is None:
        raise RefusalError(StateReason.REFUSED, OTHER_PROTOCOL)
    return location[1].decode() if status[1].startswith(b"3") and location is not None else None


def _redirected(parts: SplitResult, location: str) -> SplitResult:
    there = urlsplit(urljoin(parts.geturl(), location))
    # The password goes to no other host, and to nothing else on this one.
    login, at, _ = parts.netloc.rpartition("@")
    if origin(there) == origin(parts) and "@" not in there.netloc:
        there = there._replace(netloc=f"{login}{at}{there.netloc}")
    return there


def _answer(parts: SplitResult, place: tuple[str, int], until_s: float) -> bytes:
    """What the camera says to DESCRIBE, without a password: its status and headers."""
    host = parts.netloc.rpartition("@")[2]
    target = parts._replace(netloc=host, fragment="").geturl()
    request = f"DESCRIBE {target} RTSP/1.0\r\nCSeq: 1\r\nAccept: application/sdp\r\nUser-Agent: Maskwatch\r\n\r\n"
    raw = socket.create_connection(place, _left_s(until_s))
    with closing(raw):
        if parts.scheme == "rtsps":
            raw.settimeout(_left_s(until_s))
            raw = wrapped(raw, parts.hostname or "")
        with closing(raw):
            raw.settimeout(_left_s(until_s))
            raw.sendall(request.encode())
            answer = b""
            while b"\r\n\r\n" not in answer and b"\n\n" not in answer:
                raw.settimeout(_left_s(until_s))
                more = raw.recv(4096)
                if not more and not answer:
                    raise ConnectionResetError
                answer += more
                if not more or len(answer) > ANSWER_BYTES:
                    _location(answer)
                    raise RefusalError(StateReason.UNSUPPORTED_CODEC)
            return answer.partition(b"\r\n\r\n")[0]


def _left_s(until_s: float) -> float:
    left_s = until_s - time.monotonic()
    if left_s <= 0:
        raise TimeoutError
    return left_s


def _at(parts: SplitResult, address: str) -> str:
    """The address with the network address for the name."""
    login, at, _ = parts.netloc.rpartition("@")
    host = f"[{address}]" if ":" in address else address
    port = f":{parts.port}" if parts.port else ""
    return parts._replace(netloc=f"{login}{at}{host}{port}").geturl()
