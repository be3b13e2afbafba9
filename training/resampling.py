"""Intervals by resampling pictures: faces of one picture resemble each other and are no independent witnesses.

The bootstrap over clusters (Davison and Hinkley, "Bootstrap Methods and their Application", 1997, chapter 3.8): pictures
are drawn with replacement, each with all its faces.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from storage.statistics import wilson_interval

RESAMPLES: Final = 1000
_AT_ONCE: Final = 100
"""Resamples that are in memory together."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A value with its 95 % interval; `of` is the number of faces it rests on. All None where there are none."""

    value: float | None
    low: float | None
    high: float | None
    of: int


def wilson(right: int, of: int) -> Figure:
    """A proportion with its Wilson interval; without values where there is nothing to count.

    >>> wilson(0, 0).value is None
    True
    >>> figure = wilson(3, 4)
    >>> round(figure.value, 4), round(figure.low, 4), round(figure.high, 4)
    (0.75, 0.3006, 0.9544)
    """
    if of == 0:
        return Figure(None, None, None, 0)
    return Figure(right / of, *wilson_interval(right, of), of)


class Resampled:
    """Sums over faces, as they are and in `RESAMPLES` draws of clusters; all sums rest on the same draws."""

    def __init__(self, rows: NDArray[np.floating], clusters: NDArray[np.int64] | None = None, *, seed: int = 0) -> None:
        """Draw.

        Args:
            rows: (N, K) what each face adds to each of K sums.
            clusters: (N,) number of the picture of each; None where each face is on its own.
            seed: of the draws.
        """
        rows = np.asarray(rows, np.float64)
        number = np.arange(len(rows)) if clusters is None else np.unique(clusters, return_inverse=True)[1].reshape(-1)
        count = int(number.max(initial=-1)) + 1
        self._by_cluster = np.zeros((count, rows.shape[1]))
        np.add.at(self._by_cluster, number, rows)
        self.sums = self._by_cluster.sum(0)
        """(K,) over all faces."""
        self.draws = np.zeros((RESAMPLES, rows.shape[1]))
        """(RESAMPLES, K)"""
        rng = np.random.default_rng(seed)
        for start in range(0, RESAMPLES if count else 0, _AT_ONCE):
            drawn = [np.bincount(rng.integers(0, count, count), minlength=count) for _ in range(_AT_ONCE)]
            self.draws[start : start + _AT_ONCE] = np.stack(drawn).astype(np.float64) @ self._by_cluster

    def clusters(self, columns: list[int]) -> int:
        """How many clusters have anything in one of these sums."""
        return int(self._by_cluster[:, columns].any(1).sum())

    def ratio(self, part: list[int], whole: list[int]) -> Figure:
        """The sums `part`, added, as a share of the sums `whole`, added; `of` is the latter."""
        of = round(float(self.sums[whole].sum()))
        if not of:
            return Figure(None, None, None, 0)
        total = self.draws[:, whole].sum(1)
        samples = self.draws[:, part].sum(1)[total > 0] / total[total > 0]
        return interval(float(self.sums[part].sum()) / of, samples, of, self.clusters(whole))


def interval(value: float, samples: NDArray[np.float64], of: int, clusters: int) -> Figure:
    """A value in [0, 1] with the 2.5th and 97.5th percentile of its resamples.

    Where these are all the same, as where nothing is wrong, resampling knows nothing of what it has not seen: Wilson's
    interval over the clusters stands instead.

    Args:
        value: of all faces.
        samples: (M,) of the draws.
        of: faces.
        clusters: that it rests on.

    >>> interval(1.0, np.ones(1000), 50, 10)
    Figure(value=1.0, low=0.7224672001371107, high=1.0, of=50)
    """
    low, high = (float(each) for each in np.percentile(samples, [2.5, 97.5])) if len(samples) else (value, value)
    if high - low < 1e-12:
        clusters = max(1, clusters)
        low, high = wilson_interval(round(value * clusters), clusters)
    return Figure(value, min(low, value), max(high, value), of)
