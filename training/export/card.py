"""The model card: what a model is for, what it was learnt from, how good it is, and where it fails."""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from classify.labels_file import ModelLabels, labels_path, read_labels
from storage.files import write_bytes
from storage.policy import INTENDED_USE, LABEL_POLICY, NOT_JUDGED
from training.chosen import had_a_part
from training.export.check import Exported

CARD: Final = "MODEL.md"

HEADING: Final = ": model card"
PURPOSE: Final = "## What it is for"
"""The first lines of a card; a file that begins otherwise is somebody else's."""

LICENCES: Final = {
    "andrewmvd": ('Kaggle andrewmvd "Face Mask Detection"', "CC0"),
    "ilc2021": ("GitHub jolignier/face-mask-dataset-ilc-2021", "none stated"),
    "chandrikadeb7": ("GitHub chandrikadeb7/Face-Mask-Detection", "MIT"),
}
"""Of the sets in the data pack: where each is from, and the licence that its compiler states."""

RIGHTS: Final = """\
A licence stated for a scraped compilation covers the compiler's work, not the photographers' rights or the rights of the
people pictured. Pictures of such sets were collected from the web, and the people in them were not asked. None of the
pictures is part of this model's files; only what was learnt from them is. Whoever deploys the model has to judge whether
that is acceptable where they are."""

LIMITS: Final = """\
- Far faces (24-40 px wide) are judged less well than near ones; below 24 px the system does not judge.
- Faces cut by the picture's edge, seen from the side, in strong coloured light, as silhouettes or heavily blurred are hard.
- The sets hold no information on age, skin colour, head covering or region, so error rates were not compared between groups
  of people, and may differ.
- Figures on pictures from the same collections as the training pictures are higher than on pictures from elsewhere. Measure
  on your own with `maskwatch evaluate`.
- The temperature was fitted on validation pictures of the same kind; elsewhere the confidence may be too high."""

DESCRIPTIONS: Final = {
    "keras": "Keras: `keras.models.load_model` opens it; input (N, {size}, {size}, 3) RGB with values 0-255, preprocessing "
    "inside; outputs `logits` (before the temperature) and `cam`.",
    "savedmodel": "TensorFlow SavedModel: `model = tf.saved_model.load(folder)`, then `model.serve(pictures)`; input float32 (N, {size}, {size}, 3) RGB "
    "with values 0-255; outputs `logits` (before the temperature) and `cam`.",
    "litert": "LiteRT, computing in float32 with weights kept as float16; input float32 (N, {size}, {size}, 3) RGB with values "
    "0-255; outputs `probabilities`, `logits`, `cam`. Loads in MediaPipe's `ImageClassifier`.",
    "litert-int8": "LiteRT, 8-bit integers; input uint8 (N, {size}, {size}, 3) RGB; outputs `probabilities`, `logits`, `cam` as "
    "float32. Loads in MediaPipe's `ImageClassifier`.",
}


def write_card(folder: Path, run: Path, form: str, done: Exported, faces: int | None = None) -> None:
    """Write the card of an exported model where `card_place` says, with the figures that the training left.

    Args:
        folder: of the exported files, with their labels.
        run: of the training; figures are taken from its `figures.json` and `report.json` where they are.
        form: of the file just exported.
        done: that file.
        faces: how many it was compared on; None for the validation faces of the training.

    Raises:
        StorageError: it can't be written.
    """
    inside = done.path == folder
    labels = read_labels(folder / "labels.json" if inside else labels_path(done.path))
    card = folder / CARD if inside else card_place(done.path)
    size = labels.image_size or 0
    own = (
        f"`{done.path.name}` ({done.bytes / 1e6:.2f} MB): {DESCRIPTIONS[form].format(size=size)} It gives the label of the trained "
        f"network on {done.agreement:.1%} of {'the validation' if faces is None else f'{faces} real'} faces."
    )
    files = [*_described_before(card, set(labels.files) - {done.path.name}), own]
    text = make_card(labels, files, _read(run / "figures.json"), _read(run / "report.json"))
    write_bytes(card, text.encode())


def card_place(model: Path) -> Path:
    """Where the card of a model file goes: `MODEL.md`, or `NAME.MODEL.md` where that is another model's or not ours."""
    shared = model.with_name(CARD)
    others = labels_path(model).name != "labels.json" or (shared.exists() and not _ours(shared))
    return model.with_name(f"{model.stem}.{CARD}") if others else shared


def _ours(card: Path) -> bool:
    try:
        first, _, second, *_ = card.read_text(encoding="utf-8").split("\n", 3)
    except (OSError, ValueError):
        return False
    return first.startswith("# ") and first.endswith(HEADING) and second == PURPOSE


def _described_before(card: Path, names: set[str]) -> list[str]:
    """What an earlier card says of the model's other files, which still lie there."""
    try:
        lines = card.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return []
    starts = tuple(f"- `{name}` (" for name in names)
    return [line.removeprefix("- ") for line in lines if starts and line.startswith(starts)]


def make_card(
    labels: ModelLabels,
    files: Iterable[str],
    evaluation: Mapping[str, Any] | None = None,
    report: Mapping[str, Any] | None = None,
    *,
    notes: Iterable[str] = (),
) -> str:
    """A model card in Markdown.

    Args:
        labels: of the model.
        files: a sentence or more on each file.
        evaluation: a `training.evaluation.Evaluation` as JSON gives it, if there is one.
        report: what the training left as `report.json`, if it is there; names the sources of the training faces.
        notes: further known limits.
    """
    return "\n".join([*_about(labels, files), *_data(_sources(evaluation, report)),
                      "## Known limits", "", *_limits(labels), LIMITS, *(f"- {note}" for note in notes), "",
                      *_figures(evaluation)])  # fmt: skip


def _about(labels: ModelLabels, files: Iterable[str]) -> Iterator[str]:
    name = labels.name or "this model"
    yield from (f"# {name}{HEADING}", "", PURPOSE, "")
    yield (
        f"Says of one face crop (the face box with {labels.margin:.0%} of its longer side added on each side, "
        f"{labels.image_size} x {labels.image_size} px, RGB) what is worn. {NOT_JUDGED}"
    )
    yield from ("", INTENDED_USE, "", "## Labels", "")
    yield from (f"- `{label}`: {LABEL_POLICY[label]}" for label in labels.labels if label is not None)
    yield from ("", f"Logits are divided by {labels.temperature:g} before the softmax.", "", "## Files", "")
    yield from (f"- {file}" for file in files)
    yield from (f"- sha256 of `{file}`: {digest}" for file, digest in labels.files.items())
    yield ""


def _data(sources: list[str]) -> Iterator[str]:
    yield from ("## Training data", "")
    if sources:
        yield from ("| set | licence stated by its compiler |", "|---|---|")
        for source in sources:
            origin, licence = LICENCES.get(source, (f"`{source}`", "not known here: whoever trained has to say"))
            yield f"| {origin} | {licence} |"
        yield ""
    else:
        yield from ("The training left no list of its sets: whoever trained has to name them.", "")
    yield from (RIGHTS, "")


def _limits(labels: ModelLabels) -> Iterator[str]:
    if "incorrect_mask" in labels.labels:
        yield "- `incorrect_mask` is the weak class: few real examples, and the label itself is doubtful on some."
    else:
        yield "- It never says `incorrect_mask`: a mask under the chin is called one of its own labels."
    if not labels.says_not_a_face:
        yield "- It does not reject what the detector takes for a face and is none."


def _figures(evaluation: Mapping[str, Any] | None) -> Iterator[str]:
    yield from ("## Figures", "")
    report = (evaluation or {}).get("report") or {}
    overall = report.get("overall")
    if evaluation is None or not overall:
        yield "Not measured yet: `maskwatch evaluate` does it."
        yield ""
        return
    yield (
        f"On the `{evaluation.get('split', '?')}` list, {overall.get('faces', '?')} faces of "
        f"{evaluation.get('min_face_px', 24):g} px and more, with 95 % intervals, by the file whose sha256 begins with "
        f"{str(evaluation.get('sha256', '?'))[:12]}."
    )
    if part := had_a_part(str(evaluation.get("split", ""))):
        yield from ("", part)
    yield from (
        "",
        "| faces | number | three classes | balanced | mask or not | calibration error |",
        "|---|---|---|---|---|---|",
    )
    parts = {"all": overall}
    parts |= {f"{band} px wide": figures for band, figures in (report.get("by_width") or {}).items()}
    parts |= {f"set {source}": figures for source, figures in (report.get("by_source") or {}).items()}
    for name, figures in parts.items():
        if figures.get("faces"):
            columns = [_figure(figures.get(key)) for key in ("accuracy", "balanced_accuracy", "two_class_accuracy")]
            error = figures.get("calibration_error")
            yield f"| {name} | {figures['faces']} | {' | '.join(columns)} | {'-' if error is None else f'{error:.3f}'} |"
    yield from ("", "| label | precision | recall | F1 | faces |", "|---|---|---|---|---|")
    for label, figures in (overall.get("classes") or {}).items():
        columns = [_figure(figures.get(key)) for key in ("precision", "recall", "f1")]
        yield f"| `{label}` | {' | '.join(columns)} | {(figures.get('recall') or {}).get('of', 0)} |"
    alarms = report.get("false_alarms") or {}
    rejected, lost = _figure(alarms.get("rejected")), _figure(alarms.get("faces_lost"))
    yield from ("", f"False alarms of the detector rejected: {rejected}; true faces lost by that: {lost}.", "")


def _figure(value: Any) -> str:
    if not isinstance(value, Mapping) or value.get("value") is None:
        return "-"
    interval = "" if value.get("low") is None else f" ({value['low']:.1%} to {value['high']:.1%})"
    return f"{value['value']:.1%}{interval}"


def _sources(evaluation: Mapping[str, Any] | None, report: Mapping[str, Any] | None) -> list[str]:
    """The sets by name: as the data's own report lists them, else as the evaluation counted its faces, `set, origin`."""
    data = (report or {}).get("data")
    parts = data.get("parts") if isinstance(data, Mapping) else None
    if isinstance(parts, list):
        return sorted({str(part.get("source")) for part in parts if isinstance(part, Mapping)})
    counts = (evaluation or {}).get("counts") or {}
    return sorted({str(key).split(",")[0].strip() for key in counts})


def _read(path: Path) -> Mapping[str, Any] | None:
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None
