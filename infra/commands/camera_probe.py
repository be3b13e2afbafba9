"""`maskwatch camera test`: whether a camera, or an address that is none yet, can be reached."""

from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer

from api.shapes.cameras import Tested
from infra.camera_checks import check_address, check_camera, refuse_address, what_it_shows
from infra.commands.camera_options import TransportOption, find_camera, transport_of
from infra.commands.camera_watch import duration_s, watch_camera
from infra.commands.options import Json
from infra.commands.registry import opened_sites
from infra.console import complain, emit, results, say
from infra.settings import load_settings
from storage.database.records import Camera, Transport, shown_address
from storage.errors import NotFoundError
from storage.files import check_writable, write_bytes
from storage.probing import Probe

UNREACHABLE: Final = 1


def try_camera(
    which: Annotated[
        str,
        typer.Argument(
            metavar="CAMERA|ADDRESS", help="A camera's identifier or name, or an address.", show_default=False
        ),
    ],
    transport: TransportOption = None,
    still: Annotated[
        Path | None,
        typer.Option("--still", metavar="FILE", help="Write what it shows as JPEG. It may show people: delete it."),
    ] = None,
    watch: Annotated[
        str | None,
        typer.Option(
            "--watch",
            metavar="TIME",
            help="Watch for so long (90s, 10m, 1h), and say whether it is placed well enough to see faces; --still then "
            "shows how large they must be, with people pixelated.",
            show_default=False,
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Connect, and report codec, size, frames a second and time to the first picture, or why not.

    It takes 10 s at most, and with --watch as long as is said there. The exit status is 1 where it can't be reached.
    """
    settings = load_settings()
    watch_s = None if watch is None else duration_s(watch)
    if still is not None:
        check_writable(still)
    way = None if transport is None else transport_of(transport)
    known = _registered(which)
    if watch_s is not None:
        if known is None:
            refuse_address(which, settings)
        url, shown = (which, shown_address(which)) if known is None else (known.url, known.shown_url)
        transport_used = way or ("tcp" if known is None else known.transport)
        if not watch_camera(known, url, shown, transport=transport_used, watch_s=watch_s, still=still, json=json):
            raise typer.Exit(UNREACHABLE)
        return
    if known is None:
        refuse_address(which, settings)
        shown = shown_address(which)
        found = check_address(which, settings, transport=way or "tcp", still=still is not None)
    else:
        shown = known.shown_url
        found = check_camera(_by(known, way), settings, still=still is not None)
    if still is not None and found.still is not None:
        write_bytes(still, found.still)
        say(f"what it shows is in {still}; it may show people: delete it after use")
    _tell(found, shown, None if known is None else known.id, json)
    if not found.ok:
        raise typer.Exit(UNREACHABLE)


def _registered(which: str) -> Camera | None:
    """The camera that is meant; None where it is an address.

    Raises:
        NotFoundError: it is neither.
    """
    with opened_sites(load_settings()) as sites:
        try:
            return find_camera(sites, which)
        except NotFoundError:
            if ":" in which or which.startswith("/") or which.isdecimal():
                return None
            raise


def _by(camera: Camera, transport: Transport | None) -> Camera:
    return camera if transport is None else msgspec.structs.replace(camera, transport=transport)


def _tell(found: Probe, shown: str, camera_id: str | None, json: bool) -> None:
    if json:
        emit(Tested.by(found, camera_id, shown).model_dump_json())
    elif found.ok:
        results.print(f"{shown}: {what_it_shows(found)}; times by {found.clock}", markup=False)
    else:
        complain(f"{what_it_shows(found)} ({found.reason})" if found.reason else what_it_shows(found))
