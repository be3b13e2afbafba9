"""From faces to one verdict: one passage, one track, one label, at most one event."""

from dataclasses import dataclass, field

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classify.fold import FoldState, Rules, finish, fold
from classify.rules import CONFIRMED_PRESENCE, START_SCORE
from classify.tracks import GONE_NS
from storage.messages import NS_PER_S, Begin, Changes, Event, Face, Look, Result, Sighting, Track, nanoseconds
from storage.words import MASK_LABELS, Label, UnknownReason

STEP = NS_PER_S // 5
WITH, WITHOUT, INCORRECT = Label.WITH_MASK, Label.WITHOUT_MASK, Label.INCORRECT_MASK


def probabilities(label: Label, sure: float = 0.95) -> tuple[float, float, float]:
    rest = (1.0 - sure) / 2.0
    one, two, three = (sure if each is label else rest for each in MASK_LABELS)
    return one, two, three


def face(
    x: float,
    y: float = 300,
    size: float = 60,
    label: Label = WITH,
    *,
    sure: float = 0.95,
    score: float = 0.8,
    k: int = 0,
) -> Face:
    return Face(
        box=(round(x), round(y), round(size), round(size)),
        detection_score=score,
        probabilities=probabilities(label, sure),
        presence=0.95,
        sharpness=0.6,
        brightness=0.5,
        turn=0.0,
        # Every sample looks a little different, as a moving face does.
        thumbnail=bytes((37 * (k + 1) * (i + 3)) % 251 for i in range(64)),
    )


def result(k: int, *faces: Face) -> Result:
    return Result("c1", 0, k, k * STEP, 1920, 1080, Look.FULL, faces)


DEFAULT_RULES = Rules()


@dataclass
class Story:
    """What came out of a sequence of results."""

    tracks: dict[int, Track] = field(default_factory=dict)
    events: dict[int, Event] = field(default_factory=dict)
    sightings: list[tuple[int, Sighting]] = field(default_factory=list)
    pictures: int = 0

    def take(self, seq: int, changes: Changes) -> None:
        self.tracks |= {track.number: track for track in changes.tracks}
        self.events |= {event.track: event for event in changes.events}
        self.sightings += [(seq, sighting) for sighting in changes.sightings]
        self.pictures += len(changes.pictures)


def told(results: list[Result], rules: Rules = DEFAULT_RULES) -> Story:
    story, state = Story(), FoldState()
    for each in results:
        story.take(each.seq, fold(state, each, rules))
    story.take(-1, finish(state, rules))
    return story


def walk(labels: list[Label], *, start: float = 100, speed: float = 40, size: float = 60) -> list[Result]:
    """One person crossing, seen in every sample."""
    return [result(k, face(start + speed * k, label=label, size=size, k=k)) for k, label in enumerate(labels)]


def test_one_person_crossing_is_one_track_with_one_label() -> None:
    story = told(walk([WITH] * 25))
    [track] = story.tracks.values()
    assert (track.label, track.faces, track.closed) == (WITH, 25, True)
    assert (track.first_seen_ns, track.last_seen_ns) == (0, 24 * STEP)
    assert track.confidence > 0.95
    assert not story.events


def test_two_people_who_cross_stay_two() -> None:
    results = [result(k, face(100 + 45 * k, k=k), face(1300 - 45 * k, 330, label=WITHOUT, k=k)) for k in range(27)]
    story = told(results)
    assert [(t.label, t.faces) for t in story.tracks.values()] == [(WITH, 27), (WITHOUT, 27)]


def test_an_occlusion_of_a_second_does_not_cut_a_track() -> None:
    results = [r if not 10 <= r.seq < 15 else result(r.seq) for r in walk([WITHOUT] * 30)]
    story = told(results)
    [track] = story.tracks.values()
    assert track.faces == 25
    assert len(story.events) == 1


def test_someone_standing_who_looks_down_for_five_seconds_stays_one_track() -> None:
    seen = [result(k, face(500, k=k)) for k in range(15)]
    results = seen + [result(k) for k in range(15, 40)] + [result(k, face(504, k=k)) for k in range(40, 60)]
    assert [track.faces for track in told(results).tracks.values()] == [35]


def test_the_next_person_at_the_same_place_is_another_track() -> None:
    first = walk([WITH] * 15)
    later = 15 + GONE_NS // STEP + 2
    second = [replace_seq(r, later + r.seq) for r in walk([WITHOUT] * 15)]
    story = told(first + [result(k) for k in range(15, later)] + second)
    assert [track.label for track in story.tracks.values()] == [WITH, WITHOUT]


def test_who_walks_on_while_nobody_watched_stays_one_passage() -> None:
    results = walk([MASK_LABELS[0]] * 45)
    # 3.4 s without a word of the camera: its worker was killed, and had to connect anew.
    outage = [each for each in results if not 15 <= each.seq < 32]
    assert len(told(outage).tracks) == 1
    # The same time looked at in vain: somebody else has come.
    unseen = [msgspec.structs.replace(each, faces=()) if 15 <= each.seq < 32 else each for each in results]
    assert len(told(unseen).tracks) == 2


def replace_seq(given: Result, seq: int) -> Result:
    return msgspec.structs.replace(given, seq=seq, at_ns=seq * STEP)


def test_a_flash_of_a_find_is_no_passage() -> None:
    story = told([result(0, face(100)), result(1, face(110)), *[result(k) for k in range(2, 20)]])
    assert not story.tracks


def test_a_find_the_detector_doubts_starts_no_track_but_continues_one() -> None:
    assert not told([result(k, face(100, score=0.25, k=k)) for k in range(10)]).tracks
    doubted = [result(k, face(100 + 20 * k, score=0.9 if k < 3 else 0.25, k=k)) for k in range(10)]
    assert [track.faces for track in told(doubted).tracks.values()] == [10]


def test_a_breach_of_the_dwell_time_is_one_event() -> None:
    story = told(walk([WITHOUT] * 20))
    [event] = story.events.values()
    assert (event.label, event.started_ns, event.ended_ns, event.corrected_ns) == (WITHOUT, 0, 19 * STEP, None)
    assert event.closed
    assert story.pictures >= 1


def test_a_glimpse_is_a_passage_but_too_short_to_judge() -> None:
    [track] = told(walk([WITH] * 4)).tracks.values()
    assert (track.label, track.unknown_reason) == (Label.UNKNOWN, UnknownReason.TOO_SHORT)


def test_a_second_find_beside_a_head_is_not_a_second_person() -> None:
    results = [
        result(k, face(100 + 30 * k, k=k), face(130 + 30 * k, 330, size=40, score=0.6, k=k + 1)) for k in range(20)
    ]
    assert len(told(results).tracks) == 1


def test_a_new_find_does_not_take_the_face_of_somebody_known() -> None:
    results = walk([WITH] * 20)
    stray = face(100 + 40 * 6 + 150, 330, label=WITHOUT, k=99)
    results[6] = msgspec.structs.replace(results[6], faces=(*results[6].faces, stray))
    [track] = told(results).tracks.values()
    assert (track.faces, track.label) == (20, WITH)


@pytest.mark.parametrize(("dwell_s", "events"), [(0.6, 1), (1.0, 1), (1.4, 0), (5.0, 0)])
def test_a_shorter_breach_than_the_dwell_time_is_none(dwell_s: float, events: int) -> None:
    labels = [WITH] * 10 + [WITHOUT] * 7 + [WITH] * 15
    assert len(told(walk(labels), Rules(nanoseconds(dwell_s))).events) == events


def test_whoever_enters_bare_and_masks_up_has_a_corrected_event_and_the_label_of_most_of_the_time() -> None:
    story = told(walk([WITHOUT] * 10 + [WITH] * 30, speed=20))
    [event], [track] = story.events.values(), story.tracks.values()
    assert track.label is WITH
    assert event.label is WITHOUT
    assert event.corrected_ns is not None
    assert 9 * STEP <= event.corrected_ns <= 13 * STEP
    assert event.ended_ns == 39 * STEP


def test_taking_the_mask_off_again_takes_the_correction_back() -> None:
    story = told(walk([WITHOUT] * 10 + [WITH] * 12 + [WITHOUT] * 18, speed=15))
    [event] = story.events.values()
    assert event.corrected_ns is None
    assert event.started_ns == 0


def test_the_type_of_an_event_is_that_of_the_longest_stretch() -> None:
    story = told(walk([WITHOUT] * 8 + [WITH] * 8 + [INCORRECT] * 20, speed=15))
    assert [event.label for event in story.events.values()] == [INCORRECT]


def test_wavering_between_two_breaches_is_one_breach() -> None:
    labels = [WITHOUT if k % 4 < 2 else INCORRECT for k in range(16)]
    assert len(told(walk(labels)).events) == 1


def test_a_single_gross_error_neither_makes_an_event_nor_changes_the_label() -> None:
    labels = [WITH] * 12 + [WITHOUT] + [WITH] * 12
    story = told(walk(labels))
    assert [track.label for track in story.tracks.values()] == [WITH]
    assert not story.events


def test_what_the_detector_doubts_throughout_makes_no_event() -> None:
    results = [result(k, face(500, label=WITHOUT, score=0.37, k=k)) for k in range(30)]
    assert not told(results).events


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"box": (100, 100, 16, 16)}, UnknownReason.TOO_SMALL),
        ({"brightness": 0.05}, UnknownReason.TOO_DARK),
        ({"sharpness": 0.01}, UnknownReason.BLURRED),
        ({"turn": 0.95, "probabilities": (0.4, 0.35, 0.25)}, UnknownReason.TURNED_AWAY),
        ({"probabilities": (0.4, 0.35, 0.25)}, UnknownReason.DISAGREEMENT),
    ],
)
def test_unknown_is_an_honest_answer_with_its_reason(change: dict[str, object], reason: UnknownReason) -> None:
    results = [result(k, msgspec.structs.replace(face(100, k=k), **change)) for k in range(8)]
    story = told(results)
    assert [(track.label, track.unknown_reason) for track in story.tracks.values()] == [(Label.UNKNOWN, reason)]
    assert not story.events


def test_ten_identical_frames_are_not_ten_witnesses() -> None:
    same = [result(k, face(500, label=WITH, k=0)) for k in range(40)]
    moving = [result(40 + k, face(500, label=WITHOUT, k=k + 1)) for k in range(12)]
    [track] = told(same + moving).tracks.values()
    assert track.label is WITHOUT


def test_a_track_longer_than_ten_minutes_keeps_the_label_it_had_then() -> None:
    times = [round(k * 1.5 * NS_PER_S) for k in range(600)]
    results = [
        Result("c1", 0, k, t, 1920, 1080, Look.FULL, (face(500, label=WITH if t < 600 * NS_PER_S else WITHOUT, k=k),))
        for k, t in enumerate(times)
    ]
    [track] = told(results, Rules(sample_ns=times[1])).tracks.values()
    assert track.label is WITH
    assert track.last_seen_ns == times[-1]


def begin(**terms: object) -> Begin:
    return msgspec.structs.replace(Begin("c1", 0, 0, True, NS_PER_S, 24, STEP), **terms)


def test_an_epoch_without_terms_of_its_own_has_the_rules_of_all() -> None:
    assert Rules.of(begin()) == Rules()
    assert Rules().confirmed_presence == CONFIRMED_PRESENCE


@pytest.mark.parametrize(
    ("labels", "worn", "events"),
    [
        ((WITHOUT,), WITHOUT, [WITHOUT]),
        ((WITHOUT,), INCORRECT, []),
        ((INCORRECT,), INCORRECT, [INCORRECT]),
        ((INCORRECT,), WITHOUT, []),
        ((INCORRECT, WITHOUT), INCORRECT, [INCORRECT]),
        ((), WITHOUT, []),
        # A mask worn properly is no breach, whatever a policy says.
        ((WITH, WITHOUT), WITH, []),
    ],
)
def test_only_the_labels_of_the_policy_make_events_and_the_track_keeps_its_own(
    labels: tuple[Label, ...], worn: Label, events: list[Label]
) -> None:
    story = told(walk([worn] * 20), Rules.of(begin(labels=labels)))
    assert [event.label for event in story.events.values()] == events
    assert [track.label for track in story.tracks.values()] == [worn]
    assert bool(story.pictures) == bool(events)


def test_a_label_that_the_policy_allows_corrects_an_event() -> None:
    story = told(walk([WITHOUT] * 10 + [INCORRECT] * 30, speed=20), Rules.of(begin(labels=(WITHOUT,))))
    [event] = story.events.values()
    assert event.label is WITHOUT
    assert event.corrected_ns is not None
    assert told(walk([WITHOUT] * 10 + [INCORRECT] * 30, speed=20)).events[1].corrected_ns is None


def test_a_policy_that_changes_while_a_person_is_in_view_holds_from_then_on() -> None:
    strict, lenient = Rules(), Rules(labels=(WITHOUT,))
    worn = walk([INCORRECT] * 40, speed=15)

    def told_with_a_turn(first: Rules, second: Rules, at: int) -> Story:
        story, state = Story(), FoldState()
        for each in worn:
            story.take(each.seq, fold(state, each, first if each.seq < at else second))
        story.take(-1, finish(state, second))
        return story

    assert told_with_a_turn(lenient, strict, 20).events[1].started_ns == 20 * STEP
    assert told_with_a_turn(strict, lenient, 3).events == {}
    [event] = told_with_a_turn(strict, lenient, 20).events.values()
    assert (event.started_ns, event.corrected_ns) == (0, 20 * STEP), "what was a breach then stays one"
    assert len(told_with_a_turn(strict, lenient, 20).tracks) == 1


@pytest.mark.parametrize(
    ("detection", "score", "tracks"), [(None, 0.48, 1), (0.5, 0.5, 0), (0.5, 0.56, 1), (None, 0.3, 0), (0.2, 0.3, 1)]
)
def test_how_sure_a_find_must_be_is_for_the_camera_to_say(detection: float | None, score: float, tracks: int) -> None:
    results = [result(k, face(500, score=score, k=k)) for k in range(10)]
    assert len(told(results, Rules.of(begin(detection=detection))).tracks) == tracks


def test_whoever_asks_for_less_sure_finds_sees_their_passages() -> None:
    assert Rules.of(begin(detection=0.165)).confirmed_presence == pytest.approx(CONFIRMED_PRESENCE / 2)
    assert Rules.of(begin(detection=0.9)).confirmed_presence == CONFIRMED_PRESENCE
    assert Rules.of(begin(detection=START_SCORE)) == Rules()


@pytest.mark.parametrize(("confidence", "label"), [(None, WITH), (0.9, Label.UNKNOWN), (0.75, WITH), (0.4, WITH)])
def test_how_sure_a_label_must_be_is_for_the_camera_to_say(confidence: float | None, label: Label) -> None:
    unsure = [result(k, face(100 + 40 * k, sure=0.5, k=k)) for k in range(20)]
    [track] = told(unsure, Rules.of(begin(confidence=confidence))).tracks.values()
    assert 0.76 < track.confidence < 0.9
    assert track.label is label


crowds = st.lists(
    st.lists(
        st.tuples(st.integers(0, 1800), st.integers(0, 1000), st.integers(15, 200), st.sampled_from(MASK_LABELS),
                  st.floats(0.34, 0.99), st.floats(0.2, 1.0)),
        max_size=4,
    ),
    min_size=1,
    max_size=30,
)  # fmt: skip


def crowd_results(crowd: list[list[tuple[int, int, int, Label, float, float]]]) -> list[Result]:
    return [
        result(k, *(face(x, y, size, label, sure=sure, score=score, k=k) for x, y, size, label, sure, score in seen))
        for k, seen in enumerate(crowd)
    ]


@settings(max_examples=60, deadline=None)
@given(crowds, st.integers(0, 29))
def test_a_state_stored_and_read_back_at_any_point_changes_nothing(
    crowd: list[list[tuple[int, int, int, Label, float, float]]], at: int
) -> None:
    results, rules = crowd_results(crowd), Rules()
    undisturbed = told(results)
    story, state = Story(), FoldState()
    for each in results:
        if each.seq == at:
            state = msgspec.msgpack.decode(msgspec.msgpack.encode(state), type=FoldState)
        story.take(each.seq, fold(state, each, rules))
    story.take(-1, finish(state))
    assert story == undisturbed


@settings(max_examples=60, deadline=None)
@given(crowds)
def test_whatever_is_seen_each_face_has_one_track_and_each_track_at_most_one_event(
    crowd: list[list[tuple[int, int, int, Label, float, float]]],
) -> None:
    story = told(crowd_results(crowd))
    keys = [(seq, sighting.face) for seq, sighting in story.sightings]
    assert len(keys) == len(set(keys))
    assert set(story.events) <= set(story.tracks)
    for track in story.tracks.values():
        own = [seq for seq, sighting in story.sightings if sighting.track == track.number]
        assert track.closed
        assert track.faces == len(own) == len(set(own))
        assert (track.first_seen_ns, track.last_seen_ns) == (own[0] * STEP, own[-1] * STEP)
    for event in story.events.values():
        track = story.tracks[event.track]
        assert track.first_seen_ns <= event.started_ns <= event.ended_ns == track.last_seen_ns
