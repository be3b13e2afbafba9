"""Answers what other rooms ask of the ingest process: can this camera be reached, and what does that one show now?"""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import structlog
from numpy.typing import NDArray

from ingest.frame import Frame
from ingest.probe import probe
from ingest.still import still_jpeg
from storage.asking import Asking, Request
from storage.bus import BusError
from storage.database.sites import Sites
from storage.errors import MaskwatchError
from storage.needed_size import covered
from storage.probing import COVERED, PROBE, PROBE_LIMIT_S, CameraAsked, Probe, ProbeRequest, Still, at_once, still_of
from storage.pulse import Pulse

MOST_PROBES: Final = at_once() + 2
"""Checks at once: a list's, and of people who wait for one. More wait, and are refused by the bus when too many do."""

BLOCK_MS: Final = 200
"""Longest wait for a question: whoever asks this process to stop waits no longer either."""
PRESENT_AGAIN_S: Final = 2.0
RETRY_S: Final = 1.0
WAY_S: Final = 1.0
"""For so long an answer may be on its way on a busy machine, the end of a check's process included."""

LEAST_S: Final = 2.0
"""In less time no check comes to a verdict: its process has to start, and to connect."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Grounds:
    """What checks go by.

    Attributes:
        sites: where addresses are looked up.
        media_root: folder that files lie in.
        networks: which addresses are allowed, as in `MASKWATCH_CAMERA_NETWORKS`.
    """

    sites: Sites
    media_root: Path | None
    networks: str


def run_answers(
    asking: Asking,
    grounds: Grounds,
    cameras: Callable[[], Sequence[str]],
    stills: Callable[[str], Frame | None],
    pulse: Pulse,
    people: Callable[[str], NDArray[np.bool_] | None] = lambda _: None,
) -> None:
    """Answer until asked to stop: to be run in a thread of the ingest process.

    Args:
        asking: to be asked by.
        grounds: what checks go by.
        cameras: which are watched here; called by this thread.
        stills: the latest frame of one of them, or None before the first; called by this thread.
        pulse: asks to stop; checks that are under way end, too.
        people: where in a camera's picture there may be people, a (rows, columns) grid; None: everywhere; likewise.
    """
    slots = threading.Semaphore(MOST_PROBES)
    present_s, kinds = 0.0, [PROBE]
    with ThreadPoolExecutor(MOST_PROBES, thread_name_prefix="probe") as pool:
        while not pulse.stopping:
            free = held = slots.acquire(blocking=False)
            try:
                now = [PROBE, *map(still_of, cameras())]
                if now != kinds or time.monotonic() >= present_s:
                    asking.absent([kind for kind in kinds if kind not in now])
                    asking.present(now)
                    kinds, present_s = now, time.monotonic() + PRESENT_AGAIN_S
                request = asking.next_request(kinds if free else kinds[1:], BLOCK_MS)
                if request is None:
                    # With no kind to wait for it comes back at once.
                    pulse.wait(0.0 if free or len(kinds) > 1 else BLOCK_MS / 1000)
                elif request.kind == PROBE:
                    checking = pool.submit(_answer_probe, asking, grounds, request, pulse)
                    held = False
                    checking.add_done_callback(lambda _: slots.release())
                else:
                    asking.answer(request, msgspec.msgpack.encode(_still(request, stills, people)))
            except BusError as error:
                log.warning("no questions are taken", error=str(error))
                pulse.wait(RETRY_S)
            except Exception as error:  # whatever a library raises, later questions are answered
                log.exception("no questions are taken", error=type(error).__name__)
                pulse.wait(RETRY_S)
            finally:
                if held:
                    slots.release()
        with suppress(BusError):
            asking.absent(kinds)


def _still(
    request: Request, stills: Callable[[str], Frame | None], people: Callable[[str], NDArray[np.bool_] | None]
) -> Still:
    """The latest picture of the camera whose kind of question it is."""
    camera = request.kind.partition(":")[2]
    try:
        frame = stills(camera)
        if frame is None:
            return Still()
        rgb = frame.rgb()
        if request.body == COVERED:
            rgb = covered(rgb, people(camera))
        return Still(still_jpeg(rgb), frame.at_ns, rgb.shape[1])
    except Exception as error:  # whatever a library raises over a picture must not end the thread
        log.exception("no still", camera=camera, error=type(error).__name__)
        return Still()


def _answer_probe(asking: Asking, grounds: Grounds, request: Request, pulse: Pulse) -> None:
    began_s = time.monotonic()
    try:
        asked = msgspec.msgpack.decode(request.body, type=CameraAsked)
        if (left_s := request.left_s - WAY_S) < LEAST_S:
            # Too late to find out, and that says nothing about the camera; it is not asked.
            return
        found = _probed(grounds, asked, left_s, pulse)
        log.info("camera checked", camera=asked.camera, ok=found.ok, reason=found.reason, error=found.detail)
        # What a stopping process did not find out says nothing about the camera.
        body = b"" if pulse.stopping and not found.ok else msgspec.msgpack.encode(found)
        left_s = max(0.0, request.left_s - (time.monotonic() - began_s))
        asking.answer(msgspec.structs.replace(request, left_s=left_s), body)
    except Exception as error:  # the asker hears of it by its limit
        log.exception("check failed", error=type(error).__name__)


def _probed(grounds: Grounds, asked: CameraAsked, left_s: float, pulse: Pulse) -> Probe:
    try:
        camera = grounds.sites.camera(asked.camera)
    except MaskwatchError as error:
        return Probe(ok=False, detail=str(error))
    if camera.trouble is not None:
        return Probe(ok=False, detail=camera.trouble)
    request = ProbeRequest(
        url=camera.url,
        substream_url=camera.substream_url,
        transport=camera.transport,
        media_root=None if grounds.media_root is None else str(grounds.media_root),
        networks=grounds.networks,
        still=asked.still,
    )
    return probe(request, min(PROBE_LIMIT_S, left_s), pulse)
