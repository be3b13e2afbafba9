"""Reading the body of a request whole, within the limits of what it is sent to; footage alone is not read here."""

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from typing import Final, NamedTuple

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.types import Receive, Scope

from api.access import admit_early
from api.problems import ProblemError
from storage.errors import StorageError

MOST_BODY_BYTES: Final = 1024 * 1024
DRAINED_BYTES: Final = 8 * MOST_BODY_BYTES
"""Beyond the limit so much is read and forgotten: who is still sending would not see the answer."""

BODY_LIMIT_S: Final = 10.0
"""Of which nothing comes for so long does not come any more."""

FOOTAGE_TYPES: Final = ("application/octet-stream", "video/*")
PICTURE_TYPES: Final = ("image/jpeg", "image/png", "image/webp", "image/bmp", "image/gif", "image/tiff")
MOST_PICTURE_BYTES: Final = 20 * 1000 * 1000

UPLOADS: Final = "/api/v1/uploads"
JOBS: Final = "/api/v1/jobs"
MOST_JOB_BYTES: Final = 16 * 1024 * 1024
"""10,000 files have room there, also with long paths."""

MOST_LARGE: Final = 4
"""Bodies that may be large, in memory at a time; others are told to come again."""

MOST_OF_ONE: Final = 2
"""Of these, bodies of one caller."""


class Taken(NamedTuple):
    """What is taken at an address.

    Attributes:
        types: of content. Forms and plain text are never among them: those are what pages of other sites can send
            without being asked.
        most_bytes: of a body.
        patience: it has to be there within so many times `BODY_LIMIT_S`.
        seldom: whether it is mostly no longer than `MOST_BODY_BYTES`: where it is said to be so, it is read as anywhere
            else.
        whole: whether it is read into memory before anything else; if not, the route reads it piece by piece, with a
            limit of its own.
    """

    types: tuple[str, ...] = ("application/json",)
    most_bytes: int = MOST_BODY_BYTES
    patience: int = 1
    seldom: bool = False
    whole: bool = True


_TAKEN: Final[Mapping[str, Taken]] = {
    "/api/v1/cameras/import": Taken(("application/json", "text/csv")),
    "/api/v1/analyze": Taken(PICTURE_TYPES, MOST_PICTURE_BYTES, patience=3),
    JOBS: Taken(most_bytes=MOST_JOB_BYTES, patience=3, seldom=True),
    UPLOADS: Taken(FOOTAGE_TYPES, whole=False),
}
_ORDINARY: Final = Taken()

_large: Counter[str] = Counter()
"""Who sends them, how many each; for one event loop."""


def streams(scope: Scope) -> bool:
    """Whether the route itself reads the body, piece by piece, once it is known who calls; it asks `check_type`, too."""
    return scope["method"] == "POST" and not _TAKEN.get(scope["path"], _ORDINARY).whole


def check_type(scope: Scope) -> None:
    """See that a body is of a type that is taken where it is sent to.

    Raises:
        ProblemError: it is not.
    """
    _check_type(Headers(scope=scope), _TAKEN.get(scope["path"], _ORDINARY))


async def read_body(scope: Scope, receive: Receive) -> bytes:
    """The whole body.

    One that may be large is read of those alone who may send it.

    Raises:
        ProblemError: too large, too slow, of a type that is not taken there, or too many at once; who calls is not known, or
            may not do this.
        StorageError: it can't be found out who calls.
    """
    headers = Headers(scope=scope)
    if "content-length" not in headers and "transfer-encoding" not in headers:
        return b""
    taken = _TAKEN.get(scope["path"], _ORDINARY) if scope["method"] == "POST" else _ORDINARY
    if taken.most_bytes <= MOST_BODY_BYTES or (taken.seldom and _is_small(headers)):
        body, size = await _received(receive, taken)
    else:
        with ExitStack() as place:
            try:
                caller = await run_in_threadpool(admit_early, scope)
                place.enter_context(_place("" if caller is None else caller.id))
            except (ProblemError, StorageError):
                await _drain(receive, taken.most_bytes)
                raise
            body, size = await _received(receive, taken)
    if size > taken.most_bytes:
        raise ProblemError(413, "body-too-large", f"a request may have {taken.most_bytes} bytes here")
    if size:
        _check_type(headers, taken)
    return body


def _is_small(headers: Headers) -> bool:
    """Whether a body is said to be; the server takes no more of it than is said."""
    said = headers.get("content-length", "")
    plain = "transfer-encoding" not in headers and said.isascii() and said.isdecimal() and len(said) < 20
    return plain and int(said) <= MOST_BODY_BYTES


def _check_type(headers: Headers, taken: Taken) -> None:
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind in taken.types or f"{kind.partition('/')[0]}/*" in taken.types:
        return
    what = {PICTURE_TYPES: "a picture", FOOTAGE_TYPES: "the footage itself"}.get(taken.types, "JSON")
    raise ProblemError(415, "unsupported-media-type", f"send {what}, with `Content-Type: {'` or `'.join(taken.types)}`")


async def _drain(receive: Receive, most_bytes: int) -> None:
    """Read and forget a body: who is still sending would not see the answer."""
    size, more = 0, True
    with suppress(TimeoutError):
        async with asyncio.timeout(BODY_LIMIT_S):
            while more and size <= most_bytes:
                message = await receive()
                size += len(message.get("body", b""))
                more = message.get("more_body", False)


async def _received(receive: Receive, taken: Taken) -> tuple[bytes, int]:
    """A body and its size; of one that is too large, nothing, and about how large it is."""
    parts: list[bytes] = []
    size, limit_s = 0, taken.patience * BODY_LIMIT_S
    try:
        async with asyncio.timeout(limit_s):
            more = True
            while more and size <= taken.most_bytes + DRAINED_BYTES:
                async with asyncio.timeout(BODY_LIMIT_S):
                    message = await receive()
                if message["type"] == "http.disconnect":
                    raise ProblemError(400, "bad-request", "the connection was closed before the body was complete")
                part = message.get("body", b"")
                size += len(part)
                if size <= taken.most_bytes:
                    parts.append(part)
                else:
                    parts.clear()
                more = message.get("more_body", False)
    except TimeoutError:
        raise ProblemError(
            408,
            "request-timeout",
            f"the body did not arrive within {limit_s:.0f} s, or nothing of it for {BODY_LIMIT_S:.0f} s",
        ) from None
    return b"".join(parts), size


@contextmanager
def _place(caller: str) -> Iterator[None]:
    """One of the large ones that may come in at a time."""
    if _large.total() >= MOST_LARGE:
        raise ProblemError(503, "busy", "too many large bodies come in at this moment: try again in a moment")
    if _large[caller] >= MOST_OF_ONE:
        raise ProblemError(429, "busy", f"{MOST_OF_ONE} large bodies of yours come in already: send one after another")
    _large[caller] += 1
    try:
        yield
    finally:
        _large[caller] -= 1
        # It is to name nobody for ever.
        if not _large[caller]:
            del _large[caller]
