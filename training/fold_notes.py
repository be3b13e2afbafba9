"""What a `--folds K` run leaves in its folder besides the models, read again when they are used."""

import hashlib
from pathlib import Path
from typing import Final

import msgspec

from classify.classifier import LiteRtClassifier
from storage.errors import InputError, SetupError
from storage.files import storage_error
from training.checkpoint import Epoch

DONE_FILE: Final = "fold.json"
FOLDS_FILE: Final = "folds.json"
OOF_FILE: Final = "oof.npz"


class FoldNote(msgspec.Struct, frozen=True):
    """Written when a fold is finished, so that a run that goes on does not repeat it.

    Attributes:
        key: of the network, the options and the crops.
        sha256: of the model file.
        agreement: share of the held-out faces on which the file gives the trained network's label.
        history: the epochs.
    """

    key: str
    sha256: str
    agreement: float
    history: tuple[Epoch, ...]


class FoldsNote(msgspec.Struct, frozen=True):
    """Written last, when all folds are finished: how the data was divided, for `maskwatch evaluate` on the folder."""

    folds: int
    seed: int
    limit: int | None
    sources: tuple[str, ...] | None
    image_size: int
    model: str


def fold_folder(folder: Path, fold: int) -> Path:
    """Where the model of a fold is."""
    return folder / f"fold-{fold}"


def is_finished(folder: Path) -> bool:
    """Whether a `--folds K` run has come to its end in this folder."""
    return (folder / FOLDS_FILE).is_file() and (folder / OOF_FILE).is_file()


def unfinish(folder: Path) -> None:
    """Remove what says that all models of the folder belong together, before one of them is trained anew.

    Raises:
        StorageError: it can't be removed.
    """
    for name in (FOLDS_FILE, OOF_FILE):
        try:
            (folder / name).unlink(missing_ok=True)
        except OSError as error:
            raise storage_error(folder / name, error) from error


def read_fold(folder: Path, fold: int) -> FoldNote:
    """The note of a finished fold.

    Raises:
        InputError: it is missing or damaged.
    """
    done = fold_folder(folder, fold) / DONE_FILE
    try:
        return msgspec.json.decode(done.read_bytes(), type=FoldNote)
    except (OSError, msgspec.MsgspecError) as error:
        raise InputError(f"{done} is damaged ({error}): remove {done.parent} to train this fold again") from error


def read_folds(folder: Path) -> FoldsNote:
    """How the data of a finished run was divided.

    Raises:
        InputError: the folder is not one of a `--folds` run, or that has not finished, or the note is damaged.
    """
    if not is_finished(folder):
        if folder.is_dir() and any(folder.glob("fold-*")):
            raise InputError(f"`maskwatch train --folds K` has not finished in {folder}: repeat it with --resume")
        raise InputError(
            f"{folder} is not a folder that `maskwatch train --folds K` has finished: name one, or a model file"
        )
    path = folder / FOLDS_FILE
    try:
        note = msgspec.json.decode(path.read_bytes(), type=FoldsNote)
    except (OSError, msgspec.MsgspecError) as error:
        raise InputError(f"{path} is damaged ({error}): let the `--folds` run go on with --resume") from error
    if note.model in {"", ".."} or note.model != Path(note.model).name or set(note.model) & set("\\\0"):
        raise InputError(
            f"{path} names the model file {note.model!r}, which is no plain name: train with --folds again"
        )
    return note


def fold_model(folder: Path, note: FoldsNote, fold: int) -> LiteRtClassifier:
    """The model of a fold, if it is the one that was trained.

    Raises:
        SetupError: it is missing.
        InputError: it is another file, or its note is damaged.
    """
    path = fold_folder(folder, fold) / note.model
    try:
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise SetupError(
            f"the model {path} can't be read ({error.strerror}): let the `--folds` run go on with --resume"
        ) from error
    if sha256 != read_fold(folder, fold).sha256:
        raise InputError(
            f"{path} is not the model that was trained in this fold: its sha256 differs from that in {DONE_FILE}; remove "
            f"{path.parent} and let the `--folds` run go on with --resume"
        )
    return LiteRtClassifier(path)
