"""`maskwatch camera import` and `export`: many cameras at once."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from api.shapes.cameras import ImportedCamera, ImportMistake
from infra.camera_checks import check_all, what_it_shows
from infra.commands.options import Json
from infra.commands.registry import opened_sites, tell_all, this_timezone
from infra.console import complain, emit, progress_bar, say
from infra.settings import load_settings
from storage.camera_list import MOST_BYTES, read_list
from storage.database import camera_export, camera_import
from storage.database.camera_import import Import
from storage.errors import InputError
from storage.files import check_file, write_bytes
from storage.probing import Probe

MISTAKEN = 1


def import_cameras(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE.csv", help="A camera a line; its first line names the columns.", show_default=False
        ),
    ],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be done, and what can be reached.")
    ] = False,
    make_buildings: Annotated[
        bool,
        typer.Option(
            "--make-buildings", help="Make buildings and zones that are missing, in this machine's time zone."
        ),
    ] = False,
    no_check: Annotated[bool, typer.Option("--no-check", help="Do not connect to see what can be reached.")] = False,
    json: Json = False,
) -> None:
    """Register cameras from a list and change those that are there, by name; then see which can be reached.

    A column or cell that is missing leaves a camera as it is. Of a list with a mistake nothing is taken; cameras that
    can't be reached are registered all the same.
    """
    settings = load_settings()
    with opened_sites(settings) as sites:
        listed, mistakes = read_list(_content(file))
        timezone = this_timezone() if make_buildings else None
        found = camera_import.import_cameras(sites, listed, mistakes, timezone=timezone, dry_run=dry_run)
    if found.mistakes:
        _complain(found, file, json)
        raise typer.Exit(MISTAKEN)
    probes: dict[str, Probe] = {}
    if not no_check:
        with progress_bar(f"checking {_count(len(found.cameras), 'camera')}") as report:
            probes = check_all([one.camera for one in found.cameras], settings, report)
    _tell(found, probes, json)
    if not json:
        _sum_up(found, probes, timezone)


def export_cameras(
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE.csv", help="Written there (standard output).", show_default=False)
    ] = None,
) -> None:
    """Write all cameras as a list that `import` takes, without passwords: `***` stands for them."""
    if file is not None and not file.parent.is_dir():
        raise InputError(f"cannot write {file}: there is no folder {file.parent}, make it first")
    with opened_sites(load_settings()) as sites:
        text, number = camera_export.export_cameras(sites)
    if file is None:
        # As a file has it: lines end with CR LF (RFC 4180), which printing would double.
        emit(text.replace("\r\n", "\n").rstrip("\n"))
    else:
        write_bytes(file, text.encode())
        say(f"{_count(number, 'camera')} {'is' if number == 1 else 'are'} in {file}, without passwords")


def _content(file: Path) -> bytes:
    try:
        check_file(file)
        with file.open("rb") as stream:
            return stream.read(MOST_BYTES + 1)
    except OSError as error:
        raise InputError(f"cannot read {file}: {error.strerror or error}") from error


def _complain(found: Import, file: Path, json: bool) -> None:
    for mistake in found.mistakes:
        if json:
            emit(ImportMistake.of(mistake).model_dump_json())
        else:
            complain(f"{file}, line {mistake.line}: {mistake.message}")
    complain(f"nothing of {file} was taken: correct {_count(len(found.mistakes), 'line')} of it")


def _tell(found: Import, probes: dict[str, Probe], json: bool) -> None:
    shapes = [ImportedCamera.of(one, probes.get(one.camera.id)) for one in found.cameras]
    rows: list[Sequence[str]] = []
    for one, shape in zip(found.cameras, shapes, strict=True):
        probe = probes.get(one.camera.id)
        done = f"{one.action}: {', '.join(one.columns)}" if one.columns else one.action
        works = "" if probe is None else "yes" if probe.ok else "NO"
        rows.append(
            (
                str(one.line),
                shape.camera_id,
                shape.name,
                done,
                shape.url,
                works,
                "" if probe is None else what_it_shows(probe).replace(f"the camera at {shape.url} ", "it "),
            )
        )
    tell_all(shapes, ("line", "id", "name", "done", "address", "works", "what it shows, or why not"), rows, json)


def _sum_up(found: Import, probes: dict[str, Probe], timezone: str | None) -> None:
    count = {action: sum(one.action == action for one in found.cameras) for action in ("new", "changed", "unchanged")}
    said = ", ".join(f"{number} {action}" for action, number in count.items())
    if found.made:
        said += f"; made: {', '.join(found.made)}"
        if timezone is not None and any(" / " not in name for name in found.made):
            said += f" (in this machine's time zone, {timezone})"
    if probes:
        said += f"; {sum(probe.ok for probe in probes.values())} of {len(probes)} can be reached"
    say(said if found.applied else f"{said}. Nothing was changed: this was a dry run")


def _count(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")
