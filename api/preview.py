"""Live previews: one reader for the whole process asks for them and gives the newest picture to everybody who looks.

Nobody has a queue: who takes pictures slowly gets fewer of them.
"""

import asyncio
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import structlog
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api.lasting import Welcome, check_share, send_part, until_gone
from api.problems import ProblemError
from storage.bus import Bus, BusError
from storage.identity import Caller
from storage.preview import Picture, Previews

MOST_VIEWERS: Final = 32
MOST_OF_ONE: Final = 16
"""Of these, previews of one caller."""

FIRST_S: Final = 5.0
"""The first picture comes within that, or there is none."""

WISH_S: Final = 1.5
READ_MS: Final = 100
AWAY_S: Final = 1.0

BOUNDARY: Final = b"maskwatch-preview"
NEXT: Final = b"\r\n--%b\r\nContent-Type: image/jpeg\r\n\r\n" % BOUNDARY
"""Sent right after a picture: browsers show one when the next one begins."""

LAST: Final = b"\r\n--%b--\r\n" % BOUNDARY
MEDIA_TYPE: Final = f"multipart/x-mixed-replace; boundary={BOUNDARY.decode()}"
PRIVATE: Final = {"Cache-Control": "private, no-store"}

log = structlog.get_logger(__name__)


class Viewer:
    """One who looks; pictures are shown to them by the reader's thread, and taken by the event loop."""

    def __init__(self, caller: Caller, camera: str, width: int) -> None:
        """Begin, within the event loop.

        Args:
            caller: who looks.
            camera: what they look at.
            width: of the pictures, at most; who asks for the widest decides for all.
        """
        self.caller, self.camera, self.width = caller, camera, width
        self.over = False
        """Nothing more will come."""
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Event()
        self._picture: Picture | None = None

    def show(self, picture: Picture | None) -> None:
        """Show them a picture, from any thread; None: it is over."""
        # The loop may have ended.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._put, picture)

    def _put(self, picture: Picture | None) -> None:
        self._picture, self.over = picture, self.over or picture is None
        self._news.set()

    async def next(self) -> Picture | None:
        """The newest picture that they have not taken yet; None: there will be none."""
        await self._news.wait()
        picture, self._picture = self._picture, None
        if not self.over:
            self._news.clear()
        return picture

    async def first(self) -> Picture | None:
        """The first picture; None where it does not come within `FIRST_S`."""
        try:
            async with asyncio.timeout(FIRST_S):
                return await self.next()
        except TimeoutError:
            return None


class Viewers:
    """All who look, and the thread that reads for them while there are any."""

    def __init__(self, bus: Bus) -> None:
        """Begin; nothing is connected before somebody looks.

        Args:
            bus: to ask and to read by.
        """
        self._previews = Previews(bus)
        self._lock = threading.Lock()
        self._viewers: set[Viewer] = set()
        self._reads = False
        self._closed = threading.Event()

    def close(self) -> None:
        """End all previews at once, and begin no more."""
        self._closed.set()
        with self._lock:
            for viewer in self._viewers:
                viewer.show(None)

    def join(self, viewer: Viewer) -> None:
        """Begin to look: pictures are shown to them from now on.

        Raises:
            ProblemError: 503: there are too many, or the server is stopping; 429: too many of the same caller.
        """
        with self._lock:
            check_share((one.caller for one in self._viewers), viewer.caller, MOST_OF_ONE, "previews")
            if self._closed.is_set() or len(self._viewers) >= MOST_VIEWERS:
                raise ProblemError(
                    503, "too-many-streams", f"{MOST_VIEWERS} previews are open already, or the server stops: close one"
                )
            self._viewers.add(viewer)
            if not self._reads:
                self._reads = True
                threading.Thread(target=self._read, name="previews", daemon=True).start()

    def leave(self, viewer: Viewer) -> None:
        """They look no more."""
        with self._lock:
            self._viewers.discard(viewer)

    def _looked_at(self) -> bool:
        with self._lock:
            return bool(self._viewers)

    def _wishes(self) -> dict[str, int] | None:
        """What is looked at, and how wide it is to be; None: nothing any more, and the thread is to end."""
        with self._lock:
            if not self._viewers:
                self._reads = False
                return None
            cameras = {viewer.camera for viewer in self._viewers}
            return {
                camera: max(viewer.width for viewer in self._viewers if viewer.camera == camera) for camera in cameras
            }

    def _read(self) -> None:
        """In a thread of its own, until nobody looks."""
        said: dict[str, int] = {}
        said_s, trouble = 0.0, False
        positions: dict[str, str] = {}
        newest: dict[str, Picture] = {}
        shown: set[Viewer] = set()
        while not self._closed.is_set() and (wishes := self._wishes()) is not None:
            try:
                if wishes != said or time.monotonic() - said_s >= WISH_S:
                    self._previews.want(wishes)
                    said, said_s = wishes, time.monotonic()
                positions = {camera: positions.get(camera, "0-0") for camera in wishes}
                found = self._previews.pictures(positions, READ_MS)
                trouble = False
            except BusError as error:
                if not trouble:
                    log.warning("no previews while Redis is away", reason=str(error))
                trouble, said = True, {}
                self._closed.wait(AWAY_S)
                continue
            except Exception as error:
                # A thread that ends would leave everybody with their last picture. A server that stops takes the bus away:
                # what a connection says that is closed under a reader is no news.
                if not self._closed.wait(AWAY_S) and self._looked_at():
                    log.exception("reading previews failed", error=type(error).__name__)
                continue
            for camera, (position, picture) in found.items():
                positions[camera], newest[camera] = position, picture
            newest = {camera: picture for camera, picture in newest.items() if camera in wishes}
            with self._lock:
                shown &= self._viewers
                for viewer in self._viewers:
                    # Who comes later sees at once what the others see.
                    if viewer.camera in newest and (viewer.camera in found or viewer not in shown):
                        viewer.show(newest[viewer.camera])
                        shown.add(viewer)


class PreviewStream(Response):
    """The answer to a viewer: pictures one after another, until they go, the server stops or 15 minutes are over."""

    def __init__(self, viewers: Viewers, viewer: Viewer, first: Picture, welcome: Callable[[], bool]) -> None:
        """Begin.

        Args:
            viewers: all of them.
            viewer: who has joined; they leave with this answer.
            first: the picture to begin with.
            welcome: whether they still may look at this camera; asked now and then, in a thread.
        """
        super().__init__(headers={**PRIVATE, "X-Accel-Buffering": "no"}, media_type=MEDIA_TYPE)
        del self.headers["content-length"]
        self._viewers, self._viewer, self._first, self._welcome = viewers, viewer, first, welcome

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 as the server calls it
        """Show."""
        try:
            async with until_gone(receive) as gone:
                await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
                with suppress(TimeoutError):
                    await self._show(gone, send)
                    await send_part(send, LAST, last=True)
        finally:
            self._viewers.leave(self._viewer)

    async def _show(self, gone: "asyncio.Task[None]", send: Send) -> None:
        welcome = Welcome(self._welcome)
        picture: Picture | None = self._first
        body = NEXT.removeprefix(b"\r\n")
        while picture is not None:
            # The empty part waits until the viewer has taken most of it.
            await send_part(send, body + picture.jpeg + NEXT, b"")
            body = b""
            coming = asyncio.create_task(self._viewer.next())
            await asyncio.wait({coming, gone}, timeout=welcome.left_s, return_when=asyncio.FIRST_COMPLETED)
            if gone.done() or not coming.done():
                coming.cancel()
                return
            picture = coming.result()
            # Before it is shown, not after.
            if not await welcome.holds():
                return
