"""When a main stream is not decoded: rules on times alone."""

from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from ingest.idling import LONGEST_GOP_NS, MARGIN_NS, Hindrance, Idling, Kept, Quiet, Settled, Turn
from ingest.stillness import Stillness
from ingest.timing import Timed
from storage.messages import NS_PER_S
from storage.regions import Region

FRAME_NS = NS_PER_S // 10
SAMPLE_NS = NS_PER_S // 5
ALWAYS = Quiet(-1000 * NS_PER_S, 1000 * NS_PER_S)


class Camera:
    """A main stream of 10 frames a second, each other of them a sample."""

    def __init__(self, gop: int = 10, *, size: int = 1000, step_ns: int = FRAME_NS) -> None:
        self.idling: Idling[int] = Idling(SAMPLE_NS)
        self.idling.wanted = self.idling.prompt = True
        self.number = -1
        self.settled: list[tuple[int, Settled]] = []
        self.decoded: list[int] = []
        self.shown: list[int] = []
        self._gop, self._size, self._step_ns = gop, size, step_ns

    def next(self, quiet: Quiet | None, *, late: bool = False, stamp: int | None = None) -> Turn:
        """The next packet, and all that follows from it."""
        self.number += 1
        number, idling = self.number, self.idling
        at_ns = number * self._step_ns
        one = Kept(number, number if stamp is None else stamp, at_ns, self._size, number % self._gop == 0)
        turn = idling.take(one, quiet, late=late)
        placed = Timed(at_ns, number % 2 == 0, 0)
        if turn is Turn.DECODE:
            self.decoded.append(number)
            self.shown.append(number)
            if placed.sampled:
                idling.looked_ns = at_ns
            return turn
        one.placed = placed
        if turn is Turn.WAKE:
            self._feed(idling.rest())
            return turn
        for kept, what in idling.settle(quiet):
            self.settled.append((kept.packet, what))
            if what is Settled.LOOK:
                self.decoded += [needed.packet for needed in idling.path(kept)]
        return turn

    def play(self, count: int, quiet: Quiet | None) -> Iterator[Turn]:
        for _ in range(count):
            yield self.next(quiet)

    def _feed(self, packets: list[Kept[int]]) -> None:
        for one in packets:
            self.decoded.append(one.packet)
            if not one.done:
                self.shown.append(one.packet)
                one.done = True


def idle_camera(gop: int = 10) -> Camera:
    """One that has begun to idle."""
    camera = Camera(gop)
    turns = list(camera.play(gop + 1, ALWAYS))
    assert turns == [Turn.DECODE] * gop + [Turn.KEEP]
    camera.decoded.clear()
    camera.shown.clear()
    return camera


def test_it_idles_once_it_is_known_that_keyframes_come_and_the_sub_stream_is_quiet() -> None:
    camera = Camera()
    assert set(camera.play(30, None)) == {Turn.DECODE}
    assert set(camera.play(30, ALWAYS)) == {Turn.KEEP}


def test_while_idle_samples_pass_in_order_and_only_keyframes_are_looked_at_every_two_seconds() -> None:
    camera = idle_camera()
    assert set(camera.play(80, ALWAYS)) == {Turn.KEEP}
    passed = [number for number, what in camera.settled if what is Settled.SAMPLE]
    looked = [number for number, what in camera.settled if what is Settled.LOOK]
    assert [number for number, _ in camera.settled] == list(range(10, 91))
    assert looked == camera.decoded == [20, 40, 60, 80]
    assert sorted(passed + looked) == list(range(10, 91, 2))


def test_where_keyframes_are_rarer_than_full_looks_these_are_decoded_up_to() -> None:
    camera = idle_camera(gop=30)
    list(camera.play(60, ALWAYS))
    looked = [number for number, what in camera.settled if what is Settled.LOOK]
    # The last sample that was decoded was the 28th.
    assert looked == [48, 60, 80]
    assert camera.decoded == [*range(30, 49), *range(60, 81)]


def test_of_pictures_that_are_all_keyframes_few_are_kept() -> None:
    camera = Camera(gop=1)
    for number in range(5000):
        turn = camera.next(Quiet(-100 * NS_PER_S, number * FRAME_NS))
    assert turn is Turn.KEEP
    assert camera.idling.hindrance is None
    assert len(camera.idling._kept) < 10
    looked = [number for number, what in camera.settled if what is Settled.LOOK]
    assert camera.decoded[-100:] == looked[-100:] == list(range(looked[-1] - 1980, looked[-1] + 1, 20))


def test_a_keyframe_that_is_no_sample_takes_the_place_of_the_sample_after_it() -> None:
    camera = Camera(gop=7)
    list(camera.play(90, ALWAYS))
    looked = [number for number, what in camera.settled if what is Settled.LOOK]
    samples = [number for number, what in camera.settled if what is not Settled.PASSED]
    assert looked == [21, 42, 63, 84]
    assert 22 not in samples
    assert 24 in samples


def test_no_sample_passes_before_the_sub_stream_has_judged_it() -> None:
    camera = idle_camera()
    for number in range(11, 60):
        now_ns = number * FRAME_NS
        quiet = Quiet(-100 * NS_PER_S, now_ns - FRAME_NS)
        assert camera.next(quiet) is Turn.KEEP
        assert all(at * FRAME_NS <= quiet.until_ns - MARGIN_NS for at, _ in camera.settled[-1:] if at > 10)


def test_when_something_moves_all_that_has_not_passed_is_shown_once_and_decoding_goes_on_from_there() -> None:
    camera = idle_camera()
    for number in range(11, 36):
        camera.next(Quiet(-100 * NS_PER_S, number * FRAME_NS))
    last = camera.settled[-1][0]
    assert last == 30
    camera.decoded.clear()
    assert camera.next(None) is Turn.WAKE
    # From the keyframe on that is before the first one to be shown.
    assert camera.decoded == [*range(30, 37)]
    assert camera.shown == [*range(31, 37)]
    assert [camera.next(None) for _ in range(3)] == [Turn.DECODE] * 3
    assert camera.shown == [*range(31, 40)]


def test_decoding_goes_on_from_where_the_decoder_stands() -> None:
    camera = Camera()
    list(camera.play(14, None))
    camera.next(ALWAYS)
    assert camera.idling.idle
    camera.decoded.clear()
    camera.next(None)
    # The keyframe is the tenth.
    assert camera.decoded == [14, 15]


@pytest.mark.parametrize(
    ("quiet", "late", "stirring"),
    [
        (None, False, False),
        (Quiet(29 * FRAME_NS, 30 * FRAME_NS), False, False),
        (ALWAYS, True, False),
        (ALWAYS, False, True),
    ],
    ids=["it moves", "it has moved since", "late packets", "it moves in the main stream"],
)
def test_what_wakes_a_camera_does_so_with_the_next_packet(quiet: Quiet | None, late: bool, stirring: bool) -> None:
    camera = idle_camera()
    for number in range(11, 30):
        camera.next(Quiet(-100 * NS_PER_S, number * FRAME_NS))
    camera.idling.stirring = stirring
    assert camera.next(quiet, late=late) is Turn.WAKE


def test_a_sub_stream_that_says_nothing_is_waited_for_for_less_than_a_second() -> None:
    camera = idle_camera()
    silent = Quiet(-100 * NS_PER_S, 10 * FRAME_NS)
    turns = list(camera.play(12, silent))
    assert turns.index(Turn.WAKE) <= 10
    assert camera.shown[-1] == 10 + 12
    assert set(camera.play(30, silent)) == {Turn.DECODE}


@pytest.mark.parametrize(
    ("camera", "why"),
    [
        (Camera(gop=45), Hindrance.RARE),
        (Camera(gop=10, size=4 << 20), Hindrance.LARGE),
        (Camera(gop=4000, step_ns=NS_PER_S // 1000), Hindrance.LARGE),
    ],
)
def test_what_would_be_too_much_to_keep_is_decoded_and_said_so(camera: Camera, why: Hindrance) -> None:
    assert set(camera.play(5000, ALWAYS)) == {Turn.DECODE}
    assert camera.idling.hindrance is why
    assert LONGEST_GOP_NS >= 4 * NS_PER_S


def test_a_stream_with_b_frames_is_decoded() -> None:
    camera = Camera()
    for number in range(60):
        stamp = number if number % 10 == 0 else number + (1 if number % 2 else -2)
        assert camera.next(ALWAYS, stamp=stamp) is Turn.DECODE
    assert camera.idling.hindrance is Hindrance.ORDER


def test_keyframes_that_stay_away_wake_a_camera_before_it_keeps_too_much() -> None:
    camera = idle_camera()
    camera._gop = 10**9
    turns = list(camera.play(60, ALWAYS))
    assert turns.count(Turn.WAKE) == 1
    assert turns[-1] is Turn.DECODE
    assert (camera.shown[-1], camera.idling.hindrance) == (70, Hindrance.RARE)


def test_without_a_sub_stream_nothing_is_kept() -> None:
    camera = idle_camera()
    camera.idling.wanted = False
    assert [camera.next(ALWAYS) for _ in range(3)] == [Turn.WAKE, Turn.DECODE, Turn.DECODE]
    assert camera.idling._kept == []


def noise(seed: int, width: int = 320) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(90, 95, (180, width), np.uint8)


def judged(
    stillness: Stillness, pictures: list[NDArray[np.uint8]], regions: tuple[Region, ...] = ()
) -> list[Quiet | None]:
    """Five pictures a second."""
    steps = [(index * SAMPLE_NS, index * 0.2) for index in range(len(pictures))]
    return [
        stillness.judge(picture, came_ns, now_s, regions)
        for picture, (came_ns, now_s) in zip(pictures, steps, strict=True)
    ]


def test_a_sub_stream_is_quiet_a_second_after_the_last_movement() -> None:
    pictures = [noise(index) for index in range(30)]
    pictures[15][40:120, 100:160] = 250
    found = judged(Stillness(60.0), pictures)
    assert found[6] is not None
    assert found[14] == Quiet(found[6].since_ns, 14 * SAMPLE_NS)
    assert found[15:21] == [None] * 6
    assert found[21] == Quiet(21 * SAMPLE_NS, 21 * SAMPLE_NS)
    # What moves where nobody watches does not count.
    everything = Region("ignore", ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)))
    assert None not in judged(Stillness(60.0), pictures, (everything,))


def test_a_sub_stream_that_is_frozen_or_too_small_says_nothing() -> None:
    frozen = Stillness(60.0)
    found = judged(frozen, [noise(1)] * 60)
    assert found[40] is not None
    assert found[-1] is None
    assert "again and again" in (frozen.trouble or "")
    small = Stillness(60.0)
    assert set(judged(small, [noise(index, 176) for index in range(20)])) == {None}
    assert "less than 320 pixels wide" in (small.trouble or "")


def test_a_sub_stream_of_another_view_is_found_out_by_the_full_looks() -> None:
    camera = idle_camera()
    decoded = 0
    for _ in range(2000):
        before = len([1 for _, what in camera.settled if what is Settled.LOOK])
        decoded = decoded + 1 if camera.next(ALWAYS) is Turn.DECODE else 0
        looks = len([1 for _, what in camera.settled if what is Settled.LOOK])
        camera.idling.stirring = looks > before
    assert camera.idling.hindrance is Hindrance.OTHER
    assert decoded > 1000
    # Somebody has seen to it.
    camera.idling.another, camera.idling.stirring = True, False
    assert Turn.KEEP in set(camera.play(30, ALWAYS))
    assert camera.idling.hindrance is None


def test_keyframes_that_nothing_can_begin_at_are_none() -> None:
    camera = Camera(gop=10**9)
    camera.number = 0
    assert set(camera.play(100, ALWAYS)) == {Turn.DECODE}
    assert camera.idling.hindrance is Hindrance.RARE
