"""Where a network looks: gradient Grad-CAM for any Keras model with a convolution, and its picture.

Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization", ICCV 2017. Keras
has to run on TensorFlow or JAX. For a head that is a 1x1 convolution and a mean over the map, as ours, the last map is
the class activation map itself, and Grad-CAM is that map of the class over the number of its places.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from storage.errors import InputError, SetupError
from training.network import keras_module

BATCH: Final = 32
STRENGTH: Final = 0.65
"""How much of the picture the hottest place covers."""


Call = Callable[[Any], Any]


def grad_cam(
    model: Any, pictures: NDArray[np.uint8] | NDArray[np.float32], classes: NDArray[np.int64], *, relu: bool = True
) -> NDArray[np.float32]:
    """Grad-CAM of one class for each picture.

    Args:
        model: a `keras.Model` with one picture input and one output of scores (N, C), logits or probabilities; further
            outputs that are maps do not matter.
        pictures: (N, size, size, 3) as the model takes them.
        classes: (N,) output to explain, 0 to C - 1; with a single output 0 for it, 1 for what speaks against it.
        relu: only what speaks for the class, as in the paper; False also keeps what speaks against it, below 0.

    Returns:
        (N, h, w) float32, the resolution of the explained layer, in no unit: compare places, not pictures.

    Raises:
        InputError: there is no convolution in it, or no output of scores.
        SetupError: Keras is missing, or runs on a backend without gradients here.
    """
    keras = keras_module()
    front, back = _halves(keras, model)
    parts = []
    with _without_activation(keras, model):
        for start in range(0, len(pictures), BATCH):
            activation = front(keras.ops.cast(pictures[start : start + BATCH], "float32"))
            seen, gradient = _gradient(keras, back, activation, classes[start : start + BATCH])
            parts.append((gradient.mean(axis=(1, 2), keepdims=True) * seen).sum(axis=-1))
    if not parts:
        return np.empty((0, 1, 1), np.float32)
    heat: NDArray[np.float32] = np.concatenate(parts).astype(np.float32)
    return np.maximum(heat, 0.0) if relu else heat


def normalised(heat: NDArray[np.floating]) -> NDArray[np.float32]:
    """Heat (h, w) from 0, the coldest place, to 1, the hottest; all 0 where nothing speaks for the class.

    What is below 0 counts as 0. What every place has in common says nothing about where, so it is taken off.
    """
    positive = np.maximum(np.nan_to_num(np.asarray(heat, np.float32)), 0.0)
    low, high = float(positive.min(initial=np.inf)), float(positive.max(initial=0.0))
    if high <= 0.0:
        return np.zeros_like(positive)
    return np.asarray((positive - low) / max(high - low, 1e-6), np.float32)


def enlarged(heat: NDArray[np.floating], width: int, height: int) -> NDArray[np.float32]:
    """`normalised` heat (h, w) as (height, width) float32 in [0, 1], smoothly."""
    grown = cv2.resize(normalised(heat), (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(np.asarray(grown, np.float32), 0.0, 1.0)


def overlay(rgb: NDArray[np.uint8], heat: NDArray[np.floating]) -> NDArray[np.uint8]:
    """A picture with heat laid over it: places that say nothing stay as they are.

    Args:
        rgb: (height, width, 3).
        heat: (h, w) of any scale; below 0 counts as 0, the largest value is the hottest.
    """
    return coloured(rgb, enlarged(heat, rgb.shape[1], rgb.shape[0]))


def coloured(rgb: NDArray[np.uint8], heat: NDArray[np.float32]) -> NDArray[np.uint8]:
    """A (height, width, 3) picture with (height, width) heat in [0, 1] over it.

    The scale runs from dark violet to light yellow and grows in lightness alone, so that it reads in grey, too.
    """
    bgr = cv2.applyColorMap((heat * 255.0).round().astype(np.uint8), cv2.COLORMAP_INFERNO)
    share = (STRENGTH * heat)[:, :, None]
    return np.asarray((rgb * (1.0 - share) + bgr[:, :, ::-1] * share).round(), np.uint8)


def _halves(keras: Any, model: Any) -> tuple[Call, Call]:
    """Two calls: from the input to the last activation that is still a map, and from there to the scores."""
    scores = [output for output in model.outputs if len(output.shape) == 2]
    if len(scores) != 1:
        raise InputError("the model has no single output of scores, so there is nothing to explain")
    halves = _split(keras, model, scores[0])
    if halves is None:
        raise InputError("the model has no convolution whose map could be shown")
    return halves


def _split(keras: Any, model: Any, scores: Any) -> tuple[Call, Call] | None:
    """`_halves` within one model, whose input may be the activation of an outer one."""
    graph = _graph(keras, model)
    for node in _nodes(graph):
        inputs, output = node.input_tensors, node.output_tensors[0]
        if not inputs:
            continue
        if _is_map(output) and _convolves(keras, graph, node):
            try:
                return _call(keras, graph.inputs[0], output), _call(keras, output, scores)
            except ValueError:
                # Something runs past this layer to the scores; an earlier one holds all that is known.
                continue
        nested = node.operation
        if isinstance(nested, keras.Model) and len(output.shape) == 2 and len(nested.outputs) == 1:
            inner = _split(keras, nested, _graph(keras, nested).outputs[0])
            if inner is not None:
                before, after = _call(keras, graph.inputs[0], inputs[0]), _call(keras, output, scores)
                return _then(before, inner[0]), _then(inner[1], after)
    return None


def _is_map(tensor: Any) -> bool:
    return len(tensor.shape) == 4 and max(tensor.shape[1:3]) > 1


def _convolves(keras: Any, model: Any, last: Any) -> bool:
    """Whether there is a convolution at or before a node; with None anywhere."""
    for node in reversed(_nodes(_graph(keras, model))):
        nested = isinstance(node.operation, keras.Model) and _convolves(keras, node.operation, None)
        if nested or "Conv" in type(node.operation).__name__:
            return True
        if node is last:
            break
    return False


def _graph(keras: Any, model: Any) -> Any:
    """The model itself, or what is in it: a Sequential one does not show its layers' places."""
    if isinstance(model, keras.Sequential):
        return model._functional  # noqa: SLF001 there is no other way to the tensors it was built with
    if not hasattr(model, "operations"):
        raise InputError(
            "the model is written in a way that can't be taken apart: only functional and sequential ones can"
        )
    return model


def _nodes(graph: Any) -> list[Any]:
    """The places of layers in a graph, from the outputs to the inputs; a layer may have others, in other graphs."""
    by_depth = graph._nodes_by_depth  # noqa: SLF001 `operations` does not tell which place is in this graph
    return [node for depth in sorted(by_depth) for node in by_depth[depth]]


@contextmanager
def _without_activation(keras: Any, model: Any) -> Iterator[None]:
    """A softmax or sigmoid of the last layer does not count: it is flat where it is sure."""
    operation = _nodes(_graph(keras, model))[0].operation
    squashing = (keras.activations.softmax, keras.activations.sigmoid)
    activation = getattr(operation, "activation", None)
    if activation not in squashing or not hasattr(operation, "kernel"):
        yield
        return
    operation.activation = keras.activations.linear
    try:
        yield
    finally:
        operation.activation = activation


def _call(keras: Any, start: Any, end: Any) -> Call:
    """From one tensor of a graph to another, as when predicting."""
    if start is end:
        return lambda value: value
    part = keras.Model(start, end)
    return lambda value: part(value, training=False)


def _then(first: Call, second: Call) -> Call:
    return lambda value: second(first(value))


def _gradient(
    keras: Any, back: Call, activation: Any, classes: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Activation (N, h, w, K), and the gradient of each picture's own class by it."""

    def score(value: Any) -> Any:
        scores = back(value)
        # Where a softmax stands apart from the last layer, its logarithm at least does not go flat at once.
        return keras.ops.sum((keras.ops.log(scores + 1e-12) if are_probabilities else scores) * chosen)

    plain = np.asarray(keras.ops.convert_to_numpy(back(activation)))
    outputs = plain.shape[1]
    if classes.max(initial=0) >= max(2, outputs) or classes.min(initial=0) < 0:
        raise InputError(f"the model has {outputs} outputs, so there is no number {int(classes.max())}")
    # A single output speaks for the first of two classes, and against the second.
    chosen = np.eye(outputs, dtype=np.float32)[classes] if outputs > 1 else 1.0 - 2.0 * classes[:, None].astype("f4")
    are_probabilities = outputs > 1 and plain.min() >= 0.0 and np.allclose(plain.sum(axis=1), 1.0, atol=1e-3)
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            tape.watch(activation)
            value = score(activation)
        gradient = tape.gradient(value, activation)
    elif backend == "jax":
        jax = import_module("jax")

        gradient = jax.grad(score)(activation)
    else:
        raise SetupError(f"Grad-CAM needs Keras on TensorFlow or JAX, not {backend}: set KERAS_BACKEND=tensorflow")
    one, other = (np.asarray(keras.ops.convert_to_numpy(each), np.float32) for each in (activation, gradient))
    return one, other
