"""`maskwatch camera add` and `change`: a camera with all that can be said of it, checked at once."""

from typing import Annotated, Any

import msgspec
import typer
from msgspec import UNSET

from api.shapes import cameras as checked
from api.shapes import sites as shapes
from infra.camera_checks import check_camera, what_it_shows
from infra.commands.camera_options import (
    CameraId,
    Confidence,
    CredentialOption,
    Detection,
    Fps,
    HoursOption,
    Labels,
    NoCheck,
    RegionsOption,
    Substream,
    TransportOption,
    Where,
    ZoneOf,
    changed_policy,
    find_camera,
    named_zone,
    or_none,
    regions_of,
    threshold_of,
    transport_of,
)
from infra.commands.options import Dwell, Json, MinFace
from infra.commands.registry import find_building, only_building, opened_sites, tell
from infra.console import complain, say
from infra.settings import Settings, load_settings
from storage.database.changes import CameraChanges
from storage.database.records import Camera, NewCamera, Thresholds
from storage.probing import Probe

Name = Annotated[str, typer.Argument(help="A name for people, unique.", show_default=False)]
Address = Annotated[
    str,
    typer.Argument(
        help="rtsp://, rtsps://, http:// or https://; file:NAME of a video or folder of pictures in the media folder; "
        "/dev/video0.",
        show_default=False,
    ),
]


def add_camera(
    name: Name,
    url: Address,
    where: Where = None,
    zone: ZoneOf = None,
    substream: Substream = None,
    transport: TransportOption = None,
    credential: CredentialOption = None,
    fps: Fps = None,
    min_face: MinFace = None,
    regions: RegionsOption = None,
    labels: Labels = None,
    dwell: Dwell = None,
    hours: HoursOption = None,
    detection: Detection = None,
    confidence: Confidence = None,
    no_counts: Annotated[
        bool,
        typer.Option("--no-counts", help="Its passages are seen by another camera, too: leave them out of totals."),
    ] = False,
    disabled: Annotated[bool, typer.Option("--disabled", help="Do not watch it yet.")] = False,
    no_check: NoCheck = False,
    identifier: Annotated[
        str | None, typer.Option("--id", metavar="ID", help="Identifier (the next free one).", show_default=False)
    ] = None,
    json: Json = False,
) -> None:
    """Register a camera, and see whether it can be reached; it is registered either way."""
    settings = load_settings(fps=fps, min_face_px=min_face, dwell_s=dwell)
    with opened_sites(settings) as sites:
        home = only_building(sites) if where is None else find_building(sites, where)
        policy = changed_policy(home.policy, labels, dwell, hours)
        made = sites.add_camera(
            NewCamera(
                name=name,
                building_id=home.id,
                url=url,
                zone_id=None if zone is None else named_zone(sites, home, zone),
                substream_url=substream,
                enabled=not disabled,
                counts=not no_counts,
                analyze_fps=settings.fps,
                min_face_px=settings.min_face_px,
                regions=() if regions is None else regions_of(regions),
                policy=None if policy == home.policy else policy,
                thresholds=_thresholds(Thresholds(), detection, confidence),
                transport="tcp" if transport is None else transport_of(transport),
                credential=credential,
                id=identifier,
            )
        )
    _tell_checked(
        made, settings, no_check, json, f"camera {made.id} in building {home.id}: {made.name}, {made.shown_url}"
    )


def change_camera(
    which: CameraId,
    name: Annotated[str | None, typer.Option("--name", help="A new name, unique.", show_default=False)] = None,
    url: Annotated[str | None, typer.Option("--url", help="A new address.", show_default=False)] = None,
    where: Annotated[
        str | None, typer.Option("--building", metavar="B", help="A new building.", show_default=False)
    ] = None,
    zone: ZoneOf = None,
    substream: Substream = None,
    transport: TransportOption = None,
    credential: CredentialOption = None,
    fps: Fps = None,
    min_face: MinFace = None,
    regions: RegionsOption = None,
    labels: Labels = None,
    dwell: Dwell = None,
    hours: HoursOption = None,
    detection: Detection = None,
    confidence: Confidence = None,
    counts: Annotated[bool | None, typer.Option("--counts/--no-counts", help="In totals.", show_default=False)] = None,
    enabled: Annotated[bool | None, typer.Option("--enabled/--disabled", help="Watched.", show_default=False)] = None,
    no_check: NoCheck = False,
    json: Json = False,
) -> None:
    """Change a camera; what is not given stays, and `none` takes away. A new address is checked."""
    settings = load_settings()
    with opened_sites(settings) as sites:
        old = find_camera(sites, which)
        home = sites.building(old.building_id) if where is None else find_building(sites, where)
        changes = CameraChanges(
            name=_given(name),
            building_id=home.id if where is not None else UNSET,
            zone_id=UNSET if zone is None else named_zone(sites, home, zone),
            url=_given(url),
            substream_url=UNSET if substream is None else or_none(substream),
            enabled=_given(enabled),
            counts=_given(counts),
            analyze_fps=_given(fps),
            min_face_px=_given(min_face),
            regions=UNSET if regions is None else regions_of(regions),
            policy=changed_policy(old.policy, labels, dwell, hours),
            thresholds=_thresholds(old.thresholds, detection, confidence),
            transport=UNSET if transport is None else transport_of(transport),
            credential=UNSET if credential is None else or_none(credential),
        )
        # Policy and thresholds are made of what was read: it must still be there.
        new = sites.change_camera(old.id, changes, version=old.version)
    moved = any(
        getattr(new, field) != getattr(old, field) for field in ("url", "substream_url", "transport", "credential")
    )
    what = "has all that already" if new.version == old.version else "is changed"
    _tell_checked(new, settings, no_check or not moved, json, f"camera {new.id} {what}: {new.name}, {new.shown_url}")


def _tell_checked(made: Camera, settings: Settings, unchecked: bool, json: bool, sentence: str) -> None:
    """Say what was done, and then what the camera shows: that may take a while."""
    if not json:
        tell(shapes.Camera.of(made), sentence, json)
    found: Probe | None = None
    if not unchecked:
        found = check_camera(made, settings)
        if found.ok:
            say(f"it can be reached: {what_it_shows(found)}")
        else:
            complain(f"camera {made.id} is registered, but {what_it_shows(found)}")
    if json:
        tell(checked.Registered.with_check(made, found), "", json)


def _given(value: Any) -> Any:
    return UNSET if value is None else value


def _thresholds(base: Thresholds, detection: str | None, confidence: str | None) -> Thresholds:
    given = {"detection": detection, "confidence": confidence}
    return msgspec.structs.replace(
        base, **{name: threshold_of(text) for name, text in given.items() if text is not None}
    )
