"""Errors as people's programs get them: problem details (RFC 9457), one stable `type` for each kind."""

import re
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.types import Scope

from storage.bus import BusError
from storage.database.changes import ChangedError
from storage.errors import (
    ConflictError,
    InvalidError,
    MaskwatchError,
    NotAllowedError,
    NotFoundError,
    SetupError,
    StorageError,
)
from storage.passwords import BusyError

MEDIA_TYPE: Final = "application/problem+json"

log = structlog.get_logger(__name__)


class FieldProblem(BaseModel):
    """What is wrong with one value of the request."""

    location: str = Field(examples=["query.limit"])
    message: str = Field(examples=["Input should be less than or equal to 200"])


class Problem(BaseModel):
    """Problem details (RFC 9457)."""

    # What some kinds add: `errors` of a request, `checks` of readiness.
    model_config = ConfigDict(extra="allow")

    type: str = Field(examples=["/problems/not-found"])
    title: str = Field(examples=["There is no such thing"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["there is no camera 'c9'"])
    instance: str = Field(examples=["/api/v1/cameras/c9"])
    errors: list[FieldProblem] | None = None


class ProblemError(Exception):
    """A problem met in the API itself."""

    def __init__(self, status: int, kind: str, detail: str, **extra: Any) -> None:
        """Make one.

        Args:
            status: of HTTP.
            kind: last part of the `type`; one of `TITLES`.
            detail: a sentence for people.
            extra: further members.
        """
        super().__init__(detail)
        self.status, self.kind, self.detail, self.extra = status, kind, detail, extra


TITLES: Final = {
    "bad-request": "The request can't be understood",
    "body-too-large": "The request is too large",
    "busy": "Too much at once",
    "bus-unavailable": "The bus can't be reached",
    "camera-unreachable": "The camera can't be reached",
    "classify-unavailable": "Nobody can judge pictures now",
    "conflict": "This does not go with what is there",
    "csrf-token": "The change does not show that it comes from our own page",
    "cross-site": "Another site may not do this",
    "disk-full": "There is no room for it",
    "database-unavailable": "The database can't be used",
    "host-not-allowed": "This address is not served",
    "http-error": "The request can't be answered",
    "ingest-unavailable": "Nobody can look now",
    "internal-error": "Something went wrong here",
    "invalid-request": "The request is not valid",
    "job-not-done": "The job is not done yet",
    "login-failed": "That leads in nowhere",
    "login-required": "Somebody has to log in",
    "method-not-allowed": "This can't be done here",
    "not-allowed": "This takes another role, or other buildings",
    "not-found": "There is no such thing",
    "picture-refused": "The picture can't be used",
    "picture-unavailable": "The picture can't be read",
    "preview-unavailable": "There is nothing to show now",
    "not-ready": "The system is not ready",
    "range-not-satisfiable": "There is no such part of it",
    "request-timeout": "The request took too long to arrive",
    "setup-incomplete": "A part of the installation is missing",
    "too-many-tries": "Too many tries",
    "upload-damaged": "What arrived is not what was to be sent",
    "unsupported-media-type": "The request is of another type",
    "too-many-streams": "Too many are looking on",
    "version-mismatch": "It has been changed meanwhile",
    "version-required": "The version that was read has to be given",
}
"""All kinds of problem there are."""

_MET: Final[Sequence[tuple[type[MaskwatchError], int, str]]] = (
    (NotFoundError, 404, "not-found"),
    (NotAllowedError, 403, "not-allowed"),
    (ChangedError, 412, "version-mismatch"),
    (ConflictError, 409, "conflict"),
    (InvalidError, 422, "invalid-request"),
    (BusError, 503, "bus-unavailable"),
    (StorageError, 503, "database-unavailable"),
    (SetupError, 503, "setup-incomplete"),
    (BusyError, 429, "too-many-tries"),
)


def kind_of(error: MaskwatchError) -> str:
    """Which of `TITLES` an error is."""
    return next((name for kind, _, name in _MET if isinstance(error, kind)), "internal-error")


_STATUS: Final = {400: "bad-request", 404: "not-found", 405: "method-not-allowed", 415: "unsupported-media-type"}


def problem(scope: Scope, status: int, kind: str, detail: str, **extra: Any) -> JSONResponse:
    """The answer to a request that went wrong; members that are None are left out."""
    body = {
        "type": f"/problems/{kind}",
        "title": TITLES[kind],
        "status": status,
        "detail": detail,
        "instance": quote(scope["path"]),
    }
    body |= {name: value for name, value in extra.items() if value is not None}
    answer = JSONResponse(body, status, media_type=MEDIA_TYPE)
    if status == HTTPStatus.UNAUTHORIZED:
        answer.headers["WWW-Authenticate"] = 'Bearer realm="Maskwatch"'
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        answer.headers["Retry-After"] = str(extra.get("retry_in_s", 1))
    return answer


def unexpected(scope: Scope, error: Exception) -> JSONResponse:
    """The answer when we are to blame; what happened is in the log alone."""
    log.error("request failed", method=scope["method"], path=scope["path"], exc_info=error)
    return problem(scope, 500, "internal-error", "the request failed for a reason that is in the log of the API")


def handle_problems(app: FastAPI) -> None:
    """Make every error that a route raises a problem."""
    app.add_exception_handler(ProblemError, _own)
    app.add_exception_handler(MaskwatchError, _met)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)


async def _own(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ProblemError)  # noqa: S101 registered for it
    return problem(request.scope, error.status, error.kind, error.detail, **error.extra)


async def _met(request: Request, error: Exception) -> JSONResponse:
    return met(request.scope, error)


def met(scope: Scope, error: Exception) -> JSONResponse:
    """The answer to a request that met an error, ours or not."""
    for kind, status, name in _MET:
        if isinstance(error, kind):
            if status == HTTPStatus.SERVICE_UNAVAILABLE:
                log.warning("request not answered", path=scope["path"], reason=str(error))
            return problem(scope, status, name, str(error))
    return unexpected(scope, error)


async def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101 registered for it
    details = {
        404: f"nothing is at {quote(request.scope['path'])}",
        405: f"{request.method} is not possible here",
        400: "the body is not the JSON that it should be",
    }
    kind = _STATUS.get(error.status_code, "http-error")
    answer = problem(request.scope, error.status_code, kind, details.get(error.status_code, str(error.detail)))
    answer.headers.update(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED and (methods := _methods(request)):
        answer.headers["Allow"] = ", ".join(methods)
    return answer


def _methods(request: Request) -> list[str]:
    """What can be done at an address: the router names the methods of the first route there alone."""
    for template, operations in request.app.openapi()["paths"].items():
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), request.scope["path"]):
            return sorted(method.upper() for method in operations)
    return []


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101 registered for it
    refusal = invalid(error.errors())
    return problem(request.scope, refusal.status, refusal.kind, refusal.detail, **refusal.extra)


def invalid(found: Sequence[Any], within: str | None = None) -> ProblemError:
    """The problem of a request that is not valid.

    Args:
        found: errors as Pydantic lists them.
        within: what they were found in, where that is not said.
    """
    if any(one["type"] == "json_invalid" for one in found):
        return ProblemError(400, "bad-request", "the body is not valid JSON")
    # What was given is not repeated: it may hold a password.
    errors = [
        {
            "location": ".".join(str(part) for part in (*([within] if within else []), *one["loc"])),
            "message": _message(one),
        }
        for one in found
    ]
    detail = "; ".join(f"{one['location']}: {one['message']}" for one in errors[:5])
    return ProblemError(422, "invalid-request", detail, errors=errors)


def _message(error: dict[str, Any]) -> str:
    if error["type"] == "extra_forbidden":
        return "unknown query parameter" if error["loc"][:1] == ("query",) else "unknown field"
    if error["type"] == "value_error":
        return str(error["ctx"]["error"])
    return str(error["msg"])
