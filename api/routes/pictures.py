"""Pictures of events, for review: the frame, the person up close, their face in time, and what the model went by."""

from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, Field

from api.access import access
from api.asking import LARGEST, Asked, Known
from api.context import Context
from api.pictures import JPEG, PRIVATE, Pictures, closer, explain, shown, stored
from api.times import Instant, iso
from storage.database.event_pictures import EXPLAINED, PREFETCHED, SHOWN
from storage.identity import Role
from storage.looking import ExplainAsked
from storage.words import Label

router = APIRouter(tags=["tracks and events"])

_HAD: Final[dict[int | str, dict[str, Any]]] = {304: {"description": "`If-None-Match` names it."}}


def _jpeg(description: str) -> dict[int | str, dict[str, Any]]:
    schema = {"schema": {"type": "string", "format": "binary"}}
    return {200: {"content": {JPEG: schema}, "description": description}}


class SnapshotQuery(Asked):
    """How a picture is shown."""

    view: Literal["frame", "closeup"] = Field("frame", description="The whole frame, or the person up close.")
    prefetch: bool = Field(False, description="It is not shown yet; noted as such. As is `Sec-Purpose: prefetch`.")


class ExplanationQuery(Asked):
    """What is to be explained."""

    label: Literal["with_mask", "without_mask", "incorrect_mask"] | None = Field(
        None, description="Whose reason is wanted; the event's type where not given."
    )


class FaceMoment(BaseModel):
    """The person's face at one moment."""

    at: Instant
    label: Label = Field(description="What they wore then.")
    url: str


class Faces(BaseModel):
    """The person's face as time went on, at most 8 moments, oldest first."""

    items: list[FaceMoment]


@router.get(
    "/events/{event_id}/snapshot",
    summary="The picture kept with an event",
    response_class=Response,
    responses=_jpeg("All but the event's person is pixelated.") | _HAD,
    openapi_extra=access(Role.VIEWER),
)
def get_snapshot(
    context: Context, pictures: Pictures, event_id: Known, query: Annotated[SnapshotQuery, Query()], request: Request
) -> Response:
    """While the event goes on, a better picture may replace it. Who looks at it is noted, with 304, too."""
    found, jpeg = stored(context, pictures, event_id)
    if query.view == "closeup":
        jpeg = closer(found, jpeg)
    ahead = query.prefetch or "prefetch" in request.headers.get("sec-purpose", "")
    pictures.note_look(event_id, PREFETCHED if ahead else SHOWN, view=query.view)
    return shown(request, jpeg)


@router.get("/events/{event_id}/faces", summary="The person's face as time went on", openapi_extra=access(Role.VIEWER))
def list_faces(pictures: Pictures, event_id: Known) -> Faces:
    """Kept while the rule is broken, at least 0.7 s apart, spread over the whole time. Who looks is noted."""
    moments = [
        FaceMoment(at=iso(face.at_ns), label=Label(face.label), url=f"/api/v1/events/{event_id}/faces/{face.at_ns}")
        for face in pictures.faces(event_id)
    ]
    return Faces(items=moments)


@router.get(
    "/events/{event_id}/faces/{at_ns}",
    summary="The person's face at one moment",
    response_class=Response,
    responses=_jpeg("The face and what is just around it; all else is pixelated.") | _HAD,
    openapi_extra=access(Role.VIEWER),
)
def get_face(
    pictures: Pictures,
    event_id: Known,
    at_ns: Annotated[int, Path(ge=0, le=LARGEST, description="Unix time in nanoseconds, as in the list.")],
    request: Request,
) -> Response:
    """One of those that are listed."""
    return shown(request, pictures.face(event_id, at_ns))


@router.get(
    "/events/{event_id}/explanation",
    summary="Which parts of the face speak for a label",
    response_class=Response,
    responses=_jpeg("The close-up with heat over it: yellow speaks most for the label."),
    openapi_extra=access(Role.VIEWER),
)
def get_explanation(
    context: Context, pictures: Pictures, event_id: Known, query: Annotated[ExplanationQuery, Query()]
) -> Response:
    """Made on request by the classifier from the picture kept with the event; 503 after 5 s. Who looks is noted."""
    found, jpeg = stored(context, pictures, event_id)
    label = query.label or found.type
    heat = explain(context, ExplainAsked(jpeg, found.box, label))
    pictures.note_look(event_id, EXPLAINED, label=label)
    return Response(heat, media_type=JPEG, headers=PRIVATE)
