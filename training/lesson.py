"""What a training takes in and gives back: crops and a teacher's view of them, who is told, the history."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from training.cache import Crops
from training.checkpoint import Epoch
from training.progress import Progress, RunClock, silent
from training.tensorboard import Scalars


@dataclass(frozen=True, slots=True)
class Lesson:
    """What a network learns from.

    Attributes:
        train: crops to train on.
        val: crops with `exact` pictures that are watched, and chosen by where the options say so.
        soft: (N, 4) float32 probabilities of a teacher for each crop of `train`, in the order of `LABELS`, rows of NaN
            where it has none; None without a teacher.
    """

    train: Crops
    val: Crops
    soft: NDArray[np.float32] | None = None


@dataclass(frozen=True, slots=True)
class Watch:
    """Who is told how it goes: `progress` after every step, `scalars` now and then; `clock` guesses what is left."""

    progress: Progress = silent
    scalars: Scalars = field(default_factory=lambda: Scalars(None))
    clock: RunClock = field(default_factory=RunClock)


@dataclass(frozen=True, slots=True)
class Fitted:
    """The history, the epoch whose averaged weights the model now has, and how many false alarms left the training."""

    history: tuple[Epoch, ...]
    best_epoch: int
    cleaned: int
