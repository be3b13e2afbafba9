"""`maskwatch video`: recorded footage in the foreground."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.table import Table

from infra.analysis import Analyzer
from infra.annotate import annotate_footage
from infra.commands.footage_paths import expanded, moment
from infra.commands.options import Detector, Dwell, Json, MinFace, Model
from infra.commands.targets import Targets
from infra.console import complain, emit, printable, progress_bar, results, say
from infra.footage import SNAPSHOTS, Analysis, Progress, analyze_footage
from infra.settings import Settings, load_settings
from storage.errors import InputError, UsageError
from storage.files import check_writable, make_folder, write_bytes
from storage.report import Report, shown, to_json, to_pretty_json
from storage.snapshots import SnapshotFolder


@dataclass(frozen=True, slots=True)
class _Outputs:
    """Where the results of one video go."""

    report: Path | None
    annotated: Path | None
    snapshots: Path


class _Failure(msgspec.Struct, frozen=True):
    video: str
    error: str


def video(
    paths: Annotated[list[Path], typer.Argument(help="Videos, or folders of videos.", show_default=False)],
    fps: Annotated[
        float | None, typer.Option("--fps", help="Samples for each second of footage (5).", show_default=False)
    ] = None,
    start: Annotated[
        str | None, typer.Option("--start", metavar="ISO", help="When the footage began, e.g. 2026-03-01T08:00:00Z.")
    ] = None,
    report: Annotated[
        Path | None, typer.Option("--report", metavar="FILE", help="Write the report; a folder for several videos.")
    ] = None,
    annotate: Annotated[
        Path | None, typer.Option("--annotate", metavar="FILE", help="Write an annotated mp4; a folder for several.")
    ] = None,
    workers: Annotated[
        bool,
        typer.Option("--workers", help="Through workers and a bus, as live cameras go; the report is the same."),
    ] = False,
    json: Json = False,
    model: Model = None,
    detector: Detector = None,
    min_face: MinFace = None,
    dwell: Dwell = None,
) -> None:
    """Turn recorded footage into tracks, events, snapshots and a report."""
    settings = load_settings(fps=fps, model=model, detector=detector, min_face_px=min_face, dwell_s=dwell)
    began = _moment(start) if start is not None else None
    inputs = list(expanded(paths))
    several = len(inputs) > 1 or any(path.is_dir() for path in paths)
    plan = _planned([path for path, _ in inputs], report, annotate, several, settings.data_dir)
    failed = False
    with _analysis(settings, workers) as analyze:
        for (path, error), outputs in zip(inputs, plan, strict=True):
            try:
                if error is not None:
                    raise error
                with progress_bar(shown(path.name)) as progress:
                    analysis = analyze(path, SnapshotFolder(outputs.snapshots), progress)
            except InputError as problem:
                failed = True
                if json:
                    emit(to_json(_Failure(shown(path.name), printable(str(problem)))))
                complain(str(problem))
                continue
            if began is not None:
                analysis = Analysis(msgspec.structs.replace(analysis.report, footage_start=began), analysis.recorder)
            _deliver(path, analysis, outputs, json)
    if failed:
        raise typer.Exit(1)


@contextmanager
def _analysis(settings: Settings, workers: bool) -> Iterator[Callable[[Path, SnapshotFolder, Progress], Analysis]]:
    """What analyses one video after the other: this process, or workers of its own."""
    if not workers:
        with Analyzer(settings) as analyzer:
            yield lambda path, snapshots, progress: analyze_footage(path, analyzer, snapshots, progress=progress)
        return
    from infra.log import log_to_nowhere
    from infra.through_workers import Workers

    log_to_nowhere()
    with Workers(settings) as crew:
        yield lambda path, snapshots, progress: crew.analyze(path, snapshots, progress=progress)


def show_report(report: Report) -> None:
    """Print a report for people."""
    results.print(
        f"{report.video}: {report.duration_s:.1f} s at {report.fps:g} fps, {report.frames_analyzed} samples, "
        f"{report.timing.realtime_factor:g} times real time",
        markup=False,
    )
    for error in report.errors:
        results.print(f"  note: {error}", markup=False)
    events = {event.track_id: event for event in report.events}
    table = Table("track", "from", "to", "faces", "label", "sure", "event")
    for track in report.tracks:
        label = f"{track.label} ({track.unknown_reason})" if track.unknown_reason else track.label
        event = events.get(track.id)
        breach = ""
        if event is not None:
            breach = f"{event.id} {event.type} from {event.started_s:.1f} s"
            if event.corrected_s is not None:
                breach += f", corrected at {event.corrected_s:.1f} s"
        row = (f"{track.first_seen_s:.1f} s", f"{track.last_seen_s:.1f} s", str(track.faces), label)
        table.add_row(track.id, *row, f"{track.confidence:.2f}", breach)
    if report.tracks:
        results.print(table)
    counts = report.statistics
    line = (
        f"{counts.tracks} passages: {counts.with_mask} with mask, {counts.without_mask} without, "
        f"{counts.incorrect_mask} worn incorrectly, {counts.unknown} unknown"
    )
    if counts.compliance_rate is not None and counts.interval is not None:
        low, high = counts.interval
        line += f"; compliance {counts.compliance_rate:.0%} (95 % interval of chance {low:.0%} to {high:.0%})"
    results.print(line, markup=False)


def _deliver(path: Path, analysis: Analysis, outputs: _Outputs, json: bool) -> None:
    """Report first: whatever happens to the annotated video, the analysis is not lost."""
    if outputs.report is not None:
        write_bytes(outputs.report, to_pretty_json(analysis.report))
    if json:
        emit(to_json(analysis.report))
    else:
        show_report(analysis.report)
    for error in analysis.report.errors:
        complain(f"{path}: {error}")
    if analysis.report.events:
        say(f"snapshots are in {outputs.snapshots}")
    if outputs.annotated is not None:
        with progress_bar(f"annotating {shown(path.name)}") as progress:
            annotate_footage(path, analysis.recorder, outputs.annotated, progress)
        say(f"annotated video: {outputs.annotated}")


def _planned(
    sources: list[Path], report: Path | None, annotate: Path | None, several: bool, data_dir: Path
) -> list[_Outputs]:
    """Where the results of each video go, settled and tried before the work starts."""
    targets = Targets(sources)
    plan = []
    for source in sources:
        report_file = annotated = None
        if report is not None:
            report_file = (
                targets.inside(make_folder(report), source.name, ".json") if several else targets.named(report)
            )
        if annotate is not None:
            annotated = (
                targets.inside(make_folder(annotate), source.stem, ".mp4") if several else targets.named(annotate)
            )
            if annotated.suffix.lower() != ".mp4":
                raise UsageError(f"--annotate {annotate}: the annotated video is an .mp4 file")
        # A device or a pipe has no place for pictures beside it.
        beside = report_file is not None and (report_file.is_file() or not report_file.exists())
        snapshots = (report_file.parent if report_file is not None and beside else data_dir) / SNAPSHOTS
        for target in (report_file, annotated, snapshots / "any.jpg"):
            if target is not None:
                check_writable(target)
        plan.append(_Outputs(report_file, annotated, snapshots))
    return plan


def _moment(text: str) -> str:
    """A point in time as reports give it: UTC with milliseconds."""
    return moment(text).isoformat(timespec="milliseconds").replace("+00:00", "Z")
