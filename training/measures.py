"""What is measured on a set of faces, as plain records."""

from dataclasses import dataclass, field

from training.curves import PrecisionRecall, ReliabilityBin, RiskPoint
from training.scores import ClassFigures, Figure


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
        abstention: share of the errors that are among the least sure faces, `training.figures.ABSTAINED_SHARE` of all.
        unknown: what the system's own abstaining does; None where that was not looked at.
        reliability: the bins behind `calibration_error`; as the two below empty where curves were not asked for.
        risk_coverage: share of errors among the surest faces, by how many are judged.
        precision_recall: of each label that some face has, against the rest.
        calibration_error_interval: `calibration_error` with its interval, for the bins as they are.
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
    calibration_error_interval: Figure = field(default_factory=lambda: Figure(None, None, None, 0))


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
