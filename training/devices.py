"""What depends on the processor and on Keras' backend: GPU memory, number formats, compilation.

The only place where the training loop meets TensorFlow itself; on another backend (JAX) it is not imported.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from storage.errors import UsageError
from training.backbones import keras_module

PRECISIONS: Final = ("auto", "float32", "mixed")


def use_gpu_gently() -> bool:
    """Let GPU memory grow as needed, instead of taking all at once; say whether there is a GPU.

    A GPU that is in use already keeps the setting it has.
    """
    keras = keras_module()
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        gpus = tf.config.list_physical_devices("GPU")
        for gpu in gpus:
            try:
                tf.config.experimental.set_memory_growth(gpu, True)
            except RuntimeError:
                continue
        return bool(gpus)
    return any(str(device).lower().startswith(("gpu", "cuda")) for device in keras.distribution.list_devices())


def policy_of(precision: str, *, gpu: bool) -> str:
    """Keras' name of a number format: `mixed_float16` where there is a GPU, unless told otherwise.

    Raises:
        UsageError: `precision` is none of `PRECISIONS`.
    """
    if precision not in PRECISIONS:
        raise UsageError(f"--precision must be one of {', '.join(PRECISIONS)}, not {precision}")
    return "mixed_float16" if precision == "mixed" or (precision == "auto" and gpu) else "float32"


@contextmanager
def number_format(policy: str) -> Iterator[None]:
    """Layers and models that are made inside calculate in this format, and keep it."""
    keras = keras_module()
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def jit_compile() -> Any:
    """What `compile` is told: XLA makes depthwise convolutions ten times slower on a CPU with TensorFlow."""
    return False if keras_module().backend.backend() == "tensorflow" else "auto"
