"""An event loop in a thread of its own, and how other threads have things done there."""

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

CALL_S: Final = 5.0
"""Longest wait for the thread; it answers within milliseconds."""

_T = TypeVar("_T")


class LoopThread:
    """Runs from when it is made until `stop`."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def call(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Have something done there, and wait for it."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(CALL_S)

    def stop(self) -> None:
        """End the thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(CALL_S)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
        finally:
            self._loop.close()
