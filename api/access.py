"""Who may do what: every route states the least role, and the same statement is what is checked and what is documented.

A caller is known by what they show (a key, a token, a cookie) or, on the loopback, by being at this machine. What they
may see is then up to the repositories, which take the caller; see `storage.identity`.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Annotated, Any, Final, Generic, TypeVar

from fastapi import Depends, FastAPI, Request
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.types import Scope

from api.identity import authenticated
from api.problems import ProblemError
from storage.identity import Caller, Role

T = TypeVar("T")

ACCESS: Final = "x-access"
PUBLIC: Final = "public"


def access(role: Role | None) -> dict[str, Any]:
    """What a route says of itself in the OpenAPI document; for `openapi_extra`.

    Args:
        role: the least that a caller must have; None: anybody may.
    """
    return {ACCESS: PUBLIC if role is None else role.value}


def admitted(request: Request) -> None:
    """Find out who calls, and refuse who may not; for all routes.

    Raises:
        ProblemError: 401 for who is not known, 403 for who may not.
    """
    route: APIRoute = request.scope["route"]
    _admit(request, (route.openapi_extra or {})[ACCESS])


def admit_early(scope: Scope) -> Caller | None:
    """Find out who calls by the headers alone, before a body is read; None where anybody may, or nothing is there.

    Raises:
        ProblemError, StorageError: see `admitted`.
    """
    for one in iter_route_contexts(scope["app"].routes):
        if one.path == scope["path"] and scope["method"] in (one.methods or ()):
            request = Request(scope)
            _admit(request, (one.openapi_extra or {})[ACCESS])
            return getattr(request.state, "caller", None)
    return None


def _admit(request: Request, least: str) -> None:
    if least == PUBLIC:
        return
    # They may be known since before the body was read.
    caller: Caller = getattr(request.state, "caller", None) or authenticated(request)
    if not caller.may(Role(least)):
        raise ProblemError(
            403, "not-allowed", f"this takes the role {least}, and {caller.name!r} has {caller.role}", needs=least
        )
    request.state.caller = caller


def _caller(request: Request) -> Caller:
    caller: Caller = request.state.caller
    return caller


Calling = Annotated[Caller, Depends(_caller)]
"""A route's way to who calls; not for public ones."""


class PerBuildings(Generic[T]):
    """One of something for each set of buildings that callers may see: what is kept for one caller is not another's."""

    def __init__(self, make: Callable[[], T], most: int = 64) -> None:
        """Begin.

        Args:
            make: makes one.
            most: of them; then the one that was not asked for longest goes.
        """
        self._make, self._most = make, most
        self._lock = threading.Lock()
        self._kept: OrderedDict[frozenset[str] | None, T] = OrderedDict()

    def of(self, caller: Caller) -> T:
        """The one for those who see what the caller sees."""
        with self._lock:
            if caller.buildings not in self._kept:
                self._kept[caller.buildings] = self._make()
                if len(self._kept) > self._most:
                    self._kept.popitem(last=False)
            self._kept.move_to_end(caller.buildings)
            return self._kept[caller.buildings]


def check_access(app: FastAPI) -> None:
    """See that every documented route states who may.

    Raises:
        ValueError: one does not.
    """
    for one in iter_route_contexts(app.routes):
        documented = isinstance(one.original_route, APIRoute) and one.include_in_schema
        if documented and ACCESS not in (one.openapi_extra or {}):
            raise ValueError(f"{one.path} does not state its access")
