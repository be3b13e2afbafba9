"""What happens, told to whoever looks on, as it happens: one reader for the whole process, and a short queue for each.

It is told what happened to what, not how that is now: for that the usual routes are asked. Who can't keep up is dropped,
comes back by itself, and says what it heard last.
"""

import asyncio
import threading
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

import msgspec
import structlog

from api.context import ApiContext
from api.lasting import check_share
from api.problems import ProblemError
from api.watching import States
from storage.bus import BusError
from storage.identity import Caller
from storage.telling import News, Telling

MOST_STREAMS: Final = 200
MOST_OF_ONE: Final = 20
"""Of these, streams of one caller."""

MOST_WAITING: Final = 500
"""Messages that wait for one who looks on; beyond, they are dropped."""

READ_MS: Final = 500
AWAY_S: Final = 1.0

HELLO: Final = "hello"
TROUBLE: Final = "trouble"
MENDED: Final = "mended"

log = structlog.get_logger(__name__)


class Told(msgspec.Struct, frozen=True):
    """A message.

    Attributes:
        kind: its `event`.
        data: as JSON.
        building_id: whose callers it is for; None: everybody.
        place: its `id`, from where a stream can be taken up; "" where it has none.
    """

    kind: str
    data: Mapping[str, Any]
    building_id: str | None = None
    place: str = ""

    def encode(self) -> bytes:
        """As the stream has it."""
        place = f"id: {self.place}\n" if self.place else ""
        return f"{place}event: {self.kind}\ndata: ".encode() + msgspec.json.encode(self.data) + b"\n\n"


class Onlooker:
    """One who looks on; filled by the reader's thread, emptied by the event loop."""

    def __init__(self, caller: Caller) -> None:
        """Begin, within the event loop.

        Args:
            caller: what is not theirs they are not told.
        """
        self.caller = caller
        self._loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[Told | None] = asyncio.Queue()

    def sees(self, told: Told) -> bool:
        """Whether a message is for them."""
        return told.building_id is None or self.caller.sees(told.building_id)

    def tell(self, told: Told | None) -> None:
        """Give them a message, from any thread; None: it ends."""
        if told is None or self.sees(told):
            # The loop may have ended.
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._put, told)

    def _put(self, told: Told | None) -> None:
        if self._queue.qsize() >= MOST_WAITING:
            while not self._queue.empty():
                self._queue.get_nowait()
            told = None
        self._queue.put_nowait(told)

    async def next(self) -> Told | None:
        """The next message; None: there are no more."""
        return await self._queue.get()


class Hub:
    """Those who look on, and the one that reads for them while there are any."""

    def __init__(self, context: ApiContext) -> None:
        """Begin; nothing is connected before somebody looks on.

        Args:
            context: of the whole system.
        """
        self._telling: Telling = context.telling
        self._states = States(context)
        self._lock = threading.Lock()
        self._onlookers: set[Onlooker] = set()
        self._reads = False
        self._closed = threading.Event()

    def close(self) -> None:
        """End all streams at once, and begin no more."""
        self._closed.set()
        with self._lock:
            for one in self._onlookers:
                one.tell(None)

    def join(self, onlooker: Onlooker) -> None:
        """Begin to look on.

        Raises:
            ProblemError: 503: there are too many, or the server is stopping; 429: too many of the same caller.
        """
        with self._lock:
            check_share((one.caller for one in self._onlookers), onlooker.caller, MOST_OF_ONE, "streams")
            if self._closed.is_set() or len(self._onlookers) >= MOST_STREAMS:
                raise ProblemError(
                    503, "too-many-streams", f"{MOST_STREAMS} look on already, or the server stops: try again later"
                )
            self._onlookers.add(onlooker)

    def catch_up(self, onlooker: Onlooker, last: str) -> list[Told]:
        """What one who has joined is told first; what comes next they are told as it happens.

        Args:
            onlooker: who.
            last: the place of what they heard last; "" where they have heard nothing.
        """
        # From before anything is caught up with, so that nothing falls between.
        place = self._place()
        with self._lock:
            if not self._reads:
                self._reads = True
                threading.Thread(target=self._read, args=(place,), name="news", daemon=True).start()
        try:
            resumed = bool(last) and self._telling.reaches(last)
            missed = [_told(entry, news) for entry, news in self._telling.after(last)] if resumed else []
        except BusError as error:
            return [Told(HELLO, {"resumed": False}), _trouble(error)]
        return [Told(HELLO, {"resumed": resumed}), *filter(onlooker.sees, missed)]

    def leave(self, onlooker: Onlooker) -> None:
        """They look on no more."""
        with self._lock:
            self._onlookers.discard(onlooker)

    def _place(self) -> str:
        try:
            return self._telling.latest()
        except BusError:
            # The reader meets the same, and says so.
            return ""

    def _read(self, place: str) -> None:
        """In a thread of its own, until nobody looks on."""
        trouble = False
        while not self._closed.is_set():
            with self._lock:
                if not self._onlookers:
                    self._reads = False
                    return
            try:
                place = place or self._telling.latest()
                found = self._telling.after(place, READ_MS)
                changes = self._states.changes()
            except BusError as error:
                if not trouble:
                    log.warning("nothing is told while Redis is away", reason=str(error))
                    self._spread(_trouble(error))
                trouble = True
                self._closed.wait(AWAY_S)
                continue
            except Exception:
                # A thread that ends would leave everybody in silence. A server that stops takes the bus away.
                if not self._closed.wait(AWAY_S):
                    log.exception("looking on failed")
                continue
            if trouble:
                trouble = False
                self._spread(Told(MENDED, {}))
            for entry, news in found:
                place = entry
                self._spread(_told(entry, news))
            for change in changes:
                self._spread(Told(change.kind, change.data, change.building_id))

    def _spread(self, told: Told) -> None:
        with self._lock:
            for one in self._onlookers:
                one.tell(told)


def _told(entry: str, news: News) -> Told:
    return Told(news.kind, {"id": news.id, "building_id": news.building_id or None}, news.building_id, entry)


def _trouble(error: BusError) -> Told:
    return Told(TROUBLE, {"detail": str(error)})
