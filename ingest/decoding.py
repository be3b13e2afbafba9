"""From an opened connection to frames: whatever a camera sends, a frame or a reason comes of it soon."""

import errno
import struct
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import av
import av.error
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from ingest.catching_up import CatchingUp
from ingest.frame import MAX_LIVE_PIXELS, pts_ns, video_stream
from ingest.jpeg import stated_size
from ingest.source import SourceError, sentence
from storage.errors import InputError
from storage.messages import NS_PER_S
from storage.pulse import Pulse
from storage.status import StateReason

Packet: TypeAlias = "av.packet.Packet[VideoStream]"

PATIENCE_S: Final = 3.5
"""Packets that add up to no picture for so long are worth mentioning."""

NO_PICTURE_S: Final = 12.0
"""Packets that add up to no picture for so long hold no keyframe."""

STEADY_SIZE: Final = 3
"""A new size counts from this many frames in a row: damaged headers claim any."""

JPEG_HEAD_BYTES: Final = 1 << 16
"""A picture's size stands here, unless it carries something large of its own before."""

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

    def __init__(self, container: av.container.InputContainer, name: str, *, live: bool = False) -> None:
        """Find the video.

        Args:
            container: just opened.
            name: of the camera, as it may be shown.
            live: whether its packets come when they were captured, by their timestamps: then decoding catches up.

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
        self._catching_up: CatchingUp[Packet] | None = CatchingUp() if live else None
        self._report_ns: int | None = None
        self._size: tuple[int, int] | None = None
        self._odd = self._refused = 0
        self._seen_s = time.monotonic()

    @property
    def lag_ns(self) -> int | None:
        """By how much later than the promptest the latest packet came; None where that can't be told."""
        return None if self._catching_up is None else self._catching_up.lag_ns

    @property
    def came_ns(self) -> int | None:
        """When the latest packet would have come without lag, on the monotonic clock; None where that can't be told."""
        return None if self._catching_up is None else self._catching_up.came_ns

    @property
    def left_out_ns(self) -> int:
        """Media time so far that was left out, because decoding fell behind."""
        return 0 if self._catching_up is None else self._catching_up.left_out_ns

    def frames(
        self, pulse: Pulse, before_reading: Callable[[], StateReason | None], read_s: float
    ) -> Iterator[Decoded]:
        """Frames until asked to stop; arguments and errors as for `packets`."""
        for packet in self.packets(pulse, before_reading, read_s):
            yield from self.decoded(self.due(packet))

    def decoded(self, due: Sequence[Packet]) -> Iterator[Decoded]:
        """The frames that a packet which has come adds.

        Args:
            due: as `due` gives them.

        Raises:
            SourceError: there has been no picture for too long.
        """
        pictures: list[VideoFrame] = []
        for packet in due:
            # Only those of the last are shown: the others are late, and what it is decoded from.
            pictures = self.pictures(packet)
        yield from self.shown(pictures)
        self.fared(shown=bool(pictures))

    def packets(
        self, pulse: Pulse, before_reading: Callable[[], StateReason | None], read_s: float
    ) -> Iterator[Packet]:
        """Packets until asked to stop.

        Args:
            pulse: asks to stop.
            before_reading: called before each packet, and after the last one for the reason of the end where it knows one.
            read_s: no packet takes longer.

        Raises:
            SourceError: no more come.
        """
        packets = self._container.demux(self._stream)
        self._seen_s = time.monotonic()
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
            yield packet

    def shown(self, pictures: Iterable[VideoFrame]) -> Iterator[Decoded]:
        """Pictures as frames, where their size is the stream's."""
        for picture in filter(self._sized, pictures):
            at_ns = pts_ns(picture)
            yield Decoded(picture, at_ns, self.captured_ns(at_ns))

    def captured_ns(self, at_ns: int | None) -> int | None:
        """Unix time at which the camera says that it took the picture with this timestamp; None where it does not say."""
        return None if self._report_ns is None else (at_ns or 0) + self._report_ns

    def fared(self, *, shown: bool) -> None:
        """Note whether pictures came of a packet, or none was wanted.

        Raises:
            SourceError: none has come for too long.
        """
        silent_s = time.monotonic() - self._seen_s
        if shown:
            self._seen_s = time.monotonic()
            self.trouble = None
        elif silent_s > NO_PICTURE_S:
            raise self.error(StateReason.NO_KEYFRAMES)
        elif silent_s > PATIENCE_S:
            self.trouble = StateReason.NO_KEYFRAMES

    def flush(self) -> None:
        """Forget what was decoded: the next packet is a keyframe, and not the one that comes next."""
        self._stream.codec_context.flush_buffers()

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

    def due(self, packet: Packet) -> list[Packet]:
        """What is to be decoded now that a packet has come: see `CatchingUp`."""
        if self._catching_up is None or packet.pts is None or not packet.size:
            return [packet]
        at_ns = int(packet.pts * packet.time_base * NS_PER_S)
        return self._catching_up.due(packet, at_ns, time.monotonic_ns(), keyframe=packet.is_keyframe)

    def pictures(self, packet: Packet) -> list[VideoFrame]:
        """What the decoder gives for a packet.

        Raises:
            SourceError: it is too large, or the stream has ended.
        """
        try:
            pictures = self._stream.decode(packet)
            self._refused = 0
        except av.error.EOFError:
            raise self.error(StateReason.REFUSED) from None
        except (av.error.FFmpegError, ValueError):
            # A damaged packet; the picture is whole again with the next keyframe.
            pictures = []
            self._refused += 1
        context = self._stream.codec_context
        sizes = [(context.width, context.height), *((one.width, one.height) for one in pictures)]
        if self._refused >= STEADY_SIZE and self.codec == "mjpeg":
            # FFmpeg refuses those that are too large as if they were damaged, and keeps no size of them.
            sizes.append(stated_size(bytes(memoryview(packet)[:JPEG_HEAD_BYTES])) or (0, 0))
        width, height = max(sizes, key=lambda size: size[0] * size[1])
        if width * height > MAX_LIVE_PIXELS:
            raise SourceError(
                StateReason.UNSUPPORTED_CODEC,
                f"{self._name} has frames of {width}x{height} pixels, more than can be handled: choose a smaller size in "
                "its settings",
            )
        return pictures

    def _take_report(self, packet: Packet) -> None:
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
