"""Finding out who calls."""

from typing import Final

from fastapi import Request

from api.headers import is_loopback, named_host
from api.problems import ProblemError
from storage.identity import Caller, Role

FORWARDED: Final = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip")
"""Said by proxies: what comes through one does not come from a person at this machine."""


def authenticated(request: Request) -> Caller:
    """Who calls.

    Raises:
        ProblemError: 401: nobody that is known.
    """
    address = request.client.host if request.client else ""
    named = named_host(request.headers.get("host", ""))
    if is_loopback(address) and is_loopback(named) and not any(name in request.headers for name in FORWARDED):
        return Caller("local", "this machine", "local", Role.ADMIN, address=address)
    raise ProblemError(401, "login-required", "log in, or send an API key: `Authorization: Bearer <key>`")
