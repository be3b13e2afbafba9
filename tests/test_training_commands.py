"""`maskwatch train` and `evaluate` on the command line."""

import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from infra import cli
from infra.commands import train as command
from storage.errors import StorageError
from tests.test_training_data import looker, write_classes
from training import looking
from training.commands import TrainOptions
from training.progress import RunClock, Terminal, clock
from training.tensorboard import Scalars

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(autouse=True)
def detector(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looking, "open_looker", lambda *_: looker())
    monkeypatch.setattr(looking, "running_looker", lambda *_: looker())


def caught(monkeypatch: pytest.MonkeyPatch) -> list[TrainOptions]:
    """What the command hands on."""
    seen: list[TrainOptions] = []

    def instead(options: TrainOptions, *_: Any, **__: Any) -> None:
        seen.append(options)
        raise StorageError("cannot write here: the disk is full: free some space and run again")

    monkeypatch.setattr(command, "run_train", instead)
    monkeypatch.setattr(command, "run_folds", instead)
    return seen


def test_the_options_arrive(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen = caught(monkeypatch)
    given = "--sources town,pack --share town=2 --share pack=0.5 --weights none --optimizer adam --patience 3"
    given += " --label-smoothing 0.1 --precision mixed --teacher t --distil-share 0.7 --backbone small-cnn --limit 9"
    status = cli.run(["train", "a", "b", "--out", str(tmp_path), *given.split()])
    assert status == 1
    (options,) = seen
    assert (options.data, options.sources) == ((Path("a"), Path("b")), ("town", "pack"))
    assert options.shares == {"town": 2.0, "pack": 0.5}
    assert (options.scratch, options.weights, options.teacher) == (True, None, Path("t"))
    assert (options.optimizer, options.patience, options.label_smoothing) == ("adam", 3, 0.1)
    assert (options.precision, options.distil_share, options.backbone, options.limit) == ("mixed", 0.7, "small-cnn", 9)


@pytest.mark.parametrize("share", ["town", "town=", "=2", "town=much"])
def test_a_share_that_is_none_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str], share: str
) -> None:
    caught(monkeypatch)
    assert cli.run(["train", "a", "--out", str(tmp_path), "--share", share]) == 2
    assert "--share takes a source and a number" in capfd.readouterr().err


def test_no_source_is_no_choice(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["train", "a", "--out", str(tmp_path), "--sources", " ,"]) == 2
    assert "--sources names no source" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("kept", "message"),
    [
        ("fold-0/checkpoint.npz", "the same command with --resume"),
        ("crops-train-0.npz", "no epoch is done yet; the faces that were cut out are kept"),
        (None, "nothing was written yet"),
    ],
)
def test_an_interrupted_training_says_what_is_kept_and_how_to_go_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str], kept: str | None, message: str
) -> None:
    def interrupted(options: TrainOptions, *_: Any, **__: Any) -> None:
        if kept:
            (options.out / kept).parent.mkdir(exist_ok=True)
            (options.out / kept).write_bytes(b"x")
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "run_train", interrupted)
    assert cli.run(["train", "a", "--out", str(tmp_path)]) == 130
    assert message in " ".join(capfd.readouterr().err.split())


def test_a_full_disk_says_what_is_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    caught(monkeypatch)
    (tmp_path / "checkpoint.npz").write_bytes(b"x")
    assert cli.run(["train", "a", "--out", str(tmp_path)]) == 1
    told = " ".join(capfd.readouterr().err.split())
    assert "every finished epoch is kept in" in told
    assert "the disk is full" in told


def test_a_missing_folder_is_one_sentence(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    status = cli.run(["train", str(tmp_path / "none"), "--out", str(tmp_path / "out"), "--backbone", "small-cnn"])
    assert status == 1
    assert "there is no folder" in capfd.readouterr().err


def test_the_time_left_is_that_of_the_whole_run(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([0.0, 2.0, 4.0, 6.0])
    # Of this module alone: other threads ask what time it is, too.
    monkeypatch.setattr("training.progress.time", SimpleNamespace(monotonic=lambda: next(times)))
    run = RunClock(parts=3)
    assert run.left(1, 10) == "?"
    assert run.left(2, 10) == clock(2.0 * 28)
    run.begin_part(2)
    assert run.left(9, 10) == "0:02"


def test_the_terminal_says_epoch_step_and_what_is_left(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w+") as stream:
        terminal = Terminal(stream)
        terminal("epoch 1/3", 1, 2, "loss 0.5, whole run 1:05 left")
        terminal("epoch 1/3", 2, 2, "loss 0.4, whole run 1:00 left")
        stream.seek(0)
        lines = stream.read().splitlines()
    assert lines[-1] == "epoch 1/3: 2/2, done, loss 0.4, whole run 1:00 left"


@pytest.mark.slow
def test_curves_are_there_for_tensorboard(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="the training set is not installed: run `make setup-train`")
    with Scalars(tmp_path / "curves") as scalars:
        scalars.add(3, epoch__val_loss=0.25)
        scalars.flush()
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(tmp_path / "curves"))
    found.Reload()
    (value,) = found.Scalars("epoch/val_loss")
    assert (value.step, value.value) == (3, 0.25)


def test_without_tensorboard_training_goes_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(__import__("sys").modules, "tensorboard.summary.writer.event_file_writer", None)
    with Scalars(tmp_path / "curves") as scalars:
        scalars.add(1, loss=0.5)
        scalars.flush()
    assert "no TensorBoard files are written" in scalars.missing
    assert not (tmp_path / "curves").exists()


@pytest.mark.slow
def test_a_strangers_folder_trains_reports_and_predicts_with_three_commands(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    if not os.environ.get("CI"):
        pytest.importorskip("keras", reason="the training set is not installed: run `make setup-train`")
    data, out = write_classes(tmp_path / "mine", each=20), tmp_path / "run"
    given = ["--backbone", "small-cnn", "--image-size", "64", "--epochs", "2", "--batch-size", "8"]
    assert cli.run(["train", str(data), "--out", str(out), *given]) == 0
    told = capfd.readouterr()
    assert "whole run" in told.err
    said = " ".join(told.err.split())
    assert "try it: maskwatch image" in said
    assert "report.html" in said
    assert "measure it: maskwatch evaluate" in said
    model = str(out / "maskwatch-small-cnn-64.tflite")
    assert (out / "report.html").stat().st_size > 10_000
    assert cli.run(["evaluate", model, str(data), "--out", str(tmp_path / "report")]) == 0
    assert (tmp_path / "report" / "report.html").is_file()
    capfd.readouterr()
    assert cli.run(["evaluate", str(out), str(data)]) == 0  # the folder stands for its model
    assert "--out DIR leaves the report" in capfd.readouterr().err
    assert cli.run(["faces", str(data / "with_mask"), "--model", model, "--json"]) == 0
    faces = [json.loads(line) for line in capfd.readouterr().out.splitlines() if line.startswith("{")]
    assert len(faces) == 20
    assert {face["probabilities"]["incorrect_mask"] for face in faces} == {0.0}
