"""Finding out who calls.

By what they show, in this order: `Authorization: Bearer` with an API key or a token, the console's cookie; or, on the
loopback, by being at this machine. Whatever is shown counts: who shows something wrong is nobody.
"""

import time
from contextlib import suppress
from typing import Final

import msgspec
from fastapi import Request

from api.cookies import ACCESS, given
from api.headers import peer_of
from api.logins import logins_of
from api.problems import ProblemError
from api.tokens import TOKEN_S, Claims, Use
from storage.database.api_keys import PREFIX
from storage.database.sessions import Session
from storage.errors import SetupError
from storage.identity import Caller, Role

CSRF_HEADER: Final = "x-csrf-token"
SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})

RENEWED_S: Final = TOKEN_S // 3
"""A cookie that is older is renewed by the way."""


class Shown(msgspec.Struct, frozen=True):
    """By what a caller is known.

    Attributes:
        session: of their login; None: there is none.
        key: API key; None: there is none.
        cookie: whether the login is a browser's.
    """

    session: Session | None = None
    key: str | None = None
    cookie: bool = False

    def __repr__(self) -> str:
        return f"Shown(session={self.session}, key={'***' if self.key else None})"


def authenticated(request: Request) -> Caller:
    """Who calls.

    Raises:
        ProblemError: 401: nobody that is known; 403: a change by a cookie without the token that says it is ours.
        StorageError: the database can't be reached.
    """
    address = peer_of(request.scope)
    headers = request.headers.getlist("authorization")
    if headers:
        return _by_header(request, headers, address)
    token = given("; ".join(request.headers.getlist("cookie")), ACCESS)
    if token is not None:
        return _by_cookie(request, token, address)
    if logins_of(request).is_local(request):
        request.state.shown = Shown()
        return Caller("local", "this machine", "local", Role.ADMIN, address=address)
    raise ProblemError(401, "login-required", "log in, or send an API key: `Authorization: Bearer <key>`")


def still_welcome(request: Request, caller: Caller) -> bool:
    """Whether who called still may what they might then: for answers that go on for long, to be asked now and then.

    Raises:
        StorageError: the database can't be reached.
    """
    shown: Shown = request.state.shown
    logins = logins_of(request)
    if shown.key is not None:
        return logins.keys.opened(shown.key, caller.address) == caller
    if shown.session is not None:
        now = logins.sessions.find(shown.session.id)
        return now is not None and now.caller(caller.address) == caller
    return True


def read_session(request: Request, token: str, use: Use, *, late: bool = False) -> tuple[Claims, Session] | None:
    """The session that a token stands for; None where the token is none of ours, too old, or its session has ended.

    Args:
        request: it came with.
        token: as it was sent.
        use: what it has to be for.
        late: take one that is too old.

    Raises:
        StorageError: the database can't be reached.
    """
    logins = logins_of(request)
    # Without a key nobody can have been given a token.
    with suppress(SetupError):
        claims = logins.tokens.read(token, use, late=late)
        session = None if claims is None else logins.sessions.find(claims.sid)
        if claims is not None and session is not None:
            return claims, session
    return None


def bearer(headers: list[str]) -> str:
    """What is shown in the header.

    Raises:
        ProblemError: 401: it is of another kind, or there are several.
    """
    kind, _, token = headers[0].strip().partition(" ")
    if len(headers) != 1 or kind.lower() != "bearer" or not token.strip():
        raise ProblemError(401, "login-required", "send one header `Authorization: Bearer <API key or token>`")
    return token.strip()


def check_csrf(request: Request, session: Session) -> None:
    """See that a change that a browser's cookie lets in comes from a page of ours.

    Raises:
        ProblemError: 403.
    """
    if request.method not in SAFE:
        said = request.headers.get(CSRF_HEADER, "")
        if not logins_of(request).tokens.is_csrf(said, session.id):
            raise ProblemError(
                403, "csrf-token", "send `X-CSRF-Token` with every change, as `csrf_token` of the login or of `/me`"
            )


def _by_header(request: Request, headers: list[str], address: str | None) -> Caller:
    token = bearer(headers)
    if token.startswith(PREFIX):
        caller = logins_of(request).keys.opened(token, address)
        if caller is None:
            raise ProblemError(401, "login-required", "this API key is none, has ended, or was revoked: make another")
        request.state.shown = Shown(key=token)
        return caller
    found = read_session(request, token, "bearer")
    if found is None:
        raise ProblemError(
            401, "login-required", "this token is none, is too old, or its login has ended: log in again"
        )
    request.state.shown = Shown(found[1])
    return found[1].caller(address)


def _by_cookie(request: Request, token: str, address: str | None) -> Caller:
    logins = logins_of(request)
    found = read_session(request, token, "cookie", late=True)
    if found is None:
        logins.forget_cookies(request.scope)
        raise ProblemError(401, "login-required", "the login has ended: log in again")
    claims, session = found
    now_s = time.time()
    if claims.exp <= now_s:
        raise ProblemError(401, "login-required", "the login is to be renewed: `POST /api/v1/auth/refresh`")
    check_csrf(request, session)
    if claims.iat + RENEWED_S < now_s:
        logins.set_cookies(request.scope, session)
    request.state.shown = Shown(session, cookie=True)
    return session.caller(address)
