"""The metadata of a LiteRT file, in MediaPipe's schema: what goes in, what comes out, whose it is."""

from typing import Any, Final

from classify.labels_file import ModelLabels
from storage.errors import SetupError
from storage.policy import INTENDED_USE, LABEL_POLICY

LABEL_FILE: Final = "labels.txt"
FILE_DATE: Final = (1980, 1, 1, 0, 0, 0)
AUTHOR: Final = "Maskwatch"
LICENCE: Final = "Apache-2.0. The training pictures have other owners: see the model card."
IDENTIFIER: Final = b"M001"
PARSER: Final = "1.0.0"


def metadata_buffer(labels: ModelLabels) -> bytes:
    """The metadata of a model with input `pictures` and outputs `probabilities`, `logits` and `cam`, as a flatbuffer.

    Raises:
        SetupError: MediaPipe, which has the schema, is missing.
    """
    try:
        import flatbuffers  # type: ignore[import-untyped]
        from mediapipe.tasks.metadata import metadata_schema_py_generated as schema
    except ImportError as error:
        raise SetupError(f"the metadata needs MediaPipe ({error}): run `make setup-train`") from error
    graph = schema.SubGraphMetadataT()
    graph.inputTensorMetadata = [_pictures(schema, labels)]
    graph.outputTensorMetadata = [
        _probabilities(schema, labels),
        _tensor(schema, "logits", f"The same before softmax; divide by {labels.temperature:g} first."),
        _tensor(schema, "cam", "Class activation map, (h, w, labels); its mean over h and w is the logit."),
    ]
    model = schema.ModelMetadataT()
    model.name = labels.name or "maskwatch"
    model.description = f"What a face crop shows, one of {', '.join(map(str, labels.labels))}. {INTENDED_USE}"
    model.author, model.license = AUTHOR, LICENCE
    model.minParserVersion = PARSER
    model.subgraphMetadata = [graph]
    builder = flatbuffers.Builder(4096)
    builder.Finish(model.Pack(builder), IDENTIFIER)
    return bytes(builder.Output())


def _pictures(schema: Any, labels: ModelLabels) -> Any:
    tensor = _tensor(
        schema, "pictures",
        f"The square around a face box with {labels.margin:.0%} of its longer side added on each side, RGB, values 0-255.",
    )  # fmt: skip
    colours = schema.ImagePropertiesT()
    colours.colorSpace = schema.ColorSpaceType.RGB
    tensor.content = _content(schema, schema.ContentProperties.ImageProperties, colours)
    options = schema.NormalizationOptionsT()
    options.mean, options.std = [0.0], [1.0]
    unit = schema.ProcessUnitT()
    unit.optionsType, unit.options = schema.ProcessUnitOptions.NormalizationOptions, options
    tensor.processUnits = [unit]
    tensor.stats = _range(schema, 255.0)
    return tensor


def _probabilities(schema: Any, labels: ModelLabels) -> Any:
    policy = " ".join(f"{name}: {LABEL_POLICY[name]}" for name in labels.labels if name is not None)
    tensor = _tensor(schema, "probabilities", f"Calibrated probabilities of the labels. {policy}")
    tensor.content = _content(schema, schema.ContentProperties.FeatureProperties, schema.FeaturePropertiesT())
    file = schema.AssociatedFileT()
    file.name, file.description = LABEL_FILE, "The label of each value, a line each."
    file.type = schema.AssociatedFileType.TENSOR_AXIS_LABELS
    tensor.associatedFiles = [file]
    tensor.stats = _range(schema, 1.0)
    return tensor


def _tensor(schema: Any, name: str, description: str) -> Any:
    tensor = schema.TensorMetadataT()
    tensor.name, tensor.description = name, description
    return tensor


def _content(schema: Any, kind: int, properties: Any) -> Any:
    content = schema.ContentT()
    content.contentPropertiesType, content.contentProperties = kind, properties
    return content


def _range(schema: Any, high: float) -> Any:
    stats = schema.StatsT()
    stats.min, stats.max = [0.0], [high]
    return stats
