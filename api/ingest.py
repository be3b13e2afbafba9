"""What the API asks the ingest process for: checks of cameras, and their latest picture. Every wait ends."""

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import msgspec

from api.context import ApiContext
from api.problems import ProblemError
from storage.asking import NoAnswerError
from storage.bus import BusError
from storage.probing import COVERED, PROBE, PROBE_LIMIT_S, CameraAsked, Probe, Still, still_of
from storage.status import StateReason

QUICK_S: Final = 4.0
"""A camera that is being registered is waited for this long; one that takes longer is checked by itself."""

STILL_S: Final = 3.0
LIST_S: Final = 60.0
LIST_AT_ONCE: Final = 4
"""As many as one ingest process takes at a time."""

_askers = threading.BoundedSemaphore(12)
"""Requests that wait: threads are left for those that don't."""

_lists = threading.BoundedSemaphore(1)


def check_soon(context: ApiContext, camera_id: str) -> Probe | None:
    """Whether a camera can be reached; None where that is not found out soon."""
    try:
        found = _checked(context, camera_id, QUICK_S, still=False)
    except (NoAnswerError, BusError):
        return None
    # Our time was up, not the camera's.
    return None if found.reason is StateReason.TIMEOUT else found


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
            left_s = min(PROBE_LIMIT_S, until_s - time.monotonic())
            try:
                return _checked(context, camera_id, left_s, still=False) if left_s > 1 else None
            except (NoAnswerError, BusError):
                return None

        with ThreadPoolExecutor(LIST_AT_ONCE) as pool:
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
    body = msgspec.msgpack.encode(CameraAsked(camera_id, still))
    return msgspec.msgpack.decode(_asked(context, PROBE, body, limit_s), type=Probe)


def _asked(context: ApiContext, kind: str, body: bytes, limit_s: float) -> bytes:
    if not _askers.acquire(blocking=False):
        raise NoAnswerError("too many wait for the ingest process already: try again in a moment")
    try:
        return context.asking.ask(kind, body, limit_s)
    finally:
        _askers.release()
