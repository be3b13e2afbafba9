"""Live cameras over RTSP through a whole system: what is lost, what is found, how soon, and what it costs."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from infra.bench import viewers
from infra.bench.camera_clips import Loop
from infra.bench.camera_system import SETTLE_S, CameraFound, CameraSystem
from infra.bench.machine import usable_cores
from infra.bench.plan import Plan
from infra.bench.plot import svg
from infra.bench.processes import cpu_s
from infra.bench.report import Measurement, figure
from infra.bench.trend import Reading, panels, trend
from infra.bench.watching import Beside, Visible, Watching
from infra.console import say
from infra.footage import Progress
from infra.scoring import added
from infra.settings import Settings
from infra.supervisor import SUPERVISOR
from storage.files import write_bytes
from storage.keys import Keys

WARM_S: Final = 5.0
"""From the first sample that went all the way until a system counts as warm."""

READINGS: Final = 240
LEAST_EVERY_S: Final = 2.0
DWELL_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it.

    Attributes:
        found: by camera.
        dropped: samples that were lost once warm.
        drops: where; since the start.
        visible: events.
        cores: kept busy, by role.
        server_cores: kept busy by the cameras themselves.
        readings: of memory, files and queues.
        queues: the longest, by name.
        waits: of people with the overview open, for each answer, in seconds.
    """

    found: Sequence[CameraFound]
    dropped: int
    drops: Mapping[str, int]
    visible: Sequence[Visible]
    cores: Mapping[str, float]
    server_cores: float
    readings: Sequence[Reading]
    queues: Mapping[str, int]
    waits: Sequence[float] = ()


def run_cameras(
    plan: Plan, loops: Sequence[Loop], settings: Settings, folder: Path, progress: Progress
) -> list[Measurement]:
    """Watch cameras, and measure.

    Args:
        plan: what is measured, checked.
        loops: what the cameras show.
        settings: of the system, save its folders.
        folder: for the system's own data.
        progress: told how far it is.

    Raises:
        SetupError: something did not come up in time.
        StorageError: a file can't be written.
    """
    with CameraSystem(settings, folder, loops, plan.cameras) as live:
        live.come_up()
        live.go_on(WARM_S)
        outcome = measured(live, plan.seconds, progress, plan.viewers)
    for text in live.said:
        say(text)
    say(bottleneck(outcome.cores, plan.cameras))
    if plan.plot is not None:
        write_bytes(plan.plot, svg(panels(outcome.readings)).encode())
    looking = viewers.figures(outcome.waits, plan.seconds) if outcome.waits else []
    return [*figures(outcome, plan.cameras), *looking]


def measured(live: CameraSystem, seconds: float, progress: Progress, looking: int = 0) -> Outcome:
    """Measure a system that is warm.

    Args:
        live: the system.
        seconds: for how long.
        progress: told how far it is.
        looking: so many people have the overview open meanwhile.
    """
    settings = live.settings
    beside = Beside(
        live.engine,
        live.system.url,
        live.system.redis_url,
        Keys(settings.redis_prefix, settings.partitions),
        live.system.places.frames,
        max(LEAST_EVERY_S, seconds / READINGS),
    )
    lost, since_ns, started_s = live.lost(), time.time_ns(), time.monotonic()
    spent, served_s = cpu_s(live.pids()), live.server.cpu_s()
    with Watching(beside, live.pids()) as watching, viewers.Viewers(live.system.url, looking, seconds) as people:

        def each(passed_s: float) -> None:
            watching.pids = live.pids()
            progress(passed_s, seconds + SETTLE_S)

        live.go_on(seconds, each)
        now, lasted_s = cpu_s(live.pids()), time.monotonic() - started_s
        served_s = live.server.cpu_s() - served_s
        now[SUPERVISOR] -= watching.cpu_s
        until_ns = time.time_ns()
        live.settle()
        waits = people.times()
    return Outcome(
        found=live.found(since_ns=since_ns, until_ns=until_ns),
        dropped=live.lost() - lost,
        drops=live.drops(),
        visible=tuple(watching.visible.values()),
        # A worker that was started anew has begun at nothing.
        cores={role: max(0.0, total - spent.get(role, 0.0)) / lasted_s for role, total in now.items()},
        server_cores=served_s / lasted_s,
        readings=tuple(watching.readings),
        queues=dict(watching.longest),
        waits=waits,
    )


def figures(outcome: Outcome, cameras: int) -> list[Measurement]:
    """The figures of a run."""
    truth = added([one.matching.score for one in outcome.found])
    cores, growth = sum(outcome.cores.values()), trend(outcome.readings)
    late = [one.visible_s - one.started_s - DWELL_S for one in outcome.visible]
    way = [one.visible_s - one.last_s for one in outcome.visible]
    last = outcome.readings[-1].memory_mib if outcome.readings else {}
    memory = max((sum(one.memory_mib.values()) for one in outcome.readings), default=0.0)
    return [
        figure("cameras", cameras, ""),
        figure("dropped_samples", outcome.dropped, ""),
        figure("passages", truth.tracks, ""),
        figure("missed_tracks", truth.missed, ""),
        figure("counted_twice", truth.counted_twice, ""),
        figure("right", truth.right, ""),
        figure("invented_events", truth.invented_events, ""),
        figure("events", len(outcome.visible), ""),
        figure("latency_p95_s", percentile(late, 95), "s"),
        figure("latency_p50_s", percentile(late, 50), "s"),
        figure("sample_to_api_p95_s", percentile(way, 95), "s"),
        figure("cpu_per_camera", cores / cameras, "cores"),
        figure("cpu_cores", cores, "cores"),
        *(figure(f"cpu_{role}_cores", value, "cores") for role, value in outcome.cores.items()),
        figure("server_cores", outcome.server_cores, "cores"),
        figure("longest_queue", max(outcome.queues.values(), default=0), "entries"),
        *(figure(f"longest_{name.replace(' ', '_')}", value, "entries") for name, value in outcome.queues.items()),
        *(figure(f"dropped_{where}", value, "") for where, value in outcome.drops.items()),
        figure("memory_mib", memory, "MiB"),
        *(figure(f"memory_{role}_mib", mib, "MiB") for role, mib in last.items()),
        figure("memory_growth_mib_h", growth.memory_mib, "MiB/h"),
        figure("files_growth_h", growth.files, "1/h"),
    ]


def bottleneck(cores: Mapping[str, float], cameras: int) -> str:
    """What limits the number of cameras, in a sentence.

    Args:
        cores: kept busy, by role.
        cameras: how many there were.

    >>> bottleneck({"ingest": 0.4, "detect": 0.9}, 4)  # doctest: +ELLIPSIS
    'detect takes most: 0.90 of 1.30 cores (69 %); ...
    """
    first, total = max(cores, key=lambda role: cores[role]), max(sum(cores.values()), 1e-9)
    share, room = 100 * cores[first] / total, usable_cores() * cameras / total
    return (
        f"{first} takes most: {cores[first]:.2f} of {total:.2f} cores ({share:.0f} %); {usable_cores()} cores have time for "
        f"{room:.0f} such cameras"
    )


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` percent stay below; 0 where there is none."""
    return float(np.percentile(values, share)) if values else 0.0
