"""What the commands on buildings and cameras share: the way to them, finding one by what a person calls it, and showing them."""

import os
import pwd
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from zoneinfo import available_timezones

from pydantic import BaseModel
from rich.table import Table
from rich.text import Text

from api.times import iso
from infra.console import complain, emit, results
from infra.places import Places, database_url
from infra.settings import Settings
from infra.sites import sealed_sites
from storage.database.engine import migrate, open_engine
from storage.database.records import Building, Policy, Zone
from storage.database.sites import Sites
from storage.errors import NotFoundError, UsageError
from storage.files import make_folder
from storage.hours import Hours
from storage.identity import Caller, Role
from storage.names import by_word

LOCALTIME: Final = Path("/etc/localtime")
ZONES: Final = "zoneinfo/"


@contextmanager
def opened_sites(settings: Settings) -> Iterator[Sites]:
    """The repository of a system, running or not, as whoever is at this machine uses it.

    Its data folder and database are made where missing.
    """
    places = Places.of(settings)
    if settings.database_url is None:
        make_folder(places.data)
    engine = open_engine(database_url(settings))
    try:
        migrate(engine)
        yield sealed_sites(engine, settings, complain).for_(person_here())
    finally:
        engine.dispose()


def person_here() -> Caller:
    """Who gives commands at this machine, by the name that the operating system knows them by."""
    number = os.getuid()
    try:
        name = pwd.getpwuid(number).pw_name
    except KeyError:
        # In a container the user may have no name.
        name = f"user {number}"
    return Caller("local", name, "local", Role.ADMIN)


def find_building(sites: Sites, given: str, *, archived: bool = False) -> Building:
    """A building by its identifier or its name.

    Raises:
        NotFoundError: there is none.
        ConflictError: it is the identifier of one and the name of another.
    """
    # Those in use first: the name of one that was removed may be another's now.
    found = sorted(sites.buildings(archived=archived), key=lambda one: one.archived_at_ns is not None)
    if (one := by_word(found, given)) is not None:
        return one
    known = ", ".join(f"{one.id} ({one.name})" for one in found) or "none yet: maskwatch building add NAME"
    raise NotFoundError(f"there is no building {given!r}; there are {known}")


def only_building(sites: Sites) -> Building:
    """The building, where there is one only.

    Raises:
        UsageError: there is none, or a choice.
    """
    home = sites.default_building()
    if home is None:
        found = ", ".join(f"{one.id} ({one.name})" for one in sites.buildings())
        raise UsageError(
            f"say where the camera is: --building, one of {found}"
            if found
            else "there is no building for the camera to be in: maskwatch building add NAME"
        )
    return home


def find_zone(sites: Sites, home: Building, given: str) -> Zone:
    """A zone of a building, likewise.

    Raises:
        NotFoundError: there is none.
        ConflictError: it is the identifier of one and the name of another.
    """
    found = sites.zones(home.id)
    if (zone := by_word(found, given)) is not None:
        return zone
    known = ", ".join(f"{one.id} ({one.name})" for one in found) or "none yet: maskwatch building add-zone"
    raise NotFoundError(f"building {home.id} has no zone {given!r}; there are {known}")


def this_timezone() -> str:
    """The machine's time zone by its IANA name; UTC where it does not say."""
    known = available_timezones()
    for path in (os.environ.get("TZ", "").removeprefix(":"), os.path.realpath(LOCALTIME)):
        name = path.partition(ZONES)[2] if ZONES in path else path
        if name in known:
            return name
    return "UTC"


def tell(shape: BaseModel, sentence: str, json: bool) -> None:
    """Print one result: its shape in the API, or a sentence."""
    if json:
        emit(shape.model_dump_json(by_alias=True))
    else:
        results.print(sentence, markup=False)


def tell_all(shown: Sequence[BaseModel], columns: Sequence[str], rows: Sequence[Sequence[str]], json: bool) -> None:
    """Print a list: shapes one a line, or a table in which columns that are empty throughout are left out."""
    if json:
        for one in shown:
            emit(one.model_dump_json(by_alias=True))
        return
    used = [index for index in range(len(columns)) if any(row[index] for row in rows)]
    table = Table(*(columns[index] for index in used))
    for row in rows:
        # Names are people's: brackets in them are no markup.
        table.add_row(*(Text(row[index], overflow="fold") for index in used))
    if rows:
        results.print(table)
    else:
        results.print("none yet")


def tell_facts(*facts: tuple[str, str]) -> None:
    """Print what is known of one thing, line by line; what is empty is left out."""
    for name, value in facts:
        if value:
            results.print(f"{name + ':':18}{value}", markup=False)


def shown_policy(policy: Policy) -> str:
    """A policy for people."""
    hours = "" if policy.hours is None else f", {shown_hours(policy.hours)}"
    return f"{', '.join(policy.labels)} for {policy.dwell_s:g} s{hours}"


def shown_hours(hours: Sequence[Hours]) -> str:
    """Hours for people."""
    return ", ".join(f"{' '.join(one.days)} {one.start}-{one.end}" for one in hours)


def shown_removal(archived_at_ns: int | None) -> str:
    """When something was taken out of use, if it was."""
    return "" if archived_at_ns is None else iso(archived_at_ns)
