"""The answer to one who looks on: server-sent events for as long as they stay, may, and can keep up."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api.hub import Hub, Onlooker, Told
from storage.errors import StorageError
from storage.identity import Caller
from storage.keys import position

HEARTBEAT_S: Final = 15.0
WELCOME_S: Final = 10.0
"""How often, at most, it is asked whether who looks on still may."""

SEND_S: Final = 10.0
"""Who takes nothing for so long is gone."""

LONGEST_S: Final = 900.0
"""Then it ends, and who looks on comes back."""

RETRY_MS: Final = 2000


class EventStream(Response):
    """The answer to one who looks on: server-sent events, until they go, the server stops or `LONGEST_S` are over."""

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
        gone = asyncio.create_task(_disconnected(receive))
        try:
            missed = await run_in_threadpool(self._hub.catch_up, onlooker, self._last)
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            with suppress(TimeoutError):
                async for body in self._bodies(onlooker, missed, gone):
                    async with asyncio.timeout(SEND_S):
                        await send({"type": "http.response.body", "body": body, "more_body": True})
                async with asyncio.timeout(SEND_S):
                    await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            gone.cancel()
            self._hub.leave(onlooker)

    async def _bodies(self, onlooker: Onlooker, missed: list[Told], gone: "asyncio.Task[None]") -> AsyncIterator[bytes]:
        until_s = time.monotonic() + LONGEST_S
        yield f"retry: {RETRY_MS}\n\n".encode()
        last, asked_s = self._last, time.monotonic()
        for told in missed:
            last = told.place or last
            yield told.encode()
        while not gone.done() and (left_s := until_s - time.monotonic()) > 0:
            if time.monotonic() - asked_s >= WELCOME_S:
                asked_s = time.monotonic()
                if not await self._may():
                    return
            waiting = asyncio.create_task(onlooker.next())
            await asyncio.wait({waiting, gone}, timeout=min(HEARTBEAT_S, left_s), return_when=asyncio.FIRST_COMPLETED)
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

    async def _may(self) -> bool:
        try:
            return await run_in_threadpool(self._welcome)
        except StorageError:
            # Nobody knows; it is asked again soon.
            return True


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
