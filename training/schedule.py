"""Learning rate over a training run: a short rise, then half a cosine (Loshchilov and Hutter, 2017); and when to stop."""

import math
from collections.abc import Sequence
from typing import Final

FLOOR: Final = 0.02
"""Share of the peak that is left at the end."""


def learning_rate(step: int, total: int, peak: float, *, warmup: int = 0) -> float:
    """Rate at `step` of `total` (0-based).

    >>> [round(learning_rate(step, 100, 1.0, warmup=10), 3) for step in (0, 9, 55, 99)]
    [0.1, 1.0, 0.501, 0.02]
    """
    if step < warmup:
        return peak * (step + 1) / warmup
    share = min(1.0, (step - warmup) / max(1, total - 1 - warmup))
    return peak * (FLOOR + (1.0 - FLOOR) * 0.5 * (1.0 + math.cos(math.pi * share)))


def enough(losses: Sequence[float], patience: int) -> bool:
    """Whether the validation loss has not become lower for `patience` epochs; with a patience of 0 never.

    >>> [enough(losses, 2) for losses in ([3, 2, 1], [2, 1, 1, 3], [2, 1, 1, 3, 0.5], [1, 2])]
    [False, True, False, False]
    """
    return 0 < patience < len(losses) and min(losses[-patience:]) >= min(losses[:-patience])
