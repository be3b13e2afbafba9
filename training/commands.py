"""`maskwatch train` and `maskwatch evaluate`, as functions that the command line calls."""

import time
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from classify.classifier import LiteRtClassifier
from classify.crops import IMAGE_SIZE
from storage.errors import InputError, SetupError, UsageError
from storage.files import make_folder, replaced, write_bytes
from training.cache import Crops, Cut, cut_crops
from training.detection import measure_detection
from training.evaluation import MIN_FACE_PX, Evaluation, evaluate
from training.labels import LABELS, NO_FACE
from training.looking import DETECTOR, kept_cut, open_looker, running_looker
from training.network import BACKBONES, BLOCKS, WEIGHTS_FILE
from training.pictures import SPLITS, read_data
from training.progress import Progress, silent

__all__ = ["DETECTOR", "TrainOptions", "TrainResult", "run_evaluate", "run_train"]


@dataclass(frozen=True, slots=True)
class TrainOptions:
    """What `maskwatch train` takes.

    Attributes:
        data: packs, or folders with one subfolder per class.
        out: folder for everything that comes out.
        backbone: one of `BACKBONES`.
        image_size: side of the network's input, 64-224 pixels.
        epochs: of fine-tuning, 1 or more; one epoch of the head alone comes first.
        batch_size: pictures a step, 2 or more.
        learning_rate: peak of the fine-tuning.
        unfreeze: how many of the backbone's last blocks are fine-tuned, 0-17.
        limit: at most this many pictures per split, source and class, for a quick first run.
        seed: of everything random.
        resume: go on from the checkpoint in `out`.
        weights: start weights of the backbone, or the `model.keras` of an earlier training to go on from; by default
            the ImageNet weights in a pack's `models` folder, else Keras' download.
        detector: the face detector's model file; by default the one in a pack's `models` folder.
    """

    data: tuple[Path, ...]
    out: Path
    backbone: str = "mobilenetv2"
    image_size: int = IMAGE_SIZE
    epochs: int = 12
    batch_size: int = 32
    learning_rate: float = 4e-4
    unfreeze: int = 14
    limit: int | None = None
    seed: int = 0
    resume: bool = False
    weights: Path | None = None
    detector: Path | None = None


@dataclass(frozen=True, slots=True)
class TrainResult:
    """What came out.

    Attributes:
        model: the LiteRT file; `labels.json` beside it.
        bytes: its size.
        agreement: share of validation faces on which it gives the trained network's label.
        temperature: in `labels.json`.
        best_epoch: whose weights were taken.
        seconds: all of it took.
        cleaned: false alarms that left the training because they were faces.
        validation: the LiteRT file's figures on `val`.
    """

    model: Path
    bytes: int
    agreement: float
    temperature: float
    best_epoch: int
    seconds: float
    cleaned: int
    validation: Evaluation


def run_train(options: TrainOptions, progress: Progress = silent) -> TrainResult:
    """Train, choose the epoch on `val`, calibrate, export and report.

    `options.out` receives `checkpoint.npz`, `model.keras`, the `.tflite` file with `labels.json`, `report.json` (what
    went in and came out), `figures.json` (the figures on `val`), `curves.png`, `confusion.png`, `errors.png`, and the
    cached crops.

    Raises:
        UsageError: an option is out of range.
        InputError: the data, the checkpoint or a given file can't be used.
        SetupError: the training set, the detector or the start weights are missing.
        StorageError: `out` can't be written.
    """
    _check(options)
    started = time.monotonic()
    pictures = read_data(options.data, seed=options.seed, limit=options.limit)
    make_folder(options.out)
    from training.network import keras_module

    keras_module()
    cuts: dict[str, Cut] = {}
    looker = open_looker(options.data, options.detector)
    try:
        for split in ("train", "val"):
            chosen = [picture for picture in pictures if picture.split == split]
            cuts[split] = kept_cut(options.out, split, chosen, looker, options.image_size, progress)
    finally:
        looker.close()
    train = cuts["train"].crops
    val = _for_validation(cuts["val"].crops)
    _check_classes(train, val)
    return _train(options, cuts, train, val, progress, started)


def run_evaluate(  # noqa: PLR0913 - the options of a command
    model: Path,
    data: tuple[Path, ...],
    split: str = "test",
    out: Path | None = None,
    *,
    detector: Path | None = None,
    seed: int = 0,
    limit: int | None = None,
    progress: Progress = silent,
) -> Evaluation:
    """Measure a LiteRT model on labelled data; needs no TensorFlow.

    Args:
        model: a `.tflite` file with its `labels.json`.
        data: packs, or folders with one subfolder per class.
        split: `train`, `val`, `test` or `all`.
        out: folder for `figures.json`, `confusion.png` and `errors.png`, if wanted.
        detector: as in `TrainOptions`.
        seed: of the split of folders that bring none.
        limit: as in `TrainOptions`.
        progress: told after every picture.

    Raises:
        UsageError: there is no such split.
        InputError: the data or the model can't be used.
        SetupError: the model or the detector is missing.
        StorageError: `out` can't be written.
    """
    if split not in (*SPLITS, "all"):
        raise UsageError(f"there is no split {split!r}: choose one of {', '.join(SPLITS)} or all")
    classifier = LiteRtClassifier(model)
    pictures = [picture for picture in read_data(data, seed=seed, limit=limit) if split in (picture.split, "all")]
    if not pictures:
        raise InputError(f"no picture is in the split {split}: choose another, or all")
    with closing(open_looker(data, detector)) as looker:
        cut = cut_crops(pictures, looker, exact=True, image_size=classifier.image_size,
                        progress=progress, stage=f"faces of {split}")  # fmt: skip
    found, crops, probabilities = evaluate(classifier, cut, split)
    if any(picture.portrait is None for picture in pictures):
        with closing(running_looker(data, detector)) as looker:
            found = replace(found, detection=measure_detection(pictures, looker, classifier, progress))
    if out is not None:
        from training.plots import draw_evaluation

        write_bytes(out / "figures.json", _json(found))
        draw_evaluation(out, found, crops, probabilities)
    return found


def _check(options: TrainOptions) -> None:
    if options.backbone not in BACKBONES:
        raise UsageError(f"no backbone is called {options.backbone!r}: choose one of {', '.join(BACKBONES)}")
    limits: tuple[tuple[str, float, float, float], ...] = (
        ("--image-size", options.image_size, 64, 224),
        ("--epochs", options.epochs, 1, 1000),
        ("--batch-size", options.batch_size, 2, 1024),
        ("--learning-rate", options.learning_rate, 1e-7, 0.1),
        ("--unfreeze", options.unfreeze, 0, BLOCKS),
        ("--limit", options.limit if options.limit is not None else 1, 1, 10**9),
    )
    for name, value, low, high in limits:
        if not low <= value <= high:
            raise UsageError(f"{name} must be from {low:g} to {high:g}, not {value:g}")


def _check_classes(train: Crops, val: Crops) -> None:
    for name, crops in (("training", train), ("validation", val)):
        if missing := [LABELS[label] for label in (0, 1) if not (crops.labels == label).any()]:
            raise InputError(
                f"the {name} part has no usable face of class {' nor '.join(missing)}: add pictures of it "
                f"(about ten a class at least)"
            )


def _for_validation(crops: Crops) -> Crops:
    """Faces the running system would judge; where none is that large, all of them."""
    large = crops.widths >= MIN_FACE_PX
    return crops.chosen(large) if large.any() else crops


def _weights_file(options: TrainOptions) -> Path | None:
    if options.weights is not None:
        if not options.weights.is_file():
            raise SetupError(f"there are no start weights at {options.weights}: name an existing file, or leave it out")
        return options.weights
    found = [folder / "models" / WEIGHTS_FILE for folder in options.data]
    return next((path for path in found if path.is_file()), None)


def _train(
    options: TrainOptions, cuts: dict[str, Cut], train: Crops, val: Crops, progress: Progress, started: float
) -> TrainResult:
    from training.calibration import fit_temperature, prior_shift
    from training.checkpoint import FitOptions
    from training.export import export_litert
    from training.fit import Trainer, predict
    from training.network import build, logits_model, shift_logits
    from training.plots import draw_evaluation, plot_curves

    model = build(options.image_size, _weights_file(options), backbone=options.backbone)
    fit_options = FitOptions(options.epochs, options.batch_size, options.learning_rate,
                             unfreeze=options.unfreeze, seed=options.seed)  # fmt: skip
    trainer = Trainer(model, train, val, fit_options, options.out / "checkpoint.npz", progress)
    fitted = trainer.fit(resume=options.resume)
    # False alarms are as common as the detector makes them; only what people wear has a share to go back to.
    counts = np.bincount(train.labels, minlength=len(LABELS)).astype(np.float64)[:NO_FACE]
    shift_logits(model, np.append(prior_shift(counts, trainer.drawn_shares[:NO_FACE]), 0.0))
    with replaced(options.out / "model.keras") as temporary:
        model.save(temporary)
    logits = predict(logits_model(model), val.exact)
    chosen = _hard(val)
    temperature = fit_temperature(logits[chosen], val.labels[chosen])
    faces = val.labels != NO_FACE
    exported = export_litert(
        model, options.out / f"maskwatch-{options.backbone}-{options.image_size}.tflite",
        crops=_plain(train, options.image_size, options.seed), faces=val.exact[faces], keras_logits=logits[faces],
        name=f"maskwatch-{options.backbone}-{options.image_size}", temperature=temperature,
        rejects_false_alarms=bool((train.labels == NO_FACE).any()),
    )  # fmt: skip
    found, crops, probabilities = evaluate(LiteRtClassifier(exported.path), cuts["val"], "val")
    result = TrainResult(exported.path, exported.bytes, exported.agreement, temperature, fitted.best_epoch,
                         round(time.monotonic() - started, 1), fitted.cleaned, found)  # fmt: skip
    plot_curves(options.out / "curves.png", fitted.history)
    draw_evaluation(options.out, found, crops, probabilities)
    write_bytes(options.out / "figures.json", _json(found))
    went_in = {split: {"counts": cut.crops.counts(), "unreadable": cut.unreadable} for split, cut in cuts.items()}
    whole = {"options": options, "data": went_in, "history": fitted.history, "result": result}
    write_bytes(options.out / "report.json", _json(whole))
    return result


def _hard(val: Crops) -> NDArray[np.bool_]:
    """Scenes where there are any: confidence that is fitted on easy portraits is overconfidence elsewhere."""
    scenes = ~np.isin(val.origins, ("portrait", "whole_picture"))
    enough = all((scenes & (val.labels == label)).sum() >= 10 for label in (0, 1))
    return scenes if enough else np.ones(len(val), np.bool_)


def _plain(train: Crops, image_size: int, seed: int) -> NDArray[np.uint8]:
    """Training crops as the running system would see them, a few hundred by chance."""
    from training.augment import centred
    from training.export import CALIBRATION_CROPS

    places = np.random.default_rng(seed).permutation(len(train))[:CALIBRATION_CROPS]
    return np.stack([centred(train.context[place], size=image_size) for place in places])


def _json(value: Any) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value, enc_hook=str), indent=2) + b"\n"
