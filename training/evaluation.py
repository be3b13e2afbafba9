"""A model on labelled data: the figures that are published. LiteRT models need no TensorFlow for it."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from classify.classifier import FaceClassifier
from classify.crops import MARGIN
from classify.quality import MIN_FACE_PX
from training.abstention import abstains
from training.cache import Crops, Cut, joined
from training.cost import milliseconds_per_face, peak_memory_mib
from training.described import LabelNumber, ModelInput, label_numbers, model_input, outputs_of
from training.detection import DetectionBand
from training.figures import Report, figures, report
from training.labels import NO_FACE

__all__ = [
    "AS_GIVEN", "MIN_FACE_PX", "AsGiven", "Evaluation", "LabelNumber", "Measured", "ModelInput", "cross_entropy",
    "evaluate", "pooled", "unclear_judged", "worst",
]  # fmt: skip

AS_GIVEN: Final = "labels as given"
RUNNING_MIN_SCORE: Final = 0.2
"""The running system's detector keeps finds from here on; false alarms below never reach the classifier."""

SMALLEST_PROBABILITY: Final = 1e-7


@dataclass(frozen=True, slots=True)
class AsGiven:
    """What `labels as given` differs by.

    Attributes:
        changed: faces whose label a review changed.
        unclear: faces whose label nobody can tell; they are in no other figure.
    """

    changed: int
    unclear: int


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What `maskwatch evaluate` found.

    Attributes:
        model: name.
        sha256: of the model file.
        split: evaluated.
        counts: labelled faces by source and origin, then by class, before the size limit.
        unreadable: pictures that could not be read.
        too_small: labelled faces narrower than the limit, left out.
        min_face_px: the limit.
        ms_per_face_1: one face a call, one thread, median; NaN where several models were pooled.
        ms_per_face_32: 32 faces a call.
        report: the figures. Scenes count by their annotated boxes, portraits by the detected face; in groups of their
            own: portraits without a detected face, the detector's own boxes of the annotated faces, and, where a review
            changed labels, all faces with the labels that the data came with.
        detection: of the scenes' faces, by width; empty where there are no scenes.
        loss: mean cross-entropy (natural logarithm) over the faces and false alarms whose label the model knows.
        model_bytes: size of the model file; None where it is not known.
        peak_memory_mib: of the whole process, up to the end of the evaluation.
        input: what the model is given.
        labels: the outputs and their numbers.
        as_given: of the group with the labels that the data came with; None where no review changed any.
    """

    model: str
    sha256: str
    split: str
    counts: dict[str, dict[str, int]]
    unreadable: int
    too_small: int
    min_face_px: float
    ms_per_face_1: float
    ms_per_face_32: float
    report: Report
    detection: list[DetectionBand] = field(default_factory=list)
    loss: float | None = None
    model_bytes: int | None = None
    peak_memory_mib: float | None = None
    input: ModelInput | None = None
    labels: list[LabelNumber] = field(default_factory=list)
    as_given: AsGiven | None = None


Measured = tuple[Evaluation, Crops, NDArray[np.float32]]
"""An evaluation, and the faces it rests on with their (N, 4) probabilities."""

Judged = tuple[Crops, NDArray[np.floating]]
"""Faces with `exact` crops, and their (N, 4) probabilities."""


def evaluate(classifier: FaceClassifier, cut: Cut, split: str, *, file: Path | None = None) -> Measured:
    """Measure a classifier on the crops of one split.

    What `unknown` does is measured with the running system's own rule; see `training.abstention`.

    Args:
        classifier: takes (N, size, size, 3) crops.
        cut: with `exact` crops.
        split: its name.
        file: of the model, for its size.

    Returns:
        The evaluation, and the faces it rests on with their (N, 4) probabilities.
    """
    usable = cut.crops.chosen(cut.crops.widths >= MIN_FACE_PX)
    probabilities = classifier.classify(usable.exact)
    unclear = _large(unclear_judged(classifier, cut.unclear))
    main, found_report, given = _report(usable, probabilities, classifier.margin, unclear)
    kept, said = usable.chosen(main), probabilities[main]
    found = Evaluation(
        classifier.name,
        classifier.sha256,
        split,
        cut.crops.counts(),
        len(cut.unreadable),
        _too_small(cut.crops),
        MIN_FACE_PX,
        milliseconds_per_face(classifier, 1),
        milliseconds_per_face(classifier, 32),
        found_report,
        loss=cross_entropy(said, kept.labels),
        model_bytes=_size(file),
        peak_memory_mib=peak_memory_mib(),
        input=model_input(classifier),
        labels=label_numbers(said, kept.labels, outputs_of(classifier)),
        as_given=given,
    )
    return found, kept, said


def pooled(
    parts: Sequence[Judged],
    *,
    model: str = "models of all folds",
    split: str = "out-of-fold",
    margin: float = MARGIN,
    unreadable: int = 0,
    unclear: Sequence[Judged] = (),
) -> Measured:
    """One report over all folds: each fold's faces as judged by the model that did not see them in training.

    Args:
        parts: for each fold its faces with `exact` crops, and (N, 4) probabilities of all of them, small ones too.
        model: name for the report.
        split: likewise.
        margin: of the crops.
        unreadable: pictures that could not be read.
        unclear: of each fold that has some, what `unclear_judged` gives.

    Raises:
        ValueError: there is no part, or the probabilities of one are not of its faces.
    """
    crops = joined([part for part, _ in parts], exact=True)
    said = np.concatenate([np.asarray(each, np.float32) for _, each in parts])
    if len(said) != len(crops) or len(crops.exact) != len(crops):
        raise ValueError("every face needs its exact crop and its probabilities")
    large = crops.widths >= MIN_FACE_PX
    usable, said = crops.chosen(large), said[large]
    main, found_report, given = _report(usable, said, margin, _large(unclear))
    kept, said = usable.chosen(main), said[main]
    found = Evaluation(
        model, "", split, crops.counts(), unreadable, _too_small(crops), MIN_FACE_PX, float("nan"), float("nan"),
        found_report, loss=cross_entropy(said, kept.labels), peak_memory_mib=peak_memory_mib(),
        labels=label_numbers(said, kept.labels, None), as_given=given,
    )  # fmt: skip
    return found, kept, said


def worst(labels: NDArray[np.int64], probabilities: NDArray[np.float32], count: int) -> NDArray[np.intp]:
    """Places of the wrong answers, the surest first, at most `count`."""
    order = np.argsort(probabilities[np.arange(len(labels)), labels], kind="stable")
    wrong = np.asarray(order[probabilities[order].argmax(1) != labels[order]], np.intp)
    return wrong[:count]


def cross_entropy(probabilities: NDArray[np.floating], labels: NDArray[np.int64]) -> float | None:
    """Mean over the faces whose label the model knows; None where there are none.

    >>> cross_entropy(np.array([[0.5, 0.5, 0.0, 0.0]] * 2), np.array([0, 2]))
    0.6931471805599453
    """
    known = (probabilities.max(axis=0, initial=0.0) > 0.0)[labels]
    if not known.any():
        return None
    likely = np.asarray(probabilities, np.float64)[np.arange(len(labels)), labels][known]
    return float(-np.log(np.maximum(likely, SMALLEST_PROBABILITY)).mean())


def unclear_judged(classifier: FaceClassifier, unclear: Crops | None) -> list[Judged]:
    """What a classifier says of the faces whose label nobody can tell; an empty list where there are none."""
    return [(unclear, classifier.classify(unclear.exact))] if unclear is not None and len(unclear) else []


def _large(parts: Sequence[Judged]) -> list[Judged]:
    masks = [crops.widths >= MIN_FACE_PX for crops, _ in parts]
    return [(crops.chosen(mask), said[mask]) for (crops, said), mask in zip(parts, masks, strict=True) if mask.any()]


def _report(
    usable: Crops, probabilities: NDArray[np.float32], margin: float, unclear: Sequence[Judged]
) -> tuple[NDArray[np.bool_], Report, AsGiven | None]:
    """Which faces the figures rest on, the figures, groups in a row of their own besides, and what the last differs by."""
    unknown = abstains(usable, probabilities, margin=margin)
    pictures = _pictures(usable)
    faces = usable.labels != NO_FACE
    main = np.isin(usable.origins, ("annotated", "portrait")) | ~faces
    found = report(
        probabilities[main],
        usable.labels[main],
        usable.widths[main],
        usable.sources[main],
        alarms=(usable.scores >= RUNNING_MIN_SCORE)[main],
        unknown=unknown[main],
        clusters=pictures[main],
    )
    groups = {
        name: figures(probabilities[mask], usable.labels[mask], unknown=unknown[mask], clusters=pictures[mask],
                      curves=False)
        for name, mask in (
            ("portraits without a detected face", usable.origins == "whole_picture"),
            ("detector's own boxes", usable.origins == "detector"),
        )
    }  # fmt: skip
    judged = main & faces
    changed = int((usable.given != usable.labels)[judged].sum())
    given = AsGiven(changed, sum(len(crops) for crops, _ in unclear))
    if not given.changed and not given.unclear:
        return main, replace(found, groups=groups), None
    # Whoever looks for faces that were mislabelled finds some: the labels as they came are reported beside.
    everyone = joined([usable.chosen(judged), *(crops for crops, _ in unclear)], exact=True)
    said = np.concatenate([probabilities[judged], *(each for _, each in unclear)])
    doubted = np.concatenate([unknown[judged], *(abstains(*each, margin=margin) for each in unclear)])
    groups[AS_GIVEN] = figures(said, everyone.given, unknown=doubted, clusters=_pictures(everyone), curves=False)
    return main, replace(found, groups=groups), given


def _pictures(crops: Crops) -> NDArray[np.int64]:
    """(N,) number of the picture that each face is in."""
    numbers: dict[tuple[str, str], int] = {}
    names = zip(crops.sources.tolist(), crops.names.tolist(), strict=True)
    return np.array([numbers.setdefault(name, len(numbers)) for name in names], np.int64)


def _too_small(crops: Crops) -> int:
    return int(((crops.widths < MIN_FACE_PX) & (crops.labels != NO_FACE)).sum())


def _size(file: Path | None) -> int | None:
    return file.stat().st_size if file is not None and file.is_file() else None
