"""A job as a person watches it on the terminal."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from infra.console import complain, messages, printable, say
from storage.database.jobs import Jobs
from storage.errors import StorageError
from storage.jobs import FINAL, Job, JobState

LOOK_S: Final = 0.5
NOBODY_S: Final = 15.0
"""A job that nobody takes for so long is said to wait for workers."""

GIVE_UP_S: Final = 60.0
"""A database that is away is waited for so long."""


def watch(jobs: Jobs, job_id: str) -> Job:
    """Show how far a job is, on stderr, until it has ended.

    Raises:
        NotFoundError: there is none.
        StorageError: the database stays away.
    """
    job, told, begun_s = jobs.get(job_id), set[str](), time.monotonic()
    with _bar(job) as show:
        while job.state not in FINAL:
            show(job)
            notes = [f"job {job.id} {_waits(job)}"] if job.state is JobState.WAITING else list(job.not_decoded)
            if job.state is JobState.QUEUED and time.monotonic() - begun_s > NOBODY_S:
                notes.append(
                    f"job {job.id} is not taken by anybody yet: do workers run (maskwatch up, or the jobs role)?"
                )
            for note in notes:
                if note not in told:
                    told.add(note)
                    say(note)
            time.sleep(LOOK_S)
            job = _again(jobs, job_id)
        show(job)
    return job


def facts(job: Job) -> str:
    """How far it is: footage done, speed, what is left, what was found.

    Times real time are of all that was analysed, whatever of it was known already left out.
    """
    parts = [_of(job.done_s, job.footage_s)]
    if job.realtime_factor is not None:
        parts.append(f"{job.realtime_factor:.1f} times real time")
    if job.eta_s is not None and job.state not in FINAL:
        parts.append(f"{clock(job.eta_s)} left")
    if job.state is JobState.RUNNING and job.footage_s and job.done_s == job.footage_s:
        parts.append("being finished")
    parts.append(f"{job.faces} faces")
    if job.state is JobState.DONE:
        parts += [f"{job.tracks} tracks", f"{job.events} events"]
    if job.not_decoded:
        parts.append(
            f"{len(job.not_decoded)} {'remark' if len(job.not_decoded) == 1 else 'remarks'} on what can't be decoded"
        )
    return ", ".join(parts)


def clock(seconds: float) -> str:
    """A length of time for people.

    >>> clock(3725)
    '1:02:05'
    """
    minutes, second = divmod(round(max(0.0, seconds)), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


def _of(done_s: float, footage_s: float | None) -> str:
    return f"{clock(done_s)} of {'?' if footage_s is None else clock(footage_s)} footage"


def _waits(job: Job) -> str:
    return f"waits, and goes on by itself: {job.error or 'something keeps it that will pass'}"


def _again(jobs: Jobs, job_id: str) -> Job:
    """The job as it is now; a database that is away for a moment is waited for."""
    away_since_s = None
    while True:
        try:
            return jobs.get(job_id)
        except StorageError as error:
            now_s = time.monotonic()
            if away_since_s is None:
                away_since_s = now_s
                complain(f"{error}; still watching")
            elif now_s - away_since_s > GIVE_UP_S:
                raise
            time.sleep(LOOK_S)


@contextmanager
def _bar(job: Job) -> Iterator[Callable[[Job], None]]:
    """Told of the job again and again; where stderr is no terminal, each new state is a line."""
    if not messages.is_terminal:
        states = set[JobState]()

        def line(now: Job) -> None:
            if now.state not in states:
                states.add(now.state)
                say(f"job {now.id}: {now.state}, {facts(now)}")

        yield line
        return
    with Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[facts]}", markup=False),
        console=messages,
        transient=True,
    ) as progress:
        task = progress.add_task(printable(f"job {job.id} {job.state}"), total=1.0, facts=facts(job))

        def show(now: Job) -> None:
            progress.update(task, description=f"job {now.id} {now.state}", completed=now.progress, facts=facts(now))

        yield show
