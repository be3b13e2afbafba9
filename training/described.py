"""What a report says of a model besides its figures: what goes in, and which output is which."""

from collections import Counter
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from classify.classifier import Described, FaceClassifier
from training.labels import LABELS

UNKNOWN: Final = "not known"


@dataclass(frozen=True, slots=True)
class ModelInput:
    """What the model is given: crops of `size` x `size` pixels with `margin` of the face's longer side around it."""

    size: int
    dtype: str
    normalisation: str
    margin: float


@dataclass(frozen=True, slots=True)
class LabelNumber:
    """One output, or a label that has none.

    Attributes:
        number: its place among the model's outputs; None for a label that has none.
        label: its name; `-` for an output that is left out.
        predicted: whether it ever gets a probability; a two-class model never says `incorrect_mask`.
        faces: how many of the evaluated ones have the label.
    """

    number: int | None
    label: str
    predicted: bool
    faces: int


def model_input(classifier: FaceClassifier) -> ModelInput:
    """What a classifier is given; `not known` of one that does not say."""
    size, margin = classifier.image_size, classifier.margin
    if not isinstance(classifier, Described):
        return ModelInput(size, UNKNOWN, UNKNOWN, margin)
    return ModelInput(size, classifier.input_dtype, classifier.normalisation, margin)


def outputs_of(classifier: FaceClassifier) -> tuple[str | None, ...] | None:
    """The labels of a classifier's outputs, in order; None of one that does not say."""
    return classifier.labels if isinstance(classifier, Described) else None


def label_numbers(
    probabilities: NDArray[np.floating], labels: NDArray[np.int64], outputs: tuple[str | None, ...] | None
) -> list[LabelNumber]:
    """The outputs in order, then the labels without one.

    Args:
        probabilities: (N, 4), all 0 for a label without an output.
        labels: (N,) of the faces.
        outputs: the labels of the outputs; None where they are not known: those that get probabilities are taken then, in
            the order of `LABELS`, as our own trainings make them.
    """
    counts = Counter(labels.tolist())
    if outputs is None:
        outputs = tuple(LABELS[column] for column in range(probabilities.shape[1]) if probabilities[:, column].any())
    found = [
        LabelNumber(
            number,
            name or "-",
            name in LABELS and bool(probabilities[:, LABELS.index(name)].any()),
            counts[LABELS.index(name)] if name in LABELS else 0,
        )
        for number, name in enumerate(outputs)
    ]
    return [
        *found,
        *(LabelNumber(None, name, False, counts[place]) for place, name in enumerate(LABELS) if name not in outputs),
    ]
