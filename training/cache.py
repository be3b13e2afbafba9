"""Crops cut once and kept: the face with enough surroundings that every later jitter is only a warp.

A file holds one split: PNG bytes one after the other and plain arrays beside them, so that loading needs no pickle.
"""

import hashlib
import zipfile
from collections import Counter
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from classify.crops import IMAGE_SIZE, MARGIN, crop_face
from detect.looking import Looker
from storage.errors import InputError
from storage.files import replaced
from training.faces import MINED_MIN_FACE_PX, PORTRAIT_SHARE, SURELY_A_FACE, Face, faces_of
from training.labels import LABELS
from training.pictures import Picture
from training.progress import Progress, silent

CONTEXT: Final = 2.4
"""Side of a kept crop over the face's longer side: the classifier's own 1.5, times 1.35 for scale jitter, plus shift."""


SMALLEST_PX: Final = 14.0
"""Narrower faces are left out."""


@dataclass(frozen=True, slots=True, eq=False)
class Crops:
    """N labelled crops of one split.

    Attributes:
        context: N pictures (side, side, 3) uint8 RGB, the face's longer side being side / `CONTEXT`, centred. At most
            so large that the classifier's square within has its input size; far faces are not enlarged.
        exact: (N, size, size, 3) uint8 RGB, cut as the running system cuts them; empty for `train`.
        labels: (N,) int64, indices into `LABELS`.
        widths: (N,) float32, face width in source pixels.
        scores: (N,) float32, the detector's score, 0 where it did not find the face.
        keypoints: (N, 6, 2) float32 in pixels of `context`, NaN where the detector did not find the face.
        sources: (N,) str, the set each comes from.
        origins: (N,) str, as `Face.origin`.
        names: (N,) str, the picture's file name.
        given: (N,) int64, the labels that the data came with, before any review.
    """

    context: list[NDArray[np.uint8]]
    exact: NDArray[np.uint8]
    labels: NDArray[np.int64]
    widths: NDArray[np.float32]
    scores: NDArray[np.float32]
    keypoints: NDArray[np.float32]
    sources: NDArray[np.str_]
    origins: NDArray[np.str_]
    names: NDArray[np.str_]
    given: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)

    def chosen(self, index: NDArray[np.bool_]) -> "Crops":
        """The crops where the (N,) mask is True."""
        parts = {field.name: getattr(self, field.name)[index] for field in fields(self)[2:]}
        exact = self.exact[index] if len(self.exact) else self.exact
        return Crops([self.context[place] for place in np.flatnonzero(index)], exact, **parts)

    def counts(self) -> dict[str, dict[str, int]]:
        """How many of each class come from each source and origin."""
        counted = Counter(zip(self.sources.tolist(), self.origins.tolist(), self.labels.tolist(), strict=True))
        table: dict[str, dict[str, int]] = {}
        for (source, origin, label), count in sorted(counted.items()):
            table.setdefault(f"{source}, {origin}", {})[LABELS[label]] = count
        return table


@dataclass(frozen=True, slots=True)
class Cut:
    """The crops of one split, and what could not be used."""

    crops: Crops
    unreadable: tuple[str, ...]


def cut_crops(
    pictures: list[Picture],
    looker: Looker,
    *,
    exact: bool,
    image_size: int = IMAGE_SIZE,
    progress: Progress = silent,
    stage: str = "crops",
) -> Cut:
    """Find the labelled faces of pictures and cut them out.

    Args:
        pictures: of one split.
        looker: finds portraits' faces, its own boxes and false alarms.
        exact: also cut each face exactly as the running system does.
        image_size: side of the classifier's input.
        progress: told after every picture.
        stage: what `progress` calls it.

    Raises:
        InputError: not one face came out.
    """
    kept: list[Face] = []
    context: list[NDArray[np.uint8]] = []
    squares: list[NDArray[np.uint8]] = []
    keypoints: list[NDArray[np.float32]] = []
    unreadable: list[str] = []
    for done, (picture, rgb, faces) in enumerate(faces_of(pictures, looker), 1):
        if rgb is None:
            unreadable.append(str(picture.path))
        else:
            for face in faces:
                if face.box[2] < SMALLEST_PX:
                    continue
                crop, points = _context(rgb, face, round(image_size * CONTEXT / (1.0 + 2.0 * MARGIN)))
                kept.append(face)
                context.append(crop)
                keypoints.append(points)
                if exact:
                    squares.append(crop_face(rgb, face.box, size=image_size))
        progress(stage, done, len(pictures), f"{len(kept)} faces")
    if not kept:
        raise InputError(
            f"no usable face in {len(pictures)} pictures ({len(unreadable)} unreadable): check the data folder"
        )
    crops = Crops(
        context,
        np.stack(squares) if squares else np.empty((0, image_size, image_size, 3), np.uint8),
        np.array([face.label for face in kept], np.int64),
        np.array([face.box[2] for face in kept], np.float32),
        np.array([face.score for face in kept], np.float32),
        np.stack(keypoints),
        np.array([face.source for face in kept]),
        np.array([face.origin for face in kept]),
        np.array([face.picture.name for face in kept]),
        np.array([face.given for face in kept], np.int64),
    )
    return Cut(crops, tuple(unreadable))


def save_cut(path: Path, cut: Cut) -> None:
    """Keep crops in one `.npz`.

    Raises:
        StorageError: it can't be written.
    """
    crops = cut.crops
    arrays = {field.name: getattr(crops, field.name) for field in fields(crops)[2:]}
    encoded = [_encoded(crop) for crop in (*crops.context, *crops.exact)]
    with replaced(path) as temporary:
        np.savez(
            temporary,
            bytes=np.concatenate(encoded),
            lengths=np.array([len(part) for part in encoded], np.int64),
            unreadable=np.array(cut.unreadable, dtype=np.str_),
            **arrays,
        )


def load_cut(path: Path) -> Cut | None:
    """Read what `save_cut` wrote; None where there is nothing usable, so that the caller cuts anew."""
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
            ends = np.cumsum(stored["lengths"])
            encoded = np.split(stored["bytes"], ends[:-1])
            arrays = {field.name: stored[field.name] for field in fields(Crops)[2:]}
            unreadable = tuple(map(str, stored["unreadable"]))
    except (OSError, KeyError, ValueError, zipfile.BadZipFile):
        return None
    pictures = [_decoded(part) for part in encoded]
    count = len(arrays["labels"])
    exact = np.stack(pictures[count:]) if len(pictures) > count else np.empty((0, 1, 1, 3), np.uint8)
    return Cut(Crops(pictures[:count], exact, **arrays), unreadable)


def cache_key(pictures: list[Picture], looker: Looker, image_size: int = IMAGE_SIZE) -> str:
    """Changes when the pictures, their labels, the detector or the way of cutting change."""
    digest = hashlib.sha256(
        f"{looker.name} {MINED_MIN_FACE_PX} {SURELY_A_FACE} {PORTRAIT_SHARE} {looker.smallest_face_px} {CONTEXT} {MARGIN} {image_size}".encode()
    )
    for picture in pictures:
        # How often it is drawn changes no crop.
        digest.update(repr(replace(picture, weight=1.0)).encode())
    return digest.hexdigest()[:12]


def _context(rgb: NDArray[np.uint8], face: Face, largest: int) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    x, y, width, height = face.box
    side = CONTEXT * max(width, height)
    size = min(largest, round(side))
    crop = crop_face(rgb, face.box, size=size, margin=(CONTEXT - 1.0) / 2.0)
    corner = np.array([x + width / 2.0 - side / 2.0, y + height / 2.0 - side / 2.0], np.float32)
    return crop, ((face.keypoints - corner) * np.float32(size / side)).astype(np.float32)


def _encoded(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    # Lossless: the exact crops are what figures are measured on, and a far face has few pixels to lose.
    return np.asarray(cv2.imencode(".png", rgb[:, :, ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 1])[1], np.uint8)


def _decoded(data: NDArray[np.uint8]) -> NDArray[np.uint8]:
    bgr = cv2.imdecode(data, cv2.IMREAD_COLOR)
    if bgr is None:
        raise ValueError("not a picture")
    return np.ascontiguousarray(bgr[:, :, ::-1], np.uint8)
