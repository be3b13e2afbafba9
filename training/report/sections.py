"""The parts of the page, from the summary to the pictures."""

from collections.abc import Iterator, Mapping
from typing import Any

from training.chosen import had_a_part
from training.evaluation import Evaluation
from training.report import cases, charts, results
from training.report.drawing import CHART, svg
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
)
from training.report.plain import plain
from training.report.run import Run


def sections(run: Run) -> Iterator[Raw]:
    """All parts, in order; those without content are empty."""
    found, overall = run.evaluation, run.evaluation.report.overall
    data = {} if run.data is None else plain(run.data)
    yield section("Summary", _tiles(found), _warnings(data))
    yield section("The model", _model(found), tables_of("", plain(dict(run.facts))))
    yield section("Data", *_data(found, data))
    yield section("Training", _curves(run), _history(run), tables_of("options", plain(dict(run.options))))
    yield section("Results by label", results.confusion(found), results.classes(overall))
    yield section("How sure, and how right", *results.confidence(overall))
    yield section("By face width, by source, and apart", *results.groups(found))
    yield section('What "unknown" does', *results.unknown(found))
    yield section("Detector", *results.detector(found))
    yield section("The worst errors", *cases.errors(run))
    yield section("Where it looks", *cases.heats(run))


def _tiles(found: Evaluation) -> Raw:
    overall = found.report.overall
    shown = [
        ("mask or not", percent(overall.two_class_accuracy)),
        ("three labels, balanced", percent(overall.balanced_accuracy)),
        ("incorrect_mask F1", decimal(overall.classes["incorrect_mask"].f1)),
        ("calibration error", decimal(overall.calibration_error_interval)),
        ("errors removed by abstaining on 5 %", percent(overall.abstention)),
        ("faces", f"{overall.faces} of {found.split}"),
    ]
    lines = "".join(f"<div><dt>{escaped(name)}</dt><dd>{escaped(value)}</dd></div>" for name, value in shown)
    note = (
        f"Faces of {found.min_face_px:g} px and more. In brackets 95 % intervals: they cover chance, not what is "
        "different elsewhere. They rest on resampled pictures, each with all its faces."
    )
    part = had_a_part(found.split)
    absent = f" No face here is {' or '.join(overall.absent)}." if overall.absent else ""
    return Raw(f'<dl class="tiles">{lines}</dl>{paragraph(note + absent)}{paragraph(part) if part else ""}')


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
        caption="The outputs, by number",
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
