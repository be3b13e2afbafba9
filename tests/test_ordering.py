"""Whatever the bus does to a camera's messages, the fold sees each result once and in order."""

import random
from dataclasses import dataclass, field
from itertools import pairwise

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from classify.fold import Rules
from classify.ordering import CameraState, Stuck, Taken, give_up, stuck, take, turn_over
from storage.messages import NS_PER_S, Begin, Changes, End, FrameRef, Look, Lost, Message, Result
from storage.words import EVENT_LABELS, Label
from tests.test_fold import STEP, Story, face, told

WITH, WITHOUT = Label.WITH_MASK, Label.WITHOUT_MASK
BEGIN = Begin("c1", 0, 0, live=True, dwell_ns=NS_PER_S, min_face_px=24, sample_ns=STEP)


def frame(seq: int) -> FrameRef:
    return FrameRef(1000 + seq, seq, 1080, 1920)


def footage(samples: int = 40, *, epoch: int = 0, first_s: float = 0.0) -> list[Result]:
    """Two people who meet, one of them without a mask; some samples in which nothing moves."""
    results = []
    for k in range(samples):
        faces = [face(100 + 30 * k, 300, label=WITH, k=k)] if k % 11 else []
        if 5 < k < 30:
            faces.append(face(1500 - 35 * k, 500, 80, WITHOUT if k < 24 else WITH, k=k))
        at_ns = round(first_s * NS_PER_S) + k * STEP
        results.append(Result("c1", epoch, k, at_ns, 1920, 1080, Look.FULL, tuple(faces), frame=frame(k)))
    return results


@dataclass
class Reader:
    """A camera as an aggregator sees it."""

    state: CameraState = field(default_factory=CameraState)
    story: Story = field(default_factory=Story)
    released: list[FrameRef] = field(default_factory=list)
    lost: int = 0
    order: list[tuple[int, int]] = field(default_factory=list)

    def take(self, *messages: Message) -> None:
        for message in messages:
            self.note(take(self.state, message))

    def note(self, taken: Taken) -> None:
        if taken.reset:
            self.story = Story()
        for step in taken.steps:
            seq = -1 if step.result is None else step.result.seq
            self.story.take(seq, step.changes)
            if step.result is not None:
                self.order.append((step.result.epoch, step.result.seq))
        self.released += taken.frames
        self.lost += taken.lost

    def stored(self) -> "Reader":
        """The same, read back from the database."""
        state = msgspec.msgpack.decode(msgspec.msgpack.encode(self.state), type=CameraState)
        story = Story(dict(self.story.tracks), dict(self.story.events), list(self.story.sightings), self.story.pictures)
        return Reader(state, story, list(self.released), self.lost, list(self.order))


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    shed=st.sets(st.integers(0, 39), max_size=12),
    copies=st.integers(0, 20),
    delay=st.integers(0, 40),
    restarts=st.integers(0, 4),
)
def test_any_interleaving_duplication_delay_tombstones_and_restarts_give_the_tracks_and_events_of_the_order(
    seed: int, shed: set[int], copies: int, delay: int, restarts: int
) -> None:
    dice = random.Random(seed)  # noqa: S311
    results = footage()
    expected = told([each for each in results if each.seq not in shed], Rules(sample_ns=STEP))
    messages: list[Message] = [
        Lost("c1", 0, each.seq, each.seq, each.at_ns) if each.seq in shed else each for each in results
    ]
    messages += [dice.choice(messages) for _ in range(copies)]
    messages.append(End("c1", 0, len(results)))
    # Each is late by up to `delay` places.
    messages = [each for _, each in sorted(enumerate(messages), key=lambda place: place[0] + dice.uniform(0, delay))]
    messages.insert(0, BEGIN)
    reader = Reader()
    written, position = reader.stored(), 0
    crashes = {dice.randrange(len(messages)) for _ in range(restarts)}
    at = 0
    while at < len(messages):
        reader.take(messages[at])
        at += 1
        if at in crashes:
            # Killed: all since the last transaction is done again, from its position.
            crashes.discard(at)
            reader, at = written.stored(), position
        elif dice.random() < 0.3:
            written, position = reader.stored(), at
    assert reader.story == expected
    assert reader.order == [(0, each.seq) for each in results if each.seq not in shed]
    assert reader.lost == len(shed)
    assert not reader.state.waiting
    # Every frame is released, but never while it is still needed.
    assert {ref.token for ref in reader.released} == {1000 + each.seq for each in results if each.seq not in shed}


def test_a_second_copy_of_a_result_that_waits_does_not_release_its_pixels() -> None:
    reader = Reader()
    late, *rest = footage(4)
    reader.take(BEGIN, rest[0], rest[0])
    assert reader.released == []
    reader.take(late)
    assert [ref.token for ref in reader.released] == [1000, 1001]
    reader.take(rest[0])
    assert [ref.token for ref in reader.released] == [1000, 1001, 1001]


def test_a_live_camera_waits_for_a_missing_sample_until_told_otherwise() -> None:
    reader = Reader()
    results = footage(10)
    reader.take(BEGIN, *results[:3], *results[5:])
    assert stuck(reader.state) is Stuck.SAMPLE
    assert reader.order[-1] == (0, 2)
    reader.note(give_up(reader.state))
    assert stuck(reader.state) is Stuck.NOTHING
    assert reader.order[-1] == (0, 9)
    assert reader.lost == 2
    reader.take(results[3])
    assert reader.order[-1] == (0, 9), "too late"
    assert reader.released[-1] == results[3].frame


def test_an_outage_of_a_day_is_one_step() -> None:
    reader = Reader()
    results = footage(20)
    reader.take(BEGIN, *results[:5], Lost("c1", 0, 3, 4_000_000_000, 0))
    assert (reader.lost, reader.state.next_seq, reader.state.waiting) == (3_999_999_996, 4_000_000_001, {})


def test_an_outage_of_a_day_behind_a_gap_is_one_entry() -> None:
    """What is due may still come, so the day is not over with yet; nothing of it is kept in memory one by one."""
    reader = Reader()
    first, due, _, waits, *_ = footage(20)
    reader.take(BEGIN, first, waits, Lost("c1", 0, 2, 432_000, 0), Lost("c1", 0, 432_001, 432_001, 0), waits)
    assert stuck(reader.state) is Stuck.SAMPLE
    assert (reader.state.next_seq, reader.lost, len(reader.state.waiting)) == (1, 0, 1)
    assert len(msgspec.msgpack.encode(reader.state.gone)) < 100
    reader = reader.stored()
    reader.take(due)
    assert reader.order == [(0, 0), (0, 1), (0, 3)]
    assert (reader.lost, reader.state.next_seq, reader.state.gone) == (431_999, 432_002, [])
    assert len(reader.released) == 4 - 1


def test_what_is_said_to_be_shed_beyond_the_end_of_an_epoch_is_no_part_of_the_next() -> None:
    reader = Reader()
    reader.take(BEGIN, *footage(3), Lost("c1", 0, 5, 9, 0), End("c1", 0, 3), *second_epoch(60.0))
    assert reader.order[-1] == (1, 19)
    assert reader.lost == 0


@settings(max_examples=150, deadline=None)
@given(
    st.randoms(use_true_random=False),
    st.lists(st.tuples(st.integers(0, 39), st.integers(0, 12)), max_size=8),
    st.integers(0, 41),
)
def test_a_stretch_that_was_shed_is_as_good_as_each_of_its_samples(
    dice: random.Random, stretches: list[tuple[int, int]], given_up: int
) -> None:
    """Whatever is there of it already, whichever stretches overlap, and whatever is given up in between."""
    messages: list[Message] = [*footage(), End("c1", 0, 40)]
    messages += [Lost("c1", 0, first, min(39, first + more), 0) for first, more in stretches]
    dice.shuffle(messages)
    at_once, one_by_one = Reader(), Reader()
    for reader in (at_once, one_by_one):
        reader.take(BEGIN)
    for place, message in enumerate(messages):
        at_once.take(message)
        parts = range(message.first, message.last + 1) if isinstance(message, Lost) else ()
        one_by_one.take(*(Lost("c1", 0, seq, seq, 0) for seq in parts) if parts else (message,))
        if place == given_up:
            for reader in (at_once, one_by_one):
                reader.note(give_up(reader.state))
    assert (at_once.order, at_once.lost, at_once.story) == (one_by_one.order, one_by_one.lost, one_by_one.story)
    assert at_once.state == one_by_one.state
    assert (at_once.state.waiting, at_once.state.gone) == ({}, [])
    assert len(at_once.order) + at_once.lost == 40


def test_what_an_earlier_version_kept_of_shed_samples_is_understood() -> None:
    reader = Reader()
    results = footage(6)
    reader.take(BEGIN, *results[:2])
    reader.state.waiting = {3: None, 4: results[4]}
    reader.take(results[3], results[2], End("c1", 0, 6), results[5])
    assert reader.order == [(0, 0), (0, 1), (0, 2), (0, 4), (0, 5)]
    assert reader.lost == 1


def test_footage_waits_without_a_limit() -> None:
    reader = Reader()
    results = footage(10)
    reader.take(msgspec.structs.replace(BEGIN, live=False), *results[3:])
    assert stuck(reader.state) is Stuck.NOTHING
    assert reader.order == []
    reader.take(*results[:3])
    assert len(reader.order) == 10


def second_epoch(first_s: float) -> list[Message]:
    begin = msgspec.structs.replace(BEGIN, epoch=1, at_ns=round(first_s * NS_PER_S))
    return [begin, *footage(20, epoch=1, first_s=first_s)]


def test_a_track_that_spans_a_restart_of_ingest_stays_one_and_the_outage_is_counted() -> None:
    reader = Reader()
    standing = [
        Result("c1", epoch, k, round(start_s * NS_PER_S) + k * STEP, 1920, 1080, Look.FULL, (face(700, k=k),))
        for epoch, start_s in ((0, 0.0), (1, 5.0))
        for k in range(20)
    ]
    reader.take(BEGIN, *standing[:20], msgspec.structs.replace(BEGIN, epoch=1), *standing[20:])
    assert stuck(reader.state) is Stuck.EPOCH
    assert len(reader.order) == 20, "something of the old epoch may still be on its way"
    reader.note(turn_over(reader.state))
    assert len(reader.order) == 40
    assert reader.lost == 5  # from 4.0 to 4.8 s
    reader.take(End("c1", 1, 20))
    assert [track.faces for track in reader.story.tracks.values()] == [40]


def test_what_the_old_epoch_left_on_its_way_is_taken_in_before_the_new_one() -> None:
    reader = Reader()
    old = footage(20)
    reader.take(BEGIN, *old[:17], old[18], *second_epoch(6.0), old[17])
    reader.note(turn_over(reader.state))
    assert reader.order[16:20] == [(0, 16), (0, 17), (0, 18), (1, 0)]
    reader.take(old[19])
    assert reader.order[-1] == (1, 19), "late, and its epoch is over"


def turned(at: int, *, samples: int = 40, labels: tuple[Label, ...] = EVENT_LABELS) -> tuple[list[Message], Begin]:
    """One watch that goes on as another epoch after `at` samples: all its results in order, and the beginning."""
    results = footage(samples)
    begin = msgspec.structs.replace(BEGIN, epoch=1, at_ns=at * STEP, after=(0, at), labels=labels)
    new = [msgspec.structs.replace(each, epoch=1, seq=each.seq - at) for each in results[at:]]
    return [*results[:at], begin, *new], begin


def test_an_epoch_that_goes_on_from_another_begins_at_once_and_loses_nobody() -> None:
    reader = Reader()
    messages, _ = turned(20)
    reader.take(BEGIN, *messages)
    assert stuck(reader.state) is Stuck.NOTHING, "nothing is waited for"
    assert reader.lost == 0
    assert reader.order == [(0, k) for k in range(20)] + [(1, k) for k in range(20)]
    reader.take(End("c1", 1, 20))
    undisturbed = told(footage(), Rules(sample_ns=STEP))
    assert (reader.story.tracks, reader.story.events) == (undisturbed.tracks, undisturbed.events)


def test_new_rules_hold_from_the_turn_on() -> None:
    reader = Reader()
    messages, _ = turned(7, labels=(Label.INCORRECT_MASK,))
    reader.take(BEGIN, *messages, End("c1", 1, 33))
    assert told(footage(), Rules(sample_ns=STEP)).events
    assert not reader.story.events, "two samples without a mask before the turn are no breach, those after it neither"
    assert len(reader.story.tracks) == 2


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    at=st.integers(0, 39),
    shed=st.sets(st.integers(0, 39), max_size=8),
    delay=st.integers(0, 20),
    restart=st.integers(0, 41),
)
def test_a_turn_changes_nothing_whatever_is_late_lost_or_done_again(
    seed: int, at: int, shed: set[int], delay: int, restart: int
) -> None:
    dice = random.Random(seed)  # noqa: S311
    results = footage()
    expected = told([each for each in results if each.seq not in shed], Rules(sample_ns=STEP))
    messages, begin = turned(at)
    for number in shed:
        place = number + (number >= at)
        gone = messages[place]
        assert isinstance(gone, Result)
        messages[place] = Lost("c1", gone.epoch, gone.seq, gone.seq, gone.at_ns)
    # Late results may come after the next epoch has begun, but nothing comes before its own beginning.
    order = [place + dice.uniform(0, delay) for place in range(len(messages))]
    order[at] = min(order[at:])
    messages = [each for _, each in sorted(zip(order, messages, strict=True), key=lambda pair: pair[0])]
    reader = Reader()
    reader.take(BEGIN, *messages[:restart])
    reader = reader.stored()
    reader.take(begin, *messages[max(0, restart - 3) :], End("c1", 1, 40 - at))
    assert (reader.story.tracks, reader.story.events) == (expected.tracks, expected.events)
    assert reader.lost == len(shed)
    assert [seq if epoch == 0 else seq + at for epoch, seq in reader.order] == [k for k in range(40) if k not in shed]
    assert not reader.state.waiting
    assert not reader.state.later


def test_a_turn_waits_for_what_the_epoch_before_still_owes_and_gives_it_up_like_any_other() -> None:
    reader = Reader()
    messages, _ = turned(20)
    missing = messages.pop(18)
    reader.take(BEGIN, *messages)
    assert stuck(reader.state) is Stuck.SAMPLE
    assert reader.order[-1] == (0, 17)
    late = reader.stored()
    late.take(missing)
    assert late.order[-1] == (1, 19)
    assert late.lost == 0
    reader.note(give_up(reader.state))
    assert reader.order[-1] == (1, 19)
    assert reader.lost == 1


def test_several_turns_that_arrive_together_are_taken_one_after_the_other() -> None:
    results = footage()
    cuts = [0, 5, 5, 12, 40]
    reader = Reader()
    messages: list[Message] = [BEGIN]
    for epoch, (start, stop) in enumerate(pairwise(cuts)):
        if epoch:
            messages.append(msgspec.structs.replace(BEGIN, epoch=epoch, after=(epoch - 1, start - cuts[epoch - 1])))
        messages += [msgspec.structs.replace(r, epoch=epoch, seq=r.seq - start) for r in results[start:stop]]
    first = messages.pop(1)
    reader.take(*messages, first)
    assert len(reader.order) == 40
    assert reader.lost == 0


def test_an_epoch_whose_forerunner_nobody_knows_is_waited_for_like_any_other() -> None:
    reader = Reader()
    _, begin = turned(20)
    reader.take(BEGIN, *footage(20), msgspec.structs.replace(begin, epoch=4, after=(3, 7)))
    assert stuck(reader.state) is Stuck.EPOCH
    reader.note(turn_over(reader.state))
    assert reader.state.begun is not None
    assert reader.state.begun.epoch == 4


def test_a_new_epoch_begins_at_once_where_the_old_one_has_ended() -> None:
    reader = Reader()
    reader.take(BEGIN, *footage(20), End("c1", 0, 20), *second_epoch(60.0))
    assert reader.order[-1] == (1, 19)
    assert reader.lost == 0, "nobody was meant to look in between"


def test_footage_that_begins_anew_voids_what_was_known_of_it() -> None:
    reader = Reader()
    begin = msgspec.structs.replace(BEGIN, live=False)
    results = footage()
    reader.take(begin, *results[:20], results[25])
    again = [msgspec.structs.replace(each, epoch=1) for each in results]
    reader.take(msgspec.structs.replace(begin, epoch=1), *again, End("c1", 1, len(again)))
    expected = told(results, Rules(sample_ns=STEP))
    assert (reader.story.tracks, reader.story.events) == (expected.tracks, expected.events)


def test_a_clock_that_is_set_back_ends_the_passages_and_goes_on() -> None:
    reader = Reader()
    reader.take(BEGIN, *footage(20))
    for message in second_epoch(-3600.0):
        reader.take(message)
    reader.note(turn_over(reader.state))
    assert reader.order[-1] == (1, 19)
    assert all(track.closed for track in reader.story.tracks.values() if track.first_seen_ns >= 0)


def test_what_is_lost_of_the_new_epoch_is_not_given_up_with_the_old_one() -> None:
    reader = Reader()
    new = second_epoch(6.0)
    old = footage(20)
    reader.take(BEGIN, *old[:18], old[19], End("c1", 0, 20), *new[:5], *new[6:])
    reader.note(turn_over(reader.state))
    assert reader.order[-1] == (1, 3), "the fifth may still come"
    reader.take(new[5])
    assert reader.order[-1] == (1, 19)


def test_messages_of_an_epoch_whose_beginning_is_lost_are_given_up() -> None:
    reader = Reader()
    reader.take(BEGIN, *footage(5), *footage(5, epoch=3))
    assert stuck(reader.state) is Stuck.EPOCH
    reader.note(turn_over(reader.state))
    assert reader.lost == 5
    assert reader.state.later == []
    assert stuck(reader.state) is Stuck.NOTHING


def test_a_fold_that_fails_forgets_who_is_in_view_and_goes_on() -> None:
    reader = Reader()
    results = footage()
    broken = face(float(100 + 30 * 15))
    nan = msgspec.structs.replace(broken, detection_score=float("nan"), probabilities=(float("nan"),) * 3)
    damaged = msgspec.structs.replace(results[15], faces=(nan, msgspec.structs.replace(nan, box=(0, 0, -5, -5))))
    reader.take(BEGIN, *results[:15])
    numbers = reader.state.fold.last_number
    taken = take(reader.state, damaged)
    reader.note(taken)
    assert taken.broken is not None
    assert taken.lost == 1
    assert taken.frames == [damaged.frame]
    assert reader.state.fold.tracks == []
    reader.take(*results[16:], End("c1", 0, 40))
    assert reader.order[-1] == (0, 39)
    assert min(track.first_seen_ns for number, track in reader.story.tracks.items() if number > numbers) == 16 * STEP
    assert all(track.closed for number, track in reader.story.tracks.items() if number > numbers)


def test_what_comes_of_an_epoch_whose_beginning_was_never_seen_is_lost_and_does_not_pile_up() -> None:
    reader = Reader()
    reader.take(*footage(5))
    assert reader.lost == 5
    assert reader.state == CameraState()
    assert len(reader.released) == 5
    reader.take(BEGIN, *footage(5))
    assert len(reader.order) == 5


def test_the_changes_of_a_finished_fold_name_no_result() -> None:
    reader = Reader()
    state = reader.state
    reader.take(BEGIN, *footage(20))
    taken = take(state, End("c1", 0, 20))
    assert [step.result for step in taken.steps] == [None]
    assert isinstance(taken.steps[0].changes, Changes)
    assert take(state, End("c1", 0, 20)).steps == []
