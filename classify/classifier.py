"""The face classifier on LiteRT: batches of crops in, calibrated probabilities out."""

import hashlib
from pathlib import Path
from typing import Final, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from classify.crops import IMAGE_SIZE, MARGIN
from storage.errors import InputError, SetupError
from storage.words import MASK_LABELS, NOT_A_FACE

BATCH_SIZES: Final = (16, 4, 1)
"""An interpreter is kept for each of these; any number of faces is split into them, largest first."""

SHIPPED_MODEL: Final = Path(__file__).parent / "weights" / "maskwatch-mobilenetv2-112.tflite"


class ModelLabels(msgspec.Struct, frozen=True):
    """What `labels.json` beside a model says about it.

    Attributes:
        labels: names of the outputs, in order; those of `MASK_LABELS` and `not_a_face`, some may be missing.
        name: for reports.
        image_size: side of the input in pixels.
        margin: share of the face box added on each side.
        temperature: logits are divided by it before the softmax.
        sha256: of the model file, where stated.
        rejects_false_alarms: the `not_a_face` output was trained; without it the detector has to be surer.
    """

    labels: tuple[str, ...]
    name: str = ""
    image_size: int = IMAGE_SIZE
    margin: float = MARGIN
    temperature: float = 1.0
    sha256: str | None = None
    rejects_false_alarms: bool = True


class FaceClassifier(Protocol):
    """Says for face crops what is worn."""

    name: str
    sha256: str
    backend: str
    image_size: int
    margin: float
    rejects_false_alarms: bool

    def classify(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(N, size, size, 3) uint8 RGB give (N, 4) float32: the three labels' probabilities and `not_a_face`."""
        ...


class LiteRtClassifier:
    """A `FaceClassifier` from a LiteRT file; outputs are the same for every batch size and number of threads."""

    backend = "litert"

    def __init__(self, path: Path = SHIPPED_MODEL, *, threads: int = 1) -> None:
        """Load a model with the `labels.json` beside it.

        Args:
            path: a `.tflite` file with a (N, size, size, 3) uint8 or float32 input and a (N, labels) output of logits.
            threads: for one call.

        Raises:
            InputError: a file that is not such a model.
            SetupError: it is missing.
        """
        try:
            self._content = path.read_bytes()
        except OSError as error:
            raise SetupError(f"the classifier model {path} can't be read: {error.strerror}") from error
        self.sha256 = hashlib.sha256(self._content).hexdigest()
        labels = read_labels(path.with_name("labels.json"))
        if labels.sha256 is not None and labels.sha256 != self.sha256:
            raise InputError(f"{path} is not the model that labels.json beside it describes: their sha256 differ")
        self.name = labels.name or path.stem
        self.image_size = labels.image_size
        self.margin = labels.margin
        self.rejects_false_alarms = labels.rejects_false_alarms and NOT_A_FACE in labels.labels
        self._temperature = labels.temperature
        self._columns = [_column(name) for name in labels.labels]
        self._path = path
        self._threads = threads
        self._networks: dict[int, _Network] = {}
        self._network(BATCH_SIZES[-1])

    def classify(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        parts = []
        start = 0
        while start < len(crops):
            left = len(crops) - start
            size = next(size for size in BATCH_SIZES if size <= left)
            parts.append(self._network(size).logits(crops[start : start + size]))
            start += size
        if not parts:
            return np.empty((0, len(MASK_LABELS) + 1), np.float32)
        # Labels that this model lacks keep a probability of exactly 0.
        logits = np.full((len(crops), len(MASK_LABELS) + 1), -np.inf, np.float32)
        logits[:, self._columns] = np.concatenate(parts) / self._temperature
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        shares: NDArray[np.float32] = (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)
        return shares

    def _network(self, batch: int) -> "_Network":
        if batch not in self._networks:
            shape = (batch, self.image_size, self.image_size, 3)
            network = _Network(self._content, self._path, shape, self._threads)
            if network.outputs != len(self._columns):
                raise InputError(
                    f"{self._path} has {network.outputs} outputs, but labels.json names {len(self._columns)}"
                )
            self._networks[batch] = network
        return self._networks[batch]


class _Network:
    """One LiteRT interpreter with a fixed input shape."""

    def __init__(self, content: bytes, path: Path, shape: tuple[int, int, int, int], threads: int) -> None:
        from ai_edge_litert.interpreter import Interpreter

        try:
            interpreter = Interpreter(model_content=content, num_threads=threads)
            entry = interpreter.get_input_details()[0]
            interpreter.resize_tensor_input(entry["index"], shape, strict=True)
            interpreter.allocate_tensors()
            outputs = [output for output in interpreter.get_output_details() if len(output["shape"]) == 2]
            if len(outputs) != 1 or entry["dtype"] not in (np.uint8, np.float32):
                raise ValueError("it does not take pictures and give one list of scores")
        except (ValueError, RuntimeError, IndexError) as error:
            reason = str(error).strip().split("\n")[0][:200]
            raise InputError(f"{path} is not a LiteRT face classifier for {shape[1]} px pictures: {reason}") from error
        self._interpreter = interpreter
        self._input: int = entry["index"]
        self._dtype = entry["dtype"]
        self._output: int = outputs[0]["index"]
        self.outputs = int(outputs[0]["shape"][1])

    def logits(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        self._interpreter.set_tensor(self._input, crops.astype(self._dtype, copy=False))
        self._interpreter.invoke()
        return np.asarray(self._interpreter.get_tensor(self._output), np.float32)


def read_labels(path: Path) -> ModelLabels:
    """Read a model's `labels.json`.

    Raises:
        SetupError: it is missing.
        InputError: it is not such a file, or names a label that does not exist.
    """
    try:
        labels = msgspec.json.decode(path.read_bytes(), type=ModelLabels)
    except OSError as error:
        raise SetupError(
            f"{path} can't be read ({error.strerror}): it names the outputs of the model beside it"
        ) from error
    except msgspec.MsgspecError as error:
        raise InputError(f"{path} does not describe a model: {error}") from error
    for name in labels.labels:
        _column(name)
    if not labels.labels or len(set(labels.labels)) != len(labels.labels):
        raise InputError(f"{path} must name each output once")
    if not (0.01 <= labels.temperature <= 100 and 16 <= labels.image_size <= 1024 and 0 <= labels.margin <= 2):
        raise InputError(f"{path}: temperature is 0.01 to 100, image_size 16 to 1024, margin 0 to 2")
    return labels


def _column(name: str) -> int:
    names = [*(label.value for label in MASK_LABELS), NOT_A_FACE]
    if name not in names:
        raise InputError(f"labels.json names an unknown label {name!r}: choose from {', '.join(names)}")
    return names.index(name)
