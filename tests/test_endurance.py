"""A building's cameras for minutes on end: nothing is lost, everybody is found once, events come soon, nothing grows.

`make proof` runs all of it at full length on a machine that does nothing else.
"""

from pathlib import Path

import pytest

from infra.bench.camera_clips import camera_loops
from infra.bench.camera_system import CameraSystem
from infra.bench.cameras import DWELL_S, WARM_S, Outcome, measured, percentile
from infra.bench.machine import Moment
from infra.bench.trend import HOUR_S, trend
from infra.scoring import added
from infra.settings import load_settings
from tests.starved import PROOF, SAMPLES_S, cut_short, skip_where_others_work

CAMERAS, MINUTES = (6, 5.0) if PROOF else (2, 0.75)
SOAK_CAMERAS, SOAK_MINUTES = (4, 30.0) if PROOF else (2, 1.5)
ACTIVITY = 0.1 if PROOF else 0.3
"""Short runs need people more often to see any, and show them on fewer cameras: a slow machine is to keep up with them."""

LATENCY_S = 1.0 if PROOF else 3.0
"""Other tests may share the processor."""

GROWTH_MIB, GROWTH_FILES = (16.0, 4.0) if PROOF else (48.0, 16.0)
"""By how much all processes together may have grown: what a library fills up late, once."""

pytestmark = pytest.mark.slow


def watched(folder: Path, cameras: int, minutes: float) -> Outcome:
    loops, start = camera_loops(folder, ACTIVITY), Moment.now()
    with CameraSystem(load_settings(), folder, loops, cameras) as live:
        live.come_up()
        live.go_on(WARM_S)
        outcome = measured(live, 60 * minutes, lambda *_: None)
        assert live.said == []
    # Known once our own processes have ended.
    skip_where_others_work(start)
    return outcome


@pytest.fixture(scope="module")
def soak(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """Some cameras, for long."""
    return watched(tmp_path_factory.mktemp("soak"), SOAK_CAMERAS, SOAK_MINUTES)


def allowed_drops(cameras: int, minutes: float) -> int:
    # Short runs show people three times as often, at times more of them than a slow machine looks at.
    return 0 if PROOF else round(0.1 * SAMPLES_S * 60 * minutes * cameras)


def assert_everybody_found_once(outcome: Outcome, cameras: int, minutes: float) -> None:
    score = added([one.matching.score for one in outcome.found])
    assert score.tracks >= cameras * minutes
    assert outcome.dropped <= allowed_drops(cameras, minutes), outcome.drops
    # Whoever was not looked at for a second may be taken for somebody else afterwards: so many times can that have been.
    cut = cut_short(outcome.dropped)
    assert score.missed <= cut, outcome.drops
    assert score.counted_twice <= cut, outcome.drops
    assert score.invented_events == 0


def test_every_passage_of_many_cameras_is_found_once_and_no_sample_is_dropped(tmp_path: Path) -> None:
    outcome = watched(tmp_path, CAMERAS, MINUTES)
    assert_everybody_found_once(outcome, CAMERAS, MINUTES)
    # Each camera's people, all at once, for a second or two.
    assert max(outcome.queues.values()) <= 10 * CAMERAS, outcome.queues


def test_an_event_is_in_the_api_soon_after_the_dwell_time(soak: Outcome) -> None:
    late = [one.visible_s - one.started_s - DWELL_S for one in soak.visible]
    assert len(late) >= 4
    assert min(late) > -0.05, "not before its time"
    assert percentile(late, 95) <= LATENCY_S, late


def test_memory_open_files_and_queues_stay_as_they_are(soak: Outcome) -> None:
    grown = trend(soak.readings)
    hours = soak.readings[-1].at_s / HOUR_S
    assert hours > 0.9 * SOAK_MINUTES / 60
    assert grown.memory_mib * hours <= GROWTH_MIB, grown
    assert grown.files * hours <= GROWTH_FILES, grown
    half = len(soak.readings) // 2
    for name in soak.queues:
        # Queues grow while people are there, and are empty in between, to the end.
        assert min(one.queues.get(name, 0) for one in soak.readings[half:]) <= 4, name


def test_a_long_run_finds_everybody_once(soak: Outcome) -> None:
    assert_everybody_found_once(soak, SOAK_CAMERAS, SOAK_MINUTES)
