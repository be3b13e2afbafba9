"""CPU time of repeated calls.

CPU time of all threads, not time on the clock: what else the machine does then counts as little as it can. On a quiet
machine the two are the same for work on one thread.
"""

import statistics
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

Item = TypeVar("Item")


def median_ms(work: Callable[[Item], object], items: Sequence[Item], *, rounds: int = 1) -> float:
    """Median CPU time of a call in milliseconds.

    Args:
        work: what is measured; called once more at first, to warm up.
        items: one call for each, at least one.
        rounds: how often to go through them.
    """
    work(items[0])
    return statistics.median(_cpu_ms(work, item) for _ in range(rounds) for item in items)


def median_ms_beside(
    work: Callable[[Item], object], limit: Callable[[Item], object], items: Sequence[Item], *, rounds: int = 1
) -> tuple[float, float]:
    """The same for something and its limit, in turns, so that a disturbance meets both."""
    work(items[0])
    limit(items[0])
    pairs = [(_cpu_ms(work, item), _cpu_ms(limit, item)) for _ in range(rounds) for item in items]
    return statistics.median(ours for ours, _ in pairs), statistics.median(bare for _, bare in pairs)


def _cpu_ms(work: Callable[[Item], object], item: Item) -> float:
    started = time.process_time()
    work(item)
    return (time.process_time() - started) * 1e3
