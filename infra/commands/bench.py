"""`maskwatch bench`: speed on this machine, as figures beside this machine's own limits."""

from pathlib import Path
from typing import Annotated, Final

import typer

from infra.bench.api_plan import ApiPlan
from infra.bench.asked import KNOWN, OF_FOOTAGE, Asked
from infra.bench.classifier import run_classifier
from infra.bench.clips import bench_clips, busy_footage
from infra.bench.kernels import SECONDS as KERNEL_SECONDS
from infra.bench.kernels import run_kernels
from infra.bench.machine import Moment, this_machine
from infra.bench.pipeline import SECONDS as PIPELINE_SECONDS
from infra.bench.pipeline import run_pipeline, run_pipeline_on
from infra.bench.plan import Plan
from infra.bench.report import BenchReport, Measurement, show
from infra.commands.options import Detector, Json, Model
from infra.console import emit, progress_bar, say
from infra.settings import Settings, load_settings
from storage.report import to_json

FOLDER: Final = "bench"
"""Below the data folder."""

QUIET_CORES: Final = 0.15
"""From here on other work shows in the figures: it costs caches and clock rate, not only time."""

SYSTEMS: Final = ("cameras", "system", "api", "footage", "hosts")
"""Those that start one, whose processes have logs of their own."""


def bench(
    name: Annotated[str, typer.Argument(metavar="NAME", help=f"{', '.join(KNOWN)}.", show_default=False)],
    seconds: Annotated[
        float | None,
        typer.Option(
            "--seconds",
            metavar="S",
            help="Length of the footage that is made (pipeline 40), or of the measurement (cameras 60, api with viewers 30).",
            show_default=False,
        ),
    ] = None,
    cameras: Annotated[
        int | None, typer.Option("--cameras", metavar="N", help="cameras: how many (4).", show_default=False)
    ] = None,
    activity: Annotated[
        float | None,
        typer.Option(
            "--activity",
            metavar="SHARE",
            help="cameras, footage, hosts: share of the time with people (0.1, 0.3, 0.3).",
            show_default=False,
        ),
    ] = None,
    minutes: Annotated[
        float | None,
        typer.Option(
            "--minutes", metavar="M", help="footage, hosts: length of what is made (20, 5).", show_default=False
        ),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(
            "--plot",
            metavar="FILE.svg",
            help="cameras: draw memory, open files and queues over time.",
            show_default=False,
        ),
    ] = None,
    footage: Annotated[
        Path | None, typer.Option("--footage", metavar="FILE", help="Measure on this footage.", show_default=False)
    ] = None,
    keras: Annotated[
        Path | None,
        typer.Option("--keras", metavar="FILE", help="classifier: measure this model.keras, too.", show_default=False),
    ] = None,
    tracks: Annotated[
        int | None,
        typer.Option("--tracks", metavar="N", help="api: passages of a year (10000000).", show_default=False),
    ] = None,
    events: Annotated[
        int | None,
        typer.Option("--events", metavar="N", help="api: events among them (one of 20 passages).", show_default=False),
    ] = None,
    viewers: Annotated[
        int | None,
        typer.Option(
            "--viewers", metavar="N", help="cameras, api: people with the overview open (none).", show_default=False
        ),
    ] = None,
    sqlite: Annotated[bool, typer.Option("--sqlite", help="api: SQLite instead of PostgreSQL.")] = False,
    json: Json = False,
    model: Model = None,
    detector: Detector = None,
) -> None:
    """Measure speed; each figure beside what this machine gives at best, in the same run."""
    asked = Asked(
        name, seconds, footage, keras, cameras, activity, minutes, plot, tracks, events, viewers, sqlite=sqlite
    )
    asked.check()
    settings = load_settings(model=model, detector=detector)
    start = Moment.now()
    report = BenchReport(name, this_machine(), tuple(_measured(asked, settings)))
    if (others := start.others_since()) > QUIET_CORES:
        say(f"not a quiet machine: other processes used {others:.1f} of {report.machine.cores} cores meanwhile")
    if json:
        emit(to_json(report))
    else:
        show(report)


def _measured(asked: Asked, settings: Settings) -> list[Measurement]:
    # Footage is made before the bar of the measurement: a terminal shows one bar at a time.
    folder = settings.data_dir / FOLDER
    title = f"bench {asked.name}"
    if asked.name == "classifier":
        with progress_bar(title) as progress:
            return run_classifier(settings, asked.keras, progress)
    if asked.name in SYSTEMS:
        return _system(asked, settings, folder, title)
    if asked.name == "kernels":
        path = asked.footage or busy_footage(folder, KERNEL_SECONDS if asked.seconds is None else asked.seconds)
        with progress_bar(title) as progress:
            return run_kernels(path, settings, progress)
    return _pipeline(asked, settings, folder, title)


def _system(asked: Asked, settings: Settings, folder: Path, title: str) -> list[Measurement]:
    from infra.log import log_to_nowhere

    log_to_nowhere()
    if asked.name == "cameras":
        return _cameras(asked.plan(), settings, folder / "cameras", title)
    if asked.name in OF_FOOTAGE:
        return _footage(asked, settings, folder, title)
    if asked.name == "api":
        return _api(asked.api_plan(), settings, folder / "api", title)
    from infra.bench.system import run_system

    with progress_bar(title) as progress:
        return run_system(settings, folder / "system", progress)


def _pipeline(asked: Asked, settings: Settings, folder: Path, title: str) -> list[Measurement]:
    if asked.footage is not None:
        with progress_bar(title) as progress:
            return run_pipeline_on(asked.footage, folder, settings, progress)
    clips = bench_clips(folder, PIPELINE_SECONDS if asked.seconds is None else asked.seconds)
    with progress_bar(title) as progress:
        return run_pipeline(clips, folder, settings, progress)


def _api(plan: ApiPlan, settings: Settings, folder: Path, title: str) -> list[Measurement]:
    from infra.bench.api import run_api

    plan.check()
    with progress_bar(title) as progress:
        return run_api(plan, settings, folder, progress)


def _cameras(plan: Plan, settings: Settings, folder: Path, title: str) -> list[Measurement]:
    from infra.bench.camera_clips import camera_loops
    from infra.bench.cameras import run_cameras

    plan.check()
    loops = camera_loops(folder, plan.activity)
    with progress_bar(title) as progress:
        return run_cameras(plan, loops, settings, folder, progress)


def _footage(asked: Asked, settings: Settings, folder: Path, title: str) -> list[Measurement]:
    from infra.bench.camera_clips import camera_loops
    from infra.bench.footage_hosts import run_hosts
    from infra.bench.footage_jobs import run_footage

    wanted = asked.wanted()
    wanted.check()
    # The very clips that benchmark cameras show.
    loops = camera_loops(folder / "cameras", wanted.activity)
    run = run_footage if asked.name == "footage" else run_hosts
    with progress_bar(title) as progress:
        return run(wanted, loops, settings, folder / "footage", progress)
