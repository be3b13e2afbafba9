"""What the network is asked to say of each training picture: its label, smoothed, and where there is one a teacher's view.

Soft targets as in Hinton et al., "Distilling the Knowledge in a Neural Network" (2015), mixed into the label's own.
"""

import numpy as np
from numpy.typing import NDArray

from training.labels import LABELS


class Targets:
    """Makes the targets of batches, for a network with the outputs `labels`."""

    def __init__(
        self,
        labels: tuple[str, ...],
        *,
        smoothing: float = 0.0,
        soft: NDArray[np.float32] | None = None,
        soft_share: float = 0.0,
    ) -> None:
        """Prepare.

        Args:
            labels: names of the outputs, in order.
            smoothing: share of each target that is spread evenly over all outputs.
            soft: (N, 4) probabilities in the order of `LABELS` for each training crop, rows of NaN where there is none.
            soft_share: how much of the target is the soft one, 0 to 1.
        """
        self._columns = [LABELS.index(label) for label in labels]
        self._hard = np.zeros((len(LABELS), len(labels)), np.float32)
        self._hard[self._columns] = np.eye(len(labels), dtype=np.float32) * (1.0 - smoothing) + smoothing / len(labels)
        self._share = np.float32(soft_share)
        self._soft: NDArray[np.float32] | None = None
        if soft is not None and soft_share > 0.0:
            chosen = soft[:, self._columns].astype(np.float32)
            total = chosen.sum(1, keepdims=True)
            # A row without a view, or with none of these outputs in it, teaches nothing.
            self._soft = np.divide(chosen, total, out=np.full_like(chosen, np.nan), where=total > 0.0)

    def of(self, labels: NDArray[np.int64], indices: NDArray[np.int64]) -> NDArray[np.float32]:
        """(B, outputs) targets of a batch.

        Args:
            labels: (B,) indices into `LABELS`.
            indices: (B,) which training crop each picture is of; -1 where it was changed so that no view of it holds.
        """
        hard = self._hard[labels]
        if self._soft is None:
            return hard
        soft = self._soft[np.maximum(indices, 0)]
        known = (indices >= 0) & np.isfinite(soft).all(1)
        mixed: NDArray[np.float32] = np.where(known[:, None], (1.0 - self._share) * hard + self._share * soft, hard)
        return mixed.astype(np.float32, copy=False)
