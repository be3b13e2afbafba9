"""What every answer to a browser carries, and whether a request names this machine; also for pages that are not the API's."""

import ipaddress
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

ALWAYS: Final[Mapping[str, str]] = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
NO_DEVICES: Final[Mapping[str, str]] = {"Permissions-Policy": "camera=(), microphone=(), geolocation=()"}
OWN_WEBCAM: Final[Mapping[str, str]] = {"Permissions-Policy": "camera=(self), microphone=(), geolocation=()"}
"""Of the console alone: photos are tried with the webcam of whoever looks at it, who is asked by the browser."""

NOT_KEPT: Final[Mapping[str, str]] = {"Cache-Control": "no-store"}


def named_host(host: str) -> str:
    """The name or IP address in a `Host` header, without port and final dot; empty where there is none.

    >>> named_host("LocalHost.:8000"), named_host("[::1]:8000")
    ('localhost', '::1')
    """
    try:
        return (urlsplit(f"//{host}").hostname or "").rstrip(".").lower()
    except ValueError:
        return ""


def is_loopback(name: str) -> bool:
    """Whether a name or IP address is this machine's loopback.

    >>> is_loopback("127.0.0.1"), is_loopback("evil.example")
    (True, False)
    """
    try:
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def peer_of(scope: Mapping[str, Any]) -> str | None:
    """The IP address of whoever is at the other end of a connection; None where there is none.

    >>> peer_of({"client": ("::ffff:127.0.0.1", 1)})
    '127.0.0.1'
    """
    return _plain(scope.get("client"))


def own_address_of(scope: Mapping[str, Any]) -> str | None:
    """Ours, that a connection came in at; None where there is none."""
    return _plain(scope.get("server"))


def _plain(end: tuple[str, int | None] | None) -> str | None:
    if end is None:
        return None
    # A socket for both versions says IPv4 addresses as IPv6 ones.
    return end[0].removeprefix("::ffff:")[:64]
