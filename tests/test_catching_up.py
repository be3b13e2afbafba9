"""A machine that is too slow for a camera: pictures do not come later and later, and what was left out is counted."""

import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from infra.rtsp.server import RtspServer
from ingest.catching_up import BEHIND_NS, READING_NS, CatchingUp
from ingest.stream import Stream
from storage.messages import NS_PER_S
from storage.pulse import Pulse
from tests.test_sources import clip, unhurried  # noqa: F401

FRAME_NS = NS_PER_S // 25
GOP = 50


def decoded(catching_up: CatchingUp[int], packets: list[tuple[int, int]], gop: int = GOP) -> list[list[int]]:
    """What is due with each packet, given as (timestamp, arrival) in ns and named by its number."""
    return [
        catching_up.due(number, at_ns, now_ns, keyframe=number % gop == 0)
        for number, (at_ns, now_ns) in enumerate(packets)
    ]


def even(count: int, begin: int = 0, step_ns: int = FRAME_NS, late_ns: int = 0) -> list[tuple[int, int]]:
    return [(number * FRAME_NS, number * step_ns + late_ns) for number in range(begin, begin + count)]


def test_while_decoding_keeps_up_every_packet_is_due_at_once() -> None:
    catching_up = CatchingUp[int]()
    hitch = even(100) + [(at_ns, 100 * FRAME_NS + 3 * NS_PER_S) for at_ns, _ in even(75, 100)] + even(1000, 175)
    assert decoded(catching_up, hitch) == [[number] for number in range(len(hitch))]
    assert catching_up.left_out_ns == 0


def test_who_is_behind_leaves_out_what_has_waited_and_goes_on_from_the_latest_keyframe() -> None:
    catching_up = CatchingUp[int]()
    slow = even(110) + even(20, 110, late_ns=BEHIND_NS + NS_PER_S // 10)
    # From now on packets come as fast as they are read, until there are no more: number 230 comes on time.
    fast = [(number * FRAME_NS, 230 * FRAME_NS) for number in range(130, 231)]
    due = decoded(catching_up, slow + fast)
    assert due[109] == [109]
    on_time = 230 - 12  # within half a second
    assert not any(due[110:on_time])
    assert due[on_time] == list(range(200, on_time + 1))
    assert due[on_time + 1 :] == [[number] for number in range(on_time + 1, 231)]
    assert catching_up.left_out_ns == (on_time - 109) * FRAME_NS


def test_without_a_keyframe_nothing_can_be_decoded_before_the_next() -> None:
    catching_up = CatchingUp[int]()
    due = decoded(catching_up, [*even(60), *even(1, 60, late_ns=BEHIND_NS + NS_PER_S // 10), *even(60, 61)])
    assert not any(due[60:100])
    assert due[100:] == [[number] for number in range(100, 121)]
    assert catching_up.left_out_ns == (100 - 59) * FRAME_NS


def test_timestamps_that_run_slow_are_believed_less_and_less() -> None:
    catching_up = CatchingUp[int]()
    # Half as fast as they should, for ten minutes: it is not we who are late.
    due = decoded(catching_up, even(7500, step_ns=2 * FRAME_NS))
    shown = sum(map(bool, due))
    assert shown > 0.95 * len(due)
    assert all(due[-1000:])


@pytest.mark.parametrize("jump_s", [-3600, -10, 10, 3600])
def test_timestamps_that_jump_cost_seconds_at_most(jump_s: int) -> None:
    catching_up = CatchingUp[int]()
    jumped = [(at_ns + jump_s * NS_PER_S, now_ns) for at_ns, now_ns in even(500, 200)]
    due = decoded(catching_up, even(200) + jumped)
    assert due.count([]) <= READING_NS // FRAME_NS + GOP
    assert all(due[-200:])


def test_a_camera_s_fast_clock_is_no_lag() -> None:
    # Its second lasts 0.9995 of ours; over a day it gets 43 s ahead.
    catching_up = CatchingUp[int]()
    assert all(catching_up.due(0, s * NS_PER_S, s * NS_PER_S * 9995 // 10_000, keyframe=True) for s in range(86_400))
    slow = CatchingUp[int]()
    assert all(slow.due(0, s * NS_PER_S, s * NS_PER_S * 10_005 // 10_000, keyframe=True) for s in range(86_400))


@pytest.mark.usefixtures("unhurried")
def test_a_slow_machine_shows_the_present_and_says_what_it_left_out(
    clip: Callable[..., Path],  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ingest.catching_up.BEHIND_NS", NS_PER_S)
    with RtspServer({"door": clip(4)}) as server:
        source, pulse, slow, sampled, ages_s = Stream(server.url("door"), 5), Pulse(), Pulse(), 0, []
        began_s = time.monotonic()
        moments_s = [began_s]
        for frame in source.frames(pulse):
            moments_s.append(time.monotonic())
            ages_s.append((time.time_ns() - frame.at_ns) / NS_PER_S)
            sampled += frame.sampled
            if (passed_s := time.monotonic() - began_s) > 8:
                pulse.stop()
            # Ten frames a second of 25: without catching up the last one would be 4 s old.
            slow.wait(0.1)
    # What this machine itself stood still for comes on top.
    own_s = max(0.0, max(after - before for before, after in pairwise(moments_s)) - 0.2)
    assert max(ages_s) < 2.5 + own_s
    assert min(ages_s[len(ages_s) // 2 :]) < 1
    assert source.late >= 5
    # Nothing is missing that was not counted.
    assert abs(sampled + source.late - 5 * (passed_s - ages_s[-1])) <= 4 + 5 * own_s
