"""Single pictures of recorded footage, exactly as a full decode gives them."""

from bisect import bisect_right
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ingest.entered import Entered
from ingest.footage import Footage
from ingest.frame import Frame
from ingest.piece_plan import FootagePlan, unpacked
from storage.closing import Closing
from storage.messages import NS_PER_S
from storage.progress import Progress, unwatched


class Pictures(Closing):
    """Footage, opened for whoever wants pictures of it, best in order of time.

    >>> with Pictures(path, plan, 5.0) as pictures:  # doctest: +SKIP
    ...     rgb = pictures.at(1_200_000_000)
    """

    def __init__(
        self, path: Path, plan: FootagePlan, fps: float, *, threads: int = 1, alive: Progress = unwatched
    ) -> None:
        """Open a file; for arguments and errors see `ingest.piece_reader.PieceReader`."""
        self._path, self._plan, self._fps, self._threads, self._alive = path, plan, fps, threads, alive
        self._footage: Footage | None = None
        self._entered: Entered | None = None
        self._entries: list[int] = []
        self._entries_ns: list[int] = []
        if plan.whole is None:
            self._entered = Entered(path, threads, alive)
            base = self._entered.base
            self._entries = unpacked(plan.entries)
            self._entries_ns = [int(pts * base * NS_PER_S) - plan.origin_ns for pts in self._entries]
        self._frames: Iterator[Frame] | None = None
        self._last: Frame | None = None

    def at(self, at_ns: int) -> NDArray[np.uint8] | None:
        """The frame with this very time as (height, width, 3) uint8 RGB, upright; None: there is none.

        Raises:
            FootageDiffersError: the footage, cut up, is not as planned.
            InputError: not one frame can be decoded.
        """
        last = self._last
        if self._frames is None or last is None or last.at_ns > at_ns or self._nearer(last.at_ns, at_ns):
            self._go_to(at_ns)
        while self._last is None or self._last.at_ns < at_ns:
            frame = None if self._frames is None else next(self._frames, None)
            if frame is None:
                self._frames = None
                return None
            self._last = frame
        return self._last.rgb() if self._last.at_ns == at_ns else None

    def _nearer(self, here_ns: int, at_ns: int) -> bool:
        """Whether there is a place to begin between here and there."""
        return bisect_right(self._entries_ns, at_ns) > bisect_right(self._entries_ns, here_ns)

    def _go_to(self, at_ns: int) -> None:
        self._last = None
        if self._entered is not None:
            number = bisect_right(self._entries_ns, at_ns)
            self._frames = self._from(self._entered, self._entries[number - 1] if number else None)
            return
        if self._footage is not None:
            self._footage.close()
        self._footage = Footage(self._path, threads=self._threads)
        self._frames = self._footage.frames(self._fps, alive=self._alive)

    def _from(self, entered: Entered, pts: int | None) -> Iterator[Frame]:
        for index, (stamp_ns, decoded) in enumerate(entered.frames(pts)):
            yield Frame.of(decoded, stamp_ns - self._plan.origin_ns, index, sampled=False)

    def close(self) -> None:
        """Release the file and the decoder."""
        for one in (self._footage, self._entered):
            if one is not None:
                one.close()
