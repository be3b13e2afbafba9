"""A process on a leash: it ends when we do, whatever ends us, and whatever it started ends with it."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Final

import infra.leash
from infra.log import APPENDING

KILL_LIMIT_S: Final = 2.0
"""A killed process is gone in milliseconds, unless the kernel has it wait for a device."""


class Child:
    """Started at once, in a session of its own: Ctrl-C at the terminal reaches us alone, and we stop things in order."""

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], log: Path, *, handed: Sequence[int] = ()
    ) -> None:
        """Start it.

        Args:
            command: program and arguments.
            environment: all of it.
            log: what it writes is appended here; to nowhere where that is not possible.
            handed: file descriptors it inherits.

        Raises:
            OSError: no process could be made.
        """
        if threading.current_thread() is not threading.main_thread():
            # The kernel ties the leash to the thread.
            raise RuntimeError("processes are started by the main thread alone")
        leash = [sys.executable, "-I", "-S", infra.leash.__file__, str(os.getpid())]
        with _appending(log) as out:
            self._process = subprocess.Popen(  # noqa: S603 our own commands
                [*leash, *command],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env=environment,
                start_new_session=True,
                pass_fds=tuple(handed),
            )
        self.started_s = time.monotonic()

    @property
    def pid(self) -> int:
        """Its process id, which is also that of its group and session."""
        return self._process.pid

    def poll(self) -> int | None:
        """Its exit status, minus the number of the signal that ended it, or None while it runs.

        When it has ended, what it started ends, too.
        """
        if self._process.returncode is not None:
            return self._process.returncode
        try:
            # Looked at without being collected: until then nobody else can get its process or group number.
            if os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
                return None
        except ChildProcessError:
            return self._process.poll()
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        return self._process.wait()

    def ask_to_stop(self) -> None:
        """Send SIGTERM."""
        if self.poll() is None:
            os.kill(self.pid, signal.SIGTERM)

    def send_kill(self) -> None:
        """Send SIGKILL to it and to what it started; `poll` tells when it is gone."""
        if self.poll() is None:
            os.killpg(self.pid, signal.SIGKILL)

    def kill(self) -> None:
        """End it and what it started, and wait for that."""
        self.send_kill()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(KILL_LIMIT_S)


def wait_for_all(children: Sequence[Child], limit_s: float) -> bool:
    """Wait until all have ended; False when the time is over."""
    until_s = time.monotonic() + limit_s
    while any([child.poll() is None for child in children]):  # noqa: C419 all are looked at
        if time.monotonic() > until_s:
            return False
        time.sleep(0.005)
    return True


def _appending(log: Path) -> IO[bytes]:
    try:
        return os.fdopen(os.open(log, APPENDING, 0o600), "ab")
    except OSError:
        return Path(os.devnull).open("wb")
