"""Where recorded footage comes from: what is sent, and what lies under the media root."""

import time
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field
from starlette.concurrency import run_in_threadpool

from api.access import Calling, access
from api.asking import Asked, Known
from api.context import ApiContext, Context
from api.footage_bodies import Label
from api.idempotency import STREAMS
from api.problems import ProblemError
from api.request_body import check_type
from api.shapes import jobs as shapes
from api.uploads import announced_bytes, answered, place_for, take_in
from storage.database.uploads import Upload, new_upload_id
from storage.files import remove_file
from storage.identity import Role
from storage.media import LONGEST_PATH, media_files
from storage.upload_files import UploadFile

router = APIRouter(tags=["recorded footage"])

_BINARY: Final[dict[str, Any]] = {"schema": {"type": "string", "format": "binary"}}
_NAMED_TYPES: Final = ("application/octet-stream", "video/mp4")
"""For the document: `video/` and anything is taken, which it can't say."""

_BODY: Final[dict[str, Any]] = {
    "requestBody": {"required": True, "content": dict.fromkeys(_NAMED_TYPES, _BINARY)},
    STREAMS: True,
}


class UploadQuery(Asked):
    """What is sent."""

    name: Label = Field(
        description="What the file is called: a label, and what `name_pattern` reads. It is no path.",
        examples=["door 2026-07-01 08-00.mp4"],
    )
    sha256: str | None = Field(
        None,
        pattern="^[0-9a-fA-F]{64}$",
        description="Of the whole file, in hexadecimal: what arrives otherwise is refused.",
    )


class MediaQuery(Asked):
    """Which files."""

    under: str = Field("", max_length=LONGEST_PATH, description="A folder; the media root itself where not given.")


@router.post(
    "/uploads",
    status_code=201,
    summary="Send footage",
    response_model=shapes.Upload,
    openapi_extra=access(Role.OPERATOR) | _BODY,
)
async def add_upload(
    context: Context, caller: Calling, query: Annotated[UploadQuery, Query()], request: Request
) -> shapes.Upload:
    """The file is the body, of type `application/octet-stream` or `video/` and whatever. It is there whole, or not at all; it goes when the job that it is for ends.

    400: it ended too early, 413: too large, 422: empty, or not what `sha256` says, 507: no room.
    """
    check_type(request.scope)
    with place_for(caller):
        announced = announced_bytes(request, context.footage.upload_bytes)
        file = await run_in_threadpool(_begun, context, announced or 0)
        with file:
            await take_in(request, file, context.footage.upload_bytes)
            _check(file, query.sha256)
            return await run_in_threadpool(_kept, context, file, query.name)


@router.delete("/uploads/{upload_id}", status_code=204, summary="Remove an upload", openapi_extra=access(Role.OPERATOR))
def remove_upload(context: Context, upload_id: Known) -> Response:
    """Of one's own, and of no job."""
    context.uploads.remove(upload_id)
    remove_file(context.footage.uploads / upload_id)
    return Response(status_code=204)


@router.get("/media", summary="Footage under the media root", openapi_extra=access(Role.OPERATOR))
def list_media(context: Context, query: Annotated[MediaQuery, Query()]) -> shapes.MediaList:
    """All of a folder and of its folders, by path; at most 10,000 files."""
    found = media_files(query.under, context.footage.media)
    return shapes.MediaList(items=[shapes.Media.of(one) for one in found])


def _begun(context: ApiContext, announced: int) -> UploadFile:
    with answered():
        return UploadFile(context.footage.uploads, new_upload_id(), announced)


def _check(file: UploadFile, sha256: str | None) -> None:
    if not file.bytes:
        raise ProblemError(422, "invalid-request", "the upload is empty: send the footage as the body")
    if sha256 is not None and sha256.lower() != file.sha256:
        raise ProblemError(
            422,
            "upload-damaged",
            f"what arrived has the sha256 {file.sha256}, not {sha256.lower()}; nothing of it is kept: send it again",
        )


def _kept(context: ApiContext, file: UploadFile, name: str) -> shapes.Upload:
    """The file first: what it is named by is never without it."""
    with answered():
        file.keep()
    try:
        made = context.uploads.add(Upload(file.path.name, name, file.bytes, file.sha256, time.time_ns()))
    except BaseException:
        remove_file(file.path)
        raise
    return shapes.Upload(id=made.id, name=made.name, bytes=made.bytes, sha256=made.sha256)
