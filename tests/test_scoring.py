"""Reports held against the truth."""

import msgspec
import pytest

from infra.demo.truth import Truth, TruthTrack
from infra.scoring import TruthScore, added, score
from storage.report import EventReport, TrackReport
from storage.words import Label

WITH, WITHOUT = Label.WITH_MASK, Label.WITHOUT_MASK
Boxes = tuple[tuple[float, int, int, int, int], ...]


def line(start_s: float, count_: int, x: int = 100, step_x: int = 20, size: int = 50) -> Boxes:
    return tuple((round(start_s + 0.2 * k, 3), x + step_x * k, 200, size, size) for k in range(count_))


def track(name: str, boxes: Boxes, label: Label = WITH) -> TrackReport:
    return TrackReport(name, boxes[0][0], boxes[-1][0], len(boxes), label, 0.9, None, boxes)


def event(name: str, track_: TrackReport, label: Label = WITHOUT) -> EventReport:
    return EventReport(name, track_.id, label, track_.first_seen_s, track_.last_seen_s, None, 0.9, None)


def found(
    *tracks: TrackReport, events: tuple[EventReport, ...] = ()
) -> tuple[tuple[TrackReport, ...], tuple[EventReport, ...]]:
    return tracks, events


def true(name: str, boxes: Boxes, label: Label = WITH, *stretches: tuple[float, float, Label]) -> TruthTrack:
    return TruthTrack(name, label, boxes, stretches or ((boxes[0][0], boxes[-1][0], label),))


def truth(*tracks: TruthTrack) -> Truth:
    return Truth("c", 10.0, tracks)


def test_a_passage_found_once_with_its_label_is_right() -> None:
    boxes = line(1.0, 10)
    assert score(*found(track("t1", boxes)), truth(true("p1", boxes))).score == TruthScore(1, 1, 0, 0, 0)


@pytest.mark.parametrize("label", [WITHOUT, Label.INCORRECT_MASK, Label.UNKNOWN])
def test_another_label_is_found_but_not_right_and_so_is_unknown(label: Label) -> None:
    boxes = line(1.0, 10)
    assert score(*found(track("t1", boxes, label)), truth(true("p1", boxes))).score == TruthScore(1, 0, 0, 0, 0)


def test_a_passage_without_a_track_is_missed() -> None:
    boxes = line(1.0, 10)
    elsewhere = line(1.0, 10, x=900)
    assert score(*found(track("t1", elsewhere)), truth(true("p1", boxes))).score == TruthScore(1, 0, 1, 0, 0)
    assert score(*found(), truth(true("p1", boxes))).score == TruthScore(1, 0, 1, 0, 0)


def test_a_passage_cut_in_two_is_counted_twice() -> None:
    boxes = line(1.0, 12)
    assert score(*found(track("t1", boxes[:7]), track("t2", boxes[7:])), truth(true("p1", boxes))).score == TruthScore(
        1, 1, 0, 0, 1
    )


def test_boxes_that_meet_for_less_than_half_of_the_common_time_are_not_the_same_passage() -> None:
    crossing = line(1.0, 10, x=280, step_x=-20)
    assert score(*found(track("t1", crossing)), truth(true("p1", line(1.0, 10)))).score.missed == 1


def test_an_event_of_nobody_or_of_somebody_who_kept_the_rule_is_invented() -> None:
    boxes, ghost = line(1.0, 10), line(1.0, 10, x=900)
    ours, nobody = track("t1", boxes), track("t2", ghost, WITHOUT)
    matching = score(*found(ours, nobody, events=(event("e1", ours), event("e2", nobody))), truth(true("p1", boxes)))
    assert matching.score.invented_events == 2


def test_an_event_of_somebody_who_masked_up_later_is_not_invented() -> None:
    boxes = line(1.0, 20)
    ours = track("t1", boxes)
    mixed = true("p1", boxes, WITH, (1.0, 2.6, WITHOUT), (2.6, 4.8, WITH))
    assert score(*found(ours, events=(event("e1", ours),)), truth(mixed)).score == TruthScore(1, 1, 0, 0, 0)


def test_between_true_boxes_the_face_is_where_it_moves() -> None:
    boxes = line(1.0, 10)
    shifted = tuple((round(t + 0.1, 3), x + 10, y, w, h) for t, x, y, w, h in boxes)
    assert score(*found(track("t1", shifted)), truth(true("p1", boxes))).score.right == 1


def test_scores_add_up() -> None:
    assert added([TruthScore(1, 2, 3, 4, 5), TruthScore(10, 20, 30, 40, 50)]) == TruthScore(11, 22, 33, 44, 55)
    assert msgspec.json.encode(TruthScore(1, 1, 0, 0, 0)) == (
        b'{"tracks":1,"right":1,"missed":0,"invented_events":0,"counted_twice":0}'
    )


def test_a_passage_that_is_not_over_yet_is_not_missed() -> None:
    early, late = line(1.0, 10), line(5.0, 20, 900)
    both = truth(true("p1", early), true("p2", late))
    assert score(*found(track("t1", early)), both, until_s=4.0).score == TruthScore(1, 1, 0, 0, 0)
    assert score(*found(track("t1", early)), both, until_s=9.0).score == TruthScore(2, 1, 1, 0, 0)
    known = found(track("t1", early), track("t2", late, WITHOUT), events=(event("e1", track("t2", late)),))
    assert score(*known, both, until_s=4.0).score == TruthScore(1, 1, 0, 1, 0)
