"""From the finds of several overlapping looks to one box per face."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from detect.faces import Faces

SAME_IOU: Final = 0.25
"""Two boxes that overlap by this much, as intersection over union, are one face. Looks of different scale see
the whole head, or the eyes and the mask alone. Of 6,540 annotated faces in scenes three pairs overlap as much."""

SAME_CONTAINED: Final = 0.4
"""A box of which this share lies inside a better one is a part of the same face."""

VOTING_IOU: Final = 0.3
"""On the validation scenes voting raised precision at IoU 0.4 from 72 to 75 % at 24-40 px, 78 to 81 % at 40-80 px."""

DOUBTFUL: Final = 0.5
HEAD_WIDTHS: Final = 0.8
"""Centres of two heads side by side are at least this far apart, in widths of the larger box; a find with a score below
`DOUBTFUL` that lies nearer to a surer one is hair, a collar or a hand of the same person."""


def overlaps(one: NDArray[np.float32], many: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Overlap of one box with many.

    Args:
        one: (4,) x, y, width, height.
        many: (N, 4) likewise.

    Returns:
        Intersection over union, and intersection over the smaller box: two (N,) float32 in [0, 1].
    """
    corner = np.minimum(one[:2] + one[2:], many[:, :2] + many[:, 2:])
    sides = np.clip(corner - np.maximum(one[:2], many[:, :2]), 0.0, None)
    intersection = sides[:, 0] * sides[:, 1]
    area, areas = one[2] * one[3], many[:, 2] * many[:, 3]
    tiny = np.float32(1e-6)
    iou = intersection / np.maximum(area + areas - intersection, tiny)
    contained = intersection / np.maximum(np.minimum(area, areas), tiny)
    return iou.astype(np.float32), contained.astype(np.float32)


def merge(faces: Faces) -> Faces:
    """Greedy non-maximum suppression: the surest face stays, what overlaps it or doubtfully adjoins it goes.

    A kept box is the mean of all finds of that face, weighted by their squared scores: looks of different scale place
    it differently (box voting; Gidaris and Komodakis, "Object detection via a multi-region CNN", ICCV 2015).
    The result is ordered by score, ties by position, so that it does not depend on the order of the looks.

    >>> two = Faces(np.array([[0, 0, 10, 10], [1, 0, 10, 10]], np.float32), np.array([0.5, 0.9], np.float32),
    ...             np.zeros((2, 6, 2), np.float32))
    >>> merge(two).scores.tolist()
    [0.8999999761581421]
    """
    sound = (faces.boxes[:, 2] > 0.0) & (faces.boxes[:, 3] > 0.0)
    if not sound.all():
        faces = faces.chosen(np.flatnonzero(sound))
    # In one order from here on, whatever the looks' was: sums of floats depend on it.
    faces = faces.chosen(np.lexsort((faces.boxes[:, 1], faces.boxes[:, 0], -faces.scores)))
    order = np.arange(len(faces))
    kept: list[int] = []
    while len(order):
        best, rest = order[0], order[1:]
        kept.append(int(best))
        iou, contained = overlaps(faces.boxes[best], faces.boxes[rest])
        beside = (faces.scores[rest] < DOUBTFUL) & _within_a_head(faces.boxes[best], faces.boxes[rest])
        order = rest[(iou < SAME_IOU) & (contained < SAME_CONTAINED) & ~beside]
    merged = faces.chosen(np.array(kept, np.intp))
    return Faces(_voted(merged.boxes, faces), merged.scores, merged.keypoints)


def _voted(kept: NDArray[np.float32], faces: Faces) -> NDArray[np.float32]:
    boxes = kept.copy()
    for index, box in enumerate(kept):
        iou, _ = overlaps(box, faces.boxes)
        votes = faces.scores**2 * (iou >= VOTING_IOU)
        # A box too small to overlap even itself, or finds that all score 0, have no vote.
        if votes.sum() > 0.0:
            boxes[index] = (votes[:, None] * faces.boxes).sum(axis=0) / votes.sum()
    return boxes


def _within_a_head(one: NDArray[np.float32], many: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which of (N, 4) boxes have their centre nearer to that of `one` than two heads can be."""
    apart = np.linalg.norm((many[:, :2] + many[:, 2:] / 2.0) - (one[:2] + one[2:] / 2.0), axis=1)
    near: NDArray[np.bool_] = apart < HEAD_WIDTHS * np.maximum(many[:, 2], one[2])
    return near
