"""What a place looks like when nobody is there, learnt from the pictures of its camera. A kernel without clock.

It is kept in small: 160 pixels across, and judged by cells of 4x4. A cell is learnt once it has looked the same for long
enough while nothing moved in it; people who pass do not disturb that. What has come to a place that was known, or nearly
so, is not learnt within ten minutes, nor where a face was found within ten minutes: somebody may have stopped there.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from ingest.motion import PEOPLE_NS, REDUCED_WIDTH
from ingest.preview_cells import CELL_PX, Cells, cell_counts, cell_means, filled, on_pixels, touched, widened
from ingest.preview_people import Rect
from storage.messages import NS_PER_S

Pixels = NDArray[np.float32]

SAME_NS: Final = 12 * NS_PER_S
"""What has looked the same for so long, in all, is what the place looks like."""

BEGUN_NS: Final = 4 * NS_PER_S
"""And after so long something else in its place is something that has come."""

LONGEST_STEP_NS: Final = 5 * NS_PER_S
"""More than that between two pictures was not seen."""

FAR: Final = 6.0
"""A cell whose pixels differ by more levels than this on average looks different; noise of 4x4 pixels in small does not."""

OUTLIER: Final = 22.0
OUTLIERS: Final = 2
"""So does one in which so many pixels differ by so much: a head that is far away."""

BRIGHT: Final = 180.0
"""From this level on a camera does not give twice the light as twice the level."""

BENT: Final = 0.4
"""By so much of what the light changed it may be otherwise there."""

BRIGHTEST: Final = 240.0
"""A pixel of this level may be brighter in truth."""

ADAPTED: Final = 0.05
"""Share of what is seen now in what is remembered: by day the light changes slowly."""

WINDOW_PX: Final = 13
"""Light that changes does so alike within so many pixels."""

LIGHT_CELLS: Final = 30
"""Smaller changes are taken for something that has come, not for light."""

LIGHT: Final = 0.2
"""Where no more than this share of the cells that look different has another structure, it is the light."""

LEAST_ALIKE: Final = 0.2
"""How much brighter it is, is told by the parts of the picture that look alike, where they are more than this share."""

ELSEWHERE: Final = 0.6
"""Where so much of the picture is different in structure, and nothing moves, the camera was turned."""

ELSEWHERE_NS: Final = 5 * NS_PER_S

FOUND: Final = 8
"""In so many pictures a face is found where nothing is different: it is part of what was learnt."""


@dataclass(frozen=True, slots=True, eq=False)
class Compared:
    """Of one picture, as (rows, columns) grids over it.

    Attributes:
        known: of these cells it is known how they look when nobody is there.
        other: they look different from that now, or from the picture before.
    """

    known: Cells
    other: Cells


class Ground:
    """Of one camera."""

    _base: Pixels
    _guest: Pixels
    _before: Pixels
    _full: NDArray[np.bool_]
    _known: Cells
    _other: Cells
    _stirred: Cells
    _same_ns: NDArray[np.int64]
    _guest_ns: NDArray[np.int64]
    _face_ns: NDArray[np.int64]
    _found: NDArray[np.int64]

    def __init__(self) -> None:
        """Nothing is known."""
        self._last_ns = 0
        self._begin(np.zeros((0, 0, 3), np.float32), 0)

    def take(self, rgb: NDArray[np.uint8], at_ns: int, moving: Cells | None, calm: Cells | None = None) -> Compared:
        """Take in the next picture.

        Args:
            rgb: (height, width, 3) uint8, in whatever size.
            at_ns: capture time.
            moving: (rows, columns) grid: what moves, or has just moved; None: that is not known.
            calm: where nobody was within ten minutes, likewise; None: that is not known.
        """
        if at_ns == self._last_ns and self._base.size:
            return Compared(self._known.copy(), self._other)
        picture = reduced(rgb)
        step_ns = min(LONGEST_STEP_NS, max(0, at_ns - self._last_ns))
        if picture.shape != self._base.shape or at_ns < self._last_ns - LONGEST_STEP_NS:
            self._begin(picture, at_ns)
            step_ns = 0
        self._last_ns = at_ns
        grid = self._known.shape
        stirred = np.zeros(grid, np.bool_) if moving is None or moving.shape != grid else moving
        gain = self._gain(picture)
        expected = self._expected(gain, picture)
        bent = np.where(np.maximum(self._base, expected) >= BRIGHT, BENT * np.abs(self._base - expected), np.float32(0))
        different = _different(picture, expected, bent)
        other, lit = self._light(picture, different)
        passing = _different(picture, self._before)
        self._before = picture
        self._turned(other & ~stirred, at_ns)
        # Watched at intervals alone, a cell takes three times as long.
        share = 3 if moving is None else 1
        self._learn(picture, gain, other, lit, (stirred, passing), step_ns // share)
        if calm is not None and calm.shape == grid:
            self._same_ns[calm & ~other & ~stirred & (at_ns - self._face_ns > PEOPLE_NS)] = SAME_NS
        self._known |= (self._same_ns >= SAME_NS) & (at_ns - self._face_ns > PEOPLE_NS)
        self._other, self._stirred = other, stirred
        return Compared(self._known.copy(), other | passing)

    def faces(self, rects: Iterable[Rect], at_ns: int) -> None:
        """Faces were found in the picture that was taken in about now: what is still there is not to be learnt."""
        if not self._base.size:
            return
        inside = np.zeros(self._known.shape, np.bool_)
        for rect in rects:
            touched(inside, rect)
        here = inside & ~self._stirred
        self._found[here & ~self._other] += 1
        self._found[self._other] = 0
        unlearnt = here & (~self._known | (self._found >= FOUND))
        # Of whom is seen in part, all of it.
        unlearnt = widened(unlearnt) & ~self._stirred & (~self._known | ~self._other)
        self._known[unlearnt], self._same_ns[unlearnt], self._found[unlearnt] = False, 0, 0
        self._face_ns[unlearnt | (here & self._other)] = at_ns

    def _begin(self, picture: Pixels, at_ns: int) -> None:
        self._before = picture
        self._base, self._guest = picture.copy(), picture.copy()
        self._full = picture >= BRIGHTEST
        rows, columns = -(-picture.shape[0] // CELL_PX), -(-picture.shape[1] // CELL_PX)
        self._known = np.zeros((rows, columns), np.bool_)
        self._other = self._known.copy()
        self._stirred = self._known.copy()
        self._same_ns = np.zeros((rows, columns), np.int64)
        self._guest_ns = self._same_ns.copy()
        self._found = self._same_ns.copy()
        self._face_ns = np.full((rows, columns), at_ns - 2 * PEOPLE_NS, np.int64)
        self._here_ns = at_ns

    def _gain(self, picture: Pixels) -> Pixels:
        """By how much all of it is brighter, by colour: exposure, and the white balance."""
        alike = on_pixels((~self._other).astype(np.float32), picture)[::4, ::4] > 0
        if alike.mean() < LEAST_ALIKE:
            alike[:] = True
        ratio = (picture[::4, ::4] / np.maximum(self._base[::4, ::4], 4.0))[alike]
        gain: Pixels = np.clip(np.median(ratio, axis=0), 0.2, 5.0).astype(np.float32)
        return gain

    def _expected(self, gain: Pixels, picture: Pixels) -> Pixels:
        expected = np.minimum(self._base * gain, 255.0)
        # What was too bright for the camera may look brighter than what it gave.
        return np.asarray(np.where(self._full, np.maximum(expected, picture), expected), np.float32)

    def _light(self, picture: Pixels, different: Cells) -> tuple[Cells, Cells]:
        """What looks different by more than the light, and where it is the light."""
        number, labels, stats, _ = cv2.connectedComponentsWithStats(different.astype(np.uint8), connectivity=8)
        large = [one for one in range(1, number) if stats[one, cv2.CC_STAT_AREA] >= LIGHT_CELLS]
        lit = np.zeros_like(different)
        if not large:
            return different, lit
        structure = _structure(picture, self._base)
        other = different.copy()
        for one in large:
            of_it = np.asarray(labels) == one
            if (structure & of_it).sum() <= LIGHT * of_it.sum():
                other[of_it] = False
                # Who stands in the light that has changed is seen by their outline.
                other |= filled(widened(structure & of_it))
                lit |= of_it
        return other, lit & ~other

    def _turned(self, still: Cells, at_ns: int) -> None:
        if (still & self._known).sum() <= ELSEWHERE * max(1, int(self._known.sum())):
            self._here_ns = at_ns
        elif at_ns - self._here_ns > ELSEWHERE_NS:
            self._known[:], self._same_ns[:], self._guest_ns[:] = False, 0, 0

    def _learn(
        self, picture: Pixels, gain: Pixels, other: Cells, lit: Cells, moves: tuple[Cells, Cells], step_ns: int
    ) -> None:
        stirred, passing = moves
        still = ~stirred
        same = ~(widened(passing) | other)
        self._same_ns[same] += step_ns
        self._guest_ns[same] = 0
        # What was hardly seen yet gives way to what comes.
        fleeting = other & ~self._known & (self._same_ns < BEGUN_NS)
        stays = ~_different(picture, np.minimum(self._guest * gain, 255.0))
        guest = other & ~fleeting & still
        self._guest_ns[guest & stays] += step_ns
        self._guest_ns[guest & ~stays] = 0
        settled = guest & (self._guest_ns >= PEOPLE_NS) & (self._last_ns - self._face_ns > PEOPLE_NS)
        self._same_ns[fleeting], self._same_ns[settled], self._guest_ns[settled] = 0, SAME_NS, 0
        # All that is remembered is remembered in one light.
        evened = picture / gain
        full = picture >= BRIGHTEST
        _put(self._guest, evened, guest & ~stays)
        _put(self._base, evened, fleeting | settled)
        _put(self._full, full, fleeting | settled)
        near = widened(other | stirred, 1)
        weight = on_pixels(np.where(same & ~near, ADAPTED, 0.0) + np.where(lit & ~near, 4 * ADAPTED, 0.0), picture)
        weight = weight[..., None] * ~(self._full ^ full)
        self._base += weight * (evened - self._base)


def reduced(rgb: NDArray[np.uint8]) -> Pixels:
    """A picture in small, as float32: at most 160 pixels across, half of what motion is judged on."""
    height, width = rgb.shape[:2]
    if width > REDUCED_WIDTH:
        height, width = max(1, round(height * REDUCED_WIDTH / width)), REDUCED_WIDTH
    small = cv2.resize(rgb, (-(-width // 2), -(-height // 2)), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.float32)


def _different(picture: Pixels, expected: Pixels, allowed: Pixels | None = None) -> Cells:
    """Which cells look different from what is expected there, by more than is allowed."""
    by = np.asarray(cv2.absdiff(picture, expected), np.float32)
    apart: Pixels = (by if allowed is None else np.maximum(0, by - allowed)).max(axis=2)
    few = cell_counts(apart > OUTLIER) >= OUTLIERS
    found: Cells = (cell_means(apart) > FAR) | few
    return found


def _structure(picture: Pixels, base: Pixels) -> Cells:
    """Which cells look different however the light fell on them: no factor for the pixels around it makes them the same."""
    now, before = picture.mean(axis=2), base.mean(axis=2)
    size = (WINDOW_PX, WINDOW_PX)
    factor = cv2.blur(now * before, size) / (cv2.blur(before * before, size) + 1.0)
    bright = np.maximum(1.0, factor)
    left = np.abs(now - factor * before) / bright
    found: Cells = (cell_means(left) > FAR) | (cell_counts(left > OUTLIER) >= OUTLIERS)
    return found


def _put(into: NDArray[Any], picture: NDArray[Any], cells: Cells) -> None:
    if cells.any():
        where = on_pixels(cells, picture) > 0
        into[where] = picture[where]
