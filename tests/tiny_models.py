"""Networks so small that their answers can be worked out by hand: scores of a picture's mean colour."""

from pathlib import Path
from typing import Any

import flatbuffers  # type: ignore[import-untyped]
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import ArrayLike


def tiny_litert(path: Path, weights: ArrayLike, *, last: str = "", batch: int = -1, size: int = 16) -> Path:
    """Write a LiteRT file: the mean colour of a float32 picture, times `weights` (outputs, 3), then `last`.

    Args:
        path: to write.
        weights: of the outputs.
        last: `SOFTMAX`, `LOGISTIC` or nothing.
        batch: pictures at once, -1 for any number.
        size: side of the picture.
    """
    numbers = np.asarray(weights, np.float32)
    model = schema.ModelT()
    model.version, model.buffers, model.operatorCodes = 3, [schema.BufferT()], []
    graph = schema.SubGraphT()
    graph.tensors, graph.operators, model.subgraphs = [], [], [graph]
    count = max(batch, 1)

    def tensor(name: str, shape: list[int], data: np.ndarray[Any, Any] | None = None) -> int:
        made = schema.TensorT()
        made.name, made.shape, made.buffer = name, shape, 0
        made.type = schema.TensorType.FLOAT32 if data is None or data.dtype == np.float32 else schema.TensorType.INT32
        if data is None:
            made.shapeSignature = [batch, *shape[1:]]
        else:
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(data.tobytes(), np.uint8)
            model.buffers.append(buffer)
            made.buffer = len(model.buffers) - 1
        graph.tensors.append(made)
        return len(graph.tensors) - 1

    def step(kind: str, inputs: list[int], output: int, options: Any) -> None:
        code = schema.OperatorCodeT()
        code.builtinCode = code.deprecatedBuiltinCode = getattr(schema.BuiltinOperator, kind)
        code.version = 1
        model.operatorCodes.append(code)
        made = schema.OperatorT()
        made.opcodeIndex, made.inputs, made.outputs = len(model.operatorCodes) - 1, inputs, [output]
        if options is not None:
            made.builtinOptions = options
            made.builtinOptionsType = getattr(schema.BuiltinOptions, type(options).__name__.removesuffix("T"))
        graph.operators.append(made)

    picture = tensor("picture", [count, size, size, 3])
    axes = tensor("axes", [2], np.array([1, 2], np.int32))
    kernel = tensor("kernel", list(numbers.shape), numbers)
    colour, scores = tensor("colour", [count, 3]), tensor("scores", [count, len(numbers)])
    step("MEAN", [picture, axes], colour, schema.ReducerOptionsT())
    step("FULLY_CONNECTED", [colour, kernel, -1], scores, schema.FullyConnectedOptionsT())
    if last:
        said = tensor("said", [count, len(numbers)])
        options = schema.SoftmaxOptionsT() if last == "SOFTMAX" else None
        if options is not None:
            options.beta = 1.0
        step(last, [scores], said, options)
        scores = said
    graph.inputs, graph.outputs = [picture], [scores]
    builder = flatbuffers.Builder(4096)
    builder.Finish(model.Pack(builder), b"TFL3")
    path.write_bytes(bytes(builder.Output()))
    return path
