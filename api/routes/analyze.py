"""Try a photo: who wears what in a picture that somebody sends; nothing of it is kept."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, Field

from api.access import access
from api.asking import Asked
from api.context import Context
from api.idempotency import SHOWS_SECRET
from api.pictures import JPEG, PRIVATE, analyze
from api.problems import ProblemError
from api.request_body import PICTURE_TYPES
from storage.identity import Role
from storage.looking import AnalyzeAsked
from storage.words import Label, UnknownReason

router = APIRouter(tags=["pictures"])

_BINARY: Final[dict[str, Any]] = {"schema": {"type": "string", "format": "binary"}}
_BODY: Final[dict[str, Any]] = {"requestBody": {"required": True, "content": dict.fromkeys(PICTURE_TYPES, _BINARY)}}


class AnalyzeQuery(Asked):
    """What is wanted."""

    name: str = Field("picture", min_length=1, max_length=200, description="That the answer calls the picture by.")
    annotate: bool = Field(False, description="Answer with the picture, boxes and labels in it, instead of JSON.")


class AnalyzedFace(BaseModel):
    """One face, as `maskwatch image --json` gives it."""

    box: tuple[int, int, int, int] = Field(description="x, y, width, height in pixels.")
    detection_score: float
    label: Label
    confidence: float
    unknown_reason: UnknownReason | None
    probabilities: dict[str, float]


class Analyzed(BaseModel):
    """A picture, as `maskwatch image --json` gives it."""

    image: str
    width: int
    height: int
    faces: list[AnalyzedFace]


async def _picture(request: Request) -> bytes:
    return await request.body()


@router.post(
    "/analyze",
    summary="Faces and masks in a picture",
    response_model=Analyzed,
    responses={200: {"content": {JPEG: _BINARY}, "description": "JSON, or with `annotate` a JPEG."}},
    # Its answer is not kept for a second request either.
    openapi_extra=access(Role.VIEWER) | SHOWS_SECRET | _BODY,
)
def analyze_picture(
    context: Context, query: Annotated[AnalyzeQuery, Query()], picture: Annotated[bytes, Depends(_picture)]
) -> Response:
    """A JPEG, PNG, WebP, BMP, GIF or TIFF of at most 20 MB, as the body itself. Nothing of it is stored or logged."""
    if not picture:
        raise ProblemError(422, "picture-refused", "the body is empty: send a picture in it")
    body = analyze(context, AnalyzeAsked(picture, query.name, query.annotate))
    return Response(body, media_type=JPEG if query.annotate else "application/json", headers=PRIVATE)
