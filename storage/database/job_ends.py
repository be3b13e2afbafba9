"""Jobs that end without being finished: cancelled, or failed because all who took a part of it died; and what is left over."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection, Row, delete, exists, not_, or_, select

from storage.database.engine import reading, writing
from storage.database.job_rows import WorkAccess, end, job_row, leased, said
from storage.database.models import JobChunkRow, JobFileRow, JobRow, UploadRow
from storage.database.slices import slices
from storage.job_work import Settled
from storage.jobs import ACTIVE, FINAL, ChunkState, JobState
from storage.messages import NS_PER_S
from storage.telling import News, NewsKind


class JobEnds(WorkAccess):
    """What is cleared away."""

    def settle(self, now_ns: int) -> Settled:
        """Jobs that are cancelled, and held by nobody, end; those with which too many workers died fail.

        Returns:
            What is new, and which uploads are needed no more.
        """
        with reading(self._engine) as connection:
            cancelling = list(
                connection.execute(select(JobRow.id).where(JobRow.state == JobState.CANCELLING.value)).scalars()
            )
            deadly = self._deadly(connection, now_ns)
            over = exists().where(JobRow.id == UploadRow.job_id, JobRow.state.in_(FINAL))
            uploads = tuple(connection.execute(select(UploadRow.id).where(over).order_by(UploadRow.id)).scalars())
        news: list[News] = []
        for job_id in dict.fromkeys([*cancelling, *deadly]):
            with writing(self._engine) as connection:
                job = job_row(connection, job_id, lock=True)
                if job is None:
                    continue
                if job.state == JobState.CANCELLING and let_go(connection, job, now_ns):
                    end(connection, job_id, JobState.CANCELLED, now_ns, error=None)
                elif job.state in ACTIVE and (why := self._deadly(connection, now_ns, job_id).get(job_id)):
                    end(connection, job_id, JobState.FAILED, now_ns, error=why)
                else:
                    continue
                news.append(News(NewsKind.JOB_FINISHED, job_id, job.building_id))
        return Settled(tuple(news), uploads)

    def forget_uploads(self, ids: Collection[str]) -> None:
        """Their files are gone, so the rows go."""
        if ids:
            with writing(self._engine) as connection:
                for part in slices(ids):
                    connection.execute(delete(UploadRow).where(UploadRow.id.in_(part)))

    def _deadly(self, connection: Connection, now_ns: int, job_id: str | None = None) -> dict[str, str]:
        """Jobs with something that killed too many workers, and what is to be said of it."""
        chunks = (
            select(JobChunkRow.job_id, JobChunkRow.owner, JobChunkRow.start_ns, JobFileRow.name)
            .join(JobFileRow, (JobFileRow.job_id == JobChunkRow.job_id) & (JobFileRow.number == JobChunkRow.file))
            .where(JobChunkRow.state == ChunkState.RUNNING.value, JobChunkRow.tries >= self._deaths - 1)
            .where(not_(leased(JobChunkRow, now_ns)))
        )
        jobs = select(JobRow.id, JobRow.owner, JobRow.planned).where(
            JobRow.state.in_(ACTIVE),
            JobRow.owner.is_not(None),
            JobRow.tries >= self._deaths - 1,
            not_(leased(JobRow, now_ns)),
        )
        if job_id is not None:
            chunks, jobs = chunks.where(JobChunkRow.job_id == job_id), jobs.where(JobRow.id == job_id)
        found = {row.job_id: self._deaths_of(_stretch(row), row.owner) for row in connection.execute(chunks)}
        for row in connection.execute(jobs):
            found[row.id] = self._deaths_of("it can't be finished" if row.planned else "it can't be planned", row.owner)
        return found

    def _deaths_of(self, what: str, last: str) -> str:
        return f"{what}: {self._deaths} workers died with it, the last one was {last}: see what its log says"


def let_go(connection: Connection, job: Row[Any], now_ns: int) -> bool:
    """Whether nobody holds anything of a job; its row is locked."""
    held = or_(
        exists().where(JobRow.id == job.id, leased(JobRow, now_ns)),
        exists().where(
            JobChunkRow.job_id == job.id,
            JobChunkRow.state == ChunkState.RUNNING.value,
            leased(JobChunkRow, now_ns),
        ),
    )
    return not connection.execute(select(held)).scalar()


def _stretch(row: Any) -> str:
    return f"{said(row.name)} can't be analysed from second {row.start_ns / NS_PER_S:.0f} on"
