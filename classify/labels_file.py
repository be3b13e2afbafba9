"""`labels.json`: what a model's outputs mean and how its input is to be prepared, for our models and for anybody's."""

from pathlib import Path
from typing import Final, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from classify.crops import MARGIN
from storage.errors import InputError, SetupError
from storage.files import read_file
from storage.words import MASK_LABELS, NOT_A_FACE

NAMES: Final = (*(label.value for label in MASK_LABELS), NOT_A_FACE)
"""The labels that an output can have, in the order of every probability array."""

Activation = Literal["softmax", "sigmoid", "logits"]
Rescale = Literal["0-255", "0-1", "-1-1", "caffe"]
Channels = Literal["rgb", "bgr"]
Factor = float | tuple[float, float, float]

RESCALES: Final[dict[str, tuple[Factor, Factor]]] = {
    "0-255": (1.0, 0.0),
    "0-1": (1.0 / 255.0, 0.0),
    "-1-1": (1.0 / 127.5, -1.0),
    # The means of ImageNet, blue first, as in the Caffe models of its time.
    "caffe": (1.0, (-103.939, -116.779, -123.68)),
}
"""Scale and offset of each way to prepare pixel values."""


class ModelLabels(msgspec.Struct, frozen=True):
    """What `labels.json` beside a model says about it.

    Attributes:
        labels: the label of each output, in order: one of `NAMES`, or None for an output to be left out. Outputs of the
            same label are added. Two labels for a model with a single output: its value is the probability of the first.
        name: for reports.
        image_size: side of the input in pixels; by default the model's own.
        margin: share of the face box's longer side added on each side.
        temperature: logits are divided by it before they become probabilities.
        sha256: of the model file, where there is only one.
        files: sha256 by name of all files of this model in the folder.
        rejects_false_alarms: the `not_a_face` output was trained; without it the detector has to be surer.
        activation: how the outputs are to be read; by default what the model itself ends with.
        rescale: how pixel values are prepared for a model that does not do so itself; by default they go in as they are.
        scale: instead of `rescale`, `pixel * scale + offset`, one number or one for each channel.
        offset: see `scale`.
        channels: order of the colours; by default `rgb`, with `caffe` `bgr`.
    """

    labels: tuple[str | None, ...]
    name: str = ""
    image_size: int | None = None
    margin: float = MARGIN
    temperature: float = 1.0
    sha256: str | None = None
    files: dict[str, str] = msgspec.field(default_factory=dict)
    rejects_false_alarms: bool = True
    activation: Activation | None = None
    rescale: Rescale | None = None
    scale: Factor | None = None
    offset: Factor | None = None
    channels: Channels | None = None

    @property
    def says_not_a_face(self) -> bool:
        """Whether false alarms of the detector are rejected by this model."""
        return self.rejects_false_alarms and NOT_A_FACE in self.labels


def labels_path(model: Path) -> Path:
    """Where the labels of a model file are: `NAME.labels.json` beside it if it is there, else `labels.json`."""
    own = model.with_name(f"{model.stem}.labels.json")
    return own if own.is_file() else model.with_name("labels.json")


def read_labels(path: Path) -> ModelLabels:
    """Read a `labels.json`.

    Raises:
        SetupError: it is missing.
        InputError: it is not such a file, or names a label that does not exist.
    """
    try:
        labels = msgspec.json.decode(read_file(path).removeprefix(b"\xef\xbb\xbf"), type=ModelLabels)
    except OSError as error:
        raise SetupError(
            f"{path} can't be read ({error.strerror}): it names the outputs of the model beside it, "
            'e.g. {"labels": ["with_mask", "without_mask"]}'
        ) from error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{path} does not describe a model: {error}") from error
    for name in labels.labels:
        if name is not None and name not in NAMES:
            raise InputError(
                f"{path.name} names an unknown label {name!r}: choose from {', '.join(NAMES)}, or null for an output "
                "to leave out"
            )
    size = labels.image_size
    if not (0.01 <= labels.temperature <= 100 and (size is None or 16 <= size <= 1024) and 0 <= labels.margin <= 2):
        raise InputError(f"{path}: temperature is 0.01 to 100, image_size 16 to 1024, margin 0 to 2")
    stated = labels.scale is not None or labels.offset is not None
    if stated and labels.rescale is not None:
        raise InputError(f"{path} gives rescale and scale or offset: give one of them")
    if stated:
        scale, offset = _factors(labels)
        if not (np.isfinite(scale).all() and np.isfinite(offset).all() and scale.all()):
            raise InputError(f"{path}: scale and offset must be numbers that float32 holds, and scale not 0")
    return labels


def _factors(labels: ModelLabels) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    scale, offset = RESCALES[labels.rescale or "0-255"]
    if labels.scale is not None or labels.offset is not None:
        scale = 1.0 if labels.scale is None else labels.scale
        offset = 0.0 if labels.offset is None else labels.offset
    with np.errstate(over="ignore"):
        return np.asarray(scale, np.float32), np.asarray(offset, np.float32)


def read_model(path: Path) -> bytes:
    """The content of a model file.

    Raises:
        SetupError: it can't be read.
    """
    try:
        return read_file(path)
    except OSError as error:
        raise SetupError(f"the classifier model {path} can't be read: {error.strerror}") from error


def check_sha256(labels: ModelLabels, model: Path, digest: str) -> None:
    """Make sure that a model file is the one that its labels speak of, where they name any.

    Args:
        labels: from the file beside it.
        model: its path.
        digest: its sha256.

    Raises:
        InputError: it is another one.
    """
    stated = labels.files.get(model.name)
    known = {stated} if stated is not None else {*labels.files.values(), labels.sha256} - {None}
    # The old form names one sum, and that is the LiteRT file's.
    if model.suffix != ".tflite" and stated is None:
        return
    if known and digest not in known:
        raise InputError(
            f"{model} is not the model that {labels_path(model).name} beside it describes: their sha256 differ"
        )


class Outputs:
    """Turns what a model gives into probabilities of our labels."""

    def __init__(self, labels: ModelLabels, model: Path, count: int, activation: Activation) -> None:
        """Match labels and outputs.

        Args:
            labels: from the file beside the model.
            model: its path, for messages.
            count: of its outputs.
            activation: how they are to be read.

        Raises:
            InputError: the number of outputs is wrong.
        """
        if len(set(labels.labels) - {None, NOT_A_FACE}) < 2:
            where = labels_path(model)
            raise InputError(f"{where} must name the label of each output once, and at least two labels of faces")
        self._single = count == 1 and len(labels.labels) == 2
        if count != len(labels.labels) and not self._single:
            outputs = f"{count} output{'s' if count != 1 else ''}"
            raise InputError(f"{model} has {outputs}, but labels.json names {len(labels.labels)}")
        if self._single and activation == "softmax":
            raise InputError(
                f"{model} has one output, whose softmax is always 1: give a model with a sigmoid or with two outputs"
            )
        self._model, self._activation, self._temperature = model, activation, labels.temperature
        self._columns = [None if name is None else NAMES.index(name) for name in labels.labels]

    @property
    def columns(self) -> list[int | None]:
        """The place among `NAMES` of each output."""
        return self._columns

    def probabilities(self, outputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """(N, outputs) values of the model give (N, 4) probabilities; labels without an output have exactly 0.

        Raises:
            InputError: the model gave something that is no number.
        """
        if not np.isfinite(outputs).all():
            raise InputError(f"{self._model} gives values that are no numbers: the model is damaged")
        shares = self._shares(outputs)
        if self._single:
            shares = np.concatenate([shares, 1.0 - shares], axis=1)
        summed = np.zeros((len(outputs), len(NAMES)), np.float32)
        for place, column in enumerate(self._columns):
            if column is not None:
                summed[:, column] += shares[:, place]
        if self._activation == "logits" and not self._single and None not in self._columns:
            return summed
        named = [column in self._columns for column in range(len(NAMES))]
        # Where all went to outputs that are left out, nothing is known.
        total = summed.sum(axis=1, keepdims=True)
        even = np.asarray(named, np.float32) / sum(named)
        return np.where(total > 1e-6, summed / np.maximum(total, 1e-6), even).astype(np.float32)

    def _shares(self, outputs: NDArray[np.float32]) -> NDArray[np.float32]:
        if self._activation != "logits":
            return np.clip(outputs, 0.0, 1.0)
        scaled = outputs / np.float32(self._temperature)
        if self._single:
            return np.asarray(0.5 + 0.5 * np.tanh(0.5 * scaled), np.float32)
        powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float32)

    def maps(self, cam: NDArray[np.float32]) -> NDArray[np.float32]:
        """(N, h, w, outputs) activation maps in the order of our labels, (N, h, w, 4); 0 for labels without an output."""
        ordered = np.zeros((*cam.shape[:3], len(NAMES)), np.float32)
        for place, column in enumerate(self._columns):
            if column is not None:
                ordered[..., column] += cam[..., place]
        return ordered


class Preparation:
    """Turns crops into a model's input values."""

    def __init__(self, labels: ModelLabels) -> None:
        """Take what the labels state."""
        self._scale, self._offset = _factors(labels)
        self._flipped = (labels.channels or ("bgr" if labels.rescale == "caffe" else "rgb")) == "bgr"
        self.untouched = bool((self._scale == 1.0).all() and (self._offset == 0.0).all())
        """Pixel values go in as they are."""

    @property
    def says(self) -> str:
        """What becomes of pixel values, in words."""
        colours = "BGR" if self._flipped else "RGB"
        if self.untouched:
            return f"{colours}, pixel values 0-255 go in as they are; what scales them is part of the model"
        scale, offset = (
            ", ".join(f"{value:.6g}" for value in np.atleast_1d(each)) for each in (self._scale, self._offset)
        )
        return f"{colours}, pixel values 0-255 are multiplied by {scale}, then {offset} is added, before they go in"

    def ordered(self, crops: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """(N, size, size, 3) uint8 RGB in the model's order of colours."""
        return np.ascontiguousarray(crops[..., ::-1]) if self._flipped else crops

    def values(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(N, size, size, 3) uint8 RGB as the float32 values that the model takes."""
        pixels = self.ordered(crops).astype(np.float32)
        return pixels if self.untouched else pixels * self._scale + self._offset
