"""`maskwatch train --distil K`: K networks judge the faces that they did not see, then one learns from labels and judgements."""

from dataclasses import replace
from typing import Final

from training.commands.folds import run_folds
from training.commands.options import TrainOptions, check
from training.commands.reporting import OnData
from training.commands.train import TrainResult, run_train
from training.progress import Progress, silent

FOLDER: Final = "folds"
EPOCH_SHARE: Final = 2 / 3
"""A judge trains shorter than the network that is kept: K of them have to be paid for."""


def run_distilled(options: TrainOptions, progress: Progress = silent, *, on_data: OnData | None = None) -> TrainResult:
    """Run `--folds` in `options.out/folds`, then `--teacher` on it; each goes on where it stopped with `options.resume`.

    Args, errors: as `training.commands.train.run_train`.
    """
    check(options)
    epochs = None if options.epochs is None else max(1, round(options.epochs * EPOCH_SHARE))
    judges = replace(
        options, out=options.out / FOLDER, folds=options.distil, distil=0, teacher=None, patience=0, epochs=epochs
    )
    run_folds(judges, progress, on_data=on_data)
    return run_train(replace(options, distil=0, teacher=judges.out), progress)
