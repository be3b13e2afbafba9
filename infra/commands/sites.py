"""`maskwatch building` and `maskwatch camera`: what is watched. They work on the database; a running system follows."""

from typing import Annotated

import typer

from api.shapes import sites as shapes
from infra.commands.options import Dwell, Json, MinFace
from infra.commands.registry import (
    find_building,
    find_zone,
    only_building,
    opened_sites,
    shown_policy,
    shown_removal,
    tell,
    tell_all,
    tell_facts,
    this_timezone,
)
from infra.settings import load_settings
from storage.database.records import NewCamera, Policy

building = typer.Typer(help="Set up buildings and their zones.", no_args_is_help=True)
camera = typer.Typer(help="Register cameras, and take them out of use.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="A name for people, unique.", show_default=False)]
BuildingId = Annotated[str, typer.Argument(metavar="BUILDING", help="Its identifier or name.", show_default=False)]
CameraId = Annotated[str, typer.Argument(metavar="CAMERA", help="Its identifier.", show_default=False)]
NewId = Annotated[
    str | None, typer.Option("--id", metavar="ID", help="Identifier (the next free one).", show_default=False)
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
        int, typer.Option("--retention", metavar="DAYS", help="How long what is seen there is kept.")
    ] = 30,
    identifier: NewId = None,
    json: Json = False,
) -> None:
    """Set up a building."""
    with opened_sites(load_settings()) as sites:
        made = sites.add_building(name, timezone or this_timezone(), building_id=identifier, retention_days=retention)
    tell(shapes.Building.of(made), f"building {made.id}: {made.name}, {made.timezone}", json)


@building.command("list")
def list_buildings(every: All = False, json: Json = False) -> None:
    """List the buildings."""
    with opened_sites(load_settings()) as sites:
        found = sites.buildings(archived=every)
    rows = [
        (one.id, one.name, one.timezone, f"{one.retention_days} days", shown_removal(one.archived_at_ns))
        for one in found
    ]
    columns = ("id", "name", "time zone", "kept for", "removed")
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
        ("kept for", f"{one.retention_days} days"),
        ("policy", shown_policy(one.policy)),
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
    """Take a building out of use; what was seen there stays for its time."""
    with opened_sites(load_settings()) as sites:
        gone = sites.remove_building(find_building(sites, which).id)
    tell(shapes.Building.of(gone), f"building {gone.id} is removed: {gone.name}", json)


@camera.command("add")
def add_camera(
    name: Name,
    url: Annotated[
        str,
        typer.Argument(
            help="rtsp://, rtsps://, http:// or https://, or file:NAME of a video in the media folder.",
            show_default=False,
        ),
    ],
    where: Annotated[
        str | None,
        typer.Option("--building", metavar="B", help="Needed where there are several.", show_default=False),
    ] = None,
    zone: Annotated[
        str | None, typer.Option("--zone", metavar="Z", help="A zone of that building.", show_default=False)
    ] = None,
    fps: Annotated[float | None, typer.Option("--fps", help="Samples a second (5).", show_default=False)] = None,
    min_face: MinFace = None,
    dwell: Dwell = None,
    no_counts: Annotated[
        bool,
        typer.Option("--no-counts", help="Its passages are seen by another camera, too: leave them out of totals."),
    ] = False,
    identifier: NewId = None,
    json: Json = False,
) -> None:
    """Register a camera; a running system watches it within two seconds."""
    settings = load_settings(fps=fps, min_face_px=min_face, dwell_s=dwell)
    with opened_sites(settings) as sites:
        home = only_building(sites) if where is None else find_building(sites, where)
        made = sites.add_camera(
            NewCamera(
                name=name,
                building_id=home.id,
                url=url,
                zone_id=None if zone is None else find_zone(sites, home, zone).id,
                counts=not no_counts,
                analyze_fps=settings.fps,
                min_face_px=settings.min_face_px,
                policy=None if dwell is None else Policy(home.policy.labels, dwell, home.policy.hours),
                id=identifier,
            )
        )
    tell(shapes.Camera.of(made), f"camera {made.id} in building {home.id}: {made.name}, {made.shown_url}", json)


@camera.command("list")
def list_cameras(
    where: Annotated[
        str | None, typer.Option("--building", metavar="B", help="Only those there.", show_default=False)
    ] = None,
    every: All = False,
    json: Json = False,
) -> None:
    """List the cameras."""
    with opened_sites(load_settings()) as sites:
        found = sites.cameras(archived=every)
        if where is not None:
            home = find_building(sites, where, archived=every)
            found = [one for one in found if one.building_id == home.id]
    rows = [
        (
            one.id,
            one.name,
            one.building_id,
            one.zone_id or "",
            one.shown_url,
            f"{one.analyze_fps:g}",
            shown_removal(one.archived_at_ns),
        )
        for one in found
    ]
    columns = ("id", "name", "building", "zone", "address", "fps", "removed")
    tell_all([shapes.Camera.of(one) for one in found], columns, rows, json)


@camera.command("show")
def show_camera(which: CameraId, json: Json = False) -> None:
    """Show a camera; of a password in its address only that there is one."""
    with opened_sites(load_settings()) as sites:
        one = sites.camera(which)
    if json:
        tell(shapes.Camera.of(one), "", json)
        return
    tell_facts(
        ("id", one.id),
        ("name", one.name),
        ("building", one.building_id),
        ("zone", one.zone_id or ""),
        ("address", one.shown_url),
        ("watched", "yes" if one.enabled else "no"),
        ("counts", "yes" if one.counts else "no"),
        ("samples a second", f"{one.analyze_fps:g}"),
        ("smallest face", f"{one.min_face_px} px"),
        ("policy", shown_policy(one.policy)),
        ("removed", shown_removal(one.archived_at_ns)),
    )


@camera.command("remove")
def remove_camera(which: CameraId, json: Json = False) -> None:
    """Take a camera out of use; what it saw stays for its time."""
    with opened_sites(load_settings()) as sites:
        gone = sites.archive_camera(which)
    tell(shapes.Camera.of(gone), f"camera {gone.id} is removed: {gone.name}", json)
