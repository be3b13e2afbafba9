"""`maskwatch demo`: the whole system on this machine, with two demo cameras whose truth is known exactly."""

import time
from collections.abc import Sequence
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.table import Table

from infra.browser import open_page
from infra.commands.options import Detector, Json, Model
from infra.commands.up import Host, Port
from infra.console import emit, progress_bar, results, say
from infra.people import check_open, welcome
from infra.settings import Settings, load_settings
from infra.signals import asked_to_stop
from storage.report import to_json

if TYPE_CHECKING:
    from infra.demo.live import Shown
    from infra.supervisor import System

FOLDER: Final = "demo"
"""Below the data folder: the clips, and the system's own data folder."""

TURN_S: Final = 0.05


def demo(
    duration: Annotated[
        float | None,
        typer.Option("--duration", metavar="S", min=1, help="End after so many seconds; otherwise Ctrl-C ends it."),
    ] = None,
    host: Host = "127.0.0.1",
    port: Port = 8000,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Do not open the page in a browser.")] = False,
    export: Annotated[
        Path | None,
        typer.Option("--export", metavar="DIR", help="Write sample photos, face crops, a training folder and clips."),
    ] = None,
    json: Json = False,
    model: Model = None,
    detector: Detector = None,
) -> None:
    """Run the whole system with two demo cameras, and hold what it finds against the truth; or export samples."""
    settings = load_settings(model=model, detector=detector)
    if export is not None:
        from infra.demo.export import export_samples

        with progress_bar("samples") as progress:
            written = export_samples(export, lambda done: progress(done, 1.0))
        say(f"{len(written)} files are in {export}: photos, crops, training, clips")
        return
    for warning in check_open(settings, host):
        say(warning)
    _run(settings, duration, host, port, browser=not no_browser, json=json)


def _run(settings: Settings, duration: float | None, host: str, port: int, *, browser: bool, json: bool) -> None:
    # These take their time to import, and every other command would wait for them.
    from infra.demo.live import demo_report, demo_settings, found, set_up
    from infra.demo.prepared import prepared_clips
    from infra.log import log_to_nowhere
    from infra.supervisor import System

    log_to_nowhere()
    truths = prepared_clips(settings.data_dir / FOLDER)
    own = demo_settings(settings, settings.data_dir / FOLDER)
    with asked_to_stop() as stop:
        set_up(own, truths)
        say("starting")
        with System(own, host=host, port=port) as system:
            if system.wait_ready(stop=stop):
                for line in welcome(own, system.elsewhere, is_open=system.is_open):
                    say(line)
                say(f"the demo is at {system.url} (its data are in {system.places.data}); Ctrl-C ends it")
                if browser:
                    open_page(system.url)
                _play(system, duration, stop)
            shown = found(own, truths)
            say("stopping")
    if json:
        emit(to_json(demo_report(shown)))
    else:
        _show(shown)


def _play(system: "System", duration: float | None, stop: Event) -> None:
    started_s = time.monotonic()
    with progress_bar("playing") as progress:
        while not stop.is_set() and (duration is None or time.monotonic() - started_s < duration):
            system.check()
            progress(time.monotonic() - started_s, duration)
            stop.wait(TURN_S)


def _show(shown: "Sequence[Shown]") -> None:
    """Every true passage beside what was found."""
    from infra.demo.live import demo_report

    for one in shown:
        ours_of = {true: ours for ours, true in one.matching.true_of.items()}
        tracks = {track.id: track for track in one.tracks}
        events = {event.track_id: event for event in one.events}
        table = Table("truth", "label", "track", "label found", "sure", "event", "", title=one.truth.camera)
        for true in one.truth.tracks:
            ours = tracks.get(ours_of.get(true.id, ""))
            if ours is None:
                over = true.boxes[-1][0] <= one.until_s
                table.add_row(true.id, true.label, "", "", "", "", "missed" if over else "not over yet")
                continue
            event = events.get(ours.id)
            breach = "" if event is None else f"{event.type} from {event.started_s:.1f} s"
            verdict = "right" if ours.label == true.label else "wrong"
            table.add_row(true.id, true.label, ours.id, ours.label, f"{ours.confidence:.2f}", breach, verdict)
        results.print(table)
    report = demo_report(shown)
    truth = report.truth
    share = f" ({truth.right / truth.tracks:.0%})" if truth.tracks else ""
    results.print(
        f"truth: {truth.tracks} passages that are over; {truth.right} right{share}, {truth.missed} missed, "
        f"{truth.counted_twice} counted twice, {truth.invented_events} events invented",
        markup=False,
    )
