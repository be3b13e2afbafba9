"""What the console's first page needs, in one request; and summaries of a stretch of time."""

import threading
import time
from collections import OrderedDict
from functools import reduce
from operator import add
from typing import Annotated, Final
from weakref import WeakKeyDictionary

import structlog
from fastapi import APIRouter, Query, Response
from pydantic import Field
from sqlalchemy import Engine

from api.access import Calling, access
from api.asking import TotalsQuery
from api.context import ApiContext, Context
from api.problems import ProblemError
from api.routes.cameras import said_of
from api.routes.health import NOT_OK, checks
from api.shapes import overview as shapes
from api.shapes.facts import Figures
from api.times import Time, iso
from storage.bus import BusError
from storage.database import summary
from storage.database.records import Camera
from storage.database.statistics import Totals
from storage.identity import Role
from storage.jobs import Job, JobState, JobsWanted
from storage.status import CameraState, CameraStatus

router = APIRouter(tags=["statistics"])

FRESH_S: Final = 1.0
"""However many people look, database and bus are asked no more often for those who may see the same."""

PATIENCE_S: Final = 2.0
MOST_SCOPES: Final = 64
MOST_JOBS: Final = 20
"""In each state."""

NO_REASON: Final[dict[CameraState, str]] = {
    CameraState.CONNECTING: "nothing has come from it yet; if that stays so, see whether the ingest process runs",
    CameraState.STALLED: "its picture stands still or stays away; it is watched whether it comes back",
    CameraState.BACKING_OFF: "it can't be reached; it is tried again by itself",
}

log = structlog.get_logger(__name__)


class SummaryQuery(TotalsQuery):
    """What is to be summed up."""

    period: summary.Period = Field(
        summary.Period.WEEK, description="The day, week or month so far; of no meaning beside `from` and `to`."
    )
    from_: Time | None = Field(None, alias="from", description="Included; only together with `to`.")
    to: Time | None = Field(None, description="Excluded; at most 366 days later.")


@router.get("/statistics/summary", summary="A period against the one before", openapi_extra=access(Role.VIEWER))
def get_summary(context: Context, query: Annotated[SummaryQuery, Query()]) -> shapes.Summary:
    """With the change in percentage points and its interval, the busiest hours, and a table by hour of the week.

    The period before begins and ends at the same weekday and time of day. Hours are those that the clock on the building's
    wall shows.
    """
    asked = summary.Asked(query.scope, query.period, query.from_, query.to, query.timezone)
    return shapes.Summary.of(context.reports.summary(asked, time.time_ns()))


class _Kept:
    """The answer of a moment ago, for all who may see the same and ask meanwhile."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.until_s = 0.0
        self.answer = b""

    def body(self, context: ApiContext) -> bytes:
        if not self.lock.acquire(timeout=PATIENCE_S):
            # Whoever looks is not to take up all threads: other requests may not need what is slow.
            raise ProblemError(503, "database-unavailable", "the database or the bus takes long to answer")
        try:
            if time.monotonic() > self.until_s:
                self.answer = overview(context, time.time_ns()).model_dump_json(by_alias=True).encode()
                self.until_s = time.monotonic() + FRESH_S
            return self.answer
        finally:
            self.lock.release()


class _Shelf:
    """What is kept, by database and by what its callers may see."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: WeakKeyDictionary[Engine, OrderedDict[frozenset[str] | None, _Kept]] = WeakKeyDictionary()

    def of(self, engine: Engine, seen: frozenset[str] | None) -> _Kept:
        with self._lock:
            there = self._kept.setdefault(engine, OrderedDict())
            found = there.pop(seen, None) or _Kept()
            there[seen] = found
            if len(there) > MOST_SCOPES:
                there.popitem(last=False)
            return found


_shelf = _Shelf()


@router.get(
    "/overview",
    summary="Everything on the first page",
    response_model=shapes.Overview,
    openapi_extra=access(Role.VIEWER),
)
def get_overview(context: Context, caller: Calling) -> Response:
    """Today by building and zone, the last days, cameras that are down, and what waits; up to a second old."""
    kept = _shelf.of(context.engine, caller.buildings)
    return Response(kept.body(context), media_type="application/json")


def overview(context: ApiContext, now_ns: int) -> shapes.Overview:
    """What there is to show.

    Raises:
        StorageError: the database can't be read.
    """
    found = context.reports.overview(now_ns)
    today = reduce(add, (building.totals for building in found.buildings), Totals())
    return shapes.Overview(
        as_of=iso(found.as_of_ns),
        today=Figures.of_totals(today),
        trend=[shapes.TrendDay.of(day.isoformat(), totals) for day, totals in found.trend],
        buildings=[shapes.BuildingLine.of(building) for building in found.buildings],
        cameras=_cameras(context),
        events_pending=shapes.Waiting.of(found.pending),
        spot_checks=shapes.SpotChecksWaiting(waiting=found.spot_checks),
        jobs=[
            shapes.JobLine(id=one.id, name=one.files[0].name, state=one.state, progress=one.progress)
            for one in _jobs(context)
        ],
        # Details may name hosts and paths.
        trouble=[
            f"{check.name}: {check.detail if context.caller.buildings is None else NOT_OK}"
            for check in checks(context)
            if check.detail is not None
        ],
    )


def _jobs(context: ApiContext) -> list[Job]:
    """Those that are worked at, and then those that something keeps; of each the latest."""
    states = (JobState.RUNNING, JobState.WAITING)
    return [one for state in states for one in context.jobs.list(JobsWanted(state), None, MOST_JOBS)[0]]


def _cameras(context: ApiContext) -> shapes.CamerasNow:
    enabled = [camera for camera in context.sites.cameras() if camera.enabled]
    try:
        said = said_of(context, enabled)
    except BusError as error:
        # What the database knows is shown all the same; the trouble is said.
        log.warning("states of cameras not known", reason=str(error))
        return shapes.CamerasNow(known=False, enabled=len(enabled), live=0, down=[], warned=[])
    down = [camera for camera in enabled if said[camera.id].state != CameraState.LIVE]
    live = [camera for camera in enabled if said[camera.id].state == CameraState.LIVE]
    return shapes.CamerasNow(
        known=True,
        enabled=len(enabled),
        live=len(live),
        down=[
            _line(
                camera,
                said[camera.id],
                said[camera.id].detail or NO_REASON.get(said[camera.id].state, "it is not live"),
            )
            for camera in sorted(down, key=lambda one: (said[one.id].since_ns, one.name))
        ],
        warned=[
            _line(camera, said[camera.id], "; ".join(said[camera.id].warnings))
            for camera in sorted(live, key=lambda one: one.name)
            if said[camera.id].warnings
        ],
    )


def _line(camera: Camera, status: CameraStatus, detail: str) -> shapes.CameraDown:
    return shapes.CameraDown(
        id=camera.id,
        name=camera.name,
        building_id=camera.building_id,
        state=status.state,
        reason=status.reason,
        since=iso(status.since_ns),
        detail=detail,
    )
