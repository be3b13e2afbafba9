"""`maskwatch up`: the whole system on this machine, until it is asked to stop."""

from typing import Annotated

import typer

from infra.commands.options import Detector, Dwell, MinFace, Model
from infra.console import say
from infra.log import log_to_nowhere
from infra.people import check_open, welcome
from infra.settings import load_settings
from infra.signals import asked_to_stop
from infra.supervisor import System

Host = Annotated[str, typer.Option("--host", help="Where the page and the API listen; 0.0.0.0: everywhere.")]
Port = Annotated[int, typer.Option("--port", min=0, max=65535, help="Likewise; 0 takes any that is free.")]


def up(
    host: Host = "127.0.0.1",
    port: Port = 8000,
    model: Model = None,
    detector: Detector = None,
    min_face: MinFace = None,
    dwell: Dwell = None,
) -> None:
    """Run the whole system on this machine: cameras, workers, database, API and page. Ctrl-C stops it."""
    settings = load_settings(model=model, detector=detector, camera_min_face_px=min_face, camera_dwell_s=dwell)
    for warning in check_open(settings, host):
        say(warning)
    log_to_nowhere()
    with asked_to_stop() as stop:
        say("starting")
        with System(settings, host=host, port=port) as system:
            if system.wait_ready(stop=stop):
                for line in welcome(settings, system.elsewhere, is_open=system.is_open):
                    say(line)
                say(f"Maskwatch is at {system.url} (data in {system.places.data}); Ctrl-C stops it")
                system.watch(stop)
            say("stopping")
        say("stopped")
