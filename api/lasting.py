"""What answers that go on for long share: they end with who asked, with their right to it, and after a while anyway."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.types import Receive, Send

from api.problems import ProblemError
from storage.errors import StorageError
from storage.identity import Caller

WELCOME_S: Final = 10.0
"""How often, at most, it is asked whether somebody still may."""

SEND_S: Final = 10.0
"""Who takes nothing for so long is gone."""

LONGEST_S: Final = 900.0
"""Then an answer ends, and who wants more comes back."""


@asynccontextmanager
async def until_gone(receive: Receive) -> AsyncIterator["asyncio.Task[None]"]:
    """A task that is done as soon as whoever asked has gone."""
    gone = asyncio.create_task(_disconnected(receive))
    try:
        yield gone
    finally:
        gone.cancel()


async def send_part(send: Send, *bodies: bytes, last: bool = False) -> None:
    """Send parts of an answer.

    Args:
        send: of the server.
        bodies: an empty one waits until most of what is before it has been taken.
        last: nothing comes after them.

    Raises:
        TimeoutError: they are not taken within `SEND_S`.
    """
    async with asyncio.timeout(SEND_S):
        for body in bodies:
            await send({"type": "http.response.body", "body": body, "more_body": not last})


class Welcome:
    """How long an answer may go on, and whether who gets it still may."""

    def __init__(self, ask: Callable[[], bool]) -> None:
        """Begin, with somebody who may.

        Args:
            ask: whether they still may; asked in a thread.
        """
        self._ask = ask
        self._asked_s = time.monotonic()
        self._until_s = self._asked_s + LONGEST_S

    @property
    def left_s(self) -> float:
        """How long it may still go on."""
        return max(0.0, self._until_s - time.monotonic())

    async def holds(self) -> bool:
        """Whether they may; asked no more often than every `WELCOME_S`."""
        now_s = time.monotonic()
        if now_s - self._asked_s < WELCOME_S:
            return True
        try:
            may = await run_in_threadpool(self._ask)
        except StorageError:
            # Nobody knows; it is asked again soon.
            may = True
        self._asked_s = time.monotonic()
        return may


def check_share(callers: Iterable[Caller], caller: Caller, most: int, what: str) -> None:
    """See that one caller leaves places for others.

    Args:
        callers: of the places that are taken.
        caller: who wants another one.
        most: of one caller.
        what: the places are, for people.

    Raises:
        ProblemError: 429: they have as many already.
    """
    if Counter(one.id for one in callers)[caller.id] >= most:
        raise ProblemError(429, "too-many-streams", f"{caller.name!r} has {most} {what} open already: close one")


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
