"""Conditional requests (RFC 9110, 13): what has not changed since it was read is not sent again.

Where a route names no version, a hash of the whole answer is its version. Answers are a caller's own, so whoever keeps
them asks each time.
"""

import hashlib
import re
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

KINDS: Final = ("application/json", "text/csv")
PREFIX: Final = "/api/v1/"
CACHE: Final = "private, no-cache"
VARY: Final = ("Authorization", "Cookie")
_TAG: Final = re.compile(r'(?:W/)?("[^"]*")')
_OK: Final = 200


class Conditional:
    """Middleware: tags of what was read, and 304 for who has it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "GET" or not scope["path"].startswith(PREFIX):
            await self._app(scope, receive, send)
            return
        wanted = Headers(scope=scope).getlist("if-none-match")
        start: Message | None = None

        async def tagged(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                if _may_have_tag(message):
                    start = message
                else:
                    await send(message)
                return
            if start is None or message["type"] != "http.response.body":
                await send(message)
                return
            # Such answers are in one piece: those that are streamed have no length.
            first, start = start, None
            headers = MutableHeaders(scope=first)
            tag = headers.get("etag") or f'W/"{hashlib.sha256(message.get("body", b"")).hexdigest()[:24]}"'
            headers["ETag"] = tag
            headers.setdefault("Cache-Control", CACHE)
            for name in VARY:
                headers.add_vary_header(name)
            if _has(wanted, tag):
                for name in ("content-length", "content-type", "content-disposition"):
                    del headers[name]
                first, message = {**first, "status": 304, "headers": headers.raw}, {**message, "body": b""}
            await send(first)
            await send(message)

        await self._app(scope, receive, tagged)


def _may_have_tag(message: Message) -> bool:
    headers = Headers(raw=message["headers"])
    kind = headers.get("content-type", "").partition(";")[0]
    kept = "no-store" not in headers.get("cache-control", "")
    return message["status"] == _OK and kind in KINDS and "content-length" in headers and kept


def _has(wanted: list[str], tag: str) -> bool:
    """Whether a caller has what is tagged so; weakly compared, as it is for reading."""
    every = ",".join(wanted)
    return every.strip() == "*" or tag.removeprefix("W/") in _TAG.findall(every)
