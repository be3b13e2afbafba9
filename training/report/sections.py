"""The parts of the page, from the summary to the pictures."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from training.evaluation import Evaluation, worst
from training.explanation import Heat
from training.figures import Figures
from training.gradcam import overlay
from training.labels import LABELS
from training.report import charts
from training.report.drawing import svg
from training.report.markup import (
    Raw,
    bullets,
    decimal,
    escaped,
    facts,
    grid,
    paragraph,
    percent,
    section,
    table,
    tables_of,
    text_of,
    tile,
)
from training.report.plain import plain
from training.report.run import Run

ERRORS_SHOWN: Final = 60
CHART: Final = (4.8, 3.4)


def sections(run: Run) -> Iterator[Raw]:
    """All parts, in order; those without content are empty."""
    found, overall = run.evaluation, run.evaluation.report.overall
    data = {} if run.data is None else plain(run.data)
    yield section("Summary", _tiles(found), _warnings(data))
    yield section("The model", _model(found), tables_of("", plain(dict(run.facts))))
    yield section("Data", *_data(found, data))
    yield section("Training", _curves(run), _history(run), tables_of("options", plain(dict(run.options))))
    yield section("Results by label", _confusion(found), _classes(overall))
    yield section("How sure, and how right", *_confidence(overall))
    yield section("By face width, by source, and apart", *_groups(found))
    yield section('What "unknown" does', *_unknown(found))
    yield section("Detector", *_detector(found))
    yield section("The worst errors", *_errors(run))
    yield section("Where it looks", *_heats(run))


def _tiles(found: Evaluation) -> Raw:
    overall = found.report.overall
    shown = [
        ("mask or not", percent(overall.two_class_accuracy)),
        ("three labels, balanced", percent(overall.balanced_accuracy)),
        ("incorrect_mask F1", decimal(overall.classes["incorrect_mask"].f1)),
        ("calibration error", text_of(overall.calibration_error)),
        ("errors removed by abstaining on 5 %", percent(overall.abstention)),
        ("faces", f"{overall.faces} of {found.split}"),
    ]
    lines = "".join(f"<div><dt>{escaped(name)}</dt><dd>{escaped(value)}</dd></div>" for name, value in shown)
    note = (
        f"Faces of {found.min_face_px:g} px and more. In brackets 95 % intervals: they cover chance, not what is "
        "different elsewhere."
    )
    absent = f" No face here is {' or '.join(overall.absent)}." if overall.absent else ""
    return Raw(f'<dl class="tiles">{lines}</dl>{paragraph(note + absent)}')


def _warnings(data: Mapping[str, Any]) -> Raw:
    warnings = data.get("warnings") or []
    return Raw(f"<h3>Warnings about the data</h3>{bullets(warnings, 'warning')}") if warnings else Raw("")


def _model(found: Evaluation) -> Raw:
    size = "-" if found.model_bytes is None else f"{found.model_bytes / 1e6:.2f} MB"
    memory = "-" if found.peak_memory_mib is None else f"{found.peak_memory_mib:.0f} MiB"
    rows: list[tuple[str, object]] = [
        ("name", found.model),
        ("sha256", found.sha256 or "-"),
        ("size of the file", size),
        ("one face a call, one thread", _milliseconds(found.ms_per_face_1)),
        ("32 faces a call", _milliseconds(found.ms_per_face_32)),
        ("largest memory of the process", memory),
        ("test loss (mean cross-entropy)", found.loss),
    ]
    if found.input is not None:
        given = found.input
        rows += [
            ("input", f"{given.size} x {given.size} pixels RGB, {given.dtype}"),
            ("normalisation", given.normalisation),
            ("margin around a face", f"{given.margin:g} of its longer side"),
        ]
    labels = table(
        ["label", "number", "predicted", "faces"],
        ((one.label, one.number, one.predicted, one.faces) for one in found.labels),
        caption="Label numbers",
    )
    return Raw(f'<div class="flow">{facts(rows)}{labels}</div>')


def _milliseconds(value: float) -> str:
    return f"{value:.2f} ms a face" if value == value else "-"  # noqa: PLR0124 not measured is no number


def _data(found: Evaluation, data: Mapping[str, Any]) -> Iterator[Raw]:
    yield tables_of("evaluated faces, before the size limit", found.counts)
    yield paragraph(
        f"{found.unreadable} pictures could not be read; {found.too_small} faces are narrower than "
        f"{found.min_face_px:g} px and left out."
    )
    yield tables_of("", {name: value for name, value in data.items() if name != "warnings"})


def _curves(run: Run) -> Raw:
    if not run.history:
        return Raw("")
    last = run.history[-1]
    return grid(
        svg("losses", CHART, charts.losses(run.history), says=f"Loss by epoch, at last {last.val_loss:.3f}"),
        svg("balanced", CHART, charts.balanced_accuracies(run.history),
            says=f"Validation balanced accuracy by epoch, at last {last.val_balanced_accuracy:.3f}"),
    )  # fmt: skip


def _history(run: Run) -> Raw:
    rows = [plain(epoch) for epoch in run.history]
    if not rows:
        return Raw("")
    head = list(rows[0])
    lines = table([name.replace("_", " ") for name in head], ([row[name] for name in head] for row in rows))
    return Raw(f"<details><summary>All epochs</summary>{lines}</details>")


def _confusion(found: Evaluation) -> Raw:
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


def _classes(overall: Figures) -> Raw:
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


def _confidence(overall: Figures) -> Iterator[Raw]:
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
            ("expected calibration error", overall.calibration_error),
            ("Brier score (0 best, 2 worst)", overall.brier),
            ("share of errors among the 5 % least sure", percent(overall.abstention)),
        ],
    )


def _groups(found: Evaluation) -> Iterator[Raw]:
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
    yield table(
        ["part", "faces", *names, "incorrect_mask F1", "calibration error", "5 % removes of the errors"],
        (
            (
                name, one.faces, percent(one.two_class_accuracy), percent(one.balanced_accuracy),
                decimal(one.classes["incorrect_mask"].f1), one.calibration_error, percent(one.abstention),
            )
            for name, one in parts.items()
        ),
    )  # fmt: skip


def _unknown(found: Evaluation) -> Iterator[Raw]:
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


def _detector(found: Evaluation) -> Iterator[Raw]:
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


def _errors(run: Run) -> Iterator[Raw]:
    places = worst(run.crops.labels, run.probabilities, ERRORS_SHOWN)
    if not len(places):
        yield paragraph("No answer is wrong.")
        return
    yield paragraph("The wrong answers that give the true label the least. Look for wrong labels among them.")
    tiles = []
    for place in places.tolist():
        true, said = LABELS[run.crops.labels[place]], LABELS[int(run.probabilities[place].argmax())]
        given = f"said {said} {run.probabilities[place].max():.2f}"
        where = f"{run.crops.names[place]}, {run.crops.widths[place]:.0f} px"
        tiles.append(tile(run.crops.exact[place], f"is {true}", given, Raw(f"<small>{escaped(where)}</small>"),
                          says=f"a face that is {true}; the model {given}"))  # fmt: skip
    yield Raw(f'<div class="sheet">{"".join(tiles)}</div>')


def _heats(run: Run) -> Iterator[Raw]:
    by_place: dict[int, list[Heat]] = {}
    for heat in run.heats:
        by_place.setdefault(heat.place, []).append(heat)
    if not by_place:
        return
    yield paragraph(
        "Grad-CAM: light places speak most for the label named beneath. Beside each face the label that was given and, "
        "where that is wrong, the true one."
    )
    for title, wanted in (("Right answers", True), ("Wrong answers", False)):
        cases = [
            Raw(f'<div class="case">{_case(run, place, heats)}</div>')
            for place, heats in by_place.items()
            if (run.probabilities[place].argmax() == run.crops.labels[place]) == wanted
        ]
        if cases:
            yield Raw(f'<h3>{title}</h3><div class="cases">{"".join(cases)}</div>')


def _case(run: Run, place: int, heats: list[Heat]) -> str:
    crop, true = run.crops.exact[place], LABELS[run.crops.labels[place]]
    lines = [tile(crop, f"is {true}", says=f"a face that is {true}")]
    for heat in heats:
        label = LABELS[heat.label]
        share = f"{run.probabilities[place][heat.label]:.2f}"
        says = f"where {label} comes from in it"
        lines.append(tile(overlay(crop, heat.heat), f"{label} {share}", says=says))
    return "".join(lines)
