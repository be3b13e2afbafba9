"""`maskwatch bench`: speed on this machine, as figures beside this machine's own limits."""

from pathlib import Path
from typing import Annotated, Final

import typer

from infra.bench.classifier import run_classifier
from infra.bench.clips import bench_clips, busy_footage
from infra.bench.kernels import SECONDS as KERNEL_SECONDS
from infra.bench.kernels import run_kernels
from infra.bench.machine import Moment, this_machine
from infra.bench.pipeline import SECONDS as PIPELINE_SECONDS
from infra.bench.pipeline import run_pipeline, run_pipeline_on
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

KNOWN: Final = ("kernels", "pipeline", "classifier", "system")
LATER: Final = ("cameras", "api")


def bench(
    name: Annotated[str, typer.Argument(metavar="NAME", help=f"{', '.join(KNOWN)}.", show_default=False)],
    seconds: Annotated[
        float | None,
        typer.Option(
            "--seconds", metavar="S", help="Length of the footage that is made (pipeline 40).", show_default=False
        ),
    ] = None,
    footage: Annotated[
        Path | None, typer.Option("--footage", metavar="FILE", help="Measure on this footage.", show_default=False)
    ] = None,
    keras: Annotated[
        Path | None,
        typer.Option("--keras", metavar="FILE", help="classifier: measure this model.keras, too.", show_default=False),
    ] = None,
    json: Json = False,
    model: Model = None,
    detector: Detector = None,
) -> None:
    """Measure speed; each figure beside what this machine gives at best, in the same run."""
    _check(name, seconds, footage, keras)
    settings = load_settings(model=model, detector=detector)
    start = Moment.now()
    report = BenchReport(name, this_machine(), tuple(_measured(name, seconds, footage, keras, settings)))
    if (others := start.others_since()) > QUIET_CORES:
        say(f"not a quiet machine: other processes used {others:.1f} of {report.machine.cores} cores meanwhile")
    if json:
        emit(to_json(report))
    else:
        show(report)


def _measured(
    name: str, seconds: float | None, footage: Path | None, keras: Path | None, settings: Settings
) -> list[Measurement]:
    # Footage is made before the bar of the measurement: a terminal shows one bar at a time.
    folder = settings.data_dir / FOLDER
    title = f"bench {name}"
    if name == "classifier":
        with progress_bar(title) as progress:
            return run_classifier(settings, keras, progress)
    if name == "system":
        from infra.bench.system import run_system
        from infra.log import log_to_nowhere

        log_to_nowhere()
        with progress_bar(title) as progress:
            return run_system(settings, folder / "system", progress)
    if name == "kernels":
        path = footage or busy_footage(folder, KERNEL_SECONDS if seconds is None else seconds)
        with progress_bar(title) as progress:
            return run_kernels(path, settings, progress)
    if footage is not None:
        with progress_bar(title) as progress:
            return run_pipeline_on(footage, folder, settings, progress)
    clips = bench_clips(folder, PIPELINE_SECONDS if seconds is None else seconds)
    with progress_bar(title) as progress:
        return run_pipeline(clips, folder, settings, progress)


def _check(name: str, seconds: float | None, footage: Path | None, keras: Path | None) -> None:
    if name in LATER:
        raise UsageError(f"bench {name} is not there yet; there are {', '.join(KNOWN)}")
    if name not in KNOWN:
        raise UsageError(f"no benchmark is called {name!r}: choose one of {', '.join(KNOWN)}")
    if keras is not None and name != "classifier":
        raise UsageError(f"--keras is for `bench classifier`, not for {name}")
    if name == "classifier" and not (seconds is None and footage is None):
        raise UsageError("bench classifier measures no footage: leave --seconds and --footage out")
    if name == "system" and not (seconds is None and footage is None):
        raise UsageError("bench system plays the demo's cameras: leave --seconds and --footage out")
    if seconds is not None and footage is not None:
        raise UsageError("--seconds is for footage that is made; --footage FILE has its own length: give one of them")
