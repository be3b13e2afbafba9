"""What a training run needs to go on as if nothing had happened, in one file that is whole or not there."""

import json
import zipfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from storage.errors import InputError
from storage.files import replaced

_GROUPS: Final = ("weights", "optimizer", "average", "best")


@dataclass(frozen=True, slots=True)
class FitOptions:
    """How to train.

    Attributes:
        epochs: fine-tuning epochs; one epoch of the head alone comes before them.
        batch_size: pictures a step.
        learning_rate: peak of the fine-tuning.
        weight_decay: of AdamW.
        unfreeze: how many of the backbone's last blocks are fine-tuned, 0-17.
        seed: of everything random.
    """

    epochs: int = 12
    batch_size: int = 32
    learning_rate: float = 4e-4
    weight_decay: float = 1e-3
    unfreeze: int = 14
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Epoch:
    """What one epoch gave: mean training loss, and on `val` the class-balanced log loss and balanced accuracy."""

    epoch: int
    steps: int
    seconds: float
    train_loss: float
    val_loss: float
    val_balanced_accuracy: float


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """The state after an epoch.

    Attributes:
        options: of the run.
        history: the epochs done.
        best_loss: lowest validation loss so far.
        updates: training steps so far.
        kept: (N,) which training crops are still in use.
        weights: of the network.
        optimizer: its variables.
        average: moving average of the weights.
        best: the average that had `best_loss`; empty before fine-tuning.
    """

    options: FitOptions
    history: tuple[Epoch, ...]
    best_loss: float
    updates: int
    kept: NDArray[np.bool_]
    weights: list[NDArray[Any]]
    optimizer: list[NDArray[Any]]
    average: list[NDArray[np.float32]]
    best: list[NDArray[np.float32]]


def write_checkpoint(path: Path, state: Checkpoint) -> None:
    """Replace `path` with a state.

    Raises:
        StorageError: it can't be written.
    """
    note = {
        "options": asdict(state.options),
        "history": [asdict(epoch) for epoch in state.history],
        "best_loss": state.best_loss,
        "updates": state.updates,
    }
    parts: dict[str, NDArray[Any]] = {"note": np.array(json.dumps(note)), "kept": state.kept}
    for name in _GROUPS:
        parts |= {f"{name}_{place:04}": value for place, value in enumerate(getattr(state, name))}
    with replaced(path) as temporary, temporary.open("wb") as stream:
        np.savez(stream, allow_pickle=False, **parts)


def read_checkpoint(path: Path, options: FitOptions, crops: int, shapes: list[tuple[int, ...]]) -> Checkpoint | None:
    """Read a state to go on from; None where there is none.

    Args:
        path: the file.
        options: of this run.
        crops: number of training crops.
        shapes: of the network's weights.

    Raises:
        InputError: it is damaged, or belongs to other options, other data or another network.
    """
    if not path.is_file():
        return None
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
            note = json.loads(str(stored["note"]))
            groups = {
                name: [stored[key] for key in sorted(stored.files) if key.startswith(f"{name}_")] for name in _GROUPS
            }
            state = Checkpoint(
                FitOptions(**note["options"]),
                tuple(Epoch(**epoch) for epoch in note["history"]),
                float(note["best_loss"]),
                int(note["updates"]),
                stored["kept"],
                **groups,
            )
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise InputError(f"the checkpoint {path} is damaged ({error}): train without --resume") from error
    if shapes != [part.shape for part in state.weights]:
        raise InputError(f"the checkpoint {path} is of another network: train without --resume")
    if state.options != options or len(state.kept) != crops:
        raise InputError(
            f"the checkpoint {path} was made with other options or data: repeat them, or train without --resume into "
            "another folder"
        )
    return state
