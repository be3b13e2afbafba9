"""A model on labelled data: the figures that are published. LiteRT models need no TensorFlow for it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from classify.classifier import FaceClassifier
from classify.crops import MARGIN
from training.abstention import abstains
from training.cache import Crops, Cut
from training.cost import milliseconds_per_face, peak_memory_mib
from training.detection import DetectionBand
from training.figures import Report, report
from training.labels import LABELS, NO_FACE

MIN_FACE_PX: Final = 24.0
AS_GIVEN: Final = "labels as given"
RUNNING_MIN_SCORE: Final = 0.2
"""The running system's detector keeps finds from here on; false alarms below never reach the classifier."""

SMALLEST_PROBABILITY: Final = 1e-7


@dataclass(frozen=True, slots=True)
class ModelInput:
    """What the model is given: crops of `size` x `size` pixels with `margin` of the face's longer side around it."""

    size: int
    dtype: str
    normalisation: str
    margin: float


@dataclass(frozen=True, slots=True)
class LabelNumber:
    """One output.

    Attributes:
        number: its place among the outputs, and in `confusion` and the training's labels.
        label: its name.
        predicted: whether the model ever gives it a probability; a two-class model never says `incorrect_mask`.
        faces: how many of the evaluated ones have it.
    """

    number: int
    label: str
    predicted: bool
    faces: int


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


Measured = tuple[Evaluation, Crops, NDArray[np.float32]]
"""An evaluation, and the faces it rests on with their (N, 4) probabilities."""


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
    main, figures = _report(usable, probabilities, classifier.margin)
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
        figures,
        loss=cross_entropy(said, kept.labels),
        model_bytes=_size(file),
        peak_memory_mib=peak_memory_mib(),
        input=_input(classifier),
        labels=_labels(said, kept.labels),
    )
    return found, kept, said


def pooled(
    parts: Sequence[tuple[Crops, NDArray[np.floating]]],
    *,
    model: str = "models of all folds",
    split: str = "out-of-fold",
    margin: float = MARGIN,
    unreadable: int = 0,
) -> Measured:
    """One report over all folds: each fold's faces as judged by the model that did not see them in training.

    Args:
        parts: for each fold its faces with `exact` crops, and (N, 4) probabilities of all of them, small ones too.
        model: name for the report.
        split: likewise.
        margin: of the crops.
        unreadable: pictures that could not be read.

    Raises:
        ValueError: there is no part, or the probabilities of one are not of its faces.
    """
    crops = _joined([part for part, _ in parts])
    said = np.concatenate([np.asarray(each, np.float32) for _, each in parts])
    if len(said) != len(crops) or len(crops.exact) != len(crops):
        raise ValueError("every face needs its exact crop and its probabilities")
    large = crops.widths >= MIN_FACE_PX
    usable, said = crops.chosen(large), said[large]
    main, figures = _report(usable, said, margin)
    kept, said = usable.chosen(main), said[main]
    found = Evaluation(
        model, "", split, crops.counts(), unreadable, _too_small(crops), MIN_FACE_PX, float("nan"), float("nan"),
        figures, loss=cross_entropy(said, kept.labels), peak_memory_mib=peak_memory_mib(),
        labels=_labels(said, kept.labels),
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


def _report(usable: Crops, probabilities: NDArray[np.float32], margin: float) -> tuple[NDArray[np.bool_], Report]:
    """Which faces the figures rest on, and the figures; groups in a row of their own besides."""
    unknown = abstains(usable, probabilities, margin=margin)
    main = np.isin(usable.origins, ("annotated", "portrait")) | (usable.labels == NO_FACE)
    figures = report(
        probabilities[main],
        usable.labels[main],
        usable.widths[main],
        usable.sources[main],
        alarms=(usable.scores >= RUNNING_MIN_SCORE)[main],
        unknown=unknown[main],
    )
    groups = {
        "portraits without a detected face": usable.origins == "whole_picture",
        "detector's own boxes": usable.origins == "detector",
    }
    extra = report(probabilities, usable.labels, usable.widths, usable.sources, groups=groups, unknown=unknown).groups
    if (usable.given != usable.labels).any():
        # Whoever looks for faces that were mislabelled finds some: the labels as they came are reported beside.
        came = report(
            probabilities[main], usable.given[main], usable.widths[main], usable.sources[main],
            groups={AS_GIVEN: np.ones(int(main.sum()), np.bool_)}, unknown=unknown[main],
        )  # fmt: skip
        extra = {**extra, **came.groups}
    return main, Report(figures.overall, figures.by_width, figures.by_source, figures.false_alarms, extra)


def _joined(parts: Sequence[Crops]) -> Crops:
    arrays = {each.name: np.concatenate([getattr(part, each.name) for part in parts]) for each in fields(Crops)[1:]}
    return Crops([context for part in parts for context in part.context], **arrays)


def _too_small(crops: Crops) -> int:
    return int(((crops.widths < MIN_FACE_PX) & (crops.labels != NO_FACE)).sum())


def _labels(probabilities: NDArray[np.floating], labels: NDArray[np.int64]) -> list[LabelNumber]:
    counts = Counter(labels.tolist())
    return [
        LabelNumber(number, LABELS[number], bool(probabilities[:, number].any()), counts[number])
        for number in range(min(len(LABELS), probabilities.shape[1]))
    ]


def _input(classifier: FaceClassifier) -> ModelInput:
    return ModelInput(
        classifier.image_size,
        str(getattr(classifier, "input_dtype", "uint8")),
        "pixel values 0-255 go in as they are; what scales them is part of the model",
        classifier.margin,
    )


def _size(file: Path | None) -> int | None:
    return file.stat().st_size if file is not None and file.is_file() else None
