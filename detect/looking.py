"""A look at a picture: run the detector over the planned tiles, on as many threads as there are detectors."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from detect.faces import FaceDetector, Faces
from detect.merge import merge
from detect.tiles import Tile, plan_tiles, tiles_with_motion, uncut


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
        self._plans: dict[tuple[int, int], list[Tile]] = {}
        self._pool = ThreadPoolExecutor(len(self._detectors), "look") if len(self._detectors) > 1 else None

    @property
    def name(self) -> str:
        """The detectors' name."""
        return self._detectors[0].name

    def look(self, rgb: NDArray[np.uint8], motion: NDArray[np.bool_] | None = None) -> Faces:
        """Find the faces of a picture.

        Args:
            rgb: (height, width, 3) uint8.
            motion: (rows, columns) grid over the picture: only tiles in which it is True somewhere are looked at.
                None looks everywhere.

        Returns:
            One box per face, in pixels of `rgb`, surest first. Boxes may reach beyond the picture.
        """
        height, width = rgb.shape[:2]
        tiles = self._plan(width, height)
        if motion is not None:
            tiles = tiles_with_motion(tiles, motion, width, height)
        if self._pool is None:
            parts = [_look(self._detectors[0], rgb, tile) for tile in tiles]
        else:
            shares = [tiles[start :: len(self._detectors)] for start in range(len(self._detectors))]
            done = self._pool.map(
                lambda detector, share: [_look(detector, rgb, tile) for tile in share], self._detectors, shares
            )
            parts = [part for share in done for part in share]
        return merge(Faces.joined(parts))

    def close(self) -> None:
        """Release the detectors."""
        if self._pool is not None:
            self._pool.shutdown()
        for detector in self._detectors:
            detector.close()

    def _plan(self, width: int, height: int) -> list[Tile]:
        size = (width, height)
        if size not in self._plans:
            detector = self._detectors[0]
            self._plans[size] = plan_tiles(
                width,
                height,
                self._min_face_px,
                input_px=detector.input_px,
                smallest_face_px=detector.smallest_face_px,
            )
        return self._plans[size]


def _look(detector: FaceDetector, rgb: NDArray[np.uint8], tile: Tile) -> Faces:
    height, width = rgb.shape[:2]
    square = np.ascontiguousarray(rgb[tile.y : tile.y + tile.height, tile.x : tile.x + tile.width])
    faces = detector.detect(square)
    return faces.chosen(uncut(faces.boxes, tile, width, height)).moved(tile.x, tile.y)
