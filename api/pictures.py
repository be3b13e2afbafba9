"""Pictures of events as routes give them: read, noted, and never kept by anybody on the way."""

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore
from typing import Annotated, Final

import msgspec
from fastapi import Depends, Request, Response

from api.context import ApiContext, Context
from api.problems import ProblemError
from storage.asking import ANALYZE, EXPLAIN, NoAnswerError
from storage.close_ups import close_up
from storage.database.event_pictures import EventPictures, SnapshotRecord
from storage.errors import InputError
from storage.looking import AnalyzeAsked, ExplainAsked, Fault, LookAnswer
from storage.snapshots import Picture

JPEG: Final = "image/jpeg"
PRIVATE: Final = {"Cache-Control": "private, no-store"}
EXPLAIN_S: Final = 5.0
ANALYZE_S: Final = 30.0
PICTURE_NAME: Final = re.compile(r"[0-9a-f]{64}\.jpg")
TRIES: Final = 3

_askers: Final = BoundedSemaphore(4)
"""Requests that wait for the classifier: threads are left for those that don't."""

_TAG: Final = re.compile(r'(?:W/)?"([^"]*)"')


def _pictures(context: Context) -> EventPictures:
    return EventPictures(context.engine, context.caller)


Pictures = Annotated[EventPictures, Depends(_pictures)]
"""A route's way to pictures of events, as the caller may see them."""


def stored(context: ApiContext, pictures: EventPictures, event_id: str) -> tuple[SnapshotRecord, bytes]:
    """The picture kept with an event, and what its file holds.

    Raises:
        NotFoundError, ProblemError: there is no such event, it has no picture, or that can't be read.
    """
    for _ in range(TRIES):
        found = pictures.snapshot(event_id)
        if found.name is None:
            raise ProblemError(404, "not-found", f"event {event_id} has no picture")
        if not PICTURE_NAME.fullmatch(found.name):
            break
        try:
            return found, (context.snapshots / found.name).read_bytes()
        except FileNotFoundError:
            # Replaced by a better one since the database was asked: that one is named there by now.
            continue
        except OSError as error:
            raise ProblemError(503, "picture-unavailable", f"the picture can't be read: {error.strerror}") from error
    raise ProblemError(404, "not-found", f"the picture of event {event_id} is gone")


def closer(found: SnapshotRecord, jpeg: bytes) -> bytes:
    """The person up close.

    Raises:
        ProblemError: the file is damaged.
    """
    try:
        return close_up(Picture(jpeg, found.box, found.at_ns))
    except InputError as error:
        raise ProblemError(503, "picture-unavailable", str(error)) from None


def shown(request: Request, jpeg: bytes) -> Response:
    """An answer with a picture, tagged by its content; 304 for who has it."""
    tag = hashlib.sha256(jpeg).hexdigest()
    headers = PRIVATE | {"ETag": f'"{tag}"'}
    had = ",".join(request.headers.getlist("if-none-match"))
    if had.strip() == "*" or tag in _TAG.findall(had):
        return Response(status_code=304, headers=headers)
    return Response(jpeg, media_type=JPEG, headers=headers)


def explain(context: ApiContext, asked: ExplainAsked) -> bytes:
    """A heat map over a close-up, as JPEG.

    Raises:
        ProblemError: nobody answers, or it can't be made.
        BusError: the bus is away.
    """
    return _answer(context, EXPLAIN, msgspec.msgpack.encode(asked), EXPLAIN_S)


def analyze(context: ApiContext, asked: AnalyzeAsked) -> bytes:
    """What there is to say about a picture: JSON, or JPEG; see `explain`."""
    return _answer(context, ANALYZE, msgspec.msgpack.encode(asked), ANALYZE_S)


def _answer(context: ApiContext, kind: str, body: bytes, limit_s: float) -> bytes:
    try:
        with _place():
            answer = msgspec.msgpack.decode(context.asking.ask(kind, body, limit_s), type=LookAnswer)
    except NoAnswerError as error:
        raise ProblemError(503, "classify-unavailable", str(error)) from None
    if answer.body is not None:
        return answer.body
    reason = answer.reason or "there is no answer"
    if answer.fault is Fault.PICTURE:
        raise ProblemError(422, "picture-refused", reason)
    raise ProblemError(503, "setup-incomplete", reason)


@contextmanager
def _place() -> Iterator[None]:
    """One of those that may wait."""
    if not _askers.acquire(blocking=False):
        raise NoAnswerError("too many wait for the classifier already: try again in a moment")
    try:
        yield
    finally:
        _askers.release()
