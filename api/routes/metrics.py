"""For Prometheus: what bus and database know at the moment they are asked, within seconds, whatever is away."""

import threading
import time
from collections.abc import Mapping
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from fastapi import Depends, FastAPI, Response

from api.access import PerBuildings, access, admitted
from api.context import ApiContext, Context
from api.metrics import CONTENT_TYPE, Known, text
from api.problems import ProblemError
from api.routes.cameras import said_of
from storage.bus import BusError
from storage.database.records import Camera
from storage.database.upkeep import UpkeepStanding
from storage.errors import MaskwatchError
from storage.identity import Role
from storage.pulse import Heartbeat
from storage.status import CameraStatus

DATABASE_LIMIT_S: Final = 4.0
"""It may wait longer for itself than Prometheus, by default 10 s, does for all."""

MOST_ASKING: Final = 4
"""Threads are left for others."""


@dataclass(frozen=True, slots=True)
class _Recorded:
    """What the database knows: cameras in use, how many samples of each were lost, and how periodic work stands."""

    cameras: tuple[Camera, ...]
    lost: Mapping[str, int]
    upkeep: Mapping[str, UpkeepStanding]


class Scrapes:
    """One at a time asks bus and database; who came meanwhile, and sees the same buildings, is given the same."""

    def __init__(self, asking: threading.BoundedSemaphore) -> None:
        """Begin.

        Args:
            asking: held by whoever asks or waits.
        """
        self._asking = asking
        self._turn = threading.Lock()
        self._text = b""
        self._made_s = 0.0
        self._cameras: tuple[Camera, ...] = ()
        self._reading: Future[_Recorded] | None = None

    def text(self, context: ApiContext) -> bytes:
        """All metrics, within 10 s even where all is away: what can't be found out is missing.

        Raises:
            ProblemError: too many ask at once.
        """
        asked_s = time.monotonic()
        if not self._asking.acquire(blocking=False):
            raise ProblemError(503, "database-unavailable", "too many ask for the metrics at once: try again")
        try:
            with self._turn:
                if self._made_s <= asked_s:
                    self._text = text(self._known(context))
                    self._made_s = time.monotonic()
                return self._text
        finally:
            self._asking.release()

    def _known(self, context: ApiContext) -> Known:
        until_s = time.monotonic() + DATABASE_LIMIT_S
        reading = self._begin(context)
        beats: Mapping[str, Heartbeat] | None = None
        queues: Mapping[str, int] = {}
        results: tuple[int, ...] = ()
        cameras: Mapping[str, CameraStatus] = {}
        with suppress(BusError):
            (queues, results), beats = context.bus.lengths(), context.bus.heartbeats()
        lost: Mapping[str, int] | None = None
        upkeep: Mapping[str, UpkeepStanding] = {}
        with suppress(MaskwatchError, TimeoutError):
            recorded = reading.result(max(0.0, until_s - time.monotonic()))
            lost, upkeep, self._cameras = recorded.lost, recorded.upkeep, recorded.cameras
        if beats is not None:
            try:
                # While the database is away, of the cameras that it told of last.
                cameras = said_of(context, self._cameras)
            except BusError:
                beats = None
        return Known(context.workers, lost, beats, queues, results, cameras, upkeep)

    def _begin(self, context: ApiContext) -> Future[_Recorded]:
        """Ask the database, in a thread that is left behind where it hangs; then the next ones wait for that same one."""
        if self._reading is not None and not self._reading.done():
            return self._reading
        reading = self._reading = Future[_Recorded]()
        threading.Thread(target=_read, args=(context, reading), name="metrics", daemon=True).start()
        return reading


def attach(app: FastAPI) -> None:
    """Add it."""
    asking = threading.BoundedSemaphore(MOST_ASKING)
    scrapes = PerBuildings(lambda: Scrapes(asking))

    @app.get(
        "/metrics",
        include_in_schema=False,
        openapi_extra=access(Role.VIEWER),
        dependencies=[Depends(admitted)],
    )
    def get_metrics(context: Context) -> Response:
        return Response(scrapes.of(context.caller).text(context), headers={"Content-Type": CONTENT_TYPE})


def _read(context: ApiContext, reading: "Future[_Recorded]") -> None:
    try:
        cameras = tuple(context.sites.cameras())
        lost = context.reports.lost([camera.id for camera in cameras])
        upkeep = context.upkeep.standings(time.time_ns())
        reading.set_result(_Recorded(cameras, {camera.id: lost.get(camera.id, 0) for camera in cameras}, upkeep))
    except Exception as error:  # noqa: BLE001 - whoever waits for it gets it
        reading.set_exception(error)
