"""The ingest process: watches every camera that is registered and enabled, a thread each."""

import time
from typing import Final

import structlog

from ingest.watch import Options, Watch
from storage.bus import Bus, BusError
from storage.database.records import Camera
from storage.database.sites import Sites
from storage.errors import StorageError
from storage.frames import FrameStore
from storage.pulse import BEAT_S, Pulse
from storage.status import CameraState, CameraStatus

__all__ = ["Options", "run_cameras"]

TURN_S: Final = 1.0
"""Cameras are looked up, and their states sent, this often."""

STOP_S: Final = 1.0
"""Within which all cameras end."""

log = structlog.get_logger(__name__)


def run_cameras(sites: Sites, bus: Bus, frames: FrameStore, pulse: Pulse, options: Options) -> None:
    """Watch until asked to stop; cameras that are added, changed or removed meanwhile are followed within a second or two.

    Args:
        sites: where cameras are registered.
        bus: to send by.
        frames: to put pixels into.
        pulse: asks to stop.
        options: what the cameras have in common.
    """
    house = _House(sites, bus, frames, options)
    next_turn_s = time.monotonic()
    try:
        while not pulse.stopping:
            if time.monotonic() >= next_turn_s:
                next_turn_s = time.monotonic() + TURN_S
                house.turn()
            try:
                pulse.beat(done=house.seen, trouble=house.trouble)
            except BusError as error:
                house.complain(error)
            pulse.wait(BEAT_S)
    finally:
        house.stop()


class _House:
    """All watches."""

    def __init__(self, sites: Sites, bus: Bus, frames: FrameStore, options: Options) -> None:
        self.trouble: str | None = None
        self._sites, self._bus, self._frames, self._options = sites, bus, frames, options
        self._watches: dict[str, Watch] = {}
        self._idle: list[Camera] = []
        self._since_ns: dict[str, int] = {}
        self._memory: str | None = None
        self._seen_before = 0

    @property
    def seen(self) -> int:
        """Frames so far."""
        return self._seen_before + sum(watch.seen for watch in self._watches.values())

    def turn(self) -> None:
        """Follow what is registered, and say how every camera fares."""
        trouble = self.trouble
        self.trouble = None
        try:
            self._follow(self._sites.cameras())
        except StorageError as error:
            # Those that are watched go on.
            self.complain(error, trouble)
        statuses = {name: watch.tick() for name, watch in self._watches.items()}
        now_ns = time.time_ns()
        for camera in self._idle:
            since_ns = self._since_ns.setdefault(camera.id, now_ns)
            statuses[camera.id] = CameraStatus(CameraState.DISABLED, None, since_ns, 0.0, 0.0, None, "arrival")
        try:
            for name, status in statuses.items():
                self._bus.put_status(name, status)
            self._compare_memory(self._bus.identity())
        except BusError as error:
            self.complain(error, trouble)

    def complain(self, error: Exception, before: str | None = None) -> None:
        """Say what is wrong, once."""
        self.trouble = str(error)
        if self.trouble != before:
            log.error("waiting", error=self.trouble)

    def stop(self) -> None:
        """End all watches."""
        for watch in self._watches.values():
            watch.stop()
        until_s = time.monotonic() + STOP_S
        for watch in self._watches.values():
            watch.join(until_s - time.monotonic())

    def _compare_memory(self, memory: str) -> None:
        """A Redis that lost what it held lost the beginnings of the epochs, too: begin new ones."""
        if self._memory not in {None, memory}:
            log.warning("the bus lost what it held: all cameras begin anew")
            for watch in self._watches.values():
                watch.stop()
        self._memory = memory

    def _follow(self, cameras: list[Camera]) -> None:
        wanted = {camera.id: camera for camera in cameras if camera.enabled}
        self._idle = [camera for camera in cameras if not camera.enabled]
        for name, watch in list(self._watches.items()):
            now = wanted.get(name)
            if now is None or now.version != watch.camera.version or watch.ended:
                # The end of one epoch comes before the beginning of the next: what can't end yet is asked next turn.
                patience_s = 0.0 if watch.ended else STOP_S / 2
                watch.stop()
                if not watch.join(patience_s):
                    continue
                self._seen_before += watch.seen
                del self._watches[name]
        for name, camera in wanted.items():
            self._since_ns.pop(name, None)
            if name not in self._watches:
                self._watches[name] = Watch(camera, self._sites, self._bus, self._frames, self._options)
