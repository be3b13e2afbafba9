"""Cameras over RTSP, and something of the system goes away for a moment: what that costs, and what it does not."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from infra.bench.camera_clips import Loop, camera_loops
from infra.bench.camera_system import CameraSystem, last_samples
from infra.demo.scene import Stage, Waypoint
from infra.scoring import added
from infra.settings import load_settings
from infra.system.workers import Role
from storage.messages import NS_PER_S
from tests.people_scenes import people_scenes, write_scene
from tests.starved import PROOF, SAMPLES_S

CAMERAS = 2
BACK_S = 6.0 if PROOF else 12.0
"""Until a sample taken after the death has gone all the way; with Redis, everything is started again."""
CATCHING_UP_S = 2.0
"""Samples that are shed while those of the outage are caught up with, and those in hand at its beginning."""

ENTERS_S, LEAVES_S = 12.0, 36.0

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def waiting(tmp_path_factory: pytest.TempPathFactory) -> Loop:
    """Somebody comes, waits without a mask, and leaves."""
    scene = next(scene for scene in people_scenes() if scene.name == "waiting")
    (person,) = scene.clip.walkers
    times = (ENTERS_S, ENTERS_S + 2.6, LEAVES_S - 2.6, LEAVES_S)
    path = tuple(Waypoint(at_s, point.x_m, point.z_m) for at_s, point in zip(times, person.path, strict=True))
    person = replace(person, path=path, stages=(Stage(ENTERS_S, person.stages[0].wearing),))
    scene = replace(scene, clip=replace(scene.clip, duration_s=40.0, walkers=(person,)))
    file = tmp_path_factory.mktemp("waiting") / "waiting.mp4"
    return Loop(file, write_scene(scene, file), (ENTERS_S, LEAVES_S))


@contextmanager
def live_on(folder: Path, loops: tuple[Loop, ...], cameras: int) -> Iterator[CameraSystem]:
    with CameraSystem(load_settings(), folder, loops, cameras) as live:
        live.come_up()
        yield live


def shown_s(live: CameraSystem) -> float:
    """Seconds from the first picture of the first camera."""
    return (time.time_ns() - int(live.server.call("began_ns", name=live.names[0]))) / NS_PER_S


def killed(live: CameraSystem, name: str) -> float:
    """Kill a process; the seconds until its successor beats."""
    pid = live.system.pids()[name]
    os.kill(pid, signal.SIGKILL)
    return live.until(lambda: name in (beats := live.bus.heartbeats()) and beats[name].pid != pid)


def back(live: CameraSystem, since_ns: int) -> bool:
    """Whether all cameras were live after a moment, and a sample of each has gone all the way."""
    statuses, last_ns = live.bus.statuses(live.names), last_samples(live.engine)
    return all(
        name in statuses and statuses[name].state == "live" and last_ns.get(name, 0) > since_ns for name in live.names
    )


# The others on a camera that plays a file, in every run: tests/test_live.py.
@pytest.mark.parametrize("role", [Role.INGEST, Role.DETECT, Role.CLASSIFY] if PROOF else [Role.INGEST])
def test_a_killed_worker_costs_what_is_counted_and_nobody_is_doubled(role: Role, tmp_path: Path) -> None:
    with live_on(tmp_path, camera_loops(tmp_path, 0.3, width=1280, height=720), CAMERAS) as live:
        since_ns = time.time_ns()
        live.go_on(10.0)
        lost = live.lost()
        killed_ns = time.time_ns()
        back_s = killed(live, f"{role}-0") + live.until(lambda: back(live, killed_ns))
        assert back_s < BACK_S
        live.go_on(20.0)
        until_ns = time.time_ns()
        live.settle()
        score = added([one.matching.score for one in live.found(since_ns=since_ns, until_ns=until_ns)])
        assert score.tracks >= 4
        assert (score.invented_events, score.counted_twice) == (0, 0)
        assert live.lost() - lost <= SAMPLES_S * CAMERAS * (back_s + CATCHING_UP_S)
        if role is Role.INGEST:
            assert live.lost() > lost


@pytest.mark.parametrize("name", ["redis", "ingest-0", "aggregate-0"])
def test_somebody_in_view_all_through_an_outage_stays_one_passage_and_one_event(
    name: str, waiting: Loop, tmp_path: Path
) -> None:
    with live_on(tmp_path, (waiting,), 1) as live:
        since_ns = time.time_ns() - 60 * NS_PER_S
        before_s = (ENTERS_S - float(live.server.call("started_s", name=live.names[0]))) % 40.0
        live.until(lambda: shown_s(live) > before_s + 6.0)
        lost, killed_ns = live.lost(), time.time_ns()
        if name == "redis":
            os.kill(live.system.pids()[name], signal.SIGKILL)
            back_s = live.until(lambda: not live.system.ready)
            back_s += live.until(lambda: live.system.ready and back(live, killed_ns))
        else:
            back_s = killed(live, name) + live.until(lambda: back(live, killed_ns))
        assert back_s < BACK_S
        live.until(lambda: shown_s(live) > before_s + LEAVES_S - ENTERS_S)
        until_ns = time.time_ns()
        live.settle()
        (found,) = live.found(since_ns=since_ns, until_ns=until_ns)
        assert len(found.tracks) == len(found.events) == 1, found
        assert found.matching.score.right == 1
        assert found.matching.score.invented_events == 0
        assert live.lost() - lost <= SAMPLES_S * (back_s + CATCHING_UP_S)
        if name != "aggregate-0":
            assert live.lost() > lost
