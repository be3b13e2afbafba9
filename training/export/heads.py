"""Names, probabilities and metadata for a converted LiteRT file.

The converter knows neither our names nor the temperature. Its result is opened as a flatbuffer and gets a last step, softmax of
the logits divided by the temperature, as its first output. With that, metadata and a label file it loads in MediaPipe's
`ImageClassifier` unchanged; logits and activation map stay outputs of their own for the running system.
"""

import io
import zipfile
from typing import Any, Final

import numpy as np

from classify.labels_file import ModelLabels
from storage.errors import SetupError
from training.export.metadata import FILE_DATE, LABEL_FILE, metadata_buffer

INPUT: Final = "pictures"
OUTPUTS: Final = ("probabilities", "logits", "cam")
IDENTIFIER: Final = b"TFL3"


def add_heads(content: bytes, labels: ModelLabels) -> bytes:
    """Add `probabilities`, name the tensors, and pack metadata and labels.

    Args:
        content: a converted model with an output of two dimensions, the logits, and one of four, the activation map.
        labels: what the file is; its temperature goes into the probabilities.

    Returns:
        A LiteRT file with the outputs of `OUTPUTS`, in this order; the arithmetic of what was there is as it was.

    Raises:
        SetupError: the libraries to edit the file are missing.
    """
    try:
        import flatbuffers  # type: ignore[import-untyped]
        from ai_edge_litert import schema_py_generated as schema
    except ImportError as error:
        raise SetupError(f"the conversion needs flatbuffers ({error}): run `make setup-train`") from error
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    graph = model.subgraphs[0]
    by_rank = {len(graph.tensors[place].shape): int(place) for place in graph.outputs}
    logits, cam = by_rank[2], by_rank[4]
    probabilities = _softmax(schema, model, logits, 1.0 / labels.temperature)
    places = (probabilities, logits, cam)
    for name, place in zip((INPUT, *OUTPUTS), (graph.inputs[0], *places), strict=True):
        graph.tensors[place].name = name
    graph.outputs = list(places)
    for signature in model.signatureDefs or []:
        signature.outputs = [_entry(schema, name, place) for name, place in zip(OUTPUTS, places, strict=True)]
    _attach(schema, model, "TFLITE_METADATA", metadata_buffer(labels))
    builder = flatbuffers.Builder(len(content) + 65_536)
    builder.Finish(model.Pack(builder), IDENTIFIER)
    return _with_file(bytes(builder.Output()), LABEL_FILE, "\n".join(map(str, labels.labels)).encode())


def _softmax(schema: Any, model: Any, logits: int, beta: float) -> int:
    """Add the step that turns logits into probabilities; returns the number of its output."""
    graph = model.subgraphs[0]
    tensor = schema.TensorT()
    source = graph.tensors[logits]
    tensor.shape, tensor.shapeSignature = source.shape, source.shapeSignature
    tensor.type, tensor.buffer = schema.TensorType.FLOAT32, len(model.buffers)
    model.buffers.append(schema.BufferT())
    graph.tensors.append(tensor)
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.SOFTMAX
    code.version = 1
    model.operatorCodes.append(code)
    options = schema.SoftmaxOptionsT()
    options.beta = beta
    step = schema.OperatorT()
    step.opcodeIndex = len(model.operatorCodes) - 1
    step.inputs, step.outputs = [logits], [len(graph.tensors) - 1]
    step.builtinOptionsType, step.builtinOptions = schema.BuiltinOptions.SoftmaxOptions, options
    graph.operators.append(step)
    return len(graph.tensors) - 1


def _entry(schema: Any, name: str, place: int) -> Any:
    entry = schema.TensorMapT()
    entry.name, entry.tensorIndex = name, place
    return entry


def _attach(schema: Any, model: Any, name: str, data: bytes) -> None:
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(data, np.uint8)
    model.buffers.append(buffer)
    entry = schema.MetadataT()
    entry.name, entry.buffer = name, len(model.buffers) - 1
    model.metadata = [*(model.metadata or []), entry]


def _with_file(content: bytes, name: str, data: bytes) -> bytes:
    """Associated files are a zip archive behind the model; a fixed date keeps the same model the same file."""
    stream = io.BytesIO(content)
    with zipfile.ZipFile(stream, "a") as archive:
        archive.writestr(zipfile.ZipInfo(name, FILE_DATE), data)
    return stream.getvalue()
