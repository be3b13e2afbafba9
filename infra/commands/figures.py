"""What is found in labelled pictures, and how well a model does on them, printed for people."""

import math

from rich.table import Table

from infra.console import messages, results, say
from training.data_report import DataReport
from training.evaluation import Evaluation
from training.figures import Figure, Figures


def show_data(report: DataReport) -> None:
    """Tell what the checks found in the pictures: counts by source and split, and warnings."""
    labels = list(report.faces)
    table = Table("source", "split", "pictures", *(label.replace("_", " ") for label in labels))
    for part in report.parts:
        table.add_row(part.source, part.split, str(part.pictures), *(str(part.faces.get(label, 0)) for label in labels))
    table.add_row(
        "all", "", str(report.pictures), *(f"{report.faces[each]} ({report.balance[each]:.0%})" for each in labels)
    )
    messages.print(table)
    for warning in report.warnings:
        say(f"note: {warning}")


def show_evaluation(found: Evaluation) -> None:
    """Print figures for people, each with its 95 % interval and the number of faces it rests on."""
    results.print(f"{found.model} on {found.split}: faces of {found.min_face_px:g} px and more", markup=False)
    table = Table("faces", "number", "accuracy", "balanced", "mask or not", "calibration error")
    for name, figures in _rows(found):
        error = "" if figures.calibration_error is None else f"{figures.calibration_error:.3f}"
        row = [_text(each) for each in (figures.accuracy, figures.balanced_accuracy, figures.two_class_accuracy)]
        table.add_row(name, str(figures.faces), *row, error)
    results.print(table)
    classes = Table("label", "precision", "recall", "F1")
    for label, figure in found.report.overall.classes.items():
        classes.add_row(label, _text(figure.precision), _text(figure.recall), _text(figure.f1))
    results.print(classes)
    if found.detection:
        bands = Table("face width", "recall", "precision")
        for band in found.detection:
            bands.add_row(band.width, _text(band.recall), _text(band.precision))
        results.print(bands)
    alarms = found.report.false_alarms
    results.print(
        f"false alarms rejected: {_text(alarms.rejected)}; true faces lost: {_text(alarms.faces_lost)}", markup=False
    )
    # Of several models pooled there is no time.
    if not math.isnan(found.ms_per_face_1):
        results.print(
            f"{found.ms_per_face_1:.2f} ms a face alone, {found.ms_per_face_32:.2f} ms in a batch of 32", markup=False
        )


def _rows(found: Evaluation) -> list[tuple[str, Figures]]:
    report = found.report
    parts = {**report.by_width, **report.by_source, **report.groups}
    return [("all", report.overall), *((name, figures) for name, figures in parts.items() if figures.faces)]


def _text(figure: Figure) -> str:
    if figure.value is None or figure.low is None or figure.high is None:
        return "-"
    return f"{figure.value:.3f} ({figure.low:.3f}-{figure.high:.3f})"
