"""`Idempotency-Key` on POST (draft-ietf-httpapi-idempotency-key-header): the same request again does nothing again."""

import hashlib
import hmac
import re
import time
from dataclasses import dataclass
from typing import Any, Final

import structlog
from fastapi import FastAPI, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.access import ACCESS, PUBLIC
from api.context import whole_context
from api.problems import ProblemError
from storage.database.idempotency import MOST_BYTES, Idempotency, Kept
from storage.errors import StorageError
from storage.identity import Caller

HEADER: Final = "Idempotency-Key"
REPLAYED: Final = "Idempotency-Replayed"
SHOWS_ONCE: Final = "x-shows-secret"
STREAMS: Final = "x-streams"
"""For `openapi_extra` of a POST whose body may be longer than memory: it can't have a key."""

SHOWS_SECRET: Final[dict[str, Any]] = {SHOWS_ONCE: True}
"""For `openapi_extra` of a POST whose answer shows a secret: it is never kept, and not given a second time."""

_KEY: Final = re.compile(r"[\x21-\x7e]{1,255}")
_KEPT_HEADERS: Final = ("content-type", "content-disposition", "location", "etag")
_REFUSED: Final = 400
_FAILED: Final = 500

log = structlog.get_logger(__name__)

PARAMETER: Final[dict[str, Any]] = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[\\x21-\\x7e]+$"},
    "description": "Any word that no other request of yours has, such as a new UUID: for 24 hours the same request with "
    f"it does nothing again, and is answered like the first time, with `{REPLAYED}: true`. With another request: 422; "
    "while the first is being answered: 409.",
    "example": "8e03978e-40d5-43e8-bc93-6894a57f9324",
}


@dataclass(frozen=True, slots=True)
class _Pending:
    """A request that is being done for the first time."""

    kept: Idempotency
    key: str
    secret: bool


class _AgainError(Exception):
    """It was done before."""

    def __init__(self, answer: Kept) -> None:
        super().__init__("done before")
        self.answer = answer


async def once(request: Request) -> None:
    """See that a request with a key is done once; for all routes, after it is known who calls.

    Raises:
        ProblemError: 422: that is no key.
        InvalidError, ConflictError: see `Idempotency.begin`.
    """
    given = request.headers.getlist(HEADER)
    caller: Caller | None = getattr(request.state, "caller", None)
    if not given or request.method != "POST" or caller is None:
        return
    if (request.scope["route"].openapi_extra or {}).get(STREAMS):
        # Telling it from others would take its body.
        raise ProblemError(
            422, "invalid-request", f"header.idempotency-key: what is sent here takes none: leave {HEADER} away"
        )
    if len(given) > 1 or not _KEY.fullmatch(given[0]):
        raise ProblemError(
            422, "invalid-request", "header.idempotency-key: give one of 1 to 255 visible ASCII characters"
        )
    kept = Idempotency(whole_context(request).engine, caller)
    key = hashlib.sha256(given[0].encode()).hexdigest()
    digest = _digest(given[0], request, caller, await request.body())
    found = await run_in_threadpool(kept.begin, key, digest, time.time_ns())
    if found is not None:
        raise _AgainError(found)
    secret = bool((request.scope["route"].openapi_extra or {}).get(SHOWS_ONCE))
    request.state.pending = _Pending(kept, key, secret)


def _digest(key: str, request: Request, caller: Caller, body: bytes) -> str:
    """Tells a request from others; what the caller may see is a part of it, so that nothing is told of before.

    Keyed with what is not kept as it was given: nobody can find out from the database what password was in a body.
    """
    buildings = "all" if caller.buildings is None else ",".join(sorted(caller.buildings))
    # Lengths keep the parts apart.
    parts = [request.url.path, request.url.query, request.headers.get("content-type", ""), buildings]
    digest = hmac.new(key.encode(), "".join(f"{len(part)}:{part}" for part in parts).encode(), hashlib.sha256)
    digest.update(body)
    return digest.hexdigest()


class Keeping:
    """Middleware that keeps what came of requests with a key, before it is sent."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST" or HEADER not in Headers(scope=scope):
            await self._app(scope, receive, send)
            return
        state = scope.setdefault("state", {})
        held: list[Message] = []
        size = 0
        done = False

        async def caught(message: Message) -> None:
            nonlocal done, size
            pending: _Pending | None = state.get("pending")
            if pending is None or done:
                await send(message)
                return
            held.append(message)
            size += len(message.get("body", b""))
            if message["type"] == "http.response.body" and (size > MOST_BYTES or not message.get("more_body", False)):
                done = True
                await _keep(pending, held)
                for one in held:
                    await send(one)

        try:
            await self._app(scope, receive, caught)
        finally:
            pending = state.get("pending")
            if pending is not None and not done:
                await run_in_threadpool(pending.kept.forget, pending.key)


async def _keep(pending: _Pending, held: list[Message]) -> None:
    start, *parts = held
    headers = Headers(raw=start["headers"])
    whole = not parts[-1].get("more_body", False)
    body = b"".join(part.get("body", b"") for part in parts)
    shown = {name: value for name in _KEPT_HEADERS if (value := headers.get(name)) is not None}
    secret = pending.secret and start["status"] < _REFUSED
    answer = Kept(start["status"], shown, body if whole and not secret else None)
    try:
        if answer.status >= _FAILED:
            await run_in_threadpool(pending.kept.forget, pending.key)
        else:
            await run_in_threadpool(pending.kept.finish, pending.key, answer)
    except StorageError as error:
        # It was done: saying otherwise would be worse than to refuse the second one.
        log.warning("answer not kept", reason=str(error))


async def _again(_: Request, error: Exception) -> Response:
    assert isinstance(error, _AgainError)  # noqa: S101 registered for it
    return Response(error.answer.body, error.answer.status, {**error.answer.headers, REPLAYED: "true"})


def attach(app: FastAPI) -> None:
    """Add it."""
    app.add_exception_handler(_AgainError, _again)
    app.add_middleware(Keeping)


def describe(document: dict[str, Any]) -> None:
    """Say in the OpenAPI document which requests may have a key: every POST of somebody who is known, but uploads."""
    for operations in document["paths"].values():
        operation = operations.get("post")
        if operation is not None and operation.get(ACCESS) != PUBLIC and not operation.get(STREAMS):
            operation["parameters"] = [*operation.get("parameters", ()), PARAMETER]
