"""The newest picture for everybody who looks: encoded once, when the first asks; nobody holds up who makes them."""

import asyncio
import threading
import time
from collections import deque
from contextlib import suppress
from statistics import median
from typing import Final

import numpy as np
from numpy.typing import NDArray

from infra.live.picture import jpeg
from storage.messages import NS_PER_S

MOST_VIEWERS: Final = 8
DELAYS: Final = 50
"""Over so many pictures sent the delay is measured."""


class Gallery:
    """Where the analysis hangs its newest picture; viewers come for it from the event loop of the web server."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._picture: NDArray[np.uint8] | None = None
        self._captured_ns: int | None = None
        self._number = 0
        self._encoding = threading.Lock()
        self._encoded: tuple[int, bytes] = (0, b"")
        self._viewers: set[asyncio.Event] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._delays: deque[float] = deque(maxlen=DELAYS)
        self.closed = False
        """Whether no more pictures will come."""
        self.visited = threading.Event()
        """Set once somebody has come."""

    def open(self, loop: asyncio.AbstractEventLoop) -> None:
        """Say which event loop the viewers are in."""
        self._loop = loop

    def hang(self, picture: NDArray[np.uint8], captured_ns: int | None) -> None:
        """Show a (height, width, 3) RGB picture, which nobody changes any more.

        Args:
            picture: to be shown.
            captured_ns: Unix time; None for what was captured by nobody.
        """
        with self._lock:
            self._picture, self._captured_ns = picture, captured_ns
            self._number += 1
        self._wake()

    def close(self) -> None:
        """Send everybody home."""
        self.closed = True
        self._wake()

    @property
    def viewers(self) -> int:
        """How many look."""
        return len(self._viewers)

    @property
    def delay_ms(self) -> int | None:
        """Median from capture until a picture was handed to a viewer's connection; None where nobody has looked."""
        delays = list(self._delays)
        return round(1000 * median(delays)) if delays else None

    def enter(self) -> asyncio.Event | None:
        """A viewer comes; None where too many are there. Within the event loop, as all below."""
        if len(self._viewers) >= MOST_VIEWERS:
            return None
        news = asyncio.Event()
        news.set()
        self._viewers.add(news)
        self.visited.set()
        return news

    def leave(self, news: asyncio.Event) -> None:
        """A viewer goes."""
        self._viewers.discard(news)

    def newest(self) -> tuple[int, bytes, int | None]:
        """Number, JPEG and capture time of the newest picture; number 0 before the first. Takes its milliseconds."""
        with self._encoding:
            with self._lock:
                number, picture, captured_ns = self._number, self._picture, self._captured_ns
            if picture is not None and self._encoded[0] != number:
                self._encoded = (number, jpeg(picture))
            return number, self._encoded[1], captured_ns

    def sent(self, captured_ns: int | None) -> None:
        """A picture has been handed over."""
        if captured_ns is not None:
            self._delays.append(max(0.0, (time.time_ns() - captured_ns) / NS_PER_S))

    def _wake(self) -> None:
        loop = self._loop
        if loop is not None:
            # A loop that is over has no viewers.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(self._tell)

    def _tell(self) -> None:
        for news in self._viewers:
            news.set()
