"""Jobs are looked after: what is due is sent to workers, what has ended is cleared away.

Done by everybody, all the time: nothing depends on one process, or on one message, to arrive.
"""

import time
from typing import Final

import structlog
from kombu.exceptions import KombuError

from infra.jobs.app import CHUNK, FINISH, PLAN, QUEUE
from infra.jobs.place import JobsPlace
from storage.database.job_notes import JobNotes
from storage.database.job_pictures import JobPictures
from storage.errors import MaskwatchError
from storage.files import remove_file
from storage.job_work import Todo
from storage.jobs import chunk_of
from storage.messages import NS_PER_S
from storage.snapshots import SnapshotFolder

AT_HAND: Final = 1
"""Chunks that are sent out beyond those in hand, so that nobody waits for the next. No more: what is in the queue can't be
overtaken, and who submits something short is not to wait for what is long."""

ON_ITS_WAY_NS: Final = 3 * NS_PER_S
"""From being sent until somebody holds it, where everybody is free."""

log = structlog.get_logger(__name__)


def tend(place: JobsPlace, *, soon: bool = False) -> None:
    """One turn, unless there was one a moment ago; what goes wrong is left to the next.

    Args:
        place: of the process.
        soon: something has changed: not a moment later.
    """
    if not place.may_tend(soon=soon):
        return
    try:
        _miss(place)
        chunks = _processes(place) + AT_HAND
        # One more, so that there is always a place for what another job needs.
        for todo in place.work.due(time.time_ns(), chunks, chunks + 1):
            _send(place, todo)
        _drain(place)
        # Last: a folder that can't be written keeps no job waiting.
        _end(place)
    except MaskwatchError as error:
        log.warning("jobs could not be looked after", error=str(error))
    except (KombuError, OSError) as error:
        # It counts as sent, and is sent again when nobody has taken it.
        log.warning("work could not be sent", error=str(error))


def _miss(place: JobsPlace) -> None:
    """Notice at once what got lost on its way: with Redis, or with a process that had it in hand and not begun.

    Whatever still waits, waits in the queue; who takes something from there begins with it in a moment.
    """
    now_ns = time.time_ns()
    if place.footage.is_new():
        JobNotes(place.engine).forget_sent(now_ns, now_ns)
    elif not place.footage.tasks_waiting(QUEUE):
        JobNotes(place.engine).forget_sent(now_ns - ON_ITS_WAY_NS, now_ns)


def _end(place: JobsPlace) -> None:
    """See to jobs that are over: their uploads go unless they have failed, and what a process that was killed wrote for them."""
    settled = place.work.settle(time.time_ns())
    place.telling.tell(settled.news)
    JobPictures(place.engine, SnapshotFolder(place.places.snapshots)).sweep()
    place.videos.sweep()
    for upload in settled.uploads:
        remove_file(place.places.uploads / upload)
    if settled.uploads:
        place.work.forget_uploads(settled.uploads)


def _processes(place: JobsPlace) -> int:
    """That work on jobs and are alive."""
    return max(1, sum(name.startswith("jobs-") for name in place.bus.heartbeats()))


def _send(place: JobsPlace, todo: Todo) -> None:
    if todo.key is not None:
        place.send(CHUNK, (todo.key.job, todo.key.file, todo.key.number))
    else:
        place.send(PLAN if todo.kind == "plan" else FINISH, (todo.job,))


def _drain(place: JobsPlace) -> None:
    """Release the pictures of results whose chunk nobody holds any more under that token."""
    sources = {source: chunk for source in place.footage.sources() if (chunk := chunk_of(source)) is not None}
    if not sources:
        return
    held = JobNotes(place.engine).held(sources.values())
    for source, chunk in sources.items():
        if chunk not in held:
            refs = place.footage.drained(source)
            if refs:
                place.frames.release(refs)
