"""`maskwatch building`: where cameras are. It works on the database; a running system follows."""

from typing import Annotated

import typer
from msgspec import UNSET

from api.shapes import sites as shapes
from infra.commands.camera_options import HoursOption, Labels, changed_policy
from infra.commands.options import Dwell, Json
from infra.commands.registry import (
    find_building,
    opened_sites,
    shown_policy,
    shown_removal,
    tell,
    tell_all,
    tell_facts,
    this_timezone,
)
from infra.console import say
from infra.settings import load_settings
from storage.database.changes import BuildingChanges

building = typer.Typer(help="Set up buildings and their zones.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="A name for people, unique.", show_default=False)]
BuildingId = Annotated[str, typer.Argument(metavar="BUILDING", help="Its identifier or name.", show_default=False)]
NewId = Annotated[
    str | None, typer.Option("--id", metavar="ID", help="Identifier (the next free one).", show_default=False)
]
SpotShare = Annotated[
    float | None,
    typer.Option(
        "--spot-share",
        metavar="SHARE",
        help="Share of passages that people check at random, e.g. 0.02; 0: none. Each keeps a picture for up to 48 hours.",
        show_default=False,
    ),
]
All = Annotated[bool, typer.Option("--all", help="Also those that were removed.")]


@building.command("add")
def add_building(
    name: Name,
    timezone: Annotated[
        str | None,
        typer.Option("--timezone", metavar="ZONE", help="IANA name, for reports (this machine's).", show_default=False),
    ] = None,
    retention: Annotated[
        int, typer.Option("--retention", metavar="DAYS", help="How long what is seen there is to be kept.")
    ] = 30,
    share: SpotShare = None,
    identifier: NewId = None,
    json: Json = False,
) -> None:
    """Set up a building."""
    with opened_sites(load_settings()) as sites:
        where = this_timezone() if timezone is None else timezone
        made = sites.add_building(
            name, where, building_id=identifier, retention_days=retention, spot_share=share or 0.0
        )
    tell(shapes.Building.of(made), f"building {made.id}: {made.name}, {made.timezone}", json)
    if timezone is None:
        say(f"its reports are in this machine's time zone, {made.timezone}; --timezone takes another")


@building.command("list")
def list_buildings(every: All = False, json: Json = False) -> None:
    """List the buildings."""
    with opened_sites(load_settings()) as sites:
        found = sites.buildings(archived=every)
    rows = [
        (one.id, one.name, one.timezone, f"{one.retention_days} days", shown_removal(one.archived_at_ns))
        for one in found
    ]
    columns = ("id", "name", "time zone", "to be kept", "removed")
    tell_all([shapes.Building.of(one) for one in found], columns, rows, json)


@building.command("show")
def show_building(which: BuildingId, json: Json = False) -> None:
    """Show a building with its zones and cameras."""
    with opened_sites(load_settings()) as sites:
        one = find_building(sites, which, archived=True)
        zones = sites.zones(one.id)
        cameras = [camera for camera in sites.cameras() if camera.building_id == one.id]
    if json:
        tell(shapes.Building.of(one), "", json)
        return
    tell_facts(
        ("id", one.id),
        ("name", one.name),
        ("time zone", one.timezone),
        ("to be kept", f"{one.retention_days} days"),
        ("policy", shown_policy(one.policy)),
        ("spot checks", f"{one.spot_share:.3g} of its passages" if one.spot_share else "nothing"),
        ("zones", ", ".join(f"{zone.id} {zone.name}" for zone in zones)),
        ("cameras", ", ".join(f"{camera.id} {camera.name}" for camera in cameras)),
        ("removed", shown_removal(one.archived_at_ns)),
    )


@building.command("add-zone")
def add_zone(which: BuildingId, name: Name, identifier: NewId = None, json: Json = False) -> None:
    """Set up a part of a building, for cameras to be in."""
    with opened_sites(load_settings()) as sites:
        made = sites.add_zone(find_building(sites, which).id, name, zone_id=identifier)
    tell(shapes.Zone.of(made), f"zone {made.id} of building {made.building_id}: {made.name}", json)


@building.command("remove")
def remove_building(which: BuildingId, json: Json = False) -> None:
    """Take a building out of use; what was seen there stays."""
    with opened_sites(load_settings()) as sites:
        gone = sites.remove_building(find_building(sites, which).id)
    tell(shapes.Building.of(gone), f"building {gone.id} is removed: {gone.name}", json)


@building.command("change")
def change_building(
    which: BuildingId,
    name: Annotated[str | None, typer.Option("--name", help="A new name, unique.", show_default=False)] = None,
    timezone: Annotated[
        str | None, typer.Option("--timezone", metavar="ZONE", help="IANA name.", show_default=False)
    ] = None,
    retention: Annotated[
        int | None,
        typer.Option("--retention", metavar="DAYS", help="How long what is seen is to be kept.", show_default=False),
    ] = None,
    labels: Labels = None,
    dwell: Dwell = None,
    hours: HoursOption = None,
    share: SpotShare = None,
    json: Json = False,
) -> None:
    """Change a building; its policy is for cameras that are added later."""
    with opened_sites(load_settings()) as sites:
        old = find_building(sites, which)
        changes = BuildingChanges(
            name=UNSET if name is None else name,
            timezone=UNSET if timezone is None else timezone,
            retention_days=UNSET if retention is None else retention,
            policy=changed_policy(old.policy, labels, dwell, hours),
            spot_share=UNSET if share is None else share,
        )
        # The policy is made of what was read: it must still be there.
        new = sites.change_building(old.id, changes, version=old.version)
    what = "has all that already" if new.version == old.version else "is changed"
    tell(shapes.Building.of(new), f"building {new.id} {what}: {new.name}, {new.timezone}", json)
