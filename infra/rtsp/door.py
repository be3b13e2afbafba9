"""Where clients come in: a port that is open or shut, and everybody who is inside."""

import asyncio
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final

from infra.rtsp.camera import Camera
from infra.rtsp.connection import Connection, Limits
from infra.rtsp.manners import Manners
from infra.rtsp.messages import REQUEST_BYTES
from infra.rtsp.ports import bound

STOP_S: Final = 0.5
"""How long connections are given to end."""


class Door:
    """Lives in one event loop.

    Attributes:
        clients: all connections, by the task that serves them; None where one has only just come.
    """

    def __init__(
        self, address: tuple[str, int], cameras: Mapping[str, Camera], manners: Manners, limits: Limits
    ) -> None:
        self.clients: dict[asyncio.Task[None], Connection | None] = {}
        self._address = address
        self._cameras = cameras
        self._manners = manners
        self._limits = limits
        self._listening: socket.socket | None = None

    async def open(self) -> None:
        """Accept connections.

        Raises:
            SetupError: the port is taken.
        """
        if self._listening is None:
            self._listening = bound(*self._address)
            self._listening.setblocking(False)
            self._listening.listen(self._limits.clients)
            asyncio.get_running_loop().add_reader(self._listening, self._accept, self._listening)

    async def shut(self) -> None:
        """Refuse connections; those there are stay."""
        if self._listening is not None:
            # Who has connected already stays connected.
            self._accept(self._listening)
            asyncio.get_running_loop().remove_reader(self._listening)
            self._listening.close()
            self._listening = None

    async def drop(self, which: Callable[[Connection], bool]) -> None:
        """Disconnect some, as a pulled cable would."""
        dropped = {task: client for task, client in self.clients.items() if client and which(client)}
        for client in dropped.values():
            client.drop()
        if dropped:
            await asyncio.wait(dropped, timeout=STOP_S)

    async def close(self) -> None:
        """Shut it, and disconnect everybody."""
        await self.shut()
        # Who has just come in has to begin before it can end.
        await asyncio.sleep(0)
        clients = dict(self.clients)
        for task, client in clients.items():
            task.cancel()
            if client is not None:
                client.drop()
        if clients:
            await asyncio.wait(clients, timeout=STOP_S)
        # Lets the sockets of what was dropped end.
        await asyncio.sleep(0)

    def _accept(self, listening: socket.socket) -> None:
        # By hand: asyncio's own servers forget connections that come in while they close.
        with suppress(OSError):
            while True:
                accepted, _ = listening.accept()
                if len(self.clients) >= self._limits.clients:
                    accepted.close()
                    continue
                task = asyncio.get_running_loop().create_task(self._serve(accepted))
                self.clients[task] = None
                task.add_done_callback(self.clients.pop)

    async def _serve(self, accepted: socket.socket) -> None:
        accepted.setblocking(False)
        reader, writer = await asyncio.open_connection(sock=accepted, limit=REQUEST_BYTES)
        connection = Connection(reader, writer, self._cameras, self._manners, self._limits)
        task = asyncio.current_task()
        if task is not None:
            self.clients[task] = connection
        await connection.run()
