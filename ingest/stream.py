"""A network camera by PyAV: RTSP over TCP, or HTTP. Whatever goes wrong there ends soon, and with a reason."""

import errno
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Final
from urllib.parse import urlsplit

import av
import av.error
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from ingest.frame import MAX_FRAME_PIXELS, Frame, pts_ns, video_stream
from ingest.sources import SourceError
from ingest.timing import StreamTiming
from storage.database.records import shown_address
from storage.errors import InputError
from storage.messages import NS_PER_S
from storage.pulse import Pulse
from storage.status import StateReason

OPEN_S: Final = 4.0
"""Each of the two steps of connecting, asking for the stream and finding out what it is, may take this long."""

READ_S: Final = 3.0
"""A camera that sends nothing for so long is gone."""

NO_PICTURE_S: Final = 12.0
"""Packets that add up to no picture for so long hold no keyframe."""

ANALYZE_US: Final = 1_000_000
"""What a stream is shows in its first second; a camera with rare keyframes must not be waited for here."""

PORTS: Final = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443}
PROTOCOLS: Final = {
    "rtsp": "rtsp,rtp,tcp,udp",
    "rtsps": "rtsps,rtsp,rtp,tcp,udp,tls",
    "http": "http,https,tcp,tls,crypto",
    "https": "http,https,tcp,tls,crypto",
}
"""A play list or a redirection must lead to no file of this machine."""

UNTIMED: Final = ("mpjpeg", "mjpeg")
"""Formats that carry no times; FFmpeg makes some up."""

WHAT_NEXT: Final = {
    StateReason.WRONG_PASSWORD: "refuses user name or password: check them",
    StateReason.NOT_FOUND: "has no such stream: check the path of the address",
    StateReason.REFUSED: "refuses the connection or closed it: check port and protocol, and how many viewers it allows",
    StateReason.NO_ROUTE: "can't be found: check the host name and the network",
    StateReason.TIMEOUT: "does not answer in time: check that it is switched on and reachable",
    StateReason.UNSUPPORTED_CODEC: "sends nothing that can be decoded here: choose H.264 in its settings",
    StateReason.NO_KEYFRAMES: "sends no keyframe: set its keyframe interval to 4 s or less",
    StateReason.FROZEN: "sends the same picture again and again: restart it",
}


class Stream:
    """A camera in the network. Capture times are those of arrival, evened out by the stream's timestamps."""

    clock = "arrival"

    def __init__(self, url: str, fps: float) -> None:
        """Prepare to connect.

        Args:
            url: rtsp, rtsps, http or https; it may hold a password, which never leaves this object.
            fps: samples a second, by the time of the stream.
        """
        self.late = 0
        self._url = url
        self._fps = fps

    def frames(self, pulse: Pulse) -> Iterator[Frame]:
        """See `Source`."""
        with closing(self._connected()) as container:
            try:
                stream = video_stream(container, shown_address(self._url), threads=1)
            except InputError as error:
                raise SourceError(StateReason.UNSUPPORTED_CODEC, str(error)) from None
            rate = float(stream.average_rate or stream.guessed_rate or 0)
            timing = StreamTiming(
                self._fps, rate, timed=container.format.name not in UNTIMED, paced=self._url.startswith("http")
            )
            for index, decoded in enumerate(self._decoded(container, stream, pulse)):
                timed = timing.next(pts_ns(decoded), time.monotonic_ns())
                if timed.early_ns > 0 and pulse.wait(timed.early_ns / NS_PER_S):
                    return
                at_ns = timed.at_ns + time.time_ns() - time.monotonic_ns()
                yield Frame.of(decoded, at_ns, index, sampled=timed.sampled)

    def _connected(self) -> av.container.InputContainer:
        scheme = urlsplit(self._url).scheme
        options = {"protocol_whitelist": PROTOCOLS.get(scheme, ""), "analyzeduration": str(ANALYZE_US)}
        if scheme in {"rtsp", "rtsps"}:
            # The session description says what the stream is: looking longer would only delay its first second.
            options |= {"rtsp_transport": "tcp", "allowed_media_types": "video", "probesize": "32"}
        started_s = time.monotonic()
        try:
            return av.open(self._url, options=options, timeout=(OPEN_S, READ_S), metadata_errors="replace")
        # FFmpeg's messages hold the whole address: neither they nor the chain of exceptions may be shown.
        except (av.error.FFmpegError, OSError, ValueError) as error:
            reason = _why(error)
            if reason is None and time.monotonic() - started_s >= OPEN_S:
                reason = StateReason.TIMEOUT
            reason = reason or self._knocked()
        raise self._error(reason)

    def _knocked(self) -> StateReason:
        """What is wrong where FFmpeg says nothing specific: whether anybody is there at all."""
        parts = urlsplit(self._url)
        try:
            port = parts.port or PORTS.get(parts.scheme, 0)
            with socket.create_connection((parts.hostname or "", port), timeout=1.5):
                pass
        except TimeoutError:
            return StateReason.TIMEOUT
        except ConnectionRefusedError:
            return StateReason.REFUSED
        except (OSError, ValueError):
            return StateReason.NO_ROUTE
        return StateReason.UNSUPPORTED_CODEC if parts.scheme.startswith("http") else StateReason.REFUSED

    def _decoded(
        self, container: av.container.InputContainer, stream: VideoStream, pulse: Pulse
    ) -> Iterator[VideoFrame]:
        packets = container.demux(stream)
        seen_s = time.monotonic()
        while not pulse.stopping:
            # The stream of a camera that goes away ends without an error.
            reason = StateReason.REFUSED
            try:
                packet = next(packets, None)
            except (av.error.FFmpegError, OSError) as error:
                packet = None
                reason = _why(error) or reason
            if packet is None:
                raise self._error(reason)
            try:
                decoded = stream.decode(packet)
            except av.error.FFmpegError:
                # A damaged packet; the picture is whole again with the next keyframe.
                decoded = []
            for frame in decoded:
                if frame.width * frame.height > MAX_FRAME_PIXELS:
                    raise self._error(StateReason.UNSUPPORTED_CODEC)
                yield frame
            if decoded:
                seen_s = time.monotonic()
            elif time.monotonic() - seen_s > NO_PICTURE_S:
                raise self._error(StateReason.NO_KEYFRAMES)

    def _error(self, reason: StateReason) -> SourceError:
        return SourceError(reason, f"the camera at {shown_address(self._url)} {WHAT_NEXT[reason]}")


def _why(error: Exception) -> StateReason | None:
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
