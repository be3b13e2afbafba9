"""The page, the picture stream and the state, over HTTP, in a thread of their own."""

import asyncio
import ipaddress
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from typing import Final

import uvicorn
from starlette.types import Receive, Scope, Send

import api
from infra.live.gallery import MOST_VIEWERS, Gallery
from infra.live.guard import HEADERS, refusal
from storage.errors import SetupError

FILES: Final = Path(__file__).parent / "page"
ICON: Final = Path(api.__file__).parent / "static" / "icon.svg"
"""That of the system's own page."""

KINDS: Final = {
    "index.html": "text/html; charset=utf-8",
    "live.css": "text/css; charset=utf-8",
    "live.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
BOUNDARY: Final = b"maskwatch-picture"
NEXT: Final = b"\r\n--%b\r\nContent-Type: image/jpeg\r\n\r\n" % BOUNDARY
"""Sent at once after each picture: some browsers show one only when the header of the next has come."""

LAST: Final = b"\r\n--%b--\r\n" % BOUNDARY
STALLED_S: Final = 10.0
"""A viewer that takes nothing for so long is sent away: its place may be wanted."""

AGAIN_S: Final = 5.0
"""A picture that stays is sent again: so it is found out who has gone without a word."""

CLOSING_S: Final = 1
CONNECTIONS: Final = 64
START_S: Final = 10.0


class Web:
    """Serves one gallery."""

    def __init__(self, listening: socket.socket, gallery: Gallery, state: Callable[[], bytes]) -> None:
        """Start to serve.

        Args:
            listening: where viewers come in; it is closed in the end.
            gallery: of pictures.
            state: gives the state as JSON; called by several threads.

        Raises:
            SetupError: it did not start.
        """
        self._gallery, self._state = gallery, state
        self._loopback = ipaddress.ip_address(listening.getsockname()[0]).is_loopback
        self._files = {name: (ICON if name == ICON.name else FILES / name).read_bytes() for name in KINDS}
        self.told = threading.Event()
        """Set once the state was asked for after the gallery was closed."""
        config = uvicorn.Config(
            self._answer,
            log_config=None,
            log_level="critical",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            interface="asgi3",
            lifespan="off",
            ws="none",
            limit_concurrency=CONNECTIONS,
            timeout_keep_alive=5,
            timeout_graceful_shutdown=CLOSING_S,
        )
        self._server = uvicorn.Server(config)
        self._listening = listening
        self._started = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="web", daemon=True)
        self._thread.start()
        if not self._started.wait(START_S):
            raise SetupError("the page's server did not start: try again")

    def close(self) -> None:
        """Stop, within about a second."""
        self._server.should_exit = True
        self._thread.join(CLOSING_S + 1.0)

    async def _serve(self) -> None:
        self._gallery.open(asyncio.get_running_loop())
        self._started.set()
        try:
            await self._server.serve(sockets=[self._listening])
        finally:
            self._listening.close()

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        refused = refusal(scope, loopback=self._loopback)
        path = scope["path"]
        if refused is not None:
            await _say(send, *refused)
        elif path == "/stream":
            await self._stream(scope, receive, send)
        elif path == "/state":
            over = self._gallery.closed
            await _give(send, "application/json", await asyncio.to_thread(self._state))
            if over:
                self.told.set()
        elif (name := path.removeprefix("/") or "index.html") in self._files:
            await _give(send, KINDS[name], self._files[name])
        else:
            await _say(send, 404, "there is no such page: look at /")

    async def _stream(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] == "HEAD":
            await _begin_stream(send)
            await send({"type": "http.response.body"})
            return
        news = self._gallery.enter()
        if news is None:
            await _say(send, 503, f"{MOST_VIEWERS} viewers are there already: close one and try again")
            return
        gone = asyncio.create_task(_gone(receive))
        try:
            await _begin_stream(send)
            # Who takes nothing is left: the server closes what is not completed.
            with suppress(TimeoutError):
                await self._show(news, gone, send)
        finally:
            gone.cancel()
            self._gallery.leave(news)

    async def _show(self, news: asyncio.Event, gone: asyncio.Task[None], send: Send) -> None:
        """Send each newest picture as fast as the viewer takes them; the ones between are left out."""
        shown = 0
        while not gone.done() and not self._gallery.closed:
            waiting = asyncio.create_task(news.wait())
            try:
                done, _ = await asyncio.wait({waiting, gone}, timeout=AGAIN_S, return_when=asyncio.FIRST_COMPLETED)
            finally:
                waiting.cancel()
            news.clear()
            number, data, captured_ns = await asyncio.to_thread(self._gallery.newest)
            if not data or gone.done():
                continue
            async with asyncio.timeout(STALLED_S):
                await send({"type": "http.response.body", "body": data + NEXT, "more_body": True})
                # Waits until the viewer has taken most of it.
                await send({"type": "http.response.body", "body": b"", "more_body": True})
            if number != shown and done:
                self._gallery.sent(captured_ns)
            shown = number
        if not gone.done():
            # What has begun has to be completed: the last picture once more.
            _, data, _ = self._gallery.newest()
            await send({"type": "http.response.body", "body": data + LAST, "more_body": False})


async def _begin_stream(send: Send) -> None:
    kind = b"multipart/x-mixed-replace; boundary=" + BOUNDARY
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", kind), *_headers()]})
    await send({"type": "http.response.body", "body": NEXT.removeprefix(b"\r\n"), "more_body": True})


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _headers() -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]


async def _give(send: Send, kind: str, body: bytes, status: int = 200) -> None:
    headers = [(b"content-type", kind.encode()), (b"content-length", b"%d" % len(body)), *_headers()]
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers.append((b"retry-after", b"5"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _say(send: Send, status: int, words: str) -> None:
    await _give(send, "text/plain; charset=utf-8", f"{words}\n".encode(), status)
