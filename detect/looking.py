"""A look at a picture: run the detector over the planned tiles, on as many threads as there are detectors."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from detect.faces import FaceDetector, Faces
from detect.merge import merge
from detect.tiles import Tile, plan_tiles, tiles_with_motion, uncut
from storage.messages import Look
from storage.regions import Regions, grid, inside

THOROUGH: Final = 2.0
"""On the validation scenes this raised recall from 63 to 77 % at 24-40 px and from 75 to 83 % at 40-80 px."""

BUDGET: Final = 14
"""Tiles for one sample; the whole of 1080p takes 22. A far face is then seen in every other sample, a near one in all."""

CLOSE_UP_BORDER: Final = 0.6
"""Share of the longer side that the border of a close-up adds on each side. The detector misses faces that fill the
picture: in 197 portraits it found 79 % at a score of 0.3, 96 % with the border, 99 % with both looks."""

CLOSE_UP_PX: Final = 1024


class Looker:
    """Finds the faces of pictures of any size.

    The answer does not depend on the number of detectors: finds are put together in the order of the plan.
    """

    def __init__(self, detectors: Sequence[FaceDetector], *, min_face_px: float) -> None:
        """Take over some detectors.

        Args:
            detectors: one or more of the same kind, each used by one thread at a time (the network releases the
                interpreter lock).
            min_face_px: width of the smallest face worth finding.
        """
        self._detectors = list(detectors)
        self._min_face_px = min_face_px
        self._plans: dict[tuple[int, int, float], list[Tile]] = {}
        self._others: dict[float, Looker] = {}
        self._pool = ThreadPoolExecutor(len(self._detectors), "look") if len(self._detectors) > 1 else None

    @property
    def name(self) -> str:
        """The detectors' name."""
        return self._detectors[0].name

    @property
    def smallest_face_px(self) -> float:
        """Width in the detector's own picture that the smallest face is shown with."""
        return self._detectors[0].smallest_face_px

    def look_at_sample(
        self,
        rgb: NDArray[np.uint8],
        look: Look,
        motion: NDArray[np.bool_],
        seq: int,
        *,
        min_face_px: float | None = None,
        regions: Regions = (),
    ) -> Faces:
        """Find the faces of a sample of a camera, looked at as `ingest.motion.Motion` judged it.

        Args:
            rgb: (height, width, 3) uint8.
            look: everywhere, or where it moves.
            motion: grid over the picture, True where something moves.
            seq: number of the sample.
            min_face_px: width of the smallest face worth finding, where it is not this looker's.
            regions: parts of the picture to watch or to ignore: faces whose centre is not watched are left out.
        """
        looker = self if min_face_px is None else self._for_faces(min_face_px)
        watched = grid(regions, *motion.shape) if regions else None
        faces = looker.look(rgb, watched) if look is Look.FULL else looker.look_where_it_moves(rgb, motion, seq)
        return _watched(faces, regions, rgb) if regions else faces

    def look(self, rgb: NDArray[np.uint8], watched: NDArray[np.bool_] | None = None) -> Faces:
        """Find the faces of a (height, width, 3) uint8 picture, everywhere.

        Args:
            rgb: the picture.
            watched: (rows, columns) grid over it: tiles in which it is False throughout are left out; None: none are.

        Returns:
            One box per face, in pixels of `rgb`, surest first. Boxes may reach beyond the picture.
        """
        tiles = self._plan(rgb, 1.0)
        if watched is not None:
            tiles = tiles_with_motion(tiles, watched, rgb.shape[1], rgb.shape[0])
        return merge(Faces.joined(self._looks(rgb, tiles)))

    def look_thoroughly(self, rgb: NDArray[np.uint8]) -> Faces:
        """The same for a still picture, which is seen only once.

        Tiles show faces `THOROUGH` times larger, and one more look with a border around the picture finds faces that
        fill it, as in portraits.
        """
        looks = self._looks(rgb, self._plan(rgb, THOROUGH))
        return merge(Faces.joined([*looks, self._look_from_afar(rgb)]))

    def look_where_it_moves(self, rgb: NDArray[np.uint8], motion: NDArray[np.bool_], seq: int) -> Faces:
        """The same for a sample of a camera: only where something moves, and not everywhere at once.

        Args:
            rgb: (height, width, 3) uint8.
            motion: (rows, columns) grid over the picture: tiles in which it is False throughout are left out.
            seq: number of the sample. Beyond `BUDGET` tiles the smallest ones take turns, odd and even.
        """
        height, width = rgb.shape[:2]
        tiles = tiles_with_motion(self._plan(rgb, 1.0), motion, width, height)
        if len(tiles) > BUDGET:
            smallest = min(tile.width for tile in tiles)
            tiles = [t for t in tiles if t.width > smallest] + [t for t in tiles if t.width == smallest][seq % 2 :: 2]
        return merge(Faces.joined(self._looks(rgb, tiles)))

    def close(self) -> None:
        """Release the detectors."""
        if self._pool is not None:
            self._pool.shutdown()
        for detector in self._detectors:
            detector.close()

    def _for_faces(self, min_face_px: float) -> "Looker":
        """A looker for another size of faces over the same detectors."""
        if min_face_px == self._min_face_px:
            return self
        if min_face_px not in self._others:
            other = copy(self)
            other._min_face_px, other._plans, other._others = min_face_px, {}, {}  # noqa: SLF001 our own copy
            self._others[min_face_px] = other
        return self._others[min_face_px]

    def _looks(self, rgb: NDArray[np.uint8], tiles: Sequence[Tile]) -> list[Faces]:
        if self._pool is None:
            return [_look(self._detectors[0], rgb, tile) for tile in tiles]
        shares = [tiles[start :: len(self._detectors)] for start in range(len(self._detectors))]
        done = self._pool.map(
            lambda detector, share: [_look(detector, rgb, tile) for tile in share], self._detectors, shares
        )
        parts = [Faces.none()] * len(tiles)
        for start, share in enumerate(done):
            parts[start :: len(self._detectors)] = share
        return parts

    def _look_from_afar(self, rgb: NDArray[np.uint8]) -> Faces:
        height, width = rgb.shape[:2]
        # The detector scales it down anyway; a border around the full size could take gigabytes.
        scale = min(1.0, CLOSE_UP_PX / max(height, width))
        if scale < 1.0:
            size = (max(1, round(width * scale)), max(1, round(height * scale)))
            rgb = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
        border = round(CLOSE_UP_BORDER * max(rgb.shape[:2]))
        sides = (border, border, border, border)
        framed = cv2.copyMakeBorder(rgb, *sides, cv2.BORDER_CONSTANT, value=(127, 127, 127)).astype(
            np.uint8, copy=False
        )
        found = self._detectors[0].detect(framed).moved(-border, -border)
        return Faces(found.boxes / np.float32(scale), found.scores, found.keypoints / np.float32(scale))

    def _plan(self, rgb: NDArray[np.uint8], detail: float) -> list[Tile]:
        height, width = rgb.shape[:2]
        key = (width, height, detail)
        if key not in self._plans:
            detector = self._detectors[0]
            self._plans[key] = plan_tiles(
                width,
                height,
                self._min_face_px,
                input_px=detector.input_px,
                smallest_face_px=detail * detector.smallest_face_px,
            )
        return self._plans[key]


def _watched(faces: Faces, regions: Regions, rgb: NDArray[np.uint8]) -> Faces:
    """Those of the faces whose centre is watched."""
    height, width = rgb.shape[:2]
    x, y = (faces.boxes[:, :2] + faces.boxes[:, 2:] / 2.0).astype(np.float64).T
    return faces.chosen(inside(regions, x / width, y / height))


def _look(detector: FaceDetector, rgb: NDArray[np.uint8], tile: Tile) -> Faces:
    height, width = rgb.shape[:2]
    square = np.ascontiguousarray(rgb[tile.y : tile.y + tile.height, tile.x : tile.x + tile.width])
    faces = detector.detect(square)
    return faces.chosen(uncut(faces.boxes, tile, width, height)).moved(tile.x, tile.y)
