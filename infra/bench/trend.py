"""What is read of a running system again and again, and whether it grows."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

from infra.bench.plot import Panel

HOUR_S: Final = 3600.0
MOST_POINTS: Final = 200
"""Slopes are taken between all pairs of so many points."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One moment.

    Attributes:
        at_s: seconds from the first.
        memory_mib: by role.
        files: open ones, by role.
        queues: longest since the reading before, by name.
    """

    at_s: float
    memory_mib: Mapping[str, float]
    files: Mapping[str, int]
    queues: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Trend:
    """How fast things grow, in an hour.

    Attributes:
        memory_mib: of all together.
        files: likewise.
        worst_mib: that of the role whose memory grows fastest.
        worst: that role.
    """

    memory_mib: float
    files: float
    worst_mib: float
    worst: str


def trend(readings: Sequence[Reading]) -> Trend:
    """How fast memory and the number of open files grow, judged on the later two thirds.

    Args:
        readings: in order of time; fewer than three say nothing and give zeros.
    """
    late = readings[len(readings) // 3 :]
    if len(late) < 3:
        return Trend(0.0, 0.0, 0.0, "")
    times = [one.at_s for one in late]

    def by_hour(values: Sequence[float]) -> float:
        return HOUR_S * slope(times, values)

    roles = {role: by_hour([one.memory_mib.get(role, 0.0) for one in late]) for role in late[-1].memory_mib}
    worst = max(roles, key=lambda role: roles[role])
    return Trend(
        by_hour([sum(one.memory_mib.values()) for one in late]),
        by_hour([float(sum(one.files.values())) for one in late]),
        roles[worst],
        worst,
    )


def slope(times: Sequence[float], values: Sequence[float]) -> float:
    """Median slope between all pairs of points (Theil 1950, Sen 1968): single peaks do not move it.

    >>> slope([0, 1, 2, 3], [5, 7, 90, 11])
    2.0
    """
    step = -(-len(times) // MOST_POINTS)
    points = list(zip(times, values, strict=True))[::step]
    slopes = [(y1 - y0) / (x1 - x0) for (x0, y0), (x1, y1) in combinations(points, 2) if x1 > x0]
    return statistics.median(slopes) if slopes else 0.0


def panels(readings: Sequence[Reading]) -> tuple[Panel, ...]:
    """The readings as curves: memory, open files, queues."""

    def lines(of: Sequence[Mapping[str, float]]) -> dict[str, list[tuple[float, float]]]:
        names = dict.fromkeys(name for values in of for name in values)
        times = [one.at_s / 60 for one in readings]
        return {
            name: [(at, float(values[name])) for at, values in zip(times, of, strict=True) if name in values]
            for name in names
        }

    return (
        Panel("memory, MiB", lines([one.memory_mib for one in readings])),
        Panel("open files", lines([one.files for one in readings])),
        Panel("longest queue, entries", lines([one.queues for one in readings])),
    )
