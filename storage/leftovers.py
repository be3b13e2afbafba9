"""What earlier runs left in the queues of a Redis that outlives them: samples whose pictures nobody can see any more.

Each would be handed round for a while before it is given up, and hold up what is new meanwhile.
"""

from collections.abc import Callable, Collection, Iterator
from typing import Final

import msgspec

from storage.keys import GROUP, Keys, Reader, T
from storage.link import Command, Link
from storage.messages import Found, Result, Sample
from storage.remote_frames import REMOTE
from storage.shift import GONE

AT_ONCE: Final = 500


class Leftovers:
    """All samples in the queues, in whoever's hand; every method raises `BusError` while Redis is away.

    >>> left = bus.leftovers()  # doctest: +SKIP
    >>> left.set_aside(left.stores() - set(bus.stores_seen().values()))
    12
    """

    def __init__(self, link: Link, keys: Keys) -> None:
        """Look; nothing is taken.

        Args:
            link: to Redis.
            keys: of the bus.
        """
        self._link, self._keys = link, keys

    def stores(self) -> set[str]:
        """Stores in shared memory that hold pictures of samples."""
        return {sample.frame.store for _, _, sample in self._all()} - {"", REMOTE}

    def set_aside(self, stores: Collection[str]) -> int:
        """Give up the samples with pictures in these stores, with the reason; how many there were."""
        count = 0
        for stream, entry, sample in self._all():
            if sample.frame.store in stores:
                frame, key = sample.frame, self._keys.of(stream)
                size = (frame.width, frame.height)
                failed = Result(sample.camera, sample.epoch, sample.seq, sample.at_ns, *size, sample.look, (), GONE)
                books = [("HDEL", self._keys.of(book, stream), entry) for book in ("hand", "deaths")]
                done: list[Command] = [("XACK", key, GROUP, entry), ("XDEL", key, entry), *books]
                self._link.together([*self._keys.add_result(failed), *done])
                count += 1
        return count

    def _all(self) -> Iterator[tuple[str, str, Sample]]:
        """Stream, entry and sample."""
        yield from self._of("frames", msgspec.msgpack.Decoder(Sample), lambda sample: sample)
        yield from self._of("faces", msgspec.msgpack.Decoder(Found), lambda found: found.sample)

    def _of(
        self, stream: str, decoder: "msgspec.msgpack.Decoder[T]", sample_of: Callable[[T], Sample]
    ) -> Iterator[tuple[str, str, Sample]]:
        reader, after = Reader(self._keys.of(stream), decoder), "-"
        while entries := self._link.call("XRANGE", self._keys.of(stream), after, "+", "COUNT", AT_ONCE):
            for name, fields in entries:
                message = reader.read(name.decode(), fields)
                if message is not None:
                    yield stream, name.decode(), sample_of(message)
            after = f"({entries[-1][0].decode()}"
