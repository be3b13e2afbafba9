"""Which stores in shared memory are gone: a machine was restarted, or the system on it."""

import time
from typing import Final

from storage.bus import Bus
from storage.pulse import BEAT_LIFE_S

GONE_S: Final = 2 * BEAT_LIFE_S
"""A store that no living worker has named for so long is gone."""


class GoneStores:
    """Finds it out by asking again and again; for one thread.

    >>> gone = GoneStores(bus)  # doctest: +SKIP
    >>> gone.has(ref.store)
    False
    """

    def __init__(self, bus: Bus) -> None:
        """Begin without knowing of any.

        Args:
            bus: where workers say what they see.
        """
        self._bus = bus
        self._missed_s: dict[str, tuple[float, float]] = {}

    def has(self, store: str) -> bool:
        """Whether no living worker has named it for `GONE_S`, as far as this was asked at least every `BEAT_LIFE_S`.

        Raises:
            BusError: Redis is away.
        """
        now_s = time.monotonic()
        if store and store in self._bus.stores_seen().values():
            self._missed_s.pop(store, None)
            return False
        since_s, asked_s = self._missed_s.get(store, (now_s, now_s))
        if now_s - asked_s > BEAT_LIFE_S:
            # Somebody may have been there since.
            since_s = now_s
        self._missed_s[store] = since_s, now_s
        return now_s - since_s >= GONE_S
