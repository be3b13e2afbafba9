"""The parts of the page with figures: by label, by confidence, by part, and what `unknown` and the detector do."""

from collections.abc import Iterator

from training.evaluation import AS_GIVEN, Evaluation
from training.figures import Figures
from training.report import charts
from training.report.drawing import CHART, svg
from training.report.markup import Raw, decimal, facts, grid, paragraph, percent, table, text_of


def confusion(found: Evaluation) -> Raw:
    """The confusion matrix and the curves of precision by recall."""
    overall = found.report.overall
    if not overall.faces:
        return paragraph("There is no face to judge.")
    curves = overall.precision_recall
    return grid(
        svg("confusion", CHART, charts.confusion(overall.confusion, f"{found.split}: {overall.faces} faces"),
            says=f"Confusion matrix, rows true: {overall.confusion}"),
        svg("precision-recall", CHART, charts.precision_recall(curves),
            says="; ".join(f"{label}: average precision {one.average_precision:.3f}" for label, one in curves.items())),
    )  # fmt: skip


def classes(overall: Figures) -> Raw:
    """Precision, recall and F1 of each label."""
    return table(
        ["label", "faces", "precision", "recall", "F1", "average precision"],
        (
            (
                label, one.recall.of, percent(one.precision), percent(one.recall), decimal(one.f1),
                overall.precision_recall[label].average_precision if label in overall.precision_recall else None,
            )
            for label, one in overall.classes.items()
        ),
    )  # fmt: skip


def confidence(overall: Figures) -> Iterator[Raw]:
    """What the confidence is worth."""
    if not overall.faces:
        return
    yield grid(
        svg("reliability", CHART, charts.reliability(overall.reliability),
            says=f"Reliability diagram, expected calibration error {text_of(overall.calibration_error)}"),
        svg("risk-coverage", CHART, charts.risk_coverage(overall.risk_coverage),
            says=f"Errors by share of faces judged; without the 5 % least sure {percent(overall.abstention)} less"),
    )  # fmt: skip
    yield facts(
        [
            ("expected calibration error", decimal(overall.calibration_error_interval)),
            ("Brier score (0 best, 2 worst)", overall.brier),
            ("share of errors among the 5 % least sure", percent(overall.abstention)),
        ],
    )


def groups(found: Evaluation) -> Iterator[Raw]:
    """The figures of each part of the faces."""
    report = found.report
    parts = {
        **{f"{name} px": one for name, one in report.by_width.items()},
        **report.by_source,
        **report.groups,
    }
    parts = {name: one for name, one in parts.items() if one.faces}
    if not parts:
        return
    names = ["mask or not", "three labels, balanced"]
    rows = {name: (one.two_class_accuracy, one.balanced_accuracy) for name, one in parts.items()}
    height = 1.2 + 0.36 * len(rows)
    yield svg("groups", (5.8, height), charts.bars_of(rows, names, "By part, with 95 % intervals"),
              says="Accuracy by part; the table below has the figures")  # fmt: skip
    if (given := found.as_given) is not None:
        yield paragraph(
            f'"{AS_GIVEN}" are the same faces with the labels that the data came with, of which a review changed '
            f"{given.changed}, and {given.unclear} faces whose label nobody can tell, which are in no other figure."
        )
    yield table(
        ["part", "faces", *names, "incorrect_mask F1", "calibration error", "5 % removes of the errors"],
        (
            (
                name, one.faces, percent(one.two_class_accuracy), percent(one.balanced_accuracy),
                decimal(one.classes["incorrect_mask"].f1), decimal(one.calibration_error_interval),
                percent(one.abstention),
            )
            for name, one in parts.items()
        ),
    )  # fmt: skip


def unknown(found: Evaluation) -> Iterator[Raw]:
    """What saying "unknown" does."""
    report = found.report
    parts = {"all": report.overall, **{f"{name} px": one for name, one in report.by_width.items()}, **report.by_source}
    rows = [
        (
            name, one.faces, percent(one.unknown.abstained), percent(one.unknown.errors_removed),
            percent(one.balanced_accuracy), percent(one.unknown.balanced_accuracy),
            decimal(one.classes["incorrect_mask"].f1), decimal(one.unknown.classes["incorrect_mask"].f1),
        )
        for name, one in parts.items()
        if one.unknown is not None and one.faces
    ]  # fmt: skip
    if not rows:
        return
    yield paragraph(
        'The running system says "unknown" of a face that is too small, dark, blurred or turned away, or where no '
        'label is probable enough. Columns with "judged" are over the other faces.'
    )
    head = ["part", "faces", "abstained", "errors removed", "balanced", "balanced, judged", "incorrect_mask F1"]
    yield table([*head, "F1, judged"], rows)


def detector(found: Evaluation) -> Iterator[Raw]:
    """False alarms, and what the detector finds."""
    alarms = found.report.false_alarms
    if alarms.rejected.of or alarms.faces_lost.of:
        yield table(
            ["not_a_face", "of", "share"],
            [
                ("false alarms rejected", alarms.rejected.of, percent(alarms.rejected)),
                ("true faces lost", alarms.faces_lost.of, percent(alarms.faces_lost)),
            ],
        )
    yield table(
        ["face width", "recall", "precision"],
        ((band.width, percent(band.recall), percent(band.precision)) for band in found.detection),
        caption="Faces of the scenes that are found, and finds that are faces",
    )
