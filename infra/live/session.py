"""All parts of `maskwatch live` put together: source, analysis, pictures, page and video, from the start to the last word."""

import resource
import socket
import time
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from infra.analysis import Analyzer
from infra.live.feed import Connection, Feed
from infra.live.gallery import MOST_VIEWERS, Gallery
from infra.live.looking import Looking
from infra.live.state import Picture, Recording, State, shown_detail, totals
from infra.live.tally import LiveReport, Tally
from infra.live.tape import Tape
from infra.live.target import Target
from infra.live.web import Web
from storage.closing import Closing
from storage.errors import InputError, MaskwatchError
from storage.messages import NS_PER_S
from storage.report import SCHEMA_VERSION, ReportSettings, Timing

ENDING_S: Final = 1.0
"""The look that is under way is waited for; a connection that is being made is not."""

FAREWELL_S: Final = 0.7
"""The page gets so long to fetch the final totals."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for.

    Attributes:
        target: the source.
        record: file for the annotated video, or None.
        boxes: whether the report is to have the passages' boxes.
    """

    target: Target
    record: Path | None = None
    boxes: bool = False


class Session(Closing):
    """One source, watched.

    >>> with Analyzer(settings) as analyzer, Session(wanted, analyzer, listen("127.0.0.1", 0)) as session:  # doctest: +SKIP
    ...     session.start()
    ...     session.wait(0.1)
    ...     report = session.finish()
    """

    def __init__(self, wanted: Wanted, analyzer: Analyzer, listening: socket.socket) -> None:
        """Open the page; nothing is watched yet.

        Args:
            wanted: what to do.
            analyzer: the kernels, used by one thread of this.
            listening: where viewers come in.

        Raises:
            SetupError: the page can't be served.
        """
        self._wanted, self._analyzer = wanted, analyzer
        self._tally, self._gallery = Tally(boxes=wanted.boxes), Gallery()
        self._feed = Feed(wanted.target, analyzer.settings.fps)
        self._looking = Looking(self._feed, analyzer, self._tally, [self._hang, self._record])
        self._tape: Tape | None = None
        self._finished = False
        self._started_ns = time.time_ns()
        self._began_s, self._began_cpu_s = time.monotonic(), time.process_time()
        self._web = Web(listening, self._gallery, self._state)

    def start(self) -> None:
        """Begin to watch, and to record."""
        if self._wanted.record is not None:
            self._tape = Tape(self._wanted.record, self._analyzer.settings.fps)
        self._feed.start()
        self._looking.start()

    def wait_for_viewer(self, limit_s: float) -> None:
        """Wait until somebody looks, for `limit_s` seconds at most."""
        self._gallery.visited.wait(limit_s)

    @property
    def over(self) -> bool:
        """Whether the source has ended, or nothing more can come of it."""
        return self._looking.over

    def connection(self) -> Connection:
        """How the source fares."""
        return self._feed.connection()

    @property
    def size(self) -> tuple[int, int] | None:
        """Width and height of the picture, once there is one."""
        return self._looking.size

    @property
    def tape(self) -> Tape | None:
        """What is recorded, if anything is."""
        return self._tape

    def finish(self) -> LiveReport:
        """End everything but the page, tell it the final totals, and give the last word.

        Raises:
            MaskwatchError: what ended it early.
        """
        self._end()
        self._gallery.close()
        if self._gallery.visited.is_set():
            self._web.told.wait(FAREWELL_S)
        for error in (self._feed.error, self._looking.error):
            if isinstance(error, MaskwatchError):
                raise error
            if error is not None:
                raise InputError(f"the analysis failed ({type(error).__name__}: {error})") from error
        return self._report()

    def close(self) -> None:
        """End all of it."""
        with ExitStack() as stack:
            stack.callback(self._web.close)
            stack.callback(self._gallery.close)
            self._end()

    def _end(self) -> None:
        if self._finished:
            return
        self._finished = True
        self._looking.stop()
        self._feed.stop()
        self._looking.join(ENDING_S)
        if self._tape is not None:
            self._tape.close()
        self._feed.join(0.1)

    def _hang(self, picture: NDArray[np.uint8], _: int, captured_ns: int | None) -> None:
        self._gallery.hang(picture, captured_ns)

    def _record(self, picture: NDArray[np.uint8], at_ns: int, captured_ns: int | None) -> None:
        # A video does not begin with words; those between two pictures say why nothing is to be seen.
        if self._tape is not None and (captured_ns is not None or self._tape.pictures):
            self._tape.add(picture, at_ns)

    def _state(self) -> bytes:
        connection, tape, size = self._feed.connection(), self._tape, self._looking.size
        present = self._tally.in_view()
        recording = None
        if tape is not None:
            trouble = None if tape.error is None else str(tape.error)
            recording = Recording(tape.path.name, tape.pictures, tape.left_out, trouble)
        state = State(
            source=self._wanted.target.shown,
            state=connection.state,
            reason=connection.reason,
            detail=shown_detail(connection),
            since_s=round(max(0.0, (time.time_ns() - connection.since_ns) / NS_PER_S), 1),
            retry_in_s=None if connection.retry_in_s is None else round(connection.retry_in_s, 1),
            over=self._gallery.closed,
            running_s=self._tally.duration_s,
            reconnects=connection.reconnects,
            totals=totals(self._tally.statistics(), len(present), self._tally.events),
            latest=self._tally.latest(),
            present=present,
            picture=Picture(
                width=None if size is None else size[0],
                height=None if size is None else size[1],
                fps_in=connection.fps_in,
                fps_looked_at=self._looking.fps,
                delay_ms=self._gallery.delay_ms,
                clock=connection.clock,
            ),
            recording=recording,
            viewers=self._gallery.viewers,
            most_viewers=MOST_VIEWERS,
        )
        return msgspec.json.encode(state)

    def _report(self) -> LiveReport:
        settings, analyzer = self._analyzer.settings, self._analyzer
        connection, tape = self._feed.connection(), self._tape
        wall_s, duration_s = time.monotonic() - self._began_s, self._tally.duration_s
        errors = list(self._tally.forgotten())
        if tape is not None and tape.error is not None:
            errors.append(str(tape.error))
        recorded = tape is not None and tape.error is None and tape.pictures > 0
        started = datetime.fromtimestamp(self._started_ns / NS_PER_S, UTC)
        return LiveReport(
            schema_version=SCHEMA_VERSION,
            source=self._wanted.target.shown,
            started_at=started.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            duration_s=duration_s,
            fps=round(connection.frames / duration_s, 3) if duration_s else 0.0,
            frames_decoded=connection.frames,
            frames_analyzed=self._tally.samples,
            reconnects=connection.reconnects,
            delay_ms=self._gallery.delay_ms,
            recorded=str(self._wanted.record) if recorded else None,
            errors=tuple(errors),
            model=analyzer.model_info,
            settings=ReportSettings(
                fps=int(settings.fps) if settings.fps.is_integer() else settings.fps,
                dwell_s=settings.dwell_s,
                min_face_px=settings.min_face_px,
                detector=analyzer.detector_name,
            ),
            tracks=self._tally.track_reports(),
            events=self._tally.event_reports(),
            statistics=self._tally.statistics(),
            timing=Timing(
                wall_s=round(wall_s, 3),
                cpu_s=round(time.process_time() - self._began_cpu_s, 3),
                realtime_factor=round(duration_s / max(wall_s, 1e-9), 2),
                peak_memory_mib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
            ),
        )
