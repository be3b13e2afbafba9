"""The detector that finds the labelled faces, and the crops of a split that are cut with it once."""

from pathlib import Path
from typing import Final

from classify.quality import MIN_FACE_PX
from detect.blazeface import MIN_SCORE, BlazeFace
from detect.looking import Looker
from detect.models import DetectorModel, detector_model
from storage.errors import InputError, SetupError
from training.cache import Cut, cache_key, cut_crops, load_cut, save_cut
from training.faces import MINED_MIN_FACE_PX
from training.pictures import Picture
from training.progress import Progress

DETECTOR: Final = "blazeface-full-range"
MINED_MIN_SCORE: Final = 0.15
"""Lower than the running system's, so that `not_a_face` learns from more than it will meet."""


def running_looker(data: tuple[Path, ...], given: Path | None) -> Looker:
    """The detector with the running system's own settings; otherwise as `open_looker`."""
    return _looker(data, given, MIN_SCORE, MIN_FACE_PX)


def open_looker(data: tuple[Path, ...], given: Path | None) -> Looker:
    """The detector for mining, from the file given or from a pack's `models` folder; to be closed by the caller.

    Raises:
        SetupError: there is no such file, or MediaPipe can't be loaded.
    """
    return _looker(data, given, MINED_MIN_SCORE, MINED_MIN_FACE_PX)


def kept_cut(
    folder: Path, split: str, pictures: list[Picture], looker: Looker, image_size: int, progress: Progress
) -> Cut:
    """The crops of a split, from the file in `folder` where the same were cut before.

    Raises:
        InputError: there are no pictures, or no face in them.
        StorageError: the file can't be written.
    """
    if not pictures:
        raise InputError(f"the data has no pictures for the {split} part: add pictures")
    path = folder / f"crops-{split}-{cache_key(pictures, looker, image_size)}.npz"
    if (cut := load_cut(path)) is None:
        stage = f"faces of {split}"
        cut = cut_crops(pictures, looker, exact=split != "train", image_size=image_size, progress=progress, stage=stage)
        save_cut(path, cut)
    return cut


def _looker(data: tuple[Path, ...], given: Path | None, min_score: float, min_face_px: float) -> Looker:
    kind = detector_model(DETECTOR)
    path = given if given is not None else _detector_file(data, kind)
    return Looker([BlazeFace(kind, path, min_score=min_score) for _ in range(2)], min_face_px=min_face_px)


def _detector_file(data: tuple[Path, ...], kind: DetectorModel) -> Path:
    for folder in data:
        if (path := folder / "models" / kind.file_name).is_file():
            return path
    raise SetupError(
        f"the face detector's model {kind.file_name} is not in the data's models folder: run `make setup`, or set "
        "MASKWATCH_DETECTOR_MODEL to a file you have"
    )
