"""Whom a password may be told: the scheme, host and port that it was given for."""

from typing import Final
from urllib.parse import SplitResult

PORTS: Final = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443}


def origin(parts: SplitResult) -> tuple[str, str, int | None]:
    """Scheme, host and port of an address.

    >>> from urllib.parse import urlsplit
    >>> origin(urlsplit("RTSP://user:secret@Door/1"))
    ('rtsp', 'door', 554)

    Raises:
        ValueError: a port that can't be one.
    """
    return parts.scheme, parts.hostname or "", parts.port or PORTS.get(parts.scheme)
