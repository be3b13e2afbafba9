"""The console's cookies: no script can read them, and no page of another site makes a browser send them."""

from typing import Final

from starlette.types import Scope

ACCESS: Final = "mw_access"
"""Holds a token for every request."""

REFRESH: Final = "mw_refresh"
"""Holds the one that gets the next, and goes nowhere else."""

REFRESH_PATH: Final = "/api/v1/auth/"
PENDING: Final = "set_cookies"
"""Of the state of a request: what its answer sets, whatever the route answers."""


def cookie(name: str, value: str, life_s: int, *, secure: bool) -> str:
    """The text of a `Set-Cookie` header.

    Args:
        name: `ACCESS` or `REFRESH`.
        value: a token; it has no characters that mean something here.
        life_s: how long the browser keeps it; 0: it forgets it.
        secure: whether it is sent by https alone.
    """
    path = REFRESH_PATH if name == REFRESH else "/"
    return f"{name}={value}; Max-Age={life_s}; Path={path}; HttpOnly; SameSite=Strict" + ("; Secure" if secure else "")


def given(header: str, name: str) -> str | None:
    """A cookie of a request; None where it is not there. One that comes twice is none."""
    found = [part.strip() for part in header.split(";") if part.strip().startswith(f"{name}=")]
    if len(found) != 1:
        return None if not found else ""
    return found[0].partition("=")[2].strip('"')


def set_later(scope: Scope, *cookies: str) -> None:
    """Have the answer to a request set cookies."""
    scope.setdefault("state", {})[PENDING] = cookies


def pending(scope: Scope) -> tuple[str, ...]:
    """What the answer sets."""
    found: tuple[str, ...] = scope.get("state", {}).get(PENDING, ())
    return found
