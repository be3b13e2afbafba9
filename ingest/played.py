"""A file played as a live camera: once, at its own pace; then its last frame stands still."""

import time
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Final

from ingest.footage import Footage
from ingest.frame import Frame
from ingest.source import SourceError
from storage.errors import InputError, StorageError
from storage.messages import NS_PER_S
from storage.pulse import Pulse
from storage.status import StateReason

LATE_NS: Final = 1 * NS_PER_S
"""A frame that is this much behind its time is no longer worth a look: the next ones are."""


class PlayedFile:
    """A video file as a camera; a process that starts late goes on where the file would be by then.

    >>> for frame in PlayedFile(Path("clip.mp4"), 5, now_ns, now_ns).frames(Pulse()):  # doctest: +SKIP
    ...     print(frame.at_ns, frame.sampled)
    """

    clock = "file"
    trouble: StateReason | None = None

    def __init__(self, path: Path, fps: float, playing_since_ns: int, begun_ns: int) -> None:
        """Prepare to play a file.

        Args:
            path: the file.
            fps: samples a second.
            playing_since_ns: Unix time of its first frame; every frame's capture time counts from it.
            begun_ns: Unix time of the epoch's beginning: what was to be seen before was another process's to see.
        """
        self.late = 0
        self.codec: str | None = None
        """By which it is compressed; None before it is opened."""
        self._path = path
        self._fps = fps
        self._since_ns = playing_since_ns
        self._begun_ns = begun_ns - playing_since_ns
        # The wall clock may be set while the file plays; the file goes on at its pace.
        self._zero_ns = time.monotonic_ns() - (time.time_ns() - playing_since_ns)

    def frames(self, pulse: Pulse) -> Iterator[Frame]:
        """See `Source`."""
        last: Frame | None = None
        try:
            with Footage(self._path, threads=1) as footage:
                self.codec = footage.codec
                start_ns = max(0, self._begun_ns, self._played_ns() - LATE_NS)
                for frame in footage.frames(self._fps, start_ns=start_ns):
                    if self._wait_until(frame.at_ns, pulse):
                        return
                    due = frame.sampled and frame.at_ns >= start_ns
                    late = due and self._played_ns() - frame.at_ns > LATE_NS
                    self.late += late
                    last = replace(frame, at_ns=self._since_ns + frame.at_ns, sampled=due and not late)
                    yield last
        except InputError as error:
            missing = not self._path.exists()
            raise SourceError(
                StateReason.NOT_FOUND if missing else StateReason.UNSUPPORTED_CODEC, str(error)
            ) from error
        except StorageError as error:
            raise SourceError(StateReason.NO_ROUTE, str(error)) from error
        if last is not None:
            yield from self._still(last, pulse)

    def _still(self, last: Frame, pulse: Pulse) -> Iterator[Frame]:
        """The last frame again and again, on the grid of samples."""
        step = Fraction(NS_PER_S) / Fraction(self._fps).limit_denominator(1000)
        point = int((last.at_ns - self._since_ns) / step)
        while True:
            # After a pause of the whole machine it is the present that counts.
            point = max(point + 1, int((self._played_ns() - LATE_NS) / step))
            at_ns = int(point * step)
            if self._wait_until(at_ns, pulse):
                return
            yield replace(last, at_ns=self._since_ns + at_ns, index=last.index, sampled=True)

    def _played_ns(self) -> int:
        """How far the file would be now."""
        return time.monotonic_ns() - self._zero_ns

    def _wait_until(self, at_ns: int, pulse: Pulse) -> bool:
        """Wait for a frame's time; True when asked to stop."""
        return pulse.wait(max(0, at_ns - self._played_ns()) / NS_PER_S)
