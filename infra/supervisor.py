"""The supervisor: a whole system, or a part of one, under one data folder, from start to stop.

It holds nothing that matters: facts are in the database, and every process it starts ends with it. So it may be killed
at any moment, and the next start clears away what is left.
"""

import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from threading import Event
from types import TracebackType
from typing import Final, Self

from infra.console import complain
from infra.log import append_line, turn_over
from infra.places import Places, database_url
from infra.settings import Settings
from infra.sites import sealed_sites
from infra.system.child import Child
from infra.system.claim import Claim, clear_leftovers, end_processes
from infra.system.crew import Crew
from infra.system.door import Door
from infra.system.ground import REDIS, Ground
from infra.system.keeper import Pauses
from infra.system.workers import LISTENING, Role, WorkerCommand, worker_commands
from storage.errors import MaskwatchError, SetupError
from storage.files import make_folder

TURN_S: Final = 0.05
"""A worker that dies is noticed within this time."""

READY_LIMIT_S: Final = 60.0
LOGS_S: Final = 5.0
"""How often is seen to the size of the logs."""

SUPERVISOR: Final = "supervisor"
"""Name of its own log."""

NEED_DATABASE: Final = frozenset({Role.INGEST, Role.AGGREGATE, Role.API, Role.JOBS})


class System:
    """A running system, to be used by the main thread alone: the workers' leash is tied to the thread that starts them.

    >>> with System(load_settings()) as system:  # doctest: +SKIP
    ...     system.wait_ready()
    ...     while not done():
    ...         system.check()
    """

    def __init__(
        self,
        settings: Settings,
        workers: Sequence[WorkerCommand] | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 8000,
        say: Callable[[str], None] = complain,
    ) -> None:
        """Plan a system; `with` starts it.

        Args:
            settings: of all its processes.
            workers: what to keep running, see `worker_commands`; all roles where nothing is given.
            host: where the API listens, if it is among them.
            port: likewise; 0 takes any that is free.
            say: given a sentence for each thing that a person should know of: a worker that died, a full disk.
        """
        self.places = Places.of(settings)
        self.run = secrets.token_hex(16)
        """Name of this run."""
        self._settings = settings
        self._workers = worker_commands(settings) if workers is None else tuple(workers)
        self._roles = frozenset(worker.role for worker in self._workers)
        self._host, self._port, self._tell = host, port, say
        self._ground = Ground(settings, self.places, self.run, self._say)
        self._crew = Crew(self._workers, self._spawn, self._say, self.places)
        self._stack = ExitStack()
        self._door: Door | None = None
        self._pauses = Pauses()
        self._laid_s = 0.0
        self._again_s: float | None = None
        self._logs_s = 0.0
        self._migrated = False
        self._noted_ready = False

    def __enter__(self) -> Self:
        """Start it: first who takes in samples; when they have come up, in `check`, who sends them and the API.

        Raises:
            ConflictError: another system runs on the data folder, or the port is in use.
            StorageError: the data folder can't be written, or the database can't be reached.
            SetupError: the database is a newer version's; there is not enough shared memory; something is not installed.
            BusError: there is no Redis at the address that is set.
            UsageError: an address or path that can't be used.
        """
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def redis_url(self) -> str:
        """Where its Redis is."""
        return self._ground.redis_url

    @property
    def url(self) -> str:
        """The address for a browser; empty without the API."""
        return "" if self._door is None else self._door.url

    @property
    def elsewhere(self) -> str:
        """The address for a browser on another machine; empty without the API."""
        return "" if self._door is None else self._door.elsewhere

    @property
    def is_open(self) -> bool:
        """Whether it can be reached from other machines."""
        return self._door is not None and self._door.open

    @property
    def ready(self) -> bool:
        """Whether everything has come up."""
        return self._again_s is None and self._crew.ready

    def pids(self) -> dict[str, int]:
        """Process ids of the running workers by name, and of the embedded Redis as `redis`."""
        redis = self._ground.redis
        return self._crew.pids() | ({} if redis is None else {REDIS: redis.pid})

    def check(self) -> tuple[str, ...]:
        """One turn of looking after everything, to be called some 20 times a second; it does not wait.

        Returns:
            Names of the workers that were started again.
        """
        if self._again_s is None and (reason := self._ground.lost()):
            self._collapse(reason)
        if self._again_s is not None:
            return self._rebuild() if time.monotonic() >= self._again_s else ()
        again = self._crew.turn(self._ground.report)
        if self._crew.ready and not self._noted_ready:
            self._noted_ready = True
            self._ground.hurry(False)
            self._note("info", "ready", after_s=round(time.monotonic() - self._laid_s, 3), pids=self.pids())
        if time.monotonic() - self._logs_s > LOGS_S:
            self._logs_s = time.monotonic()
            for name in (SUPERVISOR, REDIS, *(worker.name for worker in self._workers)):
                turn_over(self.places.log(name))
        return again

    def wait_ready(self, limit_s: float = READY_LIMIT_S, stop: Event | None = None) -> bool:
        """Look after everything until it has come up; False when asked to stop before.

        Raises:
            UsageError, SetupError: a worker can't be started, or not everything has come up within the limit.
        """
        until_s = time.monotonic() + limit_s
        with self._crew.strictly():
            while not self.ready:
                if stop is not None and stop.is_set():
                    return False
                self.check()
                self._crew.check_hope()
                if time.monotonic() > until_s:
                    who = self._crew.late or f"see {self.places.log(SUPERVISOR)}"
                    raise SetupError(f"not everything has come up within {limit_s:g} s; {who}")
                time.sleep(TURN_S / 5)
        return True

    def watch(self, stop: Event, limit_s: float | None = None) -> None:
        """Look after everything until asked to stop, or for so long."""
        until_s = None if limit_s is None else time.monotonic() + limit_s
        while not stop.is_set() and (until_s is None or time.monotonic() < until_s):
            self.check()
            stop.wait(TURN_S)

    def stop(self) -> None:
        """Stop everything within 5 s, in the order of the data, and leave nothing behind."""
        try:
            self._crew.stop()
        finally:
            self._stack.close()

    def _start(self) -> None:
        claim = Claim(self.places)
        self._stack.callback(claim.release)
        # Before anything that may be refused: giving the folder back forgets the name of a run that was killed.
        clear_leftovers(self.places)
        if Role.API in self._roles:
            self._door = Door(self._host, self._port)
            self._stack.callback(self._door.close)
        claim.note(self.run)
        make_folder(self.places.logs, 0o700)
        self._stack.callback(self._ground.clear)
        # Whatever a worker started outside its own group is one of the run's, too.
        self._stack.callback(end_processes, self.run)
        self._stack.callback(self._crew.kill)
        self._lay()
        self._note("info", "started", run=self.run, redis=self.redis_url, url=self.url)

    def _lay(self) -> None:
        """Lay the ground, and start who goes first."""
        self._ground.lay()
        self._ground.hurry(True)
        self._laid_s, self._again_s, self._noted_ready = time.monotonic(), None, False
        self._crew.start(meanwhile=self._migrate)

    def _migrate(self) -> None:
        if self._migrated or not self._roles & NEED_DATABASE:
            return
        from storage.database.engine import migrate, open_engine

        make_folder(self.places.media)
        engine = open_engine(database_url(self._settings))
        try:
            migrate(engine)
            sealed_sites(engine, self._settings, self._say)
        finally:
            engine.dispose()
        self._migrated = True

    def _collapse(self, reason: str) -> None:
        """Redis is gone, and with it every message: whoever still works does so for nothing."""
        pause_s = self._pauses.after_death(lived_s=time.monotonic() - self._laid_s, worked=self._crew.ready)
        self._crew.kill()
        self._ground.clear()
        self._again_s = time.monotonic() + pause_s
        self._say(f"{reason}; everything is started again{f' in {pause_s:g} s' if pause_s else ''}")

    def _rebuild(self) -> tuple[str, ...]:
        try:
            self._lay()
        except MaskwatchError as error:
            self._laid_s = time.monotonic()
            self._collapse(str(error))
            return ()
        return self._crew.names

    def _spawn(self, worker: WorkerCommand) -> Child:
        log, environment = self.places.log(worker.name), self._ground.environment
        if worker.role is not Role.API or self._door is None:
            return Child(worker.command, environment, log)
        door = self._door.listening.fileno()
        return Child(worker.command, {**environment, LISTENING: str(door)}, log, handed=(door,))

    def _say(self, text: str) -> None:
        self._note("warning", text)
        # Nobody may be reading any more; that is no reason to stop watching.
        with suppress(OSError):
            self._tell(text)

    def _note(self, level: str, event: str, **facts: object) -> None:
        append_line(self.places.log(SUPERVISOR), SUPERVISOR, level, event, **facts)
