"""`maskwatch job`: recorded footage in bulk. It works on the database; the workers of a running system do the rest."""

from typing import TYPE_CHECKING, Annotated, Final

import typer

from infra.commands.camera_options import find_camera
from infra.commands.job_access import JobId, all_shown, opened_jobs, shown, tell_end
from infra.commands.job_add import add_job
from infra.commands.job_report import report_job
from infra.commands.job_watch import clock, facts, watch
from infra.commands.options import Json
from infra.commands.registry import find_building, tell, tell_all, tell_facts
from infra.console import printable
from infra.settings import load_settings
from storage.jobs import Job, JobState, JobsWanted

if TYPE_CHECKING:
    from storage.database.reports import Position

job = typer.Typer(help="Process recorded footage in bulk, by the workers of the system.", no_args_is_help=True)

PAGE: Final = 200

job.command("add")(add_job)


@job.command("list")
def list_jobs(
    state: Annotated[
        JobState | None, typer.Option("--state", help="Only those that fare so.", show_default=False)
    ] = None,
    camera: Annotated[
        str | None, typer.Option("--camera", metavar="CAMERA", help="Only those of its footage.", show_default=False)
    ] = None,
    building: Annotated[
        str | None,
        typer.Option("--building", metavar="B", help="Only those of footage from there.", show_default=False),
    ] = None,
    most: Annotated[int, typer.Option("--most", min=1, metavar="N", help="So many, the newest.")] = 50,
    json: Json = False,
) -> None:
    """List the jobs, newest first."""
    found: list[Job] = []
    with opened_jobs(load_settings()) as (jobs, sites, _):
        wanted = JobsWanted(
            state,
            None if camera is None else find_camera(sites, camera, archived=True).id,
            None if building is None else find_building(sites, building, archived=True).id,
        )
        after: Position | None = None
        while len(found) < most:
            page, after = jobs.list(wanted, after, min(PAGE, most - len(found)))
            found += page
            if after is None:
                break
    shown_jobs = all_shown(found)
    rows = [
        (
            one.id,
            one.state.value,
            one.camera_id,
            one.building_id,
            given.footage_start or "",
            str(len(one.files)),
            f"{one.progress:.0%}",
            "" if one.footage_s is None else clock(one.footage_s),
            "" if one.realtime_factor is None else f"{one.realtime_factor:.1f}",
            str(one.tracks or ""),
            str(one.events or ""),
            printable(one.error or ""),
        )
        for one, given in zip(found, shown_jobs, strict=True)
    ]
    columns = ("id", "state", "camera", "building", "footage from", "files", "done", "footage", "times real time")
    tell_all(shown_jobs, (*columns, "tracks", "events", "error"), rows, json)


@job.command("show")
def show_job(which: JobId, json: Json = False) -> None:
    """Show a job with its files."""
    with opened_jobs(load_settings()) as (jobs, _, _):
        one = jobs.get(which)
    if json:
        tell(shown(one), "", json)
        return
    given = shown(one)
    tell_facts(
        ("id", one.id),
        ("state", f"{one.state} ({one.progress:.0%})"),
        ("why", printable(one.error or "")),
        ("so far", facts(one)),
        ("camera", one.camera_id),
        ("building", one.building_id),
        ("zone", one.zone_id or ""),
        ("footage from", given.footage_start or ""),
        ("samples a second", f"{one.options.fps:g}"),
        ("model", "" if one.model is None else f"{one.model.name} ({one.model.backend}), {one.model.detector}"),
        ("submitted", f"{given.created_at} by {printable(one.created_by)}"),
        ("started", given.started_at or ""),
        ("ended", given.ended_at or ""),
        ("facts are those of", one.replaced_by or ""),
    )
    rows = [
        (
            str(file.number),
            printable(file.name),
            file.state.value,
            told.footage_start or "",
            "" if file.duration_s is None else clock(file.duration_s),
            clock(file.done_s),
            printable("; ".join(file.not_decoded)),
            printable(file.whole or ""),
        )
        for file, told in zip(one.files, given.files, strict=True)
    ]
    tell_all([], ("file", "name", "state", "from", "length", "done", "not decoded", "in one piece"), rows, json=False)


@job.command("watch")
def watch_job(which: JobId, json: Json = False) -> None:
    """Watch a job until it has ended; the exit status says whether it was done."""
    with opened_jobs(load_settings()) as (jobs, _, _):
        tell_end(watch(jobs, which), json)


@job.command("cancel")
def cancel_job(which: JobId, json: Json = False) -> None:
    """Cancel a job; nothing stays of it."""
    with opened_jobs(load_settings()) as (jobs, _, _):
        one = jobs.cancel(which)
    how = (
        "is cancelled"
        if one.state is JobState.CANCELLED
        else "is being cancelled: whoever works on it stops within seconds"
    )
    tell(shown(one), f"job {one.id} {how}", json)


job.command("report")(report_job)
