"""Logging in and out, and who one is."""

from fastapi import APIRouter, Request, Response

from api.access import Calling, access
from api.cookies import ACCESS, REFRESH, given
from api.headers import peer_of
from api.idempotency import SHOWS_SECRET
from api.identity import Shown, bearer, check_csrf, read_session
from api.logins import logins_of, peer
from api.people import People
from api.problems import ProblemError
from api.shapes import people as shapes
from api.tokens import TOKEN_S
from storage.database.sessions import Session
from storage.identity import Role

router = APIRouter(tags=["people"])


@router.post("/auth/token", summary="Log in", openapi_extra=access(None) | SHOWS_SECRET)
def log_in(request: Request, login: shapes.LoginIn) -> shapes.Login:
    """With name and password. After five tries at a name each further one has to wait, up to a minute."""
    logins, address = logins_of(request), peer_of(request.scope)
    logins.begin_try(login.name, address)
    logins.tokens.check()
    session = logins.sessions.by_password(login.name, login.password, peer(request))
    if session is None:
        raise ProblemError(401, "login-failed", "name or password is wrong")
    logins.tries.succeeded(login.name, address)
    return _given_out(request, session, cookie=login.cookie)


@router.post("/auth/link", summary="Log in by a one-time link", openapi_extra=access(None) | SHOWS_SECRET)
def log_in_by_link(request: Request, login: shapes.LinkIn) -> shapes.Login:
    """It sets the password, ends all other sessions of the account, and leads in no more."""
    logins, address = logins_of(request), peer_of(request.scope)
    logins.begin_try(None, address)
    logins.tokens.check()
    session = logins.sessions.by_link(login.token, login.password, peer(request))
    if session is None:
        raise ProblemError(
            401, "login-failed", "this link leads in no more: it was used, is too old, or was replaced; ask for another"
        )
    logins.tries.succeeded(None, address)
    return _given_out(request, session, cookie=login.cookie)


@router.post("/auth/refresh", summary="Renew a login", openapi_extra=access(None) | SHOWS_SECRET)
def refresh(request: Request) -> shapes.Login:
    """With the token of a program, before it ends; or with the console's cookie, for 12 hours after it was last used."""
    logins = logins_of(request)
    headers = request.headers.getlist("authorization")
    token = bearer(headers) if headers else given("; ".join(request.headers.getlist("cookie")), REFRESH)
    found = None if token is None else read_session(request, token, "bearer" if headers else "refresh")
    if found is None:
        if not headers:
            logins.forget_cookies(request.scope)
        raise ProblemError(401, "login-required", "the login has ended: log in again")
    return _given_out(request, found[1], cookie=not headers)


@router.post("/auth/logout", status_code=204, summary="Log out", openapi_extra=access(None))
def log_out(request: Request) -> Response:
    """The login ends at once, wherever its tokens are."""
    logins = logins_of(request)
    headers = request.headers.getlist("authorization")
    if headers:
        found = read_session(request, bearer(headers), "bearer", late=True)
    else:
        cookies = "; ".join(request.headers.getlist("cookie"))
        found = read_session(request, given(cookies, ACCESS) or "", "cookie", late=True)
        found = found or read_session(request, given(cookies, REFRESH) or "", "refresh")
        if found is not None:
            check_csrf(request, found[1])
        logins.forget_cookies(request.scope)
    if found is not None:
        logins.sessions.end(found[1], peer(request))
    return Response(status_code=204)


@router.get("/me", summary="Who calls", openapi_extra=access(Role.VIEWER))
def get_me(request: Request, caller: Calling) -> shapes.Me:
    """Their role and buildings, and what the console needs for changes."""
    shown: Shown = request.state.shown
    logins = logins_of(request)
    csrf = logins.tokens.csrf(shown.session.id) if shown.cookie and shown.session is not None else None
    return shapes.Me.of(caller, csrf, login_required=not logins.is_local(request))


@router.patch("/me", summary="Change one's own password", openapi_extra=access(Role.VIEWER))
def change_password(request: Request, people: People, caller: Calling, change: shapes.PasswordPatch) -> shapes.Me:
    """All logins of the account end; a browser that asks for it is logged in anew."""
    logins, address = logins_of(request), peer_of(request.scope)
    shown: Shown = request.state.shown
    logins.begin_try(caller.name, address)
    people.accounts.change_own_password(change.old_password, change.new_password)
    logins.tries.succeeded(caller.name, address)
    csrf = None
    if shown.cookie:
        session = logins.sessions.by_password(caller.name, change.new_password, peer(request))
        if session is not None:
            logins.set_cookies(request.scope, session)
            csrf = logins.tokens.csrf(session.id)
    return shapes.Me.of(caller, csrf, login_required=not logins.is_local(request))


def _given_out(request: Request, session: Session, *, cookie: bool) -> shapes.Login:
    logins = logins_of(request)
    token = csrf = None
    if cookie:
        logins.set_cookies(request.scope, session)
        csrf = logins.tokens.csrf(session.id)
    else:
        token = logins.tokens.made(session.id, "bearer", session.expires_at_ns)
    return shapes.Login(access_token=token, token_type="bearer", expires_in=TOKEN_S, csrf_token=csrf)  # noqa: S106
