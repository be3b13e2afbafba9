"""What people say of events."""

import time
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Response
from pydantic import BaseModel, ConfigDict, Field

from api.access import access
from api.asking import MOST_ITEMS, Known, Named
from api.context import Context
from api.problems import ProblemError, kind_of
from api.shapes import facts as shapes
from api.shapes.common import Breach, iso_or_none
from api.times import Instant, iso
from api.versions import version_of
from storage import reviewing
from storage.database.reports import EventRecord
from storage.database.reviews import Outcome, PastReview
from storage.identity import Role
from storage.reviewing import MOST_NOTE, Reason
from storage.telling import News, NewsKind
from storage.words import Label

router = APIRouter(tags=["tracks and events"])

Seen = Annotated[
    str | None, Header(alias="If-Match", description="`version` of the review that was read; needed, and else 412.")
]
"""Needed: nobody overwrites what they have not read."""

IDS = Annotated[list[Named], Field(min_length=1, max_length=MOST_ITEMS)]
Version = Annotated[int, Field(ge=1, le=2**31 - 1)]


class ReviewIn(BaseModel):
    """What is said of an event."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"verdict": "dismissed", "reason": "wrong_label", "label": "with_mask", "note": "scarf"}]
        },
    )

    verdict: Literal["confirmed", "dismissed"]
    reason: Reason | None = Field(None, description="Of a dismissal, which needs one.")
    label: Label | None = Field(
        None,
        description="With `confirmed`: of what type the event is. With `wrong_label`, needed: what the person wears.",
    )
    note: str | None = Field(None, max_length=MOST_NOTE, description="Text for people; kept as it is given.")

    def record(self) -> reviewing.Review:
        """The same for the database."""
        return reviewing.Review(reviewing.Verdict(self.verdict), self.reason, self.label, self.note or None)


class ReviewsIn(ReviewIn):
    """What is said of many events alike."""

    ids: IDS
    versions: dict[Named, Version] = Field(
        max_length=MOST_ITEMS, description="Of each event, `version` of the review that was read."
    )


class ReviewDone(BaseModel):
    """What came of one of them."""

    id: str
    done: bool
    event: shapes.Event | None = Field(description="As it is now; null where it was not done.")
    problem: str | None = Field(
        description="`type` of the problem, where it was not done.", examples=["/problems/version-mismatch"]
    )
    detail: str | None = Field(description="Likewise, why.")

    @classmethod
    def of(cls, outcome: Outcome) -> "ReviewDone":
        """From what came of it."""
        refusal, event = outcome.refusal, outcome.event
        return cls(
            id=outcome.event_id,
            done=refusal is None,
            event=None if event is None else shapes.Event.of(event),
            problem=None if refusal is None else f"/problems/{kind_of(refusal)}",
            detail=None if refusal is None else str(refusal),
        )


class ReviewsDone(BaseModel):
    """What came of each, in their order."""

    items: list[ReviewDone]


class Said(BaseModel):
    """What somebody said of an event."""

    version: int = Field(description="Of the review, then.")
    verdict: Literal["confirmed", "dismissed"]
    reason: Reason | None
    label: Label | None
    note: str | None
    by: str
    at: Instant
    undone_by: str | None = Field(description="Who took it back; null where it was not.")
    undone_at: Instant | None

    @classmethod
    def of(cls, past: PastReview) -> "Said":
        """From the record."""
        given: dict[str, Any] = {
            name: getattr(past, name) for name in ("version", "verdict", "reason", "label", "note")
        }
        return cls(
            **given,
            by=past.by_name,
            at=iso(past.at_ns),
            undone_by=past.undone_by,
            undone_at=iso_or_none(past.undone_at_ns),
        )


class History(BaseModel):
    """All that was said of an event, latest first, at most 200."""

    type: Breach = Field(description="Of the event, as it counts now.")
    machine_type: Breach = Field(description="As the system says.")
    items: list[Said]


@router.post("/events/{event_id}/review", summary="Judge an event", openapi_extra=access(Role.REVIEWER))
def review_event(
    context: Context, event_id: Known, review: ReviewIn, response: Response, if_match: Seen = None
) -> shapes.Event:
    """It takes the place of what was said before, and the figures follow at once.

    `confirmed` with the other `label` changes the event's type. A dismissed event counts no more; `wrong_label` corrects
    its track's label, `not_a_person` and `duplicate` take the track out of all counts, and `exempt` counts it as exempt.
    """
    done = context.reviews.review(event_id, review.record(), _needed(if_match), time.time_ns())
    return _told(context, done, response)


@router.post("/events/{event_id}/review/undo", summary="Take a review back", openapi_extra=access(Role.REVIEWER))
def undo_review(context: Context, event_id: Known, response: Response, if_match: Seen = None) -> shapes.Event:
    """What was said before it holds again; it stays in the history."""
    done = context.reviews.undo(event_id, _needed(if_match), time.time_ns())
    return _told(context, done, response)


@router.get("/events/{event_id}/history", summary="What was said of an event", openapi_extra=access(Role.VIEWER))
def get_history(context: Context, event_id: Known) -> History:
    """Whatever was undone is there too."""
    event = shapes.Event.of(context.reports.event(event_id))
    items = [Said.of(past) for past in context.reviews.history(event_id)]
    return History(type=event.type, machine_type=event.machine_type, items=items)


@router.post("/events/review", summary="Judge many events alike", openapi_extra=access(Role.REVIEWER))
def review_events(context: Context, reviews: ReviewsIn) -> ReviewsDone:
    """Each by itself: what can't be done to one is still done to the others, and the answer says of each what came of it."""
    outcomes = context.reviews.review_each(reviews.ids, reviews.record(), reviews.versions, time.time_ns())
    context.telling.tell(_news(one.event) for one in outcomes if one.event is not None)
    return ReviewsDone(items=[ReviewDone.of(one) for one in outcomes])


def _needed(if_match: str | None) -> int:
    version = version_of(if_match)
    if version is None:
        raise ProblemError(
            428, "version-required", 'send `If-Match` with the review\'s `version` that you have read, such as "1"'
        )
    return version


def _told(context: Context, event: EventRecord, response: Response) -> shapes.Event:
    context.telling.tell([_news(event)])
    response.headers["ETag"] = f'"{event.review_version}"'
    return shapes.Event.of(event)


def _news(event: EventRecord) -> News:
    return News(NewsKind.REVIEWED, event.id, event.building_id)
