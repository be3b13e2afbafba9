"""How a server treats who comes: properly, or as cameras in bad shape do."""

import asyncio
from dataclasses import dataclass
from typing import Final

from infra.rtsp.digest import Digest
from infra.rtsp.messages import Request

_PADDING: Final = b"X-Padding: " + b"x" * (64 << 10) + b"\r\n"
_PAUSE_S: Final = 0.001
"""After each piece of padding: others get their turn."""
_PATIENCE_S: Final = 10.0
"""A client that reads nothing for so long is left."""


@dataclass(slots=True)
class Manners:
    """What holds for all connections of a server at present.

    Attributes:
        login: user and password of who may watch; None admits all.
        answered: so many requests of a connection that does not watch yet are answered; None is all of them.
        shouting: answers are headers without end.
    """

    login: tuple[str, str] | None = None
    answered: int | None = None
    shouting: bool = False

    def new_digest(self) -> Digest | None:
        """For one connection.

        Raises:
            UsageError: a user that can't be one.
        """
        return None if self.login is None else Digest(*self.login)

    async def shout(self, writer: asyncio.StreamWriter, request: Request) -> None:
        """Answer with a header that ends when the client has gone, or shouting is over; then the connection is of no use.

        Raises:
            OSError: the client has gone, or does not read.
        """
        writer.write(f"RTSP/1.0 200 OK\r\nCSeq: {request.headers['cseq']}\r\n".encode())
        while self.shouting:
            writer.write(_PADDING)
            async with asyncio.timeout(_PATIENCE_S):
                await writer.drain()
            await asyncio.sleep(_PAUSE_S)
