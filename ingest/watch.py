"""One live camera in a thread: connect, sample, and when it goes away come back with growing patience."""

import random
import threading
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from ingest.emit import Emitter
from ingest.frame import Frame
from ingest.played import PlayedFile
from ingest.sources import Source, SourceError
from ingest.stream import Stream
from storage.bus import Bus
from storage.database.addresses import FILE_SCHEME, media_path
from storage.database.records import Camera
from storage.database.sites import Sites
from storage.errors import InvalidError, MaskwatchError
from storage.frames import FrameStore
from storage.messages import NS_PER_S, nanoseconds
from storage.pulse import Pulse
from storage.status import CameraState, CameraStatus, StateReason

LONGEST_RETRY_S: Final = 60.0
STEADY_S: Final = 10.0
"""A camera that was there for so long is tried again soon; until then patience grows."""

AWAY_S: Final = 1.5
"""A camera that shows nothing for so long is away."""

RATE_S: Final = 5.0
"""Over which rates are measured."""

HANG_S: Final = 30.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Options:
    """What the cameras of a system have in common.

    Attributes:
        run: names this run of the system: files played as cameras go on where they would be, within one run.
        media_root: folder that such files lie in.
        backlog: samples of a camera that may wait for a look.
        retry_s: first wait before a camera is tried again; it doubles with every failure.
        dwell_s: how long a breach must last to become an event, for all cameras; None: each camera's own.
        min_face_px: smallest face that is judged, likewise.
    """

    run: str
    media_root: Path | None
    backlog: int = 10
    retry_s: float = 1.0
    dwell_s: float | None = None
    min_face_px: int | None = None


class Watch:
    """Watches one camera until stopped. Its methods are for the main thread."""

    def __init__(self, camera: Camera, sites: Sites, bus: Bus, frames: FrameStore, options: Options) -> None:
        """Start watching.

        Args:
            camera: as it is registered now; a change of it takes a new watch.
            sites: numbers the epoch.
            bus: to send by.
            frames: to put pixels into.
            options: of the system.
        """
        self.camera = camera
        self._sites, self._bus, self._frames, self._options = sites, bus, frames, options
        self._pulse = Pulse()
        self._emitter: Emitter | None = None
        self._clock = "arrival"
        self._state: tuple[CameraState, StateReason | None, int] = (CameraState.CONNECTING, None, time.time_ns())
        self._seen = self._sampled = 0
        self._last_frame_ns: int | None = None
        self._stirred_s = self._shown_s = time.monotonic()
        self._counts = deque([(self._stirred_s, 0, 0)])
        self._thread = threading.Thread(target=self._run, name=f"camera-{camera.id}", daemon=True)
        self._thread.start()

    @property
    def ended(self) -> bool:
        """Whether nothing more will come of it."""
        return self._pulse.stopping or not self._thread.is_alive()

    @property
    def seen(self) -> int:
        """Frames so far."""
        return self._seen

    def stop(self) -> None:
        """Ask it to end."""
        self._pulse.stop()

    def join(self, limit_s: float) -> bool:
        """Wait for its end; what can't end in time (a connection being made can't be interrupted) sends nothing more.

        Returns:
            Whether it is over. One that is not may still draw an epoch, above that of a watch begun meanwhile.
        """
        self._thread.join(max(0.0, limit_s))
        if self._emitter is not None:
            self._emitter.end()
        return not self._thread.is_alive()

    def tick(self) -> CameraStatus:
        """To be called about once a second: says that the camera is away while it is, and how it fares."""
        now_s = time.monotonic()
        patience_s = max(AWAY_S, 1.5 / self.camera.analyze_fps)
        emitter = self._emitter
        if now_s - self._shown_s > patience_s and emitter is not None:
            emitter.silence(time.time_ns())
        if now_s - self._stirred_s > HANG_S:
            log.error("camera hangs", camera=self.camera.id, hangs_s=round(now_s - self._stirred_s))
        state, reason, since_ns = self._state
        if state is CameraState.LIVE and now_s - self._shown_s > patience_s:
            state, since_ns = CameraState.STALLED, self._last_frame_ns or since_ns
        fps_in, fps_analyzed = self._rates(now_s)
        return CameraStatus(state, reason, since_ns, fps_in, fps_analyzed, self._last_frame_ns, self._clock)

    def _rates(self, now_s: float) -> tuple[float, float]:
        shed = 0 if self._emitter is None else self._emitter.shed
        counts = self._counts
        counts.append((now_s, self._seen, max(0, self._sampled - shed)))
        while len(counts) > 2 and now_s - counts[1][0] >= RATE_S:
            counts.popleft()
        past_s, seen, analyzed = counts[0]
        lasted_s = max(1e-3, now_s - past_s)
        return round((counts[-1][1] - seen) / lasted_s, 1), round(max(0, counts[-1][2] - analyzed) / lasted_s, 1)

    def _run(self) -> None:
        try:
            self._emitter = emitter = self._begun()
        except MaskwatchError as error:
            # The main loop starts anew whatever has ended.
            log.error("camera can't be started", camera=self.camera.id, error=str(error))  # noqa: TRY400 a sentence
            return
        if emitter is None:
            return
        failures = 0
        while not self._pulse.stopping:
            began_s = self._stirred_s = time.monotonic()
            reason = self._watched(emitter)
            if self._pulse.stopping:
                break
            self._enter(CameraState.BACKING_OFF, reason)
            failures = 0 if time.monotonic() - began_s > STEADY_S else failures
            wait_s = self._patience_s(failures, reason)
            failures += 1
            self._stirred_s = time.monotonic() + wait_s
            self._pulse.wait(wait_s)
        emitter.end()

    def _begun(self) -> Emitter | None:
        """Begin an epoch; None when asked to stop meanwhile: then nothing is said of it."""
        camera, options, now_ns = self.camera, self._options, time.time_ns()
        started = self._sites.begin_epoch(camera.id, options.run, now_ns)
        if self._pulse.stopping:
            return None
        self._playing_since_ns, self._begun_ns = started.playing_since_ns, now_ns
        emitter = Emitter(
            camera.id,
            started.epoch,
            self._bus,
            self._frames,
            self._pulse,
            live=True,
            min_face_px=camera.min_face_px if options.min_face_px is None else options.min_face_px,
            backlog=options.backlog,
        )
        dwell_s = camera.policy.dwell_s if options.dwell_s is None else options.dwell_s
        emitter.begin(now_ns, nanoseconds(dwell_s), round(NS_PER_S / camera.analyze_fps))
        return emitter

    def _watched(self, emitter: Emitter) -> StateReason | None:
        """Watch until the camera goes away; why it did."""
        try:
            source = self._source()
            self._clock = source.clock
            late = 0
            for frame in source.frames(self._pulse):
                self._show(frame)
                if source.late > late:
                    emitter.lose(source.late - late, frame.at_ns)
                    late = source.late
                if frame.sampled:
                    self._sampled += 1
                    if not emitter.take(frame):
                        break
        except SourceError as error:
            log.warning("camera is away", camera=self.camera.id, reason=error.reason, error=str(error))
            return error.reason
        except Exception as error:  # whatever a library raises over a picture must not end the watch
            log.exception("camera failed", camera=self.camera.id, error=type(error).__name__)
        return None

    def _source(self) -> Source:
        camera = self.camera
        if not camera.url.startswith(f"{FILE_SCHEME}:"):
            return Stream(camera.url, camera.analyze_fps)
        try:
            path = media_path(camera.url, self._options.media_root)
        except InvalidError as error:
            raise SourceError(StateReason.NOT_FOUND, str(error)) from None
        return PlayedFile(path, camera.analyze_fps, self._playing_since_ns, self._begun_ns)

    def _show(self, frame: Frame) -> None:
        self._stirred_s = self._shown_s = time.monotonic()
        self._seen += 1
        self._last_frame_ns = frame.at_ns
        if self._state[0] is not CameraState.LIVE:
            log.info("camera is live", camera=self.camera.id)
            self._enter(CameraState.LIVE, None)

    def _enter(self, state: CameraState, reason: StateReason | None) -> None:
        if self._state[:2] != (state, reason):
            self._state = (state, reason, time.time_ns())

    def _patience_s(self, failures: int, reason: StateReason | None) -> float:
        """How long to wait: longer each time, and never in step with other cameras of the same switch."""
        longest_s = LONGEST_RETRY_S
        # Cameras lock the account after a few wrong passwords; a corrected one is tried at once, by a new watch.
        wait_s = longest_s if reason is StateReason.WRONG_PASSWORD else self._options.retry_s * 2.0 ** min(failures, 10)
        return min(longest_s, wait_s) * random.uniform(0.75, 1.0)  # noqa: S311 no secret
