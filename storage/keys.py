"""Under which keys the bus keeps things in Redis, and how an entry of a stream is written and read."""

import logging
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Generic, Protocol, TypeVar

import msgspec

from storage.jobs import FOOTAGE
from storage.link import Command
from storage.messages import MESSAGE_VERSION, Found, Lost, Message, Sample

GROUP: Final = "workers"
"""The consumer group of `frames`, and that of `faces`."""

BODY: Final = "m"
"""The field of an entry that holds the message, as MessagePack."""

CAMERA: Final = "c"
"""The field of an entry of `frames` that names the camera, so that Redis can find it."""

HOPS: Final = "h"
"""The field of an entry that was handed back: how often."""

SHED_LIFE_S: Final = 7 * 24 * 3600
"""How much of a camera was shed is forgotten so long after the last of it: the camera may have been removed."""

FOOTAGE_LIFE_S: Final = 3600
"""Results of footage that nobody takes in are forgotten so long after the last of them."""

log = logging.getLogger(__name__)


class Versioned(Protocol):
    """Every message says by which version of the messages it was written."""

    @property
    def version(self) -> int: ...


T = TypeVar("T", bound=Versioned)


@dataclass(frozen=True)
class Keys:
    """All names, under one prefix.

    Attributes:
        prefix: of all of them.
        partitions: into which cameras are divided.
    """

    prefix: str
    partitions: int

    def of(self, *parts: str) -> str:
        """A key."""
        return ":".join((self.prefix, *parts))

    @property
    def frames(self) -> str:
        """The stream of samples."""
        return self.of("frames")

    @property
    def faces(self) -> str:
        """The stream of found faces."""
        return self.of("faces")

    def results(self, partition: int) -> str:
        """The stream of a partition's results."""
        return self.of("results", str(partition))

    def footage(self, source: str) -> str:
        """The stream of the results of a chunk of footage, held under one token."""
        return self.of("footage", source)

    @property
    def footages(self) -> str:
        """The sources of footage that have, or may get, results."""
        return self.of("footages")

    def shed(self, camera: str) -> str:
        """How many samples of a camera `classify` shed."""
        return self.of("shed", camera)

    def partition(self, camera: str) -> int:
        """Which partition a camera belongs to: the same in every process, always."""
        return zlib.crc32(camera.encode()) % self.partitions

    def everything(self) -> str:
        """A pattern that fits every key, and none of another prefix."""
        return "".join(f"\\{letter}" if letter in "*?[]\\^" else letter for letter in self.prefix) + ":*"

    def add_sample(self, sample: Sample) -> Command:
        """The command that sends a sample to be looked at; `storage.work_scripts` relies on its order of fields."""
        return ("XADD", self.frames, "*", CAMERA, sample.camera, BODY, msgspec.msgpack.encode(sample))

    def add_found(self, found: Found) -> Command:
        """The command that sends faces to be classified."""
        return ("XADD", self.faces, "*", BODY, msgspec.msgpack.encode(found))

    def add_result(self, message: Message) -> tuple[Command, ...]:
        """The commands that send a message to its camera's partition; of footage, to who works on its chunk alone."""
        source, body = message.camera, msgspec.msgpack.encode(message)
        if not source.startswith(FOOTAGE):
            return (("XADD", self.results(self.partition(source)), "*", BODY, body),)
        key = self.footage(source)
        return ("XADD", key, "*", BODY, body), ("EXPIRE", key, FOOTAGE_LIFE_S), ("SADD", self.footages, source)

    def count_shed(self, message: Message) -> tuple[Command, ...]:
        """The commands that count what a worker sheds, where a message says so."""
        if not isinstance(message, Lost):
            return ()
        key = self.shed(message.camera)
        return ("INCRBY", key, message.last + 1 - message.first), ("EXPIRE", key, SHED_LIFE_S)


class Reader(Generic[T]):
    """Reads the messages of one stream; says once of an entry that it can't be understood."""

    def __init__(self, stream: str, decoder: "msgspec.msgpack.Decoder[T]") -> None:
        """Make one.

        Args:
            stream: its name, for the log.
            decoder: of its messages.
        """
        self._stream = stream
        self._decoder = decoder
        self._reported = (0, 0)

    def read(self, entry: str, fields: Sequence[bytes]) -> T | None:
        """The message of an entry, or None when it is damaged or of another version.

        Args:
            entry: its id.
            fields: names and values in turn, as Redis gives them.
        """
        body = dict(zip(fields[::2], fields[1::2], strict=False)).get(BODY.encode(), b"")
        try:
            message = self._decoder.decode(body)
            if message.version == MESSAGE_VERSION:
                return message
            trouble = f"it is of message version {message.version}, not {MESSAGE_VERSION}"
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            trouble = str(error)
        if position(entry) > self._reported:
            self._reported = position(entry)
            log.warning("entry %s of %s can't be understood and is passed over: %s", entry, self._stream, trouble)
        return None


def position(entry: str) -> tuple[int, int]:
    """An entry's id as two numbers, which compare as entries follow each other."""
    milliseconds, _, number = entry.partition("-")
    return int(milliseconds), int(number or 0)
