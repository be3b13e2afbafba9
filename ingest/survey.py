"""What the packets of recorded footage show without being decoded: when its frames are, and where decoding may begin."""

from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import av
import av.error
import numpy as np
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from ingest.decoding import Packet
from ingest.entry_points import EntryPoints
from ingest.packets import decoding_of, packets_of
from storage.errors import InputError, MaskwatchError

ASKED_EVERY: Final = 256
"""Packets between two questions whether to stop."""


class PlanningStoppedError(MaskwatchError):
    """Whoever asked for a plan no longer wants it."""


class OneGoError(Exception):
    """Footage can only be read in one go; the text says why."""


@dataclass(slots=True)
class Survey:
    """Timestamps in the stream's unit: of all frames, sorted, and of the keyframes that decoding may begin with."""

    stamps: "array[int]" = field(default_factory=lambda: array("q"))
    entries: "array[int]" = field(default_factory=lambda: array("q"))


def survey(container: av.container.InputContainer, stream: VideoStream, stop: Callable[[], bool]) -> Survey:
    """Go through all packets once.

    Raises:
        OneGoError: frames can't be told from packets, or decoding can't begin anywhere but at the start.
        PlanningStoppedError: `stop` said so.
    """
    points = EntryPoints(stream)
    if not points.known:
        raise OneGoError(f"footage compressed by {points.codec} is read in one go")
    found, highest = Survey(), None
    for number, packet in enumerate(_packets(container, stream, stop)):
        stamp = _checked(packet, first=number == 0)
        begins = points.begins(packet)
        if number == 0 and not begins:
            raise OneGoError("it does not begin with a picture that stands by itself")
        if points.shown(packet):
            found.stamps.append(stamp)
            # What comes after it but is shown before it is not decoded; what comes before it must not be shown after it.
            if begins and (highest is None or stamp > highest):
                found.entries.append(stamp)
        highest = stamp if highest is None else max(highest, stamp)
    if not found.stamps:
        raise OneGoError("it holds no frame")
    np.frombuffer(found.stamps, np.int64).sort()
    return found


def _packets(container: av.container.InputContainer, stream: VideoStream, stop: Callable[[], bool]) -> Iterator[Packet]:
    try:
        for number, packet in enumerate(packets_of(container, stream), 1):
            yield packet
            if number % ASKED_EVERY == 0 and stop():
                raise PlanningStoppedError("the plan is no longer wanted")
    except av.error.FFmpegError as error:
        raise OneGoError(f"it is damaged, or cut off ({error.strerror})") from None


def _checked(packet: Packet, *, first: bool) -> int:
    """The timestamp of a packet from which one frame comes, if any."""
    if packet.pts is None:
        raise OneGoError("some of its frames have no timestamp")
    if packet.is_corrupt or not packet.size:
        raise OneGoError("some of it is damaged or missing")
    if not first and (packet.has_sidedata("new_extradata") or packet.has_sidedata("param_change")):
        raise OneGoError("it changes its format on the way")
    return packet.pts


def check_decodes(
    container: av.container.InputContainer, stream: VideoStream, path: Path, stop: Callable[[], bool]
) -> None:
    """Decode up to the first frame.

    Raises:
        InputError: there is none, or the footage is encrypted.
        PlanningStoppedError: `stop` said so.
    """
    reason = "it holds no frame"
    for number, decoded in enumerate(decoding_of(container, stream), 1):
        if isinstance(decoded, VideoFrame):
            return
        reason = decoded.strerror or str(decoded)
        if number % ASKED_EVERY == 0 and stop():
            raise PlanningStoppedError("the plan is no longer wanted")
    raise InputError(f"no frame of {path} can be decoded: {reason}")
