"""`maskwatch live`: one source in the browser at once, with boxes and labels; nothing is stored."""

import atexit
import gc
import time
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Annotated, Final

import typer

from infra.browser import open_page
from infra.commands.options import Detector, Dwell, Json, MinFace, Model
from infra.commands.targets import Targets
from infra.console import complain, emit, say
from infra.listening import url_of
from infra.settings import load_settings
from infra.signals import asked_to_stop
from storage.errors import UsageError
from storage.files import check_writable
from storage.report import to_json
from storage.status import CameraState

if TYPE_CHECKING:
    from infra.live.session import Session
    from infra.live.tally import LiveReport

FPS: Final = 10.0
TURN_S: Final = 0.1
BROWSER_S: Final = 8.0
"""A file waits so long for the browser that was opened to show it."""


def live(
    source: Annotated[
        str,
        typer.Argument(
            help="A webcam's number, a video, a folder of pictures, or rtsp://, http://.", show_default=False
        ),
    ],
    host: Annotated[
        str, typer.Option("--host", help="Where the page is: this machine alone, unless another address is named.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Likewise; 0 takes any that is free.")] = 8000,
    record: Annotated[
        Path | None, typer.Option("--record", metavar="FILE", help="Write the annotated video, an .mp4 file.")
    ] = None,
    fps: Annotated[
        float | None, typer.Option("--fps", help="Looks a second, at most (10).", show_default=False)
    ] = None,
    duration: Annotated[
        float | None,
        typer.Option("--duration", metavar="S", min=0.1, help="End after so many seconds; otherwise Ctrl-C ends it."),
    ] = None,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Do not open the page in a browser.")] = False,
    json: Json = False,
    model: Model = None,
    detector: Detector = None,
    min_face: MinFace = None,
    dwell: Dwell = None,
) -> None:
    """Show a webcam, a file or an address in the browser with boxes and labels. No account, and nothing is stored."""
    # These take their time to import, and every other command would wait for them.
    from infra.analysis import Analyzer
    from infra.live.door import everybody, listen
    from infra.live.session import Session, Wanted
    from infra.live.target import target

    # The interpreter looks through all objects before it ends; with the libraries loaded here that takes seconds.
    atexit.register(gc.freeze)
    settings = load_settings(
        fps=FPS if fps is None else fps, model=model, detector=detector, min_face_px=min_face, dwell_s=dwell
    )
    open_to_all = everybody(host)
    meant = target(source)
    _check_record(record, meant.path)
    listening = listen(host, port)
    try:
        analyzer = Analyzer(settings)
    except BaseException:
        listening.close()
        raise
    url = url_of(listening)
    with asked_to_stop() as stop, analyzer, Session(Wanted(meant, record, json), analyzer, listening) as session:
        if open_to_all:
            say(f"warning: with --host {host} everybody on the network can watch, without a password")
        say(f"{meant.shown} is at {url}; Ctrl-C ends it")
        if not no_browser and open_page(url) and meant.ends:
            session.wait_for_viewer(BROWSER_S)
        session.start()
        _watch(session, stop, duration)
        report = session.finish()
    _conclude(report, json=json, recorded=record is not None)


def _check_record(record: Path | None, source: Path | None) -> None:
    if record is None:
        return
    if record.suffix.lower() != ".mp4":
        raise UsageError(f"--record {record}: the annotated video is an .mp4 file")
    Targets([] if source is None else [source]).named(record)
    check_writable(record)


def _watch(session: "Session", stop: Event, duration_s: float | None) -> None:
    """Until it ends, is stopped or its time is up; what changes for the source is said."""
    until_s = None if duration_s is None else time.monotonic() + duration_s
    said: tuple[CameraState, str | None] = (CameraState.CONNECTING, None)
    recording = True
    while not stop.is_set() and not session.over and (until_s is None or time.monotonic() < until_s):
        connection = session.connection()
        now = (connection.state, connection.detail)
        if now != said and (connection.state is not CameraState.LIVE or session.size is not None):
            said = now
            if connection.state is CameraState.LIVE:
                width, height = session.size or (0, 0)
                say(f"the picture is there: {width}x{height} pixels")
            elif connection.state is CameraState.BACKING_OFF:
                say(f"{connection.detail}; trying again until it works")
            elif connection.detail:
                say(connection.detail)
        tape = session.tape
        if recording and tape is not None and tape.error is not None:
            recording = False
            complain(f"{tape.error}; the picture goes on without being recorded")
        stop.wait(TURN_S)


def _conclude(report: "LiveReport", *, json: bool, recorded: bool) -> None:
    counts = report.statistics
    line = (
        f"{report.source}: {report.duration_s:.1f} s, {counts.tracks} passages: {counts.with_mask} with mask, "
        f"{counts.without_mask} without, {counts.incorrect_mask} worn incorrectly, {counts.unknown} unknown; "
        f"{len(report.events)} events"
    )
    if counts.compliance_rate is not None and counts.interval is not None:
        low, high = counts.interval
        line += f"; compliance {counts.compliance_rate:.0%} (95 % interval of chance {low:.0%} to {high:.0%})"
    say(line)
    if json:
        emit(to_json(report))
    for error in report.errors:
        complain(error)
    if report.recorded is not None:
        say(f"annotated video: {report.recorded}")
    elif recorded and not report.errors:
        complain("nothing was recorded: no picture came")
    # Whoever asked for pictures, or for a video, and got none has to be told.
    if not report.frames_decoded or (recorded and report.recorded is None):
        raise typer.Exit(1)
