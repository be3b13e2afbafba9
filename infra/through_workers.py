"""Recorded footage through the workers and the bus: the same report as `infra.footage` makes in one process.

A system of its own, without ingest and API, in a folder that goes with it. Whatever happens to its workers, the report
stays the same.
"""

import tempfile
import time
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from threading import Thread
from types import TracebackType
from typing import Final, Self

import msgspec
from sqlalchemy import select

from classify.memory import Memory
from classify.ordering import is_over
from detect.models import detector_model
from infra.footage import Analysis, Made, Progress, Spent, footage_report
from infra.models import open_face_classifier
from infra.places import Places, database_url
from infra.recorder import Recorder
from infra.settings import Settings
from infra.supervisor import TURN_S, System
from infra.system.workers import Role, worker_commands
from ingest.emit import Emitter
from ingest.footage import Footage, FootageSummary
from storage.bus import Bus, BusError
from storage.database.engine import open_engine, reading
from storage.database.models import CameraStateRow
from storage.database.recorded import recorded
from storage.errors import MaskwatchError, SetupError, StorageError
from storage.frame_access import FrameAccess, Frames
from storage.messages import NS_PER_S, nanoseconds, seconds
from storage.pulse import Pulse
from storage.report import ModelInfo
from storage.snapshots import SnapshotFolder

ROLES: Final = (Role.DETECT, Role.CLASSIFY, Role.AGGREGATE)
ATTEMPTS: Final = 5
ASK_S: Final = 0.5
LONGEST_PAUSE_S: Final = 120.0
"""A worker that is killed, or a sample that is tried again and again, takes less."""


class Workers:
    """Workers that analyse footage, one after the other.

    >>> with Workers(load_settings()) as workers:  # doctest: +SKIP
    ...     analysis = workers.analyze(Path("clip.mp4"), SnapshotFolder(Path("snapshots")))
    """

    def __init__(self, settings: Settings) -> None:
        """Plan them; `with` starts them.

        Args:
            settings: of all of them; the data folder, Redis and database are their own.

        Raises:
            SetupError: the classifier is missing.
            InputError: it is none.
        """
        self._settings = settings
        self._stack = ExitStack()
        self._videos = 0
        classifier = open_face_classifier(settings).classifier
        model = ModelInfo(classifier.name, classifier.sha256, classifier.backend)
        self._made = Made(settings, model, detector_model(settings.detector).name)

    def __enter__(self) -> Self:
        """Start them.

        Raises:
            SetupError: there is not enough shared memory, or one of them can't be started.
            StorageError: there is no room for a temporary folder.
        """
        with ExitStack() as stack:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="maskwatch-"))
            own = self._settings.model_copy(
                update={"data_dir": Path(folder), "redis_url": None, "database_url": None, "media_dir": None}
            )
            self._places = Places.of(own)
            self.system = stack.enter_context(System(own, worker_commands(own, ROLES)))
            self.system.wait_ready()
            self._bus = stack.enter_context(
                closing(Bus(self.system.redis_url, prefix=own.redis_prefix, partitions=own.partitions))
            )
            self._engine = open_engine(database_url(own))
            stack.callback(self._engine.dispose)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def analyze(self, path: Path, snapshots: SnapshotFolder, *, progress: Progress | None = None) -> Analysis:
        """Analyse a video file.

        Args:
            path: the file.
            snapshots: where the events' pictures go.
            progress: told after each sample.

        Raises:
            InputError: the file is no readable footage.
            StorageError: a snapshot, or the database, can't be written.
        """
        spent = Spent(time.perf_counter(), time.process_time())
        self._videos += 1
        camera = f"video-{self._videos}"
        for attempt in range(ATTEMPTS):
            with suppress(_BusLostError):
                summary, samples = self._attempt(path, camera, attempt, progress)
                break
        else:
            raise BusError(f"the embedded Redis was lost {ATTEMPTS} times while {path} was analysed: run it again")
        facts = recorded(self._engine, camera)
        for name in facts.snapshots.values():
            snapshots.keep(_read(self._places.snapshots / name))
        recorder = Recorder.of(facts, samples=samples)
        return Analysis(footage_report(path, summary, recorder, self._made, spent), recorder)

    def _attempt(self, path: Path, camera: str, attempt: int, progress: Progress | None) -> tuple[FootageSummary, int]:
        """Send all of the footage as an epoch of its own, and wait until it is written down."""
        # Opened for each attempt: with Redis the frame store is made anew.
        with Footage(path) as footage, self._frames() as frames:
            feed = _Feed(footage, camera, attempt, self._settings, self._bus, frames)
            watch = _Watch(self._bus)
            feed.start()
            try:
                while feed.alive:
                    self._look_after(watch, feed.samples)
                    if progress is not None:
                        progress(feed.done_s, footage.summary.stated_duration_s)
                feed.finish()
            finally:
                feed.stop()
            while (memory := self._finished(camera, attempt)) is None:
                self._look_after(watch, self._left(camera))
            footage.summary.errors += [
                f"the sample at {seconds(at_ns):.3f} s was set aside: {reason}" for at_ns, reason in memory.set_aside
            ]
            return footage.summary, feed.samples

    def _frames(self) -> FrameAccess:
        settings = self._settings
        return FrameAccess(self._bus, self._places.frames, settings.frames_mib, settings.frame_store)

    def _left(self, camera: str) -> int:
        """How many results wait for the aggregator; -1 where Redis is gone: what comes of that, the watch decides."""
        with suppress(BusError):
            return self._bus.results_length(self._bus.partition(camera))
        return -1

    def _look_after(self, watch: "_Watch", done: int) -> None:
        self.system.check()
        watch.turn(done)
        time.sleep(TURN_S)

    def _finished(self, camera: str, epoch: int) -> Memory | None:
        """What is remembered of the footage, once all of it is written down."""
        query = select(CameraStateRow.state).where(CameraStateRow.camera_id == camera)
        with reading(self._engine) as connection:
            packed = connection.execute(query).scalar()
        if packed is None:
            return None
        memory = msgspec.msgpack.decode(packed, type=Memory)
        begun = memory.camera.begun
        return memory if begun is not None and begun.epoch == epoch and is_over(memory.camera) else None


class _BusLostError(MaskwatchError):
    """Redis was started anew: what was on its way is gone."""


class _Watch:
    """Sees to it that nobody waits for what will not come."""

    def __init__(self, bus: Bus) -> None:
        self._bus, self._identity = bus, bus.identity()
        self._asked_s = self._moved_s = time.monotonic()
        self._done = -1

    def turn(self, done: int) -> None:
        """Raise where nothing is to be waited for any more; `done` changes as long as something happens."""
        now_s = time.monotonic()
        if done != self._done:
            self._done, self._moved_s = done, now_s
        if now_s - self._moved_s > LONGEST_PAUSE_S:
            raise SetupError(f"the workers have done nothing for {LONGEST_PAUSE_S:g} s: see what they said above")
        if now_s - self._asked_s > ASK_S:
            self._asked_s = now_s
            with suppress(BusError):
                if self._bus.identity() != self._identity:
                    raise _BusLostError


class _Feed:
    """Reads footage in a thread and sends its samples."""

    def __init__(self, footage: Footage, camera: str, epoch: int, settings: Settings, bus: Bus, frames: Frames) -> None:
        self._footage, self._settings = footage, settings
        self._pulse = Pulse()
        self._emitter = Emitter(
            camera, epoch, bus, frames, self._pulse, live=False, min_face_px=settings.min_face_px, backlog=0
        )
        self._error: BaseException | None = None
        self._thread = Thread(target=self._run, name="footage", daemon=True)
        self.done_s = 0.0

    @property
    def samples(self) -> int:
        return self._emitter.seq

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def start(self) -> None:
        self._thread.start()

    def finish(self) -> None:
        """Raise what ended it early."""
        self._thread.join()
        if self._error is not None:
            raise self._error

    def stop(self) -> None:
        self._pulse.stop()
        self._thread.join()

    def _run(self) -> None:
        settings = self._settings
        try:
            self._emitter.begin(0, nanoseconds(settings.dwell_s), nanoseconds(1.0 / settings.fps))
            for frame in self._footage.frames(settings.fps):
                if frame.sampled and not self._emitter.take(frame):
                    return
                self.done_s = frame.at_ns / NS_PER_S
            self._emitter.end()
        except BaseException as error:  # noqa: BLE001 raised again by `finish`
            self._error = error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror}") from error
