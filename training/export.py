"""From a Keras model to the LiteRT file that runs everywhere, proven equal before it is written.

The file is fully quantised to 8 bits, with ranges taken from real training crops. Input: (N, size, size, 3) uint8 RGB,
values as they are. Outputs, float32: (N, 4) logits and (N, h, w, 4) class activation map; any N by resizing the input.
"""

import hashlib
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from classify.classifier import LiteRtClassifier, ModelLabels
from classify.crops import MARGIN
from storage.errors import MaskwatchError, SetupError
from storage.files import write_bytes
from training.labels import LABELS

MAX_BYTES: Final = 4_000_000
MIN_AGREEMENT: Final = 0.99
"""Share of faces that must get the trained model's label."""

SURE_MARGIN: Final = 0.5
MANY_FACES: Final = 300
"""With fewer faces to compare on, a near tie that tips over proves nothing: only faces on which the trained model's two
best logits differ by `SURE_MARGIN` count."""

CALIBRATION_CROPS: Final = 400
BATCHES_CHECKED: Final = (1, 7, 32)


class ExportError(MaskwatchError):
    """The converted model is not the model that was trained, so it was not written."""


@dataclass(frozen=True, slots=True)
class Exported:
    """A written LiteRT model.

    Attributes:
        path: of the `.tflite` file; `labels.json` is beside it.
        bytes: its size.
        agreement: share of the checked faces that get the Keras model's label.
    """

    path: Path
    bytes: int
    agreement: float


def export_litert(  # noqa: PLR0913 what it is made of, by name
    model: Any,
    path: Path,
    *,
    crops: NDArray[np.uint8],
    faces: NDArray[np.uint8],
    keras_logits: NDArray[np.floating],
    name: str,
    temperature: float,
    rejects_false_alarms: bool = True,
) -> Exported:
    """Convert, check and write `path` and the `labels.json` beside it.

    Args:
        model: from `training.network.build`, trained.
        path: of the file to write.
        crops: (M, size, size, 3) training crops the ranges are taken from.
        faces: (K, size, size, 3) faces to compare on.
        keras_logits: (K, 4) what the Keras model says of them.
        name: of the model in reports.
        temperature: goes into `labels.json`.
        rejects_false_alarms: likewise; whether there were false alarms to learn from.

    Raises:
        ExportError: too large, or it says something else than the Keras model.
        SetupError: TensorFlow is missing, which does the conversion.
        StorageError: the files can't be written.
    """
    content = convert_int8(model, crops)
    if len(content) > MAX_BYTES:
        raise ExportError(f"the converted model has {len(content)} bytes, more than the {MAX_BYTES} it may have")
    logits = litert_outputs(content, faces)[0]
    same = logits.argmax(1) == keras_logits.argmax(1)
    counted = same if len(same) >= MANY_FACES else same[_sure(keras_logits)]
    if len(counted) and counted.mean() < MIN_AGREEMENT:
        raise ExportError(
            f"the converted model gives the label of the trained one on {counted.mean():.1%} of {len(counted)} faces, "
            f"which is below {MIN_AGREEMENT:.0%}: train longer, or with a lower learning rate"
        )
    _check_batches(content, faces)
    labels = ModelLabels(
        labels=LABELS, name=name, image_size=int(model.inputs[0].shape[1]), margin=MARGIN, temperature=temperature,
        rejects_false_alarms=rejects_false_alarms,
        sha256=hashlib.sha256(content).hexdigest(),
    )  # fmt: skip
    write_bytes(path, content)
    write_bytes(path.with_name("labels.json"), msgspec.json.format(msgspec.json.encode(labels), indent=2) + b"\n")
    LiteRtClassifier(path)
    return Exported(path, len(content), float(same.mean()) if len(same) else 1.0)


def convert_int8(model: Any, crops: NDArray[np.uint8]) -> bytes:
    """The model as an 8-bit LiteRT file.

    Args:
        model: with outputs `logits` and `cam`.
        crops: (M, size, size, 3) uint8 to take the ranges of all activations from.

    Raises:
        SetupError: TensorFlow is missing.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        import tensorflow as tf
    except ImportError as error:
        raise SetupError(f"the conversion needs TensorFlow ({error}): run `make setup-train`") from error
    chosen = crops[np.linspace(0, len(crops) - 1, min(len(crops), CALIBRATION_CROPS)).astype(int)]
    # The input's range must be exactly 0-255, so that a pixel value is its own 8-bit code.
    ends = np.stack([np.zeros_like(chosen[0]), np.full_like(chosen[0], 255)])

    def ranges() -> Iterator[list[NDArray[np.float32]]]:
        for crop in (*ends, *chosen):
            yield [crop[None].astype(np.float32)]

    with tempfile.TemporaryDirectory() as folder:
        model.export(folder, verbose=False)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = ranges
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = tf.uint8
        converter.inference_output_type = tf.float32
        return bytes(converter.convert())


def litert_outputs(content: bytes, pictures: NDArray[np.uint8], *, batch: int = 32) -> tuple[NDArray[np.float32], ...]:
    """Logits (N, 4) and map (N, h, w, 4) of a LiteRT file for (N, size, size, 3) uint8 pictures."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=content, num_threads=1)
    entry = interpreter.get_input_details()[0]
    by_rank: dict[int, list[NDArray[np.float32]]] = {2: [], 4: []}
    for start in range(0, len(pictures), batch):
        part = pictures[start : start + batch]
        interpreter.resize_tensor_input(entry["index"], part.shape, strict=True)
        interpreter.allocate_tensors()
        interpreter.set_tensor(entry["index"], part.astype(entry["dtype"], copy=False))
        interpreter.invoke()
        for output in interpreter.get_output_details():
            by_rank[len(output["shape"])].append(interpreter.get_tensor(output["index"]).copy())
    return tuple(np.concatenate(by_rank[rank]) if by_rank[rank] else np.empty(0, np.float32) for rank in (2, 4))


def _sure(logits: NDArray[np.floating]) -> NDArray[np.bool_]:
    best = np.sort(logits, axis=1)
    return np.asarray(best[:, -1] - best[:, -2] >= SURE_MARGIN, np.bool_)


def _check_batches(content: bytes, faces: NDArray[np.uint8]) -> None:
    """The same face must get the same bits whatever batch it is in: footage is processed in any order."""
    sample = faces[:32]
    wanted = litert_outputs(content, sample, batch=1)
    for batch in BATCHES_CHECKED:
        for one, other in zip(wanted, litert_outputs(content, sample, batch=batch), strict=True):
            if not np.array_equal(one, other):
                raise ExportError(f"the converted model gives other values in batches of {batch}; nothing was written")
