"""On what the classifier runs: LiteRT, or TensorFlow where there is a GPU to run batches on.

A GPU takes a hundred faces in the time of one: there `classify` gathers them, and runs them in fixed shapes, in mixed
precision. On a CPU LiteRT is faster for any number. TensorFlow is imported here and nowhere earlier, in the process that
uses it: it must not be carried through a fork.
"""

import importlib.util
import os
from pathlib import Path
from typing import Final, Literal, NamedTuple

import numpy as np

from classify.classifier import FaceClassifier, load_model, model_file
from classify.fair import MOST_FACES
from storage.errors import InputError, SetupError

SHAPES: Final = (8, 32, 128)
"""Faces that go into the network at once on TensorFlow."""

GATHER_S: Final = 0.01
"""A batch for a GPU is waited for this long: a few of its calls."""

GPU_DEVICES: Final = ("nvidia[0-9]*", "kfd")
"""Under `/dev`, where a GPU is that TensorFlow may use."""

Backend = Literal["auto", "litert", "tensorflow"]


class Opened(NamedTuple):
    """A classifier that is ready.

    Attributes:
        classifier: itself.
        device: what it runs on, in words, e.g. `litert on cpu`.
        why: it was chosen.
        most: faces in a batch.
        gather_s: for how long a batch that is not full is worth waiting for.
    """

    classifier: FaceClassifier
    device: str
    why: str
    most: int = MOST_FACES
    gather_s: float = 0.0


def open_classifier(path: Path, *, backend: Backend = "auto", threads: int = 1) -> Opened:
    """Load the classifier on what suits this machine.

    Args:
        path: of a `.tflite` or `.keras` file, or a folder with one `.tflite` file; the same network in the other form may
            lie beside it, under the same name.
        backend: `auto` takes TensorFlow where it is installed, finds a GPU, and there is a `.keras` file.
        threads: for one call on a CPU.

    Raises:
        InputError: no file in the form that is needed, or one that is no such model.
        SetupError: what is asked for is not installed.
    """
    path = model_file(path)
    keras_path = path.with_suffix(".keras")
    if backend == "tensorflow":
        if not keras_path.is_file():
            raise InputError(f"TensorFlow needs {keras_path}, which is not there: `maskwatch export` writes such files")
        if not _is_installed():
            raise SetupError(
                "TensorFlow is not installed: run `make setup-train`, or set MASKWATCH_CLASSIFY_BACKEND=litert"
            )
        return _on_tensorflow(keras_path, threads, "asked for")
    if backend == "litert":
        lite_path = path.with_suffix(".tflite")
        if not lite_path.is_file():
            raise InputError(f"LiteRT needs {lite_path}, which is not there: `maskwatch export` writes such files")
        return Opened(load_model(lite_path, threads=threads), "litert on cpu", "asked for")
    why = _against_tensorflow(keras_path)
    if not why:
        return _on_tensorflow(keras_path, threads, "there is a GPU")
    classifier = load_model(path, threads=threads)
    return Opened(classifier, f"{classifier.backend} on cpu", why)


def _against_tensorflow(keras_path: Path) -> str:
    """Why TensorFlow is not used unasked; empty where it is. The cheap questions come first: importing it takes seconds."""
    if not any(any(Path("/dev").glob(name)) for name in GPU_DEVICES):
        return "there is no GPU"
    if not keras_path.is_file():
        return f"there is no {keras_path.name} for the GPU"
    if not _is_installed():
        return "TensorFlow is not installed"
    return "" if _gpus() else "TensorFlow finds no GPU it can use"


def _is_installed() -> bool:
    return all(importlib.util.find_spec(name) is not None for name in ("tensorflow", "keras"))


def _gpus() -> list[str]:
    """Names of the GPUs that TensorFlow finds."""
    # Quiet unless it fails; and Keras is told before it is first imported.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import tensorflow as tf

    found = tf.config.list_physical_devices("GPU")
    details = [tf.config.experimental.get_device_details(device) for device in found]
    return [str(each.get("device_name", "gpu")) for each in details]


def _on_tensorflow(path: Path, threads: int, why: str) -> Opened:
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    from classify.keras_model import TensorFlowClassifier

    gpus = _gpus()
    classifier = TensorFlowClassifier(path, threads=threads, batches=SHAPES, mixed=bool(gpus))
    # Traced now, not when the first person comes in.
    size = classifier.image_size
    for shape in SHAPES:
        classifier.classify(np.zeros((shape, size, size, 3), np.uint8))
    if not gpus:
        return Opened(classifier, "tensorflow on cpu", why)
    return Opened(classifier, f"tensorflow on {gpus[0]}", why, SHAPES[-1], GATHER_S)
