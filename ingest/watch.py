"""One live camera in a thread: connect, sample, and when it goes away come back with growing patience."""

import threading
import time
from contextlib import closing
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import msgspec
import numpy as np
import structlog
from numpy.typing import NDArray

from ingest.attention import Attention
from ingest.emit import Emitter
from ingest.frame import Frame
from ingest.gauge import Tally
from ingest.knock import Door, rest
from ingest.options import Options
from ingest.patience import Patience
from ingest.picture import Small
from ingest.rules import rules_of, same_connection
from ingest.sight import Sight
from ingest.sources import Source, SourceError, open_source
from ingest.viewing import ViewKeeper
from storage.bus import Bus
from storage.database.addresses import FILE_SCHEME
from storage.database.records import Camera
from storage.database.sites import Sites
from storage.errors import MaskwatchError
from storage.frame_access import Frames
from storage.messages import NS_PER_S
from storage.pulse import Pulse
from storage.status import CameraStatus, StateReason

ALIKE: Final = 0.05
"""A sub-stream whose sides are in another proportion, by more than that, may show another part of the view."""

APART_NS: Final = 2 * NS_PER_S
"""One whose clock is further off can't be put beside the main stream."""

NEEDS_LOG: Final = "an error that nobody foresaw; it is tried again, and the log of the ingest process has more"

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What watches use.

    Attributes:
        sites: numbers epochs.
        bus: to send by.
        frames: to put pixels into.
        options: of the system.
        keeper: of the cameras' views.
    """

    sites: Sites
    bus: Bus
    frames: Frames
    options: Options
    keeper: ViewKeeper


class Watch:
    """Watches one camera until stopped. Its methods are for the main thread, `still` is for any."""

    def __init__(self, camera: Camera, surroundings: Surroundings, tally: Tally) -> None:
        """Start watching.

        Args:
            camera: as it is registered now.
            surroundings: what it uses.
            tally: counted on.
        """
        self.camera = camera
        """As it is watched."""
        self._use = surroundings
        self._pulse = Pulse()
        self._emitter: Emitter | None = None
        self._playing_since_ns = self._begun_ns = 0
        self._turning: threading.Thread | None = None
        self._ending: threading.Thread | None = None
        self._anew = self._silent = False
        self._sight = Sight(camera, surroundings.options.frozen_s, tally)
        self._viewing = surroundings.keeper.of(camera)
        self._attention = Attention(self._sight, self._viewing, surroundings.options)
        self._thread = threading.Thread(target=self._run, name=f"camera-{camera.id}", daemon=True)
        self._thread.start()

    @property
    def ended(self) -> bool:
        """Whether nothing more will come of it."""
        return self._pulse.stopped or not self._thread.is_alive()

    @property
    def alive(self) -> bool:
        """Whether its threads have not ended yet."""
        return self._thread.is_alive() or self._attention.sub.alive

    @property
    def begun(self) -> bool:
        """Whether it has an epoch."""
        return self._emitter is not None

    @property
    def asked_s(self) -> float:
        """When its threads last showed a sign of life; later while they rest, and while the database keeps them waiting."""
        return min(self._pulse.asked_s, self._attention.sub.asked_s) if self.begun else time.monotonic()

    @property
    def seen(self) -> int:
        """Frames so far."""
        return self._sight.gauge.seen

    def still(self) -> Frame | None:
        """The latest picture, to be kept as long as one likes; None while there is none."""
        return self._sight.picture.copy()

    def small(self, width: int) -> Small | None:
        """The latest picture, reduced to at most so many pixels across; None while there is none.

        The sub-stream's, where that shows the same view at the same time: it comes also while the camera idles.
        """
        found, size = self._attention.sub.small(width), self._sight.picture.size
        if found is not None and size is not None:
            height, across = found.rgb.shape[:2]
            alike = abs(across * size[1] / (height * size[0]) - 1.0) <= ALIKE
            if alike and abs(found.at_ns - self._sight.present_ns()) <= APART_NS:
                return found
        return self._sight.picture.small(width)

    def people(self) -> NDArray[np.bool_] | None:
        """Where in it there may be people, a (rows, columns) grid; None: everywhere."""
        return None if self._emitter is None else self._emitter.people()

    def stop(self) -> None:
        """Ask it to end."""
        self._pulse.stop()
        self._attention.sub.stop()

    def abandon(self) -> None:
        """Ask it to end without a word: another process goes on from its epoch."""
        self._silent = True
        self.stop()

    def join(self, limit_s: float) -> None:
        """Wait for its thread; then its epoch ends, whether that has ended or not, without being waited for here.

        A connection being made can't be interrupted, and a bus that hangs takes its time for each camera.
        """
        self._thread.join(max(0.0, limit_s))
        if self._emitter is not None and self._ending is None:
            self._ending = threading.Thread(target=self._emitter.end, name=f"end-{self.camera.id}", daemon=True)
            self._ending.start()

    def over(self, limit_s: float) -> bool:
        """Wait for the end of its epoch, after `join`.

        Returns:
            Whether it is over, or can at least do no harm any more. One that has no epoch yet may still draw one.
        """
        if self._ending is None:
            return not self.alive
        self._ending.join(max(0.0, limit_s))
        return not self._ending.is_alive()

    def renew(self) -> None:
        """Begin a new epoch soon, on the connection that is there."""
        self._anew = True

    def follow(self, camera: Camera) -> bool:
        """Go by what the camera is registered as now, without a new connection; False where it takes one."""
        if not self.begun:
            return camera.version == self.camera.version
        if not same_connection(camera, self.camera):
            return False
        if rules_of(camera, self._use.options) == rules_of(self.camera, self._use.options) and not self._anew:
            self.camera = camera
        elif self._turning is None or not self._turning.is_alive():
            # The database may take its time, and nobody is to wait for it.
            self._turning = threading.Thread(target=self._turn, args=(camera,), name=f"turn-{camera.id}", daemon=True)
            self._turning.start()
        return True

    def tick(self) -> CameraStatus:
        """To be called about twice a second: says that the camera is away while it is, and how it fares."""
        emitter = self._emitter
        if emitter is not None and not self.ended:
            self._attention.follow(self.camera, self._begun_ns)
        silent_ns = self._sight.silent_until_ns(1.5 / self.camera.analyze_fps)
        if emitter is not None and silent_ns is not None:
            emitter.silence(silent_ns)
        status = self._sight.status(0 if emitter is None else emitter.shed)
        return msgspec.structs.replace(
            status, warnings=self._viewing.warnings() + self._attention.warnings(self.camera)
        )

    def _run(self) -> None:
        try:
            emitter = self._begun()
        except MaskwatchError as error:
            # The main loop starts anew whatever has ended.
            log.error("camera can't be started", camera=self.camera.id, error=str(error))  # noqa: TRY400 a sentence
            return
        except Exception as error:
            log.exception("camera can't be started", camera=self.camera.id, error=type(error).__name__)
            return
        if emitter is None:
            return
        patience = Patience(self._use.options.retry_s)
        while not self._pulse.stopping:
            seen, began_s = self.seen, time.monotonic()
            reason, detail = self._watched(emitter)
            if self._pulse.stopping:
                break
            self._sight.fail(reason, detail)
            tried_s = time.monotonic() - began_s
            rest(self._pulse, patience, self._door(), reason, shown=self.seen > seen, tried_s=tried_s)
        if not self._silent:
            emitter.end()

    def _begun(self) -> Emitter | None:
        """Begin an epoch; None when asked to stop meanwhile: then nothing is said of it."""
        camera, use, now_ns = self.camera, self._use, time.time_ns()
        started = use.sites.begin_epoch(camera.id, use.options.run, now_ns)
        if self._pulse.stopping:
            return None
        self._playing_since_ns, self._begun_ns = started.playing_since_ns, now_ns
        rules = rules_of(camera, use.options)
        emitter = Emitter(
            camera.id,
            started.epoch,
            use.bus,
            use.frames,
            self._pulse,
            live=True,
            min_face_px=rules.min_face_px,
            backlog=use.options.backlog,
            drops=self._sight.tally.drops,
        )
        emitter.begin(now_ns, rules.dwell_ns, rules.sample_ns, rules.terms)
        self._emitter = emitter
        return emitter

    def _turn(self, camera: Camera) -> None:
        """Begin an epoch on the connection that is there; whatever keeps us from it, the main loop asks again."""
        anew, self._anew = self._anew, False
        try:
            self._begin_another(camera)
        except MaskwatchError as error:
            self._anew = anew or self._anew
            log.error("camera can't be changed", camera=camera.id, error=str(error))  # noqa: TRY400 a sentence
        except Exception as error:
            self._anew = anew or self._anew
            log.exception("camera can't be changed", camera=camera.id, error=type(error).__name__)

    def _begin_another(self, camera: Camera) -> None:
        emitter, use = self._emitter, self._use
        started = use.sites.begin_epoch(camera.id, use.options.run, time.time_ns())
        rules = rules_of(camera, use.options)
        if emitter is not None and emitter.turn(
            started.epoch, self._sight.present_ns(), rules.dwell_ns, rules.sample_ns, rules.min_face_px, rules.terms
        ):
            self.camera = camera
            log.info("camera is judged anew", camera=camera.id, epoch=started.epoch)

    def _watched(self, emitter: Emitter) -> tuple[StateReason | None, str]:
        """Watch until the camera goes away; why it did."""
        try:
            source = self._opened()
            self._sight.connect(source, steady=urlsplit(self.camera.url).scheme != FILE_SCHEME)
            late = 0
            with closing(self._attention.moments(source, self.camera.analyze_fps, self._pulse)) as moments:
                for moment in moments:
                    if source.late > late:
                        emitter.lose(source.late - late, moment.at_ns)
                        late = source.late
                    if not self._attention.take(emitter, moment):
                        break
        except SourceError as error:
            log.warning("camera is away", camera=self.camera.id, reason=error.reason, error=str(error))
            return error.reason, str(error)
        except Exception as error:  # whatever a library raises over a picture must not end the watch
            # What is gone because all is stopping is no failure.
            if not self._pulse.stopped:
                log.exception("camera failed", camera=self.camera.id, error=type(error).__name__)
        return None, f"the camera at {self.camera.shown_url} met {NEEDS_LOG}"

    def _opened(self) -> Source:
        camera, options = self.camera, self._use.options
        return open_source(
            camera.url,
            fps=camera.analyze_fps,
            transport=camera.transport,
            media_root=options.media_root,
            networks=options.networks,
            playing_since_ns=self._playing_since_ns,
            begun_ns=self._begun_ns,
        )

    def _door(self) -> Door | None:
        """Where to knock; None for what is not in the network."""
        try:
            return Door(self.camera.url, self._use.options.networks.resolved)
        except ValueError:
            return None
