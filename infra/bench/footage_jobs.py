"""Recorded footage in bulk: a job through a whole system beside the same file in one process, and both beside the truth."""

import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from infra.bench.camera_clips import Loop
from infra.bench.footage_clips import LongFootage, long_footage
from infra.bench.footage_system import FootageSystem
from infra.bench.machine import usable_cores
from infra.bench.pipeline import own_process
from infra.bench.plan import FootageWanted
from infra.bench.processes import cpu_s, memory_mib
from infra.bench.report import Measurement, figure, speed
from infra.console import say
from infra.footage import Progress
from infra.scoring import TruthScore, score
from infra.settings import Settings
from ingest.pieces import FootagePlan, plan_footage
from storage.jobs import CHUNK_S, Job, JobState
from storage.report import Report

TURN_S: Final = 0.05
MEMORY_EVERY_S: Final = 5.0
TELL_EVERY_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Ran:
    """What a job was like.

    Attributes:
        job: once it was done.
        report: on its file, as JSON.
        wall_s: from submitting it until it was done.
        planned_s: from submitting it until it was planned.
        looked_s: until all chunks were.
        cpu: seconds of processor time, by role.
        memory: the most of it that was seen in MiB, by role, each at its own time.
        memory_mib: the most of all together.
    """

    job: Job
    report: bytes
    wall_s: float
    planned_s: float
    looked_s: float
    cpu: Mapping[str, float]
    memory: Mapping[str, float]
    memory_mib: float


def run_footage(
    wanted: FootageWanted, loops: Sequence[Loop], settings: Settings, folder: Path, progress: Progress
) -> list[Measurement]:
    """Measure.

    Args:
        wanted: checked.
        loops: what is shown.
        settings: of the system, save its folders.
        folder: for the footage, which is kept, and for the system's own data, which is not.
        progress: told how far the job is, in seconds of footage.

    Raises:
        InputError: the job failed.
        SetupError: a model file is missing, or something did not come up in time.
        StorageError: a file can't be written.
    """
    footage = long_footage(
        folder / f"footage-{wanted.minutes:g}min-activity{100 * wanted.activity:g}.mp4", loops, 60 * wanted.minutes
    )
    plan = plan_footage(footage.path, settings.fps, CHUNK_S, lambda: False)
    say(f"{footage.truth.duration_s:.0f} s of footage in one process ...")
    alone = own_process(footage.path, folder, settings)
    say(f"{alone.timing.realtime_factor:.2f} times real time; now as a job ...")
    with tempfile.TemporaryDirectory(prefix="system-", dir=folder) as data, FootageSystem(settings, Path(data)) as live:
        ran = _ran(live, footage, progress)
    return figures(footage, plan, alone, ran)


def figures(footage: LongFootage, plan: FootagePlan, alone: Report, ran: Ran) -> list[Measurement]:
    """The figures of a run.

    Args:
        footage: what was analysed.
        plan: how it is cut up.
        alone: the report of one process.
        ran: what the job was like.
    """
    report = msgspec.json.decode(ran.report, type=Report)
    same = msgspec.structs.replace(alone, timing=report.timing) == report
    truth: TruthScore = score(report.tracks, report.events, footage.truth).score
    length_s, spent_s = footage.truth.duration_s, sum(ran.cpu.values())
    frames, samples = primed(plan)
    return [
        speed("realtime_factor", length_s / ran.wall_s, "x", length_s * usable_cores() / max(spent_s, 1e-9)),
        figure("video_realtime_factor", alone.timing.realtime_factor, "x"),
        figure("job_to_video", alone.timing.wall_s / ran.wall_s, "share"),
        figure("identical", float(same), ""),
        figure("passages", truth.tracks, ""),
        figure("right", truth.right, ""),
        figure("missed_tracks", truth.missed, ""),
        figure("counted_twice", truth.counted_twice, ""),
        figure("invented_events", truth.invented_events, ""),
        figure("footage_s", length_s, "s"),
        figure("chunks", len(plan.pieces), ""),
        figure("wall_s", ran.wall_s, "s"),
        figure("planned_s", ran.planned_s, "s"),
        figure("looked_s", ran.looked_s - ran.planned_s, "s"),
        figure("finished_s", ran.wall_s - ran.looked_s, "s"),
        figure("cpu_s", spent_s, "s"),
        *(figure(f"cpu_{role}_s", value, "s") for role, value in ran.cpu.items()),
        figure("video_cpu_s", alone.timing.cpu_s, "s"),
        figure("primed_frames", frames, "share"),
        figure("primed_samples", samples, "share"),
        figure("memory_mib", ran.memory_mib, "MiB"),
        *(figure(f"memory_{role}_mib", value, "MiB") for role, value in ran.memory.items()),
        figure("video_memory_mib", alone.timing.peak_memory_mib, "MiB"),
    ]


def primed(plan: FootagePlan) -> tuple[float, float]:
    """What is decoded before pieces begin, in relation to what is their own: frames, and samples."""
    frames = samples = before_frames = before_samples = 0
    for piece in plan.pieces:
        before_frames += frames - piece.index
        before_samples += samples - piece.seq
        frames += piece.frames
        samples += piece.samples
    return before_frames / max(frames, 1), before_samples / max(samples, 1)


def _ran(live: FootageSystem, footage: LongFootage, progress: Progress) -> Ran:
    before, started_s = cpu_s(live.system.pids()), time.monotonic()
    job_id = live.submit(footage.path)
    planned_s = looked_s = measured_s = told_s = 0.0
    memory: dict[str, float] = {}
    most_mib = 0.0
    while True:
        job, passed_s = live.look(job_id), time.monotonic() - started_s
        if job.footage_s is not None:
            planned_s = planned_s or passed_s
            progress(job.done_s, job.footage_s)
            if job.done_s >= job.footage_s:
                looked_s = looked_s or passed_s
        if job.state is JobState.DONE:
            break
        if passed_s - measured_s > MEMORY_EVERY_S:
            measured_s = passed_s
            now = memory_mib(live.system.pids(), live.system.places.frames)
            memory = {role: max(mib, memory.get(role, 0.0)) for role, mib in now.items()}
            most_mib = max(most_mib, sum(now.values()))
        if passed_s - told_s > TELL_EVERY_S:
            told_s = passed_s
            say(f"{job.done_s:.0f} of {job.footage_s or 0:.0f} s after {passed_s:.0f} s")
        time.sleep(TURN_S)
    after = cpu_s(live.system.pids())
    return Ran(
        job=job,
        report=live.report(job_id),
        wall_s=passed_s,
        planned_s=planned_s,
        looked_s=looked_s,
        cpu={role: total - before.get(role, 0.0) for role, total in after.items()},
        memory=memory,
        memory_mib=most_mib,
    )
