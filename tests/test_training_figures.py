"""Figures against values computed by hand."""

import numpy as np
import pytest
from numpy.typing import NDArray

from training.calibration import fit_temperature, prior_shift
from training.figures import balanced_log_loss, calibration_error, figures, report, softmax, wilson
from training.schedule import learning_rate


def sure(predicted: list[int], classes: int = 4) -> NDArray[np.float32]:
    return np.eye(classes, dtype=np.float32)[predicted] * 0.9 + np.float32(0.1 / classes)


LABELS = np.array([0, 0, 0, 0, 1, 1, 1, 2, 2, 2], np.int64)
PREDICTED = [0, 0, 0, 2, 1, 1, 0, 2, 2, 1]


def test_confusion_accuracy_and_recalls() -> None:
    found = figures(sure(PREDICTED), LABELS)
    assert found.confusion == [[3, 0, 1], [1, 2, 0], [0, 1, 2]]
    assert found.accuracy.value == pytest.approx(0.7)
    assert found.balanced_accuracy.value == pytest.approx((3 / 4 + 2 / 3 + 2 / 3) / 3)
    assert found.two_class_accuracy.value == pytest.approx(0.8)
    assert found.classes["with_mask"].precision.value == pytest.approx(3 / 4)
    assert found.classes["without_mask"].recall.value == pytest.approx(2 / 3)
    assert found.classes["incorrect_mask"].f1.value == pytest.approx(2 / 3)


def test_intervals_hold_the_value_and_stay_within_zero_and_one() -> None:
    found = figures(sure(PREDICTED), LABELS)
    kinds = [found.accuracy, found.balanced_accuracy, *(one.f1 for one in found.classes.values())]
    for figure in kinds:
        assert figure.low is not None
        assert figure.value is not None
        assert figure.high is not None
        assert 0.0 <= figure.low <= figure.value <= figure.high <= 1.0


@pytest.mark.parametrize(
    ("right", "of", "low", "high"),
    [(3, 4, 0.3006, 0.9544), (7, 9, 0.4526, 0.9368), (0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0)],
)
def test_wilson_intervals(right: int, of: int, low: float, high: float) -> None:
    figure = wilson(right, of)
    assert [figure.low, figure.high] == pytest.approx([low, high], abs=1e-4)


def test_no_faces_give_no_figures_rather_than_zeros() -> None:
    found = figures(np.empty((0, 4), np.float32), np.empty(0, np.int64))
    assert (found.faces, found.accuracy.value, found.balanced_accuracy.value) == (0, None, None)
    assert found.calibration_error is None


def test_not_a_face_is_left_out_of_the_three_classes_and_reported_beside_them() -> None:
    labels = np.array([0, 1, 3, 3, 3], np.int64)
    probabilities = np.array(
        [[0.3, 0.1, 0.0, 0.6], [0.1, 0.8, 0.05, 0.05], [0, 0, 0, 1], [0.1, 0, 0, 0.9], [0.9, 0, 0, 0.1]], np.float32
    )
    found = report(probabilities, labels, np.full(5, 50.0), np.array(["x"] * 5))
    assert found.overall.accuracy.value == 1.0
    assert found.false_alarms.rejected.value == pytest.approx(2 / 3)
    assert found.false_alarms.faces_lost.value == pytest.approx(1 / 2)


def test_figures_by_width_and_source() -> None:
    widths = np.array([24, 39, 40, 79, 80, 200, 30, 30, 30, 30], np.float64)
    sources = np.array(["a"] * 5 + ["b"] * 5)
    found = report(sure(PREDICTED), LABELS, widths, sources)
    assert {name: one.faces for name, one in found.by_width.items()} == {"24-40": 6, "40-80": 2, "80+": 2}
    assert {name: one.accuracy.value for name, one in found.by_source.items()} == {"a": 0.8, "b": 0.6}


def test_calibration_error_of_a_model_that_is_always_sure_and_right_four_times_in_five() -> None:
    probabilities = np.array([[1.0, 0.0, 0.0]] * 5)
    assert calibration_error(probabilities, np.array([0, 0, 0, 0, 1])) == pytest.approx(0.2)


def test_a_rare_class_weighs_as_much_as_a_common_one() -> None:
    probabilities = np.array([[0.8, 0.2]] * 9 + [[0.5, 0.5]])
    loss, recall = balanced_log_loss(probabilities, np.array([0] * 9 + [1]))
    assert loss == pytest.approx((-np.log(0.8) - np.log(0.5)) / 2)
    assert recall == pytest.approx(0.5)


def test_temperature_undoes_an_overconfident_scale() -> None:
    rng = np.random.default_rng(0)
    honest = rng.normal(0, 1.5, (20_000, 3))
    chances = softmax(honest)
    labels = np.array([rng.choice(3, p=row / row.sum()) for row in chances.astype(np.float64)], np.int64)
    assert fit_temperature(honest * 2.5, labels) == pytest.approx(2.5, rel=0.1)


def test_temperature_of_one_class_is_one() -> None:
    assert fit_temperature(np.zeros((5, 4)), np.zeros(5, np.int64)) == 1.0


def test_the_learning_rate_rises_then_falls() -> None:
    rates = [learning_rate(step, 50, 1.0, warmup=5) for step in range(50)]
    assert rates.index(max(rates)) in (4, 5)
    assert rates[-1] == pytest.approx(0.02)
    assert all(0 < rate <= 1 for rate in rates)


def test_rare_classes_go_part_of_the_way_back_to_their_share() -> None:
    shift = prior_shift(np.array([90.0, 10.0, 0.0]), np.array([0.5, 0.5, 0.0]))
    assert shift == pytest.approx([0.35 * np.log(1.8), 0.35 * np.log(0.2), 0.0])
