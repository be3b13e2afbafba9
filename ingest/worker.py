"""The ingest process: watches the cameras that are its own, a thread each, and follows what is registered."""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
import structlog
from numpy.typing import NDArray

from ingest.frame import Frame
from ingest.gauge import Tally
from ingest.hanging import Hanging
from ingest.options import Options
from ingest.picture import Small
from ingest.registry import Registry
from ingest.viewing import ViewKeeper
from ingest.watch import Surroundings, Watch
from storage.bus import Bus, BusError
from storage.database.records import Camera
from storage.database.sites import Sites
from storage.errors import MaskwatchError
from storage.frame_access import Frames
from storage.pulse import BEAT_LIFE_S, BEAT_S, Pulse
from storage.status import CameraState, CameraStatus

__all__ = ["HangError", "House", "Options", "run_cameras"]

TURN_S: Final = BEAT_S
"""Cameras are followed this often."""

SAY_S: Final = 1.0 - TURN_S / 2
"""Their states are sent this often; when they change, at once."""

STOP_S: Final = 1.0
"""Within which all cameras end."""

THREADS_S: Final = 0.4
"""Of that time, for their threads: one that waits for its camera does not end sooner for being waited for."""

UNSUPERVISED_S: Final = BEAT_LIFE_S + 10.0
"""Whoever does not beat is killed by the supervisor; where there is none, this process ends by itself."""

log = structlog.get_logger(__name__)


class HangError(MaskwatchError):
    """A camera hangs in a library, and nothing but the end of the process ends that."""


def run_cameras(
    sites: Sites,
    bus: Bus,
    frames: Frames,
    pulse: Pulse,
    options: Options,
    attend: Callable[["House"], None] | None = None,
) -> None:
    """Watch until asked to stop; cameras that are added, changed or removed meanwhile are followed within two seconds.

    Args:
        sites: where cameras are registered.
        bus: to send by.
        frames: to put pixels into.
        pulse: asks to stop; it no longer beats when a camera hangs.
        options: what the cameras have in common.
        attend: run by a thread beside it, until asked to stop; whatever else this process does with its cameras.

    Raises:
        HangError: a camera hangs, and nobody has killed this process for it.
    """
    keeper = ViewKeeper(options.views, options.view_s)
    house = House(Surroundings(sites, bus, frames, options, keeper))
    attendant = threading.Thread(target=attend, args=(house,), name="attendant", daemon=True) if attend else None
    hung_s: float | None = None
    try:
        if attendant is not None:
            attendant.start()
        while not pulse.stopping:
            house.turn()
            if house.hanging is None:
                try:
                    pulse.beat(done=house.seen, trouble=house.trouble)
                except BusError as error:
                    house.complain(str(error))
            elif hung_s is None:
                hung_s = time.monotonic()
                log.critical("a camera hangs: this process is to be started anew", camera=house.hanging)
            elif time.monotonic() - hung_s > UNSUPERVISED_S:
                raise HangError(f"camera {house.hanging} hangs: this process ends, to be started anew")
            pulse.wait(TURN_S)
    finally:
        # After a hang, whoever is in view stays so for the next process.
        until_s = time.monotonic() + STOP_S
        keeper.close()
        house.stop(say_so=hung_s is None)
        if attendant is not None:
            # It was asked to stop together with us.
            attendant.join(max(0.0, until_s - time.monotonic()))


class House:
    """All watches of this process. Its methods are for the main thread, those that say what is seen are for any."""

    def __init__(self, surroundings: Surroundings) -> None:
        """Begin without any.

        Args:
            surroundings: what they use.
        """
        self.trouble: str | None = None
        """What is being waited for."""
        self.hanging: str | None = None
        """A camera whose thread hangs."""
        self._use = surroundings
        self._registry = Registry(surroundings.sites.cameras)
        self._watches: dict[str, Watch] = {}
        self._lingering: list[Watch] = []
        self._tallies: dict[str, Tally] = {}
        self._idle: list[Camera] = []
        self._since_ns: dict[str, int] = {}
        self._memory: str | None = None
        self._seen_before = 0
        self._hanging = Hanging()
        self._said: dict[str, CameraStatus] = {}
        self._said_s = 0.0
        self._complaint: str | None = None

    @property
    def seen(self) -> int:
        """Frames so far."""
        return self._seen_before + sum(watch.seen for watch in self._watches.values())

    def watched(self) -> Sequence[str]:
        """Identifiers of the cameras that are watched here."""
        return tuple(self._watches.copy())

    def still(self, camera: str) -> Frame | None:
        """The latest picture of one of them; None while there is none."""
        watch = self._watches.get(camera)
        return None if watch is None else watch.still()

    def small(self, camera: str, width: int) -> Small | None:
        """Likewise, reduced to at most so many pixels across."""
        watch = self._watches.get(camera)
        return None if watch is None else watch.small(width)

    def people(self, camera: str) -> NDArray[np.bool_] | None:
        """Where in it there may be people, a (rows, columns) grid; None: everywhere."""
        watch = self._watches.get(camera)
        return None if watch is None else watch.people()

    def turn(self) -> None:
        """Follow what is registered, and say how every camera fares."""
        # While the database does not answer, those that are watched go on.
        self.trouble = None
        if self._registry.trouble is not None:
            self.complain(self._registry.trouble)
        if self._registry.cameras is not None:
            self._follow([camera for camera in self._registry.cameras if self._use.options.mine(camera.id)])
        statuses = {name: watch.tick() for name, watch in self._watches.items()}
        now_ns = time.time_ns()
        for camera in self._idle:
            since_ns = self._since_ns.setdefault(camera.id, now_ns)
            # One whose password can't be read would only lock its account.
            statuses[camera.id] = CameraStatus(
                CameraState.DISABLED, None, since_ns, 0.0, 0.0, None, "arrival", detail=camera.trouble
            )
        try:
            self._say(statuses)
            self._compare_memory(self._use.bus.identity())
        except BusError as error:
            self.complain(str(error))
        if self.trouble is None:
            self._complaint = None
        self._lingering = [watch for watch in self._lingering if watch.alive]
        self.hanging = self._hanging.turn([*self._watches.values(), *self._lingering], time.monotonic())

    def complain(self, trouble: str) -> None:
        """Say what is wrong, once."""
        self.trouble = trouble
        if trouble != self._complaint:
            log.error("waiting", error=trouble)
            self._complaint = trouble

    def stop(self, *, say_so: bool = True) -> None:
        """End all watches, within `STOP_S`.

        Args:
            say_so: end their epochs, too: then nobody goes on from them.
        """
        until_s = time.monotonic() + STOP_S
        self._registry.close(0.0)
        for watch in self._watches.values():
            watch.stop() if say_so else watch.abandon()
        if say_so:
            _over(list(self._watches.values()), STOP_S)
            self._registry.close(max(0.0, until_s - time.monotonic()))

    def _say(self, statuses: dict[str, CameraStatus]) -> None:
        """Send all states once a second, and at once those that have changed."""
        now_s = time.monotonic()
        all_of_them = now_s - self._said_s >= SAY_S
        for name, status in statuses.items():
            said = self._said.get(name)
            if all_of_them or said is None or (said.state, said.reason) != (status.state, status.reason):
                self._use.bus.put_status(name, status)
        self._said, self._said_s = statuses, now_s if all_of_them else self._said_s

    def _compare_memory(self, memory: str) -> None:
        """A Redis that lost what it held lost the beginnings of the epochs, too: begin new ones."""
        if self._memory not in {None, memory}:
            log.warning("the bus lost what it held: all cameras begin anew")
            for watch in self._watches.values():
                watch.renew()
        self._memory = memory

    def _follow(self, cameras: list[Camera]) -> None:
        wanted = {camera.id: camera for camera in cameras if camera.enabled and camera.trouble is None}
        self._idle = [camera for camera in cameras if camera.id not in wanted]
        leaving = [
            name
            for name, watch in self._watches.items()
            if name not in wanted or watch.ended or not watch.follow(wanted[name])
        ]
        for name in leaving:
            self._watches[name].stop()
        # The end of one epoch comes before the beginning of the next: what can't end yet is asked next turn.
        for watch in _over([self._watches[name] for name in leaving], STOP_S / 2):
            self._seen_before += watch.seen
            self._lingering.append(watch)
            del self._watches[watch.camera.id]
        for name, camera in wanted.items():
            self._since_ns.pop(name, None)
            if name not in self._watches:
                tally = self._tallies.setdefault(name, Tally())
                self._watches[name] = Watch(camera, self._use, tally)


def _over(watches: Sequence[Watch], limit_s: float) -> list[Watch]:
    """Wait for the end of watches that were asked to; all together take no longer than the limit.

    Returns:
        Those that are over.
    """
    began_s = time.monotonic()
    for watch in watches:
        watch.join(began_s + THREADS_S - time.monotonic())
    return [watch for watch in watches if watch.over(began_s + limit_s - time.monotonic())]
