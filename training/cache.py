"""Crops cut once and kept: the face with enough surroundings that every later jitter is only a warp.

A file holds one split: PNG bytes one after the other and plain arrays beside them, so that loading needs no pickle.
"""

import hashlib
import zipfile
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from classify.crops import IMAGE_SIZE, MARGIN, crop_face
from detect.looking import Looker
from storage.errors import InputError
from storage.files import replaced
from training.crops import Crops, Cut, joined
from training.faces import MINED_MIN_FACE_PX, PORTRAIT_SHARE, SURELY_A_FACE, UNCLEAR, Face, faces_of
from training.pictures import Picture
from training.progress import Progress, silent

__all__ = ["CONTEXT", "SMALLEST_PX", "Crops", "Cut", "cache_key", "cut_crops", "joined", "load_cut", "save_cut"]

CONTEXT: Final = 2.4
"""Side of a kept crop over the face's longer side: the classifier's own 1.5, times 1.35 for scale jitter, plus shift."""


SMALLEST_PX: Final = 14.0
"""Narrower faces are left out."""

_UNCLEAR: Final = "unclear_"
"""Before the names of these faces' arrays in the file."""


class _Kept:
    """Faces as they are cut out, one after the other."""

    def __init__(self, image_size: int, *, exact: bool) -> None:
        self._size, self._exact = image_size, exact
        self._faces: list[Face] = []
        self._context: list[NDArray[np.uint8]] = []
        self._squares: list[NDArray[np.uint8]] = []
        self._keypoints: list[NDArray[np.float32]] = []

    def __len__(self) -> int:
        return len(self._faces)

    def add(self, rgb: NDArray[np.uint8], face: Face) -> None:
        crop, points = _context(rgb, face, round(self._size * CONTEXT / (1.0 + 2.0 * MARGIN)))
        self._faces.append(face)
        self._context.append(crop)
        self._keypoints.append(points)
        if self._exact:
            self._squares.append(crop_face(rgb, face.box, size=self._size))

    def crops(self) -> Crops:
        return Crops(
            self._context,
            np.stack(self._squares) if self._squares else np.empty((0, self._size, self._size, 3), np.uint8),
            np.array([face.label for face in self._faces], np.int64),
            np.array([face.box[2] for face in self._faces], np.float32),
            np.array([face.score for face in self._faces], np.float32),
            np.stack(self._keypoints),
            np.array([face.source for face in self._faces]),
            np.array([face.origin for face in self._faces]),
            np.array([face.picture.name for face in self._faces]),
            np.array([face.given for face in self._faces], np.int64),
        )


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
        exact: also cut each face exactly as the running system does, and the faces whose label nobody can tell.
        image_size: side of the classifier's input.
        progress: told after every picture.
        stage: what `progress` calls it.

    Raises:
        InputError: not one face came out.
    """
    wanted = [picture for picture in pictures if exact or not picture.set_aside]
    kept, unclear = _Kept(image_size, exact=exact), _Kept(image_size, exact=exact)
    unreadable: list[str] = []
    for done, (picture, rgb, faces) in enumerate(faces_of(wanted, looker), 1):
        if rgb is None:
            unreadable.append(str(picture.path))
        else:
            for face in faces:
                if face.box[2] < SMALLEST_PX:
                    continue
                if face.origin != UNCLEAR:
                    kept.add(rgb, face)
                elif exact:
                    unclear.add(rgb, face)
        progress(stage, done, len(wanted), f"{len(kept)} faces")
    if not len(kept):
        raise InputError(
            f"no usable face in {len(pictures)} pictures ({len(unreadable)} unreadable): check the data folder"
        )
    return Cut(kept.crops(), tuple(unreadable), unclear.crops() if len(unclear) else None)


def save_cut(path: Path, cut: Cut) -> None:
    """Keep crops in one `.npz`.

    Raises:
        StorageError: it can't be written.
    """
    arrays = _arrays(cut.crops)
    if cut.unclear is not None:
        arrays |= {f"{_UNCLEAR}{name}": array for name, array in _arrays(cut.unclear).items()}
    with replaced(path) as temporary:
        np.savez(temporary, unreadable=np.array(cut.unreadable, dtype=np.str_), allow_pickle=False, **arrays)


def load_cut(path: Path) -> Cut | None:
    """Read what `save_cut` wrote; None where there is nothing usable, so that the caller cuts anew."""
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
            unclear = _crops(stored, _UNCLEAR) if f"{_UNCLEAR}labels" in stored else None
            return Cut(_crops(stored), tuple(map(str, stored["unreadable"])), unclear)
    except (OSError, EOFError, KeyError, ValueError, IndexError, TypeError, zipfile.BadZipFile, cv2.error):
        return None


def _arrays(crops: Crops) -> dict[str, NDArray[Any]]:
    encoded = [_encoded(crop) for crop in (*crops.context, *crops.exact)]
    return {
        "bytes": np.concatenate(encoded),
        "lengths": np.array([len(part) for part in encoded], np.int64),
        **{field.name: getattr(crops, field.name) for field in fields(crops)[2:]},
    }


def _crops(stored: Mapping[str, NDArray[Any]], prefix: str = "") -> Crops:
    """What `_arrays` made of crops.

    Raises:
        KeyError, ValueError, cv2.error: something is missing or damaged.
    """
    arrays = {field.name: stored[f"{prefix}{field.name}"] for field in fields(Crops)[2:]}
    ends = np.cumsum(stored[f"{prefix}lengths"])
    pictures = [_decoded(part) for part in np.split(stored[f"{prefix}bytes"], ends[:-1])]
    count = len(arrays["labels"])
    if len(pictures) not in {count, 2 * count} or {len(array) for array in arrays.values()} != {count}:
        raise ValueError("its parts do not belong together")
    exact = np.stack(pictures[count:]) if len(pictures) > count else np.empty((0, 1, 1, 3), np.uint8)
    return Crops(pictures[:count], exact, **arrays)


def cache_key(pictures: list[Picture], looker: Looker, image_size: int = IMAGE_SIZE) -> str:
    """Changes when the pictures, their labels, the detector or the way of cutting change."""
    digest = hashlib.sha256(
        f"{looker.name} {MINED_MIN_FACE_PX} {SURELY_A_FACE} {PORTRAIT_SHARE} {looker.smallest_face_px} {CONTEXT} {MARGIN} {image_size}".encode()
    )
    for picture in pictures:
        digest.update(repr(picture).encode())
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
