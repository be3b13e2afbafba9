"""Where viewers come in: a listening socket, on this machine's loopback unless another address is named."""

import socket
from typing import Final

from infra import listening
from infra.listening import ip_address

UNSENT_BYTES: Final = 256 * 1024
"""Of each connection in the kernel: a viewer that is slow sees fewer pictures, not older ones."""

SILENT_MS: Final = 15_000
"""A viewer that acknowledges nothing for so long is gone."""


def listen(host: str, port: int) -> socket.socket:
    """Open the socket; see `infra.listening.listen`, for any address."""
    door = listening.listen(host, port)
    # Connections have what the socket has by which they came.
    door.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, UNSENT_BYTES)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        door.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, SILENT_MS)
    return door


def everybody(host: str) -> bool:
    """Whether others than this machine can come in.

    Raises:
        UsageError: the host is no address.
    """
    return not ip_address(host).is_loopback
