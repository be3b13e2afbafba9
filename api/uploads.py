"""Taking in footage that is sent: piece by piece into a file, never into memory, and all of it or nothing."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from api.problems import ProblemError
from storage.identity import Caller
from storage.upload_files import NoRoomError, UploadFile

MOST_AT_ONCE: Final = 16
"""Uploads that come in at a time; others are told to come again."""

MOST_OF_ONE: Final = 8
"""Of these, uploads of one caller."""

PIECE_BYTES: Final = 1024 * 1024
"""So much is written at once."""

STILL_S: Final = 30.0
"""Of which nothing comes for so long does not come any more."""

LONGEST_S: Final = 24 * 3600.0
"""No upload takes longer."""

_coming: Counter[str] = Counter()
"""Who sends, how many each; for one event loop."""


@contextmanager
def place_for(caller: Caller) -> Iterator[None]:
    """One of the uploads that may come in at a time.

    Raises:
        ProblemError: 503: there are too many; 429: too many of the same caller.
    """
    if _coming.total() >= MOST_AT_ONCE:
        raise ProblemError(503, "busy", f"{MOST_AT_ONCE} uploads come in at this moment: try again when one is done")
    if _coming[caller.id] >= MOST_OF_ONE:
        raise ProblemError(429, "busy", f"{MOST_OF_ONE} uploads of yours come in already: send one after another")
    _coming[caller.id] += 1
    try:
        yield
    finally:
        _coming[caller.id] -= 1
        # It is to name nobody for ever.
        if not _coming[caller.id]:
            del _coming[caller.id]


def announced_bytes(request: Request, most_bytes: int) -> int | None:
    """How long a body will be; None where that is not said.

    Raises:
        ProblemError: 413: longer than is taken.
    """
    said = request.headers.get("content-length")
    if said is None:
        return None
    # The server has seen to it that it is a number.
    if int(said) > most_bytes:
        raise _too_large(most_bytes)
    return int(said)


async def take_in(request: Request, file: UploadFile, most_bytes: int) -> None:
    """Write the body of a request to a file.

    Args:
        request: whose body has not been read.
        file: open; it is up to the caller whether it is kept.
        most_bytes: of a body.

    Raises:
        ProblemError: 400: the body ended too early; 408: nothing more came, or it took too long; 413: it is too large;
            507: the disk is full.
        StorageError: the file can't be written.
    """
    waiting = bytearray()
    until_s = time.monotonic() + LONGEST_S
    more = True
    while more:
        try:
            async with asyncio.timeout(min(STILL_S, max(0.0, until_s - time.monotonic()))):
                message = await request.receive()
        except TimeoutError:
            raise ProblemError(
                408,
                "request-timeout",
                f"nothing more came for {STILL_S:.0f} s, or it took more than {LONGEST_S / 3600:.0f} h; of the "
                "upload nothing is kept: send it again",
            ) from None
        if message["type"] == "http.disconnect":
            raise _cut_off(file.bytes + len(waiting))
        waiting += message.get("body", b"")
        more = message.get("more_body", False)
        if file.bytes + len(waiting) > most_bytes:
            raise _too_large(most_bytes)
        if len(waiting) >= PIECE_BYTES or not more:
            await run_in_threadpool(_write, file, bytes(waiting))
            waiting.clear()
    announced = announced_bytes(request, most_bytes)
    if announced is not None and file.bytes != announced:
        raise _cut_off(file.bytes)


def _write(file: UploadFile, data: bytes) -> None:
    with answered():
        file.write(data)


@contextmanager
def answered() -> Iterator[None]:
    """Makes a full disk the answer that HTTP has for it.

    Raises:
        ProblemError: 507.
    """
    try:
        yield
    except NoRoomError as error:
        raise ProblemError(507, "disk-full", str(error)) from None


def _cut_off(arrived: int) -> ProblemError:
    return ProblemError(
        400,
        "bad-request",
        f"the body ended after {arrived} bytes, before it was complete; of the upload nothing is kept: send it again",
    )


def _too_large(most_bytes: int) -> ProblemError:
    return ProblemError(
        413, "body-too-large", f"an upload may have {most_bytes} bytes; put larger footage under the media root"
    )
