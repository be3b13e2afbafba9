"""How good a classifier is, in figures with intervals.

Proportions (accuracy, precision, recall) have Wilson's 95 % interval; means over classes and F1, which are no
proportions, have a bootstrap one (2.5th and 97.5th percentile of resampled faces).
"""

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from training.curves import (
    PrecisionRecall,
    ReliabilityBin,
    RiskPoint,
    brier_score,
    calibration_error,
    precision_recall,
    reliability,
    risk_coverage,
    surest_first,
)
from training.labels import LABELS, NO_FACE
from training.scores import ClassFigures, Figure, confusion_matrix, scores, wilson

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

Probabilities = NDArray[np.floating]
Labels = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Abstained:
    """What the system's own `unknown` does: it says nothing of some faces, and what is said of the others.

    Attributes:
        abstained: share of all faces.
        errors_removed: share of the errors that are among them.
        faces: how many are kept; the figures below are over these, as those of `Figures`.
    """

    abstained: Figure
    errors_removed: Figure
    faces: int
    accuracy: Figure
    balanced_accuracy: Figure
    two_class_accuracy: Figure
    classes: dict[str, ClassFigures]
    confusion: list[list[int]]


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
        absent: labels that no face here has; what is said of them is None.
        brier: mean squared distance of the probabilities from the truth, summed over the classes, 0 to 2.
        abstention: share of the errors that are among the `ABSTAINED_SHARE` least sure faces.
        unknown: what the system's own abstaining does; None where that was not looked at.
        reliability: the bins behind `calibration_error`; as the two below empty where curves were not asked for.
        risk_coverage: share of errors among the surest faces, by how many are judged.
        precision_recall: of each label that some face has, against the rest.
    """

    faces: int
    accuracy: Figure
    balanced_accuracy: Figure
    two_class_accuracy: Figure
    classes: dict[str, ClassFigures]
    confusion: list[list[int]]
    calibration_error: float | None
    absent: list[str] = field(default_factory=list)
    brier: float | None = None
    abstention: Figure = field(default_factory=lambda: Figure(None, None, None, 0))
    unknown: Abstained | None = None
    reliability: list[ReliabilityBin] = field(default_factory=list)
    risk_coverage: list[RiskPoint] = field(default_factory=list)
    precision_recall: dict[str, PrecisionRecall] = field(default_factory=dict)


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


def figures(
    probabilities: Probabilities,
    labels: Labels,
    *,
    unknown: NDArray[np.bool_] | None = None,
    curves: bool = True,
    seed: int = 0,
) -> Figures:
    """Figures of three-class predictions.

    Args:
        probabilities: (N, 3) or (N, 4); of four the last, `not_a_face`, is left out, as in the running system.
        labels: (N,) true classes, 0-2.
        unknown: (N,) where the system would abstain, if that is to be reported.
        curves: also the points to draw.
        seed: of the bootstrap.
    """
    three = np.asarray(probabilities, np.float64)[:, :3]
    three = three / np.maximum(three.sum(1, keepdims=True), 1e-12)
    confusion = confusion_matrix(labels, three.argmax(1))
    points = {LABELS[label]: precision_recall(three, labels, label) for label in range(3)} if curves else {}
    return Figures(
        len(labels),
        *scores(confusion, seed),
        calibration_error(three, labels) if len(labels) else None,
        [LABELS[label] for label in range(3) if not confusion[label].any()],
        brier_score(three, labels) if len(labels) else None,
        _removed_by_doubt(three, labels, seed),
        None if unknown is None else _abstained(three, labels, unknown, seed),
        reliability(three, labels) if curves else [],
        risk_coverage(three, labels, seed=seed) if curves else [],
        {label: found for label, found in points.items() if found is not None},
    )


def report(
    probabilities: Probabilities,
    labels: Labels,
    widths: NDArray[np.floating],
    sources: NDArray[np.str_],
    *,
    alarms: NDArray[np.bool_] | None = None,
    groups: dict[str, NDArray[np.bool_]] | None = None,
    unknown: NDArray[np.bool_] | None = None,
) -> Report:
    """Everything about one split.

    Args:
        probabilities: (N, 4).
        labels: (N,) 0-3; 3 is a false alarm of the detector.
        widths: (N,) face widths in source pixels.
        sources: (N,) the set each comes from.
        alarms: (N,) which `not_a_face` crops count as false alarms; all by default.
        groups: further named (N,) masks of faces to report on their own.
        unknown: (N,) where the system would abstain.
    """
    faces = labels != NO_FACE
    bands = {}
    for low, high in WIDTH_BANDS:
        inside = faces & (widths >= low) & (widths < high)
        bands[f"{low:.0f}-{high:.0f}" if np.isfinite(high) else f"{low:.0f}+"] = inside
    named = {str(source): faces & (sources == source) for source in sorted(set(sources[faces].tolist()))}

    def of(mask: NDArray[np.bool_], *, curves: bool = False) -> Figures:
        doubted = None if unknown is None else unknown[mask]
        return figures(probabilities[mask], labels[mask], unknown=doubted, curves=curves)

    dropped = probabilities[:, NO_FACE] > 0.5 if probabilities.shape[1] > NO_FACE else np.zeros(len(labels), np.bool_)
    false = (labels == NO_FACE) if alarms is None else (labels == NO_FACE) & alarms
    return Report(
        of(faces, curves=True),
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


def _removed_by_doubt(three: Probabilities, labels: Labels, seed: int) -> Figure:
    if not len(labels):
        return wilson(0, 0)
    wrong = three.argmax(1) != labels
    kept = surest_first(three, seed=seed)[: len(labels) - round(ABSTAINED_SHARE * len(labels))]
    errors = int(wrong.sum())
    return wilson(errors - int(wrong[kept].sum()), errors)


def _abstained(three: Probabilities, labels: Labels, unknown: NDArray[np.bool_], seed: int) -> Abstained:
    wrong = three.argmax(1) != labels
    kept = ~unknown
    return Abstained(
        wilson(int(unknown.sum()), len(labels)),
        wilson(int((wrong & unknown).sum()), int(wrong.sum())),
        int(kept.sum()),
        *scores(confusion_matrix(labels[kept], three[kept].argmax(1)), seed),
    )
