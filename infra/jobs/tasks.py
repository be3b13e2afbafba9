"""The tasks: what Celery calls. Each carries identifiers alone, and looks up in the database what is to be done."""

import time
from collections.abc import Callable
from typing import Any

import structlog

from infra.jobs.app import CHUNK, FINISH, PLAN, TEND, UPKEEP, JobsApp
from infra.jobs.place import JobsPlace
from infra.jobs.tending import tend
from storage.errors import MaskwatchError, StorageError
from storage.jobs import ChunkKey

log = structlog.get_logger(__name__)


def plan(place: JobsPlace, job: str) -> None:
    """Plan a job."""
    from infra.jobs.planning import plan_job

    plan_job(place, job)


def chunk(place: JobsPlace, job: str, file: int, number: int) -> None:
    """Analyse a chunk."""
    from infra.jobs.chunk import do_chunk

    do_chunk(place, ChunkKey(job, file, number))


def finish(place: JobsPlace, job: str) -> None:
    """Finish a job."""
    from infra.jobs.ending import end_job

    end_job(place, job)


def upkeep(place: JobsPlace, name: str) -> None:
    """Do a piece of periodic work, if it is due."""
    from infra.jobs.upkeep import UpkeepPlace, run_upkeep

    def progress() -> None:
        if place.move():
            raise StorageError("it was asked to stop before the end, and goes on the next time")

    run_upkeep(name, UpkeepPlace(place.engine, place.places, time.time_ns(), progress))


def register(app: JobsApp) -> None:
    """Make all tasks known to an application."""
    _register(app, TEND, tend)
    _register(app, PLAN, plan)
    _register(app, CHUNK, chunk)
    _register(app, FINISH, finish)
    _register(app, UPKEEP, upkeep)


def _register(app: JobsApp, name: str, work: Callable[..., None]) -> None:
    def run(*args: Any) -> None:
        place = app.place
        if place is None or place.move():
            # Whoever sent it sends it again.
            return
        place.busy = True
        try:
            work(place, *args)
        except MaskwatchError as error:
            log.warning("a task could not be done", task=name, reason=str(error))
        except Exception:
            # What it held is given to another worker when the lease has run out.
            log.exception("a task ended by an error of its own", task=name)
        finally:
            place.busy = False
            place.done += 1
            place.trouble = None
        if name != TEND and not place.move():
            # What is next comes at once.
            tend(place, soon=True)

    app.task(name=name)(run)
