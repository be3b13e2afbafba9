"""Whether a machine let a test run: what a camera does by the clock can be told only where nothing stood still."""

import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

from storage.bus import BusError

CALM_S: Final = 0.7
"""Below what the backlog of a camera with ten samples a second bears."""

NAP_S: Final = 0.02


class Stalls:
    """Measures while it is entered, in a thread of its own.

    >>> with Stalls(bus.ping) as stalls:  # doctest: +SKIP
    ...     lost = watch_cameras()
    >>> assert lost == 0 or not stalls.calm  # doctest: +SKIP
    """

    def __init__(self, touch: Callable[[], object] = lambda: None) -> None:
        """Prepare.

        Args:
            touch: asks another process for a sign of life; its time counts, too.
        """
        self._touch = touch
        self._over = threading.Event()
        self._longest_s = 0.0
        self._turned_s = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="stalls", daemon=True)

    @property
    def longest_s(self) -> float:
        """For how long something stood still, at most."""
        now_s = self._turned_s if self._over.is_set() else time.monotonic()
        return max(self._longest_s, now_s - self._turned_s - NAP_S)

    @property
    def calm(self) -> bool:
        """Whether nothing stood still for long; `make proof` takes no excuse."""
        return bool(os.environ.get("MASKWATCH_PROOF")) or self.longest_s < CALM_S

    def __enter__(self) -> Self:
        self._turned_s = time.monotonic()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._longest_s = self.longest_s
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.is_set():
            with suppress(BusError):
                self._touch()
            self._over.wait(NAP_S)
            now_s = time.monotonic()
            self._longest_s, self._turned_s = max(self._longest_s, now_s - self._turned_s - NAP_S), now_s
