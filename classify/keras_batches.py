"""How a Keras network is run on many faces: in few fixed shapes, and on a GPU in 16 bits where that loses nothing."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

MIXED: Final = "mixed_float16"
EXACT: Final = ("InputLayer", "Rescaling", "Normalization", "Softmax")
"""Layers that stay in 32 bits: pixel values, and what becomes of the last numbers."""


def in_shapes(count: int, shapes: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """Split a number of faces over fixed batch shapes: a network is traced anew for every other one.

    A shape is filled up where at least half of it is used, or where there is none smaller.

    Args:
        count: of faces.
        shapes: sizes of a batch, ascending.

    Yields:
        Start, end, and the shape they go into.
    """
    start = 0
    while start < count:
        left = count - start
        covering = next((shape for shape in shapes if shape >= left), shapes[-1])
        smaller = [shape for shape in shapes if shape < covering]
        shape = smaller[-1] if smaller and covering > 2 * left else covering
        yield start, min(count, start + shape), shape
        start += shape


def in_mixed_precision(model: Any) -> Any:
    """The same network, computing in 16 bits, its weights kept in 32; its last layers stay as they are."""
    import keras

    last = {tensor._keras_history.operation.name for tensor in model.outputs}  # noqa: SLF001 - no public way

    def copy(layer: Any) -> Any:
        config = layer.get_config()
        exact = type(layer).__name__ in EXACT or layer.name in last
        if not getattr(layer, "layers", None) and not exact:
            config["dtype"] = MIXED
        return type(layer).from_config(config)

    made = keras.models.clone_model(model, clone_function=copy, recursive=True)
    made.set_weights(model.get_weights())
    return made
