"""The pictures of a training run: curves, confusion matrix, and the faces it got most wrong."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from storage.errors import SetupError
from storage.files import replaced, write_bytes
from training.cache import Crops
from training.checkpoint import Epoch
from training.evaluation import Evaluation, worst
from training.labels import LABELS

TILE_PX: Final = 112
CAPTION_PX: Final = 30
ERRORS_SHOWN: Final = 60


def plot_curves(path: Path, history: Sequence[Epoch]) -> None:
    """Training and validation loss, and validation balanced accuracy, by epoch, as a PNG."""

    def draw(figure: Any) -> None:
        left, right = figure.subplots(1, 2)
        epochs = [epoch.epoch for epoch in history]
        left.plot(epochs, [epoch.train_loss for epoch in history], label="train (augmented)")
        left.plot(epochs, [epoch.val_loss for epoch in history], label="val")
        left.set(xlabel="epoch", ylabel="loss", title="Loss (epoch 0: head only)")
        left.legend()
        right.plot(epochs, [epoch.val_balanced_accuracy for epoch in history])
        right.set(xlabel="epoch", ylabel="balanced accuracy, four classes", title="Validation")

    _plot(path, (9.0, 3.6), draw)


def plot_confusion(path: Path, confusion: Sequence[Sequence[int]], title: str) -> None:
    """A (3, 3) confusion matrix, rows true, as a PNG."""

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        counts = np.array(confusion, np.float64)
        axes.imshow(counts / np.maximum(counts.sum(1, keepdims=True), 1.0), cmap="Blues", vmin=0.0, vmax=1.0)
        for row, column in np.ndindex(counts.shape):
            shade = "white" if counts[row, column] > 0.5 * counts[row].sum() else "black"
            axes.text(column, row, f"{int(counts[row, column])}", ha="center", va="center", color=shade)
        axes.set_xticks(range(3), LABELS[:3])
        axes.set_yticks(range(3), LABELS[:3])
        axes.set(xlabel="predicted", ylabel="true", title=title)

    _plot(path, (5.4, 4.4), draw)


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


def _plot(path: Path, size_inch: tuple[float, float], draw: Callable[[Any], None]) -> None:
    # Not pyplot: that keeps global state and looks for a display.
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise SetupError(f"drawing figures needs the training set ({error}): run `make setup-train`") from error

    figure = Figure(size_inch, dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    draw(figure)
    with replaced(path) as temporary:
        figure.savefig(temporary)
