"""How good a classifier is, in figures with intervals.

Proportions (accuracy, precision, recall) have Wilson's 95 % interval; means over classes and F1, which are no
proportions, have a bootstrap one (2.5th and 97.5th percentile of resampled faces).
"""

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from storage.statistics import wilson_interval
from training.labels import LABELS, NO_FACE, WITH_MASK

WIDTH_BANDS: Final = ((24.0, 40.0), (40.0, 80.0), (80.0, float("inf")))
RESAMPLES: Final = 1000

Probabilities = NDArray[np.floating]
Labels = NDArray[np.int64]


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


@dataclass(frozen=True, slots=True)
class Figures:
    """Figures over a set of faces of the three mask classes.

    Attributes:
        faces: how many.
        accuracy: right ones of the three classes.
        balanced_accuracy: mean of the classes' recalls.
        two_class_accuracy: `with_mask` against the other two.
        classes: by label.
        confusion: rows true, columns predicted, in the order of the three labels.
        calibration_error: expected calibration error over 15 bins of equal count.
    """

    faces: int
    accuracy: Figure
    balanced_accuracy: Figure
    two_class_accuracy: Figure
    classes: dict[str, ClassFigures]
    confusion: list[list[int]]
    calibration_error: float | None


@dataclass(frozen=True, slots=True)
class FalseAlarms:
    """What `not_a_face` does: share of false alarms it rejects, and of true faces it loses."""

    rejected: Figure
    faces_lost: Figure


@dataclass(frozen=True, slots=True)
class Report:
    """Everything measured on one split."""

    overall: Figures
    by_width: dict[str, Figures]
    by_source: dict[str, Figures]
    false_alarms: FalseAlarms
    groups: dict[str, Figures] = field(default_factory=dict)


def softmax(logits: NDArray[np.floating], temperature: float = 1.0) -> NDArray[np.float32]:
    """Probabilities (N, C) of logits (N, C)."""
    scaled = np.asarray(logits, np.float64) / temperature
    powers = np.exp(scaled - scaled.max(1, keepdims=True))
    return np.asarray(powers / powers.sum(1, keepdims=True), np.float32)


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


def figures(probabilities: Probabilities, labels: Labels, *, seed: int = 0) -> Figures:
    """Figures of three-class predictions.

    Args:
        probabilities: (N, 3) or (N, 4); of four the last, `not_a_face`, is left out, as in the running system.
        labels: (N,) true classes, 0-2.
        seed: of the bootstrap.
    """
    three = np.asarray(probabilities, np.float64)[:, :3]
    three = three / np.maximum(three.sum(1, keepdims=True), 1e-12)
    predicted = three.argmax(1) if len(three) else np.empty(0, np.int64)
    confusion = _confusion(labels, predicted)
    right, count = int((predicted == labels).sum()), len(labels)
    two = int(((predicted == WITH_MASK) == (labels == WITH_MASK)).sum())
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
    return Figures(
        count,
        wilson(right, count),
        _bootstrapped(_balanced(confusion[None]), _balanced(resampled), count),
        wilson(two, count),
        classes,
        confusion.tolist(),
        calibration_error(three, labels) if count else None,
    )


def report(
    probabilities: Probabilities,
    labels: Labels,
    widths: NDArray[np.floating],
    sources: NDArray[np.str_],
    *,
    alarms: NDArray[np.bool_] | None = None,
    groups: dict[str, NDArray[np.bool_]] | None = None,
) -> Report:
    """Everything about one split.

    Args:
        probabilities: (N, 4).
        labels: (N,) 0-3; 3 is a false alarm of the detector.
        widths: (N,) face widths in source pixels.
        sources: (N,) the set each comes from.
        alarms: (N,) which `not_a_face` crops count as false alarms; all by default.
        groups: further named (N,) masks of faces to report on their own.
    """
    faces = labels != NO_FACE
    bands = {}
    for low, high in WIDTH_BANDS:
        inside = faces & (widths >= low) & (widths < high)
        bands[f"{low:.0f}-{high:.0f}" if np.isfinite(high) else f"{low:.0f}+"] = inside
    named = {str(source): faces & (sources == source) for source in sorted(set(sources[faces].tolist()))}

    def of(mask: NDArray[np.bool_]) -> Figures:
        return figures(probabilities[mask], labels[mask])

    dropped = probabilities[:, NO_FACE] > 0.5 if probabilities.shape[1] > NO_FACE else np.zeros(len(labels), np.bool_)
    false = (labels == NO_FACE) if alarms is None else (labels == NO_FACE) & alarms
    return Report(
        of(faces),
        {name: of(mask) for name, mask in bands.items()},
        {name: of(mask) for name, mask in named.items()},
        FalseAlarms(wilson(int((dropped & false).sum()), int(false.sum())),
                    wilson(int((dropped & faces).sum()), int(faces.sum()))),
        {name: of(mask & faces) for name, mask in (groups or {}).items()},
    )  # fmt: skip


def balanced_log_loss(probabilities: Probabilities, labels: Labels) -> tuple[float, float]:
    """Mean over the classes present of the mean log loss, and of the recall; steadier than accuracy to choose by."""
    present = [label for label in range(probabilities.shape[1]) if (labels == label).any()]
    likely = np.clip(probabilities[np.arange(len(labels)), labels], 1e-6, 1.0)
    right = probabilities.argmax(1) == labels
    losses = [float(-np.log(likely[labels == label]).mean()) for label in present]
    recalls = [float(right[labels == label].mean()) for label in present]
    return float(np.mean(losses)), float(np.mean(recalls))


def calibration_error(probabilities: Probabilities, labels: Labels, bins: int = 15) -> float:
    """Expected calibration error over bins of equal count (Nguyen and O'Connor, 2015)."""
    confidence = probabilities.max(1)
    right = (probabilities.argmax(1) == labels).astype(np.float64)
    order = np.argsort(confidence, kind="stable")
    parts = [part for part in np.array_split(order, min(bins, len(order))) if len(part)]
    return float(sum(len(part) * abs(right[part].mean() - confidence[part].mean()) for part in parts) / len(order))


def _confusion(labels: Labels, predicted: NDArray[np.intp]) -> NDArray[np.int64]:
    return np.bincount(labels * 3 + predicted, minlength=9).reshape(3, 3).astype(np.int64)


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
