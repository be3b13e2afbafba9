"""Out-of-fold predictions: kept in one file, and found again for the same faces when a network learns from them."""

import zipfile
from collections import Counter, defaultdict
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from storage.errors import InputError
from storage.files import replaced
from training.augment import steady_views
from training.cache import Crops
from training.fold_notes import OOF_FILE, FoldsNote, fold_model, read_folds
from training.labels import LABELS
from training.progress import Progress, silent

AT_ONCE: Final = 64
"""Faces whose views are in memory together."""

UNKNOWN: Final = -1
SEVERAL: Final = -2

Key = tuple[str, str, str, int, float, float, int]
"""Source, picture's name, origin, label, width, detector's score, and how many with the same of all these came before."""


@dataclass(frozen=True, slots=True, eq=False)
class OutOfFold:
    """What K models say of N faces, each face judged by the model that did not see its picture in training.

    Attributes:
        fold: (N,) int64, the fold each face is in: judged by the model of that number.
        labels: (N,) int64, indices into `LABELS`.
        widths: (N,) float32, in source pixels.
        scores: (N,) float32, the detector's.
        sources: (N,) str.
        origins: (N,) str, as `training.faces.Face.origin`.
        names: (N,) str, the picture's file name.
        logits: (N, 4) float32 of the exported 8-bit models, -inf for labels they lack.
        temperatures: (K,) float64, each fitted on the other folds.
        probabilities: (N, 4) float32: logits over their fold's temperature, as shares of one.
    """

    fold: NDArray[np.int64]
    labels: NDArray[np.int64]
    widths: NDArray[np.float32]
    scores: NDArray[np.float32]
    sources: NDArray[np.str_]
    origins: NDArray[np.str_]
    names: NDArray[np.str_]
    logits: NDArray[np.float32]
    temperatures: NDArray[np.float64]
    probabilities: NDArray[np.float32]


def write_out_of_fold(path: Path, found: OutOfFold) -> None:
    """Write the file.

    Raises:
        StorageError: it can't be written.
    """
    with replaced(path) as temporary, temporary.open("wb") as stream:
        np.savez(stream, allow_pickle=False, **{each.name: getattr(found, each.name) for each in fields(found)})


def read_out_of_fold(path: Path) -> OutOfFold:
    """Read the file.

    Raises:
        InputError: it is missing or damaged.
    """
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
            found = OutOfFold(**{each.name: stored[each.name] for each in fields(OutOfFold)})
        whole = {len(getattr(found, each.name)) for each in fields(found) if each.name != "temperatures"}
        if len(whole) != 1 or found.probabilities.shape[1:] != (len(LABELS),):
            raise ValueError("its parts do not belong together")
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(
            f"{path} does not hold out-of-fold predictions ({error}): train with --folds K again"
        ) from error
    return found


def soft_targets(folder: Path, crops: Crops, progress: Progress = silent) -> NDArray[np.float32]:
    """What the models of a finished `--folds K` run say of each of N crops, rows of NaN for faces they have not judged.

    Each face is judged by the model that did not see it in training, over `training.augment.steady_views`, whose mean is
    taken: learning it makes one look as steady as six (Hinton et al., "Distilling the Knowledge in a Neural Network",
    2015), and a face that was labelled wrongly gets the other folds' opinion.

    Returns:
        (N, 4) float32 probabilities.

    Raises:
        InputError: the folder is damaged or not finished, a model in it is not the one that was trained, or it knows none
            of the faces, so it is of other data.
        SetupError: a model in it is missing.
    """
    note = read_folds(folder)
    found = out_of_fold(folder, note)
    folds = folds_of(found, crops)
    if not (folds >= 0).any():
        raise InputError(
            f"the models in {folder} have judged none of the training faces: give them the same DATA folders"
        )
    soft = np.full((len(crops), len(LABELS)), np.nan, np.float32)
    done = 0
    for fold in sorted(set(folds[folds >= 0].tolist())):
        judged = np.flatnonzero(folds == fold)
        classifier = fold_model(folder, note, fold)
        for start in range(0, len(judged), AT_ONCE):
            part = judged[start : start + AT_ONCE]
            views = np.concatenate([steady_views(crops.context[place], size=classifier.image_size) for place in part])
            soft[part] = classifier.classify(views).reshape(len(part), -1, len(LABELS)).mean(axis=1)
            done += len(part)
            progress("teacher", done, int((folds >= 0).sum()))
    return soft


def out_of_fold(folder: Path, note: FoldsNote) -> OutOfFold:
    """What the models of a finished run say of the faces that they did not see.

    Raises:
        InputError: the file is damaged, or of another run than `note`.
    """
    found = read_out_of_fold(folder / OOF_FILE)
    if len(found.temperatures) != note.folds or not ((found.fold >= 0) & (found.fold < note.folds)).all():
        raise InputError(f"{folder / OOF_FILE} is not of the {note.folds} folds beside it: train with --folds again")
    return found


def folds_of(found: OutOfFold, crops: Crops | OutOfFold) -> NDArray[np.int64]:
    """(N,) fold in `found` of each of N crops: `UNKNOWN` where it is not there, `SEVERAL` where faces of different folds
    can't be told from it.
    """
    places = matched(found, crops)
    folds_with: dict[tuple[object, ...], set[int]] = defaultdict(set)
    for key, fold in zip(_keys(found), found.fold.tolist(), strict=True):
        folds_with[key[:-1]].add(fold)
    several = np.array([len(folds_with[key[:-1]]) > 1 for key in _keys(crops)], np.bool_)
    return np.where(places < 0, UNKNOWN, np.where(several, SEVERAL, found.fold[places])).astype(np.int64)


def matched(found: OutOfFold, crops: Crops | OutOfFold) -> NDArray[np.int64]:
    """(N,) place in `found` of each of N crops, -1 where it is not there.

    The same face is recognised by where it comes from and what the detector said of it, none of which depends on the
    size of the crops; two that nothing tells apart are taken in the order in which they come.
    """
    places = {key: place for place, key in enumerate(_keys(found))}
    return np.array([places.get(key, -1) for key in _keys(crops)], np.int64)


def _keys(faces: Crops | OutOfFold) -> list[Key]:
    seen: Counter[tuple[str, str, str, int, float, float]] = Counter()
    keys: list[Key] = []
    columns = (faces.sources, faces.names, faces.origins, faces.labels, faces.widths, faces.scores)
    for source, name, origin, label, width, score in zip(*(column.tolist() for column in columns), strict=True):
        part = (source, name, origin, label, round(width, 2), round(score, 4))
        keys.append((*part, seen[part]))
        seen[part] += 1
    return keys
