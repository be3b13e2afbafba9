"""The whole system on live cameras: what happens when something of it is killed."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from infra.demo.clips import write_clip
from infra.demo.live import BUILDING, OVER_S, Shown, closing_engine, demo_settings, found, set_up
from infra.demo.script import small_clip
from infra.demo.truth import Truth
from infra.places import Places
from infra.settings import Settings, load_settings
from infra.supervisor import System
from infra.system.workers import Role
from storage.bus import Bus
from storage.database.engine import reading
from storage.database.models import CameraStateRow
from storage.database.records import NewCamera
from storage.database.sites import Sites
from tests.starved import PROOF, SAMPLES_S, cut_short

CAMERA = "entrance"
CLIP_S = 12.0
ASKED_S = 3.0
BACK_S = ASKED_S if PROOF else 20.0
"""Other tests may share the processor; `make proof` runs on a quiet machine."""

LATE_S = 0.0 if PROOF else 6.0


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Truth]:
    folder = tmp_path_factory.mktemp("media")
    return folder, write_clip(small_clip(1280, 720, CLIP_S, 4, seed=3), folder / f"{CAMERA}.mp4")


class Live:
    """A system on one camera that plays the clip."""

    def __init__(self, system: System, settings: Settings, truth: Truth) -> None:
        self.system, self.settings, self.truth = system, settings, truth

    def until(self, condition: Callable[[], bool], limit_s: float = 30.0) -> float:
        started_s = time.monotonic()
        while not condition():
            self.system.check()
            assert time.monotonic() - started_s < limit_s
            time.sleep(0.01)
        return time.monotonic() - started_s

    def played_s(self) -> float:
        with closing_engine(self.settings) as engine:
            since_ns = Sites(engine).camera(CAMERA).playing_since_ns
        return 0.0 if since_ns is None else time.time() - since_ns / 1e9

    def beats(self) -> dict[str, int]:
        bus = Bus(self.system.redis_url)
        try:
            return {name: beat.pid for name, beat in bus.heartbeats().items()}
        finally:
            bus.close()

    def lost(self) -> int:
        with closing_engine(self.settings) as engine, reading(engine) as connection:
            return connection.execute(select(CameraStateRow.lost)).scalar() or 0

    def found(self) -> Shown:
        [shown] = found(self.settings, [self.truth])
        return shown


@pytest.fixture
def live(clip: tuple[Path, Truth], tmp_path: Path) -> Iterator[Live]:
    folder, truth = clip
    settings = demo_settings(load_settings(), tmp_path / "demo").model_copy(update={"media_dir": folder})
    set_up(settings, [])
    with System(settings, port=0) as system:
        system.wait_ready()
        # It plays from now on, when nothing else is starting.
        with closing_engine(settings) as engine:
            camera = NewCamera(CAMERA.capitalize(), BUILDING, f"file:{CAMERA}.mp4", id=CAMERA)
            Sites(engine, Places.of(settings).media).add_camera(camera)
        yield Live(system, settings, truth)


def in_the_end(live: Live, right: int = 0) -> Shown:
    """What is known once the clip has played and everybody is gone; so many passages are expected to be right."""
    live.until(lambda: live.played_s() > CLIP_S + OVER_S + 0.5, 60.0)
    began_s = time.monotonic()
    while (shown := live.found()).matching.score.right < right:
        live.system.check()
        # Who is still missing may be on the way into the database.
        if time.monotonic() - began_s > LATE_S:
            break
        time.sleep(0.1)
    return shown


@pytest.mark.slow
@pytest.mark.parametrize("role", [Role.INGEST, Role.DETECT, Role.CLASSIFY, Role.AGGREGATE])
def test_a_killed_worker_is_back_soon_and_nothing_is_invented_or_doubled(live: Live, role: Role) -> None:
    name = f"{role}-0"
    live.until(lambda: live.played_s() > 4.0 and name in live.beats())
    os.kill(live.system.pids()[name], signal.SIGKILL)
    killed = live.system.pids()[name]
    back_s = live.until(lambda: live.beats().get(name, killed) != killed)
    assert back_s < BACK_S
    shown = in_the_end(live, right=3)
    score = shown.matching.score
    assert score.invented_events == 0
    assert len(shown.events) == len({event.track_id for event in shown.events})
    # What was shed while the outage's samples were caught up with is in it, too.
    lost = live.lost()
    assert lost <= SAMPLES_S * (back_s + (1.0 if PROOF else 6.0))
    # Each second beyond the outage that is asked for may have hidden somebody, or cut a passage in two.
    spare = cut_short(max(0.0, lost - SAMPLES_S * (ASKED_S + 1.0)), 4)
    assert score.counted_twice <= spare
    assert score.right >= 3 - spare
    if role is Role.INGEST:
        assert lost > 0


@pytest.mark.slow
def test_an_embedded_redis_that_is_killed_takes_nothing_with_it_that_was_written(live: Live) -> None:
    live.until(lambda: live.played_s() > 6.0)
    before = {track.id for track in live.found().tracks}
    os.kill(live.system.pids()["redis"], signal.SIGKILL)
    shown = in_the_end(live)
    assert before <= {track.id for track in shown.tracks}
    score = shown.matching.score
    assert score.invented_events == 0
    assert len(shown.events) == len({event.track_id for event in shown.events})
    assert live.lost() > 0


@pytest.mark.slow
def test_nobody_is_lost_while_nothing_happens(live: Live) -> None:
    score = in_the_end(live, right=4).matching.score
    lost = live.lost()
    cut = cut_short(lost, 4)
    assert (score.tracks, score.invented_events) == (4, 0)
    assert score.right >= 4 - cut
    assert score.missed <= cut
    assert score.counted_twice <= cut
    if PROOF:
        assert lost == 0


def test_the_demo_has_a_redis_of_its_own(tmp_path: Path) -> None:
    settings = demo_settings(load_settings(redis_url="redis://10.0.0.5"), tmp_path)
    assert (settings.redis_url, settings.database_url) == (None, None)
