"""Cameras and how they fare."""

import time
from collections.abc import Iterable
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from api.asking import CameraQuery, Known, Named, cursor, paged
from api.context import ApiContext, Context
from api.routes.sites import PolicyIn
from api.shapes import sites as shapes
from api.shapes.common import Listed
from storage.database import records
from storage.database.reports import Position
from storage.status import CameraState, CameraStatus

router = APIRouter(tags=["cameras"])

Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class RegionIn(BaseModel):
    """A part of the picture."""

    model_config = ConfigDict(extra="forbid")

    mode: Literal["watch", "ignore"]
    points: list[tuple[Share, Share]] = Field(min_length=3, max_length=64)


class CameraIn(BaseModel):
    """A camera to be registered."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(examples=["Main entrance"])
    building_id: Named
    zone_id: Named | None = None
    url: str = Field(
        max_length=2048,
        description="rtsp, rtsps, http, https, or `file:` for a file under the media root.",
        examples=["rtsp://user:password@10.0.0.5/1"],
    )
    substream_url: str | None = Field(None, max_length=2048, description="Of a smaller picture of the same view.")
    enabled: bool = True
    counts: bool = True
    analyze_fps: float = Field(5.0, ge=0.01, le=120, allow_inf_nan=False)
    min_face_px: int = Field(24, ge=8, le=1000)
    regions: list[RegionIn] = Field(default=[], max_length=32)
    policy: PolicyIn | None = Field(None, description="The building's where not given.")
    id: Annotated[Named, Field(max_length=24)] | None = Field(None, description="Made where not given.")


@router.post("/cameras", status_code=201, summary="Register a camera")
def add_camera(context: Context, camera: CameraIn, response: Response) -> shapes.Camera:
    """It is watched within seconds, if it is enabled. Answers with its `Location`."""
    made = context.sites.add_camera(
        records.NewCamera(
            name=camera.name,
            building_id=camera.building_id,
            url=camera.url,
            zone_id=camera.zone_id,
            substream_url=camera.substream_url,
            enabled=camera.enabled,
            counts=camera.counts,
            analyze_fps=camera.analyze_fps,
            min_face_px=camera.min_face_px,
            regions=tuple(records.Region(region.mode, tuple(region.points)) for region in camera.regions),
            policy=None if camera.policy is None else camera.policy.record(),
            id=camera.id,
        )
    )
    response.headers["Location"] = f"/api/v1/cameras/{made.id}"
    return shapes.Camera.of(made)


@router.get("/cameras", summary="All cameras in use")
def list_cameras(context: Context, query: Annotated[CameraQuery, Query()]) -> Listed[shapes.Camera]:
    """Newest first."""
    fitting = [
        camera
        for camera in context.sites.cameras()
        if query.building in (None, camera.building_id) and query.zone in (None, camera.zone_id)
    ]
    found, after = paged(fitting, lambda one: Position(one.created_at_ns, one.id), query)
    return Listed(items=[shapes.Camera.of(one) for one in found], next_cursor=cursor(after))


@router.get("/cameras/{camera_id}", summary="One camera")
def get_camera(context: Context, camera_id: Known) -> shapes.Camera:
    """Also when it is archived."""
    return shapes.Camera.of(context.sites.camera(camera_id))


@router.delete("/cameras/{camera_id}", status_code=204, summary="Archive a camera")
def archive_camera(context: Context, camera_id: Known) -> Response:
    """It is no longer watched or listed; its tracks and events stay."""
    context.sites.archive_camera(camera_id)
    return Response(status_code=204)


@router.get("/cameras/{camera_id}/status", summary="How a camera fares")
def get_status(context: Context, camera_id: Known) -> shapes.Status:
    """As of the last second."""
    return statuses(context, [context.sites.camera(camera_id)])[camera_id]


def statuses(context: ApiContext, cameras: Iterable[records.Camera]) -> dict[str, shapes.Status]:
    """How cameras fare, by identifier.

    Raises:
        BusError, StorageError: it can't be found out.
    """
    every = list(cameras)
    names = [camera.id for camera in every]
    said, lost = context.bus.statuses(names), context.reports.lost(names)
    return {
        camera.id: shapes.Status.of(_status(camera, said.get(camera.id)), lost.get(camera.id, 0)) for camera in every
    }


def _status(camera: records.Camera, said: CameraStatus | None) -> CameraStatus:
    """What ingest says, or, where it says nothing, what that means."""
    if camera.enabled and camera.archived_at_ns is None:
        # Nobody is at it. If nobody ever was, that is so since it was registered; otherwise we know only of now.
        since_ns = time.time_ns() if camera.epoch else camera.created_at_ns
        return said or CameraStatus(CameraState.CONNECTING, None, since_ns, 0.0, 0.0, None, "arrival")
    if said is not None and said.state is CameraState.DISABLED:
        return said
    since_ns = camera.created_at_ns if camera.archived_at_ns is None else camera.archived_at_ns
    return CameraStatus(CameraState.DISABLED, None, since_ns, 0.0, 0.0, None, "arrival")
