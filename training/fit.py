"""The training loop: head first, then fine-tuning, an average of the weights, and checkpoints to go on from.

Batches, dropout and learning rates are functions of the epoch and step, so that a resumed run goes on as it would have.
"""

import time
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from training.average import Average
from training.backbones import keras_module
from training.batches import Batches
from training.checkpoint import Checkpoint, Epoch, FitOptions, Network, data_key, read_checkpoint, write_checkpoint
from training.devices import jit_compile
from training.figures import balanced_log_loss, softmax
from training.labels import NO_FACE
from training.lesson import Fitted, Lesson, Watch
from training.network import in_columns, logits_model, unfreeze
from training.schedule import enough, learning_rate
from training.targets import Targets

HEAD_RATE: Final = 2e-3
WARMUP_STEPS: Final = 100
CLEAN_AFTER: Final = 3
"""After this many fine-tuning epochs the false alarms that the network takes for faces leave the training."""

CLEAN_BELOW: Final = 0.1
"""... namely those with a lower probability of `not_a_face`: nearly all are faces that the annotators left out."""

PREDICT_BATCH: Final = 64


class Trainer:
    """Trains one model on the crops of `train`, watching `val`."""

    def __init__(
        self,
        model: Any,
        network: Network,
        lesson: Lesson,
        options: FitOptions,
        checkpoint: Path,
        watch: Watch | None = None,
    ) -> None:
        """Prepare.

        Args:
            model: from `training.network.build`.
            network: which that is.
            lesson: what to learn from.
            options: how.
            checkpoint: file that is written after every epoch.
            watch: told how it goes.
        """
        self._model, self._logits, self._network = model, logits_model(model), network
        self._train, self._val, self._options = lesson.train, lesson.val, options
        self._checkpoint, self._watch = checkpoint, watch or Watch()
        self._batches = Batches(
            lesson.train,
            batch_size=options.batch_size,
            image_size=network.image_size,
            seed=options.seed,
            shares=options.shares,
        )
        self._targets = Targets(
            network.labels, smoothing=options.label_smoothing, soft=lesson.soft, soft_share=options.distil_share
        )
        self._data = data_key(lesson.train, lesson.soft)
        self._kept = np.ones(len(lesson.train), np.bool_)
        self._history: list[Epoch] = []
        self._average = Average(self._logits)
        self._best: list[NDArray[np.float32]] = []
        self._best_loss = float("inf")

    @property
    def drawn_shares(self) -> NDArray[np.float64]:
        """(4,) share of the draws that each class gets."""
        return self._batches.shares

    def fit(self, *, resume: bool = False) -> Fitted:
        """Train to the end and leave the averaged weights of the chosen epoch in the model.

        Args:
            resume: go on from the checkpoint, if there is one.

        Raises:
            InputError: the checkpoint is of another model, other data or other options.
            StorageError: the checkpoint can't be written; the one before is still there.
        """
        options = self._options
        state = self._go_on() if resume else None
        first = self._history[-1].epoch + 1 if self._history else int(options.from_scratch)
        for epoch in range(first, options.epochs + 1):
            if enough([done.val_loss for done in self._history if done.epoch > 0], options.patience):
                break
            if epoch <= 1 or epoch == first:
                self._compile(head=epoch == 0, state=state if epoch == first else None)
            done = self._run(epoch)
            self._history.append(done)
            if epoch > 0 and (done.val_loss < self._best_loss or not options.select):
                self._best_loss, self._best = done.val_loss, self._average.values
            if epoch == CLEAN_AFTER:
                self._clean()
            write_checkpoint(self._checkpoint, self._state())
            self._note(done)
        self._logits.set_weights(self._best or self._average.values)
        tuned = [done for done in self._history if done.epoch > 0] if options.select else self._history[-1:]
        chosen = min(tuned, key=lambda done: done.val_loss).epoch
        return Fitted(tuple(self._history), chosen, int((~self._kept).sum()))

    def _compile(self, *, head: bool, state: Checkpoint | None) -> None:
        keras, options = keras_module(), self._options
        unfreeze(
            self._model,
            self._network.backbone,
            0 if head else options.unfreeze,
            train_norm=options.from_scratch,
        )
        if options.optimizer == "adam":
            optimizer = keras.optimizers.Adam(1e-3, global_clipnorm=5.0)
        else:
            optimizer = keras.optimizers.AdamW(1e-3, weight_decay=options.weight_decay, global_clipnorm=5.0)
            optimizer.exclude_from_weight_decay(var_names=["bias", "beta", "gamma"])
        loss = keras.losses.CategoricalCrossentropy(from_logits=True)
        # With 16-bit numbers Keras scales the loss, by an optimizer around this one.
        self._logits.compile(optimizer, loss=loss, jit_compile=jit_compile())
        self._logits.optimizer.build(self._logits.trainable_variables)
        if state is not None:
            for variable, value in zip(self._logits.optimizer.variables, state.optimizer, strict=True):
                variable.assign(value)

    def _run(self, epoch: int) -> Epoch:
        options, watch, started = self._options, self._watch, time.monotonic()
        steps = self._batches.steps
        total = steps if epoch == 0 else steps * options.epochs
        before = 0 if epoch == 0 else steps * (epoch - 1)
        peak = HEAD_RATE if epoch == 0 else options.learning_rate
        whole = steps * (options.epochs + (not options.from_scratch))
        earlier = before + (0 if epoch == 0 or options.from_scratch else steps)
        seen, loss_sum = 0, 0.0
        self._reseed(epoch)
        stage = f"epoch {epoch}/{options.epochs}{' (head)' if epoch == 0 else ''}"
        for pictures, labels, indices in self._batches.epoch(epoch):
            warmup = min(WARMUP_STEPS, total // 10)
            rate = learning_rate(min(before + seen, total - 1), total, peak, warmup=warmup)
            self._logits.optimizer.learning_rate.assign(rate)
            targets = self._targets.of(labels, indices)
            loss = float(np.asarray(self._logits.train_on_batch(pictures.astype(np.float32), targets)))
            loss_sum += loss
            seen += 1
            self._average.step()
            if self._average.updates % 10 == 0:
                watch.scalars.add(self._average.updates, step__loss=loss, step__learning_rate=rate)
            left = watch.clock.left(earlier + seen, whole)
            watch.progress(stage, seen, steps, f"loss {loss_sum / seen:.3f}, whole run {left} left")
        if not self._average.values:
            self._average.take()
        probabilities = self._with_average(self._val.exact)
        val_loss, balanced = balanced_log_loss(probabilities, self._val.labels)
        return Epoch(epoch, seen, round(time.monotonic() - started, 1), loss_sum / max(1, seen), val_loss, balanced)

    def _note(self, done: Epoch) -> None:
        self._watch.scalars.add(
            self._average.updates,
            epoch__train_loss=done.train_loss,
            epoch__val_loss=done.val_loss,
            epoch__val_balanced_accuracy=done.val_balanced_accuracy,
        )
        self._watch.scalars.flush()

    def _reseed(self, epoch: int) -> None:
        """Start dropout's random numbers from the epoch, which a resumed run shares, not from the process' start."""
        # The generator's state is two numbers of 32 bits.
        first = (self._options.seed * 1000 + epoch) % 2**32
        for number, variable in enumerate(self._logits.variables):
            if "seed_generator_state" in variable.path:
                variable.assign(np.array([first, number], variable.dtype))

    def _with_average(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(N, 4) probabilities of the averaged network."""
        weights = self._logits.get_weights()
        self._logits.set_weights(self._average.values)
        try:
            return softmax(in_columns(predict(self._logits, pictures), self._network.labels))
        finally:
            self._logits.set_weights(weights)

    def _clean(self) -> None:
        """Drop mined false alarms that are faces after all: nobody annotated every face of a crowd."""
        from training.augment import centred

        suspects = np.flatnonzero((self._train.labels == NO_FACE) & (self._train.origins == "false_alarm"))
        if not len(suspects):
            return
        size = self._network.image_size
        pictures = np.stack([centred(self._train.context[place], size=size) for place in suspects])
        probabilities = self._with_average(pictures)
        self._kept[suspects[probabilities[:, NO_FACE] < CLEAN_BELOW]] = False
        self._batches.keep(self._kept)

    def _state(self) -> Checkpoint:
        return Checkpoint(
            self._options,
            self._network,
            self._data,
            tuple(self._history),
            self._best_loss,
            self._average.updates,
            self._kept,
            self._logits.get_weights(),
            [np.asarray(variable) for variable in self._logits.optimizer.variables],
            self._average.values,
            self._best,
        )

    def _go_on(self) -> Checkpoint | None:
        """Take over the checkpoint, if there is one."""
        state = read_checkpoint(self._checkpoint, self._options, self._network, self._data)
        if state is None:
            return None
        self._history, self._best_loss = list(state.history), state.best_loss
        self._average.values, self._average.updates = state.average, state.updates
        self._best, self._kept = state.best, state.kept
        self._batches.keep(self._kept)
        self._logits.set_weights(state.weights)
        # The head's optimizer ends with epoch 0; fine-tuning starts a fresh one.
        return None if self._history[-1].epoch == 0 else state


def predict(model: Any, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Logits (N, labels) float32 of (N, size, size, 3) pictures by a model whose only output they are."""
    parts = [
        np.asarray(model.predict_on_batch(pictures[start : start + PREDICT_BATCH].astype(np.float32)))
        for start in range(0, len(pictures), PREDICT_BATCH)
    ]
    return np.concatenate(parts) if parts else np.empty((0, model.outputs[0].shape[1]), np.float32)
