"""A worker's process: one role, put together from the settings.

`python -m infra.roles ROLE NAME` is what the supervisor starts; `maskwatch serve ROLE` is the same for a person or a
container. What only one role needs is imported for that role alone: a killed worker is to be back within 3 s.
"""

import os
import secrets
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import TYPE_CHECKING, Final

import structlog

from infra.log import log_to_stderr
from infra.places import Places, database_url
from infra.settings import Settings, load_settings
from infra.system.claim import shared_alone
from infra.system.workers import LISTENING, RUN, Role, worker_names
from storage.bus import Bus
from storage.errors import MaskwatchError, UsageError
from storage.files import make_folder
from storage.frames import FrameStore, create_store
from storage.pulse import Heartbeat, Pulse

if TYPE_CHECKING:
    from sqlalchemy import Engine

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Post:
    """Where a worker stands.

    Attributes:
        name: of the worker.
        settings: of the system.
        places: of the system.
        bus: connected.
        pulse: stops at SIGTERM and SIGINT, and beats on the bus.
        supervised: whether a supervisor has made everything ready.
        listening: socket of the API.
    """

    name: str
    settings: Settings
    places: Places
    bus: Bus
    pulse: Pulse
    supervised: bool
    listening: socket.socket | None

    @contextmanager
    def frames(self) -> Iterator[FrameStore]:
        """The frame store."""
        if not self.supervised:
            # Of the roles that start together, one makes it.
            with shared_alone(self.places):
                if not self.places.frames.exists():
                    create_store(self.places.frames, self.settings.frames_mib)
        with FrameStore(self.places.frames) as frames:
            yield frames

    @contextmanager
    def database(self) -> Iterator["Engine"]:
        """The database, with its tables."""
        from storage.database.engine import migrate, open_engine

        if not self.supervised:
            make_folder(self.places.data, 0o700)
        engine = open_engine(database_url(self.settings))
        try:
            if not self.supervised:
                migrate(engine)
            yield engine
        finally:
            engine.dispose()


def work(role: Role, name: str, settings: Settings, listening: socket.socket | None = None) -> None:
    """Be a worker until asked to stop.

    Args:
        role: what to do.
        name: unique in the system; that of an aggregator ends with the number of its partition.
        settings: of the system.
        listening: socket of the API.

    Raises:
        MaskwatchError: something that it needs is missing or gone.
    """
    pulse = Pulse(lambda done, trouble: bus.beat(Heartbeat(name, os.getpid(), time.time(), done, trouble)))

    def stop(_: int, __: FrameType | None) -> None:
        pulse.stop()

    # Before anything else: whoever is asked to stop while it is still starting ends in order, too.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    places = Places.of(settings)
    bus = Bus(_redis_url(settings, places), prefix=settings.redis_prefix, partitions=settings.partitions)
    with closing(bus):
        bus.ping()
        log.info("started", pid=os.getpid())
        _WORK[role](Post(name, settings, places, bus, pulse, RUN in os.environ, listening))
    log.info("stopped")


def main() -> None:
    """Entry point of a supervised worker."""
    role, name = Role(sys.argv[1]), sys.argv[2]
    log_to_stderr(name)
    handed = os.environ.get(LISTENING)
    try:
        work(role, name, load_settings(), None if handed is None else socket.socket(fileno=int(handed)))
    except MaskwatchError as error:
        log.critical("ended", reason=str(error))
        sys.exit(error.exit_status)


def _ingest(post: Post) -> None:
    from ingest.worker import Options, run_cameras
    from storage.database.sites import Sites

    with post.database() as engine, post.frames() as frames:
        settings = post.settings
        options = Options(
            _run(),
            post.places.media,
            settings.live_backlog,
            dwell_s=settings.camera_dwell_s,
            min_face_px=settings.camera_min_face_px,
        )
        run_cameras(Sites(engine, post.places.media), post.bus, frames, post.pulse, options)


def _detect(post: Post) -> None:
    from detect.worker import run
    from infra.models import open_looker
    from infra.rescue import rescuer

    with post.frames() as frames, closing(open_looker(post.settings)) as looker:
        run(post.bus.frames_queue(post.name), frames, looker, post.pulse, rescuer("detect", post.pulse))


def _classify(post: Post) -> None:
    from classify.classifier import load_model
    from classify.worker import run
    from infra.rescue import rescuer

    with post.frames() as frames:
        classifier = load_model(post.settings.model)
        run(post.bus.faces_queue(post.name), frames, classifier, post.pulse, rescuer("classify", post.pulse))


def _aggregate(post: Post) -> None:
    from classify.aggregate import Aggregator, run
    from storage.database.ledger import Ledger
    from storage.snapshots import SnapshotFolder

    bus, partition = post.bus, partition_of(post.name, post.settings)
    # What is seen on cameras is for this user alone.
    make_folder(post.places.data, 0o700)
    make_folder(post.places.snapshots, 0o700)
    # A successor of the same name on the same data folder takes over at once; one elsewhere has to wait for the lease.
    owner = f"{post.name}@{socket.gethostname()[:64]}/{post.places.shared.name}"
    with post.database() as engine, post.frames() as frames:
        ledger = Ledger(engine, partition, owner, mine=lambda camera: bus.partition(camera) == partition)
        snapshots = SnapshotFolder(post.places.snapshots)
        run(lambda: Aggregator(bus, partition, ledger, frames, snapshots), post.pulse)


def _api(post: Post) -> None:
    from infra.web import api_context, serve_api

    if post.listening is None:
        raise UsageError("the API needs a socket to listen on: start it by `maskwatch serve api`")
    expected = tuple(name for name, role in worker_names(post.settings) if role is not Role.API)
    with post.database() as engine:
        serve_api(api_context(engine, post.bus, post.places, expected), post.listening, post.pulse)


_WORK: Final[Mapping[Role, Callable[[Post], None]]] = {
    Role.INGEST: _ingest,
    Role.DETECT: _detect,
    Role.CLASSIFY: _classify,
    Role.AGGREGATE: _aggregate,
    Role.API: _api,
}


def partition_of(name: str, settings: Settings) -> int:
    """The partition of an aggregator of this name.

    Raises:
        UsageError: there is none.
    """
    number = name.rpartition("-")[2]
    if not number.isdecimal() or int(number) >= settings.partitions:
        raise UsageError(
            f"aggregator {name!r}: its name ends with its partition's number, aggregate-0 to "
            f"aggregate-{settings.partitions - 1} (MASKWATCH_PARTITIONS)"
        )
    return int(number)


def _run() -> str:
    return os.environ.get(RUN) or secrets.token_hex(16)


def _redis_url(settings: Settings, places: Places) -> str:
    if settings.redis_url is not None:
        return settings.redis_url
    if not places.socket.exists():
        raise UsageError(
            f"no Redis: set MASKWATCH_REDIS_URL, or start `maskwatch up` on the data folder {places.data} first"
        )
    from infra.embedded import redis_url

    return redis_url(places.socket)


if __name__ == "__main__":
    main()
