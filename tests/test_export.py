"""What training gives to others: LiteRT files that MediaPipe opens, Keras and SavedModel, labels and the model card."""

import hashlib
import json
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from classify.classifier import SHIPPED_MODEL, LiteRtClassifier, load_model
from classify.labels_file import ModelLabels, read_labels
from infra.cli import run
from storage.errors import InputError, SetupError, UsageError
from tests.test_training_data import looker, write_classes
from training.cache import cut_crops, save_cut
from training.export import Exported, ExportError, litert_outputs
from training.export.card import make_card, write_card
from training.export.check import FOLD_AGREEMENT, check_agreement
from training.export.formats import run_export
from training.export.heads import add_heads
from training.export.labels import labels_place, lend_labels, write_labels
from training.export.pictures import real_crops
from training.labels import LABELS
from training.pictures import read_data
from training.progress import silent

pytestmark = pytest.mark.filterwarnings("ignore")

SIZE = 32


@pytest.fixture(scope="module")
def pictures() -> NDArray[np.uint8]:
    small = np.random.default_rng(0).integers(0, 256, (33, 7, 7, 3), np.uint8)
    return np.ascontiguousarray(small.repeat(16, 1).repeat(16, 2))


@pytest.fixture(scope="module")
def with_heads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped model as export writes it now."""
    folder = tmp_path_factory.mktemp("heads")
    labels = msgspec.structs.replace(read_labels(SHIPPED_MODEL.with_name("labels.json")), sha256=None)
    path = folder / "model.tflite"
    path.write_bytes(add_heads(SHIPPED_MODEL.read_bytes(), labels))
    write_labels(folder / "labels.json", labels, {path.name: hashlib.sha256(path.read_bytes()).hexdigest()})
    return path


def said_by_mediapipe(path: Path, pictures: NDArray[np.uint8]) -> tuple[list[str], list[float], Any]:
    """The first head's best label and its score for each picture, and the last answer."""
    import mediapipe as mp
    from mediapipe.tasks.python import BaseOptions, vision

    options = vision.ImageClassifierOptions(base_options=BaseOptions(model_asset_path=str(path)))
    labels, scores, answer = [], [], None
    with vision.ImageClassifier.create_from_options(options) as classifier:
        for picture in pictures:
            answer = classifier.classify(mp.Image(image_format=mp.ImageFormat.SRGB, data=picture))
            best = answer.classifications[0].categories[0]
            labels.append(best.category_name)
            scores.append(best.score)
    return labels, scores, answer


def test_mediapipe_says_what_the_running_system_says(with_heads: Path, pictures: NDArray[np.uint8]) -> None:
    labels, scores, answer = said_by_mediapipe(with_heads, pictures[:8])
    ours = LiteRtClassifier(with_heads).classify(pictures[:8])
    assert labels == [LABELS[place] for place in ours.argmax(1)]
    np.testing.assert_allclose(scores, ours.max(1), atol=1e-3)
    assert [head.head_name for head in answer.classifications] == ["probabilities", "logits", "cam"]
    assert {category.category_name for category in answer.classifications[0].categories} == set(LABELS)


def test_the_added_head_changes_nothing_of_what_was_there(with_heads: Path, pictures: NDArray[np.uint8]) -> None:
    before, after = (litert_outputs(path.read_bytes(), pictures) for path in (SHIPPED_MODEL, with_heads))
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one, other)
    for batch in (1, 7, 33):
        for one, other in zip(litert_outputs(with_heads.read_bytes(), pictures, batch=batch), after, strict=True):
            np.testing.assert_array_equal(one, other)
    old, new = LiteRtClassifier(), LiteRtClassifier(with_heads)
    np.testing.assert_array_equal(old.classify(pictures), new.classify(pictures))
    np.testing.assert_array_equal(np.asarray(old.explain(pictures)), np.asarray(new.explain(pictures)))


def test_the_same_model_gives_the_same_file(with_heads: Path) -> None:
    labels = read_labels(SHIPPED_MODEL.with_name("labels.json"))
    assert add_heads(SHIPPED_MODEL.read_bytes(), labels) == with_heads.read_bytes()


def test_labels_of_one_model_gather_its_files_and_leave_another_models_alone(tmp_path: Path) -> None:
    labels = ModelLabels(labels=LABELS, name="a", image_size=112)
    for name in ("a.tflite", "b.tflite"):
        (tmp_path / name).write_bytes(name.encode())
        write_labels(tmp_path / "labels.json", labels, {name: hashlib.sha256(name.encode()).hexdigest()})
    assert list(read_labels(tmp_path / "labels.json").files) == ["a.tflite", "b.tflite"]
    (tmp_path / "a.tflite").write_bytes(b"changed")
    write_labels(labels_place(tmp_path / "c.tflite", labels), labels, {"c.tflite": "00"})
    assert list(read_labels(tmp_path / "labels.json").files) == ["b.tflite", "c.tflite"]
    warmer = msgspec.structs.replace(labels, temperature=2.0)
    assert labels_place(tmp_path / "d.tflite", warmer).name == "d.labels.json"
    (tmp_path / "b.tflite").unlink()
    assert (
        labels_place(tmp_path / "c.tflite", warmer).name == "labels.json"
    )  # all that it names is gone or written anew


@pytest.mark.parametrize(
    ("content", "place"),
    [
        ('{"labels": ["with_mask", "without_mask"]}', "m.labels.json"),
        ("{", "m.labels.json"),
        (None, "labels.json"),
    ],
)
def test_labels_and_card_of_somebody_else_stay(tmp_path: Path, content: str | None, place: str) -> None:
    labels = ModelLabels(labels=LABELS, name="m", image_size=112)
    model = tmp_path / "m.tflite"
    model.write_bytes(b"m")
    (tmp_path / "MODEL.md").write_text("# Mine\n\nDo not touch.\n")
    if content is not None:
        (tmp_path / "labels.json").write_text(content)
    assert labels_place(model, labels) == tmp_path / place
    write_labels(tmp_path / place, labels, {model.name: "00"})
    lend_labels(model, tmp_path / "model.keras")
    assert (tmp_path / "model.labels.json").exists() == (place != "labels.json")
    write_card(tmp_path, tmp_path, "litert", Exported(model, 1, 1.0))
    assert (tmp_path / "MODEL.md").read_text().startswith("# Mine\n")
    assert "m: model card" in (tmp_path / "m.MODEL.md").read_text()
    if content is not None:
        assert (tmp_path / "labels.json").read_text() == content


def test_a_name_that_two_models_claim_is_refused(tmp_path: Path) -> None:
    (tmp_path / "m.keras").write_bytes(b"k")
    (tmp_path / "m.labels.json").write_text('{"labels": ["with_mask", "without_mask"], "files": {"m.keras": "00"}}')
    with pytest.raises(InputError, match="choose another name for --out"):
        labels_place(tmp_path / "m.tflite", ModelLabels(labels=LABELS, name="m"))


def test_another_models_answers_are_refused_and_near_ties_of_few_faces_are_not() -> None:
    trained = np.eye(4)[np.arange(40) % 4] * 3.0
    assert check_agreement(trained, trained) == 1.0
    with pytest.raises(ExportError, match=r"0\.0% of 40 faces"):
        check_agreement(np.roll(trained, 1, axis=1), trained)
    with pytest.raises(ExportError, match="no numbers"):
        check_agreement(trained * np.nan, trained)
    few = np.where(np.arange(400) < 5, 1, 0)  # 98.75 % agree
    many, other = np.eye(4)[np.zeros(400, int)], np.eye(4)[few]
    with pytest.raises(ExportError, match=r"98\.8% of 400 faces, which is below 99%"):
        check_agreement(other, many)
    assert check_agreement(other, many, least=FOLD_AGREEMENT) == 0.9875
    tie = trained * 0.1
    assert check_agreement(np.roll(tie, 1, axis=1), tie) == 0.0


def test_the_card_says_what_it_must() -> None:
    figure = {"value": 0.96, "low": 0.945, "high": 0.971, "of": 852}
    classes = {"incorrect_mask": {"precision": figure, "recall": {**figure, "of": 24}, "f1": figure}}
    overall = {"faces": 852, "accuracy": figure, "balanced_accuracy": figure, "two_class_accuracy": figure,
               "classes": classes, "calibration_error": 0.025}  # fmt: skip
    evaluation = {"split": "test", "min_face_px": 24.0, "counts": {"ilc2021, annotated": {}, "mine, portrait": {}},
                  "report": {"overall": overall, "by_width": {"24-40": {**overall, "faces": 0}, "40-80": overall},
                             "by_source": {"ilc2021": overall},
                             "false_alarms": {"rejected": figure, "faces_lost": figure}}}  # fmt: skip
    labels = ModelLabels(labels=LABELS, name="m", image_size=112, files={"m.tflite": "abc"})
    card = make_card(labels, ["`m.tflite`: LiteRT."], evaluation, notes=["It was trained in an hour."])
    for words in (
        "not for identifying people", "not the photographers' rights", "none stated",
        "whoever trained has to say", "| all | 852 | 96.0% (94.5% to 97.1%) |", "| 40-80 px wide | 852 |",
        "| `incorrect_mask` | 96.0%", "| 24 |", "sha256 of `m.tflite`: abc", "a visor alone", "trained in an hour",
    ):  # fmt: skip
        assert words.lower() in card.lower()
    assert "| 24-40 px wide |" not in card
    parts = [{"source": source, "split": "train"} for source in ("andrewmvd", "bobs")]
    assert "| `bobs` | not known here" in make_card(labels, [], evaluation, {"data": {"parts": parts}})
    assert "chooses its epoch and its temperature" in make_card(labels, [], {**evaluation, "split": "val"})
    assert "chooses its epoch" not in card
    two = make_card(ModelLabels(labels=LABELS[:2], image_size=112), [])
    assert "Not measured yet" in two
    assert "never says `incorrect_mask`" in two


def test_the_card_of_a_second_file_still_describes_the_first(tmp_path: Path) -> None:
    labels = ModelLabels(labels=LABELS, name="m", image_size=112)
    for name, form in (("a.tflite", "litert"), ("b.tflite", "litert-int8")):
        (tmp_path / name).write_bytes(name.encode())
        write_labels(tmp_path / "labels.json", labels, {name: hashlib.sha256(name.encode()).hexdigest()})
        write_card(tmp_path, tmp_path / "run", form, Exported(tmp_path / name, 8, 1.0), 300)
    card = (tmp_path / "MODEL.md").read_text()
    assert [line[:12] for line in card.splitlines() if "of 300 real faces" in line] == ["- `a.tflite`", "- `b.tflite`"]


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["--format", "onnx", "--out", "m.onnx"], 2, "no format 'onnx': choose one of keras, savedmodel, litert"),
        (["--format", "litert", "--out", "m.keras"], 2, "is a .tflite file"),
        (["--format", "keras", "--out", "m"], 2, "is a .keras file"),
        (["--format", "savedmodel", "--out", "there"], 2, "is there and is no SavedModel"),
        (["--out", "m.tflite"], 1, "there is no model at"),
    ],
)
def test_a_wrong_call_is_refused_before_any_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, arguments: list[str],
    status: int, said: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "thesis.txt").write_text("mine")
    assert run(["export", "run", *arguments]) == status
    assert said in " ".join(capsys.readouterr().err.split())
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "data") == ["there"]


@pytest.fixture(scope="module")
def trained(keras: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder with a small network of the same outputs as the real one."""
    folder = tmp_path_factory.mktemp("run")
    inputs = keras.Input((SIZE, SIZE, 3), name="pictures")
    features = keras.layers.Rescaling(1 / 127.5, offset=-1)(inputs)
    features = keras.layers.Conv2D(8, 3, strides=8, activation="relu")(features)
    cam = keras.layers.Conv2D(4, 1, name="cam")
    maps = cam(features)
    model = keras.Model(inputs, {"logits": keras.layers.GlobalAveragePooling2D(name="logits")(maps), "cam": maps})
    for layer in model.layers:
        layer.set_weights([np.random.default_rng(1).normal(0, 0.6, each.shape) for each in layer.get_weights()])
    model.save(folder / "model.keras")
    labels = ModelLabels(labels=LABELS, name="tiny", image_size=SIZE, temperature=0.8)
    (folder / "labels.json").write_bytes(msgspec.json.encode(labels))
    data = write_classes(tmp_path_factory.mktemp("classes"), each=12)
    save_cut(folder / "crops-train-0.npz", cut_crops(read_data([data]), looker(), exact=False, image_size=SIZE))
    return folder


def answers(keras: Any, trained: Path, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    model = keras.saving.load_model(trained / "model.keras")
    return np.asarray(model.predict_on_batch(pictures.astype(np.float32))["logits"], np.float32)


@pytest.fixture(scope="module")
def faces(trained: Path) -> NDArray[np.uint8]:
    return real_crops(trained / "model.keras", SIZE, (), detector=None, seed=0, progress=silent)[1]


@pytest.mark.slow
@pytest.mark.parametrize("form", ["litert", "litert-int8"])
def test_litert_files_say_what_the_network_says_and_open_in_mediapipe(
    keras: Any, trained: Path, tmp_path: Path, form: str, faces: NDArray[np.uint8]
) -> None:
    done = run_export(trained, form, tmp_path / "m.tflite")
    wanted = answers(keras, trained, faces)
    logits, maps = litert_outputs(done.path.read_bytes(), faces)
    np.testing.assert_allclose(logits, wanted, atol=0.01 if form == "litert" else 0.15)
    assert maps.shape == (len(faces), 4, 4, 4)
    classifier = load_model(done.path)
    shares = classifier.classify(faces)
    explained = classifier.explain(faces)
    assert explained is not None
    np.testing.assert_array_equal(explained, maps)
    labels, scores, _ = said_by_mediapipe(done.path, faces)
    assert labels == [LABELS[place] for place in shares.argmax(1)]
    np.testing.assert_allclose(scores, shares.max(1), atol=1e-3)
    assert read_labels(tmp_path / "labels.json").files == {"m.tflite": classifier.sha256}
    assert f"`m.tflite` ({done.bytes / 1e6:.2f} MB): LiteRT" in (tmp_path / "MODEL.md").read_text()


@pytest.mark.slow
def test_the_keras_file_opens_with_plain_keras(
    keras: Any, trained: Path, tmp_path: Path, faces: NDArray[np.uint8]
) -> None:
    done = run_export(trained / "model.keras", "keras", tmp_path / "plain.keras")
    model = keras.models.load_model(done.path)
    wanted = answers(keras, trained, faces)
    np.testing.assert_allclose(model.predict_on_batch(faces.astype(np.float32))["logits"], wanted, atol=1e-5)
    classifier = load_model(done.path)
    scaled = np.exp(wanted / 0.8)
    np.testing.assert_allclose(classifier.classify(faces), scaled / scaled.sum(1, keepdims=True), atol=1e-5)
    maps = classifier.explain(faces)
    assert maps is not None
    np.testing.assert_allclose(maps.mean((1, 2)), wanted, atol=1e-5)


@pytest.mark.slow
def test_a_savedmodel_is_whole_or_not_there(
    keras: Any, trained: Path, tmp_path: Path, faces: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    import tensorflow as tf

    from training.export import formats

    out = tmp_path / "saved"
    for _ in range(2):  # the second replaces the first
        done = run_export(trained, "savedmodel", out)
    assert done.path == out
    opened = tf.saved_model.load(str(out))
    said = opened.serve(faces.astype(np.float32))["logits"]
    np.testing.assert_allclose(said, answers(keras, trained, faces), atol=1e-4)
    files = read_labels(out / "labels.json").files
    assert files["saved_model.pb"] == hashlib.sha256((out / "saved_model.pb").read_bytes()).hexdigest()
    assert (out / "MODEL.md").is_file()
    assert [path.name for path in tmp_path.iterdir()] == ["saved"]

    def wrong(*_: object) -> float:
        raise ExportError("it says something else")

    monkeypatch.setattr(formats, "check_agreement", wrong)
    for form, name in (("savedmodel", "other"), ("keras", "other.keras")):
        with pytest.raises(ExportError):
            run_export(trained, form, tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["saved"]


@pytest.mark.slow
def test_without_real_faces_nothing_is_written(trained: Path, tmp_path: Path) -> None:
    for name in ("model.keras", "labels.json"):
        (tmp_path / name).write_bytes((trained / name).read_bytes())
    with pytest.raises(UsageError, match="no real faces"):
        run_export(tmp_path, "litert-int8", tmp_path / "m.tflite")
    assert not (tmp_path / "m.tflite").exists()
    (tmp_path / "labels.json").unlink()
    with pytest.raises(SetupError, match=r"labels\.json can't be read"):
        run_export(tmp_path, "litert-int8", tmp_path / "m.tflite")


@pytest.mark.slow
def test_a_model_from_elsewhere_is_not_exported(keras: Any, trained: Path, tmp_path: Path) -> None:
    inputs = keras.Input((SIZE, SIZE, 3))
    keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(inputs)).save(tmp_path / "model.keras")
    (tmp_path / "labels.json").write_text(json.dumps({"labels": ["with_mask", "without_mask", None]}))
    with pytest.raises(InputError, match="not made by `maskwatch train`"):
        run_export(tmp_path, "litert", tmp_path / "m.tflite")
