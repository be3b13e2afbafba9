"""`maskwatch train` and `maskwatch evaluate`: the front door of the `training` room."""

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from infra.commands.figures import show_data, show_evaluation
from infra.commands.options import Json
from infra.console import emit, say
from infra.models import detector_file
from infra.settings import load_settings
from storage.errors import StorageError, UsageError
from training.backbones import BACKBONES
from training.commands import (
    DETECTOR,
    EvaluateOptions,
    TrainOptions,
    TrainResult,
    run_distilled,
    run_evaluate,
    run_folds,
    run_train,
)
from training.progress import Terminal

DEFAULTS = TrainOptions((), Path())
FROM_SCRATCH = "none"
Data = Annotated[
    list[Path],
    typer.Argument(
        help="The data pack, or folders of labelled pictures: one subfolder per class, or annotation files.",
        show_default=False,
    ),
]
Limit = Annotated[
    int | None, typer.Option(help="At most this many pictures per split, source and class, for a first run.")
]
Sources = Annotated[str | None, typer.Option(metavar="A,B", help="Only pictures of these sources; by default of all.")]


def train(
    data: Data,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the model and everything about it.")],
    backbone: Annotated[str, typer.Option(help=f"Network: {', '.join(BACKBONES)}.")] = DEFAULTS.backbone,
    image_size: Annotated[int, typer.Option(help="Side of the network's input in pixels.")] = DEFAULTS.image_size,
    epochs: Annotated[
        int | None, typer.Option(help="Epochs of fine-tuning, after one of the head alone; 12, more for small data.")
    ] = None,
    batch_size: Annotated[int, typer.Option(help="Pictures a step.")] = DEFAULTS.batch_size,
    learning_rate: Annotated[
        float | None, typer.Option(help="Peak learning rate; by default 0.0004, or 0.002 from scratch.")
    ] = None,
    unfreeze: Annotated[
        int | None, typer.Option(help="Last parts of the backbone to fine-tune; by default its own number.")
    ] = None,
    limit: Limit = None,
    sources: Sources = None,
    share: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=W", help="Draw a source W times as often as otherwise; may be repeated."),
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option(metavar="FILE|none", help="Start weights; by default those of the pack, or Keras' own."),
    ] = None,
    optimizer: Annotated[str, typer.Option(help="adamw or adam.")] = DEFAULTS.optimizer,
    label_smoothing: Annotated[
        float, typer.Option(help="Share of each target that is spread over all classes.")
    ] = DEFAULTS.label_smoothing,
    patience: Annotated[
        int, typer.Option(help="Stop after this many epochs without a lower validation loss; 0 never.")
    ] = DEFAULTS.patience,
    precision: Annotated[
        str, typer.Option(help="float32, mixed (16-bit numbers where they do), or auto: mixed on a GPU.")
    ] = DEFAULTS.precision,
    folds: Annotated[
        int, typer.Option(help="Train K models, each measured on the fold it did not see; 0 trains one.")
    ] = 0,
    teacher: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Learn also from what an earlier --folds run says of the faces.")
    ] = None,
    distil: Annotated[
        int, typer.Option(help="First train K folds in OUT/folds, then learn from them too: better, and takes longer.")
    ] = 0,
    distil_share: Annotated[float, typer.Option(help="How much of a target is the teacher's.")] = DEFAULTS.distil_share,
    seed: Annotated[int, typer.Option(help="Of everything random.")] = DEFAULTS.seed,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the checkpoint in --out.")] = False,
    json: Json = False,
) -> None:
    """Train a classifier on labelled pictures and export it as LiteRT (needs `make setup-train`)."""
    scratch = weights == FROM_SCRATCH
    options = TrainOptions(
        tuple(data),
        out,
        backbone=backbone,
        image_size=image_size,
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        unfreeze=unfreeze,
        limit=limit,
        weights=None if weights is None or scratch else Path(weights),
        scratch=scratch,
        seed=seed,
        resume=resume,
        detector=_detector_file(),
        sources=_names(sources),
        shares=_shares(share or []),
        folds=folds,
        optimizer=optimizer,
        label_smoothing=label_smoothing,
        patience=patience,
        precision=precision,
        teacher=teacher,
        distil_share=distil_share,
        distil=distil,
    )
    run = run_distilled if distil else run_folds if folds else run_train
    with _interruptible(options):
        result = run(options, Terminal(), on_data=show_data)
    if json:
        emit(msgspec.json.encode(result, enc_hook=str).decode())
        return
    if isinstance(result, TrainResult):
        show_evaluation(result.validation)
        say(
            f"{result.model} ({result.bytes / 1e6:.1f} MB, {result.agreement:.1%} of its labels equal the float model's)"
        )
        for note in result.notes:
            say(note)
        say(f"try it: maskwatch image photo.jpg --model {result.model}")
        _next(out, result.model, data)
    else:
        show_evaluation(result.out_of_fold)
        say(f"{result.folds} models and what they say of the faces they did not see: {result.out}")
        _next(out, result.out, data)


def evaluate(
    model: Annotated[
        Path,
        typer.Argument(
            help="A model file with labels.json beside it, or the folder of a training.", show_default=False
        ),
    ],
    data: Data,
    split: Annotated[str, typer.Option(help="train, val, test or all.")] = "test",
    out: Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Folder for the report.")] = None,
    limit: Limit = None,
    sources: Sources = None,
    seed: Annotated[int, typer.Option(help="Of the split of folders that bring none.")] = DEFAULTS.seed,
    json: Json = False,
) -> None:
    """Measure a classifier on labelled pictures."""
    options = EvaluateOptions(
        model, tuple(data), split, out, detector=_detector_file(), seed=seed, limit=limit, sources=_names(sources)
    )
    found = run_evaluate(options, Terminal(), on_note=say)
    if json:
        emit(msgspec.json.encode(found, enc_hook=str).decode())
        return
    show_evaluation(found)
    say("--out DIR leaves the report, with pictures" if out is None else f"the report is {out / 'report.html'}")


def _next(out: Path, model: Path, data: list[Path]) -> None:
    """Name what was left, and what is to be done with it."""
    say(f"the report is {out / 'report.html'}")
    say(f"measure it: {shlex.join(['maskwatch', 'evaluate', str(model), *map(str, data)])}")


@contextmanager
def _interruptible(options: TrainOptions) -> Iterator[None]:
    """Where the work ends early, say what is kept and how to go on."""
    try:
        yield
    except KeyboardInterrupt:
        say(_kept(options))
        raise
    except StorageError:
        # What went wrong is told by the command line itself.
        if _checkpoints(options.out):
            say(_kept(options))
        raise


def _kept(options: TrainOptions) -> str:
    found = _checkpoints(options.out)
    if not found:
        if any(options.out.glob("crops-*.npz")) or any(options.out.glob("folds/crops-*.npz")):
            return f"no epoch is done yet; the faces that were cut out are kept in {options.out}"
        return "nothing was written yet"
    return f"every finished epoch is kept in {found[-1]}: the same command with --resume goes on from there"


def _checkpoints(out: Path) -> list[Path]:
    return sorted(
        [*out.glob("checkpoint.npz"), *out.glob("fold-*/checkpoint.npz")], key=lambda path: path.stat().st_mtime
    )


def _names(listed: str | None) -> tuple[str, ...] | None:
    if listed is None:
        return None
    names = tuple(name.strip() for name in listed.split(",") if name.strip())
    if not names:
        raise UsageError("--sources names no source: leave it out to take all of them")
    return names


def _shares(given: list[str]) -> dict[str, float]:
    shares = {}
    for each in given:
        name, _, share = each.rpartition("=")
        try:
            shares[name] = float(share)
        except ValueError:
            name = ""
        if not name:
            raise UsageError(f"--share takes a source and a number, such as --share town=2, not {each}")
    return shares


def _detector_file() -> Path | None:
    """The detector that set-up fetched; without it training looks for one in the data."""
    path = detector_file(load_settings(), DETECTOR)
    return path if path.is_file() else None
