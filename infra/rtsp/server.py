"""The server: cameras by name on one port of this machine, in a thread of its own."""

import re
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Final, Self
from urllib.parse import quote

from infra.rtsp.camera import Camera
from infra.rtsp.clip import Clip, load_clip
from infra.rtsp.connection import Connection, Limits
from infra.rtsp.door import Door
from infra.rtsp.loop_thread import LoopThread
from infra.rtsp.manners import Manners
from infra.rtsp.ports import bound, loopback
from infra.rtsp.sdp import CONTROL
from infra.rtsp.tape import Stream, Tape
from infra.rtsp.trouble import Trouble
from storage.errors import UsageError

__all__ = ["RtspServer", "Stream"]

_NAME: Final = re.compile(r"[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*")


class RtspServer(Trouble):
    """Clips as live cameras, H.264 over interleaved TCP; what can go wrong with them on command is in `Trouble`.

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
            UsageError: a name, host, user or time in a clip that can't be used.
        """
        for name in streams:
            if not _NAME.fullmatch(name) or name.endswith(f"/{CONTROL}"):
                raise UsageError(
                    f"{name!r} can't be a stream's path: use letters, digits, '_' and '-', with '/' between them"
                )
        self._host = loopback(host)
        self._port = port
        self._manners = Manners()
        self.demand(user, password)
        self._limits = limits or Limits()
        self._streams = {name: item if isinstance(item, Stream) else Stream(item) for name, item in streams.items()}
        self._clips: dict[Path, Clip] = {}
        self._cameras: dict[str, Camera] = self._new_cameras()
        self._door: Door | None = None
        self._thread: LoopThread | None = None
        self._port_holder: socket.socket | None = None

    @property
    def port(self) -> int:
        """Where it listens; 0 before the start where none was named."""
        return self._port

    def url(self, name: str) -> str:
        """The address of a stream, with user and password where they are needed."""
        login = "{}:{}@".format(*(quote(part, safe="") for part in self._manners.login)) if self._manners.login else ""
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
        self._door = Door((self._host, self._port), self._cameras, self._manners, self._limits)
        self._thread = LoopThread("rtsp-server")
        try:
            self.refuse(False)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Disconnect everybody and end the thread; within a second."""
        if self._thread is None or self._door is None or self._port_holder is None:
            return
        self._thread.call(self._close(self._door))
        self._thread.stop()
        self._port_holder.close()
        self._door, self._thread, self._port_holder = None, None, None

    def refuse(self, refusing: bool) -> None:
        """Refuse new connections, as a camera without power does, or accept them again; those there are stay."""
        thread, door = self._running()
        thread.call(door.shut() if refusing else door.open())

    def viewers(self, name: str) -> int:
        """How many watch a stream."""
        return len(self._camera(name).viewers)

    @property
    def connections(self) -> int:
        """How many clients are connected, whatever they do."""
        return 0 if self._door is None else len(self._door.clients)

    def began_ns(self, name: str) -> int | None:
        """Unix time at which a stream's first picture was captured; None until somebody watches."""
        return self._camera(name).began_ns

    def started_s(self, name: str) -> float:
        """Time in the clip of a stream's first picture: that of a keyframe at or before its `start_s`."""
        return self._camera(name).tape.started_s

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _running(self) -> tuple[LoopThread, Door]:
        if self._thread is None or self._door is None:
            raise UsageError("this camera server does not run: start it first")
        return self._thread, self._door

    def _new_cameras(self) -> dict[str, Camera]:
        return {
            name: Camera(
                Tape(self._clip(stream.path), loop=stream.loop, start_s=stream.start_s), stated_fps=stream.stated_fps
            )
            for name, stream in self._streams.items()
        }

    def _camera(self, name: str) -> Camera:
        if name not in self._cameras:
            raise UsageError(f"there is no stream {name!r} here: there is {', '.join(self._cameras) or 'none'}")
        return self._cameras[name]

    def _clip(self, path: Path) -> Clip:
        if path not in self._clips:
            self._clips[path] = load_clip(path)
        return self._clips[path]

    def _on(self, name: str, change: Callable[[Camera], None]) -> None:
        camera, (thread, _) = self._camera(name), self._running()

        async def changed() -> None:
            change(camera)

        thread.call(changed())

    def _drop(self, which: Callable[[Connection], bool]) -> None:
        thread, door = self._running()
        thread.call(door.drop(which))

    async def _close(self, door: Door) -> None:
        for camera in self._cameras.values():
            camera.stop()
        await door.close()
