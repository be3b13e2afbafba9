"""Annotated videos that their job has not: what was written for one that was cancelled, or by a process that was killed."""

import re
from pathlib import Path
from typing import Final

from sqlalchemy import Engine, select

from storage.database.engine import reading
from storage.database.models import JobFileRow, JobRow
from storage.database.slices import slices
from storage.errors import StorageError
from storage.files import remove_file
from storage.jobs import FINAL

_NAME: Final = re.compile(r"\.?(j-\w+)-\d+\b.*\.mp4", re.DOTALL)
"""A video, or one that is being written; see `storage.files.replaced`."""


def job_of(name: str) -> str | None:
    """The job that a video is named after; None where it is no video of a job."""
    match = _NAME.fullmatch(name)
    return None if match is None else match[1]


class JobVideos:
    """The folder of annotated videos; for one thread."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        """Take a migrated database and the folder, which need not be there yet."""
        self._engine, self._folder = engine, folder
        self._known: set[str] = set()

    def sweep(self) -> int:
        """Remove the videos of jobs that have ended without them. They show everybody: none is kept for nothing.

        Those of jobs that the database does not know are left to `orphans.videos`: it may be the wrong database.

        Returns:
            How many these were.

        Raises:
            StorageError: the database can't be reached, or the folder can't be written.
        """
        new = {name: job for name in self._names() if (job := job_of(name)) and name not in self._known}
        if not new:
            return 0
        ended, kept, unknown = self._jobs(sorted(set(new.values())))
        self._known |= (new.keys() & kept) | {name for name, job in new.items() if job in unknown}
        gone = [name for name, job in new.items() if job in ended and name not in kept]
        for name in gone:
            remove_file(self._folder / name)
        return len(gone)

    def _names(self) -> list[str]:
        try:
            return [path.name for path in self._folder.iterdir()]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise StorageError(f"cannot read the folder {self._folder}: {error.strerror}") from error

    def _jobs(self, jobs: list[str]) -> tuple[set[str], set[str], set[str]]:
        """Of these jobs: those that have ended, the videos that they have, and those that nobody knows; at one moment."""
        states: dict[str, str] = {}
        kept: set[str] = set()
        with reading(self._engine) as connection:
            for part in slices(jobs):
                known = select(JobRow.id, JobRow.state).where(JobRow.id.in_(part))
                states.update((row.id, row.state) for row in connection.execute(known))
                have = select(JobFileRow.annotated).where(
                    JobFileRow.job_id.in_(part), JobFileRow.annotated.is_not(None)
                )
                kept.update(name for name in connection.execute(have).scalars() if name is not None)
        return {job for job, state in states.items() if state in FINAL}, kept, set(jobs) - states.keys()
