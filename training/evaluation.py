"""A LiteRT model on labelled data: the figures that are published, without TensorFlow."""

import time
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from classify.classifier import FaceClassifier
from training.cache import Crops, Cut
from training.detection import DetectionBand
from training.figures import Report, report
from training.labels import NO_FACE

MIN_FACE_PX: Final = 24.0
RUNNING_MIN_SCORE: Final = 0.2
"""The running system's detector keeps finds from here on; false alarms below never reach the classifier."""


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
        ms_per_face_1: one face a call, one thread, median.
        ms_per_face_32: 32 faces a call.
        detection: of the scenes' faces, by width; empty where there are no scenes.
        report: the figures. Scenes count by their annotated boxes, portraits by the detected face; in groups of their
            own: portraits without a detected face, and the detector's own boxes of the annotated faces.
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


def evaluate(classifier: FaceClassifier, cut: Cut, split: str) -> tuple[Evaluation, Crops, NDArray[np.float32]]:
    """Measure a classifier on the crops of one split.

    Args:
        classifier: takes (N, size, size, 3) crops.
        cut: with `exact` crops.
        split: its name.

    Returns:
        The evaluation, and the faces it rests on with their (N, 4) probabilities.
    """
    crops = cut.crops
    large = crops.widths >= MIN_FACE_PX
    usable = crops.chosen(large)
    probabilities = classifier.classify(usable.exact)
    main = np.isin(usable.origins, ("annotated", "portrait")) | (usable.labels == NO_FACE)
    figures = report(
        probabilities[main],
        usable.labels[main],
        usable.widths[main],
        usable.sources[main],
        alarms=(usable.scores >= RUNNING_MIN_SCORE)[main],
    )
    groups = {
        "portraits without a detected face": usable.origins == "whole_picture",
        "detector's own boxes": usable.origins == "detector",
    }
    extra = report(probabilities, usable.labels, usable.widths, usable.sources, groups=groups)
    found = Evaluation(
        classifier.name,
        classifier.sha256,
        split,
        crops.counts(),
        len(cut.unreadable),
        int((~large & (crops.labels != NO_FACE)).sum()),
        MIN_FACE_PX,
        milliseconds_per_face(classifier, 1),
        milliseconds_per_face(classifier, 32),
        Report(figures.overall, figures.by_width, figures.by_source, figures.false_alarms, extra.groups),
    )
    return found, usable.chosen(main), probabilities[main]


def milliseconds_per_face(classifier: FaceClassifier, batch: int, *, rounds: int = 15) -> float:
    """Median time of a call with `batch` faces, per face."""
    size = classifier.image_size
    pictures = np.random.default_rng(0).integers(0, 256, (batch, size, size, 3), np.uint8)
    classifier.classify(pictures)
    times = []
    for _ in range(rounds):
        started = time.perf_counter()
        classifier.classify(pictures)
        times.append(time.perf_counter() - started)
    return round(float(np.median(times)) * 1000.0 / batch, 3)


def worst(labels: NDArray[np.int64], probabilities: NDArray[np.float32], count: int) -> NDArray[np.intp]:
    """Places of the wrong answers, the surest first, at most `count`."""
    order = np.argsort(probabilities[np.arange(len(labels)), labels], kind="stable")
    wrong = np.asarray(order[probabilities[order].argmax(1) != labels[order]], np.intp)
    return wrong[:count]
