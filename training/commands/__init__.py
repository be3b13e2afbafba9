"""`maskwatch train` and `maskwatch evaluate`, as functions that the command line calls."""

from training.commands.distilled import run_distilled
from training.commands.evaluate import EvaluateOptions, run_evaluate
from training.commands.folds import FoldsResult, run_folds
from training.commands.options import TrainOptions
from training.commands.train import TrainResult, run_train
from training.looking import DETECTOR

__all__ = [
    "DETECTOR",
    "EvaluateOptions",
    "FoldsResult",
    "TrainOptions",
    "TrainResult",
    "run_distilled",
    "run_evaluate",
    "run_folds",
    "run_train",
]
