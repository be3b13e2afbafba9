"""What `maskwatch train` takes, checked before any work."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from classify.crops import IMAGE_SIZE
from storage.errors import SetupError, UsageError
from training.backbones import backbone_of
from training.checkpoint import OPTIMIZERS, FitOptions
from training.devices import PRECISIONS
from training.fold_notes import is_finished
from training.seeds import check_seed

FINE_TUNING_RATE: Final = 4e-4
SCRATCH_RATE: Final = 2e-3
MAX_FOLDS: Final = 20
EPOCHS: Final = 12
MIN_STEPS: Final = 300
SCRATCH_MIN_STEPS: Final = 800
"""Small data gets more epochs unless told otherwise: with 200 pictures twelve of them are 60 steps, which teach little."""


@dataclass(frozen=True, slots=True)
class TrainOptions:
    """What `maskwatch train` takes.

    Attributes:
        data: packs, or folders of any layout that `training.pictures` reads.
        out: folder for everything that comes out.
        backbone: one of `training.backbones.BACKBONES`.
        image_size: side of the network's input, 64-224 pixels.
        epochs: of fine-tuning, 1 or more; one epoch of the head alone comes first, unless the start is by chance. By
            default `EPOCHS`, or as many as make `MIN_STEPS` (by chance `SCRATCH_MIN_STEPS`) steps.
        batch_size: pictures a step, 2 or more.
        learning_rate: peak; by default `FINE_TUNING_RATE`, or `SCRATCH_RATE` where the start is by chance.
        unfreeze: how many of the backbone's last parts are fine-tuned; by default the backbone's own number, or all
            where the start is by chance.
        limit: at most this many pictures per split, source and class, for a quick first run.
        seed: of everything random.
        resume: go on from the checkpoint in `out`.
        weights: start weights of the backbone, or the `model.keras` of an earlier training to go on from; by default
            the ImageNet weights in a pack's `models` folder, else Keras' download.
        scratch: start by chance instead.
        detector: the face detector's model file; by default the one in a pack's `models` folder.
        sources: only pictures of these sources; all by default.
        shares: how much more (or less) often than otherwise each of these sources is drawn.
        folds: train this many models, each measured on the fold it did not see; 0 trains one.
        optimizer: one of `OPTIMIZERS`.
        label_smoothing: share of each target that is spread over all classes.
        patience: epochs without a lower validation loss after which training ends; 0 never.
        precision: one of `PRECISIONS`.
        teacher: folder of an earlier `folds` training whose out-of-fold probabilities are learnt from.
        distil_share: how much of a target is the teacher's, where it has seen the face.
        distil: first train this many folds in `out/folds`, and take them as the teacher; 0 does without.
    """

    data: tuple[Path, ...]
    out: Path
    backbone: str = "mobilenetv2"
    image_size: int = IMAGE_SIZE
    epochs: int | None = None
    batch_size: int = 32
    learning_rate: float | None = None
    unfreeze: int | None = None
    limit: int | None = None
    seed: int = 0
    resume: bool = False
    weights: Path | None = None
    scratch: bool = False
    detector: Path | None = None
    sources: tuple[str, ...] | None = None
    shares: dict[str, float] = field(default_factory=dict)
    folds: int = 0
    optimizer: str = "adamw"
    label_smoothing: float = 0.05
    patience: int = 0
    precision: str = "auto"
    teacher: Path | None = None
    distil_share: float = 0.5
    distil: int = 0


def check(options: TrainOptions) -> None:
    """Refuse what can't work, before anything is read or written.

    Raises:
        UsageError: an option is out of range, or two exclude each other.
        SetupError: a file that is named is missing.
    """
    parts = len(backbone_of(options.backbone).stages)
    limits: tuple[tuple[str, float | None, float, float], ...] = (
        ("--image-size", options.image_size, 64, 224),
        ("--epochs", options.epochs, 1, 1000),
        ("--batch-size", options.batch_size, 2, 1024),
        ("--learning-rate", options.learning_rate, 1e-7, 0.1),
        ("--unfreeze", options.unfreeze, 0, parts),
        ("--limit", options.limit, 1, 10**9),
        ("--label-smoothing", options.label_smoothing, 0, 0.5),
        ("--patience", options.patience, 0, 1000),
        ("--distil-share", options.distil_share, 0, 1),
        *((f"--share {name}", share, 0.001, 1000) for name, share in options.shares.items()),
    )
    for name, value, low, high in limits:
        if value is not None and not low <= value <= high:
            raise UsageError(f"{name} must be from {low:g} to {high:g}, not {value:g}")
    check_seed(options.seed)
    check_out(options.data, options.out)
    _check_folds(options)
    for name, chosen, known in (
        ("--optimizer", options.optimizer, OPTIMIZERS),
        ("--precision", options.precision, PRECISIONS),
    ):
        if chosen not in known:
            raise UsageError(f"{name} must be one of {', '.join(known)}, not {chosen}")
    if options.weights is not None and not options.weights.is_file():
        raise SetupError(f"there are no start weights at {options.weights}: name an existing file, or leave it out")
    if options.teacher is not None and not is_finished(options.teacher):
        raise SetupError(
            f"`maskwatch train ... --folds K` has not finished in {options.teacher}, which lacks folds.json or oof.npz: "
            "repeat it with --resume, or name another folder"
        )


def check_out(data: Sequence[Path], out: Path) -> None:
    """Refuse to write among the pictures.

    Raises:
        UsageError: `out` is one of the `data` folders.
    """
    if out.absolute().resolve() in {folder.absolute().resolve() for folder in data}:
        raise UsageError(f"--out {out} is the folder of the pictures: choose a folder outside the pictures")


def _check_folds(options: TrainOptions) -> None:
    if options.folds and not 2 <= options.folds <= MAX_FOLDS:
        raise UsageError(f"--folds must be from 2 to {MAX_FOLDS}, not {options.folds}")
    if options.distil and not 2 <= options.distil <= MAX_FOLDS:
        raise UsageError(f"--distil must be from 2 to {MAX_FOLDS}, not {options.distil}")
    if options.distil and (options.folds or options.teacher is not None):
        raise UsageError("--distil trains its own folds and learns from them: leave --folds and --teacher out")
    if options.folds and options.patience:
        raise UsageError("--patience would choose by the very faces that --folds measures on: leave one of them out")


def start_weights(options: TrainOptions) -> Path | str | None:
    """Where the training starts, as `training.network.build` takes it; None for a start by chance."""
    backbone = backbone_of(options.backbone)
    if options.scratch or (options.weights is None and backbone.weights_file is None):
        return None
    if options.weights is not None:
        return options.weights
    found = [folder / "models" / str(backbone.weights_file) for folder in options.data]
    return next((path for path in found if path.is_file()), "imagenet")


def fit_options(options: TrainOptions, start: Path | str | None, crops: int) -> FitOptions:
    """The training loop's part of the options, for a training on so many crops."""
    backbone, chance = backbone_of(options.backbone), start is None
    # What small-cnn leaves has batch normalisation of its own, which goes on being trained; its head is no new one.
    chance = chance or backbone.weights_file is None
    unfreeze = len(backbone.stages) if chance else backbone.unfreeze
    steps = max(1, crops // options.batch_size)
    enough = -(-(SCRATCH_MIN_STEPS if start is None else MIN_STEPS) // steps)
    return FitOptions(
        max(EPOCHS, enough) if options.epochs is None else options.epochs,
        options.batch_size,
        options.learning_rate or (SCRATCH_RATE if start is None else FINE_TUNING_RATE),
        unfreeze=unfreeze if options.unfreeze is None else options.unfreeze,
        seed=options.seed,
        optimizer=options.optimizer,
        label_smoothing=options.label_smoothing,
        patience=options.patience,
        select=not options.folds,
        from_scratch=chance,
        distil_share=options.distil_share if options.teacher is not None else 0.0,
        shares=options.shares,
    )
