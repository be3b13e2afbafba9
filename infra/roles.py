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
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from types import FrameType
from typing import Final, NoReturn

import structlog

from infra.joining import check_place
from infra.log import log_to_stderr
from infra.places import Places
from infra.post import Outfit, Post
from infra.settings import Settings, load_settings
from infra.system.workers import LISTENING, RUN, Role, worker_names
from storage.bus import Bus, BusError
from storage.errors import MaskwatchError, StorageError, UsageError
from storage.files import make_folder
from storage.pulse import Heartbeat, Pulse

log = structlog.get_logger(__name__)


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
    outfit = Outfit()

    def beat(done: int, trouble: str | None) -> None:
        store = "" if outfit.frames is None else outfit.frames.store
        bus.beat(Heartbeat(name, os.getpid(), time.time(), done, trouble, store, outfit.device))

    pulse = Pulse(beat)

    def stop(_: int, __: FrameType | None) -> None:
        pulse.stop()

    # Before anything else: whoever is asked to stop while it is still starting ends in order, too.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    places = Places.of(settings)
    bus = Bus(_redis_url(settings, places), prefix=settings.redis_prefix, partitions=settings.partitions)
    with closing(bus):
        bus.ping()
        supervised = RUN in os.environ
        if not supervised:
            check_place(role, name, bus, pulse)
        log.info("started", pid=os.getpid())
        _WORK[role](Post(role, name, settings, places, bus, pulse, supervised, listening, outfit))
        with suppress(BusError):
            bus.leave(name)
    log.info("stopped")


def main() -> None:
    """Entry point of a supervised worker."""
    role, name = Role(sys.argv[1]), sys.argv[2]
    log_to_stderr(name)
    handed = os.environ.get(LISTENING)
    status = 0
    try:
        work(role, name, load_settings(), None if handed is None else socket.socket(fileno=int(handed)))
    except MaskwatchError as error:
        log.critical("ended", reason=str(error))
        status = error.exit_status
    end(status)


def end(status: int) -> NoReturn:
    """End the process of a worker that has done its work, with an exit status.

    All that matters is closed by then. The interpreter's own end takes half a second, with MediaPipe up to three.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def _ingest(post: Post) -> None:
    from dataclasses import replace
    from threading import Thread

    from infra.sites import system_sites
    from ingest.answers import Grounds, run_answers
    from ingest.previews import PreviewViews, run_previews
    from ingest.worker import House, Options, run_cameras
    from storage.asking import Asking
    from storage.database.suitability import Views
    from storage.networks import Networks
    from storage.preview import Previews

    settings, media = post.settings, post.places.media
    options = Options(
        _run(),
        media,
        settings.live_backlog,
        dwell_s=settings.camera_dwell_s,
        min_face_px=settings.camera_min_face_px,
        networks=Networks.parse(settings.camera_networks),
        number=ingest_of(post.name, settings),
        ingests=settings.ingests,
    )
    with post.database() as engine, post.frames() as frames:
        options = replace(options, views=Views(engine))
        sites = system_sites(engine, settings)

        with suppress(StorageError):
            # Else the database is asked again and again; what was shed before is not worth waiting for it.
            post.bus.forget_shed([camera.id for camera in sites.cameras() if options.mine(camera.id)])

        def answer(house: House) -> None:
            grounds = Grounds(sites, media, settings.camera_networks)
            work = Previews(post.bus), PreviewViews(house.watched, house.small, house.people), post.pulse
            Thread(target=run_previews, args=work, name="previews", daemon=True).start()
            run_answers(Asking(post.bus), grounds, house.watched, house.still, post.pulse, house.people)

        run_cameras(sites, post.bus, frames, post.pulse, options, answer)


def _detect(post: Post) -> None:
    from detect.worker import run
    from infra.models import open_looker
    from infra.rescue import rescuer

    with post.frames() as frames, closing(open_looker(post.settings)) as looker:
        run(post.bus.frames_queue(post.name), frames, looker, post.pulse, rescuer("detect", post.pulse))


def _classify(post: Post) -> None:
    from classify.fair import FairPlan
    from classify.worker import run
    from infra.looking_up import looking_up
    from infra.models import open_face_classifier
    from infra.rescue import rescuer
    from storage.asking import Asking

    settings = post.settings
    with post.frames() as frames:
        # Here, in the process that uses it: TensorFlow does not survive a fork.
        opened = open_face_classifier(settings)
        post.outfit.device = opened.device
        log.info("classifier", name=opened.classifier.name, device=opened.device, why=opened.why)
        plan = FairPlan(frames, backlog=settings.live_backlog, most=opened.most, gather_s=opened.gather_s)
        queue = post.bus.faces_queue(post.name)
        with looking_up(Asking(post.bus), settings):
            run(queue, frames, opened.classifier, post.pulse, rescuer("classify", post.pulse), plan)


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
    workers = worker_names(post.settings)
    # One that works on jobs is enough, wherever it is.
    expected = tuple(
        name for name, role in workers if role is not Role.API and (role is not Role.JOBS or name == "jobs-0")
    )
    with post.database() as engine:
        serve_api(api_context(engine, post.bus, post.places, expected), post.listening, post.pulse)


def _jobs(post: Post) -> None:
    from infra.jobs.roles import run_jobs

    run_jobs(post)


def _beat(post: Post) -> None:
    from infra.jobs.roles import run_beat

    run_beat(post)


_WORK: Final[Mapping[Role, Callable[[Post], None]]] = {
    Role.INGEST: _ingest,
    Role.DETECT: _detect,
    Role.CLASSIFY: _classify,
    Role.AGGREGATE: _aggregate,
    Role.JOBS: _jobs,
    Role.BEAT: _beat,
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


def ingest_of(name: str, settings: Settings) -> int:
    """The number of an ingest process of this name: by it, each of several has cameras of its own.

    Raises:
        UsageError: there are several, and it is none of them.
    """
    if settings.ingests == 1:
        return 0
    number = name.rpartition("-")[2]
    if not number.isdecimal() or int(number) >= settings.ingests:
        raise UsageError(
            f"ingest process {name!r}: the names of several end with their numbers, ingest-0 to "
            f"ingest-{settings.ingests - 1} (MASKWATCH_INGESTS)"
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
