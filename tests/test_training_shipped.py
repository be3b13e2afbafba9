"""The weights that are committed: what the running system relies on."""

import hashlib

import numpy as np
import pytest
from numpy.typing import NDArray

from classify.classifier import SHIPPED_MODEL, LiteRtClassifier, read_labels
from tests.test_training_data import looker, write_classes
from training.cache import cut_crops
from training.evaluation import evaluate
from training.export import MAX_BYTES, litert_outputs
from training.labels import LABELS
from training.pictures import read_data

FILES = (SHIPPED_MODEL, SHIPPED_MODEL.with_name(f"{SHIPPED_MODEL.stem}-float.tflite"))


@pytest.fixture(scope="module")
def pictures() -> NDArray[np.uint8]:
    small = np.random.default_rng(0).integers(0, 256, (33, 7, 7, 3), np.uint8)
    return np.ascontiguousarray(small.repeat(16, 1).repeat(16, 2))


def test_the_labels_describe_this_very_file() -> None:
    labels = read_labels(SHIPPED_MODEL.with_name("labels.json"))
    assert labels.labels == LABELS
    for path in FILES:
        assert labels.files[path.name] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert 0.25 <= labels.temperature <= 4.0


def test_the_model_card_is_of_these_files() -> None:
    card = SHIPPED_MODEL.with_name("MODEL.md").read_text(encoding="utf-8")
    for path in FILES:
        assert path.name in card
        assert hashlib.sha256(path.read_bytes()).hexdigest() in card


def test_the_files_are_small_and_take_pixel_values_as_they_are() -> None:
    from ai_edge_litert.interpreter import Interpreter

    content = SHIPPED_MODEL.read_bytes()
    assert sum(path.stat().st_size for path in FILES) <= MAX_BYTES
    interpreter = Interpreter(model_content=content)
    entry = interpreter.get_input_details()[0]
    assert (entry["dtype"], entry["quantization"]) == (np.uint8, (1.0, 0))
    assert entry["shape_signature"].tolist() == [-1, 112, 112, 3]
    ranks = sorted(len(output["shape"]) for output in interpreter.get_output_details())
    assert ranks == [2, 2, 4]


@pytest.mark.parametrize("batch", [1, 7, 32])
def test_a_face_gets_the_same_bits_in_every_batch(pictures: NDArray[np.uint8], batch: int) -> None:
    content = SHIPPED_MODEL.read_bytes()
    for one, other in zip(
        litert_outputs(content, pictures, batch=33), litert_outputs(content, pictures, batch=batch), strict=True
    ):
        np.testing.assert_array_equal(one, other)


def test_the_activation_map_averages_to_the_logits(pictures: NDArray[np.uint8]) -> None:
    logits, activation_map = litert_outputs(SHIPPED_MODEL.read_bytes(), pictures)
    assert logits.shape == (33, 4)
    np.testing.assert_allclose(activation_map.mean((1, 2)), logits, atol=0.15)


def test_the_portrait_of_a_bare_face_is_without_mask(astronaut: NDArray[np.uint8]) -> None:
    from classify.crops import crop_face

    crop = crop_face(astronaut, (172.0, 65.0, 106.0, 135.0))
    probabilities = LiteRtClassifier().classify(crop[None])[0]
    assert LABELS[int(probabilities.argmax())] == "without_mask"


def test_evaluation_needs_no_tensorflow(tmp_path: object, tmp_path_factory: pytest.TempPathFactory) -> None:
    data = write_classes(tmp_path_factory.mktemp("data"), each=3)
    cut = cut_crops(read_data([data]), looker(), exact=True, image_size=LiteRtClassifier().image_size)
    found, crops, probabilities = evaluate(LiteRtClassifier(), cut, "all")
    assert len(crops) == len(probabilities) == found.report.overall.faces == 6
    assert found.ms_per_face_1 > 0


def test_the_float_file_says_what_the_shipped_one_says(pictures: NDArray[np.uint8]) -> None:
    exact, small = (LiteRtClassifier(path).classify(pictures) for path in FILES[::-1])
    assert np.abs(exact - small).mean() < 0.05
