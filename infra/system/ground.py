"""What all workers stand on: Redis and the frame store. They are made together and, when Redis is lost, made anew together.

The messages name the frames: without them nobody would ever release what the store holds.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from infra.embedded import redis_command, redis_url, wait_for_socket
from infra.log import redacted
from infra.places import Places
from infra.settings import Settings
from infra.system.child import Child
from infra.system.claim import make_shared, remove_shared
from infra.system.keeper import ending
from infra.system.listener import Listener, Report
from infra.system.workers import worker_environment
from storage.bus import Bus
from storage.errors import SetupError
from storage.framefile import read_head
from storage.frames import create_store
from storage.pulse import BEAT_LIFE_S, BEAT_S

REDIS: Final = "redis"
"""Name of the embedded one's log."""

LOOK_AGAIN_S: Final = 2 * BEAT_S
"""Whoever lives has said so within this time."""


class Ground:
    """Redis, embedded or another's, and the frame store of one run."""

    def __init__(self, settings: Settings, places: Places, run: str, say: Callable[[str], None]) -> None:
        self._settings, self._places, self._say = settings, places, say
        self.redis_url = settings.redis_url or redis_url(places.socket)
        """Where Redis is."""
        self.environment = worker_environment(settings, places, self.redis_url, run)
        """Of the workers."""
        self.redis: Child | None = None
        """The embedded one's process."""
        self._listener: Listener | None = None
        self._identity: str | None = None
        self._trouble = False
        self._before = _store_at(places)

    def lay(self) -> None:
        """Make it; on an error, `clear` takes away what there is.

        Raises:
            SetupError: there is not enough shared memory, or the embedded Redis is missing or does not start.
            BusError: there is no Redis at the address that is set.
        """
        make_shared(self._places)
        create_store(self._places.frames, self._settings.frames_mib)
        if self._settings.redis_url is None:
            self._start_redis()
        bus = Bus(self.redis_url, prefix=self._settings.redis_prefix, partitions=self._settings.partitions)
        bus.ping()
        if self._settings.redis_url is not None:
            self._clear_left(bus)
        self._identity, self._trouble = bus.identity(), False
        self._listener = Listener(bus)

    def clear(self) -> None:
        """Take everything away."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        if self.redis is not None:
            # It has nothing to save.
            self.redis.kill()
            self.redis = None
        self._before = _store_at(self._places)
        with suppress(SetupError):
            remove_shared(self._places)

    def hurry(self, hurried: bool) -> None:
        """Whether it matters to hear of heartbeats at once."""
        if self._listener is not None:
            self._listener.hurried = hurried

    @property
    def report(self) -> Report:
        """What was heard of the workers; never waits."""
        return Report() if self._listener is None else self._listener.report

    def lost(self) -> str | None:
        """Why the ground has to be laid anew, or None while it holds; never waits.

        A Redis of somebody else that is merely away is waited for: it may come back with all it held.
        """
        report = self.report
        if self.redis is not None:
            status = self.redis.poll()
            if status is not None:
                return f"the embedded Redis {ending(status)}"
            if report.away_s > BEAT_LIFE_S:
                return f"the embedded Redis has not answered for {report.away_s:.0f} s"
        if report.identity not in {None, self._identity}:
            return f"Redis at {redacted(self.redis_url)} has lost what it held"
        if (report.trouble is not None) != self._trouble:
            self._trouble = report.trouble is not None
            self._say(report.trouble or "Redis answers again")
        return None

    def _clear_left(self, bus: Bus) -> None:
        """Give up what earlier runs left in a Redis that outlives them, where nobody can see its pictures any more."""
        left = bus.leftovers()
        stores = left.stores()
        # The last one of this folder is gone, whoever named it a moment ago; of others, those that nobody names. Asked
        # twice: where Redis was away itself, everybody's heartbeats have run out.
        others = stores - {self._before} - set(bus.stores_seen().values())
        if others:
            time.sleep(LOOK_AGAIN_S)
            others -= set(bus.stores_seen().values())
        count = left.set_aside(others | (stores & {self._before}))
        if count:
            self._say(f"{count} samples of an earlier run are set aside: the shared memory with their pictures is gone")

    def _start_redis(self) -> None:
        log = self._places.log(REDIS)
        try:
            self.redis = Child(redis_command(self._places.socket), self.environment, log)
            wait_for_socket(self._places.socket, self.redis)
        except OSError as error:
            raise SetupError(f"the embedded Redis could not be started: {error.strerror}") from error
        except SetupError as error:
            raise SetupError(f"{error}; see {log}") from error


def _store_at(places: Places) -> str:
    """The store that an earlier run left there; empty: none."""
    try:
        return read_head(places.frames).identity
    except SetupError:
        return ""
