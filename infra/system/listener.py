"""What the supervisor hears of its workers. A thread listens, so that no answer that fails to come holds anything up."""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from storage.bus import Bus
from storage.pulse import BEAT_S, Heartbeat

HURRIED_S: Final = 0.05
JOIN_LIMIT_S: Final = 0.5
LONGEST_S: Final = 4.0
"""An answer, or none, is there by then; what is beyond, this process stood still, and others perhaps with it."""


@dataclass(frozen=True, slots=True)
class Heard:
    """The last that was heard of a worker.

    Attributes:
        beat: its last heartbeat.
        silent_s: for how long it has sent no other, in seconds of listening: while nobody listened (Redis was away, or
            this process or the whole machine stood still) it can't be blamed for silence.
    """

    beat: Heartbeat
    silent_s: float


@dataclass(frozen=True, slots=True)
class Report:
    """The state of things at one moment.

    Attributes:
        heard: by worker.
        identity: of what Redis holds, see `Bus.identity`; None before it first answered.
        trouble: why Redis does not answer, or None.
        away_s: for how long it has not, likewise in seconds of listening.
    """

    heard: Mapping[str, Heard] = field(default_factory=dict)
    identity: str | None = None
    trouble: str | None = None
    away_s: float = 0.0


class Listener:
    """Listens from the start until it is closed."""

    def __init__(self, bus: Bus) -> None:
        """Start listening.

        Args:
            bus: used by the listening thread alone, which closes it.
        """
        self._bus = bus
        self._report = Report()
        self._closing = threading.Event()
        self.hurried = True
        """Whether it matters to hear of things at once."""
        self._thread = threading.Thread(target=self._listen, name="listener", daemon=True)
        self._thread.start()

    @property
    def report(self) -> Report:
        """The latest; never waits."""
        return self._report

    def close(self) -> None:
        """Stop listening."""
        self._closing.set()
        # Where Redis hangs it may take some seconds; nothing depends on it any more.
        self._thread.join(JOIN_LIMIT_S)

    def _listen(self) -> None:
        since_s = time.monotonic()
        while not self._closing.wait(HURRIED_S if self.hurried else BEAT_S):
            last, trouble = self._report, ""
            identity: str | None = None
            beats: dict[str, Heartbeat] = {}
            try:
                identity, beats = self._bus.identity(), self._bus.heartbeats()
            except Exception as error:  # noqa: BLE001 whatever it answers, we go on listening
                trouble = str(error) or type(error).__name__
            now_s = time.monotonic()
            listened_s, since_s = min(now_s - since_s, LONGEST_S), now_s
            if trouble:
                self._report = Report(last.heard, last.identity, trouble, last.away_s + listened_s)
            else:
                self._report = Report(_heard(last.heard, beats, listened_s), identity)
        self._bus.close()


def _heard(before: Mapping[str, Heard], beats: Mapping[str, Heartbeat], listened_s: float) -> dict[str, Heard]:
    heard = {name: Heard(beat, 0.0) for name, beat in beats.items()}
    for name, last in before.items():
        # What is not there any more has not been renewed for longer than it holds.
        if name not in beats or beats[name] == last.beat:
            heard[name] = Heard(last.beat, last.silent_s + listened_s)
    return heard
