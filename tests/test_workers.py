"""Footage through real workers and a real Redis gives the report that one process gives, whatever happens to the workers."""

import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

import msgspec
import pytest

from infra.analysis import Analyzer
from infra.demo.clips import write_clip
from infra.demo.script import small_clip
from infra.footage import analyze_footage
from infra.settings import Settings, load_settings
from infra.through_workers import Workers
from storage.bus import Bus
from storage.report import Report, Timing, to_json
from storage.snapshots import SnapshotFolder
from tests.test_scale_out import Host, at_work, short_folder, until

PROOF = bool(os.environ.get("MASKWATCH_PROOF"))
KILLS = 50 if PROOF else 10
ROLES = {"detect-0", "classify-0", "aggregate-0"}
SET_ASIDE_S = 90.0 if PROOF else 600.0
TRIES = 5

MANY_CORES = 4
"""Decoding, two workers that look and one that classifies."""


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "corridor.mp4"
    write_clip(small_clip(800, 450, 8.0, 2), path)
    return path


@pytest.fixture(scope="module")
def undisturbed(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Report:
    folder = tmp_path_factory.mktemp("snapshots")
    with Analyzer(load_settings()) as analyzer:
        report = analyze_footage(clip, analyzer, SnapshotFolder(folder)).report
    assert report.events
    return report


def told(report: Report) -> str:
    return to_json(msgspec.structs.replace(report, timing=Timing(0, 0, 0, 0)))


def through_workers(clip: Path, folder: Path, settings: Settings | None = None) -> Report:
    with Workers(settings or load_settings()) as workers:
        return workers.analyze(clip, SnapshotFolder(folder)).report


@pytest.mark.slow
def test_the_report_is_the_one_of_a_single_process_byte_for_byte(
    clip: Path, undisturbed: Report, tmp_path: Path
) -> None:
    with Workers(load_settings()) as workers:
        first = workers.analyze(clip, SnapshotFolder(tmp_path))
        again = workers.analyze(clip, SnapshotFolder(tmp_path))
    assert told(first.report) == told(undisturbed)
    assert told(again.report) == told(undisturbed)
    named = {event.snapshot for event in undisturbed.events}
    assert {f"snapshots/{file.name}" for file in tmp_path.iterdir()} == named


@contextmanager
def killing(workers: Workers, seed: int) -> Iterator[list[str]]:
    """Kill a random worker at random moments; gives the names of the killed."""
    dice, killed, over = random.Random(seed), [], threading.Event()  # noqa: S311
    bus = Bus(workers.system.redis_url)

    def kill() -> None:
        while not over.wait(dice.uniform(0.0, 2.0)):
            # Whoever has not come up has nothing in hand that could get lost; killing it would only take longer.
            working = bus.heartbeats()
            name, pid = dice.choice(sorted(workers.system.pids().items()))
            if name in working and working[name].pid == pid:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                    killed.append(name)

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        yield killed
    finally:
        over.set()
        thread.join()
        bus.close()


@pytest.mark.slow
def test_workers_killed_at_random_moments_change_nothing(clip: Path, undisturbed: Report, tmp_path: Path) -> None:
    killed: list[str] = []
    run = 0
    while len(killed) < KILLS or set(killed) != ROLES:
        run += 1
        assert run <= 10 * KILLS, killed
        with Workers(load_settings()) as workers, killing(workers, run) as now:
            report = workers.analyze(clip, SnapshotFolder(tmp_path / str(run))).report
        assert told(report) == told(undisturbed), f"after {now}"
        killed += now


@pytest.mark.slow
def test_a_redis_that_is_killed_makes_it_begin_anew(clip: Path, undisturbed: Report, tmp_path: Path) -> None:
    with Workers(load_settings()) as workers:
        pid = workers.system.pids()["redis"]

        def kill(done_s: float, _: float | None) -> None:
            if done_s > 4.0:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

        report = workers.analyze(clip, SnapshotFolder(tmp_path), progress=kill).report
    assert told(report) == told(undisturbed)


BROKEN = """
import os, signal
from storage.messages import {kind}

def broken(self, real={kind}.{method}):
    sample = getattr(self, "sample", self)
    if sample.seq == 17:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(self)

{kind}.{method} = broken
"""


@pytest.mark.slow
@pytest.mark.parametrize(("role", "kind", "method"), [("detect", "Sample", "active"), ("classify", "Found", "arrays")])
def test_a_sample_that_ends_its_worker_each_time_is_set_aside_alone(
    role: str,
    kind: str,
    method: str,
    clip: Path,
    undisturbed: Report,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "sitecustomize.py").write_text(BROKEN.format(kind=kind, method=method))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    started_s = time.monotonic()
    report = through_workers(clip, tmp_path / "snapshots")
    assert time.monotonic() - started_s < SET_ASIDE_S
    assert report.errors == (f"the sample at 3.400 s was set aside: {role}: it ends its worker each time",)
    assert report.frames_analyzed == undisturbed.frames_analyzed

    def without(each: Report) -> list[list[object]]:
        return [[box for box in track.boxes if box[0] != 3.4] for track in each.tracks]

    assert without(report) == without(undisturbed)
    for track, whole in zip(report.tracks, undisturbed.tracks, strict=True):
        # Whoever was in it has a witness less; that may leave the label open, and never makes another one.
        open_now = track.label == "unknown" and any(box[0] == 3.4 for box in whole.boxes)
        assert track.label == whole.label or open_now


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["redis", "auto", "packed"])
def test_footage_without_shared_memory_gives_the_same_report_byte_for_byte(
    kind: str,
    clip: Path,
    undisturbed: Report,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if kind == "packed":
        # As for a Redis that is reached over a network.
        (tmp_path / "sitecustomize.py").write_text("import storage.link\nstorage.link.is_near = lambda url: False\n")
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        monkeypatch.setattr("storage.link.is_near", lambda _: False)
    settings = load_settings(frame_store="auto" if kind == "auto" else "redis")
    with short_folder() as folder, Workers(settings) as workers, ExitStack() as stack:
        bus = stack.enter_context(closing(Bus(workers.system.redis_url)))
        strangers: list[subprocess.Popen[bytes]] = []
        if kind == "auto":
            host = Host(workers.system.redis_url, folder / "far")
            strangers = [stack.enter_context(host.serve(role)) for role in ("detect", "classify")]
            for process in strangers:
                until(at_work(bus, process))
        pictures, done = bus.remote_frames(64), dict[int, int]()
        # Who comes late to the queue may find it empty: the footage is short.
        for number in range(TRIES):
            report = workers.analyze(clip, SnapshotFolder(tmp_path / f"snapshots-{number}")).report
            assert told(report) == told(undisturbed)
            until(lambda: pictures.used_bytes == 0)
            done |= {beat.pid: beat.done for beat in bus.heartbeats().values()}
            if all(done.get(process.pid) for process in strangers):
                break
    assert all(done[process.pid] > 0 for process in strangers)


@pytest.mark.slow
@pytest.mark.skipif((os.cpu_count() or 1) < MANY_CORES, reason=f"takes {MANY_CORES} cores to see")
def test_a_second_detect_worker_on_another_host_makes_it_faster(clip: Path, tmp_path: Path) -> None:
    with short_folder() as folder, Workers(load_settings(threads=1)) as workers, ExitStack() as stack:
        bus = stack.enter_context(closing(Bus(workers.system.redis_url)))
        workers.analyze(clip, SnapshotFolder(tmp_path))
        alone = workers.analyze(clip, SnapshotFolder(tmp_path)).report.timing.wall_s
        host = Host(workers.system.redis_url, folder / "far", MASKWATCH_THREADS="1")
        until(at_work(bus, stack.enter_context(host.serve("detect"))))
        together = workers.analyze(clip, SnapshotFolder(tmp_path)).report.timing.wall_s
    assert together < 0.9 * alone, (together, alone)
