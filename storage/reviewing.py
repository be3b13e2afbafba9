"""What people say of events, and what of an event and its track is so then.

What the system says is never lost: a review is judged by that alone, so that another review, or none after an undo,
leaves nothing of the one before.
"""

import unicodedata
from enum import StrEnum
from typing import Final

import msgspec

from storage.errors import InvalidError
from storage.words import EVENT_LABELS, Label

MOST_NOTE: Final = 2000
"""Characters of a note."""


class Verdict(StrEnum):
    """What people say of an event."""

    PENDING = "pending"
    CONFIRMED = "confirmed"
    DISMISSED = "dismissed"


class Reason(StrEnum):
    """Why an event is dismissed."""

    WRONG_LABEL = "wrong_label"
    NOT_A_PERSON = "not_a_person"
    DUPLICATE = "duplicate"
    EXEMPT = "exempt"


class Ruling(StrEnum):
    """How a track is counted, other than by its label."""

    EXEMPT = "exempt"
    """As exempt: beside the rate, not in it."""
    EXCLUDED = "excluded"
    """Nowhere."""


class Review(msgspec.Struct, frozen=True):
    """What somebody says of an event.

    Attributes:
        verdict: never pending; what was said is taken back by an undo.
        reason: of a dismissal.
        label: with `confirmed`, of what type the event is; with `wrong_label`, what the person wears.
        note: for people, at most `MOST_NOTE` characters.
    """

    verdict: Verdict
    reason: Reason | None = None
    label: Label | None = None
    note: str | None = None


class Judged(msgspec.Struct, frozen=True):
    """What is so of an event and its track.

    Attributes:
        type: of the event.
        type_kept: people have said so: it stays, whatever the system says later.
        label: of the track.
        label_kept: likewise.
        ruling: how the track is counted, if not by its label.
    """

    type: Label
    label: Label
    type_kept: bool = False
    label_kept: bool = False
    ruling: Ruling | None = None


def judged(event_type: Label, track_label: Label, review: Review | None) -> Judged:
    """What is so, by what the system says and what people say.

    A confirmed event keeps its type. Confirmed as the other type it takes its track along where that had the label of the
    event. A dismissed event counts no more, and its track by the reason.

    Args:
        event_type: by the system.
        track_label: likewise.
        review: None: nobody has said anything.
    """
    if review is None or review.verdict is Verdict.PENDING:
        return Judged(event_type, track_label)
    if review.verdict is Verdict.CONFIRMED:
        kind = review.label or event_type
        corrected = kind is not event_type and track_label is event_type
        return Judged(kind, kind if corrected else track_label, type_kept=True, label_kept=corrected)
    if review.reason is Reason.WRONG_LABEL and review.label is not None:
        return Judged(event_type, review.label, label_kept=True)
    ruling = Ruling.EXEMPT if review.reason is Reason.EXEMPT else Ruling.EXCLUDED
    return Judged(event_type, track_label, ruling=ruling)


def check_review(review: Review, event_type: Label) -> None:
    """See that a review makes sense.

    Args:
        review: somebody's.
        event_type: what the system says of the event.

    Raises:
        InvalidError: it does not.
    """
    if review.verdict is Verdict.PENDING:
        raise InvalidError("a review confirms or dismisses an event: to take back what was said, undo it")
    if review.verdict is Verdict.CONFIRMED:
        _check_confirmed(review)
    else:
        _check_dismissed(review, event_type)
    if review.note is not None:
        _check_note(review.note)


def _check_confirmed(review: Review) -> None:
    if review.reason is not None:
        raise InvalidError(f"`reason` goes with a dismissal: leave {review.reason} away, or dismiss the event")
    if review.label is not None and review.label not in EVENT_LABELS:
        raise InvalidError(
            f"an event is confirmed as {' or '.join(EVENT_LABELS)}: to say {review.label}, dismiss it as wrong_label"
        )


def _check_dismissed(review: Review, event_type: Label) -> None:
    label = review.label
    if review.reason is None:
        raise InvalidError(f"a dismissal needs a `reason`: one of {', '.join(Reason)}")
    if review.reason is Reason.WRONG_LABEL:
        if label is None:
            raise InvalidError(f"wrong_label needs the right `label`: one of {', '.join(Label)}")
        if label is event_type:
            raise InvalidError(f"{label} is what the system says of the event: confirm it, or give another label")
    elif label is not None:
        raise InvalidError(f"`label` goes with wrong_label, not with {review.reason}: leave it away")


def _check_note(note: str) -> None:
    if len(note) > MOST_NOTE:
        raise InvalidError(f"a note has at most {MOST_NOTE} characters, not {len(note)}")
    # Among the latter are halves of characters, which no database takes.
    if any(unicodedata.category(letter) in {"Cc", "Cs"} and letter != "\n" for letter in note):
        raise InvalidError("a note is text: it has a control character, leave that away")
