"""All workers of a system: started and stopped in the order of the data, and looked after in between."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from infra.places import Places
from infra.system.child import Child, wait_for_all
from infra.system.keeper import Keeper
from infra.system.listener import Report
from infra.system.workers import Role, WorkerCommand
from storage.errors import SetupError, UsageError

TAKING: Final = ((Role.DETECT, Role.CLASSIFY), (Role.AGGREGATE,))
"""Who takes samples in, and so goes first; who takes longest to load before the others."""

FOLLOWING: Final = ((Role.INGEST, Role.API), (Role.JOBS, Role.BEAT))
"""Who is started, one group after the other, when those before have come up: live cameras do not wait for recorded footage."""

STOPPING: Final = (
    ((Role.INGEST, Role.JOBS, Role.BEAT), 1.5),
    ((Role.DETECT, Role.CLASSIFY), 1.0),
    ((Role.AGGREGATE, Role.API), 1.5),
)
"""Who is asked to stop, in the order of the data, and for how many seconds is waited; whoever is left then is killed."""

HOPELESS: Final = 3
"""A worker that dies so often before it first came up won't."""


class Crew:
    """The workers, from their start to their end; to be used by one thread."""

    def __init__(
        self,
        workers: Sequence[WorkerCommand],
        spawn: Callable[[WorkerCommand], Child],
        say: Callable[[str], None],
        places: Places,
    ) -> None:
        """Gather them; none is started.

        Args:
            workers: who.
            spawn: starts one.
            say: given a sentence for each thing that a person should know of.
            places: where their logs are.
        """
        self._keepers = [Keeper(worker, spawn, say, places.log(worker.name)) for worker in workers]
        self._followed = 0
        self.ready = False
        """Whether all have come up."""

    def start(self, meanwhile: Callable[[], None]) -> None:
        """Start who takes samples in; the others follow in `turn`.

        Args:
            meanwhile: to be done while the networks are being loaded, before the database is needed.
        """
        self._followed, self.ready = 0, False
        self._start(TAKING[0])
        meanwhile()
        self._start(TAKING[1])

    def turn(self, report: Report) -> tuple[str, ...]:
        """Look after all of them.

        Args:
            report: what was heard of them.

        Returns:
            Names of those that were started again.
        """
        # Without Redis they would only end again.
        held = report.trouble is not None
        again = tuple(
            keeper.worker.name
            for keeper in self._keepers
            if keeper.started and keeper.turn(report.heard.get(keeper.worker.name), held=held)
        )
        if not self.ready and all(keeper.beaten for keeper in self._keepers if keeper.started):
            for roles in FOLLOWING[self._followed :]:
                self._followed += 1
                if self._start(roles):
                    break
            else:
                self.ready = True
        return again

    @contextmanager
    def strictly(self) -> Iterator[None]:
        """Within the block whoever says why it can't come up is taken at its word; see `check_hope`."""
        for keeper in self._keepers:
            keeper.strict = True
        try:
            yield
        finally:
            for keeper in self._keepers:
                keeper.strict = False

    def check_hope(self) -> None:
        """See that those who have not come up yet still may.

        Raises:
            UsageError: one can't, since an option is wrong.
            SetupError: one can't for another reason, or dies each time that it is started.
        """
        for keeper in self._keepers:
            if keeper.refused is not None or (keeper.started and not keeper.beaten and keeper.deaths >= HOPELESS):
                error = UsageError if keeper.refused == UsageError.exit_status else SetupError
                raise error(f"{keeper.worker.name} can't be started: {keeper.reason}")

    @property
    def late(self) -> str:
        """Who has not come up yet, and what is known of it; empty when that is nobody."""
        late = (keeper for keeper in self._keepers if keeper.started and not keeper.beaten)
        return next((f"{keeper.worker.name}: {keeper.reason}" for keeper in late), "")

    @property
    def names(self) -> tuple[str, ...]:
        """Of those that run or are about to."""
        return tuple(keeper.worker.name for keeper in self._keepers if keeper.started)

    def pids(self) -> dict[str, int]:
        """Process ids of those that run, by name."""
        return {keeper.worker.name: keeper.child.pid for keeper in self._keepers if keeper.child is not None}

    def stop(self) -> None:
        """Ask them to stop, in the order of the data, and kill who does not in time."""
        for roles, limit_s in STOPPING:
            children = [keeper.child for keeper in self._keepers if keeper.worker.role in roles]
            asked = [child for child in children if child is not None]
            for child in asked:
                child.ask_to_stop()
            if not wait_for_all(asked, limit_s):
                for child in asked:
                    child.send_kill()

    def kill(self) -> None:
        """End all of them at once."""
        children = [keeper.child for keeper in self._keepers if keeper.child is not None]
        for child in children:
            child.send_kill()
        for child in children:
            child.kill()
        for keeper in self._keepers:
            keeper.forget()

    def _start(self, roles: Sequence[Role]) -> bool:
        """Start those of these roles; False where there are none."""
        keepers = [keeper for keeper in self._keepers if keeper.worker.role in roles]
        for keeper in keepers:
            keeper.start()
        return bool(keepers)
