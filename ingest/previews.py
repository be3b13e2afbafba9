"""Makes the live previews of the cameras that are watched here, while somebody looks at them, and of no others.

A picture is held back until it is known who was in it when it was taken: boxes fit, and who has an event is known. Where
that does not become known in time, all that moves is covered and there are no boxes.
"""

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import cv2
import numpy as np
import structlog
from numpy.typing import NDArray

from ingest.picture import Small
from ingest.preview import composed, jpeg
from ingest.preview_cover import Cover, Covered
from ingest.preview_people import People
from storage.bus import BusError
from storage.messages import NS_PER_S
from storage.preview import Picture, Previews
from storage.pulse import Pulse

EVERY_S: Final = 0.2
"""Least time between two pictures of a camera."""

SHARE: Final = 0.3
"""Of one core, at most, goes into previews: where many are looked at, each has fewer pictures."""

HELD_S: Final = 1.5
"""Longest time that a picture is held back."""

MOST_HELD: Final = 12
LATE_NS: Final = 10 * NS_PER_S
"""A clock that goes back by more was set."""

ASK_S: Final = 0.4
"""How often is asked which cameras somebody looks at."""

TURN_S: Final = 0.04
RETRY_S: Final = 1.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class PreviewViews:
    """What previews are made of; called by their thread.

    Attributes:
        watched: identifiers of the cameras that are watched here.
        small: the latest picture of one of them, at most so many pixels wide; None while there is none.
        people: where in a camera's picture there may be people, a (rows, columns) grid; None: everywhere.
    """

    watched: Callable[[], Sequence[str]]
    small: Callable[[str, int], Small | None]
    people: Callable[[str], NDArray[np.bool_] | None]


@dataclass(frozen=True, slots=True, eq=False)
class _Held:
    taken_s: float
    picture: Small
    covered: Covered


@dataclass(slots=True)
class _Preview:
    """Of one camera."""

    position: str = "0-0"
    people: People = field(default_factory=People)
    cover: Cover = field(default_factory=Cover)
    held: deque[_Held] = field(default_factory=lambda: deque(maxlen=MOST_HELD))
    last_ns: int | None = None

    def take(self, picture: Small, people: NDArray[np.bool_] | None, now_s: float) -> None:
        """Take in the latest picture, unless it is the one before, or of a moment that was decoded late."""
        if self.last_ns is not None and self.last_ns - LATE_NS < picture.at_ns <= self.last_ns:
            return
        self.last_ns = picture.at_ns
        luma = np.asarray(cv2.cvtColor(picture.rgb, cv2.COLOR_RGB2GRAY), np.uint8)
        self.held.append(_Held(now_s, picture, self.cover.take(luma, picture.at_ns, people)))

    def ready(self, now_s: float) -> Picture | None:
        """The newest picture that can be shown; those before it are passed over."""
        newest: _Held | None = None
        while self.held and (self.people.known(self.held[0].picture.at_ns) or now_s - self.held[0].taken_s >= HELD_S):
            newest = self.held.popleft()
        if newest is None:
            return None
        rgb, at_ns, cells = newest.picture.rgb, newest.picture.at_ns, newest.covered.levels
        for later in self.held:
            # Who moves a moment later was there before.
            if later.covered.levels.shape == cells.shape:
                cells = np.maximum(cells, later.covered.levels)
        known = self.people.at(at_ns, newest.covered.moving) if self.people.known(at_ns) else []
        height, width = rgb.shape[:2]
        return Picture(at_ns, width, height, jpeg(composed(rgb, cells, known)))


class PreviewMaker:
    """All previews of an ingest process."""

    def __init__(self, previews: Previews, views: PreviewViews) -> None:
        """Begin without any.

        Args:
            previews: to ask and to show by.
            views: what they are made of.
        """
        self.made = 0
        """Pictures so far."""
        self._previews, self._views = previews, views
        self._wanted: dict[str, int] = {}
        self._making: dict[str, _Preview] = {}
        self._ask_s = self._taken_s = 0.0
        self._spent_s = 0.0

    def turn(self) -> float:
        """Ask what is wanted, and make what is; gives how long there is nothing to do, in seconds.

        Raises:
            BusError: Redis is away or full.
        """
        now_s, before_s = time.monotonic(), time.thread_time()
        if now_s >= self._ask_s:
            self._ask_s = now_s + ASK_S
            self._wanted = self._previews.wanted(self._views.watched())
            self._making = {name: self._making.get(name) or _Preview() for name in self._wanted}
        if not self._making:
            return ASK_S
        told = self._previews.moments({name: one.position for name, one in self._making.items()})
        due = now_s - self._taken_s >= max(EVERY_S, self._spent_s / SHARE)
        if due:
            self._taken_s, self._spent_s = now_s, 0.0
        for name, one in list(self._making.items()):
            try:
                one.position, moments = told.get(name, (one.position, []))
                one.people.take(moments)
                if due and (small := self._views.small(name, self._wanted[name])) is not None:
                    one.take(small, self._views.people(name), now_s)
                picture = one.ready(now_s)
            except Exception as error:  # whatever a library raises over one camera's picture, the others go on
                log.exception("no preview", camera=name, error=type(error).__name__)
                self._making[name] = _Preview()
                continue
            if picture is not None:
                self._previews.put_picture(name, picture)
                self.made += 1
        self._spent_s += time.thread_time() - before_s
        return TURN_S


def run_previews(previews: Previews, views: PreviewViews, pulse: Pulse) -> None:
    """Make previews until asked to stop: to be run in a thread of the ingest process.

    Args:
        previews: to ask and to show by.
        views: what they are made of.
        pulse: asks to stop.
    """
    maker, trouble = PreviewMaker(previews, views), ""
    while not pulse.stopping:
        try:
            wait_s, trouble = maker.turn(), ""
        except BusError as error:
            if str(error) != trouble:
                log.warning("no previews", error=str(error))
            wait_s, trouble = RETRY_S, str(error)
        except Exception as error:  # whatever it is, later previews are made
            if not pulse.stopped:
                log.exception("no previews", error=type(error).__name__)
            wait_s = RETRY_S
        pulse.wait(wait_s)
