"""How much a face can be trusted: sharpness, light, pose, size. It drives `unknown` and the weight of evidence."""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from storage.messages import Face
from storage.sharpness import BLURRED_BELOW
from storage.sharpness import sharpness as measured_sharpness
from storage.words import UnknownReason

MIN_FACE_PX: Final = 24
"""Smallest face worth classifying, by default."""

DARK_BELOW: Final = 0.12
TURNED_ABOVE: Final = 0.75
"""From here on one side of mouth and mask is hidden."""

SMALLEST_SIDE: Final = 12
THUMBNAIL_SIDE: Final = 8


@dataclass(frozen=True, slots=True, eq=False)
class Qualities:
    """Qualities of N faces, each (N,) float64; ranges as in `storage.messages.Face`."""

    sharpness: NDArray[np.float64]
    brightness: NDArray[np.float64]
    turn: NDArray[np.float64]
    thumbnails: list[bytes]


def measure(crops: NDArray[np.uint8], sides: NDArray[np.float64], keypoints: NDArray[np.float32]) -> Qualities:
    """Measure face crops.

    Args:
        crops: (N, size, size, 3) uint8 RGB, as the classifier takes them.
        sides: (N,) side in source pixels of the square each crop was made from.
        keypoints: (N, 6, 2) float32 in source pixels, in the order of `detect.faces.KEYPOINTS`; may be NaN.
    """
    count = len(crops)
    sharpness, brightness = np.zeros(count), np.zeros(count)
    thumbnails = []
    for index, crop in enumerate(crops):
        grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)
        border = len(grey) // 6
        face = grey[border:-border, border:-border]
        # A small face was enlarged for the classifier; what it has of detail shows at its own size.
        own = max(SMALLEST_SIDE, min(len(face), round(sides[index] * len(face) / len(grey))))
        sharpness[index] = measured_sharpness(cv2.resize(face, (own, own), interpolation=cv2.INTER_AREA))
        brightness[index] = face.mean() / 255.0
        thumbnail = cv2.resize(face, (THUMBNAIL_SIDE, THUMBNAIL_SIDE), interpolation=cv2.INTER_AREA)
        thumbnails.append(np.ascontiguousarray(thumbnail, np.uint8).tobytes())
    return Qualities(sharpness.round(4), brightness.round(4), _turn(keypoints).round(4), thumbnails)


def trouble(face: Face, min_face_px: int) -> UnknownReason | None:
    """The first reason why this face can't be judged, or None."""
    if max(face.box[2:]) < min_face_px:
        return UnknownReason.TOO_SMALL
    if face.brightness < DARK_BELOW:
        return UnknownReason.TOO_DARK
    if face.sharpness < BLURRED_BELOW:
        return UnknownReason.BLURRED
    if face.turn > TURNED_ABOVE:
        return UnknownReason.TURNED_AWAY
    return None


def weight(face: Face, min_face_px: int) -> float:
    """How much one face counts as a witness, in [0, 1]; 0 where it can't be judged at all.

    It grows with size (full from 2.5 times the smallest face on) and sharpness and falls as the face turns away.
    """
    if trouble(face, min_face_px) in (UnknownReason.TOO_SMALL, UnknownReason.TOO_DARK):
        return 0.0
    size = min(1.0, 0.3 + 0.7 * (max(face.box[2:]) / min_face_px - 1.0) / 1.5)
    sharp = min(1.0, face.sharpness / (2.5 * BLURRED_BELOW))
    frontal = 1.0 - 0.7 * min(1.0, max(0.0, face.turn - 0.3) / 0.7)
    return size * sharp * frontal


def novelty(thumbnail: bytes, before: bytes) -> float:
    """How much a face differs from an earlier one of the same person, in [0.1, 1]: ten identical frames are not ten
    witnesses. Full from a mean difference of 8 grey levels on; that much comes of a step or a turn of the head.
    """
    if not before:
        return 1.0
    one = np.frombuffer(thumbnail, np.uint8).astype(np.int16)
    other = np.frombuffer(before, np.uint8).astype(np.int16)
    return float(max(0.1, min(1.0, np.abs(one - other).mean() / 8.0)))


def _turn(keypoints: NDArray[np.float32]) -> NDArray[np.float64]:
    """Sideways turn from where the nose lies between the eyes: 0 midway, 1 where it reaches or passes one of them."""
    right, left, nose = keypoints[:, 0], keypoints[:, 1], keypoints[:, 2]
    across = (left - right).astype(np.float64)
    span = np.maximum(np.square(across).sum(axis=1), 1e-6)
    along = ((nose - right) * across).sum(axis=1) / span
    turn: NDArray[np.float64] = np.nan_to_num(np.clip(np.abs(along - 0.5) * 2.0, 0.0, 1.0), nan=0.0)
    return turn
