"""A job is planned: its files are read once, without decoding, and cut into chunks; what looks at them is pinned."""

import hashlib
import time
from pathlib import Path
from typing import Final

import msgspec

from infra.jobs.files import FileState, sha256_of, state_of
from infra.jobs.holding import hold
from infra.jobs.lease import Lease
from infra.jobs.models import pinned
from infra.jobs.place import JobsPlace
from ingest.pieces import PlanningStoppedError, began_by_name, began_ns, pack, plan_footage
from storage.errors import InputError
from storage.job_work import HeldFile, HeldJob, PlannedFile, Stretch
from storage.jobs import JobOptions, Pin

MOST_NAMED: Final = 20
"""Files whose faults are told of."""

ANALYSIS_VERSION: Final = 1
"""Changes when the same settings come to look at the same footage in another way."""


def plan_job(place: JobsPlace, job: str) -> None:
    """Take a job and plan it; nothing where that is done, or somebody else does it."""
    held = place.work.take_job(job, time.time_ns())
    if held is None:
        return
    if held.planned:
        place.work.let_go(held)
        return

    def work(held: HeldJob, lease: Lease) -> None:
        place.tell(job, held.building_id)
        pin = pinned(place.settings, place.bus)
        planned = _all_planned(held, pin, lease)
        done = place.work.save_plan(held, planned, pin, time.time_ns())
        place.tell(job, held.building_id, over=done is not None)

    hold(place, held, work)


def _all_planned(held: HeldJob, pin: Pin, lease: Lease) -> list[PlannedFile]:
    """All files, read once.

    Raises:
        InputError: some are no footage that can be analysed; it says of all of them why, so that they are mended at once.
    """
    planned: list[PlannedFile] = []
    wrong: list[str] = []
    follows_ns: int | None = None
    for file in held.files:
        try:
            planned.append(_planned(file, held.options, pin, follows_ns, lease))
            follows_ns = planned[-1].start_ns + planned[-1].duration_ns
        except InputError as error:
            # When the next one begins is not known then, but what is wrong with that one may be.
            wrong.append(str(error))
            follows_ns = 0
    if len(wrong) > MOST_NAMED:
        wrong[MOST_NAMED:] = [f"and {len(wrong) - MOST_NAMED} more files"]
    if wrong:
        raise InputError("; ".join(wrong))
    return planned


def _planned(file: HeldFile, options: JobOptions, pin: Pin, follows_ns: int | None, lease: Lease) -> PlannedFile:
    """A file, read once.

    Raises:
        InputError: it is no footage that can be analysed, changes, or does not say when it began.
    """
    path = Path(file.path)
    state = state_of(path, file.name)
    digest = sha256_of(path, file.name, lease.check)
    _check_sent(file, state, digest)
    start_ns = _start_ns(file, options, follows_ns)
    try:
        plan = plan_footage(path, options.fps, options.chunk_s, lease.stopped)
    except PlanningStoppedError:
        # What it was stopped for is said here.
        lease.check()
        raise
    lease.check()
    if state_of(path, file.name) != state:
        raise InputError(f"{file.name} changes while it is read: submit it again when it is complete")
    return PlannedFile(
        number=file.number,
        size=state.size,
        modified_ns=state.modified_ns,
        sha256=digest,
        start_ns=start_ns,
        duration_ns=plan.duration_ns,
        analysis=analysis_digest(digest, options, pin),
        plan=pack(plan),
        chunks=tuple(Stretch(piece.start_ns, piece.end_ns) for piece in plan.pieces),
        whole=plan.whole,
        errors=plan.errors,
    )


def analysis_digest(sha256: str, options: JobOptions, pin: Pin) -> str:
    """What tells a way of looking at a file from all others: two with the same one give the same results.

    Args:
        sha256: of the file.
        options: of the job.
        pin: what looks at it.
    """
    seen = (ANALYSIS_VERSION, sha256, options.fps, options.min_face_px, options.regions, options.chunk_s, pin)
    return hashlib.sha256(msgspec.json.encode(seen, order="sorted")).hexdigest()


def _check_sent(file: HeldFile, state: FileState, digest: str) -> None:
    """See that an upload is still what was sent."""
    if file.upload_id is not None and (file.size, file.sha256) not in {(None, None), (state.size, digest)}:
        raise InputError(f"{file.name} is not what was uploaded any more: upload it again")


def _start_ns(file: HeldFile, options: JobOptions, follows_ns: int | None) -> int:
    """When a file began, Unix time in ns.

    Raises:
        InputError: nothing says so.
        UsageError: the pattern can't be used.
    """
    if file.start_ns is not None:
        return file.start_ns
    if options.start_ns is not None:
        return options.start_ns if follows_ns is None else follows_ns
    if options.name_pattern is not None:
        start_ns = began_by_name(file.name, options.name_pattern, options.timezone)
        if start_ns is not None:
            return start_ns
    start_ns = began_ns(Path(file.path))
    if start_ns is None:
        raise InputError(
            f"{file.name} does not say when it began: give the time (footage_start), or how names of files say it "
            "(name_pattern)"
        )
    return start_ns
