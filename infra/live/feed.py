"""The source in a thread of its own: its newest frame, and how the connection fares. Nothing waits in a queue."""

import random
import threading
import time
from contextlib import closing
from dataclasses import dataclass
from typing import Final

from infra.live.target import Kind, Target
from ingest.frame import Frame
from ingest.frozen import FROZEN_S, Frozen
from ingest.gauge import Gauge
from ingest.patience import Patience
from ingest.source import Source, SourceError
from ingest.standing import Standing
from storage.errors import InputError, MaskwatchError, StorageError
from storage.messages import NS_PER_S
from storage.pulse import Pulse
from storage.status import CameraState, StateReason

LONGEST_RETRY_S: Final = 4.0
"""Somebody sits in front of the page and waits."""

PLAUSIBLE_NS: Final = 30 * NS_PER_S
"""A capture time that is further from the arrival is that of a clock which is set wrong."""


@dataclass(frozen=True, slots=True, eq=False)
class Arrived:
    """A frame that has come.

    Attributes:
        number: of the frame since the start, from 1.
        frame: the frame; its time is the source's.
        captured_ns: Unix time of its capture where the source knows it, else of its arrival.
        connection: number of the connection that it came by.
    """

    number: int
    frame: Frame
    captured_ns: int
    connection: int


@dataclass(frozen=True, slots=True)
class Connection:
    """How the source fares.

    Attributes:
        state: in the words of the interface.
        reason: why it is not live, or None.
        detail: likewise in a sentence, with what to do next.
        since_ns: Unix time since when.
        retry_in_s: when it is tried again, None where it isn't waited for.
        fps_in: frames a second that arrive.
        frames: that have arrived since the start.
        reconnects: how often the connection was made anew.
        clock: where capture times come from: `rtcp`, `arrival`, `file`.
    """

    state: CameraState
    reason: StateReason | None
    detail: str | None
    since_ns: int
    retry_in_s: float | None
    fps_in: float
    frames: int
    reconnects: int
    clock: str


class Feed:
    """Reads a source until it ends or is stopped, and comes back to one that goes away, with growing patience."""

    def __init__(self, target: Target, fps: float) -> None:
        """Prepare.

        Args:
            target: what to read.
            fps: samples a second that the source is asked for.
        """
        self._target, self._fps = target, fps
        self._pulse = Pulse()
        self._news = threading.Condition()
        self._newest: Arrived | None = None
        self._connections = 0
        self._fresh = False
        self._source: Source | None = None
        now_s = time.monotonic()
        self._standing = Standing(target.shown, now_s, time.time_ns())
        self._gauge = Gauge(now_s)
        self._retry_at_s: float | None = None
        self._clock = "arrival"
        self.error: MaskwatchError | None = None
        """What ended it for good, or None."""
        self._thread = threading.Thread(target=self._run, name="source", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def stop(self) -> None:
        """Ask it to end."""
        self._pulse.stop()
        self._tell()

    def join(self, limit_s: float) -> bool:
        """Wait for its end; a connection that is being made can't be interrupted. Gives whether it is over."""
        self._thread.join(max(0.0, limit_s))
        return not self._thread.is_alive()

    @property
    def ended(self) -> bool:
        """Whether no more frames will come."""
        return self._pulse.stopping or (self._thread.ident is not None and not self._thread.is_alive())

    def newest(self, after: int, limit_s: float) -> Arrived | None:
        """The newest frame if its number is above `after`, waited for `limit_s` seconds at most."""
        with self._news:
            self._news.wait_for(lambda: self._pulse.stopping or self._is_news(after), limit_s)
            return self._newest if self._is_news(after) else None

    def connection(self) -> Connection:
        """How it fares now."""
        now_s = time.monotonic()
        with self._news:
            state = self._standing.at(now_s, None if self._source is None else self._source.trouble)
            retry_s = None if self._retry_at_s is None else max(0.0, self._retry_at_s - now_s)
            return Connection(
                state.state, state.reason, state.detail, state.since_ns, retry_s, self._gauge.rates(now_s, 0)[0], self._gauge.seen,
                max(0, self._connections - 1), self._clock,
            )  # fmt: skip

    def _is_news(self, after: int) -> bool:
        return self._newest is not None and self._newest.number > after

    def _run(self) -> None:
        patience = Patience()
        try:
            while not self._pulse.stopping:
                before = self._gauge.seen
                reason, detail = self._read()
                if self._pulse.stopping or self._target.ends:
                    return
                shown = self._gauge.seen > before
                wait_s = patience.after(reason, shown=shown, jitter=random.random())  # noqa: S311 no secret
                if reason is not StateReason.WRONG_PASSWORD:
                    wait_s = min(LONGEST_RETRY_S, wait_s)
                with self._news:
                    self._retry_at_s = time.monotonic() + wait_s
                    self._standing.failed(reason, detail, time.time_ns())
                self._pulse.wait(wait_s)
                self._retry_at_s = None
        except MaskwatchError as error:
            self.error = error

    def _read(self) -> tuple[StateReason | None, str]:
        """Read until the source goes away, and why it did.

        Raises:
            MaskwatchError: it will never come.
        """
        try:
            self._source = source = self._target.open(self._fps)
            self._fresh = True
            with self._news:
                self._standing.connected(stalls=self._target.kind is not Kind.FOLDER)
            frozen = Frozen(FROZEN_S)
            with closing(source.frames(self._pulse)) as frames:  # type: ignore[type-var]
                for frame in frames:
                    # A picture in a folder is a sample for as long as it is what there is.
                    still = self._target.kind in {Kind.ADDRESS, Kind.WEBCAM} and frame.sampled
                    self._show(frame, source.clock, still and frozen.judge(frame.luma(), time.monotonic()))
        except SourceError as error:
            return error.reason, str(error)
        except (InputError, StorageError) as error:
            if self._target.ends:
                raise
            return StateReason.UNSUPPORTED_CODEC if isinstance(error, InputError) else None, str(error)
        except Exception as error:
            # Whatever a library raises over a picture must not end the watch.
            if self._target.ends:
                raise InputError(f"{self._target.shown} can't be read ({type(error).__name__})") from error
            return None, f"{self._target.shown} failed ({type(error).__name__}): it is opened anew"
        return None, f"{self._target.shown} has ended: it is opened anew"

    def _show(self, frame: Frame, clock: str, frozen: bool) -> None:
        now_s, now_ns = time.monotonic(), time.time_ns()
        captured_ns = frame.at_ns if clock != "file" and 0 <= now_ns - frame.at_ns < PLAUSIBLE_NS else now_ns
        with self._news:
            self._connections += self._fresh
            self._fresh = False
            self._gauge.seen += 1
            self._clock = clock
            self._standing.shown(now_s, now_ns, frozen=frozen)
            if frame.sampled or self._target.kind is not Kind.FOLDER:
                self._newest = Arrived(self._gauge.seen, frame, captured_ns, self._connections)
                self._news.notify_all()

    def _tell(self) -> None:
        with self._news:
            self._news.notify_all()
