"""How long work tells that it is alive: a callback, and one that writes to the terminal's stderr."""

import sys
import time
from typing import Protocol, TextIO


class Progress(Protocol):
    """Called as work goes on; cheap enough to be called for every picture or step."""

    def __call__(self, stage: str, done: int, total: int, note: str = "") -> None:
        """`done` of `total` units of `stage` are finished; `note` says how it goes."""
        ...


def silent(stage: str, done: int, total: int, note: str = "") -> None:
    """A `Progress` that says nothing."""


class Terminal:
    """A `Progress` of one line per stage on stderr: rewritten on a terminal, a line every 10 s in a log."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._live = self._stream.isatty()
        self._stage = ""
        self._started = self._last = 0.0
        self._first = 0

    def __call__(self, stage: str, done: int, total: int, note: str = "") -> None:
        now = time.monotonic()
        if stage != self._stage:
            self._stage, self._started, self._last, self._first = stage, now, 0.0, done
        finished = done >= total
        if not finished and now - self._last < (0.2 if self._live else 10.0):
            return
        self._last = now
        pace = (now - self._started) / max(1, done - self._first)
        left = "done" if finished else f"{clock(pace * (total - done))} left"
        line = f"{stage}: {done}/{total}, {left}{', ' + note if note else ''}"
        self._stream.write(f"\r\x1b[K{line}" if self._live else f"{line}\n")
        if self._live and finished:
            self._stream.write("\n")
        self._stream.flush()


class RunClock:
    """Guesses how long a whole run still takes, from the pace of its steps so far, validation and the rest included."""

    def __init__(self, parts: int = 1) -> None:
        """Begin.

        Args:
            parts: trainings of about the same length that the run consists of.
        """
        self._parts, self._part = parts, 0
        self._started: float | None = None
        self._done = 0

    def begin_part(self, part: int) -> None:
        """The training with this number, from 0, begins; those before are done."""
        self._part = part

    def left(self, done: int, total: int) -> str:
        """What is left of the run when `done` of `total` steps of this part are, as `h:mm:ss` or `m:ss`; counts a step."""
        now = time.monotonic()
        if self._started is None:
            self._started = now
            return "?"
        self._done += 1
        to_do = total - done + (self._parts - 1 - self._part) * total
        return clock((now - self._started) / self._done * to_do)


def clock(seconds: float) -> str:
    """A duration as `m:ss`, or `h:mm:ss` from an hour on.

    >>> clock(65.2), clock(3725.0)
    ('1:05', '1:02:05')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
