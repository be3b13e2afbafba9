"""Which crops go into which training batch: balanced over classes and sources, augmented, a little ahead of time.

A batch is a function of seed, epoch and step alone, so a resumed training goes on with the very batches it would have had.
"""

from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from training.augment import augmented
from training.cache import Crops
from training.drawn_masks import Donor, Worn, draw_mask
from training.face_frame import can_draw
from training.labels import INCORRECT_MASK, LABELS, NO_FACE, WITH_MASK, WITHOUT_MASK
from training.occluders import draw_occluder

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

REAL_MASKS: Final = 0.7
"""Share of the drawn masks that carry a real mask's picture."""

DRAWN_PROPER: Final = 0.12
OCCLUDED: Final = 0.08
"""Share of the `without_mask` draws that have a hand, a cup or a phone before the mouth, or a scarf under the chin."""

FAR_PX: Final = 24.0
FAR_WEIGHT: Final = 0.4
"""Faces below `FAR_PX` are what the running system leaves alone; they teach a little."""

AHEAD: Final = 6
DONORS: Final = 1500

Batch = tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64]]
"""(B, size, size, 3) uint8 RGB pictures, (B,) labels, and (B,) which crop each is of: -1 where a mask was drawn on it."""


class Batches:
    """Endless training batches over the crops of the `train` split."""

    def __init__(
        self, crops: Crops, *, batch_size: int, image_size: int, seed: int, shares: Mapping[str, float] | None = None
    ) -> None:
        """Prepare; `keep` may later leave crops out.

        Args:
            crops: of the `train` split.
            batch_size: pictures a batch.
            image_size: side of the pictures.
            seed: of everything random.
            shares: by source, how much more often its pictures are drawn than they would be; 1 where not named.
        """
        self._shares = dict(shares or {})
        self._crops, self._size, self._image_size, self._seed = crops, batch_size, image_size, seed
        self._kept = np.ones(len(crops), np.bool_)
        sides = [crop.shape[0] for crop in crops.context]
        drawable = [can_draw(points, side) for points, side in zip(crops.keypoints, sides, strict=True)]
        self._bare = np.flatnonzero(np.array(drawable) & (crops.labels == WITHOUT_MASK) & (crops.scores >= 0.5))
        donors = np.flatnonzero(np.array(drawable) & (crops.labels == WITH_MASK) & (crops.widths >= 50.0))
        donors = np.random.default_rng(seed).permutation(donors)[:DONORS]
        self._donors = [Donor(crops.context[place], crops.keypoints[place]) for place in donors]
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

    def epoch(self, epoch: int, *, first_step: int = 0) -> Iterator[Batch]:
        """The batches of one epoch."""
        cv2.setNumThreads(1)
        with ThreadPoolExecutor(2, "batches") as pool:
            waiting: list[Future[Batch]] = []
            for step in range(first_step, self.steps + AHEAD):
                if step < self.steps:
                    waiting.append(pool.submit(self.batch, epoch, step))
                if len(waiting) >= AHEAD or (step >= self.steps and waiting):
                    yield waiting.pop(0).result()

    def batch(self, epoch: int, step: int) -> Batch:
        """One batch."""
        rng = np.random.default_rng((self._seed, epoch, step))
        chosen = rng.choice(len(self._crops), self._size, p=self._weights)
        pictures = np.empty((self._size, self._image_size, self._image_size, 3), np.uint8)
        labels = self._crops.labels[chosen].copy()
        for place, index in enumerate(chosen):
            label, context = int(labels[place]), self._crops.context[index]
            drawn = {INCORRECT_MASK: DRAWN_INCORRECT, WITH_MASK: DRAWN_PROPER, WITHOUT_MASK: OCCLUDED}.get(label, 0.0)
            if len(self._bare) and rng.random() < drawn:
                context, chosen[place] = self._drawn(label, rng), -1
            pictures[place] = augmented(context, rng, size=self._image_size)
        return pictures, labels, chosen

    def _drawn(self, label: int, rng: np.random.Generator) -> NDArray[np.uint8]:
        bare = int(rng.choice(self._bare))
        if label == WITHOUT_MASK:
            return draw_occluder(self._crops.context[bare], self._crops.keypoints[bare], rng)
        worn = Worn.PROPERLY if label == WITH_MASK else Worn.NOSE_OUT if rng.random() < 0.6 else Worn.CHIN_ONLY
        real = bool(self._donors) and rng.random() < REAL_MASKS
        donor = self._donors[rng.integers(len(self._donors))] if real else None
        return draw_mask(self._crops.context[bare], self._crops.keypoints[bare], worn, rng, donor)

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
            members = {
                source: of_class & (crops.sources == source) for source in sorted(set(crops.sources[of_class].tolist()))
            }
            pulls = {source: float(mask.sum()) ** SOURCE_POWER * self._shares.get(source, 1.0)
                     for source, mask in members.items()}  # fmt: skip
            for source, mask in members.items():
                base = np.where(crops.widths < FAR_PX, FAR_WEIGHT, 1.0) * mask
                weights += base / base.sum() * share * pulls[source] / sum(pulls.values())
        return np.asarray(weights / weights.sum(), np.float64)
