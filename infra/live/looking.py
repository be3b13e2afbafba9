"""The analysis: takes the newest frame as often as it can, and hands on the picture with its boxes."""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from classify.fold import FoldState, Rules, finish, fold
from infra.analysis import Analyzer
from infra.live.feed import Arrived, Connection, Feed
from infra.live.marks import Marks
from infra.live.picture import annotated, card
from infra.live.tally import Tally
from infra.live.words import STATES
from ingest.motion import Motion
from storage.messages import NS_PER_S, Look, Result, nanoseconds
from storage.pulse import Pulse
from storage.status import CameraState

CAMERA: Final = "live"
TURN_S: Final = 0.2
AWAY_NS: Final = round(1.5 * NS_PER_S)
"""After so long without a picture time goes on for those who were in view."""

NEWS: Final = 0.1
"""Weight of the newest interval in the mean: the pace follows the machine within a few seconds."""

Show = Callable[[NDArray[np.uint8], int, int | None], None]
"""Given each picture, (height, width, 3) RGB, the time that it belongs to, and the Unix time of its capture or None."""


class Looking:
    """Frames in, pictures and totals out, in a thread of its own."""

    def __init__(self, feed: Feed, analyzer: Analyzer, tally: Tally, shows: Sequence[Show]) -> None:
        """Prepare.

        Args:
            feed: where frames come from.
            analyzer: the kernels; its settings say how often to look at most, how long a breach lasts, and the smallest face.
            tally: takes in what is found.
            shows: take each picture; they never wait.
        """
        self._feed, self._analyzer, self._tally, self._shows = feed, analyzer, tally, shows
        self._pulse = Pulse()
        self._step_s = 1.0 / analyzer.settings.fps
        self._motion, self._marks, self._state = Motion(), Marks(), FoldState()
        self._seq = 0
        self._last_ns = self._shift_ns = 0
        self._looked_s = time.monotonic()
        self._every_s = self._step_s
        self._connection = 0
        self._picture: NDArray[np.uint8] | None = None
        self._said = ""
        self.size: tuple[int, int] | None = None
        """Width and height of the source's picture."""
        self.error: Exception | None = None
        """What ended it early, or None."""
        self._thread = threading.Thread(target=self._run, name="looking", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Ask it to end: it finishes the look that is under way, and all passages."""
        self._pulse.stop()

    def join(self, limit_s: float) -> bool:
        """Wait for its end; gives whether it is over."""
        self._thread.join(max(0.0, limit_s))
        return not self._thread.is_alive()

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self._thread.ident is not None and not self._thread.is_alive()

    @property
    def fps(self) -> float:
        """Looks a second of late."""
        silent_s = time.monotonic() - self._looked_s
        return round(1.0 / max(self._every_s, silent_s, 1e-3), 1) if self._seq > 1 else 0.0

    def _run(self) -> None:
        try:
            number, due_s = 0, time.monotonic()
            while not self._pulse.stopping:
                ended = self._feed.ended
                arrived = self._feed.newest(number, 0.0 if ended else TURN_S)
                if arrived is None:
                    if ended:
                        break
                    self._away(self._feed.connection())
                    continue
                number = arrived.number
                self._look(arrived)
                # What came meanwhile but for the newest is left out: the delay is that of one look.
                due_s = max(due_s + self._step_s, time.monotonic())
                self._pulse.wait(due_s - time.monotonic())
        except Exception as error:  # noqa: BLE001 said by whoever waits for the end
            self.error = error
        self._tally.take(None, finish(self._state))

    def _look(self, arrived: Arrived) -> None:
        at_ns = self._time(arrived)
        luma = arrived.frame.luma()
        look, active = self._motion.judge(luma, at_ns)
        height, width = luma.shape
        if self.size != (width, height):
            self._marks.clear()
            self.size = (width, height)
        rgb = arrived.frame.rgb()
        result = Result(CAMERA, 0, self._seq, at_ns, width, height, look)
        if look is not Look.NONE:
            found = self._analyzer.found_in_sample(rgb, look, active, self._seq)
            result = Result(CAMERA, 0, self._seq, at_ns, width, height, look, self._analyzer.classified(rgb, found))
        self._seq += 1
        changes = fold(self._state, result, self._rules())
        self._tally.take(result, changes)
        marks = self._marks.take(result, changes, active, self._tally)
        self._said = ""
        self._show(annotated(rgb, marks), at_ns, arrived.captured_ns)

    def _time(self, arrived: Arrived) -> int:
        """The frame's time, above all before: a camera's clock may be set back."""
        if arrived.connection != self._connection:
            self._connection, self._shift_ns = arrived.connection, 0
        at_ns = arrived.frame.at_ns + self._shift_ns
        now_s = time.monotonic()
        apart_s = now_s - self._looked_s
        if at_ns <= self._last_ns:
            shift_ns = self._last_ns + max(1, nanoseconds(apart_s)) - at_ns
            self._shift_ns += shift_ns
            at_ns += shift_ns
        if self._seq:
            self._every_s += NEWS * (min(apart_s, 10.0) - self._every_s)
        self._looked_s, self._last_ns = now_s, at_ns
        return at_ns

    def _rules(self) -> Rules:
        """Where the machine looks less often than asked for, people are waited for longer."""
        settings = self._analyzer.settings
        sample_ns = nanoseconds(max(self._step_s, self._every_s))
        return Rules(nanoseconds(settings.dwell_s), settings.min_face_px, sample_ns)

    def _away(self, connection: Connection) -> None:
        """While nothing comes, words take the picture's place, and whoever was in view is gone after a while."""
        silent_ns = nanoseconds(time.monotonic() - self._looked_s)
        if self._seq and silent_ns > AWAY_NS:
            width, height = self.size or (1, 1)
            blank = Result(CAMERA, 0, self._seq, self._last_ns + silent_ns, width, height, Look.NONE)
            changes = fold(self._state, blank, self._rules())
            if changes.closed:
                self._tally.take(None, changes)
                self._marks.clear()
        if connection.state is CameraState.LIVE:
            return
        said = f"{connection.state}{connection.detail}"
        if said != self._said:
            self._said = said
            words = card(self._picture, STATES[connection.state], connection.detail or "")
            self._hand_on(words, self._last_ns + silent_ns, None)

    def _show(self, picture: NDArray[np.uint8], at_ns: int, captured_ns: int) -> None:
        self._picture = picture
        self._hand_on(picture, at_ns, captured_ns)

    def _hand_on(self, picture: NDArray[np.uint8], at_ns: int, captured_ns: int | None) -> None:
        for show in self._shows:
            show(picture, at_ns, captured_ns)
