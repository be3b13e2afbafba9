"""Tells live previews where people are, of cameras that somebody looks at; nothing that goes wrong here stops the fold."""

import time
from collections.abc import Collection, Mapping, Sequence
from typing import Final

import structlog
from msgspec.structs import replace

from storage.bus import Bus, BusError
from storage.messages import Changes, Result
from storage.preview import Moment, Person, Previews

ASK_S: Final = 0.5
AWAY_S: Final = 5.0
"""After a failure previews do without for so long."""

log = structlog.get_logger(__name__)


def moment_of(result: Result, changes: Changes) -> Moment:
    """Who was seen in a result, by what the fold made of it."""
    confirmed = {track.number for track in changes.tracks}
    events = {event.track for event in changes.events}
    people = (
        Person(one.track, result.faces[one.face].box, one.label, one.track in confirmed, one.track in events)
        for one in changes.sightings
    )
    return Moment(result.at_ns, result.width, result.height, tuple(people))


def _without_events(moment: Moment, tracks: Collection[int]) -> Moment:
    people = (replace(one, event=False) if one.track in tracks else one for one in moment.people)
    return replace(moment, people=tuple(people))


class Showing:
    """Of the cameras of one partition."""

    def __init__(self, bus: Bus) -> None:
        """Begin.

        Args:
            bus: to ask and to tell by.
        """
        self._previews = Previews(bus)
        self._wanted: frozenset[str] = frozenset()
        self._ask_s = 0.0

    def wanted(self, cameras: Collection[str]) -> frozenset[str]:
        """Which of these somebody looks at; that is asked twice a second at most."""
        now_s = time.monotonic()
        if now_s >= self._ask_s:
            self._ask_s = now_s + ASK_S
            try:
                self._wanted = frozenset(self._previews.wanted(tuple(cameras)))
            except BusError as error:
                self._fail(error)
        return self._wanted

    def tell(self, moments: Mapping[str, Sequence[Moment]], without: Collection[tuple[str, int]] = frozenset()) -> None:
        """Tell where people were, by camera.

        Args:
            moments: in the order of time.
            without: cameras and numbers of tracks of which no event is kept, whatever the fold says: they stay covered.
        """
        gone: dict[str, set[int]] = {}
        for camera, number in without:
            gone.setdefault(camera, set()).add(number)
        try:
            self._previews.put_moments(
                {
                    camera: [_without_events(moment, gone[camera]) for moment in each] if camera in gone else each
                    for camera, each in moments.items()
                }
            )
        except BusError as error:
            self._fail(error)

    def _fail(self, error: BusError) -> None:
        log.warning("previews do without boxes", error=str(error))
        self._wanted, self._ask_s = frozenset(), time.monotonic() + AWAY_S
