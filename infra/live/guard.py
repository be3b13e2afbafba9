"""Who may look: whoever reaches the address, but no page of another site in a browser here, and no name that is not ours."""

import ipaddress
import socket
from typing import Final

from starlette.datastructures import Headers
from starlette.types import Scope

from api.headers import ALWAYS, NO_DEVICES, NOT_KEPT, is_loopback, named_host

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
HEADERS: Final = {"Content-Security-Policy": POLICY, **NOT_KEPT, **NO_DEVICES, **ALWAYS}


def refusal(scope: Scope, *, loopback: bool) -> tuple[int, str] | None:
    """Why a request is not answered, as status and sentence; None where it is.

    Args:
        scope: of the request.
        loopback: whether only this machine is served. Otherwise a name other than the machine's own is still refused: it is
            how a page elsewhere would have its own name lead here (DNS rebinding); an address can't be made to.
    """
    headers = Headers(scope=scope)
    name = named_host(headers.get("host", ""))
    if not (is_loopback(name) or (not loopback and _is_ours(name))):
        where = "http://localhost and http://127.0.0.1" if loopback else "this machine's addresses and its own name"
        return 421, f"only {where} are served"
    if scope["method"] not in {"GET", "HEAD"}:
        return 405, "there is nothing to change here"
    # A link from elsewhere may lead to the page, but nothing of it may be put into another page.
    if scope["path"] != "/" and headers.get("sec-fetch-site", "none") not in {"same-origin", "none"}:
        return 403, "other sites may not show this"
    return None


def _is_ours(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        own = socket.gethostname().lower()
        return name in {own, f"{own}.local", own.partition(".")[0]}
    return True
