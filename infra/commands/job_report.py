"""`maskwatch job report`: what a job found, to be taken along."""

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from api.job_archive import job_zip, reports_json, tracks_csv
from infra.commands.job_access import JobId, opened_jobs, shown
from infra.commands.registry import person_here
from infra.console import emit, say
from infra.places import Places
from infra.settings import load_settings
from storage.database.job_exports import JobExports
from storage.errors import UsageError
from storage.files import replaced, storage_error, write_bytes


class Format(StrEnum):
    """How a report is given."""

    JSON = "json"
    CSV = "csv"
    ZIP = "zip"


def report_job(
    which: JobId,
    form: Annotated[
        Format,
        typer.Option(
            "--format",
            help="json: what `maskwatch video --report` writes; csv: a line for each track; zip: both, with the snapshots "
            "and videos.",
        ),
    ] = Format.JSON,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write it there (stdout).", show_default=False)
    ] = None,
) -> None:
    """Give the report of a job that is done."""
    if form is Format.ZIP and out is None:
        raise UsageError("a zip file is not for the terminal: say where it goes, --out FILE.zip")
    settings = load_settings()
    with opened_jobs(settings) as (jobs, _, engine):
        one = jobs.get(which)
        found = jobs.report(one.id)
        if form is Format.ZIP and out is not None:
            JobExports(engine).for_(person_here()).note_export(one.id)
            about = shown(one).model_dump_json(indent=1).encode()
            places = Places.of(settings)
            _write(out, job_zip(one, found, about, places.snapshots, places.annotated))
            say(f"written: {out}")
            return
    data = reports_json(one, found) if form is Format.JSON else tracks_csv(one, found).encode()
    if out is None:
        emit(data.decode().removesuffix("\n").removesuffix("\r"))
    else:
        write_bytes(out, data)
        say(f"written: {out}")


def _write(path: Path, parts: Iterator[bytes]) -> None:
    with replaced(path) as temporary:
        try:
            with temporary.open("wb") as target:
                for part in parts:
                    target.write(part)
        except OSError as error:
            raise storage_error(path, error) from error
