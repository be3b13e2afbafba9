"""An ingest process for tests: a system's surroundings, and the process in a thread."""

import threading
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from ingest.worker import House as Ingest
from ingest.worker import Options, run_cameras
from storage.bus import Bus
from storage.database.engine import migrate, open_engine, sqlite_url
from storage.database.records import Camera, NewCamera, Policy
from storage.database.sites import Sites
from storage.frames import FrameStore, create_store
from storage.messages import Lost, Message, Result, Sample
from storage.pulse import Pulse
from storage.status import CameraState, CameraStatus, StateReason
from tests.conftest import flat


class House:
    """An ingest process's surroundings, and the process in a thread."""

    def __init__(self, folder: Path, redis: str) -> None:
        self.media = folder / "media"
        self.media.mkdir()
        self.engine = open_engine(sqlite_url(folder / "maskwatch.sqlite3"))
        migrate(self.engine)
        self.sites = Sites(self.engine, self.media)
        self.building = self.sites.add_building("North", "UTC").id
        self.bus = Bus(redis)
        create_store(folder / "frames", 64)
        self.frames = FrameStore(folder / "frames")
        self.pulse = Pulse()
        self.thread: threading.Thread | None = None
        self.error: BaseException | None = None
        self._queue = self.bus.frames_queue("test")
        self._after = "0-0"
        self._consumed: list[Message | Sample] = []

    def add(self, name: str, url: str, *, enabled: bool = True, fps: float = 10.0) -> Camera:
        policy = Policy(dwell_s=2.0)
        return self.sites.add_camera(
            NewCamera(name, self.building, url, enabled=enabled, analyze_fps=fps, min_face_px=30, policy=policy)
        )

    def start(
        self,
        run: str = "run-1",
        *,
        send: Callable[[int, str | None], None] | None = None,
        attend: Callable[[Ingest], None] | None = None,
        **overrides: Any,
    ) -> None:
        self.pulse = Pulse(send)
        self.error = None
        options = Options(run, self.media, **({"retry_s": 0.1} | overrides))

        def work() -> None:
            try:
                run_cameras(self.sites, self.bus, self.frames, self.pulse, options, attend)
            except BaseException as error:  # noqa: BLE001 for the test to look at
                self.error = error

        self.thread = threading.Thread(target=work)
        self.thread.start()

    def stop(self) -> float:
        """Stop the process; how long that took, in seconds."""
        began_s = time.monotonic()
        self.pulse.stop()
        if self.thread is not None:
            self.thread.join(10)
            assert not self.thread.is_alive()
            self.thread = None
        return time.monotonic() - began_s

    def messages(self) -> list[Message | Sample]:
        """All that was sent so far; frames are released, so that there is room."""
        read = self.bus.read(0, self._after, count=10_000, block_ms=0)
        if read:
            self._after = read[-1][0]
            self._consumed += [message for _, message in read]
        tasks = self._queue.take(10_000, block_ms=0)
        for task in tasks:
            if task.body is not None:
                self.frames.release([task.body.frame])
                self._consumed.append(task.body)
        self._queue.done(tasks)
        return self._consumed

    def of(self, camera: str) -> list[Message | Sample]:
        return [message for message in self.messages() if message.camera == camera]

    def samples(self, camera: str) -> list[Result | Sample]:
        """In order, whether looked at or not."""
        found = [message for message in self.of(camera) if isinstance(message, Result | Sample)]
        return sorted(found, key=lambda message: (message.epoch, message.seq))

    def status(self, camera: str) -> CameraStatus | None:
        self.messages()
        return self.bus.statuses([camera]).get(camera)

    def until_state(
        self, camera: str, state: CameraState, reason: StateReason | None = None, limit_s: float = 15
    ) -> CameraStatus:
        found: list[CameraStatus] = []

        def reached() -> bool:
            status = self.status(camera)
            if status is not None and (status.state, status.reason) == (state, reason):
                found.append(status)
            return bool(found)

        until(reached, limit_s)
        return found[0]

    def close(self) -> None:
        self.stop()
        self.bus.close()
        self.frames.close()
        self.engine.dispose()


def until(condition: Callable[[], bool], limit_s: float = 30.0) -> None:
    end_s = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end_s, "waited too long"
        time.sleep(0.01)


def numbers(messages: list[Message | Sample], epoch: int) -> list[int]:
    """The number of every sample of an epoch that something was said of, in order."""
    said: list[int] = []
    for message in messages:
        if message.epoch == epoch and isinstance(message, Result | Sample):
            said.append(message.seq)
        elif message.epoch == epoch and isinstance(message, Lost):
            said.extend(range(message.first, message.last + 1))
    return sorted(said)


def write_clip(path: Path, seconds: float, size: tuple[int, int] = (96, 128)) -> Path:
    """A square that walks through a grey picture at 25 fps, with a keyframe every 10."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", 25)
        stream.height, stream.width = size
        stream.pix_fmt, stream.gop_size = "yuv420p", 10
        stream.options = {"bf": "0"}
        for index in range(round(25 * seconds)):
            picture = flat((90, 90, 90), size)
            x = (4 * index) % 100
            picture[20:60, x : x + 24] = 220
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path
