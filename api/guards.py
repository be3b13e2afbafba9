"""What every request passes before a route sees it, and what every answer carries.

Until there are accounts, whoever can reach this address may do everything: so only this machine may, and no web page of
another site in a browser on it. `Host` must name the loopback (DNS rebinding), changes must not come from another origin.
"""

import asyncio
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.headers import ALWAYS, NOT_KEPT, is_loopback, named_host
from api.problems import ProblemError, problem, unexpected

MOST_BODY_BYTES: Final = 1024 * 1024
DRAINED_BYTES: Final = 8 * MOST_BODY_BYTES
"""Of a body that is too large so much is read and forgotten: who is still sending would not see the answer."""

BODY_LIMIT_S: Final = 10.0

API_POLICY: Final = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
"""Content security policy: nothing that the API says is ever run or shown as a page."""

_UNLESS_SET: Final[Mapping[str, str]] = {"Content-Security-Policy": API_POLICY, **NOT_KEPT}


class Guards:
    """Middleware around the whole application."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

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
            await send(message)

        try:
            _check_origin(scope)
            body = await _body(scope, receive)
            if scope["method"] == "HEAD":
                # The server leaves the body of its answer away.
                scope = {**scope, "method": "GET"}
            await self._app(scope, _replay(body, receive), guarded)
        except ProblemError as error:
            await problem(scope, error.status, error.kind, error.detail, **error.extra)(scope, receive, guarded)
        except Exception as error:
            answer = unexpected(scope, error)
            if started:
                raise
            await answer(scope, receive, guarded)


def _check_origin(scope: Scope) -> None:
    headers = Headers(scope=scope)
    host = headers.get("host", "")
    if not is_loopback(named_host(host)):
        raise ProblemError(
            421, "host-not-allowed", "only http://localhost and http://127.0.0.1 are served, until there are accounts"
        )
    if scope["method"] in {"GET", "HEAD", "OPTIONS"}:
        return
    origin = headers.get("origin")
    if (origin is not None and urlsplit(origin).netloc != host) or headers.get("sec-fetch-site") == "cross-site":
        raise ProblemError(403, "cross-site", "changes are made from this address's own pages, or without a browser")


async def _body(scope: Scope, receive: Receive) -> bytes:
    """The whole body: none is so large that it has to be read piece by piece.

    Raises:
        ProblemError: too large, too slow, or not JSON.
    """
    headers = Headers(scope=scope)
    if "content-length" not in headers and "transfer-encoding" not in headers:
        return b""
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(BODY_LIMIT_S):
            more = True
            while more and size <= DRAINED_BYTES:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ProblemError(400, "bad-request", "the connection was closed before the body was complete")
                part = message.get("body", b"")
                size += len(part)
                if size <= MOST_BODY_BYTES:
                    parts.append(part)
                more = message.get("more_body", False)
    except TimeoutError:
        raise ProblemError(408, "request-timeout", f"the body did not arrive within {BODY_LIMIT_S:.0f} s") from None
    if size > MOST_BODY_BYTES:
        raise ProblemError(413, "body-too-large", f"a request may have {MOST_BODY_BYTES} bytes")
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    # Forms and plain text are what pages of other sites can send without being asked.
    taken = ("application/json", "text/csv") if scope["path"].endswith("/cameras/import") else ("application/json",)
    if size and kind not in taken:
        raise ProblemError(415, "unsupported-media-type", f"send JSON, with `Content-Type: {'` or `'.join(taken)}`")
    return b"".join(parts)


def _replay(body: bytes, receive: Receive) -> Receive:
    given = False

    async def replayed() -> Message:
        nonlocal given
        if not given:
            given = True
            return {"type": "http.request", "body": body, "more_body": False}
        return await receive()

    return replayed
