"""The shipped classifier as the running system uses it: batches, activation maps, several files in a folder."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from classify.classifier import SHIPPED_MODEL, LiteRtClassifier, load_model
from classify.labels_file import read_labels
from storage.errors import InputError
from storage.policy import LABEL_POLICY
from storage.words import NOT_A_FACE, Label


@pytest.fixture(scope="module")
def pictures() -> NDArray[np.uint8]:
    small = np.random.default_rng(0).integers(0, 256, (37, 7, 7, 3), np.uint8)
    return np.ascontiguousarray(small.repeat(16, 1).repeat(16, 2))


def beside(folder: Path, name: str, **labels: object) -> Path:
    """The shipped model under another name, with labels as given."""
    (folder / name).write_bytes(SHIPPED_MODEL.read_bytes())
    stated = json.loads(SHIPPED_MODEL.with_name("labels.json").read_text()) | labels
    (folder / "labels.json").write_text(json.dumps({key: value for key, value in stated.items() if value is not None}))
    return folder / name


def test_any_number_of_faces_gives_each_what_it_gets_alone(pictures: NDArray[np.uint8]) -> None:
    classifier = load_model(SHIPPED_MODEL)
    together = classifier.classify(pictures)
    alone = np.concatenate([classifier.classify(each[None]) for each in pictures])
    np.testing.assert_array_equal(together, alone)
    np.testing.assert_allclose(together.sum(1), 1.0, atol=1e-6)
    assert classifier.classify(pictures[:0]).shape == (0, 4)


def test_the_activation_maps_average_to_what_was_said(pictures: NDArray[np.uint8]) -> None:
    classifier = LiteRtClassifier()
    maps = classifier.explain(pictures)
    assert maps is not None
    assert maps.shape == (37, 4, 4, 4)
    assert maps.dtype == np.float32
    logits = maps.mean((1, 2)) / read_labels(SHIPPED_MODEL.with_name("labels.json")).temperature
    powers = np.exp(logits - logits.max(1, keepdims=True))
    np.testing.assert_allclose(powers / powers.sum(1, keepdims=True), classifier.classify(pictures), atol=0.05)


def test_the_old_labels_file_with_one_sum_still_counts(tmp_path: Path) -> None:
    path = beside(tmp_path, "any-name.tflite")
    assert load_model(path).sha256 == hashlib.sha256(SHIPPED_MODEL.read_bytes()).hexdigest()
    path.write_bytes(SHIPPED_MODEL.read_bytes() + b"\0")
    with pytest.raises(InputError, match="sha256 differ"):
        load_model(path)


def test_a_folder_can_hold_several_files_of_a_model(tmp_path: Path) -> None:
    digest = hashlib.sha256(SHIPPED_MODEL.read_bytes()).hexdigest()
    path = beside(tmp_path, "one.tflite", sha256=None, files={"one.tflite": digest, "two.tflite": "00", "m.keras": "1"})
    assert load_model(path).name == "maskwatch-mobilenetv2-short-112"
    # A copy under another name is still one of them; a file that is named with another sum is not.
    assert load_model(path.rename(tmp_path / "renamed.tflite")).sha256 == digest
    with pytest.raises(InputError, match="sha256 differ"):
        load_model((tmp_path / "renamed.tflite").rename(tmp_path / "two.tflite"))


def test_every_label_has_its_meaning_in_one_place() -> None:
    assert set(LABEL_POLICY) == {*(label.value for label in Label), NOT_A_FACE}
