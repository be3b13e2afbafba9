"""From a picture and its face boxes to classified faces: crop, classify, measure, and drop what is no face."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from classify import quality
from classify.classifier import FaceClassifier
from classify.crops import crop_faces
from storage.messages import Face
from storage.words import MASK_LABELS, Label, UnknownReason

MAX_NOT_A_FACE: Final = 0.5
"""Above this probability of `not_a_face` a find is dropped."""

MIN_CONFIDENCE: Final = 0.6
"""Below, a single face is `unknown`."""


class Finds(NamedTuple):
    """What the detector found in one picture.

    Attributes:
        rgb: (height, width, 3) uint8.
        boxes: (N, 4) float32 x, y, width, height in its pixels; they may reach beyond it.
        scores: (N,) float32 detection scores.
        keypoints: (N, 6, 2) float32 in its pixels.
        min_face_px: finds whose longer side is below half of this are left out: not even their presence is sure.
    """

    rgb: NDArray[np.uint8]
    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    keypoints: NDArray[np.float32]
    min_face_px: int


def classify_faces(classifier: FaceClassifier, pictures: Sequence[Finds]) -> list[tuple[Face, ...]]:
    """Classify the finds of several pictures in one batch; each face comes out as it would alone.

    Returns:
        For each picture its faces, from left to right, with boxes clipped to the picture.
    """
    pictures = [_large(finds) for finds in pictures]
    crops = [
        crop_faces(finds.rgb, finds.boxes, size=classifier.image_size, margin=classifier.margin) for finds in pictures
    ]
    counts = [len(finds.boxes) for finds in pictures]
    if not sum(counts):
        return [()] * len(pictures)
    probabilities = classifier.classify(np.concatenate(crops)).astype(np.float64)
    parts = np.split(probabilities, np.cumsum(counts)[:-1])
    return [_faces(classifier, *each) for each in zip(pictures, crops, parts, strict=True)]


def _large(finds: Finds) -> Finds:
    large = finds.boxes[:, 2:].max(axis=1, initial=0.0) >= finds.min_face_px / 2.0
    return finds._replace(boxes=finds.boxes[large], scores=finds.scores[large], keypoints=finds.keypoints[large])


def _faces(
    classifier: FaceClassifier, finds: Finds, crops: NDArray[np.uint8], probabilities: NDArray[np.float64]
) -> tuple[Face, ...]:
    """The finds of one picture with the classifier's answers, (N, 4), without what is no face."""
    if not len(finds.boxes):
        return ()
    rgb, boxes, scores = finds.rgb, finds.boxes, finds.scores
    sides = (1.0 + 2.0 * classifier.margin) * boxes[:, 2:].max(axis=1).astype(np.float64)
    qualities = quality.measure(crops, sides, finds.keypoints)
    faces = []
    for index in np.lexsort((boxes[:, 1], boxes[:, 0])):
        if probabilities[index, -1] > MAX_NOT_A_FACE:
            continue
        box = _clipped(boxes[index], rgb.shape[1], rgb.shape[0])
        if box is None:
            continue
        faces.append(
            Face(
                box=box,
                detection_score=round(float(scores[index]), 4),
                probabilities=_renormalised(probabilities[index]),
                presence=round(1.0 - float(probabilities[index, -1]), 4),
                sharpness=float(qualities.sharpness[index]),
                brightness=float(qualities.brightness[index]),
                turn=float(qualities.turn[index]),
                thumbnail=qualities.thumbnails[index],
            )
        )
    return tuple(faces)


def face_verdict(
    face: Face, min_face_px: int, least_confidence: float = MIN_CONFIDENCE
) -> tuple[Label, float, UnknownReason | None]:
    """Label, confidence and, for `unknown`, the reason, of a face seen once."""
    best = int(np.argmax(face.probabilities))
    confidence = face.probabilities[best]
    if (reason := quality.trouble(face, min_face_px)) is not None:
        return Label.UNKNOWN, confidence, reason
    if confidence < least_confidence:
        return Label.UNKNOWN, confidence, UnknownReason.DISAGREEMENT
    return MASK_LABELS[best], confidence, None


def _renormalised(probabilities: NDArray[np.float64]) -> tuple[float, float, float]:
    """The three labels without `not_a_face`; six decimals, so that every platform's last bits are gone."""
    three = probabilities[: len(MASK_LABELS)]
    one, two, three_ = (three / max(float(three.sum()), 1e-9)).round(6).tolist()
    return one, two, three_


def _clipped(box: NDArray[np.float32], width: int, height: int) -> tuple[int, int, int, int] | None:
    left, top = max(0, round(float(box[0]))), max(0, round(float(box[1])))
    right, bottom = min(width, round(float(box[0] + box[2]))), min(height, round(float(box[1] + box[3])))
    if right - left < 2 or bottom - top < 2:
        return None
    return left, top, right - left, bottom - top
