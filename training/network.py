"""The classifier as a Keras 3 model: a backbone, one 1x1 convolution, the mean over the map.

The convolution's output is the class activation map (Zhou et al., "Learning Deep Features for Discriminative
Localization", 2016): a logit is the mean of its map, so the map is Grad-CAM up to scale and costs nothing.
"""

from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from classify.keras_model import load_keras
from storage.errors import InputError
from training.backbones import BACKBONES, backbone_of, keras_module, make_backbone
from training.devices import number_format
from training.labels import LABELS

__all__ = [
    "BACKBONES", "build", "in_columns", "keras_module", "logits_model", "shift_logits", "unfreeze",
]  # fmt: skip

DROPOUT: Final = 0.25


def build(
    image_size: int,
    weights: Path | str | None,
    *,
    backbone: str = "mobilenetv2",
    labels: tuple[str, ...] = LABELS,
    policy: str = "float32",
) -> Any:
    """A `keras.Model` from (N, image_size, image_size, 3) RGB with values 0-255 to two outputs.

    Outputs are `logits` (N, labels), before any temperature, and `cam` (N, h, w, labels), of which `logits` is the
    mean over h and w; both float32. The rescaling to [-1, 1] is part of the model.

    Args:
        image_size: side of the input in pixels.
        weights: Keras weights of the backbone without its top, or a `.keras` file that an earlier training left, to go
            on from; "imagenet" takes the weights that Keras downloads; None starts by chance.
        backbone: one of `BACKBONES`.
        labels: of the outputs, in their order.
        policy: Keras' number format for the layers between.

    Raises:
        UsageError: the backbone is unknown.
        InputError: the file holds weights of another network.
        SetupError: no weights could be had.
    """
    keras, kind = keras_module(), backbone_of(backbone)
    earlier = weights if isinstance(weights, Path) and weights.suffix == ".keras" else None
    with number_format(policy):
        base = make_backbone(keras, kind, image_size, None if earlier is not None else weights)
        inputs = keras.Input((image_size, image_size, 3), name="pictures")
        features = base(keras.layers.Rescaling(1.0 / 127.5, offset=-1.0, name="to_minus_one_one")(inputs))
        features = keras.layers.Dropout(DROPOUT, name="dropout")(features)
        cam = keras.layers.Conv2D(len(labels), 1, name="cam", dtype="float32")(features)
        logits = keras.layers.GlobalAveragePooling2D(name="logits", dtype="float32")(cam)
        model = keras.Model(inputs, {"logits": logits, "cam": cam}, name="maskwatch")
    if earlier is not None:
        _take_over(model, earlier, f"{backbone} with {len(labels)} outputs")
    return model


def unfreeze(model: Any, backbone: str, blocks: int, *, train_norm: bool = False) -> None:
    """Make the head and the last `blocks` parts of the backbone trainable.

    Args:
        model: from `build`.
        backbone: its name.
        blocks: how many of `Backbone.stages`, from the output; 0 leaves the head alone.
        train_norm: also train batch normalisation. Not with given start weights: the pack's come with normalisation
            that is the identity (its statistics are folded into the weights), so training it would change scale at
            the first step.
    """
    keras, stages = keras_module(), backbone_of(backbone).stages
    base = _base(model)
    base.trainable = True
    reached = -1
    for layer in base.layers:
        while reached + 1 < len(stages) and layer.name.startswith(stages[reached + 1]):
            reached += 1
        trained = blocks > 0 and max(reached, 0) >= len(stages) - blocks
        layer.trainable = trained and (train_norm or not isinstance(layer, keras.layers.BatchNormalization))
    if blocks == 0:
        base.trainable = False


def shift_logits(model: Any, shift: NDArray[np.floating]) -> None:
    """Add a constant to each output's logit, (labels,); the class activation map moves with it."""
    cam = model.get_layer("cam")
    kernel, bias = cam.get_weights()
    cam.set_weights([kernel, bias + shift.astype(bias.dtype)])


def logits_model(model: Any) -> Any:
    """The same layers with the logits as only output, for training."""
    with number_format(_base(model).layers[-1].dtype_policy.name):
        return keras_module().Model(model.inputs, model.outputs[_logits_at(model)])


def in_columns(logits: NDArray[np.floating], labels: tuple[str, ...]) -> NDArray[np.float32]:
    """Logits (N, labels) in the four columns of `LABELS`; a label that the network lacks has -inf.

    >>> in_columns(np.array([[2.0, 1.0]]), ("with_mask", "without_mask")).tolist()
    [[2.0, 1.0, -inf, -inf]]
    """
    whole = np.full((len(logits), len(LABELS)), -np.inf, np.float32)
    whole[:, [LABELS.index(label) for label in labels]] = logits
    return whole


def _base(model: Any) -> Any:
    keras = keras_module()
    return next(layer for layer in model.layers if isinstance(layer, keras.Model))


def _logits_at(model: Any) -> int:
    return next(place for place, output in enumerate(model.outputs) if len(output.shape) == 2)


def _take_over(model: Any, path: Path, wanted: str) -> None:
    """Take the weights of an earlier training; a head for other labels starts anew."""
    try:
        earlier = load_keras(path)
        old, new = _base(earlier), _base(model)
        head = earlier.get_layer("cam").get_weights()
        body = old.get_weights()
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{path} is not the model.keras of an earlier training: {reason}") from error
    if [part.shape for part in body] != [part.shape for part in new.get_weights()]:
        raise InputError(
            f"{path} holds another network ({earlier.count_params()} weights) than {wanted} ({model.count_params()}): "
            "name its backbone with --backbone, or leave --weights out"
        )
    new.set_weights(body)
    cam = model.get_layer("cam")
    if head[0].shape == cam.get_weights()[0].shape:
        cam.set_weights(head)
