"""HTTP for cameras: what FFmpeg reads comes through here, so that every address is checked before it is connected to.

FFmpeg's own client looks names up without a time limit and follows redirections and play lists anywhere.
"""

import http.client
import io
import socket
import ssl
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from ingest.connection import PORTS, Allowance, Connection, TooMuchError
from ingest.login import Login
from storage.networks import NetworkError, Networks, NotAllowedError
from storage.status import StateReason

MOST_HOPS: Final = 3
"""Redirections that are followed."""

REDIRECTIONS: Final = (301, 302, 303, 307, 308)
PLAY_LIST_BYTES: Final = 4 << 20
"""Longest play list."""

FORMATS: Final = {
    "multipart/x-mixed-replace": "mpjpeg",
    "application/vnd.apple.mpegurl": "hls",
    "application/x-mpegurl": "hls",
    "audio/mpegurl": "hls",
    "audio/x-mpegurl": "hls",
}
"""FFmpeg's names of formats that the content does not always show."""

_SAFE: Final = "/%:=&?~+!$,;'@()*[]#"


class WebError(Exception):
    """A camera's web server can't be used.

    Attributes:
        reason: why.
    """

    def __init__(self, reason: StateReason) -> None:
        """Make one."""
        super().__init__(reason.value)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server gives: its `parts` are where the redirections ended."""

    parts: SplitResult
    connection: Connection
    response: http.client.HTTPResponse


class Web:
    """One camera's web server, and where it leads to.

    Attributes:
        error: why something could not be read; FFmpeg itself only sees an end.
        allowance: what the next steps may take; nothing, before the first `grant`.
    """

    def __init__(self, url: str, networks: Networks, read_s: float) -> None:
        """Nothing is connected yet.

        Args:
            url: http or https, with user name and password where they are needed.
            networks: that it may be in, and that it may lead to.
            read_s: longest silence.
        """
        self.error: StateReason | None = None
        self._url = urlsplit(url)
        self.allowance = Allowance(read_s)
        self._networks = networks
        self._login = Login(self._url)
        self._bodies: list[Body] = []

    def first(self) -> "Body":
        """The camera's own address.

        Raises:
            WebError: why not.
        """
        return self._body(self.got(self._url, 0))

    def open(self, url: str, _flags: int = 0, _options: object = None) -> "Body":
        """What a play list names, for FFmpeg; never fails, since an exception can't pass through there."""
        try:
            if self.error is None:
                return self._body(self.got(urlsplit(url), 0))
        except (WebError, ValueError) as error:
            self.error = error.reason if isinstance(error, WebError) else StateReason.UNSUPPORTED_CODEC
        return Body(self, None)

    def close(self) -> None:
        """Disconnect; FFmpeg does not close all that it opened."""
        for body in self._bodies:
            body.close()
        self._bodies = []

    def _body(self, answer: Answer) -> "Body":
        self._bodies = [body for body in self._bodies if body.opened]
        self._bodies.append(Body(self, answer))
        return self._bodies[-1]

    def got(self, parts: SplitResult, offset: int) -> Answer:
        """What an address holds, from a byte on; redirections are followed.

        Raises:
            WebError: why not.
        """
        try:
            return self._followed(parts, offset)
        except NotAllowedError:
            raise WebError(StateReason.NOT_ALLOWED) from None
        except (NetworkError, socket.gaierror):
            raise WebError(StateReason.NO_ROUTE) from None
        except TimeoutError:
            raise WebError(StateReason.TIMEOUT) from None
        except (ConnectionError, ssl.SSLError):
            raise WebError(StateReason.REFUSED) from None
        except OSError:
            raise WebError(StateReason.NO_ROUTE) from None
        except (http.client.HTTPException, TooMuchError, ValueError):
            raise WebError(StateReason.UNSUPPORTED_CODEC) from None

    def _followed(self, parts: SplitResult, offset: int) -> Answer:
        hops = 0
        while True:
            # The password goes to no other host, and never in clear where it was to be hidden.
            ours = parts.hostname == self._url.hostname and parts.scheme in {self._url.scheme, "https"}
            answer = self._asked(parts, offset, self._login if ours else None)
            status = answer.response.status
            if status in {200, 206}:
                if offset and status != http.client.PARTIAL_CONTENT:
                    answer.connection.hang_up()
                    raise WebError(StateReason.UNSUPPORTED_CODEC)
                return answer
            told = answer.response.headers
            answer.connection.hang_up()
            if (
                status == http.client.UNAUTHORIZED
                and ours
                and self._login.challenged(told.get_all("WWW-Authenticate", []))
            ):
                continue
            if status in REDIRECTIONS and told["Location"] and hops < MOST_HOPS:
                hops += 1
                parts = urlsplit(urljoin(parts.geturl(), told["Location"]))
                continue
            raise WebError(_meaning(status))

    def _asked(self, parts: SplitResult, offset: int, login: Login | None) -> Answer:
        host, port = parts.hostname, parts.port or PORTS.get(parts.scheme)
        if not host or port is None:
            # A play list that names a file of this machine, or a protocol that is no camera's.
            raise WebError(StateReason.UNSUPPORTED_CODEC)
        address = self._networks.resolved(host, port, self.allowance.remaining_s())
        connection = Connection(host, port, self.allowance, tls=parts.scheme == "https")
        try:
            connection.reach(address)
            target = quote((parts.path or "/") + (f"?{parts.query}" if parts.query else ""), safe=_SAFE)
            headers = {"User-Agent": "Maskwatch", "Accept": "*/*", "Connection": "close"}
            if offset:
                headers["Range"] = f"bytes={offset}-"
            authorization = None if login is None else login.answer("GET", target)
            if authorization is not None:
                headers["Authorization"] = authorization
            connection.request("GET", target, headers=headers)
            return Answer(parts, connection, connection.getresponse())
        except BaseException:
            connection.hang_up()
            raise


class Body:
    """What an address holds, as FFmpeg reads it.

    Attributes:
        name: the address without user name and password.
        format: FFmpeg's name for it where the server says what it is.
    """

    def __init__(self, web: Web, answer: Answer | None) -> None:
        """Use `Web`."""
        self._web = web
        self._answer = answer
        self._at = 0
        self._left: int | None = None
        self._ranges = False
        self.name = ""
        self.format: str | None = None
        if answer is not None:
            parts, told = answer.parts, answer.response.headers
            self.name = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
            self.format = FORMATS.get(told.get_content_type())
            self._ranges = told.get("Accept-Ranges", "").lower() == "bytes"
        if self.format == "hls":
            self._left = PLAY_LIST_BYTES

    @property
    def opened(self) -> bool:
        """Whether it is connected."""
        return self._answer is not None

    def read(self, size: int) -> bytes:
        """The next bytes, at most `size`; none at the end, and where something is wrong."""
        if self._answer is None or self._left == 0:
            return b""
        try:
            data = self._answer.response.read1(size if self._left is None else min(size, self._left))
            self._web.allowance.spend(len(data))
        except (TooMuchError, OSError, http.client.HTTPException, ValueError) as error:
            self._fail(error)
            return b""
        if not self._at and self._left is None and data.startswith(b"#EXTM3U"):
            self._left = max(0, PLAY_LIST_BYTES - len(data))
        elif self._left is not None:
            self._left -= len(data)
        self._at += len(data)
        return data

    def seekable(self) -> bool:
        """Whether the server gives parts."""
        return self._ranges

    def tell(self) -> int:
        """How many bytes are behind."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go on elsewhere; gives the new place, a negative number where that can't be."""
        target = offset + (self._at if whence == io.SEEK_CUR else 0)
        if whence == io.SEEK_END or target < 0 or not self._ranges:
            return -1
        if target != self._at and self._answer is not None:
            self._answer.connection.hang_up()
            try:
                self._answer = self._web.got(self._answer.parts, target)
            except WebError as error:
                self._fail(error)
                return -1
            self._at = target
        return target

    def close(self) -> None:
        """Disconnect."""
        if self._answer is not None:
            self._answer.connection.hang_up()
            self._answer = None

    def _fail(self, error: Exception) -> None:
        reason = StateReason.REFUSED
        if isinstance(error, WebError):
            reason = error.reason
        elif isinstance(error, TimeoutError):
            reason = StateReason.TIMEOUT
        elif isinstance(error, TooMuchError):
            reason = StateReason.UNSUPPORTED_CODEC
        self._web.error = self._web.error or reason


def _meaning(status: int) -> StateReason:
    if status in {401, 403, 407}:
        return StateReason.WRONG_PASSWORD
    return StateReason.NOT_FOUND if status in {404, 410} else StateReason.REFUSED
