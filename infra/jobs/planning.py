"""A job is planned: its files are read once, without decoding, and cut into chunks; what looks at them is pinned."""

import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from infra.jobs.files import FileState, sha256_of, state_of
from infra.jobs.holding import hold
from infra.jobs.lease import Lease
from infra.jobs.models import pinned
from infra.jobs.place import JobsPlace
from ingest.pieces import PlanningStoppedError, began_by_name, began_ns, exact_length_ns, pack, plan_footage
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
    before: HeldFile | None = None
    for file in held.files:
        try:
            ends_ns = None if before is None else follows_ns(file, held.options, before, planned, lease.stopped)
            planned.append(_planned(file, held.options, pin, ends_ns, lease))
        except PlanningStoppedError:
            # What it was stopped for is said here.
            lease.check()
            raise
        except InputError as error:
            wrong.append(str(error))
        before = file
    if len(wrong) > MOST_NAMED:
        wrong[MOST_NAMED:] = [f"and {len(wrong) - MOST_NAMED} more files"]
    if wrong:
        raise InputError("; ".join(wrong))
    return planned


def follows_ns(
    file: HeldFile, options: JobOptions, before: HeldFile, planned: list[PlannedFile], stop: Callable[[], bool]
) -> int:
    """When the file before one ends, Unix time in ns; any time where this one does not begin by that.

    Args:
        file: the one.
        options: of its job.
        before: the one before it.
        planned: those before it that could be planned.
        stop: asked now and then whether the answer is still wanted: True ends the work.

    Raises:
        InputError: it does begin by that, and nothing says it.
        PlanningStoppedError: `stop` said so.
    """
    if not planned or planned[-1].number != before.number:
        # Something is wrong with that one. What is wrong with this one may be known all the same.
        return 0
    last = planned[-1]
    if last.whole is None or options.start_ns is None or file.start_ns is not None:
        return last.start_ns + last.duration_ns
    # Of what is not cut up, that is what the container states: of footage that is cut off it is another's, or none.
    length_ns = exact_length_ns(Path(before.path), stop)
    if length_ns is None:
        raise InputError(
            f"{file.name} begins where {before.name} ends, and when that is can't be told: {last.whole}; let the names "
            "of files say when each began (name_pattern, without footage_start), or submit each by itself"
        )
    return last.start_ns + length_ns


def _planned(file: HeldFile, options: JobOptions, pin: Pin, follows_ns: int | None, lease: Lease) -> PlannedFile:
    """A file, read once.

    Raises:
        InputError: it is no footage that can be analysed, changes, or does not say when it began.
        PlanningStoppedError: it is held no more, or the process is to stop.
    """
    path = Path(file.path)
    state = state_of(path, file.name)
    digest = sha256_of(path, file.name, lease.check)
    _check_sent(file, state, digest)
    start_ns = begun_ns(file, options, follows_ns)
    plan = plan_footage(path, options.fps, options.chunk_s, lease.stopped)
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


def begun_ns(file: HeldFile, options: JobOptions, follows_ns: int | None) -> int:
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
        if start_ns is None:
            # What the file says of itself is often when it was exported: whoever gave a pattern knows better.
            raise InputError(
                f"{file.name} does not hold the name pattern {options.name_pattern!r}, so it does not say when it began: "
                "mend the pattern (name_pattern), rename the file, or give the time (footage_start)"
            )
        return start_ns
    start_ns = began_ns(Path(file.path))
    if start_ns is None:
        raise InputError(
            f"{file.name} does not say when it began: give the time (footage_start), or how names of files say it "
            "(name_pattern)"
        )
    return start_ns
