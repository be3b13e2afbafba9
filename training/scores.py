"""What one confusion matrix says: proportions and means with their 95 % intervals."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from storage.statistics import wilson_interval
from training.labels import LABELS, WITH_MASK

RESAMPLES: Final = 1000


@dataclass(frozen=True, slots=True)
class Figure:
    """A value with its 95 % interval; `of` is the number of faces it rests on. All None where there are none."""

    value: float | None
    low: float | None
    high: float | None
    of: int


@dataclass(frozen=True, slots=True)
class ClassFigures:
    """Precision, recall and F1 of one class."""

    precision: Figure
    recall: Figure
    f1: Figure


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


def confusion_matrix(labels: NDArray[np.int64], predicted: NDArray[np.intp]) -> NDArray[np.int64]:
    """(3, 3) counts, rows true, of (N,) labels and predictions, 0-2."""
    return np.bincount(labels * 3 + predicted, minlength=9).reshape(3, 3).astype(np.int64)


def scores(
    confusion: NDArray[np.int64], seed: int
) -> tuple[Figure, Figure, Figure, dict[str, ClassFigures], list[list[int]]]:
    """Accuracy, balanced and two-class accuracy, figures by class, and the confusion matrix they are of.

    Args:
        confusion: (3, 3) counts, rows true, columns predicted, in the order of the labels.
        seed: of the bootstrap.
    """
    count, right = int(confusion.sum()), int(np.trace(confusion))
    two = int(confusion[WITH_MASK, WITH_MASK] + np.delete(np.delete(confusion, WITH_MASK, 0), WITH_MASK, 1).sum())
    rng = np.random.default_rng(seed)
    samples = rng.multinomial(count, confusion.ravel() / count, RESAMPLES) if count else np.zeros((1, 9), np.int64)
    resampled = samples.reshape(-1, 3, 3)
    classes = {}
    for label in range(3):
        hit = int(confusion[label, label])
        classes[LABELS[label]] = ClassFigures(
            wilson(hit, int(confusion[:, label].sum())),
            wilson(hit, int(confusion[label].sum())),
            _bootstrapped(_f1(confusion[None], label), _f1(resampled, label), int(confusion[label].sum())),
        )
    balanced = _bootstrapped(_balanced(confusion[None]), _balanced(resampled), count)
    return wilson(right, count), balanced, wilson(two, count), classes, confusion.tolist()


def _balanced(confusion: NDArray[np.int64]) -> NDArray[np.float64]:
    """(M, 3, 3) to (M,): mean recall over the classes present."""
    of = confusion.sum(2)
    recall = np.diagonal(confusion, axis1=1, axis2=2) / np.maximum(of, 1)
    present = of > 0
    return np.asarray((recall * present).sum(1) / np.maximum(present.sum(1), 1), np.float64)


def _f1(confusion: NDArray[np.int64], label: int) -> NDArray[np.float64]:
    hit = confusion[:, label, label]
    return np.asarray(2 * hit / np.maximum(confusion[:, label].sum(1) + confusion[:, :, label].sum(1), 1), np.float64)


def _bootstrapped(value: NDArray[np.float64], resampled: NDArray[np.float64], of: int) -> Figure:
    if of == 0:
        return Figure(None, None, None, 0)
    low, high = np.percentile(resampled, [2.5, 97.5])
    return Figure(float(value[0]), float(low), float(high), of)
