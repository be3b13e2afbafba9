"""The latest picture of a camera, for whoever asks while its thread works on it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from av.video.frame import VideoFrame

from ingest.frame import Frame

COPY_LIMIT_S: Final = 2.0


class LatestPicture:
    """Lent by the camera's thread; a copy is made by whoever wants one, between two frames."""

    def __init__(self) -> None:
        self._frame: Frame | None = None
        # Two threads that convert one frame would share its scaler.
        self._using = threading.Lock()

    @contextmanager
    def of(self, frame: Frame) -> Iterator[None]:
        """While inside, this frame is the camera thread's alone; afterwards it is the latest."""
        with self._using:
            self._frame = frame
            yield

    def drop(self) -> None:
        """There is none any more."""
        with self._using:
            self._frame = None

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
