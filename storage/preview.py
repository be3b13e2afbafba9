"""Live previews on their way: who wants one, where people were seen, and the pictures. All of it ends by itself.

The API says that a camera is wanted, again and again while somebody looks. Who watches that camera makes pictures; who
knows where people are tells of that camera alone. So a camera that nobody looks at costs one question twice a second.
"""

from collections.abc import Mapping, Sequence
from typing import Final, TypeVar

import msgspec

from storage.bus import Bus
from storage.link import Command
from storage.messages import Box
from storage.words import Label

WANTED_S: Final = 5.0
"""A wish holds for so long; so long after the last viewer has gone, nothing is made any more."""

LIFE_MS: Final = 5000
"""Pictures and places that nobody added to for so long are forgotten."""

MOST_MOMENTS: Final = 100
"""So many moments of a camera are kept."""

WIDTHS: Final = (320, 640, 960)
"""Widths in pixels that a preview can have, at most."""

BODY: Final = "m"


class Person(msgspec.Struct, frozen=True, array_like=True):
    """Somebody in view.

    Attributes:
        track: number of the track.
        box: of the face.
        label: what the person wears at this moment.
        confirmed: the track counts as a passage.
        event: the track has an event.
    """

    track: int
    box: Box
    label: Label
    confirmed: bool
    event: bool


class Moment(msgspec.Struct, frozen=True, array_like=True):
    """Who was seen in a sample.

    Attributes:
        at_ns: capture time.
        width, height: of the picture that boxes are pixels of.
        people: whose faces were found in it.
    """

    at_ns: int
    width: int
    height: int
    people: tuple[Person, ...] = ()


class Picture(msgspec.Struct, frozen=True, array_like=True):
    """A picture of a preview, fit for whoever may see the camera.

    Attributes:
        at_ns: capture time.
        width, height: in pixels.
        jpeg: the picture.
    """

    at_ns: int
    width: int
    height: int
    jpeg: bytes

    def __repr__(self) -> str:
        return f"Picture(at_ns={self.at_ns}, width={self.width}, height={self.height}, bytes={len(self.jpeg)})"


Entry = TypeVar("Entry", Moment, Picture)


class Previews:
    """All ends of it; safe for threads. Every method raises BusError when Redis is away or full."""

    def __init__(self, bus: Bus) -> None:
        """Begin.

        Args:
            bus: whose connection and prefix it uses.
        """
        self._link, self._keys = bus._link, bus._keys  # noqa: SLF001 a part of the bus

    def want(self, widths: Mapping[str, int]) -> None:
        """Say that somebody looks at these cameras; it holds for `WANTED_S`.

        Args:
            widths: how wide their pictures are to be, one of `WIDTHS`, by camera.
        """
        life_ms = round(WANTED_S * 1000)
        self._link.together([("SET", self._wish(name), int(width), "PX", life_ms) for name, width in widths.items()])

    def wanted(self, cameras: Sequence[str]) -> dict[str, int]:
        """Which of these cameras somebody looks at, and how wide the pictures are to be."""
        wishes = self._link.call("MGET", *map(self._wish, cameras)) if cameras else ()
        return {name: _width(wish) for name, wish in zip(cameras, wishes, strict=True) if wish is not None}

    def put_moments(self, moments: Mapping[str, Sequence[Moment]]) -> None:
        """Tell where people were, by camera; in the order of time."""
        self._put(
            [(self._places(name), moment, MOST_MOMENTS) for name, each in moments.items() for moment in each],
        )

    def moments(self, positions: Mapping[str, str]) -> dict[str, tuple[str, list[Moment]]]:
        """What was told after some positions ("0-0": from the start), without waiting.

        Returns:
            The new position and what is new, of cameras of which something is.
        """
        return self._read({self._places(name): name for name in positions}, positions, Moment, 0)

    def put_picture(self, camera: str, picture: Picture) -> None:
        """Show a picture; it takes the place of the one before."""
        self._put([(self._shown(camera), picture, 1)])

    def pictures(self, positions: Mapping[str, str], block_ms: int) -> dict[str, tuple[str, Picture]]:
        """The newest pictures after some positions, likewise; where there is none yet, the first one is waited for.

        Args:
            positions: by camera.
            block_ms: longest wait, at most 2000; 0 not to wait.
        """
        found = self._read({self._shown(name): name for name in positions}, positions, Picture, block_ms)
        return {name: (position, each[-1]) for name, (position, each) in found.items() if each}

    def _put(self, entries: Sequence[tuple[str, Moment | Picture, int]]) -> None:
        commands: list[Command] = []
        for key, entry, most in entries:
            commands.append(("XADD", key, "MAXLEN", most, "*", BODY, msgspec.msgpack.encode(entry)))
            commands.append(("PEXPIRE", key, LIFE_MS))
        if commands:
            self._link.together(commands)

    def _read(
        self, keys: Mapping[str, str], positions: Mapping[str, str], what: type[Entry], block_ms: int
    ) -> dict[str, tuple[str, list[Entry]]]:
        if not positions:
            return {}
        blocking: Command = ("BLOCK", block_ms) if block_ms > 0 else ()
        after = [positions[name] for name in keys.values()]
        reply = self._link.call("XREAD", "COUNT", MOST_MOMENTS, *blocking, "STREAMS", *keys, *after)
        read: dict[str, tuple[str, list[Entry]]] = {}
        for key, entries in reply or ():
            found = []
            for _, fields in entries:
                try:
                    found.append(msgspec.msgpack.decode(fields[1], type=what))
                except msgspec.MsgspecError:
                    # What another version wrote is passed over.
                    continue
            read[keys[key.decode()]] = (entries[-1][0].decode(), found)
        return read

    def _wish(self, camera: str) -> str:
        return self._keys.of("preview", "wanted", camera)

    def _places(self, camera: str) -> str:
        return self._keys.of("preview", "places", camera)

    def _shown(self, camera: str) -> str:
        return self._keys.of("preview", "shown", camera)


def _width(wish: bytes) -> int:
    # What another version wrote is a wish, too.
    return next((width for width in WIDTHS if wish == str(width).encode()), WIDTHS[1])
