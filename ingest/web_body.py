"""What an address of a camera's web server holds, read by FFmpeg as if it were a file."""

import http.client
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import SplitResult

from ingest.connection import Connection, TooMuchError
from storage.status import StateReason

if TYPE_CHECKING:
    from ingest.web import Web

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


class Body:
    """What an address holds, as FFmpeg reads it.

    Attributes:
        name: the address without user name and password.
        format: FFmpeg's name for it where the server says what it is.
        page: whether it is a page for people, by what the server says.
    """

    def __init__(self, web: "Web", answer: Answer | None) -> None:
        """Use `Web`."""
        self._web = web
        self._answer = answer
        self._at = 0
        self._left: int | None = None
        self._ranges = False
        self.name = ""
        self.format: str | None = None
        self.page = False
        if answer is not None:
            parts, told = answer.parts, answer.response.headers
            self.name = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
            self.format = FORMATS.get(told.get_content_type())
            self.page = told.get_content_type() == "text/html"
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
