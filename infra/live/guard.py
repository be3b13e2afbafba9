"""Who may look: whoever reaches the address, but no page of another site in a browser here, and no name that is not ours."""

import ipaddress
import socket
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import Scope

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}


def refusal(scope: Scope, *, loopback: bool) -> tuple[int, str] | None:
    """Why a request is not answered, as status and sentence; None where it is.

    Args:
        scope: of the request.
        loopback: whether only this machine is served. Otherwise a name other than the machine's own is still refused: it is
            how a page elsewhere would have its own name lead here (DNS rebinding); an address can't be made to.
    """
    headers = Headers(scope=scope)
    if not _is_ours(headers.get("host", ""), loopback=loopback):
        where = "http://localhost and http://127.0.0.1" if loopback else "this machine's addresses and its own name"
        return 421, f"only {where} are served"
    if scope["method"] not in {"GET", "HEAD"}:
        return 405, "there is nothing to change here"
    # A link from elsewhere may lead to the page, but nothing of it may be put into another page.
    if scope["path"] != "/" and headers.get("sec-fetch-site", "none") not in {"same-origin", "none"}:
        return 403, "other sites may not show this"
    return None


def _is_ours(host: str, *, loopback: bool) -> bool:
    try:
        name = (urlsplit(f"//{host}").hostname or "").rstrip(".").lower()
    except ValueError:
        return False
    try:
        return ipaddress.ip_address(name).is_loopback or not loopback
    except ValueError:
        own = socket.gethostname().lower()
        return name == "localhost" or (not loopback and name in {own, f"{own}.local", own.partition(".")[0]})
