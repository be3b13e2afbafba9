"""The charts, each drawn into a Matplotlib figure."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from training.checkpoint import Epoch
from training.curves import PrecisionRecall, ReliabilityBin, RiskPoint
from training.labels import LABELS
from training.report.drawing import DASHES, INK, MUTED, PAPER, SERIES, Draw
from training.scores import Figure


def losses(history: Sequence[Epoch]) -> Draw:
    """Loss by epoch."""

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        epochs = [epoch.epoch for epoch in history]
        marker = "o" if len(epochs) < 3 else None
        train, val = [epoch.train_loss for epoch in history], [epoch.val_loss for epoch in history]
        axes.plot(epochs, train, DASHES[0], color=SERIES[0], marker=marker, label="train, augmented")
        axes.plot(epochs, val, DASHES[1], color=SERIES[1], marker=marker, label="validation")
        axes.set(xlabel="epoch", ylabel="loss", title="Loss")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.legend()

    return draw


def balanced_accuracies(history: Sequence[Epoch]) -> Draw:
    """Validation accuracy by epoch."""

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        epochs = [epoch.epoch for epoch in history]
        values = [epoch.val_balanced_accuracy for epoch in history]
        axes.plot(epochs, values, color=SERIES[0], marker="o" if len(epochs) < 3 else None)
        axes.set(xlabel="epoch", ylabel="balanced accuracy", title="Validation: mean recall of the outputs")
        axes.xaxis.get_major_locator().set_params(integer=True)

    return draw


def confusion(counts: Sequence[Sequence[int]], title: str) -> Draw:
    """A (3, 3) confusion matrix, rows true; a cell is the darker, the larger its share of the row."""

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        table = np.array(counts, np.float64)
        shares = table / np.maximum(table.sum(1, keepdims=True), 1.0)
        for row, column in np.ndindex(table.shape):
            share = float(shares[row, column])
            axes.fill(
                [column - 0.48, column + 0.48, column + 0.48, column - 0.48],
                [row - 0.48, row - 0.48, row + 0.48, row + 0.48],
                color=SERIES[0], alpha=0.06 + 0.94 * share, linewidth=0,
            )  # fmt: skip
            text = f"{int(table[row, column])}\n{share:.1%}"
            axes.text(column, row, text, ha="center", va="center", color=PAPER if share > 0.5 else INK)
        axes.set_xticks(range(3), LABELS[:3])
        axes.set_yticks(range(3), LABELS[:3])
        axes.set(xlabel="predicted", ylabel="true", title=title, xlim=(-0.5, 2.5), ylim=(2.5, -0.5))
        axes.grid(visible=False)
        axes.tick_params(length=0)
        for spine in axes.spines.values():
            spine.set_visible(False)

    return draw


def precision_recall(classes: Mapping[str, PrecisionRecall]) -> Draw:
    """Precision by recall of each label against the rest."""

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        for label, curve in classes.items():
            place = LABELS.index(label)
            name = f"{label} (average {curve.average_precision:.3f})"
            axes.plot(curve.recall, curve.precision, DASHES[place], color=SERIES[place], label=name)
        axes.set(xlabel="recall", ylabel="precision", title="Precision and recall", xlim=(0, 1.01), ylim=(0, 1.03))
        if classes:
            axes.legend(loc="lower left")

    return draw


def reliability(bins: Sequence[ReliabilityBin]) -> Draw:
    """How often answers of each confidence are right; on the diagonal the confidence is honest."""

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        confidences, accuracies = [part.confidence for part in bins], [part.accuracy for part in bins]
        low = max(0.0, min([0.9, *confidences, *accuracies]) - 0.03)
        axes.plot([low, 1], [low, 1], ":", color=MUTED, linewidth=1.2, label="honest")
        axes.plot(confidences, accuracies, DASHES[0], color=SERIES[0], marker="o", markersize=4, label="measured")
        axes.set(xlabel="mean confidence of a bin", ylabel="share right", xlim=(low, 1.005), ylim=(low, 1.015))
        axes.set_title(f"Reliability, {len(bins)} bins of equal count")
        axes.legend(loc="upper left")

    return draw


def risk_coverage(points: Sequence[RiskPoint]) -> Draw:
    """Share of errors among the surest faces."""

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        coverage, risk = [100 * point.coverage for point in points], [100 * point.risk for point in points]
        axes.plot(coverage, risk, color=SERIES[0])
        axes.axvline(95, color=MUTED, linestyle=":", linewidth=1.2)
        axes.annotate(
            "95 %", (95, 1), xycoords=("data", "axes fraction"), xytext=(-3, -2), textcoords="offset points",
            ha="right", va="top", color=MUTED,
        )  # fmt: skip
        axes.set(xlabel="% of faces judged, the surest first", ylabel="% errors among them", xlim=(0, 101))
        axes.set_ylim(bottom=0)
        axes.set_title("What abstaining is worth")

    return draw


def bars_of(rows: Mapping[str, Sequence[Figure]], names: Sequence[str], title: str) -> Draw:
    """Figures with their intervals, one line for each row, one mark for each of `names`."""

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        lows = [0.9]
        for place, name in enumerate(names):
            shown = [(at, row[place]) for at, row in enumerate(rows.values()) if row[place].value is not None]
            values = np.array([[one.value, one.low, one.high] for _, one in shown], np.float64).reshape(-1, 3)
            offsets = np.array([at for at, _ in shown]) + 0.22 * (place - (len(names) - 1) / 2)
            axes.errorbar(
                values[:, 0], offsets, xerr=np.abs(values[:, 1:] - values[:, :1]).T, fmt="os^D"[place], markersize=5,
                color=SERIES[place], elinewidth=1.4, capsize=2.5, label=name, linestyle="none",
            )  # fmt: skip
            lows += values[:, 1].tolist()
        axes.set_yticks(range(len(rows)), [name if len(name) <= 34 else f"{name[:33]}…" for name in rows])
        axes.set(title=title, xlim=(max(0.0, min(lows) - 0.02), 1.005), ylim=(len(rows) - 0.4, -0.6))
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=len(names))

    return draw
