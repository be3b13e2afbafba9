"""Reports held against the truth."""

import math

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.demo.truth import Truth, TruthTrack
from infra.identity import Identity, identity
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
    cut = found(track("t1", boxes[:7]), track("t2", boxes[7:]))
    assert score(*cut, truth(true("p1", boxes))).score == TruthScore(1, 1, 0, 0, 1, id_switches=1)


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
    both = [TruthScore(1, 2, 3, 4, 5, 6, 7), TruthScore(10, 20, 30, 40, 50, 60, 70)]
    assert added(both) == TruthScore(11, 22, 33, 44, 55, 66, 77)
    assert msgspec.json.encode(TruthScore(1, 1, 0, 0, 0)) == (
        b'{"tracks":1,"right":1,"missed":0,"invented_events":0,"counted_twice":0,"id_switches":0,"fragments":0}'
    )


def test_a_passage_that_is_not_over_yet_is_not_missed() -> None:
    early, late = line(1.0, 10), line(5.0, 20, 900)
    both = truth(true("p1", early), true("p2", late))
    assert score(*found(track("t1", early)), both, until_s=4.0).score == TruthScore(1, 1, 0, 0, 0)
    assert score(*found(track("t1", early)), both, until_s=9.0).score == TruthScore(2, 1, 1, 0, 0)
    known = found(track("t1", early), track("t2", late, WITHOUT), events=(event("e1", track("t2", late)),))
    assert score(*known, both, until_s=4.0).score == TruthScore(1, 1, 0, 1, 0)


def test_a_track_over_the_face_all_the_time_is_perfect() -> None:
    boxes = line(1.0, 11)
    perfect = identity([track("t1", boxes)], truth(true("p1", boxes)))
    assert perfect == Identity(truths=11, found=11, invented=0, id_switches=0, fragments=0, id_found=11)
    assert (perfect.mota, perfect.idf1) == (1.0, 1.0)


def test_two_people_whose_tracks_swap_switch_identity_both() -> None:
    above = tuple((t, x, 100, w, h) for t, x, _, w, h in line(1.0, 20))
    below = tuple((t, x, 600, w, h) for t, x, _, w, h in line(1.0, 20))
    swapped = [track("t1", above[:10] + below[10:]), track("t2", below[:10] + above[10:])]
    found_ = identity(swapped, truth(true("p1", above), true("p2", below)))
    assert (found_.id_switches, found_.fragments) == (2, 0)
    assert found_.mota == pytest.approx(1.0 - 2 / 40)
    assert found_.idf1 == pytest.approx(0.5)


def test_a_track_that_is_interrupted_and_goes_on_is_a_fragment_and_no_switch() -> None:
    boxes = line(1.0, 40)
    hole = track("t1", boxes[:10] + boxes[30:])
    found_ = identity([hole], truth(true("p1", boxes)))
    assert (found_.id_switches, found_.fragments, found_.found, found_.truths) == (0, 1, 20, 40)
    another = identity([track("t1", boxes[:10]), track("t2", boxes[30:])], truth(true("p1", boxes)))
    assert (another.id_switches, another.fragments) == (1, 1)


def test_looks_at_a_still_picture_that_are_two_seconds_apart_are_no_holes() -> None:
    boxes = line(0.0, 61, step_x=0)
    found_ = identity([track("t1", boxes[::10])], truth(true("p1", boxes)))
    assert (found_.found, found_.fragments) == (61, 0)


def test_who_cannot_be_seen_for_a_while_is_not_cut_in_two() -> None:
    boxes = line(1.0, 40)
    seen = boxes[:10] + boxes[30:]
    found_ = identity([track("t1", seen)], truth(true("p1", seen)))
    assert (found_.truths, found_.found, found_.fragments, found_.id_switches) == (20, 20, 0, 0)
    later = identity([track("t1", boxes[:10]), track("t2", boxes[30:])], truth(true("p1", seen)))
    assert (later.id_switches, later.fragments) == (1, 0)


def test_a_track_over_the_face_stays_its_track_even_when_another_is_nearer() -> None:
    boxes = line(1.0, 20, step_x=0)
    near = tuple((t, x + 20, y, w, h) for t, x, y, w, h in boxes)
    found_ = identity([track("t1", near), track("t2", boxes[5:])], truth(true("p1", boxes)))
    assert (found_.id_switches, found_.invented) == (0, 15)


def test_a_track_over_nobody_is_invented_and_nobody_is_no_division_by_zero() -> None:
    nobody = identity([track("t1", line(0.0, 10))], truth())
    assert (nobody.truths, nobody.found, nobody.invented) == (0, 0, 10)
    assert math.isnan(nobody.mota)
    assert nobody.idf1 == 0.0
    assert math.isnan(identity([], truth()).idf1)


def test_moments_after_the_end_do_not_count() -> None:
    boxes = line(0.0, 40)
    assert identity([track("t1", boxes[:10])], truth(true("p1", boxes)), until_s=1.8).found == 10
    assert identity([track("t1", boxes[:10])], truth(true("p1", boxes)), until_s=1.8).truths == 10


places = st.tuples(st.integers(0, 400), st.integers(0, 300), st.integers(20, 80))
ways = st.lists(st.one_of(st.none(), places), min_size=1, max_size=12)


def boxes_of(way: list[tuple[int, int, int] | None]) -> Boxes:
    return tuple((round(0.2 * k, 3), *place, place[2]) for k, place in enumerate(way) if place is not None)


@settings(max_examples=100, deadline=None)
@given(st.lists(ways, max_size=4), st.lists(ways, max_size=4))
def test_the_sums_hold_together_whatever_is_seen(
    ours: list[list[tuple[int, int, int] | None]], theirs: list[list[tuple[int, int, int] | None]]
) -> None:
    tracks = [track(f"t{k}", boxes) for k, way in enumerate(ours) if (boxes := boxes_of(way))]
    people = [true(f"p{k}", boxes) for k, way in enumerate(theirs) if (boxes := boxes_of(way))]
    sums = identity(tracks, truth(*people))
    assert 0 <= sums.id_found <= sums.truths
    assert 0 <= sums.found <= sums.truths
    assert sums.invented >= 0
    assert 0 <= sums.id_switches <= sums.found
    assert 0 <= sums.fragments <= sums.found
    perfect = identity([track(person.id, person.boxes) for person in people], truth(*people))
    assert perfect.found == perfect.truths
