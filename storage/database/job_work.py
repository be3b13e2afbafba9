"""The workers' side of jobs: what is to be done, who holds it, and what came of it.

What a worker does, it holds by lease, under a fencing token that grows each time that it is taken; whoever writes shows
the token inside the transaction, as the aggregator's do (see `storage.database.ledger`). So a worker that was only slow
changes nothing any more.
"""

from storage.database.job_due import JobsDue
from storage.database.job_ends import JobEnds
from storage.database.job_finish import JobFinish
from storage.database.job_leases import JobLeases
from storage.database.job_plan import JobPlans

__all__ = ["JobWork"]


class JobWork(JobsDue, JobPlans, JobFinish, JobEnds, JobLeases):
    """Jobs as workers see them; see the classes it is made of. Times are Unix time in nanoseconds.

    >>> work = JobWork(engine, owner="jobs-0")  # doctest: +SKIP
    >>> for todo in work.due(now_ns):  # doctest: +SKIP
    ...     send(todo)
    >>> held = work.take_chunk(todo.key, now_ns)  # doctest: +SKIP

    Every method raises StorageError when the database can't be reached or written; nothing of the call is applied then.
    Methods that take what is held raise LeaseLostError when it is held no more, and JobCancelledError when the job is
    being cancelled: then `let_go`.
    """
