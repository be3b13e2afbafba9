"""Whether a camera still sees what it was set up to see: its view may be moved, its lens become dirty, its light go out.

Looked at every ten seconds or so; one look says little, since people may fill the picture and lights may go off for a
minute. So each suspicion has to last. What is compared are the directions of edges, whatever their contrast: these stay
when the light changes, also where light and dark change places.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from ingest.view_picture import HEIGHT, WIDTH, detail_of, edges_of, reduced, shift_of, tiles

LEAST_EDGES: Final = 3.0
"""A tile with fewer lasting edges (sum of their strengths) says nothing."""

LEAST_TILES: Final = 6
"""A view with fewer tiles that say something, such as a white wall, can't be told from another."""

TILE_STAYS: Final = 0.35
"""A tile whose edges agree with the template's this well (as a correlation) shows the same."""

STAYS: Final = 0.45
"""While this share of the tiles shows the same, it is the same view: people and furniture never hide so much of it for
minutes."""

DARK_LEVEL: Final = 0.08
"""Mean brightness, of 1, below which faces are too dark (`classify.quality` asks for 0.12 of a face, which is brighter than
what is around it)."""

DIRTY_SHARE: Final = 0.5
"""Fine structures that are weaker than this share of the usual: as behind fingerprints, cobwebs, or out of focus."""

LEARN_LOOKS: Final = 30
"""The template is taken to be learnt after so many looks, five minutes: nothing is said before."""

SLOWEST: Final = 1 / 1000
"""How much a look counts for what is usual, once that is known: in three hours two thirds of it are new."""

STARTS_BELOW: Final = 1e-3
"""A suspicion that is smaller than this is none: sums of fractions end just beside what they stand for."""

ACCEPT_LOOKS: Final = 60_480
"""A view that has been another one for a week is meant to be so."""


class Drift(StrEnum):
    """What has become worse."""

    MOVED = "moved"
    DIRTY = "dirty"
    DARK = "dark"


LASTS: Final = {Drift.MOVED: (30, 12), Drift.DIRTY: (60, 30), Drift.DARK: (90, 12)}
"""Looks on end after which each is said, and after which it is no longer said: 5, 10 and 15 minutes; 2, 5 and 2 minutes."""


class Reference(msgspec.Struct):
    """What a view looks like when all is well; plain data.

    Attributes:
        looks: that it was learnt from.
        edges: (2, HEIGHT, WIDTH) int8 as bytes: direction of the edges, times two, by cosine and sine, 127 for a sharp one
            that is always there.
        detail: strength of fine structures; see `detail_of`.
        suspicions: how far each suspicion has come, in [0, 1], by drift.
        since_ns: when each of them began, by drift.
        said: drifts that are said.
        shift: latest shift found, as shares of width and height.
        away: looks since the view was last the learnt one.
    """

    looks: int = 0
    edges: bytes = b""
    detail: float = 0.0
    suspicions: dict[str, float] = msgspec.field(default_factory=dict)
    since_ns: dict[str, int] = msgspec.field(default_factory=dict)
    said: list[str] = msgspec.field(default_factory=list)
    shift: tuple[float, float] = (0.0, 0.0)
    away: int = 0


@dataclass(frozen=True, slots=True)
class Looked:
    """What one look showed.

    Attributes:
        brightness: mean, in [0, 1].
        detail: share of the usual.
        same: share of the tiles that show the same; 1 where nothing can be told.
        shift: by which it would fit better, as shares of width and height, or None.
    """

    brightness: float
    detail: float
    same: float
    shift: tuple[float, float] | None


class View:
    """One camera's.

    >>> view = View()
    >>> picture = np.random.default_rng(1).integers(0, 255, (360, 640), np.uint8)
    >>> _ = view.look(picture)
    >>> view.drifts
    ()
    """

    def __init__(self, kept: bytes | None = None) -> None:
        """Begin.

        Args:
            kept: what `packed` gave earlier; what can't be read is learnt anew.
        """
        self._reference = Reference()
        self._edges = np.zeros((2, HEIGHT, WIDTH), np.float32)
        if kept is not None:
            self._restore(kept)

    @property
    def drifts(self) -> tuple[Drift, ...]:
        """What has become worse, and has been so for long enough."""
        return tuple(drift for drift in Drift if drift in self._reference.said)

    @property
    def shift(self) -> tuple[float, float]:
        """By how much the view has moved, as shares of width and height, to the right and down; 0 where that is not known."""
        return self._reference.shift

    @property
    def learnt(self) -> bool:
        """Whether it is known what the view looks like."""
        return self._reference.looks >= LEARN_LOOKS

    def packed(self) -> bytes:
        """All that is known, in less than 20 kB."""
        self._reference.edges = np.clip(np.rint(self._edges * 127), -127, 127).astype(np.int8).tobytes()
        return msgspec.msgpack.encode(self._reference)

    def since_ns(self, drift: Drift) -> int:
        """When a drift that is said began."""
        return self._reference.since_ns.get(drift, 0)

    def look(self, luma: NDArray[np.uint8], at_ns: int = 0) -> Looked:
        """Take in a picture, and bring the drifts up to date.

        Args:
            luma: (height, width) uint8.
            at_ns: its time.
        """
        medium = reduced(luma)
        small = cv2.resize(medium, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
        edges, detail = edges_of(small), detail_of(medium)
        brightness = float(small.mean()) / 255.0
        known = self._reference
        same, shift = self._compared(edges) if self.learnt else (1.0, None)
        share = detail / known.detail if self.learnt and known.detail > 0 else 1.0
        looked = Looked(brightness, share, same, shift)
        dark = brightness < DARK_LEVEL
        dirty = not dark and share < DIRTY_SHARE
        if self.learnt:
            self._suspect(Drift.DARK, at_ns, bad=dark)
            if not dark:
                # Of a picture in the dark nothing else can be told, nor of a blurred one whether it has moved.
                self._suspect(Drift.DIRTY, at_ns, bad=dirty)
            moved = same < STAYS or shift is not None
            if not (dark or dirty):
                self._suspect(Drift.MOVED, at_ns, bad=moved)
                known.away = known.away + 1 if moved else 0
                if moved and shift is not None:
                    known.shift = shift
                elif Drift.MOVED not in known.said:
                    known.shift = (0.0, 0.0)
            if moved and known.away < ACCEPT_LOOKS:
                return looked
            if moved:
                self._reference, self._edges = Reference(), np.zeros_like(self._edges)
                known = self._reference
        if not (dark or dirty):
            rate = max(SLOWEST, 1.0 / (known.looks + 1))
            self._edges += np.float32(rate) * (edges - self._edges)
            known.detail += rate * (detail - known.detail)
            known.looks += 1
        return looked

    def _suspect(self, drift: Drift, at_ns: int, *, bad: bool) -> None:
        known, (comes, goes) = self._reference, LASTS[drift]
        level = known.suspicions.get(drift, 0.0)
        if bad and level < STARTS_BELOW:
            known.since_ns[drift] = at_ns
        level = min(1.0, level + 1.0 / comes) if bad else max(0.0, level - 1.0 / goes)
        known.suspicions[drift] = round(level, 6)
        if level > 1.0 - STARTS_BELOW and drift not in known.said:
            known.said.append(drift)
        elif level < STARTS_BELOW and drift in known.said:
            known.said.remove(drift)

    def _compared(self, edges: NDArray[np.float32]) -> tuple[float, tuple[float, float] | None]:
        """The share of tiles that show the same, and a shift under which the view would fit better."""
        lasting = np.sqrt(np.square(self._edges).sum(axis=0))
        strength = tiles(lasting)
        telling = strength >= LEAST_EDGES
        if int(telling.sum()) < LEAST_TILES:
            return 1.0, None
        both = tiles((self._edges * edges).sum(axis=0))
        norms = np.sqrt(tiles(np.square(self._edges).sum(axis=0)) * tiles(np.square(edges).sum(axis=0)))
        agreement = both / np.maximum(norms, 1e-6)
        same = float((agreement[telling] >= TILE_STAYS).mean())
        return same, shift_of(self._edges, edges)

    def _restore(self, kept: bytes) -> None:
        try:
            reference = msgspec.msgpack.decode(kept, type=Reference)
            edges = np.frombuffer(reference.edges, np.int8).reshape(2, HEIGHT, WIDTH)
        except (msgspec.MsgspecError, ValueError):
            return
        self._reference, self._edges = reference, edges.astype(np.float32) / np.float32(127)
