"""Figures against values computed by hand."""

import json

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from training.calibration import fit_temperature, prior_shift
from training.curves import calibration_error
from training.figures import balanced_log_loss, figures, report, softmax, wilson
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


def test_faces_of_one_picture_are_one_witness() -> None:
    rng = np.random.default_rng(0)
    right = np.repeat(rng.random(60) < 0.8, 10)
    labels = np.repeat(rng.integers(0, 3, 60), 10)
    said = sure(np.where(right, labels, (labels + 1) % 3).tolist())
    alone = figures(said, labels, curves=False)
    together = figures(said, labels, clusters=np.repeat(np.arange(60), 10), curves=False)
    for name in ("accuracy", "balanced_accuracy", "two_class_accuracy", "calibration_error_interval"):
        one, other = getattr(alone, name), getattr(together, name)
        assert one.value == pytest.approx(other.value)
        assert 2.0 < (other.high - other.low) / (one.high - one.low) < 5.0, name
        assert other.low <= other.value <= other.high
    # Of 60 independent pictures, what Wilson says of 60 faces.
    assert together.accuracy.value is not None
    wanted = wilson(round(60 * together.accuracy.value), 60)
    assert (together.accuracy.low, together.accuracy.high) == pytest.approx((wanted.low, wanted.high), abs=0.03)
    assert together.confusion == alone.confusion


def test_where_nothing_is_wrong_the_interval_is_that_of_so_many_pictures() -> None:
    found = figures(sure([0, 1, 2] * 20), np.array([0, 1, 2] * 20), clusters=np.repeat(np.arange(10), 6), curves=False)
    assert (found.accuracy.value, found.accuracy.of) == (1.0, 60)
    assert found.accuracy.low == pytest.approx(0.7225, abs=1e-4)
    assert found.balanced_accuracy.low == pytest.approx(0.7225, abs=1e-4)


def test_calibration_has_the_interval_of_its_bins() -> None:
    rng = np.random.default_rng(0)
    said = softmax(rng.normal(0, 2, (2000, 3)))
    labels = np.array([rng.choice(3, p=row / row.sum()) for row in said.astype(np.float64)], np.int64)
    found = figures(said, labels, curves=False)
    interval = found.calibration_error_interval
    assert interval.value == pytest.approx(found.calibration_error)
    assert interval.low is not None
    assert interval.high is not None
    assert 0.0 <= interval.low < interval.value < interval.high < 0.05  # type: ignore[operator]


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


def test_a_model_is_called_surer_than_it_is_by_many_faces_and_errors_alone() -> None:
    labels = np.arange(400) % 2
    sure = np.eye(4)[labels] * 0.5
    assert fit_temperature(sure[:40], labels[:40]) == 1.0
    assert fit_temperature(sure, labels) == 1.0
    sure[:10] = np.eye(4)[1 - labels[:10]] * 0.5
    assert fit_temperature(sure, labels) < 0.5
    assert fit_temperature(sure[:299], labels[:299]) == 1.0


def test_the_learning_rate_rises_then_falls() -> None:
    rates = [learning_rate(step, 50, 1.0, warmup=5) for step in range(50)]
    assert rates.index(max(rates)) in (4, 5)
    assert rates[-1] == pytest.approx(0.02)
    assert all(0 < rate <= 1 for rate in rates)


def test_rare_classes_go_part_of_the_way_back_to_their_share() -> None:
    shift = prior_shift(np.array([90.0, 10.0, 0.0]), np.array([0.5, 0.5, 0.0]))
    assert shift == pytest.approx([0.35 * np.log(1.8), 0.35 * np.log(0.2), 0.0])


def test_abstaining_on_the_least_sure_removes_the_errors_that_are_there() -> None:
    probabilities = np.tile([0.9, 0.1, 0.0], (100, 1))
    probabilities[:3] = [0.6, 0.4, 0.0]
    labels = np.zeros(100, np.int64)
    labels[[0, 1, 50, 51]] = 1
    found = figures(probabilities, labels)
    assert found.abstention.of == 4
    assert found.abstention.value is not None
    assert 0.5 <= found.abstention.value <= 1.0
    assert (found.risk_coverage[-1].coverage, found.risk_coverage[-1].risk) == (1.0, 0.04)
    assert len(found.risk_coverage) <= 100


def test_equally_sure_faces_are_not_taken_in_the_order_of_the_data() -> None:
    labels = np.array([1] * 50 + [0] * 950, np.int64)
    found = figures(np.tile([0.9, 0.1, 0.0], (1000, 1)), labels)
    assert found.abstention.value == pytest.approx(0.05, abs=0.1)


def test_brier_score() -> None:
    assert figures(np.array([[0.8, 0.2, 0.0]]), np.array([0])).brier == pytest.approx(0.08)
    assert figures(np.array([[0.0, 1.0, 0.0]]), np.array([0])).brier == pytest.approx(2.0)


def test_reliability_bins_hold_equally_many_and_add_up() -> None:
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet([1, 1, 1], 300)
    labels = rng.integers(0, 3, 300)
    bins = figures(probabilities, labels).reliability
    assert [part.count for part in bins] == [20] * 15
    assert [part.confidence for part in bins] == sorted(part.confidence for part in bins)
    accuracy = sum(part.accuracy * part.count for part in bins) / 300
    assert accuracy == pytest.approx(figures(probabilities, labels).accuracy.value)


def test_average_precision_by_hand() -> None:
    """Ranked: right, wrong, right; precision 1 at half the recall, 2/3 at all of it."""
    probabilities = np.array([[0.9, 0.1, 0.0], [0.8, 0.2, 0.0], [0.7, 0.3, 0.0]])
    found = figures(probabilities, np.array([0, 1, 0])).precision_recall["with_mask"]
    assert found.average_precision == pytest.approx(0.5 * 1.0 + 0.5 * 2 / 3)
    assert (found.recall[-1], found.of) == (1.0, 2)


def test_faces_of_the_same_score_are_found_together() -> None:
    found = figures(np.tile([0.5, 0.5, 0.0], (4, 1)), np.array([0, 1, 1, 1])).precision_recall["with_mask"]
    assert (found.average_precision, found.recall, found.precision) == (0.25, [1.0], [0.25])


def test_curves_have_at_most_a_hundred_points() -> None:
    rng = np.random.default_rng(1)
    found = figures(rng.dirichlet([1, 1, 1], 3000), rng.integers(0, 3, 3000))
    assert all(50 < len(curve.recall) == len(curve.precision) <= 100 for curve in found.precision_recall.values())


def test_labels_without_faces_are_absent_and_nothing_is_divided_by_zero() -> None:
    found = figures(np.array([[0.9, 0.1, 0.0, 0.0], [0.2, 0.8, 0.0, 0.0]]), np.array([0, 1]))
    assert found.absent == ["incorrect_mask"]
    assert set(found.precision_recall) == {"with_mask", "without_mask"}
    assert found.classes["incorrect_mask"].f1.value is None
    assert found.balanced_accuracy.value == 1.0
    assert found.abstention.value is None
    empty = figures(np.empty((0, 4)), np.empty(0, np.int64), unknown=np.empty(0, np.bool_))
    assert (empty.brier, empty.reliability, empty.risk_coverage, empty.precision_recall) == (None, [], [], {})
    assert empty.unknown is not None
    assert empty.unknown.abstained.value is None


def test_what_unknown_does_is_reported_over_the_kept_ones_and_by_width() -> None:
    unknown = np.array([0, 0, 0, 1, 0, 0, 1, 0, 0, 0], np.bool_)
    widths = np.array([30.0] * 5 + [90.0] * 5)
    found = report(sure(PREDICTED), LABELS, widths, np.array(["a"] * 10), unknown=unknown)
    overall = found.overall.unknown
    assert overall is not None
    assert (overall.faces, overall.abstained.value) == (8, 0.2)
    assert overall.errors_removed.value == pytest.approx(2 / 3)
    assert overall.confusion == [[3, 0, 0], [0, 2, 0], [0, 1, 2]]
    assert overall.accuracy.value == pytest.approx(7 / 8)
    assert [one.unknown.faces for one in found.by_width.values() if one.unknown] == [4, 0, 4]
    assert found.by_source["a"].reliability == []
    decoded = json.loads(msgspec.json.encode(found))
    assert decoded["overall"]["unknown"]["abstained"]["of"] == 10
