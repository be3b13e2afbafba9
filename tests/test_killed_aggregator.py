"""The aggregator killed again and again, at random moments: the one process that holds a state."""

import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import msgspec
import pytest

from classify.aggregate import SAMPLE_WAIT_S
from infra.analysis import Analyzer
from infra.bench.camera_clips import camera_loops
from infra.bench.camera_system import SETTLE_S, CameraSystem, last_samples
from infra.bench.machine import Moment
from infra.demo.clips import write_clip
from infra.demo.script import small_clip
from infra.footage import analyze_footage
from infra.scoring import added
from infra.settings import load_settings
from infra.through_workers import Workers
from storage.bus import Bus
from storage.messages import NS_PER_S
from storage.report import Report, Timing, to_json
from storage.snapshots import SnapshotFolder
from tests.starved import cut_short, skip_where_others_work

AGGREGATOR = "aggregate-0"
PROOF = bool(os.environ.get("MASKWATCH_PROOF"))
KILLS = 50 if PROOF else 8
LIVE_S = 180.0 if PROOF else 45.0
LIVE_KILLS = LIVE_S / 15
CAMERAS = 2
MOST_LOOKS = 10

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


@dataclass(frozen=True)
class Counted:
    """What became of samples until a moment: lost, dropped on their way; and how often cameras were connected to anew."""

    lost: int
    dropped: int
    reconnects: int

    @classmethod
    def now(cls, live: CameraSystem) -> Self:
        """As far as is told."""
        reconnects = sum(status.reconnects for status in live.bus.statuses(live.names).values())
        return cls(live.lost(), sum(live.drops().values()), reconnects)

    @classmethod
    def settled(cls, live: CameraSystem) -> Self:
        """Once all is told: what is lost and what is dropped is told of at different times."""
        for _ in range(MOST_LOOKS):
            before, at_ns = cls.now(live), time.time_ns()
            live.until(lambda at_ns=at_ns: told_upto_ns(live) > at_ns)  # type: ignore[misc]
            if cls.now(live) == before:
                return before
        assert not PROOF, "samples are dropped all the time"
        pytest.skip("samples are dropped all the time: the machine is too slow to tell")


def told_upto_ns(live: CameraSystem) -> int:
    """Whatever was captured before is taken in, and every camera has told of it since."""
    statuses = live.bus.statuses(live.names)
    last_ns = [statuses[name].last_frame_at_ns or 0 if name in statuses else 0 for name in live.names]
    samples = last_samples(live.engine)
    return min(*last_ns, *(samples.get(name, 0) for name in live.names))


def test_live_cameras_lose_nothing_that_is_not_counted_and_nothing_is_invented_or_doubled(tmp_path: Path) -> None:
    dice, kills, latest_s, start = random.Random(6), 0, 0.0, Moment.now()  # noqa: S311
    loops = camera_loops(tmp_path, 0.3, width=1280, height=720)
    with CameraSystem(load_settings(), tmp_path, loops, CAMERAS) as live:
        live.come_up()
        before = Counted.settled(live)

        def back(killed: int) -> bool:
            beat = live.bus.heartbeats().get(AGGREGATOR)
            return beat is not None and beat.pid != killed

        def look(_: float) -> None:
            nonlocal latest_s
            latest_s = max(latest_s, (time.time_ns() - min(last_samples(live.engine).values())) / NS_PER_S)

        since_ns, until_s = time.time_ns(), time.monotonic() + LIVE_S
        while time.monotonic() < until_s or kills < LIVE_KILLS:
            live.go_on(dice.uniform(1.0, 5.0))
            # One that is just being started again has no process for a moment.
            live.until(lambda: AGGREGATOR in live.system.pids())
            killed = live.system.pids()[AGGREGATOR]
            os.kill(killed, signal.SIGKILL)
            kills += 1
            live.until(lambda pid=killed: back(pid))  # type: ignore[misc]
        until_ns = time.time_ns()
        live.go_on(SETTLE_S, look)
        found = live.found(since_ns=since_ns, until_ns=until_ns)
        after = Counted.settled(live)
    skip_where_others_work(start)
    lost, dropped = after.lost - before.lost, after.dropped - before.dropped
    score = added([one.matching.score for one in found])
    assert score.tracks >= 4
    assert score.invented_events == 0, found
    assert score.counted_twice <= cut_short(lost), found
    # What waits for the aggregator fills the frame store; what finds no room is shed, and counted.
    assert lost >= dropped
    # More is lost only where a result was not waited for any longer, or a camera was away.
    given_up = latest_s > SAMPLE_WAIT_S or after.reconnects > before.reconnects
    assert lost == dropped or (given_up and not PROOF)
    assert score.missed == 0 or lost > 0
    for one in found:
        assert len(one.events) == len({event.track_id for event in one.events})
