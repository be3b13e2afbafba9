"""The networks that a training can start from, by name: what each is made of, and where its start weights come from.

Every one takes RGB scaled to [-1, 1] and gives a feature map of 1/16 or 1/32 of the input's side.
"""

import os
import socket
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from storage.errors import InputError, SetupError, UsageError

DOWNLOAD_PATIENCE_S: Final = 30.0
"""A network that swallows packets must not hold a training up for ever."""

SCRATCH_MOMENTUM: Final = 0.9
"""Of batch normalisation that is trained: a short run has too few steps for the usual 0.99 or 0.999."""

_MOBILENET_STAGES: Final = ("Conv1", *(f"block_{number}_" for number in range(1, 17)))
_RESNET_STAGES: Final = ("conv1_", "conv2_", "conv3_", "conv4_", "conv5_")
_SMALL_STAGES: Final = ("stage_0_", "stage_1_", "stage_2_", "stage_3_", "stage_4_")
_SMALL_WIDTHS: Final = ((48,), (96, 96), (160, 160, 160), (256, 256, 256))


@dataclass(frozen=True, slots=True)
class Backbone:
    """One network by name.

    Attributes:
        name: as `--backbone` takes it.
        stages: prefix of the first layer's name of each part that `--unfreeze` counts, from input to output.
        unfreeze: how many of the last parts are fine-tuned unless told otherwise.
        weights_file: name of its ImageNet weights in a pack's `models` folder; None where there are no such weights.
        alpha: width of MobileNetV2.
        cut: the layer it ends with, where it is cut short; None otherwise.
    """

    name: str
    stages: tuple[str, ...]
    unfreeze: int
    weights_file: str | None
    alpha: float = 1.0
    cut: str | None = None


def _mobilenet(name: str, alpha: float, *, blocks: int = 17, cut: str | None = None) -> Backbone:
    stages, file = _MOBILENET_STAGES[:blocks], f"mobilenetv2_{alpha}_imagenet_no_top.weights.h5"
    return Backbone(name, stages, 14 - (17 - blocks), file, alpha, cut)


BACKBONES: Final = {
    found.name: found
    for found in (
        Backbone("small-cnn", _SMALL_STAGES, 5, None),
        _mobilenet("mobilenetv2", 1.0),
        _mobilenet("mobilenetv2-short", 1.0, blocks=16, cut="block_15_add"),
        _mobilenet("mobilenetv2-0.75", 0.75),
        _mobilenet("mobilenetv2-0.5", 0.5),
        _mobilenet("mobilenetv2-0.35", 0.35),
        Backbone("resnet50v2", _RESNET_STAGES, 3, "resnet50v2_imagenet_no_top.weights.h5"),
    )
}
"""By name. `mobilenetv2-short` ends before MobileNetV2's last block and convolution, which hold 40 % of its weights."""


def backbone_of(name: str) -> Backbone:
    """The backbone of that name.

    Raises:
        UsageError: there is none.
    """
    if name not in BACKBONES:
        raise UsageError(f"no backbone is called {name!r}: choose one of {', '.join(BACKBONES)}")
    return BACKBONES[name]


def make_backbone(keras: Any, backbone: Backbone, image_size: int, weights: Path | str | None) -> Any:
    """A `keras.Model` from (N, size, size, 3) in [-1, 1] to (N, h, w, C) features.

    Args:
        keras: the module.
        backbone: which.
        image_size: side of the input in pixels.
        weights: a file with the weights of the whole network without its top; "imagenet" for Keras' download; None for
            weights by chance.

    Raises:
        InputError: the file holds weights of another network.
        SetupError: the download failed, or there are no ImageNet weights of this network.
    """
    shape = (image_size, image_size, 3)
    if backbone.weights_file is None:
        base = _small_cnn(keras, shape)
        if weights == "imagenet":
            raise SetupError(f"{backbone.name} has no ImageNet weights: start it with --weights none")
    else:
        base = _application(keras, backbone, shape, "imagenet" if weights == "imagenet" else None)
    if isinstance(weights, Path):
        try:
            base.load_weights(str(weights))
        except Exception as error:
            raise InputError(f"{weights} does not hold weights of {backbone.name}: {_short(error)}") from error
    if weights is None:
        for layer in base.layers:
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.momentum = SCRATCH_MOMENTUM
    return base if backbone.cut is None else keras.Model(base.input, base.get_layer(backbone.cut).output)


def _application(keras: Any, backbone: Backbone, shape: tuple[int, int, int], weights: str | None) -> Any:
    applications = keras.applications
    try:
        with _patience(), _quietly():
            if backbone.name == "resnet50v2":
                return applications.ResNet50V2(input_shape=shape, include_top=False, weights=weights)
            return applications.MobileNetV2(input_shape=shape, include_top=False, weights=weights, alpha=backbone.alpha)
    except Exception as error:
        if weights is None:
            raise
        raise SetupError(
            f"the ImageNet start weights of {backbone.name} could not be downloaded ({_short(error)}): name a file of "
            f"them with --weights FILE, give a data pack that has models/{backbone.weights_file}, or start without any: "
            "--weights none, best with --backbone small-cnn"
        ) from error


@contextmanager
def _patience() -> Iterator[None]:
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(DOWNLOAD_PATIENCE_S)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


@contextmanager
def _quietly() -> Iterator[None]:
    """Keras tells of its download on standard output, where results go, and warns that weights for 224 px are taken."""
    with redirect_stdout(sys.stderr), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        yield


def _small_cnn(keras: Any, shape: tuple[int, int, int]) -> Any:
    """Depthwise separable convolutions in four stages, 0.25 million weights; the map has 1/16 of the input's side.

    Raises nothing; made to be trained from scratch in minutes (Howard et al., "MobileNets", 2017, for the layers).
    """
    layers = keras.layers

    def normed(features: Any, name: str) -> Any:
        features = layers.BatchNormalization(name=f"{name}_bn")(features)
        return layers.ReLU(6.0, name=f"{name}_relu")(features)

    inputs = keras.Input(shape)
    features = layers.Conv2D(24, 3, strides=2, padding="same", use_bias=False, name="stage_0_conv")(inputs)
    features = normed(features, "stage_0_conv")
    for stage, widths in enumerate(_SMALL_WIDTHS, 1):
        for block, width in enumerate(widths):
            name = f"stage_{stage}_{block}"
            before = features
            strides = 2 if block == 0 and stage < len(_SMALL_WIDTHS) else 1
            features = layers.DepthwiseConv2D(3, strides=strides, padding="same", use_bias=False, name=f"{name}_depth")(
                features
            )
            features = normed(features, f"{name}_depth")
            features = layers.Conv2D(width, 1, use_bias=False, name=f"{name}_mix")(features)
            features = normed(features, f"{name}_mix")
            if block:
                features = layers.Add(name=f"{name}_add")([before, features])
    return keras.Model(inputs, features, name="small_cnn")


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


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
