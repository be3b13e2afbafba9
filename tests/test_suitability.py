"""Is a camera placed well enough? Said in words, from counts that are exact whatever is killed."""

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from msgspec.structs import replace

from classify.aggregate import Aggregator
from classify.fold import FoldState, Rules, finish, fold
from classify.suitability import HOUR_NS, Seeing, see
from storage.database.batch import Batch
from storage.database.ledger import Ledger
from storage.database.suitability import KEPT_NS, FaceTallies
from storage.face_tally import Tally, packed, share_quantile, unpacked, width_quantile
from storage.messages import NS_PER_S, Begin, End, Face, Look, Message, Result
from storage.suitability import Suitability, Verdict, judged
from storage.words import UnknownReason
from tests.test_aggregate import CAMERA, FailingLedger, KilledError, Place
from tests.test_fold import STEP, face

START_NS = (time.time_ns() // HOUR_NS - 2) * HOUR_NS + 1800 * NS_PER_S


@pytest.fixture(name="place")
def place_fixture(redis: str, tmp_path: Path) -> Iterator[Place]:
    made = Place(redis, tmp_path)
    with closing(made.bus), made.frames:
        yield made
    made.engine.dispose()


BEGIN = Begin("c1", 1, 0, live=True, dwell_ns=NS_PER_S, min_face_px=24, sample_ns=STEP)


def passages(
    count: int, sizes: tuple[float, float], begin: Begin = BEGIN, quality: dict[str, float] | None = None
) -> Tally:
    """People who walk past one after the other for four seconds, while their faces grow."""
    seeing, state, whole = Seeing(), FoldState(), Tally()
    rules = Rules.of(begin)

    def take(result: Result | None) -> None:
        changes = finish(state, rules) if result is None else fold(state, result, rules)
        done = see(seeing, result, changes, begin)
        if done is not None:
            whole.add(done[1])

    seq = 0
    for _ in range(count):
        for step in range(20):
            size = sizes[0] + (sizes[1] - sizes[0]) * step / 19
            one: Face = replace(face(200 + 1.2 * size * step / 5, 300, size, k=step), **(quality or {}))
            take(Result("c1", 1, seq, seq * STEP, 1920, 1080, Look.FULL, (one,)))
            seq += 1
        for _ in range(40):
            take(Result("c1", 1, seq, seq * STEP, 1920, 1080, Look.NONE))
            seq += 1
    take(None)
    whole.add(seeing.tally)
    return whole


def said(tally: Tally, min_face_px: int = 24) -> Suitability:
    return judged(tally, min_face_px)


def test_a_camera_that_sees_large_clear_faces_is_placed_well() -> None:
    found = said(passages(5, (40, 90)))
    assert (found.verdict, found.zoom, found.passages) == (Verdict.GOOD, None, 5)
    assert found.sentences[0].endswith("100 % are judged")
    assert found.largest is not None
    assert abs(found.largest.p50 - 90) <= 3
    assert found.unknown == {}


def test_small_faces_are_unsuitable_and_the_zoom_that_is_needed_is_said() -> None:
    found = said(passages(5, (13, 14)))
    assert (found.verdict, found.zoom) == (Verdict.UNSUITABLE, 1.7)
    assert found.sentences[0] == "faces are 14 px; 24 are needed: zoom in by 1.7, or mount the camera nearer"
    # What the system sees of such small faces is not all there is.
    assert "below 12 px none is seen" in found.sentences[-1]


def test_who_walks_up_to_the_camera_may_be_small_at_first() -> None:
    found = said(passages(5, (14, 60)))
    assert found.verdict is Verdict.GOOD
    assert found.widths is not None
    assert found.widths.p10 < 24 <= found.widths.p90


def test_faces_just_large_enough_are_limited() -> None:
    found = said(passages(5, (26, 30)))
    assert (found.verdict, found.zoom) == (Verdict.LIMITED, None)
    assert "zoom in by 1.3" in found.sentences[0]


def test_what_is_needed_is_the_cameras_own_smallest_face() -> None:
    tally = passages(5, (40, 50), replace(BEGIN, min_face_px=80))
    found = said(tally, 80)
    assert (found.verdict, found.zoom, found.needed_px, found.comfortable_px) == (Verdict.UNSUITABLE, 1.7, 80, 133)


def test_turned_dark_and_blurred_faces_each_get_their_advice() -> None:
    for quality, reason, advice in (
        ({"turn": 0.9}, UnknownReason.TURNED_AWAY, "walk towards it"),
        ({"brightness": 0.05}, UnknownReason.TOO_DARK, "more light"),
        ({"sharpness": 0.02}, UnknownReason.BLURRED, "shorter exposure"),
    ):
        tally = passages(5, (40, 90), quality=quality)
        assert tally.reasons[reason] == tally.faces
        tally.unknown = {reason: 3}
        found = said(tally)
        assert found.verdict is Verdict.UNSUITABLE
        assert found.sentences[0].startswith("60 % of the people are ")
        assert advice in found.sentences[0]
        assert found.unknown == {reason: 0.6}


def test_half_of_them_turned_away_is_limited() -> None:
    tally = passages(4, (40, 90))
    tally.unknown = {UnknownReason.TURNED_AWAY: 2}
    found = said(tally)
    assert found.verdict is Verdict.LIMITED
    assert found.sentences[0].startswith(
        "50 % of the people are turned away: mount the camera so that people walk towards"
    )


def test_little_seen_is_no_verdict_and_says_what_to_do() -> None:
    found = said(Tally())
    assert (found.verdict, found.zoom, found.widths) == (Verdict.TOO_LITTLE_SEEN, None, None)
    assert found.sentences[0].startswith("only 0 faces of 0 passages were seen")
    assert said(passages(1, (40, 90))).verdict is Verdict.TOO_LITTLE_SEEN
    moving = Tally(samples=100, looked=80)
    assert "faces below 12 px are not seen at all" in said(moving).sentences[1]


def test_somebody_who_stays_does_not_speak_for_all() -> None:
    tally = passages(5, (13, 14))
    # A person near the camera, who is seen a thousand times and is still there.
    for _ in range(1000):
        tally.note_face(200, 0.5, 0.5, (0.5, 0.5, 0.0))
    assert said(tally).verdict is Verdict.UNSUITABLE


def test_without_passages_many_faces_speak_for_themselves() -> None:
    tally = Tally(samples=1000, looked=1000)
    for _ in range(200):
        tally.note_face(60, 0.5, 0.5, (0.5, 0.5, 0.0))
    tally.reasons = {UnknownReason.TURNED_AWAY: 120}
    found = said(tally)
    assert found.verdict is Verdict.UNSUITABLE
    assert found.sentences[0].startswith("60 % of the faces are turned away")


def test_finds_that_came_to_nothing_are_said() -> None:
    tally = Tally(samples=1000, looked=1000, unsure=60)
    assert "60 finds of less than 24 px came to no passage" in said(tally).sentences[1]


def test_tallies_of_an_hour_add_up_to_the_same_as_one() -> None:
    one, other = passages(3, (40, 90)), passages(2, (13, 14))
    both = Tally()
    both.add(one)
    both.add(other)
    assert both.faces == one.faces + other.faces
    assert sum(both.widths) == sum(both.places) == both.faces
    assert both.passages == sum(both.largest) == 5
    assert unpacked(packed(both)) == both
    assert len(packed(both)) < 1200


def test_a_tally_of_another_version_is_taken_for_an_empty_one() -> None:
    assert unpacked(b"not msgpack") == Tally()
    assert len(unpacked(packed(Tally(widths=[1, 2]))).widths) == len(Tally().widths)


def test_quantiles_are_right_within_a_bin() -> None:
    tally = Tally()
    for width in range(20, 120):
        tally.note_face(width, 0.1, 0.1, (width / 200, 0.3, 0.0))
    found = width_quantile(tally.widths, 0.5)
    assert found is not None
    assert abs(found / 70 - 1) < 0.06
    assert share_quantile(tally.sharpness, 0.5) == 0.35
    assert width_quantile([0, 0], 0.5) is None


def test_counts_are_given_out_by_the_hour_they_belong_to() -> None:
    seeing, state, rules = Seeing(), FoldState(), Rules.of(BEGIN)
    given = []
    for k in range(700):
        result = Result("c1", 1, k, HOUR_NS - 300 * STEP + k * STEP, 1920, 1080, Look.FULL)
        done = see(seeing, result, fold(state, result, rules), BEGIN)
        if done is not None:
            given.append(done)
    assert [(hour // HOUR_NS, tally.samples) for hour, tally in given] == [(0, 300), (1, 300)]
    assert seeing.tally.samples == 100


def to_the_end(aggregator: Aggregator) -> None:
    while aggregator.turn():
        pass


def live(samples: int = 400) -> list[Message]:
    """A live camera's messages: people, one after the other, for 80 s."""
    made: list[Message] = [replace(BEGIN, epoch=1)]
    for k in range(samples):
        shown = (face(100 + 30 * (k % 40), size=50, k=k),) if k % 80 < 40 else ()
        made.append(Result(CAMERA, 1, k, START_NS + k * STEP, 1920, 1080, Look.FULL, shown))
    made.append(End(CAMERA, 1, samples))
    return made


@pytest.mark.parametrize(("at", "after"), [(2, False), (2, True), (3, False)])
def test_every_face_is_counted_once_whatever_is_killed(place: Place, at: int, after: bool) -> None:
    place.bus.send(live())
    ledger = FailingLedger(place.engine, at, KilledError(), after=after)
    with pytest.raises(KilledError):
        to_the_end(place.aggregator(ledger))
    to_the_end(place.aggregator())
    whole = FaceTallies(place.engine).since(CAMERA, START_NS)
    # The first sightings of a passage are not of a passage yet.
    assert (whole.samples, whole.looked, whole.passages, whole.faces) == (400, 400, 5, 5 * 38)


def test_hours_are_kept_for_a_month_and_read_by_the_hour(place: Place) -> None:
    ledger = Ledger(place.engine, 0, "aggregate-0")
    ledger.acquire("bus", 0)
    for hour in range(3):
        for _ in range(2):
            ledger.commit(Batch("1-0", tallies={(CAMERA, hour * HOUR_NS): Tally(samples=1)}), hour * HOUR_NS)
    tallies = FaceTallies(place.engine)
    assert [tallies.since(CAMERA, round(hours * HOUR_NS)).samples for hours in (0, 1, 1.5, 2, 3)] == [6, 4, 4, 2, 0]
    assert tallies.since("c2", 0).empty
    later_ns = KEPT_NS + round(1.5 * HOUR_NS)
    ledger.commit(Batch("1-0", tallies={(CAMERA, later_ns): Tally(samples=1)}), later_ns)
    assert tallies.since(CAMERA, 0).samples == 3
