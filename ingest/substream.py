"""A camera's sub-stream, in a thread: the smaller picture of the same view says when nothing moves, so that the main one can idle.

Whatever is wrong with it gives no quiet time: then all of the main stream is decoded.
"""

import math
import threading
import time
from collections.abc import Callable
from contextlib import closing
from typing import Final

import structlog

from ingest.frame import Frame
from ingest.idling import Quiet
from ingest.knock import Door, rest
from ingest.options import Options
from ingest.patience import Patience
from ingest.picture import LatestPicture, Small
from ingest.source import SourceError
from ingest.sources import open_source
from ingest.stillness import Stillness
from ingest.stream import Stream
from storage.database.records import Camera
from storage.pulse import Pulse
from storage.status import StateReason

MEANWHILE: Final = "all of the main stream is decoded"
WAIT_S: Final = 0.2
"""While the main stream is away it is looked at so often."""

UNTIMED: Final = "only a sub-stream over RTSP can be compared with it: give its rtsp:// address"

log = structlog.get_logger(__name__)


class Substream:
    """One address, until stopped. Its methods are for any thread."""

    def __init__(self, camera: Camera, options: Options, begun_ns: int, live: Callable[[], bool]) -> None:
        """Start the thread.

        Args:
            camera: it has a sub-stream.
            options: of the system.
            begun_ns: Unix time of the epoch's beginning; files that are played begin there.
            live: whether the main stream shows something; until it does no connection is made: a camera whose password is
                wrong must not be asked twice as often.
        """
        self.url = camera.substream_url
        self.regions = camera.regions
        self.pulse = Pulse()
        self._camera, self._options, self._begun_ns, self._live = camera, options, begun_ns, live
        self._quiet: Quiet | None = None
        self._trouble: str | None = None
        self._picture = LatestPicture()
        self._seen = 0
        self._thread = threading.Thread(target=self._run, name=f"substream-{camera.id}", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether its thread has not ended yet."""
        return self._thread.is_alive()

    def quiet(self) -> Quiet | None:
        """Since when and until when nothing has moved; None where it can't tell."""
        return self._quiet

    def latest(self) -> Frame | None:
        """The latest picture, in memory of its own; None while there is none."""
        return self._picture.copy()

    def small(self, width: int) -> Small | None:
        """The latest picture, at most so many pixels wide; None while there is none."""
        return self._picture.small(width)

    def warning(self) -> str | None:
        """What is wrong with it, in a sentence; None: nothing, or not known yet."""
        return None if self._trouble is None else f"substream: {MEANWHILE}, since {self._trouble}"

    def _run(self) -> None:
        patience = Patience(self._options.retry_s)
        while not self.pulse.stopping:
            if not self._live():
                self.pulse.wait(WAIT_S)
                continue
            seen, began_s = self._seen, time.monotonic()
            reason, self._trouble = self._watched()
            self._quiet = None
            self._picture.drop()
            if self.pulse.stopping:
                break
            tried_s = time.monotonic() - began_s
            rest(self.pulse, patience, self._door(), reason, shown=self._seen > seen, tried_s=tried_s)

    def _watched(self) -> tuple[StateReason | None, str]:
        """Watch until it goes away; why it did."""
        options, camera = self._options, self._camera
        try:
            source = open_source(
                self.url or "",
                fps=camera.analyze_fps,
                transport=camera.transport,
                media_root=options.media_root,
                networks=options.networks,
                playing_since_ns=self._begun_ns,
                begun_ns=self._begun_ns,
            )
            stillness = Stillness(options.frozen_s)
            with closing(source.frames(self.pulse)) as frames:  # type: ignore[type-var]
                for frame in frames:
                    came_ns = source.came_ns if isinstance(source, Stream) else None
                    with self._picture.of(frame):
                        self._take(stillness, frame, came_ns)
        except SourceError as error:
            log.warning("sub-stream is away", camera=camera.id, reason=error.reason, error=str(error))
            return error.reason, str(error)
        except Exception as error:  # whatever a library raises over a picture, the main stream is watched on
            log.exception("sub-stream failed", camera=camera.id, error=type(error).__name__)
        return (
            None,
            "reading the sub-stream failed in a way that nobody foresaw: the log of the ingest process has more",
        )

    def _take(self, stillness: Stillness, frame: Frame, came_ns: int | None) -> None:
        self._seen += 1
        if not frame.sampled:
            return
        if came_ns is None:
            self._trouble = UNTIMED
            return
        self._quiet = stillness.judge(frame.luma(), came_ns, time.monotonic(), self.regions)
        self._trouble = stillness.trouble

    def _door(self) -> Door | None:
        try:
            return Door(self.url or "", self._options.networks.resolved)
        except ValueError:
            return None


class Substreams:
    """That of one watch, whichever it is just now; `follow` and `stop` are for the main thread, the rest for any."""

    def __init__(self, options: Options, live: Callable[[], bool]) -> None:
        """Begin without any; arguments as for `Substream`."""
        self._options, self._live = options, live
        self._now: Substream | None = None
        self._all: list[Substream] = []

    @property
    def wanted(self) -> bool:
        """Whether there is one."""
        return self._now is not None

    @property
    def alive(self) -> bool:
        """Whether a thread has not ended yet."""
        return any(one.alive for one in self._all)

    @property
    def asked_s(self) -> float:
        """When that of its threads showed a sign of life which has not for longest; later while it rests."""
        return min((one.pulse.asked_s for one in self._all if one.alive), default=math.inf)

    def follow(self, camera: Camera, begun_ns: int) -> bool:
        """Go by what the camera is registered as now: watch another address, or none; whether there is another now."""
        self._all = [one for one in self._all if one.alive]
        if self._now is not None and self._now.url == camera.substream_url:
            self._now.regions = camera.regions
            return False
        self.stop()
        if camera.substream_url is None:
            return False
        self._now = Substream(camera, self._options, begun_ns, self._live)
        self._all.append(self._now)
        return True

    def quiet(self) -> Quiet | None:
        """What it says now."""
        one = self._now
        return None if one is None else one.quiet()

    def latest(self) -> Frame | None:
        """Its latest picture, in memory of its own; None while there is none."""
        one = self._now
        return None if one is None else one.latest()

    def small(self, width: int) -> Small | None:
        """Its latest picture, at most so many pixels wide; None while there is none."""
        one = self._now
        return None if one is None else one.small(width)

    def warnings(self, hindrance: str | None) -> tuple[str, ...]:
        """What keeps the main stream from idling, a sentence each.

        Args:
            hindrance: of the main stream, see `ingest.idling.Hindrance`; None: none.
        """
        one = self._now
        if one is None:
            return ()
        found = one.warning()
        why = None if hindrance is None else f"substream: {MEANWHILE}, since it {hindrance}"
        return tuple(sentence for sentence in (found, why) if sentence is not None)

    def stop(self) -> None:
        """Ask it to end."""
        if self._now is not None:
            self._now.pulse.stop()
        self._now = None
