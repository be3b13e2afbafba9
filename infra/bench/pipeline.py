"""The running footage pipeline beside its kernels alone, and as a person runs it."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from classify.fold import FoldState, Rules, finish, fold
from infra.analysis import Analyzer
from infra.bench.bare import bare_frames
from infra.bench.clips import BenchClips
from infra.bench.machine import usable_cores
from infra.bench.report import Measurement, figure, speed
from infra.footage import SNAPSHOTS, analyze_footage
from infra.settings import Settings
from ingest.footage import Footage, Frame
from ingest.motion import Motion
from storage.errors import InputError, SetupError
from storage.messages import Face, Look, Result, nanoseconds
from storage.report import Report
from storage.snapshots import SnapshotFolder

SECONDS: Final = 40.0
"""Length of the footage, by default."""

_THROUGH: Final = "import subprocess, sys; sys.exit(subprocess.call(sys.argv[1:]))"
"""A small Python in between: Linux counts the memory of the process that starts another one towards the peak of the
new one."""

ROUNDS: Final = 2
"""Kernels alone and pipeline in turns, so many times each."""

Progress = Callable[[float, float | None], None]


@dataclass(frozen=True, slots=True)
class _Kernels:
    """The kernels alone on one piece of footage: what they cost, and the samples that were looked at."""

    cpu_s: float
    looked: int


@dataclass(frozen=True, slots=True)
class _Measured:
    """One piece of footage, measured."""

    kernel_share: float
    kernel_cpu_s: float
    pipeline_cpu_s: float
    looked_share: float
    run: Report


def run_pipeline(clips: BenchClips, folder: Path, settings: Settings, progress: Progress) -> list[Measurement]:
    """Measure on footage with people in 30 % of the time, and on busy footage.

    Args:
        clips: the footage.
        folder: where snapshots go.
        settings: how to analyse.
        progress: told the parts done and all parts.

    Raises:
        SetupError: a model file is missing.
    """
    calm = _measure(clips.quiet, folder, settings, lambda done: progress(done, 3 * ROUNDS))
    # Busy footage takes about twice as long.
    full = _measure(clips.busy, folder, settings, lambda done: progress(ROUNDS + 2 * done, 3 * ROUNDS))
    return [
        figure("kernel_share", calm.kernel_share, "share"),
        figure("kernel_share_busy", full.kernel_share, "share"),
        _realtime("realtime_factor", calm),
        _realtime("realtime_factor_busy", full),
        figure("peak_memory_mib", max(one.run.timing.peak_memory_mib for one in (calm, full)), "MiB"),
        *_details("", calm),
        *_details("_busy", full),
        figure("activity", clips.activity, "share"),
    ]


def run_pipeline_on(path: Path, folder: Path, settings: Settings, progress: Progress) -> list[Measurement]:
    """Measure on footage of one's own.

    Raises:
        InputError: it can't be read, or is damaged.
        SetupError: a model file is missing.
    """
    own = _measure(path, folder, settings, lambda done: progress(done, ROUNDS))
    return [
        figure("kernel_share", own.kernel_share, "share"),
        _realtime("realtime_factor", own),
        figure("peak_memory_mib", own.run.timing.peak_memory_mib, "MiB"),
        *_details("", own),
    ]


def _realtime(name: str, one: _Measured) -> Measurement:
    """Beside what it would be if all cores ran nothing but kernels."""
    limit = one.run.duration_s * usable_cores() / max(one.kernel_cpu_s, 1e-9)
    return speed(name, one.run.timing.realtime_factor, "x", limit)


def _details(suffix: str, one: _Measured) -> list[Measurement]:
    return [
        figure(f"cpu_per_second{suffix}", one.pipeline_cpu_s / max(one.run.duration_s, 1e-9), "s"),
        figure(f"looked_share{suffix}", one.looked_share, "share"),
    ]


def _measure(path: Path, folder: Path, settings: Settings, told: Callable[[float], None]) -> _Measured:
    samples = _samples(path, settings.fps)
    run = own_process(path, folder, settings)
    one_thread = settings.model_copy(update={"threads": 1})
    kernels: list[_Kernels] = []
    pipeline: list[float] = []
    with Analyzer(one_thread) as alone, Analyzer(settings) as analyzer:
        for done in range(ROUNDS):
            told(done)
            kernels.append(_kernels_alone(path, samples, alone))
            started = time.process_time()
            analyze_footage(path, analyzer, SnapshotFolder(folder / SNAPSHOTS))
            pipeline.append(time.process_time() - started)
    # The least of both: what else the machine does can only add to them.
    best = min(kernels, key=lambda one: one.cpu_s)
    return _Measured(
        best.cpu_s / max(min(pipeline), 1e-9), best.cpu_s, min(pipeline), best.looked / max(len(samples), 1), run
    )


def _samples(path: Path, fps: float) -> dict[int, tuple[int, int]]:
    """Number, time and rotation of the frames that are sampled; unreadable footage is refused here, at once."""
    with Footage(path) as footage:
        return {frame.index: (frame.at_ns, frame.rotation) for frame in footage.frames(fps) if frame.sampled}


def _kernels_alone(path: Path, samples: dict[int, tuple[int, int]], analyzer: Analyzer) -> _Kernels:
    """Decode, judge motion, convert, look, classify and fold on one thread, one after the other, with nothing between.

    What the pipeline adds is left out: reading through `Footage`, threads and queues, snapshots, progress, the report.
    """
    settings = analyzer.settings
    motion, state = Motion(), FoldState()
    rules = Rules(nanoseconds(settings.dwell_s), settings.min_face_px, nanoseconds(1.0 / settings.fps))
    looked, seq = 0, -1
    started = time.process_time()
    for index, decoded in enumerate(bare_frames(path)):
        if index not in samples:
            continue
        seq += 1
        at_ns, rotation = samples[index]
        frame = Frame(at_ns, index, True, rotation, decoded)
        luma = frame.luma()
        look, active = motion.judge(luma, at_ns)
        looked += look is not Look.NONE
        faces: tuple[Face, ...] = ()
        if look is not Look.NONE:
            rgb = frame.rgb()
            faces = analyzer.classified(rgb, analyzer.found_in_sample(rgb, look, active, seq))
        fold(state, Result(path.name, 0, seq, at_ns, luma.shape[1], luma.shape[0], look, faces), rules)
    finish(state)
    return _Kernels(time.process_time() - started, looked)


def own_process(path: Path, folder: Path, settings: Settings) -> Report:
    """The report of `maskwatch video` in a process of its own, whose memory and time are the pipeline's alone."""
    command = Path(sys.executable).parent / "maskwatch"
    environment = os.environ | {
        "MASKWATCH_DATA_DIR": str(folder),
        "MASKWATCH_MODEL": str(settings.model),
        "MASKWATCH_DETECTOR": settings.detector,
    }
    if not command.exists():
        raise SetupError(f"{command} does not exist: install the package with `make setup`")
    done = subprocess.run(  # noqa: S603 our own command, without a shell
        [sys.executable, "-c", _THROUGH, command, "video", "--json", "--", path],
        env=environment,
        capture_output=True,
        check=False,
    )
    if done.returncode:
        reason = done.stderr.decode(errors="replace").strip().rpartition("\n")[2].removeprefix("maskwatch: ")
        raise InputError(reason or f"{path}: the analysis ended with status {done.returncode}")
    return msgspec.json.decode(done.stdout, type=Report)
