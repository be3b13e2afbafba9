"""A whole system on cameras that show clips over RTSP, served by a process of its own."""

import os
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import msgspec
from sqlalchemy import Engine, select

from classify.memory import Memory
from infra.bench.camera_clips import Loop
from infra.demo.live import BUILDING, closing_engine, demo_settings, set_up
from infra.demo.truth import Truth
from infra.footage import SNAPSHOTS
from infra.recorder import Recorder
from infra.rtsp.process import RtspProcess
from infra.scoring import Matching, score
from infra.settings import Settings
from infra.sites import system_sites
from infra.supervisor import SUPERVISOR, TURN_S, System
from storage.bus import Bus
from storage.database.engine import reading
from storage.database.models import CameraStateRow
from storage.database.recorded import recorded
from storage.database.records import NewCamera
from storage.errors import SetupError
from storage.messages import NS_PER_S
from storage.report import EventReport, TrackReport

LIMIT_S: Final = 90.0
"""Longest wait for a condition."""

SETTLE_S: Final = 17.0
"""A passage is closed at most 15 s after somebody who sat still was last seen; two more for the way into the database."""

APART_S: Final = 2.0
"""Passages this close belong together: what counts begins between them."""


@dataclass(frozen=True, slots=True)
class CameraFound:
    """What was found of one camera, and how it compares with the truth; times are from its first picture.

    Attributes:
        camera: identifier.
        since_s: what began earlier is left out.
        tracks: passages that are over.
        events: theirs.
        matching: the comparison.
    """

    camera: str
    since_s: float
    tracks: tuple[TrackReport, ...]
    events: tuple[EventReport, ...]
    matching: Matching


class CameraSystem:
    """A system and its cameras, to be used by the main thread alone.

    >>> with CameraSystem(load_settings(), folder, loops, 4) as live:  # doctest: +SKIP
    ...     live.come_up()
    ...     live.go_on(60.0)
    ...     live.found(since_ns=since_ns, until_ns=until_ns)
    """

    def __init__(self, settings: Settings, folder: Path, loops: Sequence[Loop], cameras: int) -> None:
        """Plan it; `with` starts it.

        Args:
            settings: of the system, save its folders, database and Redis, which are its own.
            folder: for its data, which is begun anew.
            loops: what the cameras show, in turns.
            cameras: how many.
        """
        self.settings = demo_settings(settings, folder)
        self.names = tuple(f"hall-{number}" for number in range(1, cameras + 1))
        self.said: list[str] = []
        """What the supervisor had to say."""
        self._loops = {name: loops[number % len(loops)] for number, name in enumerate(self.names)}
        self._streams = {name: loop.stream(number, cameras) for number, (name, loop) in enumerate(self._loops.items())}
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        """Start cameras and system.

        Raises:
            ConflictError: another system runs on the folder.
            SetupError: something can't be started.
            StorageError: the folder can't be written.
        """
        with ExitStack() as stack:
            self.server = stack.enter_context(RtspProcess(self._streams))
            set_up(self.settings, [])
            self.engine = stack.enter_context(closing_engine(self.settings))
            sites = system_sites(self.engine, self.settings)
            for name in self.names:
                sites.add_camera(NewCamera(name, BUILDING, self.server.url(name), id=name))
            self.system = stack.enter_context(System(self.settings, port=0, say=self.said.append))
            self.bus = stack.enter_context(closing(Bus(self.system.redis_url, prefix=self.settings.redis_prefix)))
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def come_up(self) -> None:
        """Wait until a sample of every camera has gone all the way.

        Raises:
            SetupError: that did not happen in time.
        """
        self.system.wait_ready()
        self.until(lambda: all(self._shown_since_ns(name) is not None for name in self.names))
        began_ns = {name: self._shown_since_ns(name) for name in self.names}

        def looked() -> bool:
            last_ns = last_samples(self.engine)
            return all(last_ns.get(name, 0) >= (began or 0) for name, began in began_ns.items())

        self.until(looked)

    def until(self, condition: Callable[[], bool], limit_s: float = LIMIT_S) -> float:
        """Look after the system until a condition holds; the seconds that took.

        Raises:
            SetupError: it did not come to hold in time.
        """
        started_s = time.monotonic()
        while not condition():
            self.system.check()
            if time.monotonic() - started_s > limit_s:
                raise SetupError(f"this did not happen within {limit_s:g} s: see {self.system.places.logs}")
            time.sleep(TURN_S / 5)
        return time.monotonic() - started_s

    def go_on(self, for_s: float, each: Callable[[float], None] = lambda _: None) -> None:
        """Look after the system for some time; `each` is told the time that has passed, some 20 times a second."""
        started_s = time.monotonic()
        while (passed_s := time.monotonic() - started_s) < for_s:
            self.system.check()
            each(passed_s)
            time.sleep(TURN_S)

    def settle(self) -> None:
        """Wait until everybody seen by now is known to be gone, and that is written down."""
        self.go_on(SETTLE_S)

    def pids(self) -> dict[str, int]:
        """Of all our processes, this one among them; not of the cameras."""
        return {SUPERVISOR: os.getpid(), **self.system.pids()}

    def lost(self) -> int:
        """Samples of all cameras that were lost so far."""
        with reading(self.engine) as connection:
            return sum(connection.execute(select(CameraStateRow.lost)).scalars())

    def drops(self) -> dict[str, int]:
        """Samples that were dropped since the ingest process began, by where."""
        drops: dict[str, int] = {}
        for status in self.bus.statuses(self.names).values():
            for where, number in status.drops.items():
                drops[where] = drops.get(where, 0) + number
        if shed := sum(self.bus.shed_by_classify(self.names).values()):
            drops["classify"] = shed
        return drops

    def found(self, *, since_ns: int, until_ns: int) -> list[CameraFound]:
        """What is known of the passages of a stretch of time, held against the truth.

        Args:
            since_ns: who is on the way at this moment is left out, with whoever is close behind.
            until_ns: who is on the way at this moment may be known, but is not expected.

        Raises:
            StorageError: the database can't be read.
        """
        return [self._found(name, since_ns, until_ns) for name in self.names]

    def _found(self, name: str, since_ns: int, until_ns: int) -> CameraFound:
        began_ns = int(self.server.call("began_ns", name=name))
        now_s = (time.time_ns() - began_ns) / NS_PER_S
        truth = self._loops[name].shown(float(self.server.call("started_s", name=name)), now_s)
        since_s = between(truth, (since_ns - began_ns) / NS_PER_S)
        truth = msgspec.structs.replace(
            truth, tracks=tuple(track for track in truth.tracks if track.boxes[0][0] >= since_s)
        )
        recorder = Recorder.of(recorded(self.engine, name), origin_ns=began_ns)
        tracks = tuple(track for track in recorder.track_reports() if track.first_seen_s >= since_s)
        ours = {track.id for track in tracks}
        events = tuple(event for event in recorder.event_reports(SNAPSHOTS) if event.track_id in ours)
        until_s = (until_ns - began_ns) / NS_PER_S
        return CameraFound(name, since_s, tracks, events, score(tracks, events, truth, until_s=until_s))

    def _shown_since_ns(self, name: str) -> int | None:
        """Unix time of a camera's first picture; None until somebody watches."""
        began_ns = self.server.call("began_ns", name=name)
        return None if began_ns is None else int(began_ns)


def last_samples(engine: Engine) -> dict[str, int]:
    """Capture time of each camera's last sample that has gone all the way."""
    query = select(CameraStateRow.camera_id, CameraStateRow.state).where(CameraStateRow.state != b"")
    with reading(engine) as connection:
        packed = connection.execute(query).all()
    seen = {camera: msgspec.msgpack.decode(state, type=Memory).camera.last_ns for camera, state in packed}
    return {camera: at_ns for camera, at_ns in seen.items() if at_ns is not None}


def between(truth: Truth, at_s: float) -> float:
    """The first moment from `at_s` on at which nobody is on the way, nor about to come."""
    for track in sorted(truth.tracks, key=lambda track: track.boxes[0][0]):
        if track.boxes[0][0] - APART_S <= at_s <= track.boxes[-1][0] + APART_S:
            at_s = track.boxes[-1][0] + APART_S
    return at_s
