"""Since when nothing has moved in a sub-stream, as far as it can tell. A kernel without clock."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from ingest.frozen import Frozen
from ingest.idling import Quiet
from ingest.motion import REDUCED_WIDTH, Motion
from storage.regions import Regions

FROZEN_S: Final = 10.0
"""A sub-stream that has not changed by a single bit for so long is not believed any more: a still scene under a strong
compression is the same only from one keyframe to the next."""

NARROW: Final = (
    "the sub-stream is less than {least} pixels wide: choose a larger one in the camera's settings, e.g. 640x360"
)
FROZEN: Final = "the sub-stream shows the same picture again and again: restart the camera"


class Stillness:
    """Follows one connection of a sub-stream.

    Attributes:
        quiet: what it says now; None: something moves, or it can't tell.
        trouble: why it can't tell, in a sentence; None: it can.
    """

    def __init__(self, frozen_s: float) -> None:
        """Begin with a connection.

        Args:
            frozen_s: a main stream that has not changed for so long is frozen; sub-streams are doubted sooner.
        """
        self.quiet: Quiet | None = None
        self.trouble: str | None = None
        self._motion = Motion()
        self._frozen = Frozen(min(FROZEN_S, frozen_s))
        self._last_ns = 0

    def judge(self, luma: NDArray[np.uint8], came_ns: int, now_s: float, regions: Regions) -> Quiet | None:
        """Take in the next sample.

        Args:
            luma: (height, width) uint8 luma plane.
            came_ns: when it came, as in `ingest.idling`.
            now_s: the present, on a clock that never runs backwards.
            regions: parts of the picture to watch or to ignore; movement elsewhere does not count.
        """
        self._motion.regions = regions
        # One that comes early all at once was late so far.
        self._last_ns = max(came_ns, self._last_ns + 1)
        _, active = self._motion.judge(luma, self._last_ns)
        frozen = self._frozen.judge(luma, now_s)
        self.trouble = None
        if luma.shape[1] < REDUCED_WIDTH:
            self.trouble = NARROW.format(least=REDUCED_WIDTH)
        elif frozen:
            self.trouble = FROZEN
        if self.trouble is not None or active.any():
            self.quiet = None
        elif self.quiet is None:
            self.quiet = Quiet(came_ns, came_ns)
        else:
            self.quiet = Quiet(self.quiet.since_ns, max(self.quiet.until_ns, came_ns))
        return self.quiet
