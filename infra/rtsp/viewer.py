"""Somebody who watches: the sending side of a connection."""

import asyncio
from typing import Final

CLOSING_S: Final = 2.0
"""How long a client is given to read the rest and to close its side, once a stream is over."""


class Viewer:
    """Somebody who watches.

    Attributes:
        channels: for RTP and for RTCP.
        waiting: until the next keyframe, with which the pictures begin.
        over: nothing more can be sent.
    """

    def __init__(self, transport: asyncio.WriteTransport, channels: tuple[int, int], unsent_bytes: int) -> None:
        """Make one.

        Args:
            transport: of the RTSP connection.
            channels: for RTP and for RTCP, 0 to 255.
            unsent_bytes: a client that lets more than this pile up is disconnected.
        """
        self._transport = transport
        self.channels = channels
        self._unsent_bytes = unsent_bytes
        self.waiting = True
        self.over = False

    def send(self, data: bytes | bytearray) -> None:
        """Send, or disconnect who does not read; never waits."""
        if self.over:
            return
        self._transport.write(data)
        if self._transport.get_write_buffer_size() > self._unsent_bytes:
            self.over = True
            self._transport.abort()

    def end(self) -> None:
        """Close the sending side after what is on its way; the rest of the connection soon after."""
        if not self.over:
            self.over = True
            self._transport.write_eof()
            asyncio.get_running_loop().call_later(CLOSING_S, self._transport.abort)
