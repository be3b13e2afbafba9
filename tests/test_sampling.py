"""Which frames are samples, and what time they have."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.sampling import FrameClock, SampleGrid
from storage.messages import NS_PER_S

MS = 1_000_000


@pytest.mark.parametrize(
    ("frame_ms", "fps", "expected_ms"),
    [
        (range(0, 1000, 40), 5, [0, 200, 400, 600, 800]),
        # 29.97 frames a second: the first frame at or after each point.
        ([round(i * 33.3667) for i in range(31)], 5, [0, 200, 400, 601, 801, 1001]),
        # Slower than the grid: every frame is a sample, once.
        ([0, 500, 1000, 1500], 5, [0, 500, 1000, 1500]),
        # A pause does not make up for the points it skipped.
        ([0, 40, 3000, 3040, 3080, 3200], 5, [0, 3000, 3200]),
        ([7, 47, 207], 5, [7, 207]),
        # Container clocks round: a frame a millisecond early belongs to its point.
        ([0, 199, 239, 400], 5, [0, 199, 400]),
    ],
)
def test_the_first_frame_at_or_after_each_grid_point_is_a_sample(
    frame_ms: list[int], fps: float, expected_ms: list[int]
) -> None:
    grid = SampleGrid(fps)
    assert [t for t in frame_ms if grid.takes(t * MS)] == expected_ms


@given(st.lists(st.integers(0, 10_000), min_size=1), st.sampled_from([1, 2.5, 5, 7, 25]))
def test_never_more_than_one_sample_per_grid_step(times_ms: list[int], fps: float) -> None:
    grid = SampleGrid(fps)
    taken = [t for t in sorted(set(times_ms)) if grid.takes(t * MS)]
    assert len(taken) <= max(times_ms) / 1000 * fps + 1.01
    assert taken[:1] == sorted(set(times_ms))[:1]


def test_footage_starts_at_zero_wherever_its_timestamps_start() -> None:
    clock = FrameClock(25)
    assert [clock.at(pts * MS) for pts in (5000, 5040, 5080)] == [0, 40 * MS, 80 * MS]
    assert clock.repaired == 0


def test_frames_before_the_first_timestamp_are_one_frame_apart() -> None:
    clock = FrameClock(25)
    assert [clock.at(None), clock.at(None), clock.at(80 * MS), clock.at(120 * MS)] == [0, 40 * MS, 80 * MS, 120 * MS]
    assert clock.repaired == 2


def test_duplicates_and_frames_a_little_early_make_no_drift() -> None:
    clock = FrameClock(25)
    times = [clock.at(pts * MS) for pts in (0, 40, 40, 80, 60, 120, 160)]
    assert [round(time / MS) for time in times] == [0, 40, 40, 80, 80, 120, 160]
    assert clock.repaired == 2
    assert not clock.jumped


@pytest.mark.parametrize("jump_ns", [-3 * NS_PER_S, 5 * 3600 * NS_PER_S])
def test_an_impossible_timestamp_follows_the_frame_before(jump_ns: int) -> None:
    clock = FrameClock(25)
    clock.at(0)
    assert clock.at(jump_ns) == 40 * MS
    assert clock.at(jump_ns + 40 * MS) == 80 * MS
    assert clock.repaired == 1


@given(st.lists(st.one_of(st.none(), st.integers(-(10**12), 10**13)), min_size=1, max_size=60))
def test_time_never_stands_still_or_runs_backwards(stamps: list[int | None]) -> None:
    clock = FrameClock(25)
    times = [clock.at(stamp) for stamp in stamps]
    assert times[0] == 0
    assert all(later > earlier for earlier, later in pairwise(times))
