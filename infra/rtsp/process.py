"""The camera server as a process of its own, started and controlled from here."""

import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import msgspec

import infra.leash
from infra.rtsp.control import Answer, Serving
from infra.rtsp.tape import Stream
from storage.errors import SetupError, UsageError

START_S: Final = 20.0
"""Longest wait for the first line: clips are read by then."""

CALL_S: Final = 10.0
"""Longest wait for an answer; only reading another clip takes longer than milliseconds."""

STOP_S: Final = 2.0
"""How long it is given to end by itself."""


class RtspProcess:
    """`python -m infra.rtsp`, so that serving cameras takes no time from what is measured here; ends with its parent.

    >>> with RtspProcess({"entrance": Path("clip.mp4")}) as cameras:  # doctest: +SKIP
    ...     cameras.call("freeze", name="entrance")
    ...     cameras.call("viewers", name="entrance")
    """

    def __init__(
        self,
        streams: Mapping[str, Path | Stream],
        *,
        port: int = 0,
        user: str | None = None,
        password: str | None = None,
    ) -> None:
        """Nothing is started yet; arguments as for `RtspServer`."""
        self._streams = {name: item if isinstance(item, Stream) else Stream(item) for name, item in streams.items()}
        self._login = (user, password)
        self._process: subprocess.Popen[bytes] | None = None
        self._unread = b""
        self._used_s = 0.0
        self._one_at_a_time = threading.Lock()
        self.port = port

    def start(self) -> None:
        """Start it, and wait until it serves; by the main thread alone.

        Raises:
            UsageError: it runs already, or it was called by another thread.
            SetupError: a clip can't be served, the port is taken, or it does not start.
        """
        if self._process is not None:
            raise UsageError("these cameras run already")
        if threading.current_thread() is not threading.main_thread():
            # The kernel ties the leash to the thread.
            raise UsageError("processes are started by the main thread alone")
        command = [sys.executable, "-I", "-S", infra.leash.__file__, str(os.getpid()), *self._command()]
        self._process = subprocess.Popen(  # noqa: S603 our own command
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
        )
        try:
            if self._login[1] is not None:
                self._write(f"{self._login[1]}\n".encode())
            line = self._line(START_S)
            if b'"port"' not in line:
                raise SetupError(msgspec.json.decode(line, type=Answer).error)
            self.port = msgspec.json.decode(line, type=Serving).port
        except BaseException:
            self.stop()
            raise

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._running().pid

    def url(self, name: str) -> str:
        """The address of a stream, with user and password where they are needed."""
        return str(self.call("url", name=name))

    def call(self, do: str, **args: Any) -> Any:
        """Do what a method of `RtspServer` does, or ask what one of its properties is; see `control.COMMANDS`.

        Args:
            do: its name.
            args: all by name; paths may be `Path`.

        Raises:
            UsageError: it was refused.
            SetupError: the process has ended, or does not answer within `CALL_S`.
        """
        with self._one_at_a_time:
            self._write(msgspec.json.encode({"do": do, **args}, enc_hook=str) + b"\n")
            answer = msgspec.json.decode(self._line(CALL_S), type=Answer)
        if not answer.ok:
            raise UsageError(answer.error)
        return answer.result

    def cpu_s(self) -> float:
        """Processor time that it has used, in seconds; of all of it where it has ended."""
        if self._process is not None:
            with suppress(OSError):
                # What follows the name in parentheses begins with the third field (proc(5)).
                fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
                self._used_s = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        return self._used_s

    def stop(self) -> None:
        """End it, by itself or by force; within seconds. It may be started again."""
        process = self._process
        if process is None:
            return
        self.cpu_s()
        with suppress(OSError):
            process.stdin.close()  # type: ignore[union-attr] # made with a pipe
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()  # type: ignore[union-attr] # made with a pipe
        self._process, self._unread = None, b""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise UsageError("these cameras do not run: start them first")
        return self._process

    def _command(self) -> list[str]:
        user, password = self._login
        command = [sys.executable, "-m", "infra.rtsp", "--port", str(self.port)]
        command += [] if user is None else ["--user", user]
        command += [] if password is None else ["--password-stdin"]
        for name, stream in self._streams.items():
            command += [f"{name}={stream.path.resolve()}", "--start", f"{name}={stream.start_s}"]
            command += [] if stream.loop else ["--once", name]
            command += [] if stream.stated_fps is None else ["--fps", f"{name}={stream.stated_fps}"]
        return command

    def _write(self, line: bytes) -> None:
        with suppress(BrokenPipeError):  # it has ended, as reading will tell
            os.write(self._running().stdin.fileno(), line)  # type: ignore[union-attr] # made with a pipe

    def _line(self, limit_s: float) -> bytes:
        process = self._running()
        source = process.stdout.fileno()  # type: ignore[union-attr] # made with a pipe
        until_s = time.monotonic() + limit_s
        ready = select.poll()
        ready.register(source, select.POLLIN)
        while b"\n" not in self._unread:
            if not ready.poll(max(0.0, until_s - time.monotonic()) * 1000):
                raise SetupError(f"the camera server (process {process.pid}) does not answer within {limit_s:.0f} s")
            data = os.read(source, 65_536)
            if not data:
                raise SetupError(f"the camera server (process {process.pid}) has ended: its own messages say why")
            self._unread += data
        line, _, self._unread = self._unread.partition(b"\n")
        return line
