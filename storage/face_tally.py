"""What faces of one camera looked like over some time, counted: small, bounded, and two of them can be put together.

Nothing in it tells one person from another: sizes, light and places are counted, and no picture is kept.
"""

import math
from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from storage.words import UnknownReason

FIRST_PX: Final = 8
EXACT_TO_PX: Final = 48
STEPS_AN_OCTAVE: Final = 8
WIDTH_BINS: Final = EXACT_TO_PX - FIRST_PX + 36
"""Widths from 8 to 48 px pixel by pixel, since there it is decided what can be judged, then to 1000 px in steps of 9 %; the
first bin takes all below, the last one all above."""

SHARE_BINS: Final = 50
"""Sharpness, brightness and turn, in steps of 0.02."""

ROWS: Final = 9
COLUMNS: Final = 16
"""Where faces were seen is counted in so many cells over the picture."""

_LENGTHS: Final = {
    "widths": WIDTH_BINS,
    "sharpness": SHARE_BINS,
    "brightness": SHARE_BINS,
    "turn": SHARE_BINS,
    "largest": WIDTH_BINS,
    "places": ROWS * COLUMNS,
    "place_widths": ROWS * COLUMNS,
}


class Tally(msgspec.Struct):
    """Counts of one camera.

    Faces are those of passages: what was seen only once or twice may be a pattern.

    Attributes:
        samples: moments taken.
        looked: those of them that the detector looked at.
        faces: that belong to passages.
        unsure: other finds, smaller than the smallest face that is judged: small faces, or patterns.
        reasons: faces that can't be judged by themselves, by reason.
        widths: faces by longer side; likewise the other histograms.
        sharpness, brightness, turn: in [0, 1]; see `storage.messages.Face`.
        passages: of people who have gone.
        unknown: passages without a label, by reason.
        largest: passages by the longer side of their largest face.
        places: faces by where their centre was, row after row.
        place_widths: sums of their longer sides, in pixels.
    """

    samples: int = 0
    looked: int = 0
    faces: int = 0
    unsure: int = 0
    reasons: dict[str, int] = msgspec.field(default_factory=dict)
    widths: list[int] = msgspec.field(default_factory=lambda: [0] * WIDTH_BINS)
    sharpness: list[int] = msgspec.field(default_factory=lambda: [0] * SHARE_BINS)
    brightness: list[int] = msgspec.field(default_factory=lambda: [0] * SHARE_BINS)
    turn: list[int] = msgspec.field(default_factory=lambda: [0] * SHARE_BINS)
    passages: int = 0
    unknown: dict[str, int] = msgspec.field(default_factory=dict)
    largest: list[int] = msgspec.field(default_factory=lambda: [0] * WIDTH_BINS)
    places: list[int] = msgspec.field(default_factory=lambda: [0] * (ROWS * COLUMNS))
    place_widths: list[int] = msgspec.field(default_factory=lambda: [0] * (ROWS * COLUMNS))

    def __post_init__(self) -> None:
        """Give every histogram the length that this version counts on; another one may have written it."""
        for name, length in _LENGTHS.items():
            counts = getattr(self, name)
            if len(counts) != length:
                setattr(self, name, [*counts[:length], *[0] * (length - len(counts))])

    @property
    def empty(self) -> bool:
        """Whether nothing is in it."""
        return not self.samples and not self.passages

    def add(self, other: "Tally") -> None:
        """Take in another tally of the same camera."""
        for name in ("samples", "looked", "faces", "unsure", "passages"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name in ("reasons", "unknown"):
            counts: dict[str, int] = getattr(self, name)
            for reason, count in getattr(other, name).items():
                counts[reason] = counts.get(reason, 0) + count
        for name in _LENGTHS:
            setattr(
                self, name, [mine + more for mine, more in zip(getattr(self, name), getattr(other, name), strict=True)]
            )

    def note_face(self, width_px: int, x: float, y: float, quality: tuple[float, float, float]) -> None:
        """Count a face.

        Args:
            width_px: longer side of its box.
            x: of its centre, as a share of the picture.
            y: likewise.
            quality: sharpness, brightness, turn.
        """
        self.faces += 1
        self.widths[width_bin(width_px)] += 1
        for counts, value in zip((self.sharpness, self.brightness, self.turn), quality, strict=True):
            counts[min(SHARE_BINS - 1, max(0, int(value * SHARE_BINS)))] += 1
        column, row = (min(n - 1, max(0, int(at * n))) for at, n in ((x, COLUMNS), (y, ROWS)))
        self.places[row * COLUMNS + column] += 1
        self.place_widths[row * COLUMNS + column] += width_px

    def note_passage(self, largest_px: int, reason: UnknownReason | None) -> None:
        """Count somebody who has gone.

        Args:
            largest_px: longer side of the largest face.
            reason: why there is no label, or None.
        """
        self.passages += 1
        self.largest[width_bin(largest_px)] += 1
        if reason is not None:
            self.unknown[reason] = self.unknown.get(reason, 0) + 1

    def heat(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Faces seen in each cell, and their mean longer side in pixels (0 where there were none): (ROWS, COLUMNS)."""
        counts = np.array(self.places, np.int64).reshape(ROWS, COLUMNS)
        sums = np.array(self.place_widths, np.float64).reshape(ROWS, COLUMNS)
        return counts, sums / np.maximum(counts, 1)


def packed(tally: Tally) -> bytes:
    """A tally as a row of the database holds it; a few hundred bytes."""
    return msgspec.msgpack.encode(tally)


def unpacked(data: bytes) -> Tally:
    """The same again; of one that another version packed otherwise, nothing: it is a statistic and may be lost."""
    try:
        return msgspec.msgpack.decode(data, type=Tally)
    except msgspec.MsgspecError:
        return Tally()


def width_bin(width_px: float) -> int:
    """The bin of a width."""
    if width_px < EXACT_TO_PX:
        return max(0, round(width_px) - FIRST_PX)
    steps = round(STEPS_AN_OCTAVE * math.log2(width_px / EXACT_TO_PX))
    return min(WIDTH_BINS - 1, EXACT_TO_PX - FIRST_PX + steps)


def bin_width(index: int) -> float:
    """The width in pixels in the middle of a bin."""
    if index < EXACT_TO_PX - FIRST_PX:
        return float(FIRST_PX + index)
    return float(EXACT_TO_PX * 2.0 ** ((index - EXACT_TO_PX + FIRST_PX) / STEPS_AN_OCTAVE))


def width_quantile(counts: Sequence[int], share: float) -> float | None:
    """The width below which a share of those counted lies, in pixels within 5 %; None where there is none."""
    index = _quantile_bin(counts, share)
    return None if index is None else bin_width(index)


def share_quantile(counts: Sequence[int], share: float) -> float | None:
    """Likewise of sharpness, brightness or turn, within 0.01."""
    index = _quantile_bin(counts, share)
    return None if index is None else (index + 0.5) / SHARE_BINS


def _quantile_bin(counts: Sequence[int], share: float) -> int | None:
    total = sum(counts)
    if not total:
        return None
    reached, wanted = 0, share * total
    for index, count in enumerate(counts):
        reached += count
        if count and reached >= wanted:
            return index
    return len(counts) - 1
