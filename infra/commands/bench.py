"""`maskwatch bench`: speed on this machine, as figures beside this machine's own limits."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import typer

from infra.bench.api_plan import ApiPlan
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
from storage.errors import UsageError
from storage.report import to_json

FOLDER: Final = "bench"
"""Below the data folder."""

QUIET_CORES: Final = 0.15
"""From here on other work shows in the figures: it costs caches and clock rate, not only time."""

KNOWN: Final = ("kernels", "pipeline", "classifier", "cameras", "system", "api")


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
            "--activity", metavar="SHARE", help="cameras: share of the time with people (0.1).", show_default=False
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
    asked = _Asked(name, seconds, footage, keras, cameras, activity, plot, tracks, events, viewers, sqlite=sqlite)
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


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the person asked for."""

    name: str
    seconds: float | None
    footage: Path | None
    keras: Path | None
    cameras: int | None
    activity: float | None
    plot: Path | None
    tracks: int | None
    events: int | None
    viewers: int | None
    sqlite: bool

    def check(self) -> None:
        """Refuse what does not go together."""
        name = self.name
        if name not in KNOWN:
            raise UsageError(f"no benchmark is called {name!r}: choose one of {', '.join(KNOWN)}")
        if self.keras is not None and name != "classifier":
            raise UsageError(f"--keras is for `bench classifier`, not for {name}")
        if name == "classifier" and not (self.seconds is None and self.footage is None):
            raise UsageError("bench classifier measures no footage: leave --seconds and --footage out")
        if name == "system" and not (self.seconds is None and self.footage is None):
            raise UsageError("bench system plays the demo's cameras: leave --seconds and --footage out")
        if name == "cameras" and self.footage is not None:
            raise UsageError("bench cameras makes its own footage: leave --footage out")
        if name != "cameras" and (self.cameras, self.activity, self.plot) != (None, None, None):
            raise UsageError(f"--cameras, --activity and --plot are for `bench cameras`, not for {name}")
        self._check_api()
        if self.seconds is not None and self.footage is not None:
            raise UsageError(
                "--seconds is for footage that is made; --footage FILE has its own length: give one of them"
            )

    def _check_api(self) -> None:
        name = self.name
        if name != "api" and ((self.tracks, self.events) != (None, None) or self.sqlite):
            raise UsageError(f"--tracks, --events and --sqlite are for `bench api`, not for {name}")
        if name not in {"api", "cameras"} and self.viewers is not None:
            raise UsageError(f"--viewers is for `bench api` and `bench cameras`, not for {name}")
        if name == "api" and self.footage is not None:
            raise UsageError("bench api measures no footage: leave --footage out")

    def api_plan(self) -> ApiPlan:
        """Of passages in the database."""
        usual = ApiPlan()
        return ApiPlan(
            usual.tracks if self.tracks is None else self.tracks,
            self.events,
            self.sqlite,
            self.viewers or 0,
            usual.seconds if self.seconds is None else self.seconds,
        )

    def plan(self) -> Plan:
        """Of cameras."""
        usual = Plan()
        return Plan(
            usual.cameras if self.cameras is None else self.cameras,
            usual.seconds if self.seconds is None else self.seconds,
            usual.activity if self.activity is None else self.activity,
            self.plot,
            self.viewers or 0,
        )


def _measured(asked: _Asked, settings: Settings) -> list[Measurement]:
    # Footage is made before the bar of the measurement: a terminal shows one bar at a time.
    folder = settings.data_dir / FOLDER
    title = f"bench {asked.name}"
    if asked.name == "cameras":
        return _cameras(asked.plan(), settings, folder / "cameras", title)
    if asked.name == "classifier":
        with progress_bar(title) as progress:
            return run_classifier(settings, asked.keras, progress)
    if asked.name == "system":
        from infra.bench.system import run_system
        from infra.log import log_to_nowhere

        log_to_nowhere()
        with progress_bar(title) as progress:
            return run_system(settings, folder / "system", progress)
    if asked.name == "api":
        return _api(asked.api_plan(), settings, folder / "api", title)
    if asked.name == "kernels":
        path = asked.footage or busy_footage(folder, KERNEL_SECONDS if asked.seconds is None else asked.seconds)
        with progress_bar(title) as progress:
            return run_kernels(path, settings, progress)
    return _pipeline(asked, settings, folder, title)


def _pipeline(asked: _Asked, settings: Settings, folder: Path, title: str) -> list[Measurement]:
    if asked.footage is not None:
        with progress_bar(title) as progress:
            return run_pipeline_on(asked.footage, folder, settings, progress)
    clips = bench_clips(folder, PIPELINE_SECONDS if asked.seconds is None else asked.seconds)
    with progress_bar(title) as progress:
        return run_pipeline(clips, folder, settings, progress)


def _api(plan: ApiPlan, settings: Settings, folder: Path, title: str) -> list[Measurement]:
    from infra.bench.api import run_api
    from infra.log import log_to_nowhere

    log_to_nowhere()
    plan.check()
    with progress_bar(title) as progress:
        return run_api(plan, settings, folder, progress)


def _cameras(plan: Plan, settings: Settings, folder: Path, title: str) -> list[Measurement]:
    from infra.bench.camera_clips import camera_loops
    from infra.bench.cameras import run_cameras
    from infra.log import log_to_nowhere

    log_to_nowhere()
    plan.check()
    loops = camera_loops(folder, plan.activity)
    with progress_bar(title) as progress:
        return run_cameras(plan, loops, settings, folder, progress)
