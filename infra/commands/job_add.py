"""`maskwatch job add`: recorded footage is submitted."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from infra.commands.camera_options import HoursOption, Labels, changed_policy, find_camera
from infra.commands.footage_paths import expanded, moment
from infra.commands.job_access import opened_jobs, tell_end, tell_new
from infra.commands.job_watch import watch
from infra.commands.options import Dwell, Json
from infra.commands.registry import find_building, find_zone
from infra.console import say
from infra.settings import load_settings
from storage.errors import InputError
from storage.jobs import NewFile, NewJob
from storage.messages import NS_PER_S
from storage.name_patterns import name_shape


def add_job(
    paths: Annotated[
        list[Path],
        typer.Argument(
            help="Videos, or folders of videos; they are read where they are, by this path, until the job is done.",
            show_default=False,
        ),
    ],
    camera: Annotated[
        str, typer.Option("--camera", metavar="CAMERA", help="Whose footage it is: its identifier or name.")
    ],
    building: Annotated[
        str | None,
        typer.Option("--building", metavar="B", help="Where it was seen (where the camera is).", show_default=False),
    ] = None,
    zone: Annotated[
        str | None, typer.Option("--zone", metavar="Z", help="Likewise (the camera's).", show_default=False)
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(
            "--start",
            metavar="ISO",
            help="When the first file began, e.g. 2026-03-01T08:00:00Z; the others follow without a gap (each says so).",
            show_default=False,
        ),
    ] = None,
    pattern: Annotated[
        str | None,
        typer.Option(
            "--name-pattern",
            metavar="PATTERN",
            help="How the files' names say when they began, e.g. %Y%m%d-%H%M%S, in the building's time zone.",
            show_default=False,
        ),
    ] = None,
    fps: Annotated[
        float | None,
        typer.Option("--fps", help="Samples for each second of footage (the camera's).", show_default=False),
    ] = None,
    labels: Labels = None,
    dwell: Dwell = None,
    hours: HoursOption = None,
    annotate: Annotated[bool, typer.Option("--annotate", help="Make videos with boxes and labels.")] = False,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Analyse anew what is known already, and replace what was found.")
    ] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Watch it until it has ended.")] = False,
    json: Json = False,
) -> None:
    """Have recorded footage processed, by the camera's policy but for what is given of it."""
    start_ns = None if start is None else _ns(start)
    if pattern is not None:
        name_shape(pattern)
    files = _files(paths)
    with opened_jobs(load_settings()) as (jobs, sites, _):
        source = find_camera(sites, camera)
        home = None if building is None else find_building(sites, building)
        part = None
        if zone is not None:
            where = find_building(sites, source.building_id) if home is None else home
            part = find_zone(sites, where, zone).id
        policy = changed_policy(source.policy, labels, dwell, hours)
        made = jobs.create(
            NewJob(
                source.id,
                files,
                building_id=None if home is None else home.id,
                zone_id=part,
                fps=fps,
                policy=None if policy == source.policy else policy,
                annotate=annotate,
                fresh=fresh,
                start_ns=start_ns,
                name_pattern=pattern,
            )
        )
        if not wait:
            tell_new(made, json)
            return
        say(f"job {made.id} is submitted")
        tell_end(watch(jobs, made.id), json)


def _files(paths: Sequence[Path]) -> tuple[NewFile, ...]:
    """What is to be read, in order; that it can be is looked at now, what is in it by the workers."""
    files = []
    for path, error in expanded(paths):
        if error is not None:
            raise error
        if not path.exists():
            raise InputError(f"{path} does not exist")
        if not path.is_file():
            raise InputError(f"{path} is neither a file nor a folder")
        if not os.access(path, os.R_OK):
            raise InputError(f"{path} can't be read: no permission")
        if path.stat().st_size == 0:
            raise InputError(f"{path} is empty (0 bytes)")
        files.append(NewFile(path.name, str(path.resolve())))
    return tuple(files)


def _ns(text: str) -> int:
    at = moment(text)
    return int(at.timestamp()) * NS_PER_S + at.microsecond * 1000
