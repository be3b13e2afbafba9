"""The labels beside exported files: one file for all files of a model that lie in a folder."""

import hashlib
from pathlib import Path
from typing import Final

import msgspec

from classify.labels_file import ModelLabels, labels_path, read_labels
from storage.errors import InputError, MaskwatchError, SetupError
from storage.files import read_file, write_bytes

FILE: Final = "labels.json"


def labels_place(model: Path, labels: ModelLabels) -> Path:
    """Where the labels of a model file go: `labels.json` beside it, or `NAME.labels.json` where that is another model's.

    Args:
        model: the file that is to be written.
        labels: of it, without sums.

    Raises:
        InputError: both describe other models that are there.
    """
    shared, own = model.with_name(FILE), model.with_name(f"{model.stem}.labels.json")
    if not own.exists():
        return own if _of_another(shared, model.name, labels) else shared
    # It is taken before `labels.json`, so that what this file is has to stand in it.
    others = [
        each for each in model.parent.glob("*") if each.stem == model.stem and each.suffix in {".keras", ".tflite"}
    ]
    if any(each.name != model.name for each in others) and _of_another(own, model.name, labels):
        raise InputError(f"{own} describes another model of the name {model.stem}: choose another name for --out")
    return own


def write_labels(place: Path, labels: ModelLabels, files: dict[str, str]) -> None:
    """Enter files in the labels of their model.

    Files of the same model that are named there and still lie there unchanged stay in it.

    Args:
        place: as `labels_place` gives it.
        labels: of the model, without sums.
        files: sha256 by name of those just written, in the same folder.

    Raises:
        StorageError: it can't be written.
    """
    kept = {}
    before = _read(place)
    if before is not None and _same(before, labels):
        kept = {name: digest for name, digest in before.files.items() if _sha256(place.with_name(name)) == digest}
    whole = msgspec.structs.replace(labels, files=dict(sorted({**kept, **files}.items())), sha256=None)
    stated = {name: value for name, value in msgspec.structs.asdict(whole).items() if value is not None}
    write_bytes(place, msgspec.json.format(msgspec.json.encode(stated), indent=2) + b"\n")


def lend_labels(model: Path, other: Path) -> None:
    """Let a second file of the same model have its labels, where `labels.json` in their folder is of another model.

    Raises:
        StorageError: they can't be written.
    """
    place = labels_path(model)
    if place.name != FILE:
        write_bytes(other.with_name(f"{other.stem}.labels.json"), place.read_bytes())


def _of_another(place: Path, name: str, labels: ModelLabels) -> bool:
    """Whether a labels file speaks of a model that is still there, and is not the one to be written as `name`."""
    try:
        before = read_labels(place)
    except SetupError:
        return False
    except MaskwatchError:
        # Damaged, but somebody may mend it.
        return True
    if _same(before, labels):
        return False
    if before.files:
        return any(each != name and place.with_name(each).is_file() for each in before.files)
    if before.sha256 is not None:
        beside = [each for each in place.parent.glob("*.tflite") if each.name != name]
        return any(_sha256(each) == before.sha256 for each in beside)
    return (before.labels, before.name) != (labels.labels, labels.name)


def _same(one: ModelLabels, other: ModelLabels) -> bool:
    plain = [msgspec.structs.replace(each, files={}, sha256=None) for each in (one, other)]
    return plain[0] == plain[1]


def _read(place: Path) -> ModelLabels | None:
    try:
        return read_labels(place)
    except MaskwatchError:
        return None


def _sha256(path: Path) -> str | None:
    try:
        return hashlib.sha256(read_file(path)).hexdigest()
    except OSError:
        return None
