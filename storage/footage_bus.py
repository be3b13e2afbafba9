"""The results of recorded footage, on their way back to who works on a chunk of it.

Each chunk has a stream of its own for each time that it is taken, named by `storage.jobs.ChunkKey.source`. Who takes it
reads the stream to the end and removes it; what arrives for somebody who is gone, `drained` gives to be released.
"""

from typing import Final

import msgspec
from redis import exceptions

from storage.keys import GROUP, Keys, Reader
from storage.link import LONGEST_BLOCK_MS, Command, Link
from storage.messages import FrameRef, Lost, Result

MOST: Final = 100
"""Results read at once."""


class FootageBus:
    """All footage, by one Redis; safe for threads. Every method raises `BusError` as those of `Bus` do."""

    def __init__(self, link: Link, keys: Keys) -> None:
        """Open it.

        Args:
            link: to Redis.
            keys: of the bus.
        """
        self._link, self._keys = link, keys
        self._decoder: msgspec.msgpack.Decoder[Result | Lost] = msgspec.msgpack.Decoder(Result | Lost)

    def is_new(self) -> bool:
        """Whether this Redis holds nothing yet of what was sent to workers on jobs; only the first one to ask is told so."""
        return self._link.call("SET", self._keys.of("jobs"), "1", "NX") is not None

    def tasks_waiting(self, queue: str) -> int:
        """How many tasks Celery holds for whoever is free."""
        return int(self._link.call("LLEN", self._keys.of("celery", queue)))

    def begin(self, source: str) -> None:
        """Make a source known, so that what arrives for it is found whatever becomes of who works on it."""
        self._link.call("SADD", self._keys.footages, source)

    def read(self, source: str, after: str, *, block_ms: int) -> list[tuple[str, Result | Lost]]:
        """Results after a position, in the order of their arrival.

        Args:
            source: whose.
            after: id of the last entry read, "0-0" for the start.
            block_ms: how long to wait when there is none, at most 2000; 0 not to wait.
        """
        key = self._keys.footage(source)
        blocking: Command = ("BLOCK", min(block_ms, LONGEST_BLOCK_MS)) if block_ms > 0 else ()
        reply = self._link.call("XREAD", "COUNT", MOST, *blocking, "STREAMS", key, after)
        return self._understood(key, reply[0][1] if reply else [])

    def end(self, source: str) -> None:
        """Nobody reads a source any more."""
        self._link.together([("DEL", self._keys.footage(source)), ("SREM", self._keys.footages, source)])

    def sources(self) -> list[str]:
        """All sources that have, or may get, results; sorted."""
        return sorted(name.decode() for name in self._link.call("SMEMBERS", self._keys.footages))

    def drained(self, source: str) -> list[FrameRef]:
        """Remove all that has arrived for a source which nobody reads any more; the pictures are to be released.

        What arrives later makes it known again.
        """
        key = self._keys.footage(source)
        # At one moment: nothing arrives in between.
        reply = self._link.together(
            [("XRANGE", key, "-", "+"), ("DEL", key), ("SREM", self._keys.footages, source)],
        )
        messages = (message for _, message in self._understood(key, reply[0]))
        return [message.frame for message in messages if isinstance(message, Result) and message.frame is not None]

    def samples_waiting(self) -> int:
        """How many samples, live ones and others, no `detect` worker was given yet."""
        try:
            in_hand = int(self._link.call("XPENDING", self._keys.frames, GROUP)[0])
        except exceptions.ResponseError:
            # Nobody has ever asked for one.
            in_hand = 0
        return max(0, int(self._link.call("XLEN", self._keys.frames)) - in_hand)

    def _understood(self, key: str, entries: list[tuple[bytes, list[bytes]]]) -> list[tuple[str, Result | Lost]]:
        reader = Reader(key, self._decoder)
        messages = [(name.decode(), reader.read(name.decode(), fields)) for name, fields in entries]
        return [(name, message) for name, message in messages if message is not None]
