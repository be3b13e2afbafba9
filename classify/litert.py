"""One LiteRT network: what goes in, what comes out, and which of the outputs is which."""

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from classify.labels_file import Activation, Preparation
from classify.last_step import last_step
from storage.errors import InputError

READ_AS: Final[dict[Activation, str]] = {"logits": "logits", "softmax": "probabilities", "sigmoid": "probabilities"}
"""The names of our own models' outputs, by how they are to be read."""


@dataclass(frozen=True, slots=True)
class Signature:
    """A LiteRT file's input and outputs.

    Attributes:
        image_size: side of its input in pixels, None where any is taken.
        any_batch: whether several pictures go in at once.
        scores: number of the tensor with the outputs to read.
        activation: how to read them.
        cam: number of the tensor with the class activation maps, if there is one.
    """

    image_size: int | None
    any_batch: bool
    scores: int
    activation: Activation
    cam: int | None


def read_signature(content: bytes, path: Path, stated: Activation | None) -> Signature:
    """Look into a LiteRT file.

    Args:
        content: of the file.
        path: of it, for messages.
        stated: how its outputs are to be read, where `labels.json` says so.

    Raises:
        InputError: it is no file that takes a picture and gives one list of scores.
    """
    # Flatbuffers of strangers are read by the interpreter first, which verifies them.
    try:
        interpreter = _interpreter(content, 1)
        entry, *others = interpreter.get_input_details()
        outputs = interpreter.get_output_details()
        shape = [int(side) for side in entry["shape_signature"]]
        if others or len(shape) != 4 or shape[3] != 3 or entry["dtype"] not in (np.uint8, np.int8, np.float32):
            raise ValueError("it does not take pictures and give one list of scores")
        if shape[1] != shape[2]:
            raise ValueError(f"it takes pictures of {shape[2]} x {shape[1]} px, and they have to be square")
        if shape[0] not in (-1, 1):
            raise ValueError(f"it takes {shape[0]} pictures at once, and has to take 1 or any number")
        scores = _scores(outputs, stated)
        named = scores["name"] == READ_AS["logits"]
        activation = stated or ("logits" if named else last_step(content, int(scores["index"])))
    except (ValueError, RuntimeError, IndexError, struct.error) as error:
        reason = str(error).strip().split("\n")[0][:200]
        raise InputError(f"{path} is not a LiteRT face classifier: {reason}") from error
    return Signature(
        shape[1] if shape[1] > 0 else None, shape[0] == -1, int(scores["index"]), activation, _cam(outputs, scores)
    )


class Network:
    """One LiteRT interpreter with a fixed input shape."""

    def __init__(
        self,
        content: bytes,
        path: Path,
        shape: tuple[int, int, int, int],
        threads: int,
        signature: Signature,
        preparation: Preparation,
    ) -> None:
        """Prepare to run.

        Args:
            content: of the file.
            path: of it, for messages.
            shape: (N, size, size, 3) of every call.
            threads: for one call.
            signature: of the file.
            preparation: of the pixels.

        Raises:
            InputError: it does not take this shape.
        """
        try:
            interpreter = _interpreter(content, threads)
            entry = interpreter.get_input_details()[0]
            if tuple(entry["shape"]) != shape:
                interpreter.resize_tensor_input(entry["index"], shape, strict=True)
            interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            reason = str(error).strip().split("\n")[0][:200]
            raise InputError(f"{path} is not a LiteRT face classifier for {shape[1]} px pictures: {reason}") from error
        self._interpreter = interpreter
        self._signature, self._preparation = signature, preparation
        self._input: int = entry["index"]
        self._dtype = entry["dtype"]
        self.dtype = np.dtype(self._dtype).name
        """Of the input."""
        self._scale, self._zero = entry["quantization"]
        self._details = {int(each["index"]): each for each in interpreter.get_output_details()}
        self.outputs = int(self._details[signature.scores]["shape"][1])

    def scores(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The outputs to read, (N, outputs), of (N, size, size, 3) uint8 RGB crops."""
        self._run(crops)
        return self._value(self._signature.scores)

    def cam(self, crops: NDArray[np.uint8]) -> NDArray[np.float32] | None:
        """The activation maps (N, h, w, outputs), where there are any."""
        if self._signature.cam is None:
            return None
        self._run(crops)
        return self._value(self._signature.cam)

    def _run(self, crops: NDArray[np.uint8]) -> None:
        self._interpreter.set_tensor(self._input, self._values(crops))
        self._interpreter.invoke()

    def _values(self, crops: NDArray[np.uint8]) -> NDArray[Any]:
        prepared = self._preparation
        if self._dtype == np.float32:
            return prepared.values(crops)
        if prepared.untouched:
            # 8-bit inputs hold pixel values as they are; signed ones by convention 128 lower.
            pixels = prepared.ordered(crops)
            return pixels if self._dtype == np.uint8 else (pixels.astype(np.int16) - 128).astype(np.int8)
        limits = np.iinfo(self._dtype)
        codes = np.rint(prepared.values(crops) / np.float32(self._scale or 1.0)) + self._zero
        return np.asarray(np.clip(codes, limits.min, limits.max), self._dtype)

    def _value(self, tensor: int) -> NDArray[np.float32]:
        value = self._interpreter.get_tensor(tensor)
        scale, zero = self._details[tensor]["quantization"]
        if np.issubdtype(value.dtype, np.integer) and scale:
            return np.asarray((value.astype(np.float32) - zero) * np.float32(scale), np.float32)
        return np.asarray(value, np.float32)


def _interpreter(content: bytes, threads: int) -> Any:
    from ai_edge_litert.interpreter import Interpreter

    return Interpreter(model_content=content, num_threads=threads)


def _scores(outputs: list[dict[str, Any]], stated: Activation | None) -> dict[str, Any]:
    lists = [output for output in outputs if len(output["shape"]) == 2]
    named = [output for output in lists if output["name"] == READ_AS[stated or "logits"]]
    chosen = named or lists
    if len(chosen) != 1:
        raise ValueError("it does not take pictures and give one list of scores")
    return chosen[0]


def _cam(outputs: list[dict[str, Any]], scores: dict[str, Any]) -> int | None:
    maps = [output for output in outputs if len(output["shape"]) == 4 and output["shape"][3] == scores["shape"][1]]
    named = [output for output in maps if output["name"] == "cam"]
    chosen = named or maps
    return int(chosen[0]["index"]) if len(chosen) == 1 else None
