"""The running system's decision to say `unknown`, taken on labelled crops."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from classify import quality
from classify.crops import MARGIN
from classify.faces import MAX_NOT_A_FACE, face_verdict
from storage.messages import Face
from storage.words import MASK_LABELS, Label
from training.cache import CONTEXT, Crops

BATCH: Final = 256


def abstains(
    crops: Crops,
    probabilities: NDArray[np.floating],
    *,
    margin: float = MARGIN,
    min_face_px: int = quality.MIN_FACE_PX,
) -> NDArray[np.bool_]:
    """Of which faces `maskwatch image` would say `unknown`, or nothing at all since it takes them for no face.

    The rule is `classify.faces.face_verdict`'s own: size, light, sharpness and turn of the face, then the confidence.
    Two things differ from a photo. A face that the detector did not find has no keypoints, so it counts as frontal.
    And a box that reaches beyond its picture is measured whole, where the running system clips it first.

    Args:
        crops: N faces with `exact` crops.
        probabilities: (N, 4) of them.
        margin: that the classifier wants, share of the box's longer side.
        min_face_px: as the running system's setting.
    """
    unknown = np.zeros(len(crops), np.bool_)
    for start in range(0, len(crops), BATCH):
        part = slice(start, start + BATCH)
        # The kept surroundings tell the longer side; from 75 px on they are scaled down, and no rule looks that far up.
        longer = np.array([len(context) for context in crops.context[part]]) / CONTEXT
        seen = quality.measure(crops.exact[part], (1.0 + 2.0 * margin) * longer, crops.keypoints[part])
        for index, four in enumerate(np.asarray(probabilities[part], np.float64)):
            three = four[: len(MASK_LABELS)] / max(float(four[: len(MASK_LABELS)].sum()), 1e-9)
            side = round(float(longer[index]))
            face = Face(
                box=(0, 0, side, side),
                detection_score=float(crops.scores[start + index]),
                probabilities=(float(three[0]), float(three[1]), float(three[2])),
                presence=1.0,
                sharpness=float(seen.sharpness[index]),
                brightness=float(seen.brightness[index]),
                turn=float(seen.turn[index]),
                thumbnail=seen.thumbnails[index],
            )
            lost = len(four) > len(MASK_LABELS) and four[-1] > MAX_NOT_A_FACE
            unknown[start + index] = lost or face_verdict(face, min_face_px)[0] is Label.UNKNOWN
    return unknown
