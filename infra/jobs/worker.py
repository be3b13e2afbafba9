"""A `jobs` process as Celery runs it: it works alone, beats on the bus, and makes way for all else on the machine."""

import logging
import os
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from typing import Any, Final

import structlog
from celery import bootsteps, signals
from celery.apps.worker import Worker
from celery.exceptions import SecurityWarning
from celery.worker import state

from infra.jobs.app import TEND_S
from infra.jobs.place import JobsPlace, standing
from infra.jobs.tending import tend
from infra.joining import own_name
from infra.log import log_to_stderr
from infra.places import Places
from infra.post import Outfit, Post
from infra.settings import Settings
from infra.system.workers import Role
from storage.bus import Bus, BusError
from storage.pulse import BEAT_S, Heartbeat, Pulse

NICE: Final = 10
"""Live cameras come first."""

LOOK_S: Final = 0.2
"""An idle worker learns within this time that it is asked to stop."""

log = structlog.get_logger(__name__)


# Of a worker that runs as root and takes pickled messages; ours takes none.
warnings.filterwarnings("ignore", category=SecurityWarning)


class JobsWorker(Worker):  # type: ignore[misc] # Celery has no types
    """Asks no other worker for anything: whatever needs to be known is in the database."""

    def prepare_args(self, **kwargs: Any) -> dict[str, Any]:
        """What its parts are made with."""
        alone = {"without_gossip": True, "without_mingle": True, "without_heartbeat": True}
        return {**super().prepare_args(**kwargs), **alone}


class Life(bootsteps.StartStopStep):  # type: ignore[misc] # Celery has no types
    """Takes the place of the process, and gives signs of life from there while Celery works."""

    requires = ("celery.worker.components:Hub", "celery.worker.components:Pool")

    def __init__(self, worker: Any, **kwargs: Any) -> None:
        super().__init__(worker, **kwargs)
        self._over = threading.Event()
        self._stack = ExitStack()

    def start(self, worker: Any) -> None:
        """Begin to beat."""
        # Not set to it but lowered by it: a person may have given it less.
        os.nice(NICE)
        # A line for every task, every second, tells nobody anything.
        logging.getLogger("celery").setLevel(logging.WARNING)
        app = worker.app
        with ExitStack() as stack:
            post = app.post or stack.enter_context(_own_post(app.settings, app.places))
            place = app.place = stack.enter_context(standing(post, app))
            self._stack = stack.pop_all()
        signals.worker_shutting_down.connect(lambda **_: post.pulse.stop(), weak=False)

        def look() -> None:
            """In the worker's own loop, between tasks."""
            if place.move():
                # Else Celery learns of it by a signal of its own.
                state.should_stop = os.EX_OK

        worker.hub.call_repeatedly(LOOK_S, look)
        for name, work in (("beat", self._beat), ("tend", self._tend)):
            threading.Thread(target=work, args=(place,), name=name, daemon=True).start()

    def stop(self, worker: Any) -> None:
        """Let go of everything."""
        self._over.set()
        worker.app.place = None
        self._stack.close()

    terminate = stop

    def _beat(self, place: JobsPlace) -> None:
        while not self._over.wait(BEAT_S / 2):
            if not place.stuck:
                # A bus that is away is told of in the log of whoever needs it for more.
                with suppress(BusError):
                    place.pulse.beat(done=place.done, trouble=place.trouble)

    def _tend(self, place: JobsPlace) -> None:
        """While all work, nobody has the time for a task that only looks after jobs."""
        while not self._over.wait(TEND_S):
            if place.busy:
                tend(place)


@contextmanager
def _own_post(settings: Settings, places: Places) -> Iterator[Post]:
    """The post of a worker that Celery's own command has started."""
    from infra.embedded import redis_url

    name, outfit = own_name(Role.JOBS, 0), Outfit()
    log_to_stderr(name)
    url = settings.redis_url or redis_url(places.socket)

    def beat(done: int, trouble: str | None) -> None:
        store = "" if outfit.frames is None else outfit.frames.store
        bus.beat(Heartbeat(name, os.getpid(), time.time(), done, trouble, store))

    with closing(Bus(url, prefix=settings.redis_prefix, partitions=settings.partitions)) as bus:
        post = Post(
            Role.JOBS, name, settings, places, bus, Pulse(beat), supervised=False, listening=None, outfit=outfit
        )
        yield post
        with suppress(BusError):
            bus.leave(name)
