"""Training from pictures to a LiteRT file, interrupted and resumed. Needs the training set, hence slow."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from classify.classifier import LiteRtClassifier
from storage.errors import InputError, SetupError, UsageError
from tests.test_training_data import looker, write_classes
from training import commands
from training.commands import TrainOptions, TrainResult, run_evaluate, run_train

NEEDS_TRAINING_SET = "the training set is not installed: run `make setup-train`"

pytestmark = pytest.mark.filterwarnings("ignore")


class Interrupted(Exception):  # noqa: N818 - stands for a kill, which is no error
    """The process was killed."""


@pytest.fixture(scope="module")
def keras() -> Any:
    if os.environ.get("CI"):
        import keras
    else:
        pytest.importorskip("tensorflow", reason=NEEDS_TRAINING_SET)
        keras = pytest.importorskip("keras", reason=NEEDS_TRAINING_SET)
    return keras


@pytest.fixture(scope="module")
def weights(keras: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backbone that has learnt nothing, in place of the ImageNet weights."""
    path = tmp_path_factory.mktemp("weights") / "backbone.weights.h5"
    keras.utils.set_random_seed(0)
    keras.applications.MobileNetV2(input_shape=(112, 112, 3), include_top=False, weights=None).save_weights(path)
    return path


@pytest.fixture(autouse=True)
def detector(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another detector than the real one, whose model file a test must not need."""
    monkeypatch.setattr(commands, "open_looker", lambda *_: looker())


def options(data: Path, out: Path, weights: Path | None, *, epochs: int = 2, resume: bool = False) -> TrainOptions:
    return TrainOptions(
        (data,), out, epochs=epochs, batch_size=8, learning_rate=1e-3, unfreeze=2, resume=resume, weights=weights
    )


def outputs(result: TrainResult) -> np.ndarray[Any, Any]:
    pictures = np.random.default_rng(0).integers(0, 256, (16, 112, 112, 3), np.uint8)
    return LiteRtClassifier(result.model).classify(pictures)


@pytest.mark.slow
def test_an_interrupted_training_goes_on_where_it_stopped(weights: Path, tmp_path: Path) -> None:
    data = write_classes(tmp_path / "data", each=20)
    whole = run_train(options(data, tmp_path / "whole", weights))

    def killed(stage: str, done: int, total: int, note: str = "") -> None:
        if stage == "epoch 2/2":
            raise Interrupted

    with pytest.raises(Interrupted):
        run_train(options(data, tmp_path / "parts", weights), killed)
    assert not (tmp_path / "parts" / "maskwatch-mobilenetv2-112.tflite").exists()
    stages = set()

    def noted(stage: str, done: int, total: int, note: str = "") -> None:
        stages.add(stage)

    resumed = run_train(options(data, tmp_path / "parts", weights, resume=True), noted)
    assert stages == {"epoch 2/2"}
    np.testing.assert_allclose(outputs(resumed), outputs(whole), atol=0.1)
    histories = [json.loads((tmp_path / name / "report.json").read_text())["history"] for name in ("whole", "parts")]
    assert [[epoch["epoch"] for epoch in history] for history in histories] == [[0, 1, 2]] * 2
    assert histories[0][2]["train_loss"] == pytest.approx(histories[1][2]["train_loss"], rel=0.05)


@pytest.mark.slow
def test_training_leaves_a_model_that_says_what_the_trained_network_says(
    keras: Any, weights: Path, tmp_path: Path
) -> None:
    data, out = write_classes(tmp_path / "data", each=20), tmp_path / "out"
    result = run_train(options(data, out, weights, epochs=1))
    names = {path.name for path in out.iterdir()}
    assert names >= {
        "checkpoint.npz", "model.keras", "maskwatch-mobilenetv2-112.tflite", "labels.json", "report.json",
        "figures.json", "curves.png", "confusion.png", "errors.png",
    }  # fmt: skip
    assert result.bytes <= 4_000_000
    model = keras.saving.load_model(out / "model.keras")
    pictures = np.random.default_rng(1).integers(0, 256, (12, 112, 112, 3), np.uint8)
    trained = model.predict_on_batch(pictures.astype(np.float32))
    from training.export import litert_outputs

    logits, activation_map = litert_outputs(result.model.read_bytes(), pictures)
    assert activation_map.shape == (12, 4, 4, 4)
    np.testing.assert_allclose(logits, trained["logits"], atol=0.2 * np.abs(trained["logits"]).max() + 0.2)
    np.testing.assert_allclose(activation_map.mean((1, 2)), logits, atol=0.1 * np.abs(logits).max() + 0.1)
    found = run_evaluate(result.model, (data,), "test", tmp_path / "evaluated")
    assert found.report.overall.faces == 4
    assert json.loads((tmp_path / "evaluated" / "figures.json").read_text())["sha256"] == found.sha256


@pytest.mark.slow
def test_a_checkpoint_of_other_options_is_refused(weights: Path, tmp_path: Path) -> None:
    data = write_classes(tmp_path / "data", each=10)
    run_train(options(data, tmp_path / "out", weights, epochs=1))
    with pytest.raises(InputError, match="made with other options"):
        run_train(options(data, tmp_path / "out", weights, epochs=2, resume=True))


@pytest.mark.slow
@pytest.mark.parametrize("content", [b"", b"no weights"])
def test_start_weights_that_are_none_are_refused(keras: Any, tmp_path: Path, content: bytes) -> None:
    data = write_classes(tmp_path / "data", each=10)
    (tmp_path / "x.weights.h5").write_bytes(content)
    with pytest.raises(InputError, match="does not hold weights of mobilenetv2"):
        run_train(options(data, tmp_path / "out", tmp_path / "x.weights.h5"))


@pytest.mark.slow
def test_missing_start_weights_are_named(keras: Any, tmp_path: Path) -> None:
    data = write_classes(tmp_path / "data", each=10)
    with pytest.raises(SetupError, match="no start weights at"):
        run_train(options(data, tmp_path / "out", tmp_path / "missing.weights.h5"))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"epochs": 0}, "--epochs must be from 1"),
        ({"image_size": 32}, "--image-size must be from 64 to 224"),
        ({"unfreeze": 18}, "--unfreeze must be from 0 to 17"),
        ({"backbone": "resnet9000"}, "no backbone is called 'resnet9000'"),
    ],
)
def test_options_out_of_range_are_refused_before_any_work(tmp_path: Path, wrong: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        run_train(TrainOptions((tmp_path,), tmp_path / "out", **wrong))
    assert not (tmp_path / "out").exists()


def test_an_unknown_split_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no split 'dev'"):
        run_evaluate(tmp_path / "x.tflite", (tmp_path,), "dev")
