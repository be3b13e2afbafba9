"""Where everybody was at the time of a preview's picture, from where they were seen in samples around it."""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from storage.messages import NS_PER_S
from storage.preview import Moment, Person
from storage.words import Label

Rect = tuple[float, float, float, float]
"""x, y, width, height as shares of the picture."""

BRIDGED_NS: Final = NS_PER_S
"""Between two sightings no further apart than this, somebody goes straight on."""

LINGER_NS: Final = round(0.4 * NS_PER_S)
"""Whoever was missed by one look is still where they were."""

STILL_NS: Final = round(2.6 * NS_PER_S)
"""Likewise where nothing moves: there is a look every 2 s alone."""

COVERED_NS: Final = 10 * NS_PER_S
"""Where somebody was last seen, and no more since, a head may be for so long."""

SET_BACK_NS: Final = 2 * NS_PER_S
"""A clock that goes back by more than this begins anew."""


@dataclass(frozen=True, slots=True)
class Shown:
    """Somebody in a picture.

    Attributes:
        box: of the face; None where nobody knows it well enough to be drawn.
        label: what the person wears.
        event: the person has an event.
        heads: where the head may be; all of it is to be covered, unless there is an event.
        sure: the face was found right before and right after, and the box is where it was at the time.
    """

    box: Rect | None
    label: Label
    event: bool
    heads: tuple[Rect, ...]
    sure: bool = False


@dataclass(frozen=True, slots=True)
class _Seen:
    at_ns: int
    rect: Rect
    person: Person


class People:
    """Of one camera."""

    def __init__(self) -> None:
        """Nobody is known of."""
        self._tracks: dict[int, list[_Seen]] = {}
        self._until_ns: int | None = None

    def take(self, moments: Iterable[Moment]) -> None:
        """Take in who was seen; what is known already is passed over."""
        for moment in moments:
            until_ns = self._until_ns
            if until_ns is not None and moment.at_ns <= until_ns:
                if moment.at_ns > until_ns - SET_BACK_NS:
                    continue
                self._tracks = {}
            self._until_ns = moment.at_ns
            for person in moment.people:
                x, y, width, height = person.box
                across, down = max(1, moment.width), max(1, moment.height)
                rect = (x / across, y / down, width / across, height / down)
                self._tracks.setdefault(person.track, []).append(_Seen(moment.at_ns, rect, person))
        self._forget()

    def known(self, at_ns: int) -> bool:
        """Whether it is known who was there at a time."""
        return self._until_ns is not None and self._until_ns >= at_ns

    def at(self, at_ns: int, moving: NDArray[np.bool_]) -> list[Shown]:
        """Who was there at a time.

        Args:
            at_ns: capture time of the picture.
            moving: (rows, columns) grid over it: what has just moved.
        """
        return [shown for track in self._tracks.values() if (shown := _shown(track, at_ns, moving)) is not None]

    def _forget(self) -> None:
        least_ns = (self._until_ns or 0) - COVERED_NS - BRIDGED_NS
        kept = {number: [seen for seen in track if seen.at_ns >= least_ns] for number, track in self._tracks.items()}
        self._tracks = {number: track for number, track in kept.items() if track}


def _shown(track: list[_Seen], at_ns: int, moving: NDArray[np.bool_]) -> Shown | None:
    index = bisect_right(track, at_ns, key=lambda seen: seen.at_ns)
    before = track[index - 1] if index else None
    after = track[index] if index < len(track) and track[index].at_ns - at_ns <= BRIDGED_NS else None
    if before is not None and at_ns - before.at_ns > COVERED_NS:
        before = None
    seen = [each for each in (before, after) if each is not None]
    if not seen:
        return None
    rect, sure = None, False
    if before is not None and after is not None and after.at_ns - before.at_ns <= BRIDGED_NS:
        rect, sure = _between(before, after, at_ns), True
    elif before is not None and (
        at_ns - before.at_ns <= LINGER_NS or (at_ns - before.at_ns <= STILL_NS and not _moves(before.rect, moving))
    ):
        rect = before.rect
    # The newest knows best what became of the track.
    newest = track[-1].person
    heads = (*(each.rect for each in seen), *([] if rect is None else [rect]))
    label = (before or seen[0]).person.label
    return Shown(rect if newest.confirmed else None, label, newest.event, heads, sure)


def _between(before: _Seen, after: _Seen, at_ns: int) -> Rect:
    share = (at_ns - before.at_ns) / (after.at_ns - before.at_ns)
    x, y, width, height = (a + share * (b - a) for a, b in zip(before.rect, after.rect, strict=True))
    return x, y, width, height


def _moves(rect: Rect, moving: NDArray[np.bool_]) -> bool:
    rows, columns = moving.shape
    x, y, width, height = rect
    top, left = max(0, int(y * rows)), max(0, int(x * columns))
    return bool(moving[top : int(np.ceil((y + height) * rows)), left : int(np.ceil((x + width) * columns))].any())
