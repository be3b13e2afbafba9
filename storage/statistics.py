"""Counts of labelled tracks, and the compliance rate with its interval."""

import math
from collections.abc import Iterable
from typing import Final

import msgspec

from storage.words import Label

Z_95: Final = 1.959963984540054
"""Two-sided 95 % point of the normal distribution."""


class Statistics(msgspec.Struct, frozen=True):
    """Passages by label; `unknown` stays out of the rate. Rate and interval are None when nothing was counted."""

    tracks: int
    with_mask: int
    without_mask: int
    incorrect_mask: int
    unknown: int
    compliance_rate: float | None
    interval: tuple[float, float] | None


def wilson_interval(successes: int, trials: int, z: float = Z_95) -> tuple[float, float]:
    """Score interval of a proportion (Wilson, "Probable inference", JASA 22, 1927).

    Args:
        successes: 0 to `trials`.
        trials: 1 or more.
        z: point of the normal distribution, 1.96 for 95 %.

    Returns:
        Lower and upper limit in [0, 1].

    >>> [round(limit, 4) for limit in wilson_interval(3, 4)]
    [0.3006, 0.9544]
    """
    share = successes / trials
    denominator = 1.0 + z * z / trials
    centre = (share + z * z / (2.0 * trials)) / denominator
    half = z * math.sqrt(share * (1.0 - share) / trials + z * z / (4.0 * trials * trials)) / denominator
    return max(0.0, centre - half), min(1.0, centre + half)


def difference_interval(now: tuple[int, int], before: tuple[int, int]) -> tuple[float, float]:
    """95 % score interval of the difference of two independent proportions, `now` minus `before`.

    Newcombe, "Interval estimation for the difference between independent proportions", Statistics in Medicine 17, 1998,
    method 10: from the Wilson intervals of both.

    Args:
        now: successes, and trials: 1 or more.
        before: likewise.

    Returns:
        Lower and upper limit in [-1, 1].

    >>> [round(limit, 4) for limit in difference_interval((56, 70), (48, 80))]
    [0.0524, 0.3339]
    """
    (one, one_of), (other, other_of) = now, before
    share, other_share = one / one_of, other / other_of
    low, high = wilson_interval(one, one_of)
    other_low, other_high = wilson_interval(other, other_of)
    difference = share - other_share
    return (
        difference - math.hypot(share - low, other_high - other_share),
        difference + math.hypot(high - share, other_share - other_low),
    )


def count(labels: Iterable[Label]) -> Statistics:
    """Count tracks by label; rate and interval have four decimals."""
    every = list(labels)
    number = {label: every.count(label) for label in Label}
    judged = len(every) - number[Label.UNKNOWN]
    rate, interval = None, None
    if judged:
        rate = round(number[Label.WITH_MASK] / judged, 4)
        low, high = wilson_interval(number[Label.WITH_MASK], judged)
        interval = (round(low, 4), round(high, 4))
    return Statistics(
        tracks=len(every),
        with_mask=number[Label.WITH_MASK],
        without_mask=number[Label.WITHOUT_MASK],
        incorrect_mask=number[Label.INCORRECT_MASK],
        unknown=number[Label.UNKNOWN],
        compliance_rate=rate,
        interval=interval,
    )
