"""What an event and its track are by a review: one table for what counts, one for what makes no sense."""

import pytest

from storage.errors import InvalidError
from storage.reviewing import Judged, Reason, Review, Ruling, Verdict, check_review, judged
from storage.words import Label

WITH, WITHOUT, INCORRECT, UNKNOWN = Label.WITH_MASK, Label.WITHOUT_MASK, Label.INCORRECT_MASK, Label.UNKNOWN


def confirmed(label: Label | None = None) -> Review:
    return Review(Verdict.CONFIRMED, None, label)


def dismissed(reason: Reason, label: Label | None = None) -> Review:
    return Review(Verdict.DISMISSED, reason, label)


@pytest.mark.parametrize(
    ("review", "expected"),
    [
        (None, Judged(WITHOUT, WITHOUT)),
        (Review(Verdict.PENDING), Judged(WITHOUT, WITHOUT)),
        (confirmed(), Judged(WITHOUT, WITHOUT, type_kept=True)),
        (confirmed(WITHOUT), Judged(WITHOUT, WITHOUT, type_kept=True)),
        (confirmed(INCORRECT), Judged(INCORRECT, INCORRECT, type_kept=True, label_kept=True)),
        (dismissed(Reason.WRONG_LABEL, WITH), Judged(WITHOUT, WITH, label_kept=True)),
        (dismissed(Reason.WRONG_LABEL, UNKNOWN), Judged(WITHOUT, UNKNOWN, label_kept=True)),
        (dismissed(Reason.WRONG_LABEL, INCORRECT), Judged(WITHOUT, INCORRECT, label_kept=True)),
        (dismissed(Reason.NOT_A_PERSON), Judged(WITHOUT, WITHOUT, ruling=Ruling.EXCLUDED)),
        (dismissed(Reason.DUPLICATE), Judged(WITHOUT, WITHOUT, ruling=Ruling.EXCLUDED)),
        (dismissed(Reason.EXEMPT), Judged(WITHOUT, WITHOUT, ruling=Ruling.EXEMPT)),
    ],
)
def test_a_review_says_what_is_so(review: Review | None, expected: Judged) -> None:
    assert judged(WITHOUT, WITHOUT, review) == expected


def test_a_track_of_another_label_than_its_event_keeps_it_when_the_event_is_confirmed_as_the_other_type() -> None:
    assert judged(WITHOUT, WITH, confirmed(INCORRECT)) == Judged(INCORRECT, WITH, type_kept=True)


@pytest.mark.parametrize(
    ("review", "sentence"),
    [
        (Review(Verdict.PENDING), "undo it"),
        (Review(Verdict.CONFIRMED, Reason.EXEMPT), "goes with a dismissal"),
        (confirmed(WITH), "dismiss it as wrong_label"),
        (confirmed(UNKNOWN), "dismiss it as wrong_label"),
        (Review(Verdict.DISMISSED), "needs a `reason`"),
        (dismissed(Reason.WRONG_LABEL), "needs the right `label`"),
        (dismissed(Reason.WRONG_LABEL, WITHOUT), "what the system says"),
        (dismissed(Reason.DUPLICATE, WITH), "goes with wrong_label"),
        (dismissed(Reason.EXEMPT, WITH), "goes with wrong_label"),
        (Review(Verdict.CONFIRMED, note="a" * 2001), "at most 2000"),
        (Review(Verdict.CONFIRMED, note="a\x00b"), "control character"),
        (Review(Verdict.CONFIRMED, note="a\x1b[31m"), "control character"),
        (Review(Verdict.CONFIRMED, note="\ud800"), "control character"),
    ],
)
def test_what_makes_no_sense_is_refused(review: Review, sentence: str) -> None:
    with pytest.raises(InvalidError, match=sentence):
        check_review(review, WITHOUT)


@pytest.mark.parametrize("note", ["<b>scarf</b> & \u201cfriends\u201d", "two\nlines", "\U0001f637" * 2000])
def test_a_note_is_any_text(note: str) -> None:
    check_review(Review(Verdict.DISMISSED, Reason.EXEMPT, None, note), WITHOUT)
