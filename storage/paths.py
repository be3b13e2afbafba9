"""Where a person was seen, moment by moment: the sightings of a track, packed for storage."""

from collections.abc import Iterable, Sequence

import msgspec

from storage.messages import Box
from storage.words import Label


class Seen(msgspec.Struct, frozen=True, array_like=True):
    """One sighting of a track: when, where, and what the person wore at that moment."""

    at_ns: int
    box: Box
    label: Label


def pack(path: Sequence[Seen]) -> bytes:
    """A part of a path as MessagePack."""
    return msgspec.msgpack.encode(path)


def unpack(parts: Iterable[bytes]) -> list[Seen]:
    """The whole path from its parts in order."""
    return [seen for part in parts for seen in msgspec.msgpack.decode(part, type=list[Seen])]
