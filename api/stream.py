"""The answer to one who looks on: server-sent events for as long as they stay, may, and can keep up."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api.hub import Hub, Onlooker, Told
from api.lasting import Welcome, send_part, until_gone
from storage.identity import Caller
from storage.keys import position

HEARTBEAT_S: Final = 15.0
RETRY_MS: Final = 2000


class EventStream(Response):
    """The answer to one who looks on: server-sent events, until they go, the server stops or 15 minutes are over."""

    media_type = "text/event-stream"

    def __init__(self, hub: Hub, caller: Caller, last: str, welcome: Callable[[], bool]) -> None:
        """Begin.

        Args:
            hub: with the others.
            caller: who looks on.
            last: see `Hub.catch_up`.
            welcome: whether they still may; asked now and then, in a thread.
        """
        super().__init__(headers={"X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._hub, self._caller, self._last, self._welcome = hub, caller, last, welcome

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """Tell."""
        onlooker = Onlooker(self._caller)
        self._hub.join(onlooker)
        try:
            async with until_gone(receive) as gone:
                missed = await run_in_threadpool(self._hub.catch_up, onlooker, self._last)
                await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
                with suppress(TimeoutError):
                    async for body in self._bodies(onlooker, missed, gone):
                        await send_part(send, body)
                    await send_part(send, b"", last=True)
        finally:
            self._hub.leave(onlooker)

    async def _bodies(self, onlooker: Onlooker, missed: list[Told], gone: "asyncio.Task[None]") -> AsyncIterator[bytes]:
        welcome = Welcome(self._welcome)
        yield f"retry: {RETRY_MS}\n\n".encode()
        last = self._last
        for told in missed:
            last = told.place or last
            yield told.encode()
        while not gone.done() and welcome.left_s > 0 and await welcome.holds():
            waiting = asyncio.create_task(onlooker.next())
            limit_s = min(HEARTBEAT_S, welcome.left_s)
            await asyncio.wait({waiting, gone}, timeout=limit_s, return_when=asyncio.FIRST_COMPLETED)
            if not waiting.done():
                waiting.cancel()
                yield b": still here\n\n"
                continue
            news = waiting.result()
            if news is None:
                return
            # What was caught up with may have arrived as news too.
            if not news.place or not last or position(news.place) > position(last):
                last = news.place or last
                yield news.encode()
