"""What the API asks the ingest process for: checks of cameras, and their latest picture. Every wait ends."""

import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Final

import msgspec

from api.context import ApiContext
from api.problems import ProblemError
from storage.asking import NoAnswerError
from storage.bus import BusError
from storage.probing import COVERED, PROBE, PROBE_LIMIT_S, CameraAsked, Probe, Still, at_once, still_of

STILL_S: Final = 3.0
LIST_S: Final = 60.0

_askers = threading.BoundedSemaphore(12)
"""Requests that wait: threads are left for those that don't. A list has threads of its own."""

_lists = threading.BoundedSemaphore(1)


def check_new(context: ApiContext, camera_id: str) -> Probe | None:
    """Whether a camera that was registered can be reached, after 10 s at most; None where nobody can tell."""
    try:
        return _checked(context, camera_id, PROBE_LIMIT_S, still=False)
    except (NoAnswerError, BusError):
        return None


def check(context: ApiContext, camera_id: str, *, still: bool = False) -> Probe:
    """Whether a camera can be reached; 10 s at most.

    Raises:
        ProblemError: nobody can tell.
        BusError: the bus is away.
    """
    try:
        return _checked(context, camera_id, PROBE_LIMIT_S, still=still)
    except NoAnswerError as error:
        raise ProblemError(503, "ingest-unavailable", str(error)) from None


def check_list(context: ApiContext, cameras: Sequence[str]) -> dict[str, Probe]:
    """Check several, for a minute in all; those that are not found out in it are missing. One list at a time."""
    if not _lists.acquire(blocking=False):
        return {}
    try:
        until_s = time.monotonic() + LIST_S

        def one(camera_id: str) -> Probe | None:
            if until_s - time.monotonic() < PROBE_LIMIT_S:
                # Given less time than others, one would be said not to answer.
                return None
            try:
                return _probed(context, camera_id, PROBE_LIMIT_S, still=False)
            except (NoAnswerError, BusError):
                return None

        with ThreadPoolExecutor(at_once()) as pool:
            found = zip(cameras, pool.map(one, cameras), strict=True)
            return {name: probe for name, probe in found if probe is not None}
    finally:
        _lists.release()


def latest(context: ApiContext, camera_id: str) -> bytes:
    """A camera's picture as JPEG: the latest, or of one that is not watched one that is fetched for it.

    Raises:
        ProblemError: it can't be reached, or nobody can tell.
        BusError: the bus is away.
    """
    try:
        answer = _asked(context, still_of(camera_id), b"", STILL_S)
        still = msgspec.msgpack.decode(answer, type=Still)
        if still.jpeg is not None:
            return still.jpeg
    except NoAnswerError:
        # Nobody watches it now.
        pass
    found = check(context, camera_id, still=True)
    if found.still is None:
        raise unreachable(found)
    return found.still


def view(context: ApiContext, camera_id: str) -> tuple[Still, bool]:
    """A camera's view without people, and whether these are covered already: of one that is not watched they are not.

    Raises:
        ProblemError: it can't be reached, or nobody can tell.
        BusError: the bus is away.
    """
    try:
        still = msgspec.msgpack.decode(_asked(context, still_of(camera_id), COVERED, STILL_S), type=Still)
        if still.jpeg is not None:
            return still, True
    except NoAnswerError:
        pass
    found = check(context, camera_id, still=True)
    if found.still is None:
        raise unreachable(found)
    return Still(found.still, None, found.width), False


def unreachable(found: Probe) -> ProblemError:
    """The problem that a camera shows no picture."""
    return ProblemError(
        422,
        "camera-unreachable",
        found.detail or "the camera can't be reached",
        reason=None if found.reason is None else found.reason.value,
    )


def _checked(context: ApiContext, camera_id: str, limit_s: float, *, still: bool) -> Probe:
    with _place():
        return _probed(context, camera_id, limit_s, still=still)


def _probed(context: ApiContext, camera_id: str, limit_s: float, *, still: bool) -> Probe:
    body = msgspec.msgpack.encode(CameraAsked(camera_id, still))
    return msgspec.msgpack.decode(context.asking.ask(PROBE, body, limit_s), type=Probe)


def _asked(context: ApiContext, kind: str, body: bytes, limit_s: float) -> bytes:
    with _place():
        return context.asking.ask(kind, body, limit_s)


@contextmanager
def _place() -> Iterator[None]:
    """One of those that may wait."""
    if not _askers.acquire(blocking=False):
        raise NoAnswerError("too many wait for the ingest process already: try again in a moment")
    try:
        yield
    finally:
        _askers.release()
