"""From labelled pictures to labelled faces, with the detector's help.

Scenes give their annotated boxes; the detector's own boxes of the same faces (in the running system all crops come
from the detector, whose boxes sit differently); and the detector's false alarms, which teach `not_a_face`. Portraits
give their biggest detected face, or the whole picture where none is found.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from classify.crops import MARGIN
from detect.faces import Faces
from detect.looking import Looker
from detect.merge import overlaps
from storage.files import read_file
from training.labels import NO_FACE
from training.pictures import Box, Picture

MINED_MIN_FACE_PX: Final = 20.0
"""The tile plan of mining goes this small: a little below what the running system looks for."""

SAME_FACE_IOU: Final = 0.5
ELSEWHERE_IOU: Final = 0.1
ELSEWHERE_CONTAINED: Final = 0.2
SURELY_A_FACE: Final = 0.45
"""An unannotated find at or above this score is probably a face that the annotators left out."""

PORTRAIT_MIN_SCORE: Final = 0.3
PORTRAIT_SHARE: Final = 0.6
"""The face of a portrait is the biggest find that scores at least this share of the best one: with all finds allowed,
three portraits in a hundred were labelled by a roof or a sleeve."""

UNCLEAR: Final = "unclear"
"""Origin of faces that neither train nor count but with the labels as given."""

SMALLEST_FALSE_ALARM_PX: Final = 20.0
"""Below, what is found off the annotated boxes is mostly a far face that the annotators left out."""


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """One labelled face (or false alarm) in a picture.

    Attributes:
        picture: the file it is in.
        source: the set that is from.
        split: train, val or test.
        label: index into `training.labels.LABELS`; of an `unclear` face the one that the data came with.
        box: x, y, width, height in pixels.
        origin: `annotated`, `detector` (its box of an annotated face), `portrait`, `whole_picture`, `false_alarm`; or
            `unclear`, an annotated face or portrait whose label nobody can tell.
        score: the detector's, 0 where it did not find the face.
        keypoints: (6, 2) float32 in picture pixels, the detector's; NaN where it did not find the face.
        given: the label that the data came with; a review may have changed it.
    """

    picture: Path
    source: str
    split: str
    label: int
    box: Box
    origin: str
    score: float
    keypoints: NDArray[np.float32]
    given: int


def read_picture(path: Path) -> NDArray[np.uint8] | None:
    """(height, width, 3) RGB, or None where the file can't be read as a picture."""
    try:
        data = np.frombuffer(read_file(path), np.uint8)
        bgr = cv2.imdecode(data, cv2.IMREAD_COLOR) if len(data) else None
    except (OSError, cv2.error):
        return None
    return None if bgr is None else np.ascontiguousarray(bgr[:, :, ::-1], np.uint8)


def faces_of(
    pictures: Iterable[Picture], looker: Looker
) -> Iterator[tuple[Picture, NDArray[np.uint8] | None, list[Face]]]:
    """Each picture with its pixels and its labelled faces; None and no faces where it can't be read."""
    for picture in pictures:
        rgb = read_picture(picture.path)
        if rgb is None:
            yield picture, None, []
        elif picture.portrait is not None:
            face = portrait_face(picture, picture.portrait, rgb, looker)
            if not picture.set_aside:
                yield picture, rgb, [face]
            else:
                # Figures are over portraits with a detected face; of what nobody can label that is all that is kept.
                yield picture, rgb, [replace(face, origin=UNCLEAR)] if face.origin == "portrait" else []
        else:
            yield picture, rgb, scene_faces(picture, looker.look(rgb))


def portrait_face(picture: Picture, label: int, rgb: NDArray[np.uint8], looker: Looker) -> Face:
    """The biggest detected face of a portrait; without one the whole picture, taken as a crop with its margin."""
    height, width = rgb.shape[:2]
    given = picture.given[0] if picture.given else label
    found = Faces.none() if label == NO_FACE else looker.look_thoroughly(rgb)
    if len(found) and float(found.scores.max()) >= PORTRAIT_MIN_SCORE:
        sure = found.scores >= PORTRAIT_SHARE * found.scores.max()
        best = int(np.argmax(found.boxes[:, 2] * found.boxes[:, 3] * sure))
        x, y, w, h = map(float, found.boxes[best])
        return Face(picture.path, picture.source, picture.split, label, (x, y, w, h), "portrait",
                    float(found.scores[best]), found.keypoints[best], given)  # fmt: skip
    side = max(width, height) / (1.0 + 2.0 * MARGIN)
    box = (width / 2.0 - side / 2.0, height / 2.0 - side / 2.0, side, side)
    origin = "false_alarm" if label == NO_FACE else "whole_picture"
    return Face(picture.path, picture.source, picture.split, label, box, origin, 0.0, _no_keypoints(), given)


def scene_faces(picture: Picture, found: Faces) -> list[Face]:
    """The annotated faces of a scene, the detector's boxes of them, and its false alarms; last the `unclear` ones.

    Args:
        picture: a scene.
        found: what the detector found in it.
    """
    # What is ignored is a face all the same: a find there is no false alarm.
    annotated = np.array((*picture.boxes, *picture.ignored), np.float32).reshape(-1, 4)
    given = picture.given or picture.labels
    faces: list[Face] = []
    finders: dict[int, int] = {}
    for index in range(len(found)):
        x, y, w, h = map(float, found.boxes[index])
        score, keypoints = float(found.scores[index]), found.keypoints[index]
        iou, contained = overlaps(found.boxes[index], annotated) if len(annotated) else (np.zeros(1), np.zeros(1))
        best = int(np.argmax(iou))
        if iou[best] >= SAME_FACE_IOU:
            if finders.setdefault(best, index) == index and best < len(picture.labels):
                faces.append(Face(picture.path, picture.source, picture.split, picture.labels[best], (x, y, w, h),
                                  "detector", score, keypoints, given[best]))  # fmt: skip
        elif (
            picture.complete
            and float(iou.max()) < ELSEWHERE_IOU
            and float(contained.max()) < ELSEWHERE_CONTAINED
            and score < SURELY_A_FACE
            and w >= SMALLEST_FALSE_ALARM_PX
        ):
            faces.append(Face(picture.path, picture.source, picture.split, NO_FACE, (x, y, w, h), "false_alarm",
                              score, keypoints, NO_FACE))  # fmt: skip
    marked = [
        *((box, label, "annotated", given[index])
          for index, (box, label) in enumerate(zip(picture.boxes, picture.labels, strict=True))),
        *((box, label, UNCLEAR, label) for box, label in zip(picture.ignored, picture.unclear, strict=False)),
    ]  # fmt: skip
    for index, (box, label, origin, came_with) in enumerate(marked):
        finder = finders.get(index)
        score = 0.0 if finder is None else float(found.scores[finder])
        keypoints = _no_keypoints() if finder is None else found.keypoints[finder]
        faces.append(Face(picture.path, picture.source, picture.split, label, box, origin, score, keypoints,
                          came_with))  # fmt: skip
    return faces


def _no_keypoints() -> NDArray[np.float32]:
    return np.full((6, 2), np.nan, np.float32)
