"""The page and the JSON of a run, and the evaluation behind them."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from classify.classifier import load_model
from storage.errors import StorageError
from tests.tiny_models import tiny_litert
from training.abstention import abstains
from training.cache import Crops, Cut
from training.checkpoint import Epoch
from training.described import label_numbers
from training.evaluation import AS_GIVEN, AsGiven, cross_entropy, evaluate, pooled, unclear_judged
from training.explanation import Heat, chosen_cases, explained
from training.formats.listed import shown
from training.labels import LABELS
from training.report import Run, write_report

HOSTILE = "<script>alert('$x$')</script>&\"'"


class Brightness:
    """Calls dark faces masked, mid ones bare and light ones worn wrongly, surely; black is no face."""

    name, sha256, backend = "brightness", "0" * 64, "test"
    image_size, margin, rejects_false_alarms = 32, 0.25, True
    input_dtype, normalisation, labels = "uint8", "as they are", LABELS

    def classify(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        grey = crops.mean((1, 2, 3)) if len(crops) else np.empty(0)
        answers = np.select([grey < 20, grey < 90, grey < 160], [3, 0, 1], 2)
        return np.asarray(np.eye(4)[answers] * 0.92 + 0.02, np.float32)

    def explain(self, crops: NDArray[np.uint8]) -> NDArray[np.float32] | None:
        grey = crops[:, 4::8, 4::8].mean(-1, dtype=np.float32)
        return np.stack([grey - 100.0 * label for label in range(4)], axis=-1)


GREYS = (60, 120, 190, 5)


def crops_of(labels: list[int], *, widths: list[float] | None = None, names: str = "a.png", seed: int = 0) -> Crops:
    """Faces that `Brightness` judges right."""
    rng = np.random.default_rng(seed)
    greys = np.array([GREYS[label] for label in labels], np.float64)
    exact = np.clip(greys[:, None, None, None] + rng.normal(0, 9, (len(labels), 32, 32, 3)), 0, 255).astype(np.uint8)
    sides = widths or [50.0] * len(labels)
    return Crops(
        [np.zeros((round(2.4 * side), round(2.4 * side), 3), np.uint8) for side in sides],
        exact,
        np.array(labels, np.int64),
        np.array(sides, np.float32),
        np.full(len(labels), 0.9, np.float32),
        np.full((len(labels), 6, 2), np.nan, np.float32),
        np.array(["town"] * len(labels)),
        np.array(["false_alarm" if label == 3 else "annotated" for label in labels]),
        np.array([names] * len(labels)),
        np.array(labels, np.int64),
    )


def small(crops: Crops) -> Crops:
    """The same with crops for a network of 16 px."""
    return replace(crops, exact=np.ascontiguousarray(crops.exact[:, ::2, ::2]))


def mislabelled(crops: Crops, *places: int) -> Crops:
    labels = crops.labels.copy()
    labels[list(places)] = (labels[list(places)] + 1) % 3
    return replace(crops, labels=labels)


@pytest.fixture
def measured() -> tuple[Any, Crops, NDArray[np.float32]]:
    crops = mislabelled(crops_of([0, 1, 2] * 12 + [3] * 4, widths=[30.0, 50.0, 100.0, 20.0] * 10), 1, 6)
    return evaluate(Brightness(), Cut(crops, ("lost.png",)), "val", file=Path(__file__))


def run_of(measured: Any, **more: Any) -> Run:
    found, crops, said = measured
    return Run("a run", found, crops, said, **more)


def history(count: int = 3) -> list[Epoch]:
    return [
        Epoch(number, 10, 1.0, 1.0 / (number + 1), 0.9 / (number + 1), 0.5 + 0.1 * number) for number in range(count)
    ]


class Page(HTMLParser):
    """What a page is made of."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_evaluation_states_loss_size_memory_input_and_label_numbers(measured: Any) -> None:
    found, crops, said = measured
    assert found.too_small == 9
    assert found.report.overall.faces == 27
    assert found.loss == pytest.approx(cross_entropy(said, crops.labels))
    assert found.model_bytes == Path(__file__).stat().st_size
    assert found.peak_memory_mib > 10
    assert (found.input.size, found.input.dtype, found.input.margin) == (32, "uint8", 0.25)
    assert [(one.number, one.label, one.predicted) for one in found.labels] == [
        (number, label, True) for number, label in enumerate(LABELS)
    ]
    assert sum(one.faces for one in found.labels) == len(crops)
    decoded = json.loads(msgspec.json.encode(found))
    assert decoded["report"]["overall"]["unknown"]["faces"] == 27


def test_what_goes_in_and_comes_out_is_the_models_own(tmp_path: Path) -> None:
    path = tiny_litert(tmp_path / "m.tflite", [[0, 0, 0], [1, 0, 0], [0, 1, 0]])
    names = ["not_a_face", "without_mask", "with_mask"]
    (tmp_path / "labels.json").write_text(json.dumps({"labels": names, "rescale": "-1-1", "channels": "bgr"}))
    found, _, _ = evaluate(load_model(path), Cut(small(crops_of([0, 1, 2, 3])), ()), "test")
    assert found.input is not None
    assert (found.input.dtype, found.input.size) == ("float32", 16)
    assert found.input.normalisation.startswith(
        "BGR, pixel values 0-255 are multiplied by 0.00784314, then -1 is added"
    )
    assert [(one.number, one.label) for one in found.labels] == [
        (0, "not_a_face"), (1, "without_mask"), (2, "with_mask"), (None, "incorrect_mask"),
    ]  # fmt: skip
    (tmp_path / "labels.json").write_text(json.dumps({"labels": names}))
    plain_found, _, _ = evaluate(load_model(path), Cut(small(crops_of([0, 1, 2, 3])), ()), "test")
    assert plain_found.input is not None
    assert "go in as they are" in plain_found.input.normalisation


def test_outputs_of_pooled_models_are_those_that_say_something() -> None:
    said = np.array([[0.6, 0.3, 0.0, 0.1], [0.1, 0.8, 0.0, 0.1]])
    numbers = label_numbers(said, np.array([0, 1]), None)
    assert [(one.number, one.label) for one in numbers] == [
        (0, "with_mask"), (1, "without_mask"), (2, "not_a_face"), (None, "incorrect_mask"),
    ]  # fmt: skip


def test_unclear_faces_count_with_the_labels_as_given_alone() -> None:
    whole, unclear = mislabelled(crops_of([0, 1, 2] * 6), 0), crops_of([2, 2, 2], widths=[50.0, 50.0, 20.0])
    found, kept, _ = evaluate(Brightness(), Cut(whole, (), unclear), "val")
    assert (len(kept), found.report.overall.faces) == (18, 18)
    assert found.report.groups[AS_GIVEN].faces == 20
    assert found.report.groups[AS_GIVEN].accuracy.value == 1.0
    assert found.as_given == AsGiven(1, 2)
    again, _, _ = pooled([(whole, Brightness().classify(whole.exact))], unclear=unclear_judged(Brightness(), unclear))
    assert again.report.groups[AS_GIVEN] == found.report.groups[AS_GIVEN]
    same, _, _ = evaluate(Brightness(), Cut(crops_of([0, 1, 2] * 6), ()), "val")
    assert (same.as_given, AS_GIVEN in same.report.groups) == (None, False)


def test_the_page_says_what_the_figures_rest_on(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="the training set is not installed: run `make setup-train`")
    cut = Cut(mislabelled(crops_of([0, 1, 2] * 6), 0), (), crops_of([2, 2]))
    for split in ("val", "test"):
        write_report(tmp_path / split, run_of(evaluate(Brightness(), cut, split)))
    text = Page((tmp_path / "val" / "report.html").read_text()).text
    assert "chooses its epoch and its temperature" in text
    assert "of which a review changed 1, and 2 faces whose label nobody can tell" in text
    assert "chooses its epoch" not in (tmp_path / "test" / "report.html").read_text()


def test_a_control_character_in_a_name_does_not_end_the_report(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="the training set is not installed: run `make setup-train`")
    crops = crops_of([0, 1, 2] * 5)
    crops = replace(crops, sources=np.array(["to\x01wn\ufffe\x1b"] * len(crops)))
    write_report(tmp_path, run_of(evaluate(Brightness(), Cut(crops, ()), "test")))
    text = (tmp_path / "report.html").read_text()
    assert "to\N{REPLACEMENT CHARACTER}wn" in text
    assert not set(text) & set("\x01\x1b\ufffe")
    assert shown("to\x01w\nn") == r"to\x01w\x0an"


def test_loss_leaves_out_labels_that_the_model_does_not_know() -> None:
    two = np.array([[0.5, 0.5, 0.0, 0.0]] * 3)
    assert cross_entropy(two, np.array([0, 1, 2])) == pytest.approx(np.log(2))
    assert cross_entropy(two, np.array([2, 2, 2])) is None


def test_unknown_is_what_the_running_system_would_say() -> None:
    crops = crops_of([0, 0, 0, 0, 0], widths=[50.0, 20.0, 50.0, 50.0, 50.0])
    crops.exact[2] //= 8
    crops.keypoints[3, :3] = [[10, 10], [30, 10], [31, 20]]
    said = np.array([[0.9, 0.05, 0.05, 0.0]] * 4 + [[0.3, 0.05, 0.05, 0.6]], np.float32)
    assert abstains(crops, said).tolist() == [False, True, True, True, True]
    unsure = np.array([[0.5, 0.3, 0.2, 0.0]] * 5, np.float32)
    assert abstains(crops, unsure).all()
    assert abstains(crops, said, min_face_px=8).tolist() == [False, False, True, True, True]


def test_folds_are_pooled_into_one_report() -> None:
    whole = mislabelled(crops_of([0, 1, 2] * 10 + [3, 3]), 0, 4)
    said = Brightness().classify(whole.exact)
    part = np.arange(len(whole)) % 2 == 0
    found, crops, given = pooled([(whole.chosen(part), said[part]), (whole.chosen(~part), said[~part])])
    alone, _, _ = evaluate(Brightness(), Cut(whole, ()), "all")
    assert found.report.by_width["40-80"].confusion == alone.report.overall.confusion
    assert found.report.overall.confusion == alone.report.overall.confusion
    assert found.report.overall.unknown == alone.report.overall.unknown
    assert found.report.false_alarms == alone.report.false_alarms
    assert (len(crops), len(given)) == (32, 32)
    assert json.loads(msgspec.json.encode(found))["ms_per_face_1"] is None
    with pytest.raises(ValueError, match="its probabilities"):
        pooled([(whole, said[:3])])


def test_the_page_is_one_file_that_reaches_for_nothing(measured: Any, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="the training set is not installed: run `make setup-train`")
    heats = explained(Brightness(), measured[1], measured[2])
    write_report(tmp_path, run_of(measured, history=history(), heats=heats, options={"epochs": 3, "out": tmp_path}))
    text = (tmp_path / "report.html").read_text()
    assert len(text) < 4_000_000
    page = Page(text)
    tags = {tag for tag, _ in page.tags}
    assert not tags & {"script", "link", "iframe", "object", "form", "base"}
    for tag, attributes in page.tags:
        assert "style" not in attributes
        assert not [name for name in attributes if name.startswith("on")]
        for name in ("src", "href"):
            value = attributes.get(name) or "#"
            assert value.startswith(("data:image/jpeg;base64,", "#")), (tag, value)
        assert tag != "img" or attributes["alt"]
        assert tag != "svg" or attributes["aria-label"]
    [policy] = [one["content"] for tag, one in page.tags if one.get("http-equiv") == "Content-Security-Policy"]
    assert policy is not None
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'sha256-")
    for chart in ("Loss", "Precision and recall", "Reliability", "What abstaining is worth", "By part"):
        assert chart in page.text
    ids = [one["id"] for _, one in page.tags if "id" in one]
    assert len(ids) == len(set(ids))
    used = set(re.findall(r'(?:url\(#|href="#)([^)"]+)', text))
    assert used <= set(ids)


def test_what_comes_from_data_is_text_and_nothing_else(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="the training set is not installed: run `make setup-train`")
    crops = mislabelled(crops_of([0, 1, 2] * 5, names=f"{HOSTILE}\udcff.png"), 0)
    crops = replace(crops, sources=np.array([HOSTILE] * len(crops)))
    found = evaluate(Brightness(), Cut(crops, ()), HOSTILE)
    facts = {HOSTILE: HOSTILE, "nested": {HOSTILE: [HOSTILE]}, "rows": [{HOSTILE: 1}]}
    write_report(tmp_path, replace(run_of(found, facts=facts, options={"data": (Path(HOSTILE),)}), title=HOSTILE))
    text = (tmp_path / "report.html").read_text()
    page = Page(text)
    assert "script" not in {tag for tag, _ in page.tags}
    assert page.text.count("alert('$x$')") > 5
    content = json.loads((tmp_path / "report.json").read_text())
    assert content["title"] == HOSTILE
    assert content["errors"][0]["name"] == f"{HOSTILE}?.png"


def test_everything_on_the_page_is_in_the_json(measured: Any, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="the training set is not installed: run `make setup-train`")
    heat = Heat(1, 2, np.array([[0.0, 1.0], [2.0, 3.0]], np.float32))
    write_report(tmp_path, run_of(measured, history=history(), heats=[heat], facts={"licence": "CC0"}))
    content = json.loads((tmp_path / "report.json").read_text())
    assert content["history"][2]["val_balanced_accuracy"] == pytest.approx(0.7)
    assert content["facts"] == {"licence": "CC0"}
    assert content["explained"][0]["heat"] == [[0.0, 1.0], [2.0, 3.0]]
    overall = content["evaluation"]["report"]["overall"]
    assert len(overall["reliability"]) == 15
    assert set(overall["precision_recall"]) == set(LABELS[:3])
    wrong = [one for one in content["errors"] if max(one["probabilities"], key=one["probabilities"].get) != one["true"]]
    assert len(wrong) == len(content["errors"]) == 2


def test_two_labels_and_no_wrong_answer_make_a_page_too(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="the training set is not installed: run `make setup-train`")
    found = evaluate(Brightness(), Cut(crops_of([0, 1, 0, 1]), ()), "test")
    write_report(tmp_path / "new" / "folder", run_of(found))
    text = (tmp_path / "new" / "folder" / "report.html").read_text()
    assert "No face here is incorrect_mask." in text
    assert "No answer is wrong." in text
    assert "nan" not in Page(text).text


def test_no_face_at_all_makes_a_page_that_says_so(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="the training set is not installed: run `make setup-train`")
    found = evaluate(Brightness(), Cut(crops_of([0, 1], widths=[15.0, 15.0]), ()), "test")
    write_report(tmp_path, run_of(found))
    assert "There is no face to judge." in (tmp_path / "report.html").read_text()


def test_a_folder_that_can_not_be_written_is_named(measured: Any, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="the training set is not installed: run `make setup-train`")
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot write"):
        write_report(tmp_path / "file" / "out", run_of(measured))


def test_right_and_wrong_answers_are_explained_alike_for_every_label() -> None:
    labels = np.array([0] * 20 + [1] * 2 + [2] * 2, np.int64)
    said = np.asarray(np.eye(4)[labels], np.float32)
    said[0] = [0, 1, 0, 0]
    places = chosen_cases(labels, said, count=6)
    assert sorted(labels[places[:-1]].tolist()) == [0, 0, 1, 1, 2, 2]
    assert places[-1] == 0
    crops = crops_of(labels.tolist())
    heats = explained(Brightness(), crops, said)
    assert [(one.place, LABELS[one.label]) for one in heats if one.place == 0] == [
        (0, "without_mask"),
        (0, "with_mask"),
    ]
    assert heats[0].heat.shape == (4, 4)
