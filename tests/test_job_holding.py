"""What is held while the database is away: nobody has died, and the work goes on where it was."""

import threading
from types import SimpleNamespace
from typing import Any, cast

import pytest
from sqlalchemy import Engine, select

from infra.jobs import holding
from infra.jobs.holding import hold, written
from infra.jobs.lease import Lease
from infra.jobs.place import JobsPlace
from storage.database.engine import reading
from storage.database.job_work import JobWork
from storage.database.jobs import Jobs
from storage.database.models import JobChunkRow
from storage.errors import StorageError
from storage.job_work import HeldChunk, HeldJob, LeaseLostError
from storage.jobs import ChunkKey, Job
from storage.pulse import Pulse
from tests.postgres import database_fixture, postgres_fixture  # noqa: F401
from tests.test_job_rows import at, jobs, new, other, plan, take, work  # noqa: F401

LEASE_S = 0.05
OUTAGE = 10
"""Questions that are not answered."""


class Away(JobWork):
    """The database does not answer so many of its questions."""

    unanswered = 0

    def _ask(self) -> None:
        if self.unanswered:
            self.unanswered -= 1
            raise StorageError("the database does not answer")

    def renew(self, held: HeldJob | HeldChunk, *args: Any) -> None:
        self._ask()
        super().renew(held, *args)

    def save_chunk(self, held: HeldChunk, results: bytes, samples: int, faces: int, now_ns: int) -> None:
        self._ask()
        super().save_chunk(held, results, samples, faces, now_ns)

    def put_off(self, held: HeldJob | HeldChunk, reason: str, now_ns: int) -> float:
        self._ask()
        return super().put_off(held, reason, now_ns)

    def let_go(self, held: HeldJob | HeldChunk) -> None:
        self._ask()
        super().let_go(held)


class Post:
    """All of a place that is needed to hold something."""

    def __init__(self, database: Engine) -> None:
        self.work, self.pulse = Away(database, "jobs-0"), Pulse()
        self.settings = SimpleNamespace(job_lease_s=LEASE_S)

    def move(self) -> bool:
        return self.pulse.stopped

    def tell(self, *_: object, **__: object) -> None:
        """Nobody looks on."""

    @property
    def place(self) -> JobsPlace:
        return cast("JobsPlace", self)


@pytest.fixture
def post(database: Engine, monkeypatch: pytest.MonkeyPatch) -> Post:
    monkeypatch.setattr("infra.jobs.lease.RENEW_S", 0.01)
    monkeypatch.setattr(holding, "RETRY_S", 0.01)
    return Post(database)


@pytest.fixture
def job(jobs: Jobs, work: JobWork) -> Job:  # noqa: F811
    job = jobs.create(new())
    plan(work, job, 1)
    return job


def chunk(database: Engine) -> tuple[str, str | None, int]:
    """Its state, who holds it, and how many died with it."""
    with reading(database) as connection:
        row = connection.execute(select(JobChunkRow.state, JobChunkRow.owner, JobChunkRow.tries)).one()
    return row.state, row.owner, row.tries


def test_work_goes_on_after_an_outage_longer_than_the_lease(database: Engine, post: Post, job: Job) -> None:
    def analyse(held: HeldChunk, lease: Lease) -> None:
        post.work.unanswered = OUTAGE
        # Until it was away for long enough.
        while post.work.unanswered:
            lease.check()
        lease.check()
        post.work.save_chunk(held, b"seen", 1, 0, at())

    hold(post.place, take(post.work, job), analyse)
    assert chunk(database) == ("done", None, 0)


def test_what_somebody_else_took_during_an_outage_is_theirs_and_nobody_has_died(
    database: Engine,
    post: Post,
    job: Job,
    other: JobWork,  # noqa: F811
) -> None:
    lost: list[LeaseLostError] = []

    def analyse(held: HeldChunk, lease: Lease) -> None:
        post.work.unanswered = OUTAGE
        assert other.take_chunk(held.key, at(3600)) is not None
        while True:
            try:
                lease.check()
            except LeaseLostError as error:
                lost.append(error)
                raise

    hold(post.place, take(post.work, job), analyse)
    assert lost
    assert chunk(database) == ("running", "jobs-1", 0)


@pytest.mark.parametrize("error", [StorageError("the database does not answer"), LeaseLostError("it is not complete")])
def test_what_is_given_back_during_an_outage_is_given_back_after_it(
    database: Engine, post: Post, job: Job, error: Exception
) -> None:
    def analyse(_held: HeldChunk, _lease: Lease) -> None:
        post.work.unanswered = OUTAGE
        raise error

    hold(post.place, take(post.work, job), analyse)
    assert chunk(database) == ("waiting", None, 0)
    assert post.work.take_chunk(ChunkKey(job.id, 0, 0), at(10**9)) is not None
    assert chunk(database) == ("running", "jobs-0", 0)


def test_who_is_asked_to_stop_waits_for_no_database(database: Engine, post: Post, job: Job) -> None:
    def analyse(_held: HeldChunk, lease: Lease) -> None:
        post.work.unanswered = 10**9
        threading.Timer(0.1, post.pulse.stop).start()
        while True:
            lease.check()

    hold(post.place, take(post.work, job), analyse)
    assert chunk(database) == ("running", "jobs-0", 0)


def test_what_was_seen_is_kept_although_the_database_is_away_at_the_end(database: Engine, post: Post, job: Job) -> None:
    def analyse(held: HeldChunk, lease: Lease) -> None:
        post.work.unanswered = OUTAGE
        written(post.place, lease, lambda: post.work.save_chunk(held, b"seen", 1, 0, at()))

    hold(post.place, take(post.work, job), analyse)
    assert chunk(database) == ("done", None, 0)


def test_what_can_not_be_written_though_the_database_answers_is_put_off(database: Engine, post: Post, job: Job) -> None:
    def full() -> None:
        raise StorageError("the disk is full")

    hold(post.place, take(post.work, job), lambda _, lease: written(post.place, lease, full))
    assert chunk(database) == ("waiting", None, 0)
