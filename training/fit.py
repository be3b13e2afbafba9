"""The training loop: head first, then fine-tuning, an average of the weights, and checkpoints to go on from.

Batches, dropout and learning rates are functions of the epoch and step, so that a resumed run goes on as it would have.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from training.batches import Batches
from training.cache import Crops
from training.checkpoint import Checkpoint, Epoch, FitOptions, read_checkpoint, write_checkpoint
from training.figures import balanced_log_loss, softmax
from training.labels import LABELS, NO_FACE
from training.network import keras_module, logits_model, unfreeze
from training.progress import Progress
from training.schedule import learning_rate

AVERAGE_DECAY: Final = 0.999
AVERAGE_EVERY: Final = 8
LABEL_SMOOTHING: Final = 0.05
HEAD_RATE: Final = 2e-3
WARMUP_STEPS: Final = 100
CLEAN_AFTER: Final = 3
"""After this many fine-tuning epochs the false alarms that the network takes for faces leave the training."""

CLEAN_BELOW: Final = 0.1
"""... namely those with a lower probability of `not_a_face`: nearly all are faces that the annotators left out."""

PREDICT_BATCH: Final = 64


@dataclass(frozen=True, slots=True)
class Fitted:
    """The history, and the epoch whose averaged weights the model now has."""

    history: tuple[Epoch, ...]
    best_epoch: int
    cleaned: int


class Trainer:
    """Trains one model on the crops of `train`, watching `val`."""

    def __init__(
        self, model: Any, train: Crops, val: Crops, options: FitOptions, checkpoint: Path, progress: Progress
    ) -> None:
        """Prepare.

        Args:
            model: from `training.network.build`.
            train: crops to train on.
            val: crops with `exact` pictures to choose the epoch by.
            options: how.
            checkpoint: file that is written after every epoch.
            progress: told after every step.
        """
        self._model, self._logits = model, logits_model(model)
        self._train, self._val, self._options = train, val, options
        self._checkpoint, self._progress = checkpoint, progress
        size = int(model.inputs[0].shape[1])
        self._batches = Batches(train, batch_size=options.batch_size, image_size=size, seed=options.seed)
        self._kept = np.ones(len(train), np.bool_)
        self._history: list[Epoch] = []
        self._average: list[NDArray[np.float32]] = []
        self._best: list[NDArray[np.float32]] = []
        self._best_loss = float("inf")
        self._updates = 0

    @property
    def drawn_shares(self) -> NDArray[np.float64]:
        """(4,) share of the draws that each class gets."""
        return self._batches.shares

    def fit(self, *, resume: bool = False, on_epoch: Callable[[Epoch], None] | None = None) -> Fitted:
        """Train to the end and leave the best averaged weights in the model.

        Args:
            resume: go on from the checkpoint, if there is one.
            on_epoch: told after every epoch.

        Raises:
            InputError: the checkpoint is of another model or other options.
            StorageError: the checkpoint can't be written.
        """
        keras_module().utils.set_random_seed(self._options.seed)
        state = self._go_on() if resume else None
        first = len(self._history)
        for epoch in range(first, self._options.epochs + 1):
            if epoch <= 1 or epoch == first:
                self._compile(head=epoch == 0, state=state if epoch == first else None)
            done = self._run(epoch)
            self._history.append(done)
            if done.val_loss < self._best_loss and epoch > 0:
                self._best_loss, self._best = done.val_loss, self._average
            if epoch == CLEAN_AFTER:
                self._clean()
            write_checkpoint(self._checkpoint, self._state())
            if on_epoch is not None:
                on_epoch(done)
        self._logits.set_weights(self._best or self._average)
        chosen = min(self._history[1:] or self._history, key=lambda epoch: epoch.val_loss).epoch
        return Fitted(tuple(self._history), chosen, int((~self._kept).sum()))

    def _compile(self, *, head: bool, state: Checkpoint | None) -> None:
        keras = keras_module()
        unfreeze(self._model, 0 if head else self._options.unfreeze)
        optimizer = keras.optimizers.AdamW(1e-3, weight_decay=self._options.weight_decay, global_clipnorm=5.0)
        optimizer.exclude_from_weight_decay(var_names=["bias", "beta", "gamma"])
        loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=LABEL_SMOOTHING)
        # XLA makes the depthwise convolutions ten times slower on a CPU.
        jit = False if keras.backend.backend() == "tensorflow" else "auto"
        self._logits.compile(optimizer, loss=loss, jit_compile=jit)
        optimizer.build(self._logits.trainable_variables)
        if state is not None:
            for variable, value in zip(optimizer.variables, state.optimizer, strict=True):
                variable.assign(value)

    def _run(self, epoch: int) -> Epoch:
        options, started = self._options, time.monotonic()
        steps = self._batches.steps
        total = steps if epoch == 0 else steps * options.epochs
        before = 0 if epoch == 0 else steps * (epoch - 1)
        peak = HEAD_RATE if epoch == 0 else options.learning_rate
        seen, loss_sum = 0, 0.0
        self._reseed(epoch)
        stage = f"epoch {epoch}/{options.epochs}{' (head)' if epoch == 0 else ''}"
        for pictures, labels in self._batches.epoch(epoch):
            warmup = min(WARMUP_STEPS, total // 10)
            rate = learning_rate(min(before + seen, total - 1), total, peak, warmup=warmup)
            self._logits.optimizer.learning_rate.assign(rate)
            targets = np.eye(len(LABELS), dtype=np.float32)[labels]
            loss_sum += float(np.asarray(self._logits.train_on_batch(pictures.astype(np.float32), targets)))
            seen += 1
            self._updates += 1
            if self._updates % AVERAGE_EVERY == 0:
                self._update_average()
            self._progress(stage, seen, steps, f"loss {loss_sum / seen:.3f}")
        if not self._average:
            self._update_average()
        probabilities = self._with_average(self._val.exact)
        val_loss, balanced = balanced_log_loss(probabilities, self._val.labels)
        return Epoch(epoch, seen, round(time.monotonic() - started, 1), loss_sum / max(1, seen), val_loss, balanced)

    def _reseed(self, epoch: int) -> None:
        """Start dropout's random numbers from the epoch, which a resumed run shares, not from the process' start."""
        for number, variable in enumerate(self._logits.variables):
            if "seed_generator_state" in variable.path:
                variable.assign(np.array([self._options.seed * 1000 + epoch, number], variable.dtype))

    def _update_average(self) -> None:
        weights = self._logits.get_weights()
        if not self._average:
            self._average = [part.copy() for part in weights]
            return
        # Young averages forget faster, so that the untrained start leaves no trace.
        decay = min(AVERAGE_DECAY**AVERAGE_EVERY, (1.0 + self._updates) / (AVERAGE_EVERY * 10.0 + self._updates))
        pairs = zip(self._average, weights, strict=True)
        self._average = [kept * np.float32(decay) + part * np.float32(1.0 - decay) for kept, part in pairs]

    def _with_average(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        weights = self._logits.get_weights()
        self._logits.set_weights(self._average)
        try:
            return softmax(predict(self._logits, pictures))
        finally:
            self._logits.set_weights(weights)

    def _clean(self) -> None:
        """Drop mined false alarms that are faces after all: nobody annotated every face of a crowd."""
        from training.augment import centred

        suspects = np.flatnonzero((self._train.labels == NO_FACE) & (self._train.origins == "false_alarm"))
        if not len(suspects):
            return
        size = int(self._model.inputs[0].shape[1])
        pictures = np.stack([centred(self._train.context[place], size=size) for place in suspects])
        probabilities = self._with_average(pictures)
        self._kept[suspects[probabilities[:, NO_FACE] < CLEAN_BELOW]] = False
        self._batches.keep(self._kept)

    def _state(self) -> Checkpoint:
        return Checkpoint(
            self._options,
            tuple(self._history),
            self._best_loss,
            self._updates,
            self._kept,
            self._logits.get_weights(),
            [np.asarray(variable) for variable in self._logits.optimizer.variables],
            self._average,
            self._best,
        )

    def _go_on(self) -> Checkpoint | None:
        """Take over the checkpoint, if there is one."""
        shapes = [part.shape for part in self._logits.get_weights()]
        state = read_checkpoint(self._checkpoint, self._options, len(self._train), shapes)
        if state is None:
            return None
        self._history, self._best_loss, self._updates = list(state.history), state.best_loss, state.updates
        self._average, self._best, self._kept = state.average, state.best, state.kept
        self._batches.keep(self._kept)
        self._logits.set_weights(state.weights)
        # The head's optimizer ends with epoch 0; fine-tuning starts a fresh one.
        return state if len(self._history) > 1 else None


def predict(model: Any, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Logits (N, 4) float32 of (N, size, size, 3) pictures by a model whose only output they are."""
    parts = [
        np.asarray(model.predict_on_batch(pictures[start : start + PREDICT_BATCH].astype(np.float32)))
        for start in range(0, len(pictures), PREDICT_BATCH)
    ]
    return np.concatenate(parts) if parts else np.empty((0, len(LABELS)), np.float32)
