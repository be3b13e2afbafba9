"""Keeps one worker running: started again when it ends or hangs, at once the first time, later after a pause."""

import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from infra.log import last_complaint
from infra.system.child import Child
from infra.system.listener import Heard
from infra.system.workers import WorkerCommand
from storage.pulse import BEAT_LIFE_S

FIRST_PAUSE_S: Final = 0.5
LONGEST_PAUSE_S: Final = 10.0
LONGEST_PAUSE_AFTER_WORK_S: Final = 1.0
"""Of a worker that had come up: it does come up, and is back within 3 s, however often something kills it."""

SETTLED_S: Final = 20.0
"""Whoever lived that long starts anew with no deaths against it."""

FIRST_BEAT_LIMIT_S: Final = 60.0
"""A worker that has not come up by then never will."""


class Pauses:
    """How long to wait before starting something again.

    >>> pauses = Pauses()
    >>> [pauses.after_death(lived_s=0.1, worked=False) for _ in range(7)]
    [0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 10.0]
    """

    def __init__(self) -> None:
        self.deaths = 0
        """In a row."""

    def after_death(self, *, lived_s: float, worked: bool) -> float:
        """The pause in seconds after a death.

        Args:
            lived_s: how long it lived.
            worked: whether it had come up.
        """
        self.deaths = 1 if lived_s >= SETTLED_S else self.deaths + 1
        if self.deaths == 1:
            return 0.0
        longest_s = LONGEST_PAUSE_AFTER_WORK_S if worked else LONGEST_PAUSE_S
        # No more doublings than it takes to get there: a number of any size would overflow.
        return min(longest_s, FIRST_PAUSE_S * 2.0 ** min(self.deaths - 2, 10))


class Keeper:
    """One worker, from its first start until it is asked to stop."""

    def __init__(
        self,
        worker: WorkerCommand,
        spawn: Callable[[WorkerCommand], Child],
        say: Callable[[str], None],
        log: Path,
    ) -> None:
        """Keep a worker that is started later.

        Args:
            worker: which.
            spawn: starts it.
            say: given a sentence for each time that it has to be started again, or has trouble.
            log: where it says why.
        """
        self.worker = worker
        self.child: Child | None = None
        self.beaten = False
        """Whether the running process has come up."""
        self.strict = False
        """Whether one that ends by itself with a reason, before it has come up, is not started again: it would end again."""
        self.refused: int | None = None
        """The exit status of one that was not started again therefore."""
        self._spawn, self._say, self._log = spawn, say, log
        self._pauses = Pauses()
        self._due_s: float | None = None
        self._trouble: str | None = None
        self._log_bytes = 0

    @property
    def started(self) -> bool:
        """Whether it is to run."""
        return self.child is not None or self._due_s is not None

    @property
    def deaths(self) -> int:
        """In a row, without having lived for long."""
        return self._pauses.deaths

    @property
    def complaint(self) -> str | None:
        """The last error in its log since the last start."""
        return last_complaint(self._log, self._log_bytes)

    @property
    def reason(self) -> str:
        """What is known of why it does not run."""
        complaint = self.complaint
        return f"{complaint} (see {self._log})" if complaint else f"see {self._log}"

    def start(self) -> None:
        """Start it; a start that fails is tried again in later turns."""
        self.beaten, self._due_s, self.refused = False, None, None
        self._log_bytes = self._log.stat().st_size if self._log.exists() else 0
        try:
            self.child = self._spawn(self.worker)
        except OSError as error:
            self._again(f"could not be started ({error.strerror})", lived_s=0.0)

    def forget(self) -> None:
        """It was ended on purpose."""
        self.child, self.beaten, self._due_s, self.refused = None, False, None, None

    def turn(self, heard: Heard | None, *, held: bool = False) -> bool:
        """Look after it; True when it was started again.

        Args:
            heard: the last that was heard of a worker of this name.
            held: what it needs is not there: it is not started again yet.
        """
        if self.child is not None:
            status = self.child.poll()
            # The last words of the process before it don't count.
            mine = heard if heard is not None and heard.beat.pid == self.child.pid else None
            lived_s = time.monotonic() - self.child.started_s
            self.beaten = self.beaten or mine is not None
            if status is not None and status > 0 and self.strict and not self.beaten and self.complaint:
                self.child, self.refused = None, status
            elif status is not None:
                self._again(ending(status), lived_s)
            elif mine is not None and mine.silent_s > BEAT_LIFE_S:
                self.child.kill()
                self._again(f"has shown no sign of life for {mine.silent_s:.0f} s and was killed", lived_s)
            elif not self.beaten and lived_s > FIRST_BEAT_LIMIT_S:
                self.child.kill()
                self._again(f"has not come up within {lived_s:.0f} s and was killed", lived_s)
            elif mine is not None:
                self._hear(mine.beat.trouble)
        if self._due_s is None or time.monotonic() < self._due_s or held:
            return False
        self.start()
        return self.child is not None

    def _again(self, what: str, lived_s: float) -> None:
        pause_s = self._pauses.after_death(lived_s=lived_s, worked=self.beaten)
        self.child, self._due_s = None, time.monotonic() + pause_s
        when = f" in {pause_s:g} s" if pause_s else ""
        self._say(f"{self.worker.name} {what} and is started again{when}: {self.reason}")

    def _hear(self, trouble: str | None) -> None:
        """Say what it waits for, once, and when that is over."""
        if trouble != self._trouble:
            self._say(f"{self.worker.name}: {trouble or 'goes on'}")
            self._trouble = trouble


def ending(status: int) -> str:
    """How a process ended, in words; `status` as `Child.poll` gives it."""
    if status >= 0:
        return f"ended with status {status}"
    try:
        return f"was ended by {signal.Signals(-status).name}"
    except ValueError:
        return f"was ended by signal {-status}"
