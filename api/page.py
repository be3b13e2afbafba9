"""A plain page for people: today's totals, how the cameras fare, and the latest pictures. It asks again every second."""

import threading
import time
from functools import reduce
from pathlib import Path
from typing import Any, Final

import structlog
from fastapi import Depends, FastAPI
from fastapi.responses import FileResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.staticfiles import StaticFiles

from api.access import access, admitted
from api.context import ApiContext, Context
from api.problems import ProblemError
from api.routes.cameras import statuses
from api.routes.health import checks
from api.shapes.cameras import Status
from api.shapes.common import Breach
from api.times import Instant, iso
from storage.bus import BusError
from storage.database.records import Building, Camera
from storage.database.reports import EventRecord, Question, Wanted
from storage.database.statistics import NAMES, Scope, Totals
from storage.identity import Role

FILES: Final = Path(__file__).parent / "static"
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
PICTURES: Final = 12
FRESH_S: Final = 0.5
"""However many people look, the database is asked no more often."""

PATIENCE_S: Final = 1.0

log = structlog.get_logger(__name__)


class Numbers(BaseModel):
    """Today's totals."""

    model_config = ConfigDict(from_attributes=True)

    tracks: int
    with_mask: int
    without_mask: int
    incorrect_mask: int
    unknown: int
    open_tracks: int
    events: int
    compliance_rate: float | None
    interval: tuple[float, float] | None


class BuildingLine(BaseModel):
    """A building's totals, of its own today."""

    name: str
    numbers: Numbers


class CameraLine(BaseModel):
    """A camera; `status` is None where it can't be found out."""

    id: str
    name: str
    building: str
    status: Status | None


class Picture(BaseModel):
    """A snapshot; `version` changes when a better picture replaces it."""

    event_id: str
    url: str
    version: str
    camera: str
    type: Breach
    ongoing: bool
    corrected: bool
    started_at: Instant
    timezone: str


class State(BaseModel):
    """Everything on the page."""

    as_of: Instant
    today: Numbers
    buildings: list[BuildingLine]
    cameras: list[CameraLine]
    pictures: list[Picture]
    trouble: list[str] = Field(description="What does not work, or waits.")


class _Kept:
    """The state of a moment ago, for all who ask meanwhile."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._state: State | None = None
        self._until_s = 0.0

    def state(self, context: ApiContext) -> State:
        if not self._lock.acquire(timeout=PATIENCE_S):
            # Whoever looks is not to take up all threads: other requests may not need what is slow.
            raise ProblemError(503, "database-unavailable", "the database or the bus takes long to answer")
        try:
            if self._state is None or time.monotonic() > self._until_s:
                self._state = state(context, time.time_ns())
                self._until_s = time.monotonic() + FRESH_S
            return self._state
        finally:
            self._lock.release()


def attach(app: FastAPI) -> None:
    """Add the page and its files."""
    kept = _Kept()

    @app.get("/", include_in_schema=False)
    def get_page() -> FileResponse:
        return FileResponse(FILES / "index.html", headers={"Content-Security-Policy": POLICY})

    @app.get(
        "/page/state",
        include_in_schema=False,
        openapi_extra=access(Role.VIEWER),
        dependencies=[Depends(admitted)],
    )
    def get_state(context: Context) -> State:
        return kept.state(context)

    app.mount("/static", StaticFiles(directory=FILES))


def state(context: ApiContext, now_ns: int) -> State:
    """What there is to show.

    Raises:
        StorageError: the database can't be read.
    """
    buildings = context.sites.buildings()
    totals = {
        building.id: context.reports.compliance(Question(scope=Scope(building=building.id)), now_ns).series[0].totals
        for building in buildings
    }
    # In this order: the building of a camera that is added meanwhile is known.
    cameras = context.sites.cameras(archived=True)
    names = {building.id: building for building in context.sites.buildings(archived=True)}
    events, _ = context.reports.events(Wanted(pictured=True), PICTURES)
    return State(
        as_of=iso(now_ns),
        today=Numbers.model_validate(reduce(_sum, totals.values(), Totals())),
        buildings=[
            BuildingLine(name=building.name, numbers=Numbers.model_validate(totals[building.id]))
            for building in sorted(buildings, key=lambda one: one.name)
        ],
        cameras=_camera_lines(context, [camera for camera in cameras if camera.archived_at_ns is None], names),
        pictures=[_picture(event, {camera.id: camera for camera in cameras}, names) for event in events],
        trouble=[f"{check.name}: {check.detail}" for check in checks(context) if check.detail is not None],
    )


def _camera_lines(context: ApiContext, cameras: list[Camera], names: dict[str, Building]) -> list[CameraLine]:
    known: dict[str, Any] = {}
    try:
        known = statuses(context, cameras)
    except BusError as error:
        # What the database knows is shown all the same; the trouble is said.
        log.warning("states of cameras not known", reason=str(error))
    return [
        CameraLine(id=camera.id, name=camera.name, building=names[camera.building_id].name, status=known.get(camera.id))
        for camera in sorted(cameras, key=lambda one: (names[one.building_id].name, one.name))
    ]


def _picture(event: EventRecord, cameras: dict[str, Camera], names: dict[str, Building]) -> Picture:
    camera, building = cameras.get(event.camera_id), names.get(event.building_id)
    return Picture.model_validate(
        {
            "event_id": event.id,
            "url": f"/api/v1/events/{event.id}/snapshot",
            "version": event.snapshot,
            "camera": event.camera_id if camera is None else camera.name,
            "type": event.type,
            "ongoing": not event.closed,
            "corrected": event.corrected_ns is not None,
            "started_at": iso(event.started_ns),
            "timezone": "UTC" if building is None else building.timezone,
        }
    )


def _sum(one: Totals, other: Totals) -> Totals:
    return Totals(*(getattr(one, name) + getattr(other, name) for name in NAMES))
