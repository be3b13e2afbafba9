"""From a trained Keras model to the files that others open, each proven equal to it before it is written.

In comes a `keras.Model` with outputs `logits` and `cam` and some real face crops; out go LiteRT files (8-bit, or float with
16-bit weights), a SavedModel folder or a `.keras` file, with `labels.json` and a model card beside them.
"""

from training.export.check import Exported, ExportError
from training.export.litert import CALIBRATION_CROPS, convert_float, convert_int8, export_litert
from training.export.outputs import litert_outputs

__all__ = [
    "CALIBRATION_CROPS", "MAX_BYTES", "ExportError", "Exported", "convert_float", "convert_int8", "export_litert",
    "litert_outputs",
]  # fmt: skip

MAX_BYTES = 6_000_000
"""Of the files that ship with the project, together."""
