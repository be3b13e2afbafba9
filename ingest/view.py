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

WIDTH: Final = 128
HEIGHT: Final = 72
"""Of the template. Every picture is brought to this size: another resolution of the same view is no other view."""

DETAIL_WIDTH: Final = 640
"""Fine structures are looked for at this width: a blur of three pixels of it is seen, sensor noise is not."""

FAINT_LEVELS: Final = 12.0
"""Gradients of the template's pixels that are weaker than this (in grey levels, by Sobel) count less and less."""

TILE_PX: Final = 12
"""Side of a tile of the template: 6 x 10 tiles."""

LEAST_EDGES: Final = 3.0
"""A tile with fewer lasting edges (sum of their strengths) says nothing."""

LEAST_TILES: Final = 6
"""A view with fewer tiles that say something, such as a white wall, can't be told from another."""

TILE_STAYS: Final = 0.35
"""A tile whose edges agree with the template's this well (as a correlation) shows the same."""

STAYS: Final = 0.45
"""While this share of the tiles shows the same, it is the same view: people and furniture never hide so much of it for
minutes."""

SHIFT_SHARE: Final = 0.025
"""A view that fits better when it is shifted by this share of its width has moved: regions drawn on it are off by half a
face."""

SHIFT_BETTER: Final = 0.15
"""By how much better, as a correlation."""

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
        detail: strength of fine structures; see `_detail`.
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
        medium = _reduced(luma)
        small = cv2.resize(medium, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
        edges, detail = _edges(small), _detail(medium)
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
        strength = _tiles(lasting)
        telling = strength >= LEAST_EDGES
        if int(telling.sum()) < LEAST_TILES:
            return 1.0, None
        both = _tiles((self._edges * edges).sum(axis=0))
        norms = np.sqrt(_tiles(np.square(self._edges).sum(axis=0)) * _tiles(np.square(edges).sum(axis=0)))
        agreement = both / np.maximum(norms, 1e-6)
        same = float((agreement[telling] >= TILE_STAYS).mean())
        return same, _shift(self._edges, edges)

    def _restore(self, kept: bytes) -> None:
        try:
            reference = msgspec.msgpack.decode(kept, type=Reference)
            edges = np.frombuffer(reference.edges, np.int8).reshape(2, HEIGHT, WIDTH)
        except (msgspec.MsgspecError, ValueError):
            return
        self._reference, self._edges = reference, edges.astype(np.float32) / np.float32(127)


def _reduced(luma: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = luma.shape
    if width <= DETAIL_WIDTH:
        return np.ascontiguousarray(luma)
    # Every so many rows and columns first: all of 4K would take its time.
    step = max(1, width // (3 * DETAIL_WIDTH))
    size = (DETAIL_WIDTH, max(1, round(height * DETAIL_WIDTH / width)))
    return cv2.resize(luma[::step, ::step], size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def _edges(small: cv2.typing.MatLike) -> NDArray[np.float32]:
    """Directions of edges, doubled, so that light and dark may change places: (2, HEIGHT, WIDTH), at most 1 long."""
    across = cv2.Sobel(small, cv2.CV_32F, 1, 0)
    down = cv2.Sobel(small, cv2.CV_32F, 0, 1)
    squared_across, squared_down = across * across, down * down
    scale = 1.0 / (squared_across + squared_down + np.float32(4.0 * FAINT_LEVELS) ** 2)
    return np.stack([(squared_across - squared_down) * scale, 2.0 * across * down * scale]).astype(
        np.float32, copy=False
    )


def _detail(medium: NDArray[np.uint8]) -> float:
    """Strength of the finest structures, as a share of the contrast, so that a duller day is no dirt."""
    contrast = float(medium.std())
    if contrast < 2.0:
        return 0.0
    return float(cv2.Laplacian(medium, cv2.CV_32F).std()) / contrast


def _tiles(field: NDArray[np.float32]) -> NDArray[np.float32]:
    """Sums over tiles."""
    rows, columns = HEIGHT // TILE_PX, WIDTH // TILE_PX
    cut = field[: rows * TILE_PX, : columns * TILE_PX]
    return np.asarray(cut.reshape(rows, TILE_PX, columns, TILE_PX).sum(axis=(1, 3)), np.float32)


def _shift(reference: NDArray[np.float32], edges: NDArray[np.float32]) -> tuple[float, float] | None:
    """The shift under which two fields agree clearly better than as they are; None where there is none."""
    across, down = WIDTH // 4, HEIGHT // 4
    inner = np.ascontiguousarray(reference.transpose(1, 2, 0)[down : HEIGHT - down, across : WIDTH - across])
    whole = np.ascontiguousarray(edges.transpose(1, 2, 0))
    scores = _correlated(whole, inner)
    here = float(scores[down, across])
    row, column = np.unravel_index(int(scores.argmax()), scores.shape)
    by = ((int(column) - across) / WIDTH, (int(row) - down) / HEIGHT)
    far = max(abs(by[0]), abs(by[1])) >= SHIFT_SHARE
    return by if far and float(scores[row, column]) - here >= SHIFT_BETTER else None


def _correlated(whole: NDArray[np.float32], inner: NDArray[np.float32]) -> NDArray[np.float32]:
    """Normalised correlation of a part, put at every place of the whole."""
    products = sum(
        np.asarray(
            cv2.matchTemplate(np.ascontiguousarray(whole[..., i]), np.ascontiguousarray(inner[..., i]), cv2.TM_CCORR)
        )
        for i in range(2)
    )
    energy = cv2.boxFilter(
        np.square(whole).sum(axis=2), cv2.CV_32F, (inner.shape[1], inner.shape[0]), anchor=(0, 0), normalize=False,
        borderType=cv2.BORDER_CONSTANT,
    )[: whole.shape[0] - inner.shape[0] + 1, : whole.shape[1] - inner.shape[1] + 1]  # fmt: skip
    norm = float(np.square(inner).sum())
    return np.asarray(products / np.sqrt(np.maximum(energy * norm, 1e-6)), np.float32)
