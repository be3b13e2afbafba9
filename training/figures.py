"""How good a classifier is, in figures with intervals.

Figures over faces have 95 % intervals by resampling pictures, each with all its faces (`training.resampling`); what the
detector's false alarms and the like come to has Wilson's, which takes them one by one.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from classify.faces import MAX_NOT_A_FACE
from training.curves import (
    brier_score,
    calibration_error,
    confidence_bins,
    precision_recall,
    reliability,
    risk_coverage,
    surest_first,
)
from training.labels import LABELS, NO_FACE
from training.measures import Abstained, FalseAlarms, Figures, Report
from training.resampling import Resampled, interval
from training.scores import ClassFigures, Figure, confusion_matrix, confusion_rows, scores, wilson

__all__ = [
    "Abstained",
    "ClassFigures",
    "FalseAlarms",
    "Figure",
    "Figures",
    "Report",
    "balanced_log_loss",
    "calibration_error",
    "figures",
    "report",
    "softmax",
    "wilson",
]


WIDTH_BANDS: Final = ((24.0, 40.0), (40.0, 80.0), (80.0, float("inf")))
ABSTAINED_SHARE: Final = 0.05
"""Of the faces, the least sure ones, for `Figures.abstention`."""

# The sums of `figures`, after the nine cells of the confusion matrix.
_WRONG, _DOUBTED, _FACES, _UNKNOWN, _WRONG_UNKNOWN, _KEPT = range(9, 15)
_GAPS: Final = _KEPT + 9

Probabilities = NDArray[np.floating]
Labels = NDArray[np.int64]


def softmax(logits: NDArray[np.floating], temperature: float = 1.0) -> NDArray[np.float32]:
    """Probabilities (N, C) of logits (N, C)."""
    scaled = np.asarray(logits, np.float64) / temperature
    powers = np.exp(scaled - scaled.max(1, keepdims=True))
    return np.asarray(powers / powers.sum(1, keepdims=True), np.float32)


def figures(
    probabilities: Probabilities,
    labels: Labels,
    *,
    unknown: NDArray[np.bool_] | None = None,
    clusters: NDArray[np.int64] | None = None,
    curves: bool = True,
    seed: int = 0,
) -> Figures:
    """Figures of three-class predictions.

    Args:
        probabilities: (N, 3) or (N, 4); of four the last, `not_a_face`, is left out, as in the running system.
        labels: (N,) true classes, 0-2.
        unknown: (N,) where the system would abstain, if that is to be reported.
        clusters: (N,) number of the picture that each face is in; None where every face is in one of its own.
        curves: also the points to draw.
        seed: of the bootstrap.
    """
    three = np.asarray(probabilities, np.float64)[:, :3]
    three = three / np.maximum(three.sum(1, keepdims=True), 1e-12)
    confusion = confusion_matrix(labels, three.argmax(1))
    wrong = three.argmax(1) != labels
    doubted = np.zeros(len(labels), np.bool_)
    doubted[surest_first(three, seed=seed)[len(labels) - round(ABSTAINED_SHARE * len(labels)) :]] = True
    cells = confusion_rows(labels, three.argmax(1))
    said_nothing = np.zeros(len(labels), np.bool_) if unknown is None else unknown
    bins = confidence_bins(three)
    gaps = np.zeros((len(labels), int(bins.max(initial=-1)) + 1))
    gaps[np.arange(len(labels)), bins] = three.max(1) - ~wrong if len(labels) else 0.0
    found = Resampled(
        np.column_stack([cells, wrong, wrong & doubted, np.ones(len(labels)), said_nothing, wrong & said_nothing,
                         cells * ~said_nothing[:, None], gaps]),
        clusters, seed=seed,
    )  # fmt: skip
    points = {LABELS[label]: precision_recall(three, labels, label) for label in range(3)} if curves else {}
    return Figures(
        len(labels),
        *scores(found),
        calibration_error(three, labels) if len(labels) else None,
        [LABELS[label] for label in range(3) if not confusion[label].any()],
        brier_score(three, labels) if len(labels) else None,
        found.ratio([_DOUBTED], [_WRONG]),
        None if unknown is None else _abstained(found),
        reliability(three, labels) if curves else [],
        risk_coverage(three, labels, seed=seed) if curves else [],
        {label: curve for label, curve in points.items() if curve is not None},
        _calibration(found),
    )


def report(
    probabilities: Probabilities,
    labels: Labels,
    widths: NDArray[np.floating],
    sources: NDArray[np.str_],
    *,
    alarms: NDArray[np.bool_] | None = None,
    unknown: NDArray[np.bool_] | None = None,
    clusters: NDArray[np.int64] | None = None,
) -> Report:
    """Everything about one split.

    Args:
        probabilities: (N, 4).
        labels: (N,) 0-3; 3 is a false alarm of the detector.
        widths: (N,) face widths in source pixels.
        sources: (N,) the set each comes from.
        alarms: (N,) which `not_a_face` crops count as false alarms; all by default.
        unknown: (N,) where the system would abstain.
        clusters: (N,) number of the picture that each is in; None where each is in one of its own.
    """
    faces = labels != NO_FACE
    bands = {}
    for low, high in WIDTH_BANDS:
        inside = faces & (widths >= low) & (widths < high)
        bands[f"{low:.0f}-{high:.0f}" if np.isfinite(high) else f"{low:.0f}+"] = inside
    named = {str(source): faces & (sources == source) for source in sorted(set(sources[faces].tolist()))}

    def of(mask: NDArray[np.bool_], *, curves: bool = False) -> Figures:
        doubted = None if unknown is None else unknown[mask]
        pictures = None if clusters is None else clusters[mask]
        return figures(probabilities[mask], labels[mask], unknown=doubted, clusters=pictures, curves=curves)

    dropped = (
        probabilities[:, NO_FACE] > MAX_NOT_A_FACE
        if probabilities.shape[1] > NO_FACE
        else np.zeros(len(labels), np.bool_)
    )
    false = (labels == NO_FACE) if alarms is None else (labels == NO_FACE) & alarms
    return Report(
        of(faces, curves=True),
        {name: of(mask) for name, mask in bands.items()},
        {name: of(mask) for name, mask in named.items()},
        FalseAlarms(wilson(int((dropped & false).sum()), int(false.sum())),
                    wilson(int((dropped & faces).sum()), int(faces.sum()))),
    )  # fmt: skip


def balanced_log_loss(probabilities: Probabilities, labels: Labels) -> tuple[float, float]:
    """Mean over the classes present of the mean log loss, and of the recall; steadier than accuracy to choose by."""
    present = [label for label in range(probabilities.shape[1]) if (labels == label).any()]
    likely = np.clip(probabilities[np.arange(len(labels)), labels], 1e-6, 1.0)
    right = probabilities.argmax(1) == labels
    losses = [float(-np.log(likely[labels == label]).mean()) for label in present]
    recalls = [float(right[labels == label].mean()) for label in present]
    return float(np.mean(losses)), float(np.mean(recalls))


def _abstained(found: Resampled) -> Abstained:
    kept = round(float(found.sums[_KEPT:_GAPS].sum()))
    return Abstained(
        found.ratio([_UNKNOWN], [_FACES]), found.ratio([_WRONG_UNKNOWN], [_WRONG]), kept, *scores(found, _KEPT)
    )


def _calibration(found: Resampled) -> Figure:
    """Resampling adds noise of its own to every bin's gap, always upwards: what it adds on average is taken off."""
    of = round(float(found.sums[_FACES]))
    if not of:
        return Figure(None, None, None, 0)
    value = float(np.abs(found.sums[_GAPS:]).sum()) / of
    samples = np.abs(found.draws[:, _GAPS:]).sum(1) / found.draws[:, _FACES]
    return interval(value, np.clip(samples - (samples.mean() - value), 0.0, 1.0), of, found.clusters([_FACES]))
