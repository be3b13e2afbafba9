"""Where a classifier looks, whatever file it came from.

A LiteRT model of ours gives its class activation maps with every answer, so it needs no TensorFlow. A Keras model
without such an output is explained by gradient Grad-CAM.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from classify.classifier import FaceClassifier
from classify.labels_file import Preparation, labels_path, read_labels
from storage.errors import InputError
from training.cache import Crops
from training.evaluation import worst
from training.labels import LABELS

SHOWN: Final = 12
"""Right answers, and as many wrong ones, that a report explains."""


@dataclass(frozen=True, slots=True, eq=False)
class Heat:
    """Where one answer came from.

    Attributes:
        place: of the face among the crops.
        label: that is explained, an index into `LABELS`.
        heat: (h, w) float32 over the whole crop, in no unit; below 0 speaks against the label.
    """

    place: int
    label: int
    heat: NDArray[np.float32]


def heat_maps(
    classifier: FaceClassifier, crops: NDArray[np.uint8], labels: NDArray[np.int64], *, file: Path | None = None
) -> NDArray[np.float32] | None:
    """What speaks for one label in each crop, and below 0 what speaks against it.

    Args:
        classifier: of any backend.
        crops: (N, size, size, 3) as it takes them.
        labels: (N,) to explain, indices into `LABELS`.
        file: it was loaded from; without it, only models that give activation maps can be explained.

    Returns:
        (N, h, w) float32, or None where the model can't tell: a LiteRT file without activation maps.

    Raises:
        InputError: the model has no such label, or is a network that can't be explained.
    """
    known = known_labels(file)
    if missing := sorted({LABELS[label] for label in labels.tolist()} - set(known)):
        raise InputError(f"{classifier.name} has no output {missing[0]}: it knows {', '.join(known)}")
    maps = classifier.explain(crops)
    if maps is not None:
        return np.asarray(np.take_along_axis(maps, labels[:, None, None, None], axis=3)[..., 0], np.float32)
    if file is None or file.suffix != ".keras" or not len(crops):
        return None
    from classify.keras_model import load_keras
    from training.gradcam import grad_cam

    described = read_labels(labels_path(file))
    network, values = load_keras(file), Preparation(described).values(crops)
    heat: NDArray[np.float32] | None = None
    # Several outputs may have the same label.
    for turn in range(len(described.labels)):
        places = [[at for at, name in enumerate(described.labels) if name == LABELS[label]] for label in labels]
        chosen = np.array([turn < len(each) for each in places])
        if not chosen.any():
            break
        columns = np.array([each[turn] for each in places if turn < len(each)], np.int64)
        part = grad_cam(network, values[chosen], columns, relu=False)
        heat = np.zeros((len(crops), *part.shape[1:]), np.float32) if heat is None else heat
        heat[chosen] += part
    return heat


def known_labels(file: Path | None) -> tuple[str, ...]:
    """Labels that the outputs of a model file have; those of `LABELS` where no file is named.

    Raises:
        SetupError: its labels are missing.
        InputError: they are damaged.
    """
    if file is None:
        return LABELS
    described = read_labels(labels_path(file)).labels
    return tuple(label for label in LABELS if label in described)


def chosen_cases(labels: NDArray[np.int64], probabilities: NDArray[np.float32], count: int = SHOWN) -> list[int]:
    """Places of the answers worth explaining: `count` right ones, alike from every label, and the `count` worst.

    Args:
        labels: (N,) true.
        probabilities: (N, 4).
        count: of each kind, at most.
    """
    right = probabilities.argmax(1) == labels
    present = sorted(set(labels.tolist()))
    each = -(-count // max(1, len(present)))
    places: list[int] = []
    for label in present:
        of_label = np.flatnonzero(right & (labels == label))
        # Spread over the data rather than the surest ones: those all look alike.
        places += of_label[np.linspace(0, len(of_label) - 1, min(each, len(of_label))).astype(int)].tolist()
    return [*places[:count], *worst(labels, probabilities, count).tolist()]


def explained(
    classifier: FaceClassifier, crops: Crops, probabilities: NDArray[np.float32], *, file: Path | None = None
) -> list[Heat]:
    """What a report shows: the label given to each chosen case and, of the wrong ones, the true label as well.

    Args:
        classifier: that gave the probabilities.
        crops: N faces with `exact` crops.
        probabilities: (N, 4).
        file: that the classifier was loaded from.

    Returns:
        Nothing where the classifier can't tell.
    """
    places = chosen_cases(crops.labels, probabilities)
    known = known_labels(file)
    wanted = [
        (place, label)
        for place in places
        for label in dict.fromkeys((int(probabilities[place].argmax()), int(crops.labels[place])))
        if LABELS[label] in known
    ]
    if not wanted:
        return []
    at, labels = np.array(wanted, np.int64).T
    maps = heat_maps(classifier, crops.exact[at], labels, file=file)
    return [] if maps is None else [Heat(*each, heat) for each, heat in zip(wanted, maps, strict=True)]
