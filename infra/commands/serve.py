"""`maskwatch serve`: one role, for containers and for more processes of a running system."""

from typing import Annotated

import typer

from infra.commands.options import Detector, MinFace, Model
from infra.commands.up import Host, Port
from infra.console import say
from infra.joining import own_name
from infra.log import log_to_stderr
from infra.people import check_open, welcome
from infra.roles import end, work
from infra.settings import load_settings
from infra.system.door import Door
from infra.system.workers import Role
from storage.errors import UsageError


def serve(
    role: Annotated[str, typer.Argument(metavar="ROLE", help=f"{', '.join(Role)}.", show_default=False)],
    name: Annotated[
        str | None,
        typer.Option(
            "--name",
            help="Unique among all workers, on all hosts; made from host and process if not given. Those of aggregate and "
            "ingest end with their number.",
            show_default=False,
        ),
    ] = None,
    number: Annotated[
        int,
        typer.Option(
            "--number", min=0, max=63, help="Of aggregate: its partition; of ingest: which of MASKWATCH_INGESTS it is."
        ),
    ] = 0,
    host: Host = "127.0.0.1",
    port: Port = 8000,
    model: Model = None,
    detector: Detector = None,
    min_face: MinFace = None,
) -> None:
    """Run one role, with the Redis and database of the settings, or of `maskwatch up` on this data folder.

    From any host: pictures go through Redis where workers share no memory. `detect`, `classify` and `beat` need
    MASKWATCH_REDIS_URL alone, the others MASKWATCH_DATABASE_URL as well. A second `aggregate` of a partition waits, and takes
    over when the first one is gone.

    Logs go to standard error as JSON lines.
    """
    if role not in set(Role):
        raise UsageError(f"there is no role {role!r}: choose one of {', '.join(Role)}")
    settings = load_settings(model=model, detector=detector, min_face_px=min_face)
    name = name or own_name(Role(role), number)
    if role == Role.API:
        for warning in check_open(settings, host):
            say(warning)
    door = Door(host, port) if role == Role.API else None
    log_to_stderr(name)
    if door is not None:
        for line in welcome(settings, door.elsewhere, is_open=door.open):
            say(line)
    work(Role(role), name, settings, None if door is None else door.listening)
    end(0)
