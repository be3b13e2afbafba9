"""What the commands on jobs share: the way to them, and how they tell of one."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from api.shapes import jobs as shapes
from infra.commands.job_watch import facts
from infra.commands.registry import person_here, tell
from infra.console import complain, results
from infra.places import Places, database_url
from infra.settings import Settings, load_settings
from infra.sites import sealed_sites
from storage.database.engine import migrate, open_engine
from storage.database.jobs import Jobs
from storage.files import make_folder
from storage.jobs import Job, JobState

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from storage.database.sites import Sites

JobId = Annotated[str, typer.Argument(metavar="JOB", help="Its identifier.", show_default=False)]


@contextmanager
def opened_jobs(settings: Settings) -> "Iterator[tuple[Jobs, Sites, Engine]]":
    """The repositories of a system, running or not, as whoever is at this machine uses them."""
    if settings.database_url is None:
        make_folder(Places.of(settings).data)
    engine = open_engine(database_url(settings))
    try:
        migrate(engine)
        caller = person_here()
        yield Jobs(engine).for_(caller), sealed_sites(engine, settings, complain).for_(caller), engine
    finally:
        engine.dispose()


def all_shown(found: Iterable[Job]) -> list[shapes.Job]:
    """Jobs as the API gives them."""
    media = Places.of(load_settings()).media
    return [shapes.Job.of(one, media) for one in found]


def shown(one: Job) -> shapes.Job:
    """A job as the API gives it."""
    return all_shown([one])[0]


def tell_new(one: Job, json: bool) -> None:
    """Print a job that was just submitted."""
    files = "1 file" if len(one.files) == 1 else f"{len(one.files)} files"
    tell(shown(one), f"job {one.id}: {one.state}, {files} of camera {one.camera_id}", json)


def tell_end(one: Job, json: bool) -> None:
    """The job as it ended; the exit status is 1 where it is not done."""
    if json:
        tell(shown(one), "", json)
    elif one.state is JobState.DONE:
        results.print(f"job {one.id} is done: {facts(one)}", markup=False)
    if one.state is JobState.DONE:
        for remark in one.not_decoded:
            complain(remark)
        return
    reason = f": {one.error}" if one.error else ""
    complain(f"job {one.id} {'was cancelled' if one.state is JobState.CANCELLED else 'has failed'}{reason}")
    raise typer.Exit(1)
