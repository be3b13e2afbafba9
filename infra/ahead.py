"""Work done ahead: a stage runs in a thread of its own, so that it and the next one overlap."""

import queue
import threading
from collections.abc import Generator, Iterator
from contextlib import suppress
from typing import TypeVar

Item = TypeVar("Item")


class _End:
    """Put last; carries what ended the work early."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


def ahead(items: Iterator[Item], size: int, name: str) -> Generator[Item, None, None]:
    """Yield items in their order, made by a thread that is at most `size` of them ahead.

    An exception in the thread is raised here. Closing this generator stops the thread and waits for it: whatever `items`
    reads from may be closed afterwards.

    Args:
        items: used by that thread alone.
        size: bound of the queue; what waits takes memory.
        name: of the thread.
    """
    waiting: queue.Queue[Item | _End] = queue.Queue(size)
    stopping = threading.Event()

    def put(item: Item | _End) -> None:
        while not stopping.is_set():
            with suppress(queue.Full):
                waiting.put(item, timeout=0.1)
                return

    def work() -> None:
        error: BaseException | None = None
        try:
            for item in items:
                put(item)
                if stopping.is_set():
                    break
        except BaseException as caught:  # noqa: BLE001 raised again where the items are used
            error = caught
        put(_End(error))

    thread = threading.Thread(target=work, name=name, daemon=True)
    thread.start()
    try:
        while not isinstance(item := waiting.get(), _End):
            yield item
        if item.error is not None:
            raise item.error
    finally:
        stopping.set()
        thread.join()
