"""A job whose chunks are all done is finished."""

import time

from infra.jobs.finishing import FinishingPlace, finish_job
from infra.jobs.holding import hold
from infra.jobs.lease import Lease
from infra.jobs.place import JobsPlace
from storage.job_work import HeldJob
from storage.snapshots import SnapshotFolder


def end_job(place: JobsPlace, job: str) -> None:
    """Take a job and finish it; nothing where there is nothing to do, or somebody else does it."""
    held = place.work.take_job(job, time.time_ns())
    if held is None:
        return
    if not held.planned:
        place.work.let_go(held)
        return

    def work(held: HeldJob, lease: Lease) -> None:
        places = place.places
        snapshots = SnapshotFolder(places.snapshots)
        at = FinishingPlace(place.engine, snapshots, places.annotated, place.settings, lease.check)
        written = finish_job(held, place.work, at)
        place.telling.tell(written.news)
        place.tell(job, held.building_id, over=True)

    hold(place, held, work)
