"""`maskwatch camera`: what is watched. It works on the database; a running system follows within two seconds."""

from typing import Annotated

import typer

from api.shapes import sites as shapes
from infra.commands.camera_changes import add_camera, change_camera
from infra.commands.camera_lists import export_cameras, import_cameras
from infra.commands.camera_options import CameraId, find_camera
from infra.commands.camera_probe import try_camera
from infra.commands.options import Json
from infra.commands.registry import find_building, opened_sites, shown_policy, shown_removal, tell, tell_all, tell_facts
from infra.settings import load_settings
from storage.camera_words import show_regions
from storage.database.changes import CameraChanges

camera = typer.Typer(help="Register cameras, check them, and take them out of use.", no_args_is_help=True)

camera.command("add")(add_camera)
camera.command("change")(change_camera)


@camera.command("list")
def list_cameras(
    where: Annotated[
        str | None, typer.Option("--building", metavar="B", help="Only those there.", show_default=False)
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Also those that were removed.")] = False,
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
            one.credential or "",
            f"{one.analyze_fps:g}",
            "" if one.enabled else "no",
            shown_removal(one.archived_at_ns),
        )
        for one in found
    ]
    columns = ("id", "name", "building", "zone", "address", "credential", "fps", "watched", "removed")
    tell_all([shapes.Camera.of(one) for one in found], columns, rows, json)


@camera.command("show")
def show_camera(which: CameraId, json: Json = False) -> None:
    """Show a camera; of a password in its address only that there is one."""
    with opened_sites(load_settings()) as sites:
        one = find_camera(sites, which, archived=True)
    if json:
        tell(shapes.Camera.of(one), "", json)
        return
    detection, confidence = one.thresholds.detection, one.thresholds.confidence
    tell_facts(
        ("id", one.id),
        ("name", one.name),
        ("building", one.building_id),
        ("zone", one.zone_id or ""),
        ("address", one.shown_url),
        ("substream", one.shown_substream_url or ""),
        ("transport", one.transport if one.url.startswith("rtsp") else ""),
        ("credential", one.credential or ""),
        ("trouble", one.trouble or ""),
        ("watched", "yes" if one.enabled else "no"),
        ("counts", "yes" if one.counts else "no"),
        ("samples a second", f"{one.analyze_fps:g}"),
        ("smallest face", f"{one.min_face_px} px"),
        ("regions", show_regions(one.regions)),
        ("policy", shown_policy(one.policy)),
        ("detection", "" if detection is None else f"{detection:g}"),
        ("confidence", "" if confidence is None else f"{confidence:g}"),
        ("removed", shown_removal(one.archived_at_ns)),
    )


@camera.command("remove")
def remove_camera(which: CameraId, json: Json = False) -> None:
    """Take a camera out of use; what it saw stays."""
    with opened_sites(load_settings()) as sites:
        gone = sites.archive_camera(find_camera(sites, which, archived=True).id)
    tell(shapes.Camera.of(gone), f"camera {gone.id} is removed: {gone.name}", json)


@camera.command("restore")
def restore_camera(which: CameraId, json: Json = False) -> None:
    """Take a removed camera back into use, with all it had."""
    with opened_sites(load_settings()) as sites:
        back = sites.restore_camera(find_camera(sites, which, archived=True).id)
    tell(shapes.Camera.of(back), f"camera {back.id} is in use: {back.name}", json)


@camera.command("enable")
def enable_camera(which: CameraId, json: Json = False) -> None:
    """Watch a camera again."""
    _switch(which, json, enabled=True)


@camera.command("disable")
def disable_camera(which: CameraId, json: Json = False) -> None:
    """Watch a camera no longer, until it is enabled again."""
    _switch(which, json, enabled=False)


camera.command("test")(try_camera)
camera.command("import")(import_cameras)
camera.command("export")(export_cameras)


def _switch(which: str, json: bool, *, enabled: bool) -> None:
    with opened_sites(load_settings()) as sites:
        one = sites.change_camera(find_camera(sites, which).id, CameraChanges(enabled=enabled))
    tell(shapes.Camera.of(one), f"camera {one.id} is {'watched' if enabled else 'not watched'}: {one.name}", json)
