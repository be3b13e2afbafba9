"""A video file played once at its own pace, and then it is over."""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from ingest.footage import Footage
from ingest.frame import Frame
from storage.messages import NS_PER_S
from storage.pulse import Pulse
from storage.status import StateReason


class PlayedOnce:
    """A video file as a source that ends.

    A frame's time is its time in the file after the start of playing. Where decoding is slower than the file, playing takes
    longer than the file; no frame's time changes by that.

    Attributes:
        clock, late, trouble: see `ingest.sources.Source`.
    """

    clock = "file"
    trouble: StateReason | None = None

    def __init__(self, path: Path, fps: float) -> None:
        """Prepare to play a file.

        Args:
            path: the file.
            fps: samples a second.
        """
        self.late = 0
        self._path, self._fps = path, fps

    def frames(self, pulse: Pulse) -> Iterator[Frame]:
        """Every frame when its time has come.

        Raises:
            InputError: the file is no readable footage.
        """
        with Footage(self._path, threads=1) as footage:
            began_ns, zero_ns = time.time_ns(), time.monotonic_ns()
            for frame in footage.frames(self._fps):
                early_ns = frame.at_ns - (time.monotonic_ns() - zero_ns)
                if early_ns > 0 and pulse.wait(early_ns / NS_PER_S):
                    return
                if pulse.stopping:
                    return
                yield replace(frame, at_ns=began_ns + frame.at_ns)
