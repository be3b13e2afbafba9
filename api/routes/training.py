"""What can be learned from reviews."""

from collections.abc import Iterator
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field
from starlette.responses import StreamingResponse

from api.access import access
from api.asking import Asked
from api.context import Context
from api.times import Time
from storage.database.judged_pictures import JudgedEvent, JudgedPictures
from storage.identity import Role
from storage.learning import as_zip

router = APIRouter(tags=["training"])


class ExportQuery(Asked):
    """Which events."""

    from_: Time | None = Field(None, alias="from", description="Began at or after.")
    to: Time | None = Field(None, description="Began before.")


@router.get(
    "/training/export",
    summary="Reviewed faces, to train with",
    response_class=StreamingResponse,
    responses={
        200: {
            "content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}},
            "description": "A ZIP file with a folder for each label, `reviews.jsonl` and `manifest.csv`.",
        }
    },
    openapi_extra=access(Role.ADMIN),
)
def export_training(context: Context, query: Annotated[ExportQuery, Query()]) -> StreamingResponse:
    """Of the caller's buildings: faces of events that were confirmed, or dismissed as `wrong_label` or `not_a_person`.

    Faces below 24 pixels and blurred ones are left out. Unpacked, it is a folder that `maskwatch train` reads.
    """
    pictures = context.judged
    pictures.note_export(query.from_, query.to)
    return StreamingResponse(
        as_zip(_events(pictures, query), context.snapshots),
        media_type="application/zip",
        headers={"Content-Disposition": 'attachment; filename="maskwatch-reviews.zip"'},
    )


def _events(pictures: JudgedPictures, query: ExportQuery) -> Iterator[JudgedEvent]:
    after: tuple[int, str] | None = None
    while page := pictures.page(query.from_, query.to, after):
        yield from page
        after = (page[-1].started_ns, page[-1].id)
