"""`maskwatch audit`: who looked at what, and who changed what, from where."""

from itertools import islice
from typing import Annotated

import typer

from api.shapes.people import AuditLine
from api.times import parse
from infra.commands.options import Json
from infra.commands.registry import person_here, tell_all
from infra.console import emit
from infra.people import opened_database
from infra.settings import load_settings
from storage.database.audit import AuditEntry, AuditLog, AuditWanted
from storage.errors import UsageError

audit = typer.Typer(help="Read who did what.", no_args_is_help=True)


@audit.command("list")
def list_audit(
    caller: Annotated[
        str | None,
        typer.Option("--caller", metavar="WHO", help="Identifier or name of who did it.", show_default=False),
    ] = None,
    action: Annotated[
        str | None,
        typer.Option("--action", metavar="A", help="Such as camera.changed, or camera.", show_default=False),
    ] = None,
    building: Annotated[
        str | None, typer.Option("--building", metavar="ID", help="That it belongs to.", show_default=False)
    ] = None,
    since: Annotated[
        str | None, typer.Option("--from", metavar="TIME", help="At or after 2027-01-01T00:00Z.", show_default=False)
    ] = None,
    until: Annotated[str | None, typer.Option("--to", metavar="TIME", help="Before.", show_default=False)] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, max=1_000_000, help="Most lines (100; with --json all).")
    ] = None,
    json: Json = False,
) -> None:
    """Print the log, newest first."""
    wanted = AuditWanted(
        caller=caller, action=action, building=building, from_ns=_time("--from", since), to_ns=_time("--to", until)
    )
    with opened_database(load_settings()) as engine:
        log = AuditLog(engine).for_(person_here())
        if json:
            log.note_export(wanted, "jsonl")
            for one in islice(log.every(wanted), limit):
                emit(AuditLine.of(one).model_dump_json())
            return
        found, _ = log.entries(wanted, limit or 100)
    columns = ("at", "who", "kind", "address", "action", "of", "building")
    tell_all([], columns, [_row(one) for one in found], json=False)


def _row(one: AuditEntry) -> tuple[str, ...]:
    line = AuditLine.of(one)
    about = f"{one.object_type} {one.object_id}"
    return line.at, one.caller_name, one.caller_kind, one.address or "", one.action, about, one.building_id or ""


def _time(option: str, given: str | None) -> int | None:
    if given is None:
        return None
    try:
        return parse(given)
    except ValueError as error:
        raise UsageError(f"{option} {given}: {error}") from None
