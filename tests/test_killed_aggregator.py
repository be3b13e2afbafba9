"""The aggregator killed again and again, at random moments: the one process that holds a state."""

import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import msgspec
import pytest

from infra.analysis import Analyzer
from infra.bench.camera_clips import camera_loops
from infra.bench.camera_system import CameraSystem
from infra.demo.clips import write_clip
from infra.demo.script import small_clip
from infra.footage import analyze_footage
from infra.scoring import added
from infra.settings import load_settings
from infra.through_workers import Workers
from storage.bus import Bus
from storage.report import Report, Timing, to_json
from storage.snapshots import SnapshotFolder

AGGREGATOR = "aggregate-0"
KILLS = 50 if os.environ.get("MASKWATCH_PROOF") else 8
LIVE_S = 180.0 if os.environ.get("MASKWATCH_PROOF") else 45.0
CAMERAS = 2

pytestmark = pytest.mark.slow


def told(report: Report) -> str:
    return to_json(msgspec.structs.replace(report, timing=Timing(0, 0, 0, 0)))


@contextmanager
def killing(workers: Workers, dice: random.Random) -> Iterator[list[int]]:
    """Kill the aggregator at random moments of its life; gives the process ids of the killed."""
    killed: list[int] = []
    over = threading.Event()

    def kill(bus: Bus) -> None:
        while not over.wait(0.01):
            beat = bus.heartbeats().get(AGGREGATOR)
            pid = workers.system.pids().get(AGGREGATOR)
            # Whoever has not come up has done nothing; nor is one killed twice.
            if beat is None or pid is None or beat.pid != pid or pid in killed or over.wait(dice.uniform(0.0, 0.8)):
                continue
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                killed.append(pid)

    with closing(Bus(workers.system.redis_url)) as bus:
        thread = threading.Thread(target=kill, args=(bus,))
        thread.start()
        try:
            yield killed
        finally:
            over.set()
            thread.join()


def test_footage_gives_the_undisturbed_report(tmp_path: Path) -> None:
    clip = tmp_path / "corridor.mp4"
    write_clip(small_clip(960, 540, 10.0, 3), clip)
    with Analyzer(load_settings()) as analyzer:
        undisturbed = analyze_footage(clip, analyzer, SnapshotFolder(tmp_path / "one")).report
    assert undisturbed.events
    dice, kills, runs = random.Random(5), 0, 0  # noqa: S311
    with Workers(load_settings()) as workers:
        while kills < KILLS:
            runs += 1
            with killing(workers, dice) as killed:
                report = workers.analyze(clip, SnapshotFolder(tmp_path / str(runs))).report
            assert told(report) == told(undisturbed), f"in run {runs}, after {kills} kills and {len(killed)} more"
            kills += len(killed)


def test_live_cameras_lose_nothing_that_is_not_counted_and_nothing_is_invented_or_doubled(tmp_path: Path) -> None:
    dice, kills = random.Random(6), 0  # noqa: S311
    loops = camera_loops(tmp_path, 0.3, width=1280, height=720)
    with CameraSystem(load_settings(), tmp_path, loops, CAMERAS) as live:
        live.come_up()
        since_ns, until_s = time.time_ns(), time.monotonic() + LIVE_S
        lost = live.lost()
        while time.monotonic() < until_s:
            live.go_on(dice.uniform(1.0, 5.0))
            # One that is just being started again has no process for a moment.
            live.until(lambda: AGGREGATOR in live.system.pids())
            killed = live.system.pids()[AGGREGATOR]
            os.kill(killed, signal.SIGKILL)
            kills += 1
            live.until(lambda pid=killed: live.bus.heartbeats()[AGGREGATOR].pid != pid)  # type: ignore[misc]
        until_ns = time.time_ns()
        live.settle()
        found = live.found(since_ns=since_ns, until_ns=until_ns)
        lost = live.lost() - lost
        dropped = sum(live.drops().values())
    score = added([one.matching.score for one in found])
    assert kills >= LIVE_S / 15
    assert score.tracks >= 4
    assert (score.invented_events, score.counted_twice) == (0, 0), found
    # What waits for the aggregator fills the frame store; what finds no room is shed, and counted.
    assert lost == dropped
    assert score.missed == 0 or lost > 0
    for one in found:
        assert len(one.events) == len({event.track_id for event in one.events})
