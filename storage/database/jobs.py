"""Jobs as people submit, watch and cancel them."""

import secrets
import time
import zlib
from typing import Any, Final

from sqlalchemy import Connection, Row, insert, select, tuple_, update

from storage.database.audit import note, noted_lately
from storage.database.engine import reading, writing
from storage.database.job_ends import let_go
from storage.database.job_list import jobs_of
from storage.database.job_new import check_new_job, placed, take_uploads
from storage.database.job_rows import end, job_row
from storage.database.models import JobFileRow, JobRow
from storage.database.reports import Position
from storage.database.scoped import Scoped
from storage.errors import ConflictError, NotFoundError
from storage.job_work import FileReport
from storage.jobs import ACTIVE, Job, JobState, JobsWanted, NewJob

VIDEO_SHOWN: Final = "job.video_shown"


class Jobs(Scoped):
    """Jobs of the caller's buildings.

    >>> jobs = Jobs(engine).for_(caller)  # doctest: +SKIP
    >>> job = jobs.create(NewJob("c1", (NewFile("door.mp4", "/media/door.mp4"),)))  # doctest: +SKIP

    Every method raises StorageError when the database can't be used; nothing is changed then.
    """

    def create(self, new: NewJob) -> Job:
        """Submit a job: workers take it from here.

        Raises:
            NotFoundError: there is no such camera, building, zone or upload of the caller's, or it is archived.
            ConflictError: an upload is another job's.
            InvalidError: a value that can't be accepted, no file, or too many.
        """
        check_new_job(new)
        now_ns, job_id = time.time_ns(), f"j-{secrets.token_hex(5)}"
        with writing(self._engine) as connection:
            row = placed(connection, self._caller, new)
            files = take_uploads(connection, self._caller, new, job_id)
            row |= {"id": job_id, "state": JobState.QUEUED.value, "created_at_ns": now_ns}
            row |= {"created_by_id": self._caller.id, "created_by": self._caller.name}
            connection.execute(insert(JobRow).values(row))
            connection.execute(insert(JobFileRow), files)
            about = {"camera_id": row["camera_id"], "files": len(files)}
            note(connection, self._caller, "job.created", ("job", job_id), row["building_id"], **about)
            return self._shown(connection, self._own(connection, job_id), now_ns)

    def get(self, job_id: str) -> Job:
        """A job.

        Raises:
            NotFoundError: there is none.
        """
        with reading(self._engine) as connection:
            return self._shown(connection, self._own(connection, job_id), time.time_ns())

    def list(self, wanted: JobsWanted, cursor: Position | None, limit: int) -> tuple[tuple[Job, ...], Position | None]:
        """A page of jobs, latest first.

        Args:
            wanted: which.
            cursor: what the page before gave to go on with; None: the first page.
            limit: most of them.

        Returns:
            The jobs, and what to go on with; None on the last page.
        """
        query = select(JobRow.__table__).order_by(JobRow.created_at_ns.desc(), JobRow.id.desc()).limit(limit + 1)
        for column, value in (
            (JobRow.state, wanted.state),
            (JobRow.camera_id, wanted.camera),
            (JobRow.building_id, wanted.building),
        ):
            if value is not None:
                query = query.where(column == value)
        if self._caller.buildings is not None:
            query = query.where(JobRow.building_id.in_(sorted(self._caller.buildings)))
        if cursor is not None:
            query = query.where(tuple_(JobRow.created_at_ns, JobRow.id) < tuple_(cursor.at_ns, cursor.id))
        with reading(self._engine) as connection:
            rows = connection.execute(query).all()
            found = jobs_of(connection, rows[:limit], time.time_ns())
        return found, Position(found[-1].created_at_ns, found[-1].id) if len(rows) > limit else None

    def cancel(self, job_id: str) -> Job:
        """Cancel a job; one that is being cancelled, or was, stays so.

        Returns:
            The job as it is then: `cancelling` while a worker still holds a part of it.

        Raises:
            NotFoundError: there is none.
            ConflictError: it is done, or has failed.
        """
        now_ns = time.time_ns()
        with writing(self._engine) as connection:
            job = self._own(connection, job_id, lock=True)
            if job.state in ACTIVE:
                if let_go(connection, job, now_ns):
                    end(connection, job_id, JobState.CANCELLED, now_ns, error=None)
                else:
                    values = {"state": JobState.CANCELLING.value, "error": None}
                    connection.execute(update(JobRow).where(JobRow.id == job_id).values(values))
                note(connection, self._caller, "job.cancelled", ("job", job_id), job.building_id)
            elif job.state in {JobState.DONE, JobState.FAILED}:
                what = "is done" if job.state == JobState.DONE else "has failed"
                raise ConflictError(f"job {job_id} {what} already: there is nothing to cancel")
            return self._shown(connection, self._own(connection, job_id), now_ns)

    def report(self, job_id: str, number: int | None = None) -> tuple[FileReport, ...]:
        """The reports on a job's files, in order; it is written down that the caller has read them.

        Of a job whose facts are another's now they are that one's.

        Args:
            job_id: of the job.
            number: of the file; None: all.

        Raises:
            NotFoundError: there is no such job or file.
            ConflictError: the job is not done.
        """
        about = {} if number is None else {"file": number}
        columns = (JobFileRow.number, JobFileRow.report, JobFileRow.errors, JobFileRow.annotated)
        with writing(self._engine) as connection:
            source = self._answering(connection, job_id)
            query = select(*columns).where(JobFileRow.job_id == source, JobFileRow.report.is_not(None))
            if number is not None:
                query = query.where(JobFileRow.number == number)
            rows = connection.execute(query.order_by(JobFileRow.number)).all()
            if not rows:
                raise NotFoundError(f"there is no report on file {number or 0} of job {job_id}")
            self._note(connection, "job.report_read", job_id, **about)
        return tuple(
            FileReport(row.number, zlib.decompress(row.report or b""), tuple(row.errors or ()), row.annotated)
            for row in rows
        )

    def note_shown(self, job_id: str, number: int) -> str:
        """Write down that the caller is about to see a file's video with boxes and labels.

        Returns:
            Its name in the folder of these.

        Raises:
            NotFoundError: there is no such job or file, or no such video of it.
            ConflictError: the job is not done.
        """
        with writing(self._engine) as connection:
            source = self._answering(connection, job_id)
            query = select(JobFileRow.annotated).where(JobFileRow.job_id == source, JobFileRow.number == number)
            name: str | None = connection.execute(query).scalar()
            if name is None:
                raise NotFoundError(f"there is no annotated video of file {number} of job {job_id}")
            # Players ask for it part by part.
            if not noted_lately(connection, self._caller, VIDEO_SHOWN, ("job", job_id), file=number):
                self._note(connection, VIDEO_SHOWN, job_id, file=number)
        return name

    def _own(self, connection: Connection, job_id: str, *, lock: bool = False) -> Row[Any]:
        """The row of a job of the caller's; NotFoundError if there is none."""
        row = job_row(connection, job_id, lock=lock)
        if row is None or not self._caller.sees(row.building_id):
            raise NotFoundError(f"there is no job {job_id!r}: list the jobs")
        return row

    def _answering(self, connection: Connection, job_id: str) -> str:
        """The job whose reports answer for a job; ConflictError if it is not done."""
        row = self._own(connection, job_id)
        if row.state != JobState.DONE:
            raise ConflictError(f"job {job_id} is {row.state}: there is a report once it is done")
        return str(row.replaced_by or job_id)

    def _note(self, connection: Connection, action: str, job_id: str, **detail: Any) -> None:
        row = self._own(connection, job_id)
        note(connection, self._caller, action, ("job", job_id), row.building_id, **detail)

    @staticmethod
    def _shown(connection: Connection, row: Row[Any], now_ns: int) -> Job:
        return jobs_of(connection, [row], now_ns)[0]
