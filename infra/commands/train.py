"""`maskwatch train` and `maskwatch evaluate`: the front door of the `training` room."""

from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.table import Table

from detect.models import detector_model
from infra.commands.options import Json
from infra.console import emit, results, say
from infra.settings import load_settings
from training.commands import DETECTOR, TrainOptions, run_evaluate, run_train
from training.evaluation import Evaluation
from training.figures import Figure, Figures
from training.progress import Terminal

DEFAULTS = TrainOptions((), Path())
Data = Annotated[
    list[Path],
    typer.Argument(help="The data pack, or folders with one subfolder of pictures per class.", show_default=False),
]


def train(
    data: Data,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the model and everything about it.")],
    backbone: Annotated[str, typer.Option(help="Network to start from.")] = DEFAULTS.backbone,
    image_size: Annotated[int, typer.Option(help="Side of the network's input in pixels.")] = DEFAULTS.image_size,
    epochs: Annotated[int, typer.Option(help="Epochs of fine-tuning, after one of the head alone.")] = DEFAULTS.epochs,
    batch_size: Annotated[int, typer.Option(help="Pictures a step.")] = DEFAULTS.batch_size,
    learning_rate: Annotated[float, typer.Option(help="Peak learning rate.")] = DEFAULTS.learning_rate,
    unfreeze: Annotated[int, typer.Option(help="Last blocks of the backbone to fine-tune.")] = DEFAULTS.unfreeze,
    limit: Annotated[
        int | None, typer.Option(help="At most this many pictures per split, source and class, for a first run.")
    ] = None,
    weights: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Start weights; by default those of the pack, or Keras' own.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of everything random.")] = DEFAULTS.seed,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the checkpoint in --out.")] = False,
    json: Json = False,
) -> None:
    """Train a classifier on labelled pictures and export it as LiteRT (needs `make setup-train`)."""
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
        weights=weights,
        seed=seed,
        resume=resume,
        detector=_detector_file(),
    )
    result = run_train(options, Terminal())
    if json:
        emit(msgspec.json.encode(result, enc_hook=str).decode())
        return
    show_evaluation(result.validation)
    say(f"{result.model} ({result.bytes / 1e6:.1f} MB, {result.agreement:.1%} of its labels equal the float model's)")
    say(f"try it: maskwatch image photo.jpg --model {result.model}")


def evaluate(
    model: Annotated[Path, typer.Argument(help="A LiteRT model with labels.json beside it.", show_default=False)],
    data: Data,
    split: Annotated[str, typer.Option(help="train, val, test or all.")] = "test",
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Folder for figures.json and pictures.")
    ] = None,
    json: Json = False,
) -> None:
    """Measure a classifier on labelled pictures."""
    found = run_evaluate(model, tuple(data), split, out, detector=_detector_file(), progress=Terminal())
    if json:
        emit(msgspec.json.encode(found, enc_hook=str).decode())
        return
    show_evaluation(found)


def show_evaluation(found: Evaluation) -> None:
    """Print figures for people, each with its 95 % interval and the number of faces it rests on."""
    results.print(f"{found.model} on {found.split}: faces of {found.min_face_px:g} px and more", markup=False)
    table = Table("faces", "number", "accuracy", "balanced", "mask or not", "calibration error")
    for name, figures in _rows(found):
        error = "" if figures.calibration_error is None else f"{figures.calibration_error:.3f}"
        row = [_text(each) for each in (figures.accuracy, figures.balanced_accuracy, figures.two_class_accuracy)]
        table.add_row(name, str(figures.faces), *row, error)
    results.print(table)
    classes = Table("label", "precision", "recall", "F1")
    for label, figure in found.report.overall.classes.items():
        classes.add_row(label, _text(figure.precision), _text(figure.recall), _text(figure.f1))
    results.print(classes)
    if found.detection:
        bands = Table("face width", "recall", "precision")
        for band in found.detection:
            bands.add_row(band.width, _text(band.recall), _text(band.precision))
        results.print(bands)
    alarms = found.report.false_alarms
    results.print(
        f"false alarms rejected: {_text(alarms.rejected)}; true faces lost: {_text(alarms.faces_lost)}", markup=False
    )
    results.print(
        f"{found.ms_per_face_1:.2f} ms a face alone, {found.ms_per_face_32:.2f} ms in a batch of 32", markup=False
    )


def _rows(found: Evaluation) -> list[tuple[str, Figures]]:
    report = found.report
    parts = {**report.by_width, **report.by_source, **report.groups}
    return [("all", report.overall), *((name, figures) for name, figures in parts.items() if figures.faces)]


def _text(figure: Figure) -> str:
    if figure.value is None or figure.low is None or figure.high is None:
        return "-"
    return f"{figure.value:.3f} ({figure.low:.3f}-{figure.high:.3f})"


def _detector_file() -> Path | None:
    """The detector that set-up fetched; without it training looks for one in the data."""
    settings = load_settings()
    path = settings.detector_model or settings.models_dir / detector_model(DETECTOR).file_name
    return path if path.is_file() else None
