"""What a classifier's confidence is worth: reliability, risk by coverage, precision by recall, Brier score.

All take probabilities (N, C) that add up to 1 in each row, and labels (N,) 0 to C - 1.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

RELIABILITY_BINS: Final = 15
MAX_POINTS: Final = 100
"""Points of a curve at most; more show nothing on a page."""

Probabilities = NDArray[np.floating]
Labels = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Faces of similar confidence: how sure the model was on average, how often it was right, how many they are."""

    confidence: float
    accuracy: float
    count: int


@dataclass(frozen=True, slots=True)
class RiskPoint:
    """When only the surest faces are judged: their share of all, and the share of errors among them."""

    coverage: float
    risk: float


@dataclass(frozen=True, slots=True)
class PrecisionRecall:
    """One class against the rest.

    Attributes:
        average_precision: area under the steps of precision over recall (no interpolation).
        recall: at most `MAX_POINTS` points, rising.
        precision: at these points.
        of: faces of the class.
    """

    average_precision: float
    recall: list[float]
    precision: list[float]
    of: int


def confidence_bins(probabilities: Probabilities, bins: int = RELIABILITY_BINS) -> NDArray[np.int64]:
    """(N,) the bin of `reliability` that each face is in."""
    order = np.argsort(probabilities.max(1), kind="stable") if len(probabilities) else np.empty(0, np.intp)
    found = np.empty(len(order), np.int64)
    for number, part in enumerate(np.array_split(order, min(bins, len(order)) or 1)):
        found[part] = number
    return found


def reliability(probabilities: Probabilities, labels: Labels, bins: int = RELIABILITY_BINS) -> list[ReliabilityBin]:
    """Bins of equal count, from the least sure to the surest; fewer where there are fewer faces.

    >>> reliability(np.array([[0.9, 0.1], [0.6, 0.4]]), np.array([0, 1]))
    [ReliabilityBin(confidence=0.6, accuracy=0.0, count=1), ReliabilityBin(confidence=0.9, accuracy=1.0, count=1)]
    """
    confidence = probabilities.max(1) if len(labels) else np.empty(0)
    right = probabilities.argmax(1) == labels if len(labels) else np.empty(0, np.bool_)
    order = np.argsort(confidence, kind="stable")
    parts = [part for part in np.array_split(order, min(bins, len(order)) or 1) if len(part)]
    return [ReliabilityBin(float(confidence[part].mean()), float(right[part].mean()), len(part)) for part in parts]


def calibration_error(probabilities: Probabilities, labels: Labels, bins: int = RELIABILITY_BINS) -> float:
    """Expected calibration error over bins of equal count (Nguyen and O'Connor, 2015)."""
    parts = reliability(probabilities, labels, bins)
    return sum(part.count * abs(part.accuracy - part.confidence) for part in parts) / len(labels)


def brier_score(probabilities: Probabilities, labels: Labels) -> float:
    """Mean squared distance of the probabilities from the truth, summed over the classes: 0 best, 2 worst."""
    true = np.eye(probabilities.shape[1])[labels]
    return float(np.square(probabilities - true).sum(1).mean())


def surest_first(probabilities: Probabilities, *, seed: int = 0) -> NDArray[np.intp]:
    """Order of the faces by falling confidence; equal ones in an order by chance, not in that of the data."""
    shuffled = np.random.default_rng(seed).permutation(len(probabilities))
    order: NDArray[np.intp] = shuffled[np.argsort(-probabilities.max(1)[shuffled], kind="stable")]
    return order


def risk_coverage(probabilities: Probabilities, labels: Labels, *, seed: int = 0) -> list[RiskPoint]:
    """Share of errors among the surest faces, by how many are judged (El-Yaniv and Wiener, 2010)."""
    count = len(labels)
    if not count:
        return []
    order = surest_first(probabilities, seed=seed)
    errors = np.cumsum(probabilities[order].argmax(1) != labels[order])
    kept = np.unique(np.ceil(np.linspace(0.05, 1.0, MAX_POINTS) * count).astype(int).clip(1, count))
    return [RiskPoint(round(int(k) / count, 4), round(float(errors[k - 1] / k), 5)) for k in kept]


def precision_recall(probabilities: Probabilities, labels: Labels, label: int) -> PrecisionRecall | None:
    """Precision by recall of one class against the rest; None where no face has it."""
    true = labels == label
    positives = int(true.sum())
    if not positives:
        return None
    scores = probabilities[:, label]
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(true[order])
    # Faces with the same score are above a threshold together or not at all.
    ends = np.append(np.flatnonzero(np.diff(scores[order])), len(order) - 1)
    recall, precision = hits[ends] / positives, hits[ends] / (ends + 1.0)
    average = float((np.diff(recall, prepend=0.0) * precision).sum())
    shown = np.unique(np.searchsorted(recall, np.linspace(recall[0], 1.0, MAX_POINTS)).clip(0, len(recall) - 1))
    return PrecisionRecall(average, recall[shown].round(4).tolist(), precision[shown].round(4).tolist(), positives)
