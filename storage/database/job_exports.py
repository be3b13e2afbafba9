"""The note that somebody takes along all that a job found, pictures of people included: there is no export without one."""

from typing import Final

from sqlalchemy import select

from storage.database.audit import note
from storage.database.engine import writing
from storage.database.models import JobRow
from storage.database.scoped import Scoped
from storage.errors import NotFoundError

EXPORTED: Final = "job.exported"


class JobExports(Scoped):
    """Jobs as somebody may take them along; StorageError when the database can't be used."""

    def note_export(self, job_id: str) -> None:
        """Write it down, before anything is given out.

        Raises:
            NotFoundError: there is no such job.
        """
        with writing(self._engine) as connection:
            building = connection.execute(select(JobRow.building_id).where(JobRow.id == job_id)).scalar()
            if building is None or not self._caller.sees(building):
                raise NotFoundError(f"there is no job {job_id!r}: list the jobs")
            note(connection, self._caller, EXPORTED, ("job", job_id), building)
