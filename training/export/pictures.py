"""Real faces to calibrate and compare on: from labelled data, or from what a training run has kept."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from storage.errors import UsageError
from training.augment import centred
from training.cache import Crops, cut_crops, load_cut
from training.export.litert import CALIBRATION_CROPS
from training.labels import NO_FACE
from training.looking import open_looker
from training.pictures import Picture, read_data
from training.progress import Progress

MOST_FACES: Final = 1500
"""More to compare on take minutes and say nothing new."""

Pictures = NDArray[np.uint8]


def real_crops(
    model: Path,
    size: int,
    data: Sequence[Path],
    *,
    detector: Path | None,
    seed: int,
    progress: Progress,
) -> tuple[Pictures, Pictures]:
    """Crops to take ranges from, and faces to compare on.

    Args:
        model: a file in a run folder; the crops kept there are used where no data is given.
        size: side of the classifier's input in pixels.
        data: folders of labelled pictures.
        detector: file of the face detector, for `data`.
        seed: of what is chosen.
        progress: told after every picture of `data`.

    Returns:
        (M, size, size, 3) and (K, size, size, 3), uint8 RGB, M and K at least 1.

    Raises:
        UsageError: there are none.
        InputError: the data can't be used.
        SetupError: the detector is missing.
    """
    if data:
        pictures = read_data(list(data), seed=seed)
        with closing(open_looker(tuple(data), detector)) as looker:
            parts = {}
            for split, most in (("train", CALIBRATION_CROPS), ("val", MOST_FACES)):
                chosen = _chosen([picture for picture in pictures if picture.split == split] or pictures, most, seed)
                stage = f"faces of {split}"
                parts[split] = cut_crops(
                    chosen, looker, exact=True, image_size=size, progress=progress, stage=stage
                ).crops
        return _calibration(parts["train"], size, seed), _faces(parts["val"], size)
    kept = {split: _kept(model.parent, split) for split in ("train", "val")}
    train = kept["train"]
    if train is None:
        raise UsageError(
            f"no real faces to check the result on: name pictures with --data, or keep {model.name} in the folder of its "
            "training, where crops-train-*.npz lie"
        )
    return _calibration(train, size, seed), _faces(kept["val"] or train, size)


def _kept(folder: Path, split: str) -> Crops | None:
    newest = sorted(folder.glob(f"crops-{split}-*.npz"), key=lambda path: path.stat().st_mtime, reverse=True)
    cuts = (load_cut(path) for path in newest)
    return next((cut.crops for cut in cuts if cut is not None and len(cut.crops)), None)


def _chosen(pictures: list[Picture], most: int, seed: int) -> list[Picture]:
    order = np.random.default_rng(seed).permutation(len(pictures))[:most]
    return [pictures[place] for place in sorted(order)]


def _calibration(crops: Crops, size: int, seed: int) -> Pictures:
    places = np.random.default_rng(seed).permutation(len(crops))[:CALIBRATION_CROPS]
    return np.stack([centred(crops.context[place], size=size) for place in places])


def _faces(crops: Crops, size: int) -> Pictures:
    places = np.flatnonzero(crops.labels != NO_FACE)
    if not len(places):
        places = np.arange(len(crops))
    places = places[np.linspace(0, len(places) - 1, min(len(places), MOST_FACES)).astype(int)]
    if len(crops.exact) and crops.exact.shape[1] == size:
        return np.ascontiguousarray(crops.exact[places])
    return np.stack([centred(crops.context[place], size=size) for place in places])
