"""Where a process that works on jobs stands: its post, its database and frame store, and the way to the others."""

import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy import Engine

from infra.jobs.app import QUEUE, STALE_S
from infra.post import Post
from storage.database.job_videos import JobVideos
from storage.database.job_work import JobWork
from storage.footage_bus import FootageBus
from storage.frame_access import FrameAccess
from storage.telling import News, NewsKind, Telling

STUCK_S: Final = 60.0
"""Work that shows no progress for so long hangs: the process gives no more sign of life, and is killed."""

IDLE_STUCK_S: Final = 600.0
"""Likewise without work, when Celery may be waiting for Redis to come back."""

LEAST_BETWEEN_S: Final = 0.5
"""A process looks after jobs no more often than this."""

Send = Callable[[str, tuple[str | int, ...]], None]
"""Sends a task by its name, with its arguments."""


class JobsPlace:
    """One in a process; for the thread that works, and for the one that renews its lease."""

    def __init__(self, post: Post, engine: Engine, frames: FrameAccess, send: Send) -> None:
        """Stand there.

        Args:
            post: of the process.
            engine: of a migrated database.
            frames: samples' pictures are put there.
            send: tasks.
        """
        self.post, self.settings, self.places, self.name = post, post.settings, post.places, post.name
        self.bus, self.pulse, self.engine, self.frames, self.send = post.bus, post.pulse, engine, frames, send
        self.footage: FootageBus = post.bus.footage()
        owner = f"{post.name}@{socket.gethostname()[:64]}/{os.getpid()}"
        self.work = JobWork(engine, owner, post.settings.job_lease_s)
        self.telling = Telling(post.bus)
        self.videos = JobVideos(engine, post.places.annotated)
        self.done = 0
        """Tasks since the start."""
        self.busy = False
        """A task is in hand."""
        self.trouble: str | None = None
        """What it waits for."""
        self._moved_s = self._tended_s = time.monotonic()

    def move(self) -> bool:
        """Say that something goes on; True when asked to stop. To be called at every step of long work."""
        self._moved_s = time.monotonic()
        return self.pulse.stopped

    @property
    def stuck(self) -> bool:
        """Whether nothing has gone on for long."""
        return time.monotonic() - self._moved_s > (STUCK_S if self.busy else IDLE_STUCK_S)

    def may_tend(self, *, soon: bool) -> bool:
        """Whether it is time to look after jobs again; who is told so, does."""
        now_s = time.monotonic()
        if now_s - self._tended_s < LEAST_BETWEEN_S and not soon:
            return False
        self._tended_s = now_s
        return True

    def tell(self, job: str, building: str, *, over: bool = False) -> None:
        """Let whoever looks on know that a job has changed, or is over."""
        self.telling.tell([News(NewsKind.JOB_FINISHED if over else NewsKind.JOB, job, building)])


@contextmanager
def standing(post: Post, app: Any) -> Iterator[JobsPlace]:
    """A place for as long as the block lasts.

    Args:
        post: of the process.
        app: Celery's application, by which tasks are sent.

    Raises:
        StorageError, SetupError: there is no database, or no frame store where one is asked for.
    """

    def send(task: str, args: tuple[str | int, ...]) -> None:
        app.send_task(task, args=args, queue=QUEUE, expires=STALE_S, retry=False)

    with post.database() as engine, post.frames() as frames:
        yield JobsPlace(post, engine, frames, send)
