"""`maskwatch serve`: one role, for containers and for more processes of a running system."""

from typing import Annotated

import typer

from infra.commands.options import Detector, MinFace, Model
from infra.commands.up import Host, Port
from infra.log import log_to_stderr
from infra.roles import work
from infra.settings import load_settings
from infra.system.door import Door
from infra.system.workers import Role
from storage.errors import UsageError


def serve(
    role: Annotated[str, typer.Argument(metavar="ROLE", help=f"{', '.join(Role)}.", show_default=False)],
    name: Annotated[
        str | None,
        typer.Option("--name", help="Unique among all workers (ROLE-0); an aggregator's ends with its partition."),
    ] = None,
    host: Host = "127.0.0.1",
    port: Port = 8000,
    model: Model = None,
    detector: Detector = None,
    min_face: MinFace = None,
) -> None:
    """Run one role, with the Redis, database and shared memory of the settings, or of `maskwatch up` on this data folder.

    Logs go to standard error as JSON lines.
    """
    if role not in set(Role):
        raise UsageError(f"there is no role {role!r}: choose one of {', '.join(Role)}")
    settings = load_settings(model=model, detector=detector, min_face_px=min_face)
    name = name or f"{role}-0"
    door = Door(host, port) if role == Role.API else None
    log_to_stderr(name)
    work(Role(role), name, settings, None if door is None else door.listening)
