"""The classifier as a Keras 3 model: an ImageNet backbone, one 1x1 convolution, the mean over the map.

The convolution's output is the class activation map (Zhou et al., "Learning Deep Features for Discriminative
Localization", 2016): a logit is the mean of its map, so the map is Grad-CAM up to scale and costs nothing.
"""

import os
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from storage.errors import InputError, SetupError
from training.labels import LABELS

BACKBONES: Final = ("mobilenetv2",)
WEIGHTS_FILE: Final = "mobilenetv2_1.0_imagenet_no_top.weights.h5"
BLOCKS: Final = 17
"""Blocks of MobileNetV2 that can be fine-tuned: 16 numbered ones and the last convolution."""

DROPOUT: Final = 0.25


def keras_module() -> Any:
    """Import Keras, on the backend that `KERAS_BACKEND` names (TensorFlow by default).

    Raises:
        SetupError: the training set is not installed.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        import keras
    except ImportError as error:
        raise SetupError(f"training needs the training set ({error}): run `make setup-train`") from error
    return keras


def build(image_size: int, weights: Path | None, *, backbone: str = "mobilenetv2") -> Any:
    """A `keras.Model` from (N, image_size, image_size, 3) RGB with values 0-255 to two outputs.

    Outputs are `logits` (N, 4), before any temperature, and `cam` (N, h, w, 4), of which `logits` is the mean over h
    and w. The rescaling to [-1, 1] is part of the model.

    Args:
        image_size: side of the input in pixels, a multiple of 32 from 64 (or 112, 144, ... whatever rounds up).
        weights: Keras weights of the backbone without its top, or a `.keras` file that an earlier training left, to go
            on from; None takes the ImageNet weights that Keras downloads.
        backbone: one of `BACKBONES`.

    Raises:
        InputError: the backbone is unknown, or the file holds weights of another network.
        SetupError: no weights could be had.
    """
    keras = keras_module()
    if backbone not in BACKBONES:
        raise InputError(f"no backbone is called {backbone!r}: choose one of {', '.join(BACKBONES)}")
    shape = (image_size, image_size, 3)
    source = None if weights is not None else "imagenet"
    try:
        base = keras.applications.MobileNetV2(input_shape=shape, include_top=False, weights=source)
    except Exception as error:
        raise SetupError(
            f"the ImageNet start weights could not be downloaded ({str(error)[:200]}): give a data pack that has "
            f"models/{WEIGHTS_FILE}, or name a file"
        ) from error
    inputs = keras.Input(shape, name="pictures")
    features = base(keras.layers.Rescaling(1.0 / 127.5, offset=-1.0, name="to_minus_one_one")(inputs))
    features = keras.layers.Dropout(DROPOUT, name="dropout")(features)
    cam = keras.layers.Conv2D(len(LABELS), 1, name="cam")(features)
    logits = keras.layers.GlobalAveragePooling2D(name="logits")(cam)
    model = keras.Model(inputs, {"logits": logits, "cam": cam}, name="maskwatch")
    if weights is not None:
        try:
            if weights.suffix == ".keras":
                model.set_weights(keras.saving.load_model(weights).get_weights())
            else:
                base.load_weights(str(weights))
        except Exception as error:
            raise InputError(f"{weights} does not hold weights of {backbone}: {str(error)[:200]}") from error
    return model


def unfreeze(model: Any, blocks: int) -> None:
    """Make the head and the last `blocks` blocks of the backbone trainable; batch normalisation stays frozen.

    The start weights come with batch normalisation that is the identity (its statistics are folded into the weights),
    so training it would change scale at the first step.
    """
    keras = keras_module()
    base = next(layer for layer in model.layers if isinstance(layer, keras.Model))
    base.trainable = True
    first = f"block_{BLOCKS - blocks}_" if blocks < BLOCKS else ""
    reached = blocks >= BLOCKS
    for layer in base.layers:
        reached = reached or (blocks > 0 and (layer.name.startswith(first) or (blocks == 1 and layer.name == "Conv_1")))
        layer.trainable = reached and not isinstance(layer, keras.layers.BatchNormalization)
    if blocks == 0:
        base.trainable = False


def shift_logits(model: Any, shift: NDArray[np.floating]) -> None:
    """Add a constant to each class's logit, (4,); the class activation map moves with it."""
    cam = model.get_layer("cam")
    kernel, bias = cam.get_weights()
    cam.set_weights([kernel, bias + shift.astype(bias.dtype)])


def logits_model(model: Any) -> Any:
    """The same layers with the logits as only output, for training."""
    return keras_module().Model(model.inputs, model.outputs[_logits_at(model)])


def _logits_at(model: Any) -> int:
    return next(place for place, output in enumerate(model.outputs) if len(output.shape) == 2)
