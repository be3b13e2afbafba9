"""The latest picture of a camera, for whoever asks while its thread works on it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from ingest.frame import Frame

COPY_LIMIT_S: Final = 2.0


@dataclass(frozen=True, slots=True, eq=False)
class Small:
    """A reduced picture: (height, width, 3) uint8 RGB, and its capture time."""

    rgb: NDArray[np.uint8]
    at_ns: int


class LatestPicture:
    """Lent by the camera's thread; a copy is made by whoever wants one, between two frames."""

    def __init__(self) -> None:
        self._frame: Frame | None = None
        # Two threads that convert one frame would share its scaler.
        self._using = threading.Lock()
        self.size: tuple[int, int] | None = None
        """Width and height of the latest there was; None before the first."""

    @contextmanager
    def of(self, frame: Frame) -> Iterator[None]:
        """While inside, this frame is the camera thread's alone; afterwards it is the latest."""
        with self._using:
            self._frame, self.size = frame, frame.size
            yield

    def drop(self) -> None:
        """There is none any more."""
        with self._using:
            self._frame = None

    def small(self, width: int) -> Small | None:
        """The latest, reduced to at most so many pixels across; None likewise."""
        if not self._using.acquire(timeout=COPY_LIMIT_S):
            return None
        try:
            frame = self._frame
            return None if frame is None else Small(frame.small(width), frame.at_ns)
        finally:
            self._using.release()

    def copy(self) -> Frame | None:
        """The latest, in memory of its own; None while there is none, or its thread is busy."""
        if not self._using.acquire(timeout=COPY_LIMIT_S):
            return None
        try:
            frame = self._frame
            if frame is None:
                return None
            pixels = VideoFrame.from_ndarray(frame.rgb(), format="rgb24")
            return Frame.of(pixels, frame.at_ns, frame.index, sampled=False)
        finally:
            self._using.release()
