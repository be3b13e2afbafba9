"""From an opened connection to frames: whatever a camera sends, a frame or a reason comes of it soon."""

import errno
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import av
import av.error
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from ingest.frame import MAX_LIVE_PIXELS, pts_ns, video_stream
from ingest.source import SourceError, sentence
from storage.errors import InputError
from storage.pulse import Pulse
from storage.status import StateReason

PATIENCE_S: Final = 4.0
"""Packets that add up to no picture for so long are worth mentioning."""

NO_PICTURE_S: Final = 12.0
"""Packets that add up to no picture for so long hold no keyframe."""

STEADY_SIZE: Final = 3
"""A new size counts from this many frames in a row: damaged headers claim any."""

LIMITS: Final = {"max_pixels": str(MAX_LIVE_PIXELS)}
"""For FFmpeg, of all that it decodes: a picture that is too large must not even take its memory."""

_REPORTED: Final = struct.Struct("=q")
"""AVProducerReferenceTime begins with Unix time in microseconds."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """One frame.

    Attributes:
        frame: with its timestamp.
        pts_ns: its timestamp, None where it has none.
        captured_ns: Unix time at which the camera says that it took it; None where it does not say.
    """

    frame: VideoFrame
    pts_ns: int | None
    captured_ns: int | None


class Decoding:
    """A camera's packets, decoded one by one.

    Attributes:
        trouble: what is wrong although packets come; None while pictures do.
        rate: frames a second by the stream's own word, 0 where it says nothing.
        codec: by which it is sent, e.g. `h264`.
    """

    def __init__(self, container: av.container.InputContainer, name: str) -> None:
        """Find the video.

        Args:
            container: just opened.
            name: of the camera, as it may be shown.

        Raises:
            SourceError: there is none, or none that can be decoded here.
        """
        self.trouble: StateReason | None = None
        self._container, self._name = container, name
        try:
            self._stream: VideoStream = video_stream(container, name, threads=1, max_pixels=MAX_LIVE_PIXELS)
        except InputError as error:
            raise SourceError(StateReason.UNSUPPORTED_CODEC, str(error)) from None
        self._stream.codec_context.options = LIMITS
        self.codec = self._stream.codec_context.name
        self.rate = float(self._stream.average_rate or self._stream.guessed_rate or 0)
        self._report_ns: int | None = None
        self._size: tuple[int, int] | None = None
        self._odd = 0

    def frames(
        self, pulse: Pulse, before_reading: Callable[[], StateReason | None], read_s: float
    ) -> Iterator[Decoded]:
        """Frames until asked to stop.

        Args:
            pulse: asks to stop.
            before_reading: called before each packet, and after the last one for the reason of the end where it knows one.
            read_s: no packet takes longer.

        Raises:
            SourceError: no more come.
        """
        packets = self._container.demux(self._stream)
        seen_s = time.monotonic()
        while not pulse.stopping:
            before_reading()
            asked_s = time.monotonic()
            # The stream of a camera that goes away ends without an error.
            reason = StateReason.REFUSED
            try:
                packet = next(packets, None)
            except (av.error.FFmpegError, OSError) as error:
                packet = None
                reason = why(error) or reason
            if time.monotonic() - asked_s >= read_s:
                # FFmpeg gives what is left of the packet before, and would wait for as long again.
                raise self.error(StateReason.TIMEOUT)
            if packet is None:
                raise self.error(before_reading() or reason)
            self._take_report(packet)
            pictures = self._pictures(packet)
            for picture in filter(self._sized, pictures):
                at_ns = pts_ns(picture)
                said_ns = None if self._report_ns is None else (at_ns or 0) + self._report_ns
                yield Decoded(picture, at_ns, said_ns)
            if pictures:
                seen_s = time.monotonic()
                self.trouble = None
            elif time.monotonic() - seen_s > NO_PICTURE_S:
                raise self.error(StateReason.NO_KEYFRAMES)
            elif time.monotonic() - seen_s > PATIENCE_S:
                self.trouble = StateReason.NO_KEYFRAMES

    def _sized(self, picture: VideoFrame) -> bool:
        """Whether the picture's size is the stream's."""
        size = (picture.width, picture.height)
        self._odd = 0 if size == self._size else self._odd + 1
        if self._size is None or self._odd >= STEADY_SIZE:
            self._size, self._odd = size, 0
        return size == self._size

    def error(self, reason: StateReason) -> SourceError:
        """The reason as an error, in a sentence."""
        return SourceError(reason, sentence(self._name, reason))

    def _pictures(self, packet: "av.packet.Packet[VideoStream]") -> list[VideoFrame]:
        try:
            pictures = self._stream.decode(packet)
        except av.error.EOFError:
            raise self.error(StateReason.REFUSED) from None
        except (av.error.FFmpegError, ValueError):
            # A damaged packet; the picture is whole again with the next keyframe.
            pictures = []
        context = self._stream.codec_context
        if max(context.width * context.height, *(one.width * one.height for one in pictures), 0) > MAX_LIVE_PIXELS:
            raise SourceError(
                StateReason.UNSUPPORTED_CODEC,
                f"{self._name} has frames of {context.width}x{context.height} pixels, more than can be handled",
            )
        return pictures

    def _take_report(self, packet: "av.packet.Packet[VideoStream]") -> None:
        """Note what the camera's last sender report (RFC 3550, 6.4.1) makes of the packet's timestamp."""
        if packet.has_sidedata("prft"):
            (at_us,) = _REPORTED.unpack_from(bytes(packet.get_sidedata("prft")))
            base = packet.time_base
            self._report_ns = at_us * 1000 - (0 if packet.pts is None else int(packet.pts * base * 10**9))


def why(error: Exception) -> StateReason | None:
    """The reason an error of FFmpeg states, or None where it states none."""
    kinds: tuple[tuple[tuple[type[Exception], ...], StateReason], ...] = (
        ((av.error.HTTPUnauthorizedError, av.error.HTTPForbiddenError), StateReason.WRONG_PASSWORD),
        ((av.error.HTTPNotFoundError,), StateReason.NOT_FOUND),
        ((av.error.HTTPError, ConnectionError), StateReason.REFUSED),
        ((av.error.ExitError, TimeoutError), StateReason.TIMEOUT),
        ((av.error.LookupError,), StateReason.UNSUPPORTED_CODEC),
    )
    for types, reason in kinds:
        if isinstance(error, types):
            return reason
    unreachable = (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENETDOWN, errno.EADDRNOTAVAIL)
    return StateReason.NO_ROUTE if getattr(error, "errno", None) in unreachable else None
