"""A camera in the network by PyAV: RTSP over TCP or UDP, or HTTP. Whatever goes wrong there ends soon, and with a reason."""

import errno
import socket
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, closing
from typing import Final
from urllib.parse import urlsplit

import av
import av.error

from ingest.containers import LIVE, allowing
from ingest.decoding import LIMITS, Decoding, Packet, why
from ingest.frame import Frame, Unseen
from ingest.gate import Gate
from ingest.idling import Idling, Quiet
from ingest.rtsp import PORTS, RefusalError, checked, complaint
from ingest.source import SourceError, sentence
from ingest.timing import OwnClock, StreamTiming, Timed
from ingest.web import Web
from ingest.web_body import WebError
from storage.database.records import Transport, shown_address
from storage.messages import NS_PER_S
from storage.networks import Networks
from storage.pulse import Pulse
from storage.status import StateReason

OPEN_S: Final = 4.0
"""Each of the two steps of connecting, asking for the stream and finding out what it is, may take this long."""

KNOCK_S: Final = 1.5
"""Longest look at why there is nothing."""

READ_S: Final = 3.0
"""A camera that sends nothing for so long is gone."""

ANALYZE_US: Final = 1_000_000
"""What a stream is shows in its first second; a camera with rare keyframes must not be waited for here."""

PROTOCOLS: Final = {"rtsp": "rtp,tcp,udp", "rtsps": "rtp,tcp,udp,tls"}
"""What FFmpeg may speak by itself; HTTP goes through `ingest.web`."""

WEB: Final = ("http", "https")
WEB_PAGE: Final = "sends a web page, no video: check the path of the address"

UDP_BYTES: Final = 2 << 20
"""Room for a keyframe that arrives at once."""

UNTIMED: Final = ("mpjpeg", "mjpeg")
"""Formats that carry no times; FFmpeg makes some up."""


class Stream:
    """A camera in the network.

    Its capture times are the camera's own where it sends sender reports that can be right, else those of arrival, evened
    out by the stream's timestamps.
    """

    def __init__(self, url: str, fps: float, *, transport: Transport = "tcp", networks: Networks | None = None) -> None:
        """Prepare to connect.

        Args:
            url: rtsp, rtsps, http or https; it may hold a password, which never leaves this object.
            fps: samples a second, by the time of the stream.
            transport: of RTSP.
            networks: that it may be in, and may lead to; None: private ones.
        """
        self.clock = "arrival"
        self.late = 0
        self._url = url
        self._fps = fps
        self._transport = transport
        self._networks = networks or Networks.parse("private")
        self._decoding: Decoding | None = None

    @property
    def trouble(self) -> StateReason | None:
        """See `Source`."""
        return None if self._decoding is None else self._decoding.trouble

    @property
    def codec(self) -> str | None:
        """By which it is sent; None before it is connected."""
        return None if self._decoding is None else self._decoding.codec

    @property
    def came_ns(self) -> int | None:
        """When the latest packet would have come without lag, on the monotonic clock; None where that can't be told."""
        return None if self._decoding is None else self._decoding.came_ns

    def frames(self, pulse: Pulse) -> Iterator[Frame]:
        """See `Source`."""
        with closing(self.moments(pulse)) as moments:
            for moment in moments:
                if isinstance(moment, Frame):
                    yield moment

    def moments(
        self, pulse: Pulse, idling: Idling[Packet] | None = None, quiet: Callable[[], Quiet | None] = lambda: None
    ) -> Generator[Frame | Unseen]:
        """Frames in order, and those that need not be seen: see `ingest.idling`.

        Args:
            pulse: asks to stop.
            idling: decides what is decoded; None, and over HTTP: everything.
            quiet: what the camera's sub-stream says now.

        Raises:
            SourceError: see `Source`.
        """
        if pulse.stopping:
            return
        with ExitStack() as leaving:
            web = Web(self._url, self._networks, READ_S) if urlsplit(self._url).scheme in WEB else None
            container = self._rtsp() if web is None else self._http(web, leaving)
            leaving.enter_context(closing(container))
            self._decoding = decoding = Decoding(container, shown_address(self._url), live=web is None)
            timed = container.format.name not in UNTIMED
            timing = StreamTiming(self._fps, decoding.rate, timed=timed, paced=web is not None)
            place = _Placing(self, timing, decoding, self._fps)
            if idling is not None and web is None:
                yield from Gate(decoding, idling, quiet, place.next).moments(pulse, _reader(web), READ_S)
                return
            for index, one in enumerate(decoding.frames(pulse, _reader(web), READ_S)):
                placed = place.next(one.pts_ns, one.captured_ns)
                if placed.early_ns > 0 and pulse.wait(placed.early_ns / NS_PER_S):
                    return
                yield Frame.of(one.frame, placed.at_ns, index, sampled=placed.sampled)

    def _rtsp(self) -> av.container.InputContainer:
        try:
            url = checked(self._url, self._networks, min(OPEN_S, READ_S))
        except RefusalError as error:
            raise self._error(error.reason, error.what_next) from None
        options = LIMITS | {
            **allowing(("rtsp",), PROTOCOLS.get(urlsplit(url).scheme, "none")),
            "rtsp_transport": self._transport,
            "allowed_media_types": "video",
            # The session description says what the stream is: looking longer would only delay its first second.
            "analyzeduration": str(ANALYZE_US),
            "probesize": "32",
        }
        if self._transport == "udp":
            options["buffer_size"] = str(UDP_BYTES)
        started_s = time.monotonic()
        try:
            return av.open(url, options=options, timeout=(OPEN_S, READ_S), metadata_errors="replace")
        # FFmpeg's messages hold the whole address: neither they nor the chain of exceptions may be shown.
        except (av.error.FFmpegError, OSError, ValueError) as error:
            reason = why(error)
            if reason is None and time.monotonic() - started_s >= OPEN_S:
                reason = StateReason.TIMEOUT
            # RTSP's status 461.
            refused = getattr(error, "errno", None) == errno.EPROTONOSUPPORT
        if refused:
            other = "udp" if self._transport == "tcp" else "tcp"
            what_next = f"does not send over {self._transport.upper()}: try --transport {other}"
            raise self._error(StateReason.REFUSED, what_next)
        if reason is None:
            raise self._error(self._knocked(url), complaint(url, KNOCK_S))
        raise self._error(reason)

    def _http(self, web: Web, leaving: ExitStack) -> av.container.InputContainer:
        leaving.callback(web.close)
        web.allowance.grant(OPEN_S)
        try:
            body = web.first()
        except WebError as error:
            raise self._error(error.reason) from None
        # What is behind an address decides how it is read: no list of files may get FFmpeg to open any by itself.
        options = LIMITS | allowing(LIVE, "none") | {"analyzeduration": str(ANALYZE_US)}
        if body.format == "hls":
            options |= {"http_persistent": "0", "http_multiple": "0"}
        web.allowance.grant(OPEN_S)
        try:
            return av.open(
                body,
                "r",
                format=body.format,
                options=options,
                io_open=web.open,
                timeout=(OPEN_S, READ_S),
                metadata_errors="replace",
            )
        except (av.error.FFmpegError, OSError, ValueError) as error:
            reason = why(error)
        page = body.page and web.error is None and reason is None
        raise self._error(web.error or reason or StateReason.UNSUPPORTED_CODEC, WEB_PAGE if page else None)

    def _knocked(self, url: str) -> StateReason:
        """What is wrong where FFmpeg says nothing specific: whether anybody is there at all."""
        parts = urlsplit(url)
        try:
            with socket.create_connection((parts.hostname or "", parts.port or PORTS[parts.scheme]), timeout=KNOCK_S):
                return StateReason.REFUSED
        except TimeoutError:
            return StateReason.TIMEOUT
        except ConnectionRefusedError:
            return StateReason.REFUSED
        except (OSError, ValueError):
            return StateReason.NO_ROUTE

    def _error(self, reason: StateReason, what_next: str | None = None) -> SourceError:
        shown = shown_address(self._url)
        return SourceError(
            reason, sentence(shown, reason) if what_next is None else f"what answers at {shown} {what_next}"
        )


class _Placing:
    """Places a connection's frames in time, and keeps what the stream says of its clock up to date."""

    def __init__(self, stream: Stream, timing: StreamTiming, decoding: Decoding, fps: float) -> None:
        self._stream, self._timing, self._decoding, self._fps = stream, timing, decoding, fps
        self._own = OwnClock(time.time_ns(), time.monotonic_ns())
        self._left_out_ns = 0

    def next(self, pts_ns: int | None, captured_ns: int | None) -> Timed:
        arrived_ns = self._own.at(time.time_ns(), time.monotonic_ns())
        placed = self._timing.next(pts_ns, arrived_ns, captured_ns)
        self._stream.clock = self._timing.clock
        left_out_ns = self._decoding.left_out_ns
        if left_out_ns > self._left_out_ns:
            # This frame is the sample that ends the gap.
            self._stream.late += max(0, round((left_out_ns - self._left_out_ns) * self._fps / NS_PER_S) - 1)
            self._left_out_ns = left_out_ns
        return placed


def _reader(web: Web | None) -> Callable[[], StateReason | None]:
    """What is done before each packet: it gets its time."""

    def before() -> StateReason | None:
        if web is None:
            return None
        web.allowance.grant(READ_S)
        return web.error

    return before
