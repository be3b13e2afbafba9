"""Training from pictures to a LiteRT file, interrupted and resumed. Needs the training set, hence slow."""

import errno
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from classify.classifier import LiteRtClassifier
from infra.commands.figures import show_evaluation
from storage.errors import InputError, SetupError, StorageError, UsageError
from tests.test_training_data import looker, write_classes, write_picture
from training import looking
from training.cache import load_cut
from training.calibration import fit_temperature
from training.checkpoint import Checkpoint, Epoch, FitOptions, Network, read_checkpoint, write_checkpoint
from training.commands import (
    EvaluateOptions,
    TrainOptions,
    TrainResult,
    run_distilled,
    run_evaluate,
    run_folds,
    run_train,
)
from training.commands import folds as folds_command
from training.commands.one import train_one
from training.export import litert_outputs
from training.labels import LABELS
from training.schedule import enough
from training.teacher import OutOfFold, matched, read_out_of_fold, write_out_of_fold

NEEDS_TRAINING_SET = "the training set is not installed: run `make setup-train`"

pytestmark = pytest.mark.filterwarnings("ignore")


class Interrupted(Exception):  # noqa: N818 - stands for a kill, which is no error
    """The process was killed."""


@pytest.fixture(scope="module")
def weights(keras: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backbone that has learnt nothing, in place of the ImageNet weights."""
    path = tmp_path_factory.mktemp("weights") / "backbone.weights.h5"
    keras.utils.set_random_seed(0)
    keras.applications.MobileNetV2(input_shape=(64, 64, 3), include_top=False, weights=None, alpha=0.35).save_weights(
        path
    )
    return path


@pytest.fixture(autouse=True)
def detector(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another detector than the real one, whose model file a test must not need."""
    monkeypatch.setattr(looking, "open_looker", lambda *_: looker())


def options(data: Path, out: Path, **others: Any) -> TrainOptions:
    given = {"backbone": "small-cnn", "image_size": 64, "epochs": 2, "batch_size": 8, "learning_rate": 1e-3}
    return TrainOptions((data,), out, **{**given, **others})


def outputs(result: TrainResult) -> np.ndarray[Any, Any]:
    pictures = np.random.default_rng(0).integers(0, 256, (16, 64, 64, 3), np.uint8)
    return LiteRtClassifier(result.model).classify(pictures)


@pytest.mark.slow
@pytest.mark.parametrize("backbone", ["small-cnn", "mobilenetv2-0.35"])
def test_an_interrupted_training_goes_on_where_it_stopped(weights: Path, tmp_path: Path, backbone: str) -> None:
    data = write_classes(tmp_path / "data", each=20)
    start = None if backbone == "small-cnn" else weights
    given = {"backbone": backbone, "weights": start, "unfreeze": 2}
    whole = run_train(options(data, tmp_path / "whole", **given))

    def killed(stage: str, done: int, total: int, note: str = "") -> None:
        if stage == "epoch 2/2":
            raise Interrupted

    with pytest.raises(Interrupted):
        run_train(options(data, tmp_path / "parts", **given), killed)
    assert not list((tmp_path / "parts").glob("*.tflite"))
    stages = set()

    def noted(stage: str, done: int, total: int, note: str = "") -> None:
        if stage.startswith("epoch"):
            stages.add(stage)

    resumed = run_train(options(data, tmp_path / "parts", resume=True, **given), noted)
    assert stages == {"epoch 2/2"}
    np.testing.assert_allclose(outputs(resumed), outputs(whole), atol=0.1)
    histories = [json.loads((tmp_path / name / "report.json").read_text())["history"] for name in ("whole", "parts")]
    epochs = [1, 2] if start is None else [0, 1, 2]  # from scratch there is no epoch of the head alone
    assert [[epoch["epoch"] for epoch in history] for history in histories] == [epochs] * 2
    assert histories[0][-1]["train_loss"] == pytest.approx(histories[1][-1]["train_loss"], rel=0.05)


@pytest.mark.slow
def test_training_leaves_a_model_that_says_what_the_trained_network_says(keras: Any, tmp_path: Path) -> None:
    data, out = write_classes(tmp_path / "data", each=20), tmp_path / "out"
    result = run_train(options(data, out, epochs=1, precision="mixed", optimizer="adam", seed=2**31 - 1))
    names = {path.name for path in out.iterdir()}
    assert names >= {
        "checkpoint.npz",
        "model.keras",
        "maskwatch-small-cnn-64.tflite",
        "labels.json",
        "report.json",
        "report.html",
    }
    assert list((out / "tensorboard").iterdir())
    assert result.bytes <= 1_000_000
    labels = json.loads((out / "labels.json").read_text())["labels"]
    assert labels == ["with_mask", "without_mask"]  # only labels that the data has
    model = keras.saving.load_model(out / "model.keras")
    pictures = np.random.default_rng(1).integers(0, 256, (12, 64, 64, 3), np.uint8)
    trained = model.predict_on_batch(pictures.astype(np.float32))["logits"]
    said = LiteRtClassifier(result.model).classify(pictures)
    assert said.shape == (12, 4)
    assert not said[:, 2:].any()
    powers = np.exp(trained / result.temperature)
    np.testing.assert_allclose(said[:, :2], powers / powers.sum(1, keepdims=True), atol=0.1)
    (kept,) = out.glob("crops-val-*.npz")
    val = load_cut(kept)
    assert val is not None
    logits = litert_outputs(result.model.read_bytes(), val.crops.exact)[0]
    assert result.temperature == fit_temperature(logits, val.crops.labels)  # the file's own, not the network's
    np.testing.assert_allclose(_own_probabilities(result.model, pictures), said[:, :2], atol=1e-5)
    found = run_evaluate(EvaluateOptions(result.model, (data,), "test", tmp_path / "evaluated"))
    assert found.report.overall.faces == 4
    again = json.loads((tmp_path / "evaluated" / "report.json").read_text())
    assert found.sha256 in json.dumps(again)


def _own_probabilities(path: Path, pictures: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """What the file's own first output says, without any `labels.json`."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(path))
    interpreter.resize_tensor_input(interpreter.get_input_details()[0]["index"], pictures.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], pictures)
    interpreter.invoke()
    return np.asarray(interpreter.get_tensor(interpreter.get_output_details()[0]["index"]))


def look_again(out: Path, data: Path, faces: int) -> None:
    """Measure finished folds when a picture is gone, when one is new, and when a model is another."""
    found = read_out_of_fold(out / "oof.npz")
    # With a picture less most would lie in other folds, were they dealt anew.
    chosen = found.names[(found.labels == 0) & (found.fold == 0)][0]
    (data / "with_mask" / str(chosen)).rename(out.parent / "away.png")
    fewer = run_evaluate(EvaluateOptions(out, (data,)))
    assert fewer.report.overall.faces == faces - 1
    write_picture(data / "with_mask" / "new.png", (60, 120, 220), seed=77)
    with pytest.raises(InputError, match=r"1 of \d+ faces are not those that the models in .* were trained on"):
        run_evaluate(EvaluateOptions(out, (data,)))
    (data / "with_mask" / "new.png").unlink()
    (out.parent / "away.png").rename(data / "with_mask" / str(chosen))
    model = out / "fold-1" / "maskwatch-small-cnn-64.tflite"
    content = model.read_bytes()
    model.write_bytes(content + b" ")
    with pytest.raises(InputError, match="is not the model that was trained in this fold"):
        run_evaluate(EvaluateOptions(out, (data,)))
    model.write_bytes(content)


@pytest.mark.slow
def test_folds_judge_each_face_by_a_model_that_did_not_see_it(
    keras: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    data, out = write_classes(tmp_path / "data", each=15), tmp_path / "out" / "folds"
    given = options(data, out, epochs=1, folds=2, batch_size=4)
    learnt: dict[str, set[tuple[str, int]]] = {}

    def watched(plan: Any, lesson: Any, folder: Path, *others: Any, **more: Any) -> Any:
        assert not (out / "folds.json").exists()
        assert not (out / "oof.npz").exists()
        learnt[folder.name] = set(zip(lesson.train.names.tolist(), lesson.train.labels.tolist(), strict=True))
        return train_one(plan, lesson, folder, *others, **more)

    monkeypatch.setattr(folds_command, "train_one", watched)
    out.mkdir(parents=True)
    for name in ("folds.json", "oof.npz"):
        (out / name).write_bytes(b"of an earlier run")
    whole = run_folds(given)
    found = read_out_of_fold(out / "oof.npz")
    faces_of = [
        set(zip(found.names[found.fold == fold].tolist(), found.labels[found.fold == fold].tolist(), strict=True))
        for fold in (0, 1)
    ]
    assert learnt == {"fold-0": faces_of[1], "fold-1": faces_of[0]}
    assert not faces_of[0] & faces_of[1]
    show_evaluation(whole.out_of_fold)
    shown = capfd.readouterr().out
    assert "false alarms rejected" in shown
    assert "nan" not in shown
    # One fold's model alone: its held-out pictures and the test pictures are all that it has not seen.
    one = run_evaluate(EvaluateOptions(out / "fold-0" / "maskwatch-small-cnn-64.tflite", (data,)))
    assert one.report.overall.faces == 30 - len(faces_of[1])
    assert sorted(set(found.fold.tolist())) == [0, 1]
    assert 24 <= len(found.labels) == whole.out_of_fold.report.overall.faces  # test pictures have no part in it
    assert np.isneginf(found.logits[:, 2:]).all()
    stages = set()

    def noted(stage: str, done: int, total: int, note: str = "") -> None:
        stages.add(stage)

    (out / "fold-1" / "fold.json").unlink()
    resumed = run_folds(replace(given, resume=True), noted)
    assert not [stage for stage in stages if "epoch" in stage]  # fold 0 is done, fold 1 has its last checkpoint
    assert resumed.out_of_fold.report == whole.out_of_fold.report
    with pytest.raises(InputError, match="is finished, but with other options or data"):
        run_folds(replace(given, resume=True, optimizer="adam"))
    measured = run_evaluate(EvaluateOptions(out, (data,)))
    assert measured.report.overall.confusion == whole.out_of_fold.report.overall.confusion
    assert measured.loss == pytest.approx(whole.out_of_fold.loss, rel=1e-4)
    look_again(out, data, whole.out_of_fold.report.overall.faces)
    # A student that hears nothing but the teacher learns to say what that says.
    stages.clear()
    asked = options(data, out.parent, epochs=1, batch_size=4, distil=2, distil_share=1.0, resume=True)
    student = run_distilled(asked, noted)
    assert student.validation.report.overall.faces
    assert "teacher" in stages
    assert not [stage for stage in stages if "fold" in stage and "epoch" in stage]  # they were there


@pytest.mark.slow
def test_start_weights_that_are_none_are_refused_before_the_faces_are_cut(keras: Any, tmp_path: Path) -> None:
    data = write_classes(tmp_path / "data", each=10)
    for content in (b"", b"no weights"):
        (tmp_path / "x.weights.h5").write_bytes(content)
        with pytest.raises(InputError, match=r"does not hold weights of mobilenetv2-0\.35"):
            run_train(options(data, tmp_path / "out", backbone="mobilenetv2-0.35", weights=tmp_path / "x.weights.h5"))
    assert not list((tmp_path / "out").glob("crops*"))


def test_missing_start_weights_are_named(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="no start weights at"):
        run_train(options(tmp_path, tmp_path / "out", weights=tmp_path / "missing.weights.h5"))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"epochs": 0}, "--epochs must be from 1"),
        ({"image_size": 32}, "--image-size must be from 64 to 224"),
        ({"unfreeze": 6}, "--unfreeze must be from 0 to 5"),
        ({"backbone": "mobilenetv2", "unfreeze": 18}, "--unfreeze must be from 0 to 17"),
        ({"backbone": "resnet9000"}, "no backbone is called 'resnet9000'"),
        ({"optimizer": "sgd"}, "--optimizer must be one of adamw, adam, not sgd"),
        ({"precision": "8"}, "--precision must be one of auto, float32, mixed, not 8"),
        ({"label_smoothing": 0.9}, "--label-smoothing must be from 0 to 0.5"),
        ({"seed": -1}, "--seed must be from 0 to 2147483647, not -1"),
        ({"seed": 2**31}, "--seed must be from 0 to 2147483647, not 2147483648"),
        ({"folds": 1}, "--folds must be from 2 to 20"),
        ({"distil": 1}, "--distil must be from 2 to 20"),
        ({"distil": 3, "folds": 3}, "--distil trains its own folds"),
        ({"folds": 5, "patience": 2}, "--patience would choose by the very faces that --folds measures on"),
        ({"shares": {"town": -1.0}}, r"--share town must be from 0\.001"),
    ],
)
def test_options_out_of_range_are_refused_before_any_work(tmp_path: Path, wrong: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        run_train(options(tmp_path, tmp_path / "out", **wrong))
    assert not (tmp_path / "out").exists()


def test_a_teacher_that_is_none_is_refused(tmp_path: Path) -> None:
    for name in ("none", "oof.npz"):  # the predictions alone are what an interrupted run of old left
        (tmp_path / name).write_bytes(b"PK\x03\x04")
        with pytest.raises(SetupError, match=r"--folds K` has not finished in .*--resume"):
            run_train(options(tmp_path, tmp_path / "out", teacher=tmp_path))
    with pytest.raises(InputError, match="does not hold out-of-fold predictions"):
        read_out_of_fold(tmp_path / "oof.npz")


def test_an_unknown_split_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no split 'dev'"):
        run_evaluate(EvaluateOptions(tmp_path / "x.tflite", (tmp_path,), "dev"))
    with pytest.raises(UsageError, match="--seed must be from 0"):
        run_evaluate(EvaluateOptions(tmp_path / "x.tflite", (tmp_path,), seed=-1))


def test_a_folder_that_holds_no_folds_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds no \.tflite file"):
        run_evaluate(EvaluateOptions(tmp_path, (tmp_path,)))
    (tmp_path / "fold-0").mkdir()
    with pytest.raises(InputError, match="has not finished in"):
        run_evaluate(EvaluateOptions(tmp_path, (tmp_path,)))


@pytest.mark.parametrize("limit", [0, -5])
def test_a_limit_of_nothing_is_refused(tmp_path: Path, limit: int) -> None:
    with pytest.raises(UsageError, match="--limit must be 1 or more"):
        run_evaluate(EvaluateOptions(tmp_path / "x.tflite", (tmp_path,), limit=limit))


def test_a_start_that_fails_leaves_no_folder_and_is_told_first(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(InputError, match="there is no folder"):
        run_train(options(tmp_path / "dta", out, backbone="mobilenetv2"))
    assert not out.exists()
    with pytest.raises(UsageError, match="choose a folder outside the pictures"):
        run_train(options(tmp_path, tmp_path / "." / "x" / ".."))
    with pytest.raises(UsageError, match="choose a folder outside the pictures"):
        run_evaluate(EvaluateOptions(tmp_path / "x.tflite", (tmp_path,), out=tmp_path))
    out.write_bytes(b"")
    with pytest.raises(StorageError, match="a file stands where a folder is needed"):
        run_train(options(tmp_path, out))
    with pytest.raises(StorageError, match="a part of the path is a file"):
        run_train(options(tmp_path, out / "inner"))
    with monkeypatched_tempfile(), pytest.raises(StorageError, match="no write permission"):
        run_train(options(tmp_path, tmp_path / "elsewhere" / "out"))
    assert not (tmp_path / "elsewhere").exists()


@contextmanager
def monkeypatched_tempfile() -> Iterator[None]:
    """A folder in which nobody may write; who runs the tests may be root, who may everywhere."""
    with pytest.MonkeyPatch.context() as patch:

        def refuse(**_: Any) -> None:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

        patch.setattr(tempfile, "TemporaryFile", refuse)
        yield


NETWORK = Network("small-cnn", 64, LABELS)


def state(marker: float = 0.0) -> Checkpoint:
    values = [np.full((3, 2), marker, np.float32)]
    return Checkpoint(
        FitOptions(epochs=2), NETWORK, "abc", (Epoch(1, 5, 1.0, 0.5, 0.4, 0.9),), 0.4, 5, np.ones(7, np.bool_),
        values, values, values, [],
    )  # fmt: skip


def test_a_checkpoint_comes_back_as_it_was(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "c.npz", state(3.0))
    found = read_checkpoint(tmp_path / "c.npz", FitOptions(epochs=2), NETWORK, "abc")
    assert found is not None
    assert (found.history, found.updates, found.best) == (state().history, 5, [])
    assert found.average[0].tolist() == [[3.0, 3.0]] * 3
    assert read_checkpoint(tmp_path / "none.npz", FitOptions(), NETWORK, "abc") is None


@pytest.mark.parametrize(
    ("options", "network", "data", "message"),
    [
        (FitOptions(epochs=3), NETWORK, "abc", r"made with other options \(epochs 2, not 3\)"),
        (FitOptions(epochs=2), replace(NETWORK, backbone="resnet50v2"), "abc",
         "of another network, small-cnn at 64 px for .*, not resnet50v2 at 64 px"),
        (FitOptions(epochs=2), replace(NETWORK, labels=LABELS[:2]), "abc", "of another network"),
        (FitOptions(epochs=2), NETWORK, "abd", "made with other data"),
    ],
)  # fmt: skip
def test_a_checkpoint_of_another_run_is_refused_with_what_differs(
    tmp_path: Path, options: FitOptions, network: Network, data: str, message: str
) -> None:
    write_checkpoint(tmp_path / "c.npz", state())
    with pytest.raises(InputError, match=message):
        read_checkpoint(tmp_path / "c.npz", options, network, data)


@pytest.mark.parametrize("part", [0, 100, 600])
def test_a_damaged_checkpoint_is_refused(tmp_path: Path, part: int) -> None:
    write_checkpoint(tmp_path / "c.npz", state())
    (tmp_path / "c.npz").write_bytes((tmp_path / "c.npz").read_bytes()[:part])
    with pytest.raises(InputError, match=r"is damaged .*train without --resume"):
        read_checkpoint(tmp_path / "c.npz", FitOptions(epochs=2), NETWORK, "abc")


def test_a_full_disk_leaves_the_checkpoint_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "c.npz"
    write_checkpoint(path, state(1.0))

    def full(stream: Any, **_: Any) -> None:
        stream.write(b"PK\x03\x04 the first part of it")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(StorageError, match=r"cannot write .*c\.npz: the disk is full"):
        write_checkpoint(path, state(2.0))
    assert [each.name for each in tmp_path.iterdir() if each.is_file()] == ["c.npz"]
    found = read_checkpoint(path, FitOptions(epochs=2), NETWORK, "abc")
    assert found is not None
    assert found.weights[0][0, 0] == 1.0


def test_training_stops_when_validation_has_long_not_become_better() -> None:
    assert not enough([3.0, 2.0, 1.0], 2)
    assert enough([2.0, 1.0, 1.0, 3.0], 2)
    assert not enough([1.0, 2.0, 3.0], 0)


def faces(names: list[str], widths: list[float], probabilities: list[list[float]]) -> OutOfFold:
    count = len(names)
    return OutOfFold(
        np.zeros(count, np.int64), np.zeros(count, np.int64), np.array(widths, np.float32),
        np.full(count, 0.5, np.float32), np.full(count, "town"), np.full(count, "annotated"), np.array(names),
        np.zeros((count, 4), np.float32), np.ones(1), np.array(probabilities, np.float32),
    )  # fmt: skip


def test_a_teachers_view_is_found_for_the_same_face_alone(tmp_path: Path) -> None:
    one, two, three = [0.7, 0.1, 0.1, 0.1], [0.2, 0.8, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]
    write_out_of_fold(tmp_path / "oof.npz", faces(["a", "a", "b"], [30.0, 30.0, 40.0], [one, two, three]))
    teacher = read_out_of_fold(tmp_path / "oof.npz")
    crops = faces(["b", "c", "a", "a", "a"], [40.0, 40.0, 30.0, 30.0, 30.0], [[0.0] * 4] * 5)
    assert matched(teacher, crops).tolist() == [2, -1, 0, 1, -1]
    assert matched(teacher, faces(["z"], [40.0], [[0.0] * 4])).tolist() == [-1]
