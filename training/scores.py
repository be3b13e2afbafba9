"""What one confusion matrix says: proportions and means with their 95 % intervals."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.labels import LABELS, WITH_MASK
from training.resampling import RESAMPLES, Figure, Resampled, interval, wilson

__all__ = ["RESAMPLES", "ClassFigures", "Figure", "confusion_matrix", "confusion_rows", "scores", "wilson"]


@dataclass(frozen=True, slots=True)
class ClassFigures:
    """Precision, recall and F1 of one class."""

    precision: Figure
    recall: Figure
    f1: Figure


def confusion_matrix(labels: NDArray[np.int64], predicted: NDArray[np.intp]) -> NDArray[np.int64]:
    """(3, 3) counts, rows true, of (N,) labels and predictions, 0-2."""
    return np.bincount(labels * 3 + predicted, minlength=9).reshape(3, 3).astype(np.int64)


def confusion_rows(labels: NDArray[np.int64], predicted: NDArray[np.intp]) -> NDArray[np.float64]:
    """(N, 9) the confusion matrix of each face alone, row by row."""
    return np.asarray(np.eye(9)[labels * 3 + predicted], np.float64)


def scores(found: Resampled, first: int = 0) -> tuple[Figure, Figure, Figure, dict[str, ClassFigures], list[list[int]]]:
    """Accuracy, balanced and two-class accuracy, figures by class, and the confusion matrix they are of.

    Args:
        found: with the nine cells of `confusion_rows` from the sum `first` on.
        first: see `found`.
    """
    cells = np.arange(first, first + 9).reshape(3, 3)
    confusion = found.sums[cells]
    draws = found.draws[:, first : first + 9].reshape(-1, 3, 3)
    every = cells.ravel().tolist()
    others = np.delete(np.delete(cells, WITH_MASK, 0), WITH_MASK, 1).ravel().tolist()
    classes = {}
    for label in range(3):
        hit, said, true = [int(cells[label, label])], cells[:, label].tolist(), cells[label].tolist()
        of = round(float(confusion[label].sum()))
        f1 = Figure(None, None, None, 0)
        if of:
            f1 = interval(float(_f1(confusion[None], label)[0]), _f1(draws, label), of, found.clusters(true))
        classes[LABELS[label]] = ClassFigures(found.ratio(hit, said), found.ratio(hit, true), f1)
    count = round(float(confusion.sum()))
    balanced = Figure(None, None, None, 0)
    if count:
        # What is known least decides how much the mean can be wrong.
        fewest = min(found.clusters(row.tolist()) for row in cells if found.sums[row].any())
        balanced = interval(float(_balanced(confusion[None])[0]), _balanced(draws), count, fewest)
    return (
        found.ratio(np.diagonal(cells).tolist(), every),
        balanced,
        found.ratio([int(cells[WITH_MASK, WITH_MASK]), *others], every),
        classes,
        confusion.round().astype(int).tolist(),
    )


def _balanced(confusion: NDArray[np.float64]) -> NDArray[np.float64]:
    """(M, 3, 3) to (M,): mean recall over the classes present."""
    of = confusion.sum(2)
    recall = np.diagonal(confusion, axis1=1, axis2=2) / np.maximum(of, 1)
    present = of > 0
    return np.asarray((recall * present).sum(1) / np.maximum(present.sum(1), 1), np.float64)


def _f1(confusion: NDArray[np.float64], label: int) -> NDArray[np.float64]:
    hit = confusion[:, label, label]
    return np.asarray(2 * hit / np.maximum(confusion[:, label].sum(1) + confusion[:, :, label].sum(1), 1), np.float64)
