"""The parts of the page with pictures: the worst errors, and where answers come from."""

from collections.abc import Iterator
from typing import Final

from training.evaluation import worst
from training.explanation import Heat
from training.gradcam import overlay
from training.labels import LABELS
from training.report.markup import Raw, escaped, paragraph, tile
from training.report.run import Run

ERRORS_SHOWN: Final = 60


def errors(run: Run) -> Iterator[Raw]:
    """The surest wrong answers."""
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


def heats(run: Run) -> Iterator[Raw]:
    """Where some of the answers come from."""
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
