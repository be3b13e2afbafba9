"""Many cameras at once."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import Field, TypeAdapter, ValidationError

from api.access import access
from api.asking import Asked
from api.bodies import ListedCamera
from api.context import Context
from api.ingest import check_list
from api.problems import ProblemError, invalid
from api.shapes import cameras as shapes
from storage.camera_list import MOST_CAMERAS, Listed, Mistake, read_list
from storage.database.camera_export import export_cameras
from storage.database.camera_import import import_cameras
from storage.errors import InputError
from storage.identity import Role

router = APIRouter(tags=["cameras"])

CSV: Final = "text/csv"
_LIST: Final = TypeAdapter(Annotated[list[ListedCamera], Field(max_length=MOST_CAMERAS)])

SCHEMAS: Final[dict[str, Any]] = _LIST.json_schema(ref_template="#/components/schemas/{model}")["$defs"]
"""Shapes of the body of an import, which its route does not state."""

_BODY: Final = {
    "requestBody": {
        "required": True,
        "content": {
            CSV: {"schema": {"type": "string", "description": "A camera a line; its first line names the columns."}},
            "application/json": {
                "schema": {
                    "type": "array",
                    "items": {"$ref": "#/components/schemas/ListedCamera"},
                    "maxItems": MOST_CAMERAS,
                }
            },
        },
    }
}


class ImportQuery(Asked):
    """How a list is taken in."""

    dry_run: bool = Field(False, description="Only say what would be done.")
    check: bool = Field(True, description="See which of them can be reached, for a minute at most; not in a dry run.")
    timezone: Annotated[str, Field(max_length=64)] | None = Field(
        None,
        description="IANA name: missing buildings are made in it, and zones. Without it, none are made.",
        examples=["Europe/Berlin"],
    )


async def _content(request: Request) -> tuple[bytes, str]:
    return await request.body(), request.headers.get("content-type", "").partition(";")[0].strip().lower()


@router.post("/cameras/import", summary="Register and change many cameras", openapi_extra=access(Role.OPERATOR) | _BODY)
def import_list(
    context: Context, query: Annotated[ImportQuery, Query()], content: Annotated[tuple[bytes, str], Depends(_content)]
) -> shapes.ImportReport:
    """By name: the same list again changes nothing. Columns and members that are not there leave a camera as it is.

    With a mistake in it nothing is taken: 422, with the `mistakes` by line. Cameras that can't be reached are registered
    all the same.
    """
    listed, mistakes = _read(*content)
    found = import_cameras(context.sites, listed, mistakes, timezone=query.timezone, dry_run=query.dry_run)
    if found.mistakes:
        lines = [shapes.ImportMistake.of(one).model_dump() for one in found.mistakes]
        detail = "; ".join(f"line {one.line}: {one.message}" for one in found.mistakes[:5])
        raise ProblemError(422, "invalid-request", f"nothing was taken: {detail}", mistakes=lines)
    names = [one.camera.id for one in found.cameras]
    # In a dry run new cameras are nowhere that the ingest process could look them up.
    probes = check_list(context, names) if query.check and found.applied else {}
    report = shapes.ImportReport.of(found)
    report.checked = bool(probes)
    report.cameras = [shapes.ImportedCamera.of(one, probes.get(one.camera.id)) for one in found.cameras]
    return report


@router.get(
    "/cameras/export",
    summary="All cameras in use as a list that can be imported",
    response_class=Response,
    responses={200: {"content": {CSV: {"schema": {"type": "string"}}}, "description": "Without passwords."}},
    openapi_extra=access(Role.OPERATOR),
)
def export_list(context: Context) -> Response:
    """`***` stands for passwords; on import it keeps that of the camera that is there."""
    text, _ = export_cameras(context.sites)
    headers = {"Content-Disposition": 'attachment; filename="cameras.csv"'}
    return Response(text, media_type=CSV, headers=headers)


def _read(body: bytes, kind: str) -> tuple[list[Listed], list[Mistake]]:
    if kind == CSV:
        try:
            return read_list(body)
        except InputError as error:
            raise ProblemError(422, "invalid-request", str(error)) from None
    try:
        given = _LIST.validate_json(body)
    except ValidationError as error:
        raise invalid(error.errors(include_url=False), "body") from None
    return [one.listed(place) for place, one in enumerate(given, 1)], []
