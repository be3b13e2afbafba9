"""Whether a written model is the trained one."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from storage.errors import MaskwatchError
from training.export.outputs import litert_outputs

MIN_AGREEMENT: Final = 0.99
"""Share of faces that must get the trained model's label."""

FOLD_AGREEMENT: Final = 0.97
"""The same for the models of `--folds`, which are measured as they are and do not ship: one of them must not end the run."""

SURE_MARGIN: Final = 0.5
MANY_FACES: Final = 300
"""With fewer faces to compare on, a near tie that tips over proves nothing: only faces on which the trained model's two
best logits differ by `SURE_MARGIN` count."""

BATCHES_CHECKED: Final = (1, 7, 32)

Logits = NDArray[np.floating]


class ExportError(MaskwatchError):
    """The converted model is not the model that was trained, so it was not written."""


@dataclass(frozen=True, slots=True)
class Exported:
    """A written model.

    Attributes:
        path: of the file, or of a SavedModel's folder; `labels.json` is beside it, or in the folder.
        bytes: its size.
        agreement: share of the checked faces that get the Keras model's label.
    """

    path: Path
    bytes: int
    agreement: float


def check_agreement(logits: Logits, trained: Logits, *, least: float = MIN_AGREEMENT) -> float:
    """Compare labels.

    Args:
        logits: (K, labels) what the converted model says.
        trained: (K, labels) what the trained one says of the same faces.
        least: share of faces that must get the same label.

    Returns:
        The share of faces that get the same label.

    Raises:
        ExportError: too few do.
    """
    if not np.isfinite(logits).all():
        raise ExportError("the converted model gives values that are no numbers; nothing was written")
    same = logits.argmax(1) == trained.argmax(1)
    counted = same if len(same) >= MANY_FACES else same[_sure(trained)]
    if len(counted) and counted.mean() < least:
        raise ExportError(
            f"the converted model gives the label of the trained one on {counted.mean():.1%} of {len(counted)} faces, "
            f"which is below {least:.0%}: train longer, or with a lower learning rate"
        )
    return float(same.mean()) if len(same) else 1.0


def check_batches(content: bytes, faces: NDArray[np.uint8]) -> None:
    """Make sure that a face gets the same bits whatever batch it is in: footage is processed in any order.

    Raises:
        ExportError: it does not.
    """
    sample = faces[:32]
    wanted = litert_outputs(content, sample, batch=1)
    for batch in BATCHES_CHECKED:
        for one, other in zip(wanted, litert_outputs(content, sample, batch=batch), strict=True):
            if not np.array_equal(one, other):
                raise ExportError(f"the converted model gives other values in batches of {batch}; nothing was written")


def in_batches(
    call: Callable[[NDArray[np.float32]], NDArray[np.floating]], faces: NDArray[np.uint8], *, batch: int = 32
) -> NDArray[np.float32]:
    """Logits (K, labels) of (K, size, size, 3) faces by a model that takes float32 pixel values."""
    parts = [call(faces[start : start + batch].astype(np.float32)) for start in range(0, len(faces), batch)]
    return np.concatenate([np.asarray(part, np.float32) for part in parts])


def _sure(logits: Logits) -> NDArray[np.bool_]:
    best = np.sort(logits, axis=1)
    return np.asarray(best[:, -1] - best[:, -2] >= SURE_MARGIN, np.bool_)
