"""What a model was trained on never counts as unseen: the split that is kept beside it, and the notes of a folds run."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from storage.errors import InputError, SetupError
from tests.test_training_data import looker, write_classes, write_picture
from training import looking, teacher
from training.cache import Crops, cut_crops
from training.commands import EvaluateOptions, TrainOptions, run_evaluate, run_train
from training.fold_notes import FoldsNote, fold_model, read_folds
from training.kept_split import keys_of, read_split, settled, write_split
from training.labels import LABELS
from training.pictures import Picture, prepare
from training.teacher import SEVERAL, UNKNOWN, OutOfFold, folds_of, soft_targets, write_out_of_fold

NEEDS_TRAINING_SET = "the training set is not installed: run `make setup-train`"

pytestmark = pytest.mark.filterwarnings("ignore")


def pictures_in(folder: Path, names: str) -> list[Picture]:
    return [
        Picture(write_picture(folder / f"{name}.png", (60, 90, 90), size=16, seed=ord(name)), "s", "", portrait=0)
        for name in names
    ]


def test_a_picture_is_known_again_by_its_content(tmp_path: Path) -> None:
    trained = pictures_in(tmp_path / "one", "abcd")
    write_split(tmp_path, keys_of(trained), ["train", "val", "test", "train"])
    known = read_split(tmp_path)
    assert known is not None
    moved = pictures_in(tmp_path / "two", "xdcba")
    assert settled(known)(moved) == ["test", "train", "test", "val", "train"]
    assert settled(known, other="train")(moved)[0] == "train"
    # What the data say holds for pictures that the model does not know, and never makes a trained one unseen.
    given = [replace(picture, split="val" if place == 0 else "test") for place, picture in enumerate(moved)]
    assert settled(known)(given) == ["val", "train", "test", "val", "train"]
    # A near-duplicate of a trained picture is none that the model has not seen.
    near = [replace(picture, group="g" if place < 2 else "h") for place, picture in enumerate(moved)]
    assert settled(known)(near)[0] == "train"


def test_a_file_that_is_there_twice_was_trained_on_if_one_was(tmp_path: Path) -> None:
    (picture,) = pictures_in(tmp_path, "a")
    write_split(tmp_path, keys_of([picture] * 2), ["train", "test"])
    assert list((read_split(tmp_path) or {}).values()) == ["train"]


def test_a_split_that_is_none_is_refused(tmp_path: Path) -> None:
    assert read_split(tmp_path) is None
    for content in (b"", b"{}", b'{"pictures": {"a": "dev"}}', b'{"train": [], "val": [], "test": []}'):
        (tmp_path / "split.json").write_bytes(content)
        with pytest.raises(InputError, match="does not say what the model beside it was trained on"):
            read_split(tmp_path)


@pytest.mark.slow
def test_no_picture_that_a_model_was_trained_on_is_in_its_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("keras", reason=NEEDS_TRAINING_SET)
    monkeypatch.setattr(looking, "open_looker", lambda *_: looker())
    first, second = write_classes(tmp_path / "first", each=20), tmp_path / "second"
    for seed in range(200, 206):
        write_picture(second / "with_mask" / f"{seed}.png", (60, 120, 220), seed=seed)
        write_picture(second / "without_mask" / f"{seed}.png", (210, 160, 130), seed=seed)
    out = tmp_path / "out"
    result = run_train(
        TrainOptions((first,), out, backbone="small-cnn", image_size=64, epochs=1, batch_size=8, learning_rate=1e-3)
    )
    splits = {picture.path: picture.split for picture in prepare((first,))[0]}
    trained = {path for path, split in splits.items() if split != "test"}
    measured: list[set[Path]] = []

    def watched(pictures: list[Picture], *others: Any, **more: Any) -> Any:
        measured.append({picture.path for picture in pictures})
        return cut_crops(pictures, *others, **more)

    monkeypatch.setattr("training.commands.evaluate.cut_crops", watched)
    notes: list[str] = []
    given = EvaluateOptions(result.model, (first,))
    for asked in (
        given,
        replace(given, seed=5),
        replace(given, data=(first, second)),
        replace(given, data=(second, first), seed=3),
        replace(given, limit=3, seed=2),
    ):
        run_evaluate(asked, on_note=notes.append)
        assert measured[-1]
        assert not measured[-1] & trained
    unseen = set(splits) - trained
    assert measured[:2] == [unseen, unseen]
    assert measured[2] == measured[3] == unseen | set(second.rglob("*.png"))
    assert not notes
    run_evaluate(replace(given, split="all", data=(first, second)), on_note=notes.append)
    assert measured[-1] == set(splits) | set(second.rglob("*.png"))
    assert notes[0].startswith(f"the model was trained on {len(trained)} of these 52 pictures")


def crops(names: list[str], widths: list[float]) -> Crops:
    count = len(names)
    return Crops(
        [np.full((40, 40, 3), 100, np.uint8)] * count, np.zeros((count, 64, 64, 3), np.uint8), np.zeros(count, np.int64),
        np.array(widths, np.float32), np.full(count, 0.5, np.float32), np.zeros((count, 6, 2), np.float32),
        np.full(count, "town"), np.full(count, "annotated"), np.array(names), np.zeros(count, np.int64),
    )  # fmt: skip


def judged(faces: Crops, fold: list[int]) -> OutOfFold:
    return OutOfFold(
        np.array(fold, np.int64), faces.labels, faces.widths, faces.scores, faces.sources, faces.origins, faces.names,
        np.zeros((len(fold), 4), np.float32), np.ones(max(fold) + 1), np.full((len(fold), 4), 0.25, np.float32),
    )  # fmt: skip


def finished(folder: Path, found: OutOfFold, *, model: str = "m.tflite") -> Path:
    write_out_of_fold(folder / "oof.npz", found)
    count = len(found.temperatures)
    for fold in range(count):
        (folder / f"fold-{fold}").mkdir()
        content = f"model {fold}".encode()
        (folder / f"fold-{fold}" / "m.tflite").write_bytes(content)
        note = {"key": "k", "sha256": hashlib.sha256(content).hexdigest(), "agreement": 1.0, "history": []}
        (folder / f"fold-{fold}" / "fold.json").write_text(json.dumps(note))
    note = {"folds": count, "seed": 0, "limit": None, "sources": None, "image_size": 64, "model": model}
    (folder / "folds.json").write_text(json.dumps(note))
    return folder


class Constant:
    """Says the same of every face."""

    image_size = 64

    def __init__(self, label: int) -> None:
        self._label = label

    def classify(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        return np.tile(np.eye(len(LABELS), dtype=np.float32)[self._label], (len(pictures), 1))


def test_a_face_is_taught_by_the_model_of_its_own_fold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fold = [2, 0, 1, 1, 0]
    faces = crops(list("abcde"), [30.0, 40.0, 50.0, 60.0, 70.0])
    folder = finished(tmp_path, judged(faces, fold))
    monkeypatch.setattr(teacher, "fold_model", lambda _folder, _note, its: Constant(its))
    soft = soft_targets(folder, faces)
    assert soft.argmax(axis=1).tolist() == fold
    others = crops(list("edxa"), [70.0, 60.0, 30.0, 30.0])
    soft = soft_targets(folder, others)
    assert soft[[0, 1, 3]].argmax(axis=1).tolist() == [0, 1, 2]
    assert np.isnan(soft[2]).all()


def test_the_teachers_models_are_the_ones_that_were_trained(tmp_path: Path) -> None:
    faces = crops(["a", "b"], [30.0, 40.0])
    folder = finished(tmp_path, judged(faces, [0, 1]))
    (folder / "fold-0" / "m.tflite").write_bytes(b"another")
    with pytest.raises(InputError, match="is not the model that was trained in this fold: its sha256 differs"):
        soft_targets(folder, faces)
    (folder / "fold-0" / "m.tflite").unlink()
    with pytest.raises(SetupError, match="--resume"):
        soft_targets(folder, faces)
    (folder / "folds.json").unlink()
    with pytest.raises(InputError, match="has not finished"):
        soft_targets(folder, faces)


def test_faces_that_nothing_tells_apart_have_no_fold(tmp_path: Path) -> None:
    found = judged(crops(["a", "a", "b", "b"], [30.0, 30.0, 40.0, 40.0]), [0, 1, 1, 1])
    assert folds_of(found, crops(["a", "b", "b", "c"], [30.0, 40.0, 40.0, 30.0])).tolist() == [SEVERAL, 1, 1, UNKNOWN]


@pytest.mark.parametrize("model", ["../m.tflite", "/m.tflite", "..", "", "a\\b"])
def test_a_model_is_a_plain_name_in_its_folds_folder(tmp_path: Path, model: str) -> None:
    folder = finished(tmp_path, judged(crops(["a", "b"], [30.0, 40.0]), [0, 1]), model=model)
    with pytest.raises(InputError, match="which is no plain name"):
        read_folds(folder)


def test_the_notes_of_a_finished_run_are_read(tmp_path: Path) -> None:
    folder = finished(tmp_path, judged(crops(["a", "b"], [30.0, 40.0]), [0, 1]))
    note = read_folds(folder)
    assert note == FoldsNote(2, 0, None, None, 64, "m.tflite")
    (folder / "fold-1" / "fold.json").write_bytes(b"{")
    with pytest.raises(InputError, match=r"fold\.json is damaged"):
        fold_model(folder, note, 1)
