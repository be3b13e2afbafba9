"""Where the network looks: gradient Grad-CAM, and the pictures of `maskwatch explain`."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from storage.errors import InputError
from tests.conftest import flat
from training.explanation import heat_maps
from training.gradcam import grad_cam, normalised, overlay

NEEDS_TRAINING_SET = "the training set is not installed: run `make setup-train`"


def noise(count: int, size: int = 32) -> NDArray[np.uint8]:
    return np.random.default_rng(count).integers(0, 256, (count, size, size, 3), np.uint8)


def features(keras: Any, size: int = 32) -> Any:
    """A small network of its own, to be part of another."""
    inputs = keras.Input((size, size, 3))
    hidden = keras.layers.Conv2D(8, 3, strides=4, activation="relu")(inputs)
    return keras.Model(inputs, hidden, name="base")


def head_of_maps(keras: Any) -> Any:
    inputs = keras.Input((32, 32, 3))
    hidden = features(keras)(keras.layers.Rescaling(1 / 127.5, offset=-1.0)(inputs))
    cam = keras.layers.Conv2D(4, 1, bias_initializer="normal", name="cam")(hidden)
    logits = keras.layers.GlobalAveragePooling2D(name="logits")(cam)
    return keras.Model(inputs, {"logits": logits, "cam": cam})


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_of_our_own_head_grad_cam_is_the_class_activation_map_but_for_a_positive_factor(keras: Any) -> None:
    keras.utils.set_random_seed(1)
    model, pictures, classes = head_of_maps(keras), noise(5), np.array([0, 1, 2, 3, 0])
    maps = np.asarray(model.predict_on_batch(pictures.astype(np.float32))["cam"])
    own = np.stack([each[:, :, label] for each, label in zip(maps, classes, strict=True)])
    factor = 1.0 / own[0].size
    np.testing.assert_allclose(grad_cam(model, pictures, classes, relu=False), factor * own, rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose(grad_cam(model, pictures, classes), factor * own.clip(0), rtol=1e-3, atol=1e-6)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_of_the_network_that_ships_it_is_the_same(keras: Any) -> None:
    from training.network import build

    keras.utils.set_random_seed(2)
    model = build(64, None)
    pictures, classes = noise(3, 64), np.array([0, 1, 2])
    maps = np.asarray(model.predict_on_batch(pictures.astype(np.float32))["cam"])
    own = np.stack([each[:, :, label] for each, label in zip(maps, classes, strict=True)])
    np.testing.assert_allclose(grad_cam(model, pictures, classes, relu=False) * own[0].size, own, rtol=1e-2, atol=1e-4)


def one_chain(keras: Any) -> Any:
    return keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            keras.layers.Conv2D(6, 3, strides=2, activation="relu"),
            keras.layers.MaxPooling2D(),
            keras.layers.Flatten(),
            keras.layers.Dense(2, activation="softmax"),
        ]
    )


def pooled_inside(keras: Any) -> Any:
    """As `keras.applications` with `pooling="avg"`: the map is only within the nested model."""
    base = features(keras)
    nested = keras.Model(base.inputs, keras.layers.GlobalAveragePooling2D()(base.outputs[0]))
    inputs = keras.Input((32, 32, 3))
    hidden = nested(keras.layers.Rescaling(1 / 255)(inputs))
    return keras.Model(inputs, keras.layers.Dense(3)(hidden))


def past_the_last_map(keras: Any) -> Any:
    """Scores that come from two maps, of which only the earlier one holds everything."""
    inputs = keras.Input((32, 32, 3))
    early = keras.layers.Conv2D(6, 3, strides=2)(inputs)
    late = keras.layers.Conv2D(6, 3, strides=2)(early)
    pooled = [keras.layers.GlobalAveragePooling2D()(each) for each in (early, late)]
    return keras.Model(inputs, keras.layers.Dense(3)(keras.layers.Concatenate()(pooled)))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("network", "side"), [(one_chain, 7), (pooled_inside, 8), (past_the_last_map, 15)], ids=lambda each: str(each)[:20]
)
def test_any_network_with_a_convolution_can_be_explained(keras: Any, network: Any, side: int) -> None:
    keras.utils.set_random_seed(3)
    heat = grad_cam(network(keras), noise(4), np.array([0, 1, 0, 1]), relu=False)
    assert heat.shape == (4, side, side)
    assert np.isfinite(heat).all()
    assert all(np.ptp(one) > 0 for one in heat)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_the_heat_is_where_the_class_is_decided(keras: Any) -> None:
    """A network whose second score is the redness of a picture looks at the red corner."""
    inputs = keras.Input((32, 32, 3))
    red = keras.layers.Conv2D(1, 4, strides=4, use_bias=False)(inputs)
    scores = keras.layers.Dense(2, use_bias=False)(keras.layers.GlobalAveragePooling2D()(red))
    model = keras.Model(inputs, scores)
    kernel = np.zeros((4, 4, 3, 1), np.float32)
    kernel[:, :, 0] = 1.0
    model.set_weights([kernel, np.array([[-1.0, 1.0]], np.float32)])
    picture = np.zeros((1, 32, 32, 3), np.uint8)
    picture[0, 20:28, 4:12, 0] = 255
    assert np.argwhere(grad_cam(model, picture, np.array([1]))[0] > 0).tolist() == [[5, 1], [5, 2], [6, 1], [6, 2]]
    assert grad_cam(model, picture, np.array([0])).max() == 0.0


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_network_without_a_convolution_is_refused(keras: Any) -> None:
    plain = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(2)])
    with pytest.raises(InputError, match="no convolution"):
        grad_cam(plain, noise(1, 8), np.array([0]))
    with pytest.raises(InputError, match="has 2 outputs, so there is no number 2"):
        grad_cam(one_chain(keras), noise(1), np.array([2]))


def test_heat_is_laid_over_a_picture_where_it_is_hot() -> None:
    heat = np.array([[-1.0, 0.0], [0.0, 4.0]], np.float32)
    assert normalised(heat).tolist() == [[0.0, 0.0], [0.0, 1.0]]
    assert normalised(-np.ones((2, 2))).max() == 0.0
    grey = flat((90, 90, 90), (40, 40))
    drawn = overlay(grey, heat)
    assert np.abs(drawn[:10, :10].astype(int) - 90).max() <= 1
    assert np.abs(drawn[35:, 35:].astype(int) - 90).min() > 10
    np.testing.assert_array_equal(overlay(grey, np.zeros((2, 2), np.float32)), grey)


class Silent:
    """A classifier whose file has no activation maps."""

    name, sha256, backend = "silent", "", "test"
    image_size, margin, rejects_false_alarms = 32, 0.25, True

    def classify(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        return np.tile(np.array([0.7, 0.1, 0.1, 0.1], np.float32), (len(crops), 1))

    def explain(self, crops: NDArray[np.uint8]) -> NDArray[np.float32] | None:  # noqa: ARG002
        return None


def test_a_model_without_maps_explains_nothing() -> None:
    assert heat_maps(Silent(), noise(2), np.array([0, 1])) is None


def test_a_photo_is_written_with_heat_on_its_face(maskwatch: Any, photo: Path, tmp_path: Path) -> None:
    status, out, err = maskwatch("explain", photo, "--out", tmp_path / "new" / "heat.png")
    assert (status, "without_mask: hottest at" in out) == (0, True)
    assert "yellow speaks most" in err
    picture = Image.open(tmp_path / "new" / "heat.png").convert("RGB")
    assert picture.width == picture.height >= 512
    plain = np.asarray(Image.open(photo), int)
    changed = np.abs(np.asarray(picture.resize((512, 512)), int) - plain).max(2) > 25
    assert changed[60:200, 150:300].mean() > 0.3
    assert changed[450:, :50].mean() < 0.05


def test_json_says_what_is_explained_and_where(maskwatch: Any, photo: Path, tmp_path: Path) -> None:
    status, out, err = maskwatch("explain", photo, "--out", tmp_path / "x.jpg", "--class", "with_mask", "--json")
    assert (status, err) == (0, "")
    found = json.loads(out)
    assert list(found) == ["image", "width", "height", "out", "faces"]
    face = max(found["faces"], key=lambda face: face["detection_score"])
    assert (face["label"], face["explained"]) == ("without_mask", "with_mask")
    assert {"box", "detection_score", "confidence", "unknown_reason", "probabilities", "square", "heat"} <= set(face)
    side = face["square"][2]
    assert side == pytest.approx(1.5 * max(face["box"][2:]), abs=2)
    assert len(face["heat"]) == len(face["heat"][0])


def test_a_crop_needs_no_detection(maskwatch: Any, tmp_path: Path, astronaut: NDArray[np.uint8]) -> None:
    Image.fromarray(astronaut[40:200, 150:310]).save(tmp_path / "crop.png")
    out_file = tmp_path / "heat.jpg"
    status, out, _ = maskwatch("explain", tmp_path / "crop.png", "--crop", "--out", out_file, "--json")
    assert status == 0
    assert [face["box"] for face in json.loads(out)["faces"]] == [[0, 0, 160, 160]]
    assert out_file.is_file()


def test_wrong_calls_and_pictures_without_faces_are_told_in_one_sentence(
    maskwatch: Any, photo: Path, tmp_path: Path
) -> None:
    target = tmp_path / "out.jpg"
    Image.fromarray(flat(size=(200, 200))).save(tmp_path / "grey.png")
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    (tmp_path / "file").write_text("")
    for status, message, arguments in (
        (2, "there is no class 'hat': choose one of with_mask", (photo, "--out", target, "--class", "hat")),
        (2, "must end in .jpg or .png", (photo, "--out", tmp_path / "out.gif")),
        (2, "would overwrite what is read", (photo, "--out", photo)),
        (1, "no face was found in", (tmp_path / "grey.png", "--out", target)),
        (1, "is not a picture", (tmp_path / "broken.jpg", "--out", target)),
        (1, "does not exist", (tmp_path / "missing.jpg", "--out", target)),
        (1, "cannot write", (photo, "--out", tmp_path / "file" / "out.jpg")),
    ):
        found, out, err = maskwatch("explain", *arguments)
        assert (found, out) == (status, ""), message
        assert message in err
        assert len(err.strip().splitlines()) == 1
    assert not target.exists()


def test_a_class_that_the_model_does_not_have_is_named(
    maskwatch: Any, photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.explanation.known_labels", lambda _: ("with_mask", "without_mask"))
    status, _, err = maskwatch("explain", photo, "--out", tmp_path / "x.jpg", "--class", "incorrect_mask")
    assert status == 1
    assert "has no output incorrect_mask: it knows with_mask, without_mask" in err


def test_explaining_a_litert_model_imports_no_training_set(photo: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from infra.cli import run; status = run(sys.argv[1:]); "
        "sys.exit(status or (3 if {'tensorflow', 'keras', 'matplotlib'} & set(sys.modules) else 0))"
    )
    call = [sys.executable, "-c", code, "explain", str(photo), "--out", str(tmp_path / "x.jpg")]
    assert subprocess.run(call, capture_output=True, check=False).returncode == 0


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("outputs", [2, 1])
def test_a_keras_model_of_somebody_else_is_explained(
    keras: Any, maskwatch: Any, photo: Path, tmp_path: Path, outputs: int
) -> None:
    keras.utils.set_random_seed(4)
    last = keras.layers.Dense(outputs, activation="softmax" if outputs > 1 else "sigmoid")
    layers = [keras.Input((64, 64, 3)), keras.layers.Rescaling(1 / 255), keras.layers.Conv2D(8, 3, strides=4)]
    keras.Sequential([*layers, keras.layers.Flatten(), last]).save(tmp_path / "own.keras")
    (tmp_path / "labels.json").write_text(json.dumps({"labels": ["without_mask", "with_mask"]}))
    call = ("explain", photo, "--model", tmp_path / "own.keras", "--out", tmp_path / "x.png", "--json")
    maps = []
    for label in ("with_mask", "without_mask"):
        status, out, _ = maskwatch(*call, "--class", label)
        assert status == 0
        maps.append(np.array(json.loads(out)["faces"][0]["heat"]))
    assert maps[0].shape == (16, 16)
    assert np.ptp(maps[0]) > 0
    if outputs == 1:
        np.testing.assert_allclose(maps[0], -maps[1], atol=1e-3)
    status, _, err = maskwatch(*call, "--class", "incorrect_mask")
    assert (status, "has no output incorrect_mask" in err) == (1, True)
