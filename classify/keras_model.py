"""The face classifier on Keras: models that somebody trained, and our own before they are converted.

Slower than LiteRT by far, and only where the training set is installed.
"""

import hashlib
import os
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from classify.crops import IMAGE_SIZE
from classify.keras_batches import in_mixed_precision, in_shapes
from classify.keras_file import refuse_code
from classify.labels_file import (
    NAMES,
    Activation,
    Outputs,
    Preparation,
    check_sha256,
    labels_path,
    read_labels,
    read_model,
)
from storage.errors import InputError, SetupError

BATCH: Final = 8
"""Faces are always run this many at a time, the last ones filled up: a network is traced for each number, and the last
bits of a result depend on it, but not on what else is in the batch."""

LAST: Final[dict[str, Activation]] = {"softmax": "softmax", "sigmoid": "sigmoid"}


class KerasClassifier:
    """A `FaceClassifier` from a `.keras` file; a face gets the same values whatever others are with it."""

    backend = "keras"

    def __init__(
        self, path: Path, *, threads: int = 1, batches: tuple[int, ...] = (BATCH,), mixed: bool = False
    ) -> None:
        """Load a model with the labels beside it.

        Args:
            path: a `.keras` file that takes (N, size, size, 3) pictures. Of its outputs `logits` is taken if one is
                called so, else the only one of two dimensions; `cam`, where there is one, for `explain`.
            threads: for one call, where TensorFlow was not at work before.
            batches: how many faces go in at once; those of the last call are filled up.
            mixed: compute in 16 bits what can be.

        Raises:
            InputError: a file that is not such a model.
            SetupError: it, its labels or Keras are missing.
        """
        self.sha256 = hashlib.sha256(read_model(path)).hexdigest()
        labels = read_labels(labels_path(path))
        check_sha256(labels, path, self.sha256)
        model = load_keras(path, threads=threads)
        self._scores, self._cam = _places(model, path)
        shape = model.inputs[0].shape
        self.name = labels.name or path.stem
        self.image_size = labels.image_size or shape[1] or IMAGE_SIZE
        if shape[1] not in (None, self.image_size):
            raise InputError(f"{path} takes pictures of {shape[1]} px, but labels.json says {self.image_size}")
        self.margin = labels.margin
        self.rejects_false_alarms = labels.says_not_a_face
        activation = labels.activation or _last_step(model.outputs[self._scores])
        self._outputs = Outputs(labels, path, int(model.outputs[self._scores].shape[1]), activation)
        self._preparation = Preparation(labels)
        self.input_dtype, self.normalisation, self.labels = "float32", self._preparation.says, labels.labels
        self._batches = (int(shape[0]),) if shape[0] else tuple(sorted(batches))
        if mixed:
            model = in_mixed_precision(model)
        # XLA makes the depthwise convolutions ten times slower on a CPU.
        model.compile(optimizer="sgd", jit_compile=False)
        self._model, self._path = model, path

    def classify(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        if not len(crops):
            return np.empty((0, len(NAMES)), np.float32)
        return self._outputs.probabilities(self._run(crops, self._scores))

    def explain(self, crops: NDArray[np.uint8]) -> NDArray[np.float32] | None:
        if self._cam is None or not len(crops):
            return None
        return self._outputs.maps(self._run(crops, self._cam))

    def _run(self, crops: NDArray[np.uint8], output: int) -> NDArray[np.float32]:
        parts = []
        for start, end, shape in in_shapes(len(crops), self._batches):
            values = self._preparation.values(crops[start:end])
            count = len(values)
            filled = np.concatenate([values, np.zeros((shape - count, *values.shape[1:]), np.float32)])
            try:
                given = flat_outputs(self._model.predict_on_batch(filled))
            except (ValueError, TypeError, RuntimeError, ArithmeticError) as error:
                raise InputError(f"{self._path} can't be run: {_reason(error)}") from error
            parts.append(np.asarray(given[output], np.float32)[:count])
        return np.concatenate(parts)


class TensorFlowClassifier(KerasClassifier):
    """Likewise, in the shapes and the precision of `classify.backend`: the last bits depend on what else is in the batch."""

    backend = "tensorflow"


def load_keras(path: Path, *, threads: int | None = None) -> Any:
    """Open a `.keras` file without running any code that is in it.

    Args:
        path: of the file.
        threads: that TensorFlow may use; None leaves it as it is.

    Raises:
        InputError: it is no such file, or needs code to run.
        SetupError: Keras is not installed.
    """
    refuse_code(path)
    # Quiet unless it fails.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        import keras
    except ImportError as error:
        raise SetupError(
            f"{path} is a Keras model, and Keras or its backend is not installed ({error}): run `make setup-train`, "
            "or give a .tflite file"
        ) from error
    if keras.backend.backend() == "tensorflow":
        _prepare_tensorflow(threads)
    try:
        model = _with_input(keras, keras.saving.load_model(path, compile=False, safe_mode=True))
    except Exception as error:
        raise InputError(f"{path} is not a Keras model that can be opened here: {_reason(error)}") from error
    shapes = [tensor.shape for tensor in getattr(model, "inputs", None) or []]
    if len(shapes) != 1 or len(shapes[0]) != 4 or shapes[0][3] != 3:
        raise InputError(f"{path} is not a Keras model with one input that takes RGB pictures, (N, height, width, 3)")
    if shapes[0][1] != shapes[0][2]:
        raise InputError(f"{path} takes pictures of {shapes[0][2]} x {shapes[0][1]} px, and they have to be square")
    return model


def _with_input(keras: Any, model: Any) -> Any:
    """A stack of layers that was saved before its first use does not know its input; a model inside it may."""
    first = model
    while not getattr(first, "inputs", None) and getattr(first, "layers", None):
        first = first.layers[0]
    if first is model or len(getattr(first, "inputs", None) or []) != 1:
        return model
    inputs = keras.Input(batch_shape=first.inputs[0].shape)
    return keras.Model(inputs, model(inputs))


def flat_outputs(given: Any) -> list[Any]:
    """What a model gave, in the order of `model.outputs`: Keras gives it as the model was built, e.g. as a dict."""
    import keras

    return list(keras.tree.flatten(given))


def output_names(model: Any) -> list[str]:
    """The names of a model's outputs, in the order of `model.outputs`."""
    structure = getattr(model, "output", None)
    if isinstance(structure, dict):
        return [str(name) for name in flat_outputs({name: name for name in structure})]
    names = getattr(model, "output_names", None) or []
    return [str(name) for name in names] if len(names) == len(model.outputs) else [""] * len(model.outputs)


def _places(model: Any, path: Path) -> tuple[int, int | None]:
    names = output_names(model)
    ranks = [len(tensor.shape) for tensor in model.outputs]
    lists = [place for place, rank in enumerate(ranks) if rank == 2]
    chosen = [place for place in lists if names[place] == "logits"] or lists
    if len(chosen) != 1 or model.outputs[chosen[0]].shape[1] is None:
        raise InputError(f"{path} is not a Keras face classifier: it does not give one list of scores")
    maps = [place for place, rank in enumerate(ranks) if rank == 4 and names[place] == "cam"]
    same = [place for place in maps if model.outputs[place].shape[3] == model.outputs[chosen[0]].shape[1]]
    return chosen[0], same[0] if same else None


def _last_step(tensor: Any) -> Activation:
    """How an output was made: by the activation of its last layer, inside the last part of a model made of models."""
    operation = tensor._keras_history.operation  # noqa: SLF001 - the public `layers` do not say which one is last
    while getattr(operation, "outputs", None) and getattr(operation, "layers", None):
        operation = operation.outputs[0]._keras_history.operation  # noqa: SLF001
    if type(operation).__name__ == "Softmax":
        return "softmax"
    name = getattr(getattr(operation, "activation", None), "__name__", type(operation).__name__.lower())
    return LAST.get(name, "logits")


def _prepare_tensorflow(threads: int | None) -> None:
    import tensorflow as tf

    # All of this is settled when TensorFlow first works; later it stays as it is.
    with suppress(RuntimeError):
        for device in tf.config.list_physical_devices("GPU"):
            tf.config.experimental.set_memory_growth(device, True)
    if threads is not None:
        with suppress(RuntimeError):
            tf.config.threading.set_intra_op_parallelism_threads(threads)
            tf.config.threading.set_inter_op_parallelism_threads(threads)


def _reason(error: Exception) -> str:
    return str(error).strip().partition("\n")[0][:200]
