"""The networks by name. Needs the training set, hence slow."""

import sys
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from storage.errors import InputError, SetupError, UsageError
from training.backbones import BACKBONES, backbone_of, make_backbone
from training.network import build, in_columns, logits_model, shift_logits, unfreeze
from training.targets import Targets

TWO = ("with_mask", "without_mask")

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def keras(keras: Any) -> Any:
    keras.utils.set_random_seed(0)
    return keras


def pictures(count: int = 2, size: int = 64) -> np.ndarray[Any, Any]:
    return np.random.default_rng(0).integers(0, 256, (count, size, size, 3)).astype(np.float32)


@pytest.mark.slow
@pytest.mark.parametrize("name", BACKBONES)
def test_every_backbone_gives_logits_that_are_the_mean_of_the_map(keras: Any, name: str) -> None:
    model = build(64, None, backbone=name, labels=TWO)
    said = model.predict_on_batch(pictures())
    assert said["logits"].shape == (2, 2)
    np.testing.assert_allclose(said["cam"].mean((1, 2)), said["logits"], atol=1e-4)


@pytest.mark.slow
def test_the_small_one_is_small_and_the_short_one_fits_beside_itself(keras: Any) -> None:
    sizes = {name: build(64, None, backbone=name).count_params() for name in ("small-cnn", "mobilenetv2-short")}
    assert 200_000 <= sizes["small-cnn"] <= 400_000
    assert sizes["mobilenetv2-short"] * 3 < 5_000_000  # a byte each in int8 and two in float16


@pytest.mark.slow
@pytest.mark.parametrize("name", BACKBONES)
def test_unfreezing_goes_from_the_output_by_parts(keras: Any, name: str) -> None:
    model = build(64, None, backbone=name)
    everything = len(backbone_of(name).stages)
    counts = []
    for blocks in range(everything + 1):
        unfreeze(model, name, blocks)
        counts.append(len(logits_model(model).trainable_variables))
    assert counts[0] == 2
    assert counts == sorted(set(counts))
    kernels = [each for each in model.variables if "kernel" in each.path.rsplit("/", 1)[-1]]
    # Some convolutions have a bias of their own besides.
    assert counts[-1] >= len(kernels) + 1
    unfreeze(model, name, everything, train_norm=True)
    assert len(logits_model(model).trainable_variables) == len(model.trainable_variables) > counts[-1]


@pytest.mark.slow
def test_batch_normalisation_stays_as_the_start_weights_have_it(keras: Any) -> None:
    model = build(64, None, backbone="mobilenetv2-0.35")
    unfreeze(model, "mobilenetv2-0.35", 17)
    trained = logits_model(model)
    trained.compile("sgd", "mse")
    norm = next(layer for layer in model.layers if isinstance(layer, keras.Model)).get_layer("bn_Conv1")
    before = norm.get_weights()
    trained.train_on_batch(pictures(), np.ones((2, 4), np.float32))
    for one, other in zip(before, norm.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.slow
def test_weights_of_the_whole_network_start_the_short_one(keras: Any, tmp_path: Path) -> None:
    whole = keras.applications.MobileNetV2(input_shape=(64, 64, 3), include_top=False, weights=None)
    whole.save_weights(tmp_path / "x.weights.h5")
    model = build(64, tmp_path / "x.weights.h5", backbone="mobilenetv2-short")
    base = next(layer for layer in model.layers if isinstance(layer, keras.Model))
    for name in ("Conv1", "block_15_project"):
        np.testing.assert_array_equal(base.get_layer(name).get_weights()[0], whole.get_layer(name).get_weights()[0])


@pytest.mark.slow
def test_an_earlier_training_goes_on_with_other_labels_but_not_as_another_network(keras: Any, tmp_path: Path) -> None:
    four = build(64, None, backbone="small-cnn")
    shift_logits(four, np.ones(4))
    four.save(tmp_path / "model.keras")
    again = build(64, tmp_path / "model.keras", backbone="small-cnn")
    np.testing.assert_array_equal(again.predict_on_batch(pictures())["cam"], four.predict_on_batch(pictures())["cam"])
    two = build(64, tmp_path / "model.keras", backbone="small-cnn", labels=TWO)
    np.testing.assert_array_equal(two.get_weights()[0], four.get_weights()[0])
    with pytest.raises(InputError, match=r"holds another network .* than mobilenetv2-0.35"):
        build(64, tmp_path / "model.keras", backbone="mobilenetv2-0.35")
    (tmp_path / "broken.keras").write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"is not the model.keras of an earlier training"):
        build(64, tmp_path / "broken.keras", backbone="small-cnn")
    inputs = keras.Input((64, 64, 3))
    keras.Model(inputs, keras.layers.Lambda(lambda value: value / 2)(inputs)).save(tmp_path / "code.keras")
    with pytest.raises(InputError, match="has a Lambda layer, which runs code"):
        build(64, tmp_path / "code.keras", backbone="small-cnn")


@pytest.mark.slow
def test_a_saved_model_opens_with_plain_keras_and_prepares_its_own_pictures(keras: Any, tmp_path: Path) -> None:
    model = build(64, None, backbone="small-cnn")
    model.save(tmp_path / "model.keras")
    opened = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(
        opened.predict_on_batch(pictures())["logits"], model.predict_on_batch(pictures())["logits"], atol=1e-5
    )


@pytest.mark.slow
def test_sixteen_bit_numbers_still_give_logits_of_32(keras: Any) -> None:
    model = build(64, None, backbone="small-cnn", policy="mixed_float16")
    base = next(layer for layer in model.layers if isinstance(layer, keras.Model))
    assert base.layers[-1].compute_dtype == "float16"
    assert {str(output.dtype) for output in model.outputs} == {"float32"}
    assert keras.config.dtype_policy().name == "float32"
    assert logits_model(model).dtype_policy.name == "mixed_float16"


@pytest.mark.slow
def test_a_download_that_fails_says_both_ways_out(keras: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(**_: Any) -> Any:
        raise OSError("Name or service not known")

    monkeypatch.setattr(keras.applications, "MobileNetV2", failing)
    with pytest.raises(SetupError, match=r"--weights FILE.*models/mobilenetv2_0\.5_.*--weights none.*small-cnn"):
        build(64, "imagenet", backbone="mobilenetv2-0.5")


def test_an_unknown_backbone_is_told_with_those_there_are() -> None:
    with pytest.raises(UsageError, match="no backbone is called 'resnet9000': choose one of small-cnn, mobilenetv2"):
        backbone_of("resnet9000")


def test_labels_that_a_network_lacks_have_no_probability() -> None:
    whole = in_columns(np.array([[1.0, 2.0]]), TWO)
    assert whole.tolist() == [[1.0, 2.0, -np.inf, -np.inf]]


def test_targets_are_smoothed_labels_mixed_with_a_teachers_view() -> None:
    soft = np.array([[0.6, 0.2, 0.2, 0.0], [np.nan] * 4, [0.0, 0.0, 1.0, 0.0]], np.float32)
    targets = Targets(TWO, smoothing=0.1, soft=soft, soft_share=0.5)
    labels = np.array([0, 0, 1, 1])
    found = targets.of(labels, np.array([0, -1, 1, 2]))
    np.testing.assert_allclose(
        found,
        [
            [0.5 * 0.95 + 0.5 * 0.75, 0.5 * 0.05 + 0.5 * 0.25],
            [0.95, 0.05],  # a drawn mask: the teacher saw another face
            [0.05, 0.95],  # the teacher never saw it
            [0.05, 0.95],  # the teacher gave it to a label that this network lacks
        ],
        atol=1e-6,
    )
    np.testing.assert_allclose(found.sum(1), 1.0, atol=1e-6)


def test_without_a_share_the_teacher_is_not_heard() -> None:
    soft = np.full((1, 4), 0.25, np.float32)
    assert Targets(TWO, soft=soft).of(np.array([1]), np.array([0])).tolist() == [[0.0, 1.0]]


def test_a_download_tells_of_itself_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    def downloading(**_: object) -> None:
        sys.stdout.write("Downloading data from https://example.org\n")
        warnings.warn("`input_shape` is undefined", UserWarning, stacklevel=1)

    keras = SimpleNamespace(applications=SimpleNamespace(MobileNetV2=downloading))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        make_backbone(keras, backbone_of("mobilenetv2"), 112, "imagenet")
    told = capsys.readouterr()
    assert (told.out, told.err) == ("", "Downloading data from https://example.org\n")
