"""What a training run needs to go on as if nothing had happened, in one file that is whole or not there."""

import hashlib
import json
import zipfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from storage.errors import InputError
from storage.files import replaced
from training.cache import Crops

OPTIMIZERS: Final = ("adamw", "adam")
_GROUPS: Final = ("weights", "optimizer", "average", "best")


@dataclass(frozen=True, slots=True)
class FitOptions:
    """How to train.

    Attributes:
        epochs: fine-tuning epochs; one epoch of the head alone comes before them, unless the start is by chance.
        batch_size: pictures a step.
        learning_rate: peak of the fine-tuning.
        weight_decay: of AdamW.
        unfreeze: how many of the backbone's last parts are fine-tuned.
        seed: of everything random.
        optimizer: one of `OPTIMIZERS`.
        label_smoothing: share of each target that is spread over all classes.
        patience: epochs without a lower validation loss after which the training ends; 0 never.
        select: leave the weights of the epoch with the lowest validation loss; otherwise those of the last epoch.
        from_scratch: no epoch of the head alone, and batch normalisation is trained: for a start by chance.
        distil_share: how much of a target is the soft one, where there is one.
        shares: by source, how much more often its pictures are drawn than they would be; 1 where not named.
    """

    epochs: int = 12
    batch_size: int = 32
    learning_rate: float = 4e-4
    weight_decay: float = 1e-3
    unfreeze: int = 14
    seed: int = 0
    optimizer: str = "adamw"
    label_smoothing: float = 0.05
    patience: int = 0
    select: bool = True
    from_scratch: bool = False
    distil_share: float = 0.0
    shares: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Network:
    """Which network is trained: a checkpoint of another one is refused.

    Attributes:
        backbone: its name.
        image_size: side of its input in pixels.
        labels: of its outputs.
        policy: Keras' number format.
    """

    backbone: str
    image_size: int
    labels: tuple[str, ...]
    policy: str = "float32"

    def __str__(self) -> str:
        return f"{self.backbone} at {self.image_size} px for {', '.join(self.labels)} in {self.policy}"


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
        network: that is trained.
        data: `data_key` of what it is trained on.
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
    network: Network
    data: str
    history: tuple[Epoch, ...]
    best_loss: float
    updates: int
    kept: NDArray[np.bool_]
    weights: list[NDArray[Any]]
    optimizer: list[NDArray[Any]]
    average: list[NDArray[np.float32]]
    best: list[NDArray[np.float32]]


def data_key(crops: Crops, soft: NDArray[np.float32] | None = None) -> str:
    """Changes when the crops, their labels, their order or their soft targets do."""
    digest = hashlib.sha256()
    for part in (crops.labels, crops.widths, crops.scores, crops.sources, crops.origins, crops.names):
        text = part.tolist() if part.dtype.kind == "U" else part.tobytes()
        digest.update("\n".join(text).encode("utf-8", "surrogateescape") if isinstance(text, list) else text)
    if soft is not None:
        digest.update(soft.tobytes())
    return digest.hexdigest()[:16]


def write_checkpoint(path: Path, state: Checkpoint) -> None:
    """Replace `path` with a state; where that fails, the file that was there stays.

    Raises:
        StorageError: it can't be written.
    """
    note = {
        "options": asdict(state.options),
        "network": asdict(state.network),
        "data": state.data,
        "history": [asdict(epoch) for epoch in state.history],
        "best_loss": state.best_loss,
        "updates": state.updates,
    }
    parts: dict[str, NDArray[Any]] = {"note": np.array(json.dumps(note)), "kept": state.kept}
    for name in _GROUPS:
        parts |= {f"{name}_{place:04}": value for place, value in enumerate(getattr(state, name))}
    with replaced(path) as temporary, temporary.open("wb") as stream:
        np.savez(stream, allow_pickle=False, **parts)


def read_checkpoint(path: Path, options: FitOptions, network: Network, data: str) -> Checkpoint | None:
    """Read a state to go on from; None where there is none.

    Args:
        path: the file.
        options: of this run.
        network: of this run.
        data: `data_key` of this run.

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
                Network(**{**note["network"], "labels": tuple(note["network"]["labels"])}),
                str(note["data"]),
                tuple(Epoch(**epoch) for epoch in note["history"]),
                float(note["best_loss"]),
                int(note["updates"]),
                stored["kept"],
                **groups,
            )
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"the checkpoint {path} is damaged ({error}): train without --resume") from error
    _refuse_other(path, state, options, network, data)
    return state


def _refuse_other(path: Path, state: Checkpoint, options: FitOptions, network: Network, data: str) -> None:
    what_to_do = "repeat what it was made with, or train without --resume into another folder"
    if state.network != network:
        raise InputError(f"the checkpoint {path} is of another network, {state.network}, not {network}: {what_to_do}")
    if state.options != options:
        old, new = asdict(state.options), asdict(options)
        other = ", ".join(f"{name} {old[name]}, not {new[name]}" for name in old if old[name] != new[name])
        raise InputError(f"the checkpoint {path} was made with other options ({other}): {what_to_do}")
    if state.data != data:
        raise InputError(f"the checkpoint {path} was made with other data than is given now: {what_to_do}")
