"""What is asked about a camera's connection, and what is answered."""

import os
from typing import Final

import msgspec

from storage.database.records import Transport
from storage.status import StateReason

PROBE_LIMIT_S: Final = 10.0
"""After so long a check is over, whatever it is doing."""

MOST_AT_ONCE: Final = 16
FOR_EACH_CORE: Final = 4
"""A check takes a quarter of a second of a core, and mostly waits."""

PROBE: Final = "probe"
"""The kind of asking for a check; any ingest process answers."""

COVERED: Final = b"covered"
"""Asks for the picture with everything pixelated where people may be."""


def at_once() -> int:
    """So many checks of a list at a time."""
    return min(MOST_AT_ONCE, FOR_EACH_CORE * (os.cpu_count() or 1))


def still_of(camera: str) -> str:
    """The kind of asking for a camera's latest picture; the ingest process that watches it answers."""
    return f"still:{camera}"


class Probe(msgspec.Struct, frozen=True):
    """What came of connecting to a camera.

    Attributes:
        ok: whether it shows a picture.
        reason: why it does not, or None.
        detail: likewise, in a sentence for people, with what to do next.
        codec: of the stream, e.g. `h264`.
        width, height: of its picture, upright, in pixels.
        fps: frames a second, measured; None where too few came in the time.
        first_frame_s: from the beginning of connecting to the first picture.
        clock: where capture times come from: `rtcp`, `arrival`, `file`.
        still: the first whole picture as JPEG, at most `ingest.still.WIDEST_PX` wide; held in memory, never stored.
        substream: the same of the smaller stream, where there is one.
    """

    ok: bool
    reason: StateReason | None = None
    detail: str | None = None
    codec: str | None = None
    width: int | None = None
    height: int | None = None
    fps: float | None = None
    first_frame_s: float | None = None
    clock: str | None = None
    still: bytes | None = None
    substream: "Probe | None" = None

    def __repr__(self) -> str:
        size = 0 if self.still is None else len(self.still)
        return f"Probe(ok={self.ok}, reason={self.reason!r}, detail={self.detail!r}, still={size} bytes)"


class ProbeRequest(msgspec.Struct, frozen=True):
    """What to connect to; given to the child process by its standard input, and shown nowhere.

    Attributes:
        url, substream_url: with passwords.
        transport: of RTSP.
        media_root: folder that files lie in, or None.
        networks: which addresses are allowed, as in `MASKWATCH_CAMERA_NETWORKS`.
        still: whether a picture is wanted, too.
        limit_s: after so long the child ends itself.
    """

    url: str
    substream_url: str | None = None
    transport: Transport = "tcp"
    media_root: str | None = None
    networks: str = "private"
    still: bool = True
    limit_s: float = PROBE_LIMIT_S

    def __repr__(self) -> str:
        return "ProbeRequest(...)"


class CameraAsked(msgspec.Struct, frozen=True):
    """What goes over the bus: which camera. Its address, with a password, never does; whoever answers looks it up.

    Attributes:
        camera: identifier.
        still: whether a picture is wanted with a check.
    """

    camera: str
    still: bool = False


class Still(msgspec.Struct, frozen=True):
    """A camera's latest picture.

    Attributes:
        jpeg: None where there is none yet.
        at_ns: its capture time.
        width: of the camera's picture, in pixels.
    """

    jpeg: bytes | None = None
    at_ns: int | None = None
    width: int | None = None
