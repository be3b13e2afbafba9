"""How many of the annotated faces the running system finds, and how many of its finds are annotated."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from classify.classifier import FaceClassifier
from classify.faces import Finds, classify_faces
from classify.quality import MIN_FACE_PX
from detect.looking import Looker
from detect.merge import overlaps
from training.faces import read_picture
from training.figures import Figure, wilson
from training.pictures import Picture
from training.progress import Progress

SAME_IOU: Final = 0.4
BANDS: Final = ((12, 16), (16, 24), (24, 40), (40, 80), (80, 10_000))
"""Of the width of the annotated face for recall, of the find for precision, in pixels."""


@dataclass(frozen=True, slots=True)
class DetectionBand:
    """Faces of one range of widths: recall of the annotated ones, precision of the finds."""

    width: str
    recall: Figure
    precision: Figure


def measure_detection(
    pictures: Sequence[Picture], looker: Looker, classifier: FaceClassifier, progress: Progress
) -> list[DetectionBand]:
    """Run detector and `not_a_face` over scenes as `maskwatch image` does.

    A find and an annotated face are the same where their boxes overlap by `SAME_IOU`, surest finds first, one to one.

    Args:
        pictures: those without boxes are left out.
        looker: with the running system's settings.
        classifier: drops what is no face.
        progress: told after each picture.
    """
    scenes = [picture for picture in pictures if picture.portrait is None]
    recalled: list[tuple[float, bool]] = []
    precise: list[tuple[float, bool]] = []
    for done, scene in enumerate(scenes):
        rgb = read_picture(scene.path)
        if rgb is not None:
            true = np.array(scene.boxes, np.float32).reshape(-1, 4)
            hits = _matched(_finds(rgb, looker, classifier), true)
            precise += [(width, face is not None) for width, face in hits]
            found = {face for _, face in hits}
            recalled += [(float(max(box[2:])), index in found) for index, box in enumerate(true)]
        progress("detection", done + 1, len(scenes))
    return [
        DetectionBand(_name(low, high), _share(recalled, low, high), _share(precise, low, high)) for low, high in BANDS
    ]


def _finds(rgb: NDArray[np.uint8], looker: Looker, classifier: FaceClassifier) -> NDArray[np.float32]:
    """(N, 4) boxes of what `maskwatch image` reports, surest first."""
    found = looker.look_thoroughly(rgb)
    (faces,) = classify_faces(classifier, [Finds(rgb, found.boxes, found.scores, found.keypoints, MIN_FACE_PX)])
    ordered = sorted(faces, key=lambda face: -face.detection_score)
    return np.array([face.box for face in ordered], np.float32).reshape(-1, 4)


def _matched(finds: NDArray[np.float32], true: NDArray[np.float32]) -> list[tuple[float, int | None]]:
    """Width of each find and the annotated face it is, if any."""
    free = np.ones(len(true), np.bool_)
    hits: list[tuple[float, int | None]] = []
    for box in finds:
        face = None
        if free.any():
            iou, _ = overlaps(box, true)
            best = int(np.argmax(np.where(free, iou, -1.0)))
            if iou[best] >= SAME_IOU:
                face, free[best] = best, False
        hits.append((float(max(box[2:])), face))
    return hits


def _share(outcomes: Sequence[tuple[float, bool]], low: float, high: float) -> Figure:
    band = [right for width, right in outcomes if low <= width < high]
    return wilson(sum(band), len(band))


def _name(low: int, high: int) -> str:
    return f"{low} px and more" if high >= BANDS[-1][1] else f"{low}-{high} px"
