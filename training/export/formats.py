"""`maskwatch export`: a training's `model.keras` in the form that somebody needs, with its labels and model card."""

import hashlib
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, get_args

import msgspec
import numpy as np
from numpy.typing import NDArray

from classify.keras_model import flat_outputs, load_keras, output_names
from classify.labels_file import ModelLabels, labels_path, read_labels
from storage.errors import InputError, SetupError, UsageError
from storage.files import make_folder, replaced, storage_error
from training.export.card import write_card
from training.export.check import Exported, ExportError, check_agreement, in_batches
from training.export.labels import labels_place, write_labels
from training.export.litert import export_litert
from training.export.pictures import Pictures, real_crops
from training.progress import Progress, silent
from training.seeds import check_seed

Format = Literal["keras", "savedmodel", "litert", "litert-int8"]
FORMATS: Final[tuple[str, ...]] = get_args(Format)
SUFFIXES: Final = {"keras": ".keras", "litert": ".tflite", "litert-int8": ".tflite"}
CLOSE: Final = 1e-2
"""Largest difference of a logit in the same network, saved and opened again; another batch size changes last bits only."""


@dataclass(frozen=True, slots=True)
class Original:
    """A model to export.

    Attributes:
        model: the Keras model, with outputs `logits` and `cam`.
        labels: what its outputs mean.
        faces: (K, size, size, 3) uint8 real faces.
        logits: (K, labels) what it says of them.
    """

    model: Any
    labels: ModelLabels
    faces: Pictures
    logits: NDArray[np.float32]


def run_export(
    model: Path,
    form: str,
    out: Path,
    *,
    data: tuple[Path, ...] = (),
    detector: Path | None = None,
    seed: int = 0,
    progress: Progress = silent,
) -> Exported:
    """Write a model in another form, once it is proven equal on real faces.

    Args:
        model: a training's `model.keras`, or its folder; `labels.json` beside it.
        form: one of `FORMATS`.
        out: the file to write; for `savedmodel` the folder.
        data: labelled pictures to calibrate and check on; by default the crops that the training kept.
        detector: file of the face detector that finds them.
        seed: of the choice among them.
        progress: told after every picture.

    Raises:
        UsageError: the format is unknown or does not go with the name of `out`, the seed is out of range, or there are no
            real faces.
        InputError: the model is none of ours, or the data can't be used.
        SetupError: the model, its labels, the detector or the training set are missing.
        ExportError: the result says something else than the model.
        StorageError: it can't be written.
    """
    _check_call(form, out)
    check_seed(seed)
    path = model / "model.keras" if model.is_dir() else model
    if not path.is_file():
        raise SetupError(f"there is no model at {path}: name the model.keras that training wrote")
    labels = read_labels(labels_path(path))
    loaded = load_keras(path)
    place = _logits_at(loaded, path)
    size = int(loaded.inputs[0].shape[1])
    if len(labels.labels) != loaded.outputs[place].shape[1]:
        raise InputError(
            f"{path} has {loaded.outputs[place].shape[1]} outputs, but labels.json names {len(labels.labels)}"
        )
    crops, faces = real_crops(path, size, data, detector=detector, seed=seed, progress=progress)
    loaded.compile(optimizer="sgd", jit_compile=False)
    logits = in_batches(lambda part: flat_outputs(loaded.predict_on_batch(part))[place], faces)
    described = msgspec.structs.replace(labels, image_size=size, sha256=None, files={})
    original = Original(loaded, described, faces, logits)
    if form.startswith("litert"):
        done = export_litert(
            loaded, out, crops=crops if form == "litert-int8" else None, faces=faces, keras_logits=logits,
            name=labels.name or path.stem, temperature=labels.temperature, margin=labels.margin,
            rejects_false_alarms=labels.rejects_false_alarms, labels=labels.labels,
        )  # fmt: skip
    else:
        done = _savedmodel(original, out) if form == "savedmodel" else _keras(original, out)
    write_card(done.path if form == "savedmodel" else out.parent, path.parent, form, done, len(faces))
    return done


def _check_call(form: str, out: Path) -> None:
    if form not in FORMATS:
        raise UsageError(f"there is no format {form!r}: choose one of {', '.join(FORMATS)}")
    suffix = SUFFIXES.get(form)
    if suffix is not None and out.suffix != suffix:
        raise UsageError(f"--out {out}: a model in the format {form} is a {suffix} file, and is known by that name")
    if form == "savedmodel" and out.exists() and not _replaceable(out):
        raise UsageError(f"--out {out} is there and is no SavedModel: name a folder that does not exist yet")


def _replaceable(out: Path) -> bool:
    return out.is_dir() and ((out / "saved_model.pb").is_file() or not any(out.iterdir()))


def _logits_at(model: Any, path: Path) -> int:
    names = output_names(model)
    if not {"logits", "cam"} <= set(names):
        raise InputError(
            f"{path} was not made by `maskwatch train`: it has no outputs `logits` and `cam`; a model from elsewhere can "
            "be used as it is, with --model and a labels.json"
        )
    return names.index("logits")


def _keras(original: Original, out: Path) -> Exported:
    """The plain model: no optimiser, no code of ours; `keras.models.load_model` opens it."""
    place = labels_place(out, original.labels)
    make_folder(out.parent)
    with replaced(out) as temporary:
        try:
            original.model.save(temporary)
        except OSError as error:
            raise storage_error(out, error) from error
        opened = load_keras(temporary)
        scores = _logits_at(opened, out)
        agreement = _same(original, lambda part: flat_outputs(opened(part, training=False))[scores])
    content = out.read_bytes()
    write_labels(place, original.labels, {out.name: hashlib.sha256(content).hexdigest()})
    return Exported(out, len(content), agreement)


def _savedmodel(original: Original, out: Path) -> Exported:
    """A folder that is written beside its place and renamed when it is whole and proven."""
    import tensorflow as tf

    out = Path(os.path.realpath(out))
    make_folder(out.parent)
    try:
        with tempfile.TemporaryDirectory(
            dir=out.parent, prefix=f".{out.name[:40]}-", ignore_cleanup_errors=True
        ) as made:
            folder = Path(made) / "model"
            original.model.export(str(folder), verbose=False)
            opened = tf.saved_model.load(str(folder))
            agreement = _same(original, lambda part: opened.serve(part)["logits"])
            written = [path for path in sorted(folder.rglob("*")) if path.is_file()]
            sums = {
                path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in written
            }
            write_labels(folder / "labels.json", original.labels, sums)
            size = sum(path.stat().st_size for path in written)
            _swap(folder, out, Path(made) / "before")
    except OSError as error:
        raise storage_error(out, error) from error
    return Exported(out, size, agreement)


def _swap(new: Path, out: Path, aside: Path) -> None:
    if out.exists():
        out.rename(aside)
    try:
        new.rename(out)
    except OSError:
        if aside.exists():
            aside.rename(out)
        raise


def _same(original: Original, call: Callable[[NDArray[np.float32]], Any]) -> float:
    logits = in_batches(call, original.faces)
    agreement = check_agreement(logits, original.logits)
    away = float(np.abs(logits - original.logits).max())
    if away > CLOSE * max(1.0, float(np.abs(original.logits).max())):
        raise ExportError(
            f"the written model's logits differ by up to {away:.3g} from the trained one's; nothing was written"
        )
    return agreement
