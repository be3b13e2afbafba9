"""`maskwatch key`: keys for programs that use the API."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from api.shapes.people import Key, MadeKey
from api.times import iso, parse
from infra.commands.options import Json
from infra.commands.registry import person_here, tell, tell_all
from infra.commands.users import Buildings, RoleOption, chosen_buildings
from infra.console import results, say
from infra.people import opened_database
from infra.settings import load_settings
from infra.sites import system_sites
from storage.database.api_keys import ApiKey, ApiKeys, NewKey
from storage.database.sites import Sites
from storage.errors import UsageError
from storage.messages import NS_PER_S

UNITS = {"h": 3600, "d": 24 * 3600, "w": 7 * 24 * 3600}

key = typer.Typer(help="Make and revoke keys for programs that use the API.", no_args_is_help=True)


@key.command("create")
def create_key(
    role: RoleOption,
    name: Annotated[str, typer.Option("--name", help="For people: what uses it.")] = "key",
    building: Buildings = None,
    expires: Annotated[
        str | None,
        typer.Option(
            "--expires",
            metavar="WHEN",
            help="After so long (12h, 30d, 8w), or at a time (2027-01-01T00:00Z); never if not given.",
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Make a key, and print it this once."""
    expires_at_ns = None if expires is None else _end(expires)
    with opened_keys() as (keys, sites):
        made, secret = keys.add(NewKey(name, role, chosen_buildings(sites, building), expires_at_ns))
    if not json:
        say(
            f"key {made.id} ({made.name}), {made.role} of {_buildings(made) or 'all buildings'}; it is shown this once:"
        )
    tell(MadeKey.of(made, key=secret), secret, json)


@key.command("list")
def list_keys(json: Json = False) -> None:
    """List the keys, without their secrets."""
    with opened_keys() as (keys, _):
        found = keys.listed()
    rows = [
        (one.id, one.name, f"...{one.hint}", str(one.role), _buildings(one), _time(one.used_at_ns), _state(one))
        for one in found
    ]
    columns = ("id", "name", "ends with", "role", "buildings", "last used", "state")
    tell_all([Key.of(one) for one in found], columns, rows, json)


@key.command("revoke")
def revoke_key(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="Identifier of the key.", show_default=False)],
) -> None:
    """Let a key open nothing any more, from now on."""
    with opened_keys() as (keys, _):
        found = keys.revoke(key_id)
    results.print(f"key {found.id} is revoked: {found.name}", markup=False)


@contextmanager
def opened_keys() -> Iterator[tuple[ApiKeys, Sites]]:
    """The keys of a system, running or not, as whoever is at this machine uses them; and its buildings."""
    settings = load_settings()
    with opened_database(settings) as engine:
        yield ApiKeys(engine).for_(person_here()), system_sites(engine, settings).for_(person_here())


def _end(given: str) -> int:
    """When a key ends, in nanoseconds of Unix time.

    Raises:
        UsageError: it says no time.
    """
    if found := re.fullmatch(r"(\d{1,5})([hdw])", given):
        return time.time_ns() + int(found[1]) * UNITS[found[2]] * NS_PER_S
    try:
        return parse(given)
    except ValueError as error:
        raise UsageError(f"--expires {given}: give 12h, 30d or 8w, or a time: {error}") from None


def _buildings(one: ApiKey) -> str:
    return "" if one.buildings is None else ", ".join(one.buildings)


def _time(at_ns: int | None) -> str:
    return "" if at_ns is None else iso(at_ns)


def _state(one: ApiKey) -> str:
    if one.revoked_at_ns is not None:
        return "revoked"
    if one.expires_at_ns is None:
        return ""
    return f"{'ended' if one.expires_at_ns <= time.time_ns() else 'until'} {iso(one.expires_at_ns)}"
