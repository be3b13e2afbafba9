"""`maskwatch demo`: footage made from nothing, analysed, and held against its exact truth."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer
from rich.table import Table

from infra.analysis import Analyzer
from infra.annotate import annotate_footage
from infra.commands.options import Detector, Json, Model
from infra.commands.video import show_report
from infra.console import emit, progress_bar, results, say
from infra.demo.export import export_samples
from infra.demo.kept import kept_clip
from infra.demo.scene import DemoClip
from infra.demo.script import demo_clips
from infra.demo.truth import Truth, truth_of
from infra.footage import SNAPSHOTS, analyze_footage
from infra.scoring import Matching, TruthScore, added, score
from infra.settings import Settings, load_settings
from storage.files import write_bytes
from storage.report import Report, to_json, to_pretty_json
from storage.snapshots import SnapshotFolder
from storage.statistics import Statistics, count

FOLDER: Final = "demo"
"""Below the data folder."""


@dataclass(frozen=True, slots=True)
class _Shown:
    """One demo clip, analysed."""

    truth: Truth
    report: Report
    matching: Matching
    annotated: Path


class DemoReport(msgspec.Struct, frozen=True):
    """What `maskwatch demo --json` prints; tracks and events are those of the reports, with `camera` added."""

    cameras: int
    tracks: list[dict[str, object]]
    events: list[dict[str, object]]
    statistics: Statistics
    truth: TruthScore


def demo(
    export: Annotated[
        Path | None,
        typer.Option("--export", metavar="DIR", help="Write sample photos, face crops, a training folder and clips."),
    ] = None,
    json: Json = False,
    model: Model = None,
    detector: Detector = None,
) -> None:
    """Make demo footage, analyse it, and show the report beside the truth; or export samples to try things on."""
    settings = load_settings(model=model, detector=detector)
    if export is not None:
        with progress_bar("samples") as progress:
            written = export_samples(export, lambda done: progress(done, 1.0))
        say(f"{len(written)} files are in {export}: photos, crops, training, clips")
        return
    folder = settings.data_dir / FOLDER
    shown = [_show(clip, folder, settings, json) for clip in demo_clips()]
    summary = _summary(shown)
    if json:
        emit(to_json(summary))
        return
    truth = summary.truth
    results.print(
        f"\ntruth: {truth.tracks} passages; {truth.right} right ({truth.right / truth.tracks:.0%}), "
        f"{truth.missed} missed, {truth.counted_twice} counted twice, {truth.invented_events} events invented",
        markup=False,
    )
    for one in shown:
        results.print(f"look at {one.annotated}", markup=False)


def _show(clip: DemoClip, folder: Path, settings: Settings, json: bool) -> _Shown:
    path, truth = kept_clip(clip, folder / f"{clip.camera}.mp4"), truth_of(clip)
    with Analyzer(settings) as analyzer, progress_bar(f"analysing {path.name}") as progress:
        analysis = analyze_footage(path, analyzer, SnapshotFolder(folder / SNAPSHOTS), progress=progress)
    annotated = folder / f"{clip.camera}.annotated.mp4"
    with progress_bar(f"annotating {path.name}") as progress:
        annotate_footage(path, analysis.recorder, annotated, progress)
    write_bytes(folder / f"{clip.camera}.report.json", to_pretty_json(analysis.report))
    shown = _Shown(truth, analysis.report, score(analysis.report, truth), annotated)
    if not json:
        show_report(shown.report)
        _show_truth(shown)
    return shown


def _show_truth(shown: _Shown) -> None:
    """Every true passage beside what was found."""
    ours_of = {true: ours for ours, true in shown.matching.true_of.items()}
    found = {track.id: track for track in shown.report.tracks}
    events = {event.track_id: event.type for event in shown.report.events}
    table = Table("truth", "label", "track", "label found", "event", "")
    for true in shown.truth.tracks:
        ours = found.get(ours_of.get(true.id, ""))
        if ours is None:
            table.add_row(true.id, true.label, "", "", "", "missed")
            continue
        verdict = "right" if ours.label == true.label else "wrong"
        table.add_row(true.id, true.label, ours.id, ours.label, events.get(ours.id, ""), verdict)
    results.print(table)


def _summary(shown: list[_Shown]) -> DemoReport:
    tracks, events = [], []
    for one in shown:
        camera = one.truth.camera
        # Ids count within a camera; with its name they are unique among all.
        tracks += [
            {**msgspec.to_builtins(track), "id": f"{camera}-{track.id}", "camera": camera}
            for track in one.report.tracks
        ]
        for event in one.report.events:
            names = {"id": f"{camera}-{event.id}", "track_id": f"{camera}-{event.track_id}"}
            events.append({**msgspec.to_builtins(event), **names, "camera": camera})
    labels = [track.label for one in shown for track in one.report.tracks]
    return DemoReport(len(shown), tracks, events, count(labels), added([one.matching.score for one in shown]))
