"""Single pictures of a training run, beside its report: curves, confusion matrix, and the faces it got most wrong."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from storage.files import write_bytes
from training.cache import Crops
from training.checkpoint import Epoch
from training.evaluation import Evaluation, worst
from training.labels import LABELS
from training.report import charts
from training.report.drawing import save_png

TILE_PX: Final = 112
CAPTION_PX: Final = 30
ERRORS_SHOWN: Final = 60
CHART_INCH: Final = (5.4, 4.0)


def plot_curves(path: Path, history: Sequence[Epoch]) -> None:
    """Training and validation loss by epoch, as a PNG."""
    save_png(path, CHART_INCH, charts.losses(history))


def plot_confusion(path: Path, confusion: Sequence[Sequence[int]], title: str) -> None:
    """A (3, 3) confusion matrix, rows true, as a PNG."""
    save_png(path, CHART_INCH, charts.confusion(confusion, title))


def draw_evaluation(out: Path, found: Evaluation, crops: Crops, probabilities: NDArray[np.float32]) -> None:
    """Write `confusion.png` and `errors.png`, the surest of the wrong answers, into `out`.

    Args:
        out: a folder.
        found: with its faces and their (N, 4) probabilities, as `training.evaluation.evaluate` gives them.
        crops: N faces.
        probabilities: theirs.
    """
    plot_confusion(out / "confusion.png", found.report.overall.confusion, f"{found.split}: faces of 24 px and more")
    places = worst(crops.labels, probabilities, ERRORS_SHOWN)
    best = probabilities.argmax(1)
    captions = [
        (f"is {LABELS[crops.labels[place]]}"[:17], f"{LABELS[best[place]]} {probabilities[place].max():.2f}")
        for place in places
    ]
    contact_sheet(out / "errors.png", crops.exact[places], captions)


def contact_sheet(
    path: Path, pictures: NDArray[np.uint8], captions: Sequence[tuple[str, str]], *, columns: int = 12
) -> None:
    """(N, size, size, 3) RGB pictures side by side with two short lines beneath each, as a PNG."""
    rows = -(-len(pictures) // columns)
    sheet = np.full((max(1, rows) * (TILE_PX + CAPTION_PX), columns * TILE_PX, 3), 255, np.uint8)
    for place, (picture, lines) in enumerate(zip(pictures, captions, strict=True)):
        y, x = place // columns * (TILE_PX + CAPTION_PX), place % columns * TILE_PX
        sheet[y : y + TILE_PX, x : x + TILE_PX] = cv2.resize(picture, (TILE_PX, TILE_PX))
        for number, line in enumerate(lines):
            at = (x + 2, y + TILE_PX + 12 + 13 * number)
            cv2.putText(sheet, line, at, cv2.FONT_HERSHEY_SIMPLEX, 0.36, (0, 0, 0), 1, cv2.LINE_AA)
    write_bytes(path, cv2.imencode(".png", sheet[:, :, ::-1])[1].tobytes())
