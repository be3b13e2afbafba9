"""Telling whoever looks on what has just happened, over Redis: a short list of the latest, each with its place in it.

It is no record: that is in the database, and written before anything is told. Who missed something asks there.
"""

from collections.abc import Iterable
from contextlib import suppress
from enum import StrEnum
from typing import Final

import msgspec

from storage.bus import Bus, BusError
from storage.keys import position

MOST_KEPT: Final = 2000
"""So many of the latest are kept, a little more at times."""

BEGINNING: Final = "0-0"
_FIELD: Final = "n"


class NewsKind(StrEnum):
    """What can happen."""

    OPENED = "event.opened"
    CHANGED = "event.changed"
    """Its type, its picture, or that the mask is worn properly now."""
    ENDED = "event.ended"
    REVIEWED = "event.reviewed"
    CAMERA = "camera.state_changed"
    JOB = "job.changed"
    """Its state, or how far it is."""
    JOB_FINISHED = "job.finished"
    """It is done, failed or cancelled."""


class News(msgspec.Struct, frozen=True, array_like=True):
    """Something that happened.

    Attributes:
        kind: a `NewsKind`; others may come.
        id: of what it happened to.
        building_id: whose callers may hear of it; "": those who see all buildings.
    """

    kind: str
    id: str
    building_id: str


class Telling:
    """Both ends of it; safe for threads."""

    def __init__(self, bus: Bus) -> None:
        """Begin.

        Args:
            bus: whose connection and prefix it uses.
        """
        self._link = bus._link  # noqa: SLF001 a part of the bus
        self._key = bus._keys.of("news")  # noqa: SLF001

    def tell(self, news: Iterable[News]) -> None:
        """Say what happened; without Redis nobody hears of it, and nothing else comes of that."""
        commands = [
            ("XADD", self._key, "MAXLEN", "~", MOST_KEPT, "*", _FIELD, msgspec.msgpack.encode(one)) for one in news
        ]
        if commands:
            with suppress(BusError):
                self._link.together(commands)

    def latest(self) -> str:
        """The place of the latest; from there on `after` gives what is new.

        Raises:
            BusError: Redis is away or full.
        """
        found = self._link.call("XREVRANGE", self._key, "+", "-", "COUNT", 1)
        return found[0][0].decode() if found else BEGINNING

    def reaches(self, place: str) -> bool:
        """Whether everything that came after a place is still there.

        Raises:
            BusError: Redis is away or full.
        """
        found = self._link.call("XRANGE", self._key, "-", "+", "COUNT", 1)
        return bool(found) and position(found[0][0].decode()) <= position(place)

    def after(self, place: str, block_ms: int = 0, count: int = MOST_KEPT) -> list[tuple[str, News]]:
        """What came after a place, in order, each with its own.

        Args:
            place: as `latest` or this gives it.
            block_ms: how long to wait where nothing has come yet, at most 2000; 0: not at all.
            count: so many at most.

        Raises:
            BusError: Redis is away or full.
        """
        wait = ("BLOCK", block_ms) if block_ms else ()
        found = self._link.call("XREAD", "COUNT", count, *wait, "STREAMS", self._key, place)
        news: list[tuple[str, News]] = []
        for entry, fields in found[0][1] if found else ():
            # What another version wrote is passed over.
            with suppress(msgspec.MsgspecError):
                news.append((entry.decode(), msgspec.msgpack.decode(fields[1], type=News)))
        return news
