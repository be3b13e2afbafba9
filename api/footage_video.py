"""Videos as an answer, the whole file or the part that a player asks for, and all that a job found; never for ever."""

import asyncio
import re
from contextlib import suppress
from pathlib import Path
from typing import Final

from starlette.datastructures import Headers
from starlette.responses import FileResponse, StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from api.pictures import PRIVATE
from api.problems import ProblemError

STILL_S: Final = 60.0
"""Who takes nothing for so long is gone: players that pause ask again, from where they are."""

_RANGE: Final = re.compile(r"bytes=(?:(\d{1,18})-(\d{0,18})|-(\d{1,18}))")


class VideoResponse(FileResponse):
    """An MP4 file, nothing of which is to be kept on the way."""

    def __init__(self, path: Path, name: str) -> None:
        """Answer with it.

        Args:
            path: of the file.
            name: under which it is saved, if it is.

        Raises:
            ProblemError: it can't be read.
        """
        try:
            said = path.stat()
        except FileNotFoundError:
            raise ProblemError(404, "not-found", "the video is gone: its time is over") from None
        except OSError as error:
            raise ProblemError(503, "picture-unavailable", f"the video can't be read: {error.strerror}") from None
        super().__init__(
            path,
            headers=PRIVATE,
            media_type="video/mp4",
            filename=name,
            stat_result=said,
            content_disposition_type="inline",
        )
        self._size = said.st_size

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it.

        Raises:
            ProblemError: 416: there is no such part.
        """
        try:
            await super().__call__(self._asked(scope), receive, _patient(send))
        except TimeoutError:
            # The server closes what was not sent to its end.
            return

    def _asked(self, scope: Scope) -> Scope:
        """The request without a `Range` that is none of one part: that is answered as if there were none (RFC 9110, 14.2)."""
        wanted = Headers(scope=scope).get("range")
        if wanted is None:
            return scope
        found = _RANGE.fullmatch(wanted.strip())
        first, last, suffix = found.groups() if found else (None, None, None)
        if found is None or (first and last and int(last) < int(first)):
            return {**scope, "headers": [(name, value) for name, value in scope["headers"] if name != b"range"]}
        if (first and int(first) >= self._size) or (suffix and not int(suffix)):
            raise ProblemError(
                416,
                "range-not-satisfiable",
                f"the video has {self._size} bytes: ask for a part of these",
                size=self._size,
            )
        return scope


class ArchiveResponse(StreamingResponse):
    """A file that is made while it is sent; for nobody who does not take it."""

    async def stream_response(self, send: Send) -> None:
        """Send it."""
        # Likewise closed by the server.
        with suppress(TimeoutError):
            await super().stream_response(_patient(send))


def _patient(send: Send) -> Send:
    """`send` that raises a TimeoutError once nothing was taken for `STILL_S`."""

    async def patient(message: Message) -> None:
        async with asyncio.timeout(STILL_S):
            await send(message)

    return patient
