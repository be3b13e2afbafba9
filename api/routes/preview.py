"""What cameras show now, with boxes and labels; nobody without an event can be recognised in it."""

from enum import IntEnum
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import Field

from api.access import Calling, access
from api.asking import Asked, Known
from api.context import Context
from api.identity import still_welcome
from api.preview import MEDIA_TYPE, PRIVATE, PreviewStream, Viewer, Viewers
from api.problems import ProblemError
from api.routes.cameras import said_of
from storage.database.records import Camera
from storage.errors import NotFoundError
from storage.identity import Caller, Role
from storage.preview import Picture
from storage.status import CameraState

router = APIRouter(tags=["cameras"])

COVERED = (
    "Everybody without an event is pixelated: the upper part of all that is not there when nobody is, and every head that "
    "was found. Until it is known how a place looks when nobody is there, it is pixelated, too."
)


class Width(IntEnum):
    """Of pictures, in pixels."""

    NARROW = 320
    USUAL = 640
    WIDE = 960


class PreviewQuery(Asked):
    """How it is to be."""

    width: Width = Field(
        Width.USUAL, description="At most so many pixels; the widest that is asked for counts for all."
    )


@router.get(
    "/cameras/{camera_id}/preview",
    summary="What a camera shows, live",
    response_class=Response,
    responses={200: {"content": {MEDIA_TYPE.partition(";")[0]: {}}, "description": COVERED}},
    openapi_extra=access(Role.VIEWER),
)
async def get_preview(
    request: Request, context: Context, caller: Calling, camera_id: Known, query: Annotated[PreviewQuery, Query()]
) -> Response:
    """About five JPEG pictures a second, 3.1 s late at most, for an `img` element; 503 where nothing comes within 5 s.

    While the camera is away the last picture stays. It ends after 15 minutes: come back.
    """
    viewers: Viewers = request.app.state.viewers
    viewer, first = await _joined(viewers, context, camera_id, query.width)
    welcome = partial(_still_welcome, request, context, caller, camera_id)
    return PreviewStream(viewers, viewer, first, welcome)


@router.get(
    "/cameras/{camera_id}/preview.jpg",
    summary="What a camera shows now, with boxes",
    response_class=Response,
    responses={200: {"content": {"image/jpeg": {}}, "description": COVERED}},
    openapi_extra=access(Role.VIEWER),
)
async def get_preview_picture(
    request: Request, context: Context, camera_id: Known, query: Annotated[PreviewQuery, Query()]
) -> Response:
    """The latest picture of the preview; who asks again within 5 s has it at once."""
    viewers: Viewers = request.app.state.viewers
    viewer, picture = await _joined(viewers, context, camera_id, query.width)
    viewers.leave(viewer)
    return Response(picture.jpeg, media_type="image/jpeg", headers=PRIVATE)


async def _joined(viewers: Viewers, context: Context, camera_id: str, width: int) -> tuple[Viewer, Picture]:
    """A viewer of the camera, and the first picture.

    Raises:
        NotFoundError: there is no such camera, of the caller's.
        ProblemError: 503: nobody watches it, too many look, or nothing comes; 429: the caller has too many open.
        BusError: the bus is away.
    """
    camera = await run_in_threadpool(_watched, context, camera_id)
    viewer = Viewer(context.caller, camera.id, width)
    viewers.join(viewer)
    first = None
    try:
        first = await viewer.first()
    finally:
        if first is None:
            viewers.leave(viewer)
    if first is None:
        reason = await run_in_threadpool(_reason, context, camera)
        raise ProblemError(503, "preview-unavailable", f"camera {camera.name!r} shows nothing now: {reason}")
    return viewer, first


def _still_welcome(request: Request, context: Context, caller: Caller, camera_id: str) -> bool:
    """Whether who looks still may, and the camera is still in use, and in a building of theirs."""
    try:
        camera = context.sites.camera(camera_id)
    except NotFoundError:
        return False
    return camera.enabled and camera.archived_at_ns is None and still_welcome(request, caller)


def _watched(context: Context, camera_id: str) -> Camera:
    camera = context.sites.camera(camera_id)
    if not camera.enabled or camera.archived_at_ns is not None:
        raise ProblemError(503, "preview-unavailable", f"camera {camera.name!r} is not in use: enable it first")
    # Without the bus there is nothing to wait for.
    context.bus.ping()
    return camera


def _reason(context: Context, camera: Camera) -> str:
    status = said_of(context, [camera])[camera.id]
    if status.detail is not None:
        return status.detail
    if status.state is CameraState.LIVE:
        return "no picture came within 5 s, though it is live: try again"
    return f"it is {status.state.value.replace('_', ' ')}; see that the system runs, and try again"
