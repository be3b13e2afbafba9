"""The server: cameras by name on one port of this machine, in a thread of its own."""

import asyncio
import re
import socket
import threading
from collections.abc import Coroutine, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar
from urllib.parse import quote

from infra.rtsp.camera import Camera, Stream
from infra.rtsp.clip import load_clip
from infra.rtsp.connection import Connection, Limits
from infra.rtsp.digest import Digest
from infra.rtsp.messages import REQUEST_BYTES
from infra.rtsp.ports import bound, loopback
from infra.rtsp.sdp import CONTROL
from storage.errors import UsageError

CALL_S: Final = 5.0
"""Longest wait for the server's thread; it answers within milliseconds."""

STOP_S: Final = 0.5
"""How long connections are given to end."""

__all__ = ["RtspServer", "Stream"]

_NAME: Final = re.compile(r"[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*")
_T = TypeVar("_T")


class RtspServer:
    """Clips as live cameras, H.264 over interleaved TCP.

    A camera starts with the first client that plays it and then runs by its own clock, watched or not.

    >>> with RtspServer({"entrance": Path("clip.mp4")}) as server:  # doctest: +SKIP
    ...     camera = av.open(server.url("entrance"), options={"rtsp_transport": "tcp"}, timeout=(3, 1.5))
    """

    def __init__(
        self,
        streams: Mapping[str, Path | Stream],
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        user: str | None = None,
        password: str | None = None,
        limits: Limits | None = None,
    ) -> None:
        """Read the clips; nothing listens yet.

        Args:
            streams: by path below the server's address: letters, digits, `_`, `-`, and `/` between them. A path is looped.
            host: an address of the loopback interface.
            port: 0 takes a free one.
            user: who may watch, together with `password`; everybody where both are missing.
            password: in `url` too.
            limits: other than the usual ones.

        Raises:
            InputError: a clip can't be served.
            UsageError: a name, host or user that can't be used.
        """
        if (user is None) != (password is None):
            raise UsageError("a camera is guarded by a user and a password: give both or neither")
        for name in streams:
            if not _NAME.fullmatch(name) or name.endswith(f"/{CONTROL}"):
                raise UsageError(
                    f"{name!r} can't be a stream's path: use letters, digits, '_' and '-', with '/' between them"
                )
        self._host = loopback(host)
        self._port = port
        self._login = None if user is None or password is None else (user, password)
        self._new_digest()  # refuses a user that can't be one
        self._limits = limits or Limits()
        self._streams = {name: item if isinstance(item, Stream) else Stream(item) for name, item in streams.items()}
        paths = dict.fromkeys(stream.path for stream in self._streams.values())
        self._clips = {path: load_clip(path) for path in paths}
        self._cameras: dict[str, Camera] = self._new_cameras()
        self._clients: dict[asyncio.Task[None], Connection | None] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._port_holder: socket.socket | None = None
        self._listening: socket.socket | None = None

    @property
    def port(self) -> int:
        """Where it listens; 0 before the start where none was named."""
        return self._port

    def url(self, name: str) -> str:
        """The address of a stream, with user and password where they are needed."""
        login = "" if self._login is None else "{}:{}@".format(*(quote(part, safe="") for part in self._login))
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"rtsp://{login}{host}:{self._port}/{name}"

    def start(self) -> None:
        """Listen, in a thread of its own; after a `stop` on the same port, with all cameras at their beginning.

        Raises:
            SetupError: the port is taken.
        """
        if self._thread is not None:
            raise UsageError("this camera server runs already")
        # Keeps the port while nobody listens on it; never listens itself.
        self._port_holder = bound(self._host, self._port)
        self._port = int(self._port_holder.getsockname()[1])
        self._cameras = self._new_cameras()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, args=(self._loop,), name="rtsp-server", daemon=True)
        self._thread.start()
        try:
            self.refuse(False)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Disconnect everybody and end the thread; within a second."""
        if self._loop is None or self._thread is None or self._port_holder is None:
            return
        self._call(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(CALL_S)
        self._port_holder.close()
        self._loop, self._thread, self._port_holder = None, None, None

    def refuse(self, refusing: bool) -> None:
        """Refuse new connections, as a camera without power does, or accept them again; those there are stay."""
        self._call(self._stop_listening() if refusing else self._listen())

    def drop_clients(self, name: str) -> None:
        """Disconnect all who watch a stream or are about to, as a pulled cable would."""
        self._call(self._drop(self._cameras[name]))

    def viewers(self, name: str) -> int:
        """How many watch a stream."""
        return len(self._cameras[name].viewers)

    @property
    def connections(self) -> int:
        """How many clients are connected, whatever they do."""
        return len(self._clients)

    def began_ns(self, name: str) -> int | None:
        """Unix time at which a stream's first picture was captured; None until somebody watches."""
        return self._cameras[name].began_ns

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @staticmethod
    def _run(loop: asyncio.AbstractEventLoop) -> None:
        asyncio.set_event_loop(loop)
        try:
            loop.run_forever()
        finally:
            loop.close()

    def _call(self, work: Coroutine[Any, Any, _T]) -> _T:
        if self._loop is None:
            work.close()
            raise UsageError("this camera server does not run: start it first")
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(CALL_S)

    def _new_cameras(self) -> dict[str, Camera]:
        return {name: Camera(self._clips[stream.path], loop=stream.loop) for name, stream in self._streams.items()}

    def _new_digest(self) -> Digest | None:
        return None if self._login is None else Digest(*self._login)

    async def _listen(self) -> None:
        if self._listening is None:
            self._listening = bound(self._host, self._port)
            self._listening.setblocking(False)
            self._listening.listen(self._limits.clients)
            asyncio.get_running_loop().add_reader(self._listening, self._accept, self._listening)

    async def _stop_listening(self) -> None:
        if self._listening is not None:
            # Who has connected already stays connected.
            self._accept(self._listening)
            asyncio.get_running_loop().remove_reader(self._listening)
            self._listening.close()
            self._listening = None

    def _accept(self, listening: socket.socket) -> None:
        # By hand: asyncio's own servers forget connections that come in while they close.
        with suppress(OSError):
            while True:
                accepted, _ = listening.accept()
                if len(self._clients) >= self._limits.clients:
                    accepted.close()
                    continue
                task = asyncio.get_running_loop().create_task(self._serve(accepted))
                self._clients[task] = None
                task.add_done_callback(self._clients.pop)

    async def _serve(self, accepted: socket.socket) -> None:
        accepted.setblocking(False)
        reader, writer = await asyncio.open_connection(sock=accepted, limit=REQUEST_BYTES)
        connection = Connection(reader, writer, self._cameras, self._new_digest(), self._limits)
        task = asyncio.current_task()
        if task is not None:
            self._clients[task] = connection
        await connection.run()

    async def _drop(self, camera: Camera) -> None:
        dropped = {task: client for task, client in self._clients.items() if client and client.camera is camera}
        for client in dropped.values():
            client.drop()
        if dropped:
            await asyncio.wait(dropped, timeout=STOP_S)

    async def _close(self) -> None:
        await self._stop_listening()
        # Who has just come in has to begin before it can end.
        await asyncio.sleep(0)
        for camera in self._cameras.values():
            camera.stop()
        clients = dict(self._clients)
        for task, client in clients.items():
            task.cancel()
            if client is not None:
                client.drop()
        if clients:
            await asyncio.wait(clients, timeout=STOP_S)
        # Lets the cameras' tasks and the sockets of what was dropped end.
        await asyncio.sleep(0)
