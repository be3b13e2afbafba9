"""What a camera shows us, over all its connections: fed by the thread that watches it, asked by others."""

import time
from enum import Enum, auto
from typing import Final

import structlog

from ingest.frame import Frame, Unseen
from ingest.frozen import Frozen
from ingest.gauge import Gauge, Tally
from ingest.picture import LatestPicture
from ingest.source import Source
from ingest.standing import Standing
from storage.database.records import Camera
from storage.messages import NS_PER_S
from storage.status import CameraStatus, StateReason

LAG_S: Final = 3.0
"""Pictures may be under way for so long before the connection is given up: nothing is said of these moments until then."""

SILENCE_S: Final = 1.0
"""While a camera is away, that is said so often."""

log = structlog.get_logger(__name__)


class Shown(Enum):
    """What a frame is good for."""

    NOTHING = auto()
    SAMPLE = auto()
    PAST = auto()
    """It is due as a sample, but the camera is frozen."""


class Sight:
    """One camera's."""

    def __init__(self, camera: Camera, frozen_s: float, tally: Tally) -> None:
        """Begin without a connection.

        Args:
            camera: as it is registered.
            frozen_s: a picture that has not changed for so long is frozen.
            tally: counted on.
        """
        now_s, now_ns = time.monotonic(), time.time_ns()
        self.tally = tally
        self.gauge = Gauge(now_s)
        self.picture = LatestPicture()
        self._camera = camera.id
        self._frozen_s = frozen_s
        self._standing = Standing(camera.shown_url, now_s, now_ns)
        self._source: Source | None = None
        self._frozen: Frozen | None = None
        self._fresh = True
        self._last_frame_ns: int | None = None
        # The latest moment that something is known of: its capture time, and when that was.
        self._known = (now_ns, now_s)
        self._sampled_s, self._silence_s = now_s, 0.0

    def connect(self, source: Source, *, steady: bool) -> None:
        """A connection is being made.

        Args:
            source: which.
            steady: pictures come all the time, and are never the same; not so from files and folders.
        """
        self._source, self._fresh = source, True
        self._frozen = Frozen(self._frozen_s) if steady else None
        self._standing.connected(stalls=steady)

    def take(self, frame: Frame) -> Shown:
        """Take in the next frame."""
        now_s, frozen = time.monotonic(), self._standing.frozen
        self.tally.connections += self._fresh
        self._fresh = False
        if frame.sampled and self._frozen is not None:
            frozen = self._frozen.judge(frame.luma(), now_s)
        if self._standing.shown(now_s, time.time_ns(), frozen=frozen):
            log.info("camera is live", camera=self._camera)
        if not frame.kept:
            self.gauge.seen += 1
            self._last_frame_ns = frame.at_ns
        self._known = (frame.at_ns, now_s)
        if not frame.sampled:
            return Shown.NOTHING
        self._sampled_s = now_s
        if frozen:
            return Shown.PAST
        self.gauge.sampled += 1
        return Shown.SAMPLE

    def pass_by(self, unseen: Unseen) -> None:
        """Take in a frame of an idle camera."""
        now_s = time.monotonic()
        if unseen.sampled:
            self._known = (unseen.at_ns, now_s)
            self._sampled_s = now_s
            self.gauge.sampled += 1
            return
        self._standing.shown(now_s, time.time_ns(), frozen=self._standing.frozen)
        self.gauge.seen += 1
        self._last_frame_ns = unseen.at_ns

    @property
    def showing(self) -> bool:
        """Whether it is connected and has shown something; what, may be long ago."""
        return not self._fresh

    def fail(self, reason: StateReason | None, detail: str) -> None:
        """The connection is given up, or could not be made."""
        self.picture.drop()
        self._fresh = True
        self._standing.failed(reason, detail, time.time_ns())

    def present_ns(self) -> int:
        """The present by the camera's clock, which need not be ours."""
        known_ns, known_s = self._known
        return known_ns + round((time.monotonic() - known_s) * NS_PER_S)

    def silent_until_ns(self, least_s: float) -> int | None:
        """Capture time until which nothing is to be seen, where that is to be said now; None otherwise.

        Args:
            least_s: shorter silences are none.
        """
        now_s = time.monotonic()
        if now_s - self._sampled_s <= max(LAG_S, least_s, self._standing.patience_s()) or not self.silence_due(now_s):
            return None
        return self.present_ns() - round(LAG_S * NS_PER_S)

    def silence_due(self, now_s: float) -> bool:
        """Whether a silence is to be told of again; then it counts as told."""
        due = now_s - self._silence_s >= SILENCE_S
        self._silence_s = now_s if due else self._silence_s
        return due

    def status(self, shed: int) -> CameraStatus:
        """How it fares.

        Args:
            shed: samples so far that were given up.
        """
        now_s, source = time.monotonic(), self._source
        state = self._standing.at(now_s, None if source is None else source.trouble)
        fps_in, fps_analyzed = self.gauge.rates(now_s, shed)
        return CameraStatus(
            state.state,
            state.reason,
            state.since_ns,
            fps_in,
            fps_analyzed,
            self._last_frame_ns,
            "arrival" if source is None else source.clock,
            state.detail,
            dict(self.tally.drops),
            reconnects=self.tally.reconnects,
        )
