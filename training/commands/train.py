"""`maskwatch train`: one network, its epoch and its temperature chosen on `val`."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from classify.classifier import LiteRtClassifier
from storage.files import check_folder
from training.backbones import backbone_of
from training.cache import Crops
from training.commands.material import check_classes, cut_parts, for_validation, prepared
from training.commands.one import plan_of, train_one
from training.commands.options import TrainOptions, check, start_weights
from training.commands.reporting import OnData, Told, as_table, leave_report
from training.data_report import DataReport
from training.evaluation import Evaluation, evaluate
from training.export.card import card_place, write_card
from training.kept_split import keys_of, write_split
from training.lesson import Lesson, Watch
from training.network import build, keras_module
from training.pictures import check_folders
from training.progress import Progress, RunClock, silent
from training.teacher import soft_targets
from training.tensorboard import Scalars


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
        data: the checks made on the pictures.
        notes: sentences about what could not be done and does not matter to the model.
    """

    model: Path
    bytes: int
    agreement: float
    temperature: float
    best_epoch: int
    seconds: float
    cleaned: int
    validation: Evaluation
    data: DataReport | None = None
    notes: tuple[str, ...] = ()


def run_train(options: TrainOptions, progress: Progress = silent, *, on_data: OnData | None = None) -> TrainResult:
    """Train, choose the epoch on `val`, calibrate, export and report.

    `options.out` receives `checkpoint.npz`, `model.keras`, the `.tflite` file with `labels.json`, `split.json` (which
    pictures it was trained on), `report.html` and `report.json` (what went in and came out), `tensorboard/`, and the
    cached crops.

    Args:
        options: what `maskwatch train` takes.
        progress: told as work goes on.
        on_data: called with the data report before training.

    Raises:
        UsageError: an option is out of range.
        InputError: the data, the checkpoint or a given file can't be used.
        SetupError: the training set, the detector or the start weights are missing.
        StorageError: `out` can't be written.
    """
    started = time.monotonic()
    policy = begin(options)
    pictures, data = prepared(options, progress)
    if on_data is not None:
        on_data(data)
    parts = {split: [picture for picture in pictures if picture.split == split] for split in ("train", "val")}
    cuts = cut_parts(parts, options, progress)
    train, val = cuts["train"].crops, for_validation(cuts["val"].crops)
    check_classes(training=train, validation=val)
    plan = plan_of(options, train, policy)
    lesson = Lesson(train, val, teacher_of(options, train, progress))
    with Scalars(options.out / "tensorboard") as scalars:
        trained = train_one(plan, lesson, options.out, Watch(progress, scalars, RunClock()))
    write_split(options.out, keys_of(pictures), [picture.split for picture in pictures])
    path = trained.exported.path
    classifier = LiteRtClassifier(path)
    measured = evaluate(classifier, cuts["val"], "val", file=path)
    notes = (scalars.missing,) if scalars.missing else ()
    result = TrainResult(
        path, trained.exported.bytes, trained.exported.agreement, trained.temperature,
        trained.fitted.best_epoch, round(time.monotonic() - started, 1), trained.fitted.cleaned, measured[0], data,
        notes,
    )  # fmt: skip
    facts = {
        "network": str(plan.network),
        "model file": path.name,
        "model card": card_place(path).name,
        "labels equal to the trained network's": result.agreement,
        "temperature": result.temperature,
        "chosen epoch": result.best_epoch,
        "false alarms that left the training": result.cleaned,
        "seconds": result.seconds,
        "training faces by source and origin": cuts["train"].crops.counts(),
    }
    told = Told(f"Training of {path.stem}", facts, data, as_table(options), trained.fitted.history)
    leave_report(options.out, measured, told, classifier=classifier, file=path)
    write_card(options.out, options.out, "litert-int8", trained.exported)
    return result


def begin(options: TrainOptions) -> str:
    """Check what can be checked before the long work, and make nothing yet; returns Keras' number format."""
    from training.devices import policy_of, use_gpu_gently

    check(options)
    check_folders(options.data)
    check_folder(options.out)
    keras_module()
    policy = policy_of(options.precision, gpu=use_gpu_gently())
    start = start_weights(options)
    if start is not None:
        # A missing download or a file of another network is told now, not after minutes of looking for faces.
        build(options.image_size, start, backbone=backbone_of(options.backbone).name)
    return policy


def teacher_of(options: TrainOptions, train: Crops, progress: Progress) -> Any:
    """The teacher's (N, 4) soft targets for the training crops, or None without a teacher."""
    if options.teacher is None:
        return None
    return soft_targets(options.teacher, train, progress)
