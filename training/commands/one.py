"""One training from crops to a checked LiteRT file; `maskwatch train` does one, with `--folds K` it does K."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from storage.files import replaced
from training.cache import Crops
from training.calibration import fit_temperature, prior_shift
from training.checkpoint import FitOptions, Network
from training.commands.material import labels_of
from training.commands.options import TrainOptions, fit_options, start_weights
from training.export import Exported, convert_int8, export_litert, litert_outputs
from training.export.check import MANY_FACES, MIN_AGREEMENT
from training.export.labels import lend_labels
from training.fit import Trainer, predict
from training.labels import LABELS, NO_FACE
from training.lesson import Fitted, Lesson, Watch
from training.network import build, keras_module, logits_model, shift_logits

FILE_NAME = "maskwatch-{}-{}.tflite"


@dataclass(frozen=True, slots=True)
class Plan:
    """What is the same for all trainings of a run.

    Attributes:
        network: to train.
        start: as `training.commands.options.start_weights` gives it.
        fit: how.
        resume: go on from checkpoints.
        quick: a run on a few pictures (`--limit`): its network is unsure of most faces, so that rounding to 8 bits
            tips many over, and only those that it is sure of tell whether the export is right.
        min_agreement: share of faces that must get the trained network's label from the exported file.
    """

    network: Network
    start: Path | str | None
    fit: FitOptions
    resume: bool
    quick: bool = False
    min_agreement: float = MIN_AGREEMENT


@dataclass(frozen=True, slots=True)
class Trained:
    """What one training left: the exported file, how training went, and the temperature in `labels.json`."""

    exported: Exported
    fitted: Fitted
    temperature: float


def plan_of(options: TrainOptions, crops: Crops, policy: str) -> Plan:
    """The plan of a run on these crops: its network has an output for each label that some crop has."""
    start = start_weights(options)
    network = Network(options.backbone, options.image_size, labels_of(crops), policy)
    return Plan(network, start, fit_options(options, start, len(crops)), options.resume, options.limit is not None)


def train_one(plan: Plan, lesson: Lesson, out: Path, watch: Watch, *, calibrate: bool = True) -> Trained:
    """Train, export to `out` and check the export.

    `out` receives `checkpoint.npz`, `model.keras`, the `.tflite` file and `labels.json`.

    Args:
        plan: how.
        lesson: on what.
        out: folder.
        watch: told how it goes.
        calibrate: fit the temperature on what the 8-bit file says of `lesson.val`; otherwise it is 1.

    Raises:
        InputError: the checkpoint or the start weights are of something else.
        SetupError: start weights or TensorFlow are missing.
        StorageError: `out` can't be written.
        ExportError: the converted model is not the one that was trained.
    """
    network, train, val = plan.network, lesson.train, lesson.val
    keras_module().utils.set_random_seed(plan.fit.seed)
    model = _build(network, plan.start, network.policy)
    trainer = Trainer(model, network, lesson, plan.fit, out / "checkpoint.npz", watch)
    fitted = trainer.fit(resume=plan.resume)
    # False alarms are as common as the detector makes them; only what people wear has a share to go back to.
    counts = np.bincount(train.labels, minlength=len(LABELS)).astype(np.float64)[:NO_FACE]
    shift = np.append(prior_shift(counts, trainer.drawn_shares[:NO_FACE]), 0.0)
    shift_logits(model, shift[[LABELS.index(label) for label in network.labels]])
    if network.policy != "float32":
        # What is kept and exported calculates in 32 bits everywhere.
        whole = _build(network, None, "float32")
        whole.set_weights(model.get_weights())
        model = whole
    with replaced(out / "model.keras") as temporary:
        model.save(temporary)
    known = val.chosen(np.isin(val.labels, [LABELS.index(label) for label in network.labels]))
    ranges = _plain(train, network.image_size, plan.fit.seed)
    converted = convert_int8(model, ranges)
    # Of the file that is used, not of the network: rounding to 8 bits changes how sure it is.
    temperature = _temperature(converted, known, network.labels) if calibrate else 1.0
    faces = np.flatnonzero(known.labels != NO_FACE)
    if plan.quick:
        # Of fewer than that the export counts only those that the network is sure of.
        faces = faces[:: -(-len(faces) // (MANY_FACES - 1)) or 1]
    name = FILE_NAME.format(network.backbone, network.image_size)
    exported = export_litert(
        model, out / name, crops=ranges, faces=known.exact[faces],
        keras_logits=predict(logits_model(model), known.exact[faces]), name=Path(name).stem, temperature=temperature,
        labels=network.labels, rejects_false_alarms=LABELS[NO_FACE] in network.labels, converted=converted,
        min_agreement=plan.min_agreement,
    )  # fmt: skip
    lend_labels(exported.path, out / "model.keras")
    return Trained(exported, fitted, temperature)


def _temperature(converted: bytes, val: Crops, labels: tuple[str, ...]) -> float:
    """The temperature of a converted file with outputs for `labels`, fitted on faces of these labels."""
    chosen = val.chosen(hard(val))
    columns = {LABELS.index(label): place for place, label in enumerate(labels)}
    places = np.array([columns[label] for label in chosen.labels.tolist()], np.int64)
    return fit_temperature(litert_outputs(converted, chosen.exact)[0], places)


def _build(network: Network, start: Path | str | None, policy: str) -> Any:
    return build(network.image_size, start, backbone=network.backbone, labels=network.labels, policy=policy)


def hard(val: Crops) -> NDArray[np.bool_]:
    """(N,) which faces a temperature is fitted on: scenes where there are any, for confidence that is fitted on easy portraits is overconfidence elsewhere."""
    scenes = ~np.isin(val.origins, ("portrait", "whole_picture"))
    enough = all((scenes & (val.labels == label)).sum() >= 10 for label in (0, 1))
    return scenes if enough else np.ones(len(val), np.bool_)


def _plain(train: Crops, image_size: int, seed: int) -> NDArray[np.uint8]:
    """Training crops as the running system would see them, a few hundred by chance."""
    from training.augment import centred
    from training.export import CALIBRATION_CROPS

    places = np.random.default_rng(seed).permutation(len(train))[:CALIBRATION_CROPS]
    return np.stack([centred(train.context[place], size=image_size) for place in places])
