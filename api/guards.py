"""What every request passes before a route sees it, and what every answer carries.

What comes in by the loopback may need no login: there `Host` must name the loopback, or the address that is set (DNS
rebinding). Changes must not come from another origin, whose pages may lead here, but load nothing from here.
"""

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.cookies import pending
from api.headers import ALWAYS, NO_DEVICES, NOT_KEPT, is_loopback, named_host, own_address_of, peer_of
from api.problems import ProblemError, met, problem
from api.request_body import read_body, streams

API_POLICY: Final = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
"""Content security policy: nothing that the API says is ever run or shown as a page."""

MOST_AT_ONCE: Final = 480
"""Requests that are answered at a time, streams and previews among them; others are told to come again."""

_HOST: Final = re.compile(r"[a-z0-9._~%-]+(?::\d{1,5})?|\[[0-9a-f:.]+\](?::\d{1,5})?")
_UNLESS_SET: Final[Mapping[str, str]] = {"Content-Security-Policy": API_POLICY, **NOT_KEPT, **NO_DEVICES}


class Guards:
    """Middleware around the whole application."""

    def __init__(self, app: ASGIApp, public_url: str | None = None) -> None:
        """Put it around.

        Args:
            app: the application.
            public_url: where browsers find the page; None: where it listens.
        """
        self._app = app
        self._under_way = 0
        self._public = "" if public_url is None else urlsplit(public_url).netloc.lower()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def guarded(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(scope=message)
                headers.update(ALWAYS)
                for name, value in _UNLESS_SET.items():
                    headers.setdefault(name, value)
                for one in pending(scope):
                    headers.append("Set-Cookie", one)
            await send(message)

        # One for all parts of the application, which may copy the scope.
        scope.setdefault("state", {})

        self._under_way += 1
        try:
            await self._let_in(scope, receive, guarded)
        except ProblemError as error:
            await problem(scope, error.status, error.kind, error.detail, **error.extra)(scope, receive, guarded)
        except Exception as error:
            answer = met(scope, error)
            if started:
                raise
            await answer(scope, receive, guarded)
        finally:
            self._under_way -= 1

    async def _let_in(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._under_way > MOST_AT_ONCE:
            raise ProblemError(503, "busy", "too many requests are under way: try again in a moment")
        _check_origin(scope, self._public)
        if streams(scope):
            await self._app(scope, receive, send)
            return
        body = await read_body(scope, receive)
        if scope["method"] == "HEAD":
            # The server leaves the body of its answer away.
            scope = {**scope, "method": "GET"}
        await self._app(scope, _replay(body, receive), send)


def _check_origin(scope: Scope, public: str) -> None:
    """See that a request was meant for us.

    Args:
        scope: of the request.
        public: host and port of the address that is set, or empty.

    Raises:
        ProblemError: it names another host, or comes from a page of another site.
    """
    headers = Headers(scope=scope)
    host = headers.get("host", "").lower()
    name = named_host(host)
    by_loopback = any(is_loopback(end(scope) or "") for end in (own_address_of, peer_of))
    if not _HOST.fullmatch(host) or not name:
        raise ProblemError(421, "host-not-allowed", "the request names no host that there can be")
    if by_loopback and not is_loopback(name) and host != public and name != named_host(public):
        raise ProblemError(
            421,
            "host-not-allowed",
            "on this machine only http://localhost and http://127.0.0.1 are served, and the address set as MASKWATCH_PUBLIC_URL",
        )
    site = headers.get("sec-fetch-site")
    if scope["method"] in {"GET", "HEAD", "OPTIONS"}:
        # Their pages can't read the answer, but looking at a picture, say, would be noted.
        if site in {"cross-site", "same-site"} and headers.get("sec-fetch-dest") != "document":
            raise ProblemError(403, "cross-site", "pages of other addresses may lead here, and load nothing from here")
        return
    origin = headers.get("origin")
    foreign = origin is not None and urlsplit(origin).netloc.lower() not in {host, public or host}
    if foreign or site == "cross-site":
        raise ProblemError(403, "cross-site", "changes are made from this address's own pages, or without a browser")


def _replay(body: bytes, receive: Receive) -> Receive:
    given = False

    async def replayed() -> Message:
        nonlocal given
        if not given:
            given = True
            return {"type": "http.request", "body": body, "more_body": False}
        return await receive()

    return replayed
