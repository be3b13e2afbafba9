"""Makes the live previews of the cameras that are watched here, while somebody looks at them, and of no others.

What their views look like when nobody is there is learnt all the time, now and then, so that a preview is good at once.

A picture is held back until it is known who was in it when it was taken: boxes fit, and who has an event is known. Where
that does not become known in time, all who may be there are covered and there are no boxes.
"""

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import structlog
from numpy.typing import NDArray

from ingest.picture import Small
from ingest.preview import composed, jpeg
from ingest.preview_cover import Cover, Covered
from ingest.preview_ground import Ground
from ingest.preview_people import People
from storage.bus import BusError
from storage.messages import NS_PER_S
from storage.preview import Picture, Previews
from storage.pulse import Pulse

EVERY_S: Final = 0.2
"""Least time between two pictures of a camera."""

SHARE: Final = 0.3
"""Of one core, at most, goes into previews: where many are looked at, each has fewer pictures."""

HELD_S: Final = 3.0
"""Longest time that a picture is held back: one with boxes, that late, is worth more than one without."""

MOST_HELD: Final = 8
"""So many pictures are held back at most; where they would be more, every other one is let go."""

SOON_NS: Final = NS_PER_S
"""Who moves so much later is covered now."""

LEARN_S: Final = 5.0
"""How often a picture of a camera is learnt from that nobody looks at."""

LEARN_WIDTH: Final = 320
LEARNING_S: Final = 0.01
"""In one turn no more time than about this goes into that: where there are many cameras, each has its turn later."""

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

    cover: Cover
    position: str = "0-0"
    people: People = field(default_factory=People)
    held: deque[_Held] = field(default_factory=deque)
    last_ns: int | None = None

    def take(self, picture: Small, people: NDArray[np.bool_] | None, now_s: float) -> None:
        """Take in the latest picture, unless it is the one before, or of a moment that was decoded late."""
        if self.last_ns is not None and self.last_ns - LATE_NS < picture.at_ns <= self.last_ns:
            return
        self.last_ns = picture.at_ns
        calm = None if people is None else ~people
        if len(self.held) >= MOST_HELD:
            self.held = deque(list(self.held)[::2])
        self.held.append(_Held(now_s, picture, self.cover.take(picture.rgb, picture.at_ns, calm)))

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
            if later.covered.levels.shape == cells.shape and later.picture.at_ns - at_ns <= SOON_NS:
                cells = np.maximum(cells, later.covered.levels)
        known = self.people.at(at_ns, newest.covered.moving) if self.people.known(at_ns) else []
        self.cover.faces([shown.box for shown in known if shown.box is not None and shown.sure], at_ns)
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
        self._grounds: dict[str, Ground] = {}
        self._learnt_s: dict[str, float] = {}
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
            watched = self._views.watched()
            self._wanted = self._previews.wanted(watched)
            self._grounds = {name: self._grounds.get(name) or Ground() for name in watched}
            self._making = {name: self._making.get(name) or self._begun(name) for name in self._wanted}
            self._learn(now_s)
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
                self._grounds[name] = Ground()
                self._making[name] = self._begun(name)
                continue
            if picture is not None:
                self._previews.put_picture(name, picture)
                self.made += 1
        self._spent_s += time.thread_time() - before_s
        return TURN_S

    def _begun(self, name: str) -> _Preview:
        return _Preview(Cover(self._grounds.setdefault(name, Ground())))

    def _learn(self, now_s: float) -> None:
        """Learn from cameras that nobody looks at, those first that have waited longest."""
        began_s = time.thread_time()
        waited = {name: self._learnt_s.get(name, 0.0) for name in self._grounds if name not in self._making}
        self._learnt_s = {name: self._learnt_s[name] for name in self._grounds if name in self._learnt_s}
        for name, learnt_s in sorted(waited.items(), key=lambda one: one[1]):
            if now_s - learnt_s < LEARN_S or time.thread_time() - began_s > LEARNING_S:
                return
            self._learnt_s[name] = now_s
            try:
                if (small := self._views.small(name, LEARN_WIDTH)) is not None:
                    people = self._views.people(name)
                    self._grounds[name].take(small.rgb, small.at_ns, None, None if people is None else ~people)
            except Exception as error:  # likewise
                log.exception("nothing is learnt for previews", camera=name, error=type(error).__name__)
                self._grounds[name] = Ground()


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
