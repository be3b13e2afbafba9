"""Labelled faces as they are trained on and measured: N crops and what is known of each."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from training.labels import LABELS


@dataclass(frozen=True, slots=True, eq=False)
class Crops:
    """N labelled crops of one split.

    Attributes:
        context: N pictures (side, side, 3) uint8 RGB, the face's longer side being side / `training.cache.CONTEXT`,
            centred. At most so large that the classifier's square within has its input size; far faces are not
            enlarged.
        exact: (N, size, size, 3) uint8 RGB, cut as the running system cuts them; empty for `train`.
        labels: (N,) int64, indices into `LABELS`.
        widths: (N,) float32, face width in source pixels.
        scores: (N,) float32, the detector's score, 0 where it did not find the face.
        keypoints: (N, 6, 2) float32 in pixels of `context`, NaN where the detector did not find the face.
        sources: (N,) str, the set each comes from.
        origins: (N,) str, as `Face.origin`.
        names: (N,) str, the picture's file name.
        given: (N,) int64, the labels that the data came with, before any review.
    """

    context: list[NDArray[np.uint8]]
    exact: NDArray[np.uint8]
    labels: NDArray[np.int64]
    widths: NDArray[np.float32]
    scores: NDArray[np.float32]
    keypoints: NDArray[np.float32]
    sources: NDArray[np.str_]
    origins: NDArray[np.str_]
    names: NDArray[np.str_]
    given: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)

    def chosen(self, index: NDArray[np.bool_]) -> "Crops":
        """The crops where the (N,) mask is True."""
        parts = {field.name: getattr(self, field.name)[index] for field in fields(self)[2:]}
        exact = self.exact[index] if len(self.exact) else self.exact
        return Crops([self.context[place] for place in np.flatnonzero(index)], exact, **parts)

    def counts(self) -> dict[str, dict[str, int]]:
        """How many of each class come from each source and origin."""
        counted = Counter(zip(self.sources.tolist(), self.origins.tolist(), self.labels.tolist(), strict=True))
        table: dict[str, dict[str, int]] = {}
        for (source, origin, label), count in sorted(counted.items()):
            table.setdefault(f"{source}, {origin}", {})[LABELS[label]] = count
        return table


def joined(parts: Sequence[Crops], *, exact: bool = False) -> Crops:
    """One part after the other.

    Args:
        parts: at least one; with `exact` all of them with exact crops.
        exact: keep these, which training does not need.
    """
    arrays = {each.name: np.concatenate([getattr(part, each.name) for part in parts]) for each in fields(Crops)[2:]}
    squares = np.concatenate([part.exact for part in parts]) if exact else parts[0].exact[:0]
    return Crops([context for part in parts for context in part.context], squares, **arrays)


@dataclass(frozen=True, slots=True)
class Cut:
    """The crops of one split, and what could not be used.

    Attributes:
        crops: to train on and to measure.
        unreadable: files.
        unclear: faces whose label nobody can tell, with the labels that the data came with: they never train, and count
            only in figures with the labels as given. None where there are none, or no exact crops were cut.
    """

    crops: Crops
    unreadable: tuple[str, ...]
    unclear: Crops | None = None
