"""Which crops go into which training batch: balanced over classes and sources, augmented, a little ahead of time.

A batch is a function of seed, epoch and step alone, so a resumed training goes on with the very batches it would have had.
"""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from training.augment import augmented
from training.cache import Crops
from training.drawn_masks import Worn, can_draw, cloth_of, draw_mask
from training.labels import INCORRECT_MASK, LABELS, NO_FACE, WITH_MASK, WITHOUT_MASK

CLASS_POWER: Final = 0.35
"""A class is drawn in proportion to its count to this power: 1 as it comes, 0 all alike."""

SOURCE_POWER: Final = 0.5
"""Likewise for the sources within a class: thousands of easy portraits must not drown the scenes."""

NO_FACE_SHARE: Final = 0.2
DRAWN_INCORRECT: Final = 0.35
"""Share of the `incorrect_mask` draws that are bare faces with a drawn mask."""

INCORRECT_BONUS: Final = 1.1
"""A little more of the rare class, for which there are also drawn masks. At 1.4 half of what was called incorrect on
`val` was not."""

DRAWN_PROPER: Final = 0.12
FAR_PX: Final = 24.0
FAR_WEIGHT: Final = 0.4
"""Faces below `FAR_PX` are what the running system leaves alone; they teach a little."""

AHEAD: Final = 6
DONORS: Final = 400


class Batches:
    """Endless training batches over the crops of the `train` split."""

    def __init__(self, crops: Crops, *, batch_size: int, image_size: int, seed: int) -> None:
        """Prepare; `keep` may later leave crops out."""
        self._crops, self._size, self._image_size, self._seed = crops, batch_size, image_size, seed
        self._kept = np.ones(len(crops), np.bool_)
        sides = [crop.shape[0] for crop in crops.context]
        drawable = [can_draw(points, side) for points, side in zip(crops.keypoints, sides, strict=True)]
        self._bare = np.flatnonzero(np.array(drawable) & (crops.labels == WITHOUT_MASK) & (crops.scores >= 0.5))
        donors = np.flatnonzero(np.array(drawable) & (crops.labels == WITH_MASK) & (crops.widths >= 50.0))
        donors = np.random.default_rng(seed).permutation(donors)[:DONORS]
        found = [cloth_of(crops.context[place], crops.keypoints[place]) for place in donors]
        self._cloths = [piece for piece in found if piece is not None]
        self._weights = self._weighted()

    @property
    def steps(self) -> int:
        """Steps that make an epoch: as many draws as there are crops in use."""
        return max(1, int(self._kept.sum()) // self._size)

    @property
    def shares(self) -> NDArray[np.float64]:
        """(4,) share of the draws that each class gets."""
        return np.bincount(self._crops.labels, self._weights, minlength=len(LABELS)).astype(np.float64)

    def keep(self, kept: NDArray[np.bool_]) -> None:
        """Use only the crops where the (N,) mask is True."""
        self._kept = kept
        self._weights = self._weighted()

    def epoch(self, epoch: int, *, first_step: int = 0) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.int64]]]:
        """The batches of one epoch: (B, size, size, 3) uint8 RGB pictures and (B,) labels."""
        cv2.setNumThreads(1)
        with ThreadPoolExecutor(2, "batches") as pool:
            waiting: list[Future[tuple[NDArray[np.uint8], NDArray[np.int64]]]] = []
            for step in range(first_step, self.steps + AHEAD):
                if step < self.steps:
                    waiting.append(pool.submit(self.batch, epoch, step))
                if len(waiting) >= AHEAD or (step >= self.steps and waiting):
                    yield waiting.pop(0).result()

    def batch(self, epoch: int, step: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """One batch."""
        rng = np.random.default_rng((self._seed, epoch, step))
        chosen = rng.choice(len(self._crops), self._size, p=self._weights)
        pictures = np.empty((self._size, self._image_size, self._image_size, 3), np.uint8)
        labels = self._crops.labels[chosen].copy()
        for place, index in enumerate(chosen):
            label, context = int(labels[place]), self._crops.context[index]
            drawn = {INCORRECT_MASK: DRAWN_INCORRECT, WITH_MASK: DRAWN_PROPER}.get(label, 0.0)
            if len(self._bare) and rng.random() < drawn:
                context = self._drawn(label, rng)
            pictures[place] = augmented(context, rng, size=self._image_size)
        return pictures, labels

    def _drawn(self, label: int, rng: np.random.Generator) -> NDArray[np.uint8]:
        bare = int(rng.choice(self._bare))
        worn = Worn.PROPERLY if label == WITH_MASK else Worn.NOSE_OUT if rng.random() < 0.6 else Worn.CHIN_ONLY
        cloth = self._cloths[rng.integers(len(self._cloths))] if self._cloths and rng.random() < 0.5 else None
        return draw_mask(self._crops.context[bare], self._crops.keypoints[bare], worn, rng, cloth)

    def _weighted(self) -> NDArray[np.float64]:
        crops = self._crops
        weights = np.zeros(len(crops), np.float64)
        shares = {label: float((self._kept & (crops.labels == label)).sum()) ** CLASS_POWER
                  for label in range(len(LABELS))}  # fmt: skip
        shares[INCORRECT_MASK] *= INCORRECT_BONUS
        worn = sum(share for label, share in shares.items() if label != NO_FACE)
        shares[NO_FACE] = worn * NO_FACE_SHARE / (1.0 - NO_FACE_SHARE) if shares[NO_FACE] else 0.0
        for label, share in shares.items():
            of_class = self._kept & (crops.labels == label)
            for source in sorted(set(crops.sources[of_class].tolist())):
                members = of_class & (crops.sources == source)
                base = np.where(crops.widths < FAR_PX, FAR_WEIGHT, 1.0) * members
                weights += base / base.sum() * float(members.sum()) ** SOURCE_POWER * _norm(of_class, crops, share)
        return np.asarray(weights / weights.sum(), np.float64)


def _norm(of_class: NDArray[np.bool_], crops: Crops, share: float) -> float:
    counts = np.unique(crops.sources[of_class], return_counts=True)[1].astype(np.float64)
    return share / float((counts**SOURCE_POWER).sum())
