"""Cameras and how they fare."""

import time
from collections.abc import Iterable, Sequence
from typing import Annotated

import msgspec
from fastapi import APIRouter, Query, Response
from pydantic import Field

from api import ingest
from api.access import access
from api.asking import Asked, CameraQuery, Known, cursor, paged
from api.bodies import CameraIn, CameraPatch
from api.context import ApiContext, Context
from api.shapes import cameras as checked
from api.shapes import sites as shapes
from api.shapes.common import Listed
from api.versions import IfMatch, merged, tag
from storage.database import records
from storage.database.reports import Position
from storage.identity import Role
from storage.status import CameraState, CameraStatus

router = APIRouter(tags=["cameras"])


class CheckQuery(Asked):
    """Whether to look."""

    check: bool = Field(True, description="See whether it can be reached, for 10 s at most.")


@router.post("/cameras", status_code=201, summary="Register a camera", openapi_extra=access(Role.OPERATOR))
def add_camera(
    context: Context, camera: CameraIn, query: Annotated[CheckQuery, Query()], response: Response
) -> checked.Registered:
    """It is registered whether it can be reached or not, and watched within seconds, if it is enabled.

    Answers with its `Location`.
    """
    made = context.sites.add_camera(camera.record())
    response.headers["Location"] = f"/api/v1/cameras/{made.id}"
    tag(response, made.version)
    return checked.Registered.with_check(made, ingest.check_new(context, made.id) if query.check else None)


@router.get("/cameras", summary="All cameras in use", openapi_extra=access(Role.VIEWER))
def list_cameras(context: Context, query: Annotated[CameraQuery, Query()]) -> Listed[shapes.Camera]:
    """Newest first."""
    fitting = [
        camera
        for camera in context.sites.cameras()
        if query.building in (None, camera.building_id) and query.zone in (None, camera.zone_id)
    ]
    found, after = paged(fitting, lambda one: Position(one.created_at_ns, one.id), query)
    return Listed(items=[shapes.Camera.of(one) for one in found], next_cursor=cursor(after))


@router.get("/cameras/{camera_id}", summary="One camera", openapi_extra=access(Role.VIEWER))
def get_camera(context: Context, camera_id: Known, response: Response) -> shapes.Camera:
    """Also when it is archived."""
    found = context.sites.camera(camera_id)
    tag(response, found.version)
    return shapes.Camera.of(found)


@router.patch("/cameras/{camera_id}", summary="Change a camera", openapi_extra=access(Role.OPERATOR))
def change_camera(
    context: Context, camera_id: Known, changes: CameraPatch, version: IfMatch, response: Response
) -> shapes.Camera:
    """What is not given stays, of `policy` and `thresholds`, too. It is so within two seconds, without a restart."""
    changed = merged(
        lambda: context.sites.camera(camera_id),
        lambda found, its: context.sites.change_camera(camera_id, changes.changes(found), version=its),
        version,
        merges=not {"policy", "thresholds"}.isdisjoint(changes.model_fields_set),
    )
    tag(response, changed.version)
    return shapes.Camera.of(changed)


@router.delete("/cameras/{camera_id}", status_code=204, summary="Archive a camera", openapi_extra=access(Role.OPERATOR))
def archive_camera(context: Context, camera_id: Known) -> Response:
    """It is no longer watched or listed; its tracks and events stay."""
    context.sites.archive_camera(camera_id)
    return Response(status_code=204)


@router.post(
    "/cameras/{camera_id}/restore", summary="Take an archived camera back into use", openapi_extra=access(Role.OPERATOR)
)
def restore_camera(context: Context, camera_id: Known, response: Response) -> shapes.Camera:
    """With everything it had; one in use stays as it is."""
    back = context.sites.restore_camera(camera_id)
    tag(response, back.version)
    return shapes.Camera.of(back)


@router.post(
    "/cameras/{camera_id}/test", summary="See whether a camera can be reached", openapi_extra=access(Role.OPERATOR)
)
def try_camera(context: Context, camera_id: Known) -> checked.Check:
    """What it shows, within 10 s. Where it shows nothing: 422 with the `reason`; where nobody can look: 503."""
    camera = context.sites.camera(camera_id)
    found = ingest.check(context, camera.id)
    context.sites.note_shown("camera.tested", camera, ok=found.ok)
    if not found.ok:
        raise ingest.unreachable(found)
    return checked.Check.of(found)


@router.get(
    "/cameras/{camera_id}/still",
    summary="What a camera shows now",
    response_class=Response,
    responses={200: {"content": {"image/jpeg": {}}, "description": "It may show people; it is stored nowhere."}},
    openapi_extra=access(Role.OPERATOR),
)
def get_still(context: Context, camera_id: Known) -> Response:
    """For whoever sets it up; at most 1280 pixels wide."""
    camera = context.sites.camera(camera_id)
    jpeg = ingest.latest(context, camera.id)
    context.sites.note_shown("camera.still_shown", camera)
    return Response(jpeg, media_type="image/jpeg", headers={"Cache-Control": "private, no-store"})


@router.get("/cameras/{camera_id}/status", summary="How a camera fares", openapi_extra=access(Role.VIEWER))
def get_status(context: Context, camera_id: Known) -> checked.Status:
    """As of the last second."""
    return statuses(context, [context.sites.camera(camera_id)])[camera_id]


def statuses(context: ApiContext, cameras: Iterable[records.Camera]) -> dict[str, checked.Status]:
    """How cameras fare, by identifier.

    Raises:
        BusError, StorageError: it can't be found out.
    """
    every = list(cameras)
    said, lost = said_of(context, every), context.reports.lost([camera.id for camera in every])
    return {name: checked.Status.of(status, lost.get(name, 0)) for name, status in said.items()}


def said_of(context: ApiContext, cameras: Sequence[records.Camera]) -> dict[str, CameraStatus]:
    """What the bus alone knows of it.

    Raises:
        BusError: it is away.
    """
    names = [camera.id for camera in cameras]
    said, shed = context.bus.statuses(names), context.bus.shed_by_classify(names)
    return {camera.id: _with_shed(_status(camera, said.get(camera.id)), shed.get(camera.id, 0)) for camera in cameras}


def _with_shed(status: CameraStatus, samples: int) -> CameraStatus:
    """With what `classify` dropped, of which ingest knows nothing."""
    return msgspec.structs.replace(status, drops=status.drops | {"classify": samples}) if samples else status


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
