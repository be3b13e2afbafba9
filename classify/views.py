"""Pictures that already are face crops: nobody says how much margin they have, so they are seen twice."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from classify import quality
from classify.classifier import FaceClassifier
from classify.crops import crop_face
from classify.faces import MAX_NOT_A_FACE, face_verdict
from storage.messages import Face
from storage.words import MASK_LABELS, Label

MARGINS: Final = (0.0, 0.2)
"""The picture taken as a crop with its margin, and as a tight face box."""


@dataclass(frozen=True, slots=True)
class CropVerdict:
    """The most probable label of a crop, and whether the system would abstain."""

    label: Label
    confidence: float
    unknown: bool
    probabilities: tuple[float, float, float]


def classify_crop(classifier: FaceClassifier, rgb: NDArray[np.uint8], *, min_face_px: int) -> CropVerdict:
    """Classify a (height, width, 3) uint8 picture that is one face."""
    height, width = rgb.shape[:2]
    whole = (0.0, 0.0, float(width), float(height))
    crops = np.stack([crop_face(rgb, whole, size=classifier.image_size, margin=margin) for margin in MARGINS])
    outputs = classifier.classify(crops).astype(np.float64).mean(axis=0)
    three = outputs[: len(MASK_LABELS)] / max(float(outputs[: len(MASK_LABELS)].sum()), 1e-9)
    qualities = quality.measure(
        crops[:1], np.array([max(width, height)], np.float64), np.full((1, 6, 2), np.nan, np.float32)
    )
    face = Face(
        box=(0, 0, width, height),
        detection_score=1.0,
        probabilities=(float(three[0]), float(three[1]), float(three[2])),
        presence=1.0,
        sharpness=float(qualities.sharpness[0]),
        brightness=float(qualities.brightness[0]),
        turn=0.0,
        thumbnail=qualities.thumbnails[0],
    )
    label, confidence, _ = face_verdict(face, min_face_px)
    unknown = label is Label.UNKNOWN or outputs[-1] > MAX_NOT_A_FACE
    return CropVerdict(MASK_LABELS[int(np.argmax(three))], confidence, bool(unknown), face.probabilities)
