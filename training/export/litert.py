"""LiteRT files: 8-bit ones, and float ones whose weights are kept with 16 bits.

Both take (N, size, size, 3) RGB with values 0-255 as they are (uint8, or float32 in the float file) and give, as float32,
`probabilities` (N, labels), calibrated; `logits` (N, labels); and `cam` (N, h, w, labels). Any N by resizing the input.
"""

import hashlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from classify.classifier import LiteRtClassifier
from classify.crops import MARGIN
from classify.labels_file import ModelLabels
from storage.errors import SetupError
from storage.files import write_bytes
from training.export.check import MIN_AGREEMENT, Exported, check_agreement, check_batches
from training.export.heads import add_heads
from training.export.labels import labels_place, write_labels
from training.export.outputs import litert_outputs
from training.labels import LABELS

CALIBRATION_CROPS: Final = 400


def export_litert(  # noqa: PLR0913 - what it is made of, by name
    model: Any,
    path: Path,
    *,
    crops: NDArray[np.uint8] | None,
    faces: NDArray[np.uint8],
    keras_logits: NDArray[np.floating],
    name: str,
    temperature: float,
    rejects_false_alarms: bool = True,
    labels: tuple[str | None, ...] = LABELS,
    margin: float = MARGIN,
    converted: bytes | None = None,
    min_agreement: float = MIN_AGREEMENT,
) -> Exported:
    """Convert, check and write `path`, and enter it in the labels beside it (`training.export.labels.labels_place`).

    Args:
        model: from `training.network.build`, trained.
        path: of the file to write.
        crops: (M, size, size, 3) training crops the ranges of the 8-bit file are taken from; None makes the float file.
        faces: (K, size, size, 3) faces to compare on.
        keras_logits: (K, labels) what the Keras model says of them; of the four in `LABELS`, or of its own labels.
        name: of the model in reports.
        temperature: goes into `labels.json` and into `probabilities`.
        rejects_false_alarms: goes into `labels.json`; whether there were false alarms to learn from.
        labels: of the outputs, in their order.
        margin: goes into `labels.json`.
        converted: the model as `convert_int8` or `convert_float` made it, where the caller has it; `crops` is not used then.
        min_agreement: share of `faces` that must get the Keras model's label.

    Raises:
        InputError: both places for labels are taken by other models.
        ExportError: it says something else than the Keras model.
        SetupError: TensorFlow is missing, which does the conversion.
        StorageError: the files can't be written.
    """
    described = ModelLabels(
        labels=labels, name=name, image_size=int(model.inputs[0].shape[1]), margin=margin, temperature=temperature,
        rejects_false_alarms=rejects_false_alarms,
    )  # fmt: skip
    place = labels_place(path, described)
    if converted is None:
        converted = convert_float(model) if crops is None else convert_int8(model, crops)
    content = add_heads(converted, described)
    trained = keras_logits
    if trained.shape[1] != len(labels):
        trained = trained[:, [LABELS.index(str(label)) for label in labels]]
    agreement = check_agreement(litert_outputs(content, faces)[0], trained, least=min_agreement)
    check_batches(content, faces)
    write_bytes(path, content)
    write_labels(place, described, {path.name: hashlib.sha256(content).hexdigest()})
    LiteRtClassifier(path)
    return Exported(path, len(content), agreement)


def convert_int8(model: Any, crops: NDArray[np.uint8]) -> bytes:
    """The model as an 8-bit LiteRT file.

    Args:
        model: with outputs `logits` and `cam`.
        crops: (M, size, size, 3) uint8 to take the ranges of all activations from.

    Raises:
        SetupError: TensorFlow is missing.
    """
    chosen = crops[np.linspace(0, len(crops) - 1, min(len(crops), CALIBRATION_CROPS)).astype(int)]
    # The input's range must be exactly 0-255, so that a pixel value is its own 8-bit code.
    ends = np.stack([np.zeros_like(chosen[0]), np.full_like(chosen[0], 255)])

    def ranges() -> Iterator[list[NDArray[np.float32]]]:
        for crop in (*ends, *chosen):
            yield [crop[None].astype(np.float32)]

    def quantised(tf: Any, converter: Any) -> None:
        converter.representative_dataset = ranges
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = tf.uint8
        converter.inference_output_type = tf.float32

    return _converted(model, quantised)


def convert_float(model: Any) -> bytes:
    """The model as a LiteRT file that computes in float32, with weights kept as float16.

    Args:
        model: with outputs `logits` and `cam`.

    Raises:
        SetupError: TensorFlow is missing.
    """

    def halved(tf: Any, converter: Any) -> None:
        converter.target_spec.supported_types = [tf.float16]

    return _converted(model, halved)


def _converted(model: Any, settle: Any) -> bytes:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        import tensorflow as tf
    except ImportError as error:
        raise SetupError(f"the conversion needs TensorFlow ({error}): run `make setup-train`") from error
    with tempfile.TemporaryDirectory() as folder:
        model.export(folder, verbose=False)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        settle(tf, converter)
        return bytes(converter.convert())
