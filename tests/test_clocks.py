"""When a frame was captured: by its arrival, by the camera's own clock while that can be right, and never backwards."""

import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from infra.rtsp.server import RtspServer
from ingest.stream import Stream
from ingest.timing import BEHIND_NS, OwnClock, StreamTiming
from storage.messages import NS_PER_S
from storage.pulse import Pulse
from tests.test_sources import clip, unhurried  # noqa: F401

MS = 1_000_000
S = NS_PER_S
START = 1_700_000_000 * S


def told(
    timing: StreamTiming, frames: list[tuple[int | None, int, int | None]]
) -> tuple[list[int], list[str], list[bool]]:
    """Times in ms since the start, clocks and samples of frames given as (timestamp, arrival, camera's word) in ms."""
    times, clocks, sampled = [], [], []
    for pts, arrived, captured in frames:
        timed = timing.next(
            None if pts is None else pts * MS,
            START + arrived * MS,
            None if captured is None else START + captured * MS,
        )
        times.append((timed.at_ns - START) // MS)
        clocks.append(timing.clock)
        sampled.append(timed.sampled)
    return times, clocks, sampled


def test_the_camera_s_word_is_taken_for_the_capture_time() -> None:
    random = np.random.default_rng(1)
    frames = [(40 * k, 40 * k + 180 + int(random.exponential(40)), 40 * k) for k in range(100)]
    times, clocks, sampled = told(StreamTiming(5, 25), [*frames])
    assert times == [40 * k for k in range(100)]
    assert set(clocks) == {"rtcp"}
    assert [k for k, taken in enumerate(sampled) if taken] == list(range(0, 100, 5))


def test_frames_that_a_long_hitch_brings_together_keep_their_places() -> None:
    frames = [(40 * k, 40 * k + 100 if k < 10 or k > 130 else 5400 + k, 40 * k) for k in range(150)]
    times, clocks, _ = told(StreamTiming(5, 25), [*frames])
    assert times == [40 * k for k in range(150)]
    assert set(clocks) == {"rtcp"}


@pytest.mark.parametrize("wrong_s", [-3600, -(BEHIND_NS // S) - 1, 2, 86_400 * 365])
def test_a_camera_whose_clock_is_wrong_is_not_believed(wrong_s: int) -> None:
    frames = [(40 * k, 40 * k + 100, 40 * k + wrong_s * 1000) for k in range(20)]
    times, clocks, _ = told(StreamTiming(5, 25), [*frames])
    assert times == [40 * k + 100 for k in range(20)]
    assert set(clocks) == {"arrival"}


def test_a_picture_is_never_from_the_future() -> None:
    frames = [(40 * k, 40 * k + 100, 40 * k + 600) for k in range(20)]
    times, _, _ = told(StreamTiming(5, 25), [*frames])
    assert times == [40 * k + 100 for k in range(20)]


def test_a_clock_that_was_set_is_doubted_for_a_while_and_then_approached_without_a_step_back() -> None:
    frames = [(40 * k, 40 * k + 100, 40 * k - (0 if k < 50 else 3000)) for k in range(700)]
    times, clocks, _ = told(StreamTiming(5, 25), [*frames])
    assert all(before < after for before, after in pairwise(times))
    assert set(clocks[:50]) == {"rtcp"}
    assert set(clocks[50:170]) == {"arrival"}
    assert set(clocks[180:]) == {"rtcp"}
    assert times[49] == 40 * 49
    assert times[60] == 40 * 60 + 100
    assert times[-1] == 40 * 699 - 3000


def test_reports_that_begin_later_move_no_frame_before_another() -> None:
    frames = [(40 * k, 40 * k + 300, 40 * k if k >= 25 else None) for k in range(100)]
    times, clocks, _ = told(StreamTiming(5, 25), [*frames])
    assert all(before < after for before, after in pairwise(times))
    assert clocks[24] == "arrival"
    assert clocks[25] == "rtcp"
    assert times[24] == 40 * 24 + 300
    assert times[-1] == 40 * 99


def test_a_jump_ahead_of_the_timestamps_is_followed_at_once() -> None:
    frames = [(40 * k + (600_000 if k > 50 else 0), 40 * k + 100, None) for k in range(100)]
    for paced in (False, True):
        times, _, sampled = told(StreamTiming(5, 25, paced=paced), [*frames])
        assert all(abs(at - arrived) <= 1 for at, (_, arrived, _) in zip(times, frames, strict=True))
        assert 19 <= sum(sampled) <= 21


def test_a_jump_back_of_the_timestamps_is_followed_at_once() -> None:
    frames = [(40 * k - (600_000 if k > 50 else 0), 40 * k + 100, None) for k in range(100)]
    times, _, sampled = told(StreamTiming(5, 25), [*frames])
    assert times == [40 * k + 100 for k in range(100)]
    assert sum(sampled) == 20


@pytest.mark.parametrize("pts", [0, -5000, None])
def test_timestamps_that_mean_nothing_leave_arrivals(pts: int | None) -> None:
    frames = [(pts, 100 * k, None) for k in range(100)]
    times, _, sampled = told(StreamTiming(5, 0), [*frames])
    assert times[20:] == [100 * k for k in range(20, 100)]
    assert 45 <= sum(sampled) <= 51


def test_negative_timestamps_are_timestamps() -> None:
    frames = [(40 * k - 10_000, 40 * k + 7, None) for k in range(20)]
    times, _, sampled = told(StreamTiming(5, 25), [*frames])
    assert times == [40 * k + 7 for k in range(20)]
    assert [k for k, taken in enumerate(sampled) if taken] == [0, 5, 10, 15]


def test_timestamps_that_run_twice_as_fast_make_no_more_samples() -> None:
    frames = [(80 * k, 40 * k, None) for k in range(250)]
    _, _, sampled = told(StreamTiming(5, 25), [*frames])
    assert sum(sampled) <= 84


def test_our_own_clock_is_followed_only_when_it_was_set() -> None:
    clock = OwnClock(START, 0)
    assert clock.at(START + 10 * S + 300 * MS, 10 * S) == START + 10 * S
    assert clock.at(START + 20 * S + 3600 * S, 20 * S) == START + 3620 * S
    assert clock.at(START + 30 * S, 30 * S) == START + 30 * S


# --- with a camera that sends reports ---


def watched(
    server: RtspServer, count: int, act: Callable[[], None] | None = None
) -> tuple[list[tuple[int, str]], list[float]]:
    """Capture times with their clocks, and how old each frame was in ms.

    With `act`, which happens after half of the frames, until as much as the other half was captured after it.
    """
    source, pulse, times, ages = Stream(server.url("door"), 5), Pulse(), [], []
    half_ns, acted_ns = count // 2 * 40 * MS, 0
    for frame in source.frames(pulse):
        times.append((frame.at_ns, source.clock))
        ages.append((time.time_ns() - frame.at_ns) / MS)
        if len(times) == count // 2 and act is not None:
            act()
            acted_ns = time.time_ns()
        if len(times) >= count and (frame.at_ns >= acted_ns + half_ns or len(times) >= 20 * count):
            pulse.stop()
    return times, ages


@pytest.mark.usefixtures("unhurried")
def test_capture_times_are_those_of_the_camera_s_reports(clip: Callable[..., Path]) -> None:  # noqa: F811
    with RtspServer({"door": clip(2)}) as server:
        times, _ = watched(server, 30)
        began_ns = server.began_ns("door")
    assert began_ns is not None
    assert {clock for _, clock in times} == {"rtcp"}
    # Each picture was captured at a multiple of 40 ms after the first; arrival only ever adds to that.
    off = [(at_ns - began_ns + 20 * MS) % (40 * MS) - 20 * MS for at_ns, _ in times]
    assert max(map(abs, off)) < 2 * MS


@pytest.mark.usefixtures("unhurried")
def test_a_camera_whose_clock_is_set_wrong_goes_on_by_arrival(clip: Callable[..., Path]) -> None:  # noqa: F811
    with RtspServer({"door": clip(2)}) as server:
        times, ages = watched(server, 115, lambda: server.jump("door", 0, clock_s=-900))
    assert times[0][1] == "rtcp"
    assert times[-1][1] == "arrival"
    assert all(before < after for (before, _), (after, _) in pairwise(times))
    assert min(ages) >= 0
    assert max(ages) < 60_000


@pytest.mark.usefixtures("unhurried")
@pytest.mark.parametrize("seconds", [3000, -3000])
def test_a_stream_that_jumps_in_time_goes_on(clip: Callable[..., Path], seconds: float) -> None:  # noqa: F811
    with RtspServer({"door": clip(2)}) as server:
        times, ages = watched(server, 60, lambda: server.jump("door", seconds))
    steps = [after - before for (before, _), (after, _) in pairwise(times)]
    assert min(steps) > 0
    assert max(steps) < 60_000 * MS
    assert max(ages) < 60_000
