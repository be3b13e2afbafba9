"""On what the classifier runs: chosen by what is there, in fixed shapes, and with the same answers."""

import json
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import classify.backend
from classify.backend import SHAPES, Opened, open_classifier
from classify.classifier import SHIPPED_MODEL
from classify.keras_batches import in_shapes
from infra.models import open_face_classifier
from infra.settings import load_settings
from storage.errors import InputError, SetupError
from tests.tiny_models import tiny_litert

pytestmark = pytest.mark.filterwarnings("ignore")

LABELS = ["with_mask", "without_mask", "incorrect_mask", "not_a_face"]
SIZE = 64


@pytest.mark.parametrize(
    ("count", "into"),
    [
        (0, []),
        (1, [8]),
        (8, [8]),
        (12, [8, 8]),
        (20, [32]),
        (40, [32, 8]),
        (70, [128]),
        (128, [128]),
        (200, [128, 128]),
        (300, [128, 128, 32, 8, 8]),
    ],
)
def test_any_number_of_faces_goes_into_few_fixed_shapes(count: int, into: list[int]) -> None:
    parts = list(in_shapes(count, SHAPES))
    assert [shape for *_, shape in parts] == into
    assert [place for start, end, _ in parts for place in range(start, end)] == list(range(count))
    assert all(end - start <= shape for start, end, shape in parts)


def test_one_shape_takes_everything() -> None:
    assert list(in_shapes(17, (8,))) == [(0, 8, 8), (8, 16, 8), (16, 17, 8)]


def litert_model(folder: Path) -> Path:
    path = tiny_litert(folder / "m.tflite", np.eye(4, 3))
    (folder / "labels.json").write_text(json.dumps({"labels": LABELS}))
    return path


def test_without_a_gpu_litert_runs_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("classify.backend.GPU_DEVICES", ())
    (tmp_path / "m.keras").write_bytes(b"")
    opened = open_classifier(litert_model(tmp_path))
    assert (opened.classifier.backend, opened.device, opened.why) == ("litert", "litert on cpu", "there is no GPU")
    assert opened.gather_s == 0.0


@pytest.mark.parametrize(
    ("there", "installed", "gpus", "why"),
    [
        (False, True, ["H"], "there is no m.keras for the GPU"),
        (True, False, ["H"], "TensorFlow is not installed"),
        (True, True, [], "TensorFlow finds no GPU it can use"),
    ],
)
def test_with_a_gpu_it_is_said_what_is_missing(
    there: bool, installed: bool, gpus: list[str], why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("classify.backend.GPU_DEVICES", ("null",))
    monkeypatch.setattr(classify.backend, "_is_installed", lambda: installed)
    monkeypatch.setattr(classify.backend, "_gpus", lambda: gpus)
    if there:
        (tmp_path / "m.keras").write_bytes(b"")
    opened = open_classifier(litert_model(tmp_path))
    assert (opened.device, opened.why) == ("litert on cpu", why)


def test_with_a_gpu_and_all_that_it_takes_tensorflow_is_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("classify.backend.GPU_DEVICES", ("null",))
    monkeypatch.setattr(classify.backend, "_is_installed", lambda: True)
    monkeypatch.setattr(classify.backend, "_gpus", lambda: ["H"])
    asked: list[tuple[Path, str]] = []

    def opened(path: Path, _: int, why: str) -> Opened:
        asked.append((path, why))
        return open_classifier(path, backend="litert")

    monkeypatch.setattr(classify.backend, "_on_tensorflow", opened)
    (tmp_path / "m.keras").write_bytes(b"")
    open_classifier(litert_model(tmp_path))
    assert asked == [(tmp_path / "m.keras", "there is a GPU")]


def test_what_is_asked_for_and_missing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"TensorFlow needs .*m\.keras, which is not there"):
        open_classifier(litert_model(tmp_path), backend="tensorflow")
    (tmp_path / "m.keras").write_bytes(b"")
    monkeypatch.setattr(classify.backend, "_is_installed", lambda: False)
    with pytest.raises(SetupError, match=r"TensorFlow is not installed.*MASKWATCH_CLASSIFY_BACKEND=litert"):
        open_classifier(tmp_path / "m.tflite", backend="tensorflow")
    (tmp_path / "m.tflite").unlink()
    with pytest.raises(InputError, match=r"LiteRT needs .*m\.tflite"):
        open_classifier(tmp_path / "m.keras", backend="litert")


def test_the_setting_reaches_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MASKWATCH_CLASSIFY_BACKEND", "tensorflow")
    with pytest.raises(InputError, match="TensorFlow needs"):
        open_face_classifier(load_settings())
    assert open_classifier(SHIPPED_MODEL, backend="litert").classifier.name


def network(keras: Any) -> Any:
    """A small network with what ours has: scaling, a convolution, depthwise ones, normalisation, pooling, logits."""
    keras.utils.set_random_seed(3)
    layers = keras.layers
    inputs = keras.Input((SIZE, SIZE, 3))
    x = layers.Rescaling(1 / 127.5, offset=-1)(inputs)
    for filters in (16, 24, 32):
        x = layers.Conv2D(filters, 3, strides=2, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization(momentum=0.7)(x)
        x = layers.ReLU(6.0)(x)
        x = layers.DepthwiseConv2D(3, padding="same")(x)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, {"logits": layers.Dense(4, name="logits")(x)})


def faces(count: int, seed: int = 5) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Pictures of four kinds, with noise: (N, SIZE, SIZE, 3) and their kind."""
    dice = np.random.default_rng(seed)
    kinds = dice.integers(0, 4, count)
    colours = np.array([[200, 60, 60], [60, 200, 60], [60, 60, 200], [150, 150, 60]])[kinds]
    noisy = colours[:, None, None] + dice.normal(0, 45, (count, SIZE, SIZE, 3))
    return np.clip(noisy, 0, 255).astype(np.uint8), kinds


@pytest.mark.slow
def test_tensorflow_says_what_litert_says(keras: Any, tmp_path: Path) -> None:
    """The same network, trained for a moment so that its labels are no coin tosses, in both forms."""
    import tensorflow as tf

    from classify.keras_model import TensorFlowClassifier

    model = network(keras)
    pictures, kinds = faces(512)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss={"logits": loss}, jit_compile=False)
    model.fit(pictures.astype(np.float32), {"logits": kinds}, epochs=8, batch_size=64, verbose=0)
    model.save(tmp_path / "m.keras")
    model.export(tmp_path / "saved", verbose=False)
    converter = tf.lite.TFLiteConverter.from_saved_model(str(tmp_path / "saved"))
    (tmp_path / "m.tflite").write_bytes(converter.convert())
    (tmp_path / "labels.json").write_text(json.dumps({"labels": LABELS, "activation": "logits"}))
    lite = open_classifier(tmp_path / "m.tflite", backend="litert").classifier
    opened = open_classifier(tmp_path / "m.tflite", backend="tensorflow")
    assert opened.device.startswith("tensorflow on ")
    assert opened.classifier.backend == "tensorflow"
    crops, truth = faces(333, seed=9)
    expected = lite.classify(crops).argmax(1)
    assert (expected == truth).mean() > 0.9
    for counts in ([333], [1, 7, 8, 9, 33, 100, 175]):
        starts = np.cumsum([0, *counts])
        parts = [opened.classifier.classify(crops[a:b]) for a, b in pairwise(starts)]
        said = np.concatenate(parts)
        assert (said.argmax(1) == expected).mean() >= 0.99
        np.testing.assert_allclose(said.sum(1), 1.0, atol=1e-5)
    # In 16 bits, as on a GPU: here it is only slower.
    mixed = TensorFlowClassifier(tmp_path / "m.keras", batches=SHAPES, mixed=True)
    kept = {layer.compute_dtype for layer in mixed._model.layers}
    assert kept == {"float16", "float32"}
    assert (mixed.classify(crops).argmax(1) == expected).mean() >= 0.99


def test_tensorflow_is_not_imported_where_it_is_not_used() -> None:
    program = "import sys, infra.roles, infra.models, classify.worker; print('tensorflow' in sys.modules, 'keras' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
