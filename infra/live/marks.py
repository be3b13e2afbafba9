"""Which boxes belong on the picture now: what was just seen, and what was seen where nothing has moved since."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from infra.annotate import Mark
from infra.live.tally import Present, Tally
from storage.messages import NS_PER_S, Box, Changes, Result
from storage.words import Label

LINGER_NS: Final = round(0.4 * NS_PER_S)
"""A face that one look has missed keeps its box for so long."""

STILL_NS: Final = round(2.6 * NS_PER_S)
"""Where nothing moves nobody looks but every 2 s: what was seen is still there."""


@dataclass(frozen=True, slots=True)
class _Shown:
    at_ns: int
    box: Box
    label: Label


class Marks:
    """Remembers where everybody in view was last seen."""

    def __init__(self) -> None:
        self._shown: dict[int, _Shown] = {}

    def take(self, result: Result, changes: Changes, active: NDArray[np.bool_], tally: Tally) -> list[Mark]:
        """What to draw on a sample.

        Args:
            result: of the sample.
            changes: what the fold made of it.
            active: (rows, columns) grid over the picture, True where something moves.
            tally: knows the passages by their names.

        Returns:
            Marks in pixels of the picture, in the order of the passages.
        """
        for sighting in changes.sightings:
            self._shown[sighting.track] = _Shown(result.at_ns, result.faces[sighting.face].box, sighting.label)
        for number in changes.closed:
            self._shown.pop(number, None)
        marks = []
        for number, shown in sorted(self._shown.items()):
            age_ns = result.at_ns - shown.at_ns
            name = tally.name(number)
            if name is None or age_ns > STILL_NS:
                continue
            if age_ns <= LINGER_NS or not _moves(shown.box, active, result.width, result.height):
                marks.append(Mark(shown.box, shown.label, caption(name, shown.label)))
        return marks

    def clear(self) -> None:
        """Forget: the picture is another."""
        self._shown.clear()


def caption(name: Present, label: Label) -> str:
    """The words beside a box."""
    reason = f" ({name.unknown_reason})" if label is Label.UNKNOWN and name.unknown_reason else ""
    event = (" EVENT corrected" if name.corrected else " EVENT") if name.event else ""
    return f"{name.id} {label}{reason}{event}"


def _moves(box: Box, active: NDArray[np.bool_], width: int, height: int) -> bool:
    rows, columns = active.shape
    x, y, box_width, box_height = box
    top, bottom = y * rows // height, -(-(y + box_height) * rows // height)
    left, right = x * columns // width, -(-(x + box_width) * columns // width)
    return bool(active[top:bottom, left:right].any())
