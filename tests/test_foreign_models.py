"""Models that somebody trained elsewhere, with a `labels.json` that says what their outputs mean."""

import json
import os
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from classify import keras_file
from classify.classifier import FaceClassifier, load_model
from classify.keras_file import refuse_code
from classify.labels_file import read_labels
from infra.cli import run
from storage.errors import InputError, SetupError
from tests.tiny_models import tiny_litert

pytestmark = pytest.mark.filterwarnings("ignore")

WITH, WITHOUT, INCORRECT, NO_FACE = range(4)


def described(model: Path, **labels: object) -> FaceClassifier:
    (model.parent / "labels.json").write_text(json.dumps(labels))
    return load_model(model)


def coloured(red: int, green: int, blue: int, count: int = 1) -> NDArray[np.uint8]:
    return np.full((count, 16, 16, 3), (red, green, blue), np.uint8)


def softmax(*scores: float) -> list[float]:
    powers = np.exp(np.array(scores) - max(scores))
    return [float(power) for power in powers / powers.sum()]


def test_two_softmax_outputs_are_taken_as_they_are_and_never_say_incorrect(tmp_path: Path) -> None:
    model = tiny_litert(tmp_path / "m.tflite", [[1, 0, 0], [0, 1, 0]], last="SOFTMAX")
    classifier = described(model, labels=["without_mask", "with_mask"], rescale="0-1")
    shares = classifier.classify(coloured(255, 51, 0, 21))
    first, second = softmax(1.0, 0.2)
    assert shares.shape == (21, 4)
    np.testing.assert_allclose(shares, np.tile([second, first, 0, 0], (21, 1)), atol=1e-6)
    assert (shares[:, [INCORRECT, NO_FACE]] == 0).all()
    assert (classifier.image_size, classifier.backend, classifier.rejects_false_alarms) == (16, "litert", False)


def test_one_sigmoid_is_the_probability_of_the_first_label(tmp_path: Path) -> None:
    model = tiny_litert(tmp_path / "m.tflite", [[1, 0, 0]], last="LOGISTIC")
    shares = described(model, labels=["with_mask", "without_mask"], rescale="0-1").classify(coloured(255, 0, 0))
    first = 1 / (1 + np.exp(-1.0))
    np.testing.assert_allclose(shares[0], [first, 1 - first, 0, 0], atol=1e-6)


def test_one_output_without_a_sigmoid_is_read_as_a_logit_or_as_stated(tmp_path: Path) -> None:
    model = tiny_litert(tmp_path / "m.tflite", [[0.8, 0, 0]])
    names = ["with_mask", "without_mask"]
    logit = described(model, labels=names, rescale="0-1").classify(coloured(255, 0, 0))
    np.testing.assert_allclose(logit[0, WITH], 1 / (1 + np.exp(-0.8)), atol=1e-6)
    share = described(model, labels=names, rescale="0-1", activation="sigmoid").classify(coloured(255, 0, 0))
    np.testing.assert_allclose(share[0], [0.8, 0.2, 0, 0], atol=1e-6)


def test_outputs_of_one_label_are_added_and_others_left_out(tmp_path: Path) -> None:
    model = tiny_litert(tmp_path / "m.tflite", [[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 0]], last="SOFTMAX")
    labels = ["with_mask", "with_mask", "without_mask", None]
    shares = described(model, labels=labels, rescale="0-1").classify(coloured(255, 0, 51))
    one, two, three, _ = softmax(1.0, 0.0, 0.2, 0.0)
    total = one + two + three
    np.testing.assert_allclose(shares[0], [(one + two) / total, three / total, 0, 0], atol=1e-6)


def test_where_all_goes_to_an_output_that_is_left_out_nothing_is_known(tmp_path: Path) -> None:
    model = tiny_litert(tmp_path / "m.tflite", [[0, 0, 0], [0, 0, 0], [1, 0, 0]], last="SOFTMAX")
    shares = described(model, labels=["with_mask", "without_mask", None]).classify(coloured(255, 0, 0))
    np.testing.assert_allclose(shares[0], [0.5, 0.5, 0, 0])


def test_independent_sigmoids_become_shares(tmp_path: Path) -> None:
    model = tiny_litert(tmp_path / "m.tflite", [[0, 0, 0], [1, 0, 0], [0, 1, 0]], last="LOGISTIC")
    labels = ["with_mask", "without_mask", "incorrect_mask"]
    shares = described(model, labels=labels, rescale="0-1").classify(coloured(255, 255, 0))
    high = 1 / (1 + np.exp(-1.0))
    np.testing.assert_allclose(shares[0, :3], np.array([0.5, high, high]) / (0.5 + 2 * high), atol=1e-6)


@pytest.mark.parametrize(
    ("stated", "red", "blue"),
    [
        ({}, 200.0, 100.0),
        ({"rescale": "0-255"}, 200.0, 100.0),
        ({"rescale": "0-1"}, 200 / 255, 100 / 255),
        ({"rescale": "-1-1"}, 200 / 127.5 - 1, 100 / 127.5 - 1),
        # The first channel that the model sees is blue then.
        ({"rescale": "caffe"}, 100 - 103.939, 200 - 123.68),
        ({"channels": "bgr"}, 100.0, 200.0),
        ({"scale": 0.5, "offset": -3}, 97.0, 47.0),
        ({"scale": [0.1, 1, 0.2], "offset": [1, 0, 2]}, 21.0, 22.0),
    ],
)
def test_pixels_are_prepared_as_stated(tmp_path: Path, stated: dict[str, object], red: float, blue: float) -> None:
    small = 0.01
    model = tiny_litert(tmp_path / "m.tflite", np.array([[small, 0, 0], [0, 0, small]]))
    shares = described(model, labels=["with_mask", "without_mask"], **stated).classify(coloured(200, 0, 100))
    np.testing.assert_allclose(shares[0, :2], softmax(small * red, small * blue), atol=1e-5)


def test_a_model_for_one_picture_at_a_time_takes_many(tmp_path: Path) -> None:
    model = tiny_litert(tmp_path / "m.tflite", [[1, 0, 0], [0, 1, 0]], last="SOFTMAX", batch=1)
    classifier = described(model, labels=["with_mask", "without_mask"], rescale="0-1")
    pictures = np.concatenate([coloured(red, 0, 0) for red in range(0, 250, 12)])
    alone = np.concatenate([classifier.classify(each[None]) for each in pictures])
    np.testing.assert_array_equal(classifier.classify(pictures), alone)
    assert classifier.explain(pictures) is None
    assert classifier.classify(pictures[:0]).shape == (0, 4)


def test_labels_of_a_models_own_go_before_those_of_the_folder(tmp_path: Path) -> None:
    model = tiny_litert(tmp_path / "m.tflite", [[1, 0, 0], [0, 1, 0]])
    (tmp_path / "m.labels.json").write_text('{"labels": ["with_mask", "without_mask"], "name": "mine"}')
    assert described(model, labels=["without_mask"]).name == "mine"


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ({"labels": ["with_mask", "mask"]}, "unknown label 'mask'"),
        ({"labels": ["with_mask", None]}, "at least two labels of faces"),
        ({"labels": ["with_mask", "without_mask", None]}, "has 2 outputs, but labels.json names 3"),
        ({"labels": ["with_mask", "without_mask"], "rescale": "0-2"}, "does not describe a model"),
        ({"labels": ["with_mask", "without_mask"], "rescale": "0-1", "scale": 2}, "give one of them"),
        ({"labels": ["with_mask", "without_mask"], "image_size": 32}, "for 32 px pictures"),
        ({"labels": ["with_mask", "without_mask"], "files": {"m.tflite": "00"}}, "sha256 differ"),
        ({"labels": ["with_mask", "without_mask"], "files": {"other.tflite": "00"}}, "sha256 differ"),
    ],
)
def test_labels_that_do_not_fit_are_refused(tmp_path: Path, labels: dict[str, object], message: str) -> None:
    model = tiny_litert(tmp_path / "m.tflite", [[1, 0, 0], [0, 1, 0]])
    with pytest.raises(InputError, match=message):
        described(model, **labels)


@pytest.mark.parametrize(
    "stated", ['"scale": 0', '"scale": [1, 0, 1]', '"scale": 1e300', '"offset": -1e39', '"scale": 1e-60']
)
def test_factors_that_make_no_pixels_are_refused(tmp_path: Path, stated: str) -> None:
    (tmp_path / "labels.json").write_text('{"labels": ["with_mask", "without_mask"], ' + stated + "}")
    with pytest.raises(InputError, match="and scale not 0"):
        read_labels(tmp_path / "labels.json")


def test_labels_in_any_bytes_are_read_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "labels.json"
    path.write_bytes(b'\xef\xbb\xbf{"labels": ["with_mask", "without_mask"]}')
    assert read_labels(path).labels == ("with_mask", "without_mask")
    for content in (b'{"labels": ["\xff\xfe"]}', b'{"\xff": 1}', b'{"x": ' + b"[" * 100_000, b"\xff\xfe{"):
        path.write_bytes(content)
        with pytest.raises(InputError, match="does not describe a model"):
            read_labels(path)


def test_a_pipe_is_no_model(tmp_path: Path) -> None:
    for name in ("m.tflite", "m.keras", "labels.json"):
        os.mkfifo(tmp_path / name)
    for name in ("m.tflite", "m.keras"):
        with pytest.raises(SetupError, match="not a file"):
            load_model(tmp_path / name)
    with pytest.raises(SetupError, match="not a file"):
        read_labels(tmp_path / "labels.json")


def test_a_folder_with_one_model_stands_for_it(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds no \.tflite file"):
        load_model(tmp_path)
    described(tiny_litert(tmp_path / "m.tflite", [[1, 0, 0], [0, 0, 1]]), labels=["with_mask", "without_mask"])
    assert load_model(tmp_path).name == "m"
    (tmp_path / "n.tflite").write_bytes(b"x")
    with pytest.raises(InputError, match=r"holds m\.tflite, n\.tflite: name one"):
        load_model(tmp_path)


def test_a_single_softmax_is_refused(tmp_path: Path) -> None:
    model = tiny_litert(tmp_path / "m.tflite", [[1, 0, 0]], last="SOFTMAX")
    with pytest.raises(InputError, match="has one output, whose softmax is always 1"):
        described(model, labels=["with_mask", "without_mask"])


def test_values_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    model = tiny_litert(tmp_path / "m.tflite", np.array([[np.nan, 0, 0], [0, 1, 0]]))
    with pytest.raises(InputError, match="no numbers"):
        described(model, labels=["with_mask", "without_mask"]).classify(coloured(1, 1, 1))


def test_files_that_are_no_models_are_refused(tmp_path: Path) -> None:
    for name, content, error, message in (
        ("m.tflite", b"no model", InputError, "not a LiteRT face classifier"),
        ("m.keras", b"no model", InputError, "not a .keras file"),
        ("m.h5", b"no model", InputError, "neither a .tflite nor a .keras file"),
        ("missing.tflite", None, SetupError, "can't be read"),
        ("missing.keras", None, SetupError, "can't be read"),
    ):
        if content is not None:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(error, match=message):
            described(tmp_path / name, labels=["with_mask", "without_mask"])


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        ({"module": "keras.layers", "class_name": "Lambda"}, "has a Lambda layer, which runs code"),
        ({"module": "keras.layers", "class_name": "TFSMLayer"}, "runs code"),
        ({"module": "os", "class_name": "system"}, "needs os.system, which is not part of Keras"),
        ({"module": "keras.utils", "class_name": "get_file"}, "needs keras.utils.get_file, which is not part of"),
        ({"module": "keras.utils", "class_name": "function", "config": "get_file"}, "needs keras.utils.get_file"),
        ({"module": "keras.src.utils.file_utils", "class_name": "get_file"}, "not part of"),
        ({"module": "keras.layers", "class_name": "deserialize"}, "needs keras.layers.deserialize"),
        ({"module": "keras.models", "class_name": "load_model"}, "needs keras.models.load_model"),
        ({"module": "keras.saving", "class_name": "load_model"}, "not part of"),
        ({"module": "keras_hub.models", "class_name": "Backbone"}, "not part of"),
        ({"module": "builtins", "class_name": "function", "config": "breakpoint"}, "needs builtins.breakpoint"),
        ({"module": "keras.layers", "class_name": "StringLookup"}, "needs keras.layers.StringLookup"),
    ],
)
def test_keras_files_that_would_run_code_are_refused_unopened(
    tmp_path: Path, layer: dict[str, str], message: str
) -> None:
    with zipfile.ZipFile(tmp_path / "m.keras", "w") as archive:
        archive.writestr("config.json", json.dumps({"config": {"layers": [{"config": {"inner": layer}}]}}))
    with pytest.raises(InputError, match=message):
        described(tmp_path / "m.keras", labels=["with_mask", "without_mask"])


def test_keras_parts_of_a_network_are_let_in(tmp_path: Path) -> None:
    parts = [
        ("keras.layers", "Dense"), ("keras.src.layers.core.dense", "Dense"), ("keras", "Sequential"),
        ("keras.src.models.functional", "Functional"), ("keras", "DTypePolicy"), ("keras.optimizers", "Adam"),
        ("keras.initializers", "GlorotUniform"), ("keras.regularizers", "L2"), ("keras.src.ops.numpy", "Add"),
        ("builtins", "function"), (None, "__keras_tensor__"),
    ]  # fmt: skip
    layers = [{"module": module, "class_name": name, "config": "relu"} for module, name in parts]
    with zipfile.ZipFile(tmp_path / "m.keras", "w") as archive:
        archive.writestr("config.json", json.dumps({"config": {"layers": layers}}))
    refuse_code(tmp_path / "m.keras")


def test_a_keras_file_that_would_fill_the_memory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with zipfile.ZipFile(tmp_path / "m.keras", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", "{}")
        archive.writestr("model.weights.h5", bytes(70_000_000))
    with pytest.raises(InputError, match="unpacked it would take 70 MB"):
        refuse_code(tmp_path / "m.keras")
    with zipfile.ZipFile(tmp_path / "n.keras", "w") as archive:
        archive.writestr("config.json", "{}")
        archive.writestr("model.weights.h5", bytes(2000))
    refuse_code(tmp_path / "n.keras")
    monkeypatch.setattr(keras_file, "MAX_UNPACKED_BYTES", 1000)
    with pytest.raises(InputError, match="unpacked it would take"):
        refuse_code(tmp_path / "n.keras")


def test_without_keras_the_way_out_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with zipfile.ZipFile(tmp_path / "m.keras", "w") as archive:
        archive.writestr("config.json", "{}")
    monkeypatch.setitem(sys.modules, "keras", None)
    with pytest.raises(SetupError, match="run `make setup-train`, or give a"):
        described(tmp_path / "m.keras", labels=["with_mask", "without_mask"])


def test_image_takes_such_a_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = tiny_litert(tmp_path / "m.tflite", [[1, 0, 0], [0, 0, 1]], last="SOFTMAX")
    (tmp_path / "labels.json").write_text('{"labels": ["with_mask", "without_mask"], "rescale": "0-1"}')
    Image.new("RGB", (64, 64), (255, 0, 0)).save(tmp_path / "red.png")
    assert run(["faces", str(tmp_path / "red.png"), "--model", str(model), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["label"] == "with_mask"
    assert said["probabilities"] == {"with_mask": 0.7311, "without_mask": 0.2689, "incorrect_mask": 0.0}


def keras_model(keras: Any, outputs: int, last: str | None, *, rescaled: bool = False) -> Any:
    """The mean colour, times fixed weights: red speaks for the first output, blue for the second."""
    inputs = keras.Input((16, 16, 3))
    pixels = keras.layers.Rescaling(1 / 255)(inputs) if rescaled else inputs
    dense = keras.layers.Dense(outputs, activation=last, use_bias=False, name="said")
    model = keras.Model(inputs, dense(keras.layers.GlobalAveragePooling2D()(pixels)))
    dense.set_weights([np.array([[1, 0], [0, 0], [0, 1]], np.float32)[:, :outputs]])
    return model


@pytest.mark.slow
def test_a_keras_model_with_two_softmax_outputs(keras: Any, tmp_path: Path) -> None:
    keras_model(keras, 2, "softmax").save(tmp_path / "m.keras")
    classifier = described(tmp_path / "m.keras", labels=["with_mask", "without_mask"], rescale="0-1")
    shares = classifier.classify(coloured(255, 0, 51, 11))
    np.testing.assert_allclose(shares, np.tile([*softmax(1.0, 0.2), 0, 0], (11, 1)), atol=1e-6)
    assert (classifier.backend, classifier.image_size, classifier.explain(coloured(0, 0, 0))) == ("keras", 16, None)
    assert classifier.classify(coloured(0, 0, 0, 0)).shape == (0, 4)


@pytest.mark.slow
def test_a_keras_model_with_one_sigmoid_and_its_preprocessing_inside(keras: Any, tmp_path: Path) -> None:
    keras.Sequential([keras_model(keras, 1, "sigmoid", rescaled=True)]).save(tmp_path / "m.keras")
    shares = described(tmp_path / "m.keras", labels=["without_mask", "with_mask"]).classify(coloured(255, 0, 0))
    first = 1 / (1 + np.exp(-1.0))
    np.testing.assert_allclose(shares[0], [1 - first, first, 0, 0], atol=1e-6)


@pytest.mark.slow
def test_keras_faces_get_the_same_bits_in_any_company(keras: Any, tmp_path: Path) -> None:
    keras_model(keras, 2, None).save(tmp_path / "m.keras")
    classifier = described(tmp_path / "m.keras", labels=["with_mask", "without_mask"], rescale="-1-1")
    pictures = np.random.default_rng(0).integers(0, 256, (19, 16, 16, 3), np.uint8)
    alone = np.concatenate([classifier.classify(each[None]) for each in pictures])
    np.testing.assert_array_equal(classifier.classify(pictures), alone)


@pytest.mark.slow
@pytest.mark.parametrize(("outputs", "last"), [(2, "softmax"), (1, "sigmoid"), (2, None)])
def test_what_the_converter_makes_of_it_says_the_same(
    keras: Any, tmp_path: Path, outputs: int, last: str | None
) -> None:
    import tensorflow as tf

    model = keras_model(keras, outputs, last)
    model.save(tmp_path / "m.keras")
    (tmp_path / "m.tflite").write_bytes(tf.lite.TFLiteConverter.from_keras_model(model).convert())
    pictures = np.random.default_rng(0).integers(0, 256, (5, 16, 16, 3), np.uint8)
    one, other = (
        described(tmp_path / name, labels=["with_mask", "without_mask"], rescale="0-1").classify(pictures)
        for name in ("m.keras", "m.tflite")
    )
    np.testing.assert_allclose(one, other, atol=1e-5)


@pytest.mark.slow
def test_a_lambda_layer_is_refused(keras: Any, tmp_path: Path) -> None:
    inputs = keras.Input((16, 16, 3))
    halved = keras.layers.Lambda(lambda value: value / 2, output_shape=(16, 16, 3))(inputs)
    keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(halved)).save(tmp_path / "m.keras")
    with pytest.raises(InputError, match="has a Lambda layer, which runs code"):
        described(tmp_path / "m.keras", labels=["with_mask", "without_mask", None])


@pytest.mark.slow
def test_a_keras_model_of_another_kind_is_refused(keras: Any, tmp_path: Path) -> None:
    keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]).save(tmp_path / "m.keras")
    with pytest.raises(InputError, match="one input that takes RGB pictures"):
        described(tmp_path / "m.keras", labels=["with_mask", "without_mask"])
    keras_model(keras, 2, None).save(tmp_path / "n.keras")
    with pytest.raises(InputError, match="has 2 outputs, but labels"):
        described(tmp_path / "n.keras", labels=["with_mask", "without_mask", "incorrect_mask"])
