"""`maskwatch export`: a trained model in the form that somebody needs."""

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from classify.labels_file import labels_path
from infra.commands.options import Json
from infra.console import emit, say
from infra.models import detector_file
from infra.settings import load_settings


def export(
    model: Annotated[
        Path, typer.Argument(help="The model.keras of a training, or the training's folder.", show_default=False)
    ],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="File to write; for savedmodel a folder.")],
    form: Annotated[
        str, typer.Option("--format", help="keras, savedmodel, litert (float) or litert-int8.")
    ] = "litert-int8",
    data: Annotated[
        list[Path] | None,
        typer.Option(
            "--data",
            metavar="DATA",
            help="Labelled pictures to calibrate and check on; by default what the training kept. Can be given often.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the choice among the pictures.")] = 0,
    json: Json = False,
) -> None:
    """Write a trained model as .keras, SavedModel or LiteRT, proven equal on real faces first (needs `make setup-train`)."""
    from training.export.card import card_place
    from training.export.formats import run_export
    from training.looking import DETECTOR
    from training.progress import Terminal

    detector = detector_file(load_settings(), DETECTOR)
    done = run_export(
        model, form, out, data=tuple(data or ()), detector=detector if detector.is_file() else None, seed=seed,
        progress=Terminal(),
    )  # fmt: skip
    if json:
        emit(msgspec.json.encode(done, enc_hook=str).decode())
        return
    say(f"{done.path} ({done.bytes / 1e6:.2f} MB, {done.agreement:.1%} of its labels equal the trained model's)")
    if form == "savedmodel":
        say("labels.json and MODEL.md are in it")
    else:
        say(f"{labels_path(done.path).name} and {card_place(done.path).name} are beside it")
