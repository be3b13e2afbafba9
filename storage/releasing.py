"""Pictures in a shared memory that this process does not see are released by who does: asked for by way of Redis."""

from collections.abc import Iterable
from typing import Final

import msgspec

from storage.keys import Keys
from storage.link import Link
from storage.messages import FrameRef

LIFE_S: Final = 3600
"""Whoever has a store and does not look for so long is gone, and the store with it."""

AT_ONCE: Final = 1000


class ReleaseRequests:
    """Safe for threads; every method raises `BusError` while Redis is away."""

    def __init__(self, link: Link, keys: Keys) -> None:
        """Take part.

        Args:
            link: to Redis.
            keys: of the bus.
        """
        self._link, self._keys = link, keys

    def ask(self, frames: Iterable[FrameRef]) -> None:
        """Ask whoever sees their stores to release pictures."""
        stores: dict[str, list[FrameRef]] = {}
        for frame in frames:
            stores.setdefault(frame.store, []).append(frame)
        for store, refs in stores.items():
            key = self._keys.of("release", store)
            packed = [msgspec.msgpack.encode(ref) for ref in refs]
            self._link.together([("RPUSH", key, *packed), ("EXPIRE", key, LIFE_S)])

    def asked(self, store: str) -> list[FrameRef]:
        """What this process, which sees the store, was asked to release; it is asked once."""
        packed = self._link.call("LPOP", self._keys.of("release", store), AT_ONCE)
        return [msgspec.msgpack.decode(each, type=FrameRef) for each in packed or ()]
