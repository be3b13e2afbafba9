"""The face classifier: batches of crops in, calibrated probabilities out; here on LiteRT."""

import hashlib
from pathlib import Path
from typing import Final, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from classify.crops import IMAGE_SIZE
from classify.labels_file import (
    NAMES,
    ModelLabels,
    Outputs,
    Preparation,
    check_sha256,
    labels_path,
    read_labels,
    read_model,
)
from classify.litert import Network, read_signature
from storage.errors import InputError

__all__ = [
    "Described",
    "FaceClassifier",
    "LiteRtClassifier",
    "ModelLabels",
    "labels_path",
    "load_model",
    "model_file",
    "read_labels",
]

BATCH_SIZES: Final = (16, 4, 1)
"""An interpreter is kept for each of these; any number of faces is split into them, largest first."""

SHIPPED_MODEL: Final = Path(__file__).parent / "weights" / "maskwatch-mobilenetv2-short-112.tflite"


class FaceClassifier(Protocol):
    """Says for face crops what is worn."""

    name: str
    sha256: str
    backend: str
    image_size: int
    margin: float
    rejects_false_alarms: bool

    def classify(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(N, size, size, 3) uint8 RGB give (N, 4) float32: the three labels' probabilities and `not_a_face`.

        Raises:
            InputError: the model gives something that is no number.
        """
        ...

    def explain(self, crops: NDArray[np.uint8]) -> NDArray[np.float32] | None:
        """The class activation maps of (N, size, size, 3) uint8 RGB crops: (N, h, w, 4) float32, or None.

        The mean of a map over h and w is its label's logit, so what is above 0 speaks for the label. None where the
        model has no such output.
        """
        ...


@runtime_checkable
class Described(Protocol):
    """A classifier from a file, which can say what goes in and comes out.

    Attributes:
        input_dtype: of the network's input, e.g. `uint8`.
        normalisation: what becomes of pixel values before they go in, in words.
        labels: of each output, in order, from `labels.json`; None where it is left out.
    """

    input_dtype: str
    normalisation: str
    labels: tuple[str | None, ...]


def load_model(path: Path, *, threads: int = 1) -> FaceClassifier:
    """The classifier in a file: LiteRT (`.tflite`) or Keras (`.keras`), with its `labels.json` beside it.

    Args:
        path: of the model, or the folder of a training, with one `.tflite` file in it.
        threads: for one call.

    Raises:
        InputError: a file that is no such model, a folder that has none or several, or labels that do not go with it.
        SetupError: the file, its labels or Keras are missing.
    """
    path = model_file(path)
    if path.suffix == ".tflite":
        return LiteRtClassifier(path, threads=threads)
    if path.suffix == ".keras":
        from classify.keras_model import KerasClassifier

        return KerasClassifier(path, threads=threads)
    raise InputError(
        f"{path} is neither a .tflite nor a .keras file: save the model as one of them, e.g. in Keras with "
        'model.save("model.keras")'
    )


def model_file(path: Path) -> Path:
    """The model that a path means: the file itself, or the only `.tflite` file in a folder.

    Raises:
        InputError: a folder without such a file, or with several.
    """
    if not path.is_dir():
        return path
    found = sorted(each for each in path.glob("*.tflite") if not each.name.startswith("."))
    if len(found) == 1:
        return found[0]
    if not found:
        raise InputError(f"the folder {path} holds no .tflite file: name a model file, or the folder of a training")
    raise InputError(f"the folder {path} holds {', '.join(each.name for each in found)}: name one of these files")


class LiteRtClassifier:
    """A `FaceClassifier` from a LiteRT file; outputs are the same for every batch size and number of threads."""

    backend = "litert"

    def __init__(self, path: Path = SHIPPED_MODEL, *, threads: int = 1) -> None:
        """Load a model with the labels beside it.

        Args:
            path: a `.tflite` file with a (N, size, size, 3) input of uint8, int8 or float32. Of its outputs `logits` is
                taken if one is called so, else the only one of two dimensions; `cam` likewise, or the one of four.
            threads: for one call.

        Raises:
            InputError: a file that is not such a model.
            SetupError: it is missing.
        """
        self._content = read_model(path)
        self.sha256 = hashlib.sha256(self._content).hexdigest()
        labels = read_labels(labels_path(path))
        check_sha256(labels, path, self.sha256)
        self._signature = read_signature(self._content, path, labels.activation)
        self.name = labels.name or path.stem
        self.image_size = labels.image_size or self._signature.image_size or IMAGE_SIZE
        self.margin = labels.margin
        self.rejects_false_alarms = labels.says_not_a_face
        self._preparation = Preparation(labels)
        self._path = path
        self._threads = threads
        self._networks: dict[int, Network] = {}
        first = self._network(BATCH_SIZES[-1])
        self.input_dtype, self.normalisation, self.labels = first.dtype, self._preparation.says, labels.labels
        self._outputs = Outputs(labels, path, first.outputs, self._signature.activation)

    def classify(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        parts = [network.scores(part) for network, part in self._split(crops)]
        if not parts:
            return np.empty((0, len(NAMES)), np.float32)
        return self._outputs.probabilities(np.concatenate(parts))

    def explain(self, crops: NDArray[np.uint8]) -> NDArray[np.float32] | None:
        maps = [network.cam(part) for network, part in self._split(crops)]
        found = [each for each in maps if each is not None]
        if not found or len(found) < len(maps):
            return None
        return self._outputs.maps(np.concatenate(found))

    def _split(self, crops: NDArray[np.uint8]) -> list[tuple[Network, NDArray[np.uint8]]]:
        parts = []
        start = 0
        while start < len(crops):
            left = len(crops) - start
            size = next(size for size in BATCH_SIZES if size <= left) if self._signature.any_batch else 1
            parts.append((self._network(size), crops[start : start + size]))
            start += size
        return parts

    def _network(self, batch: int) -> Network:
        if batch not in self._networks:
            shape = (batch, self.image_size, self.image_size, 3)
            network = Network(self._content, self._path, shape, self._threads, self._signature, self._preparation)
            self._networks[batch] = network
        return self._networks[batch]
