"""Whether a picture stands still to the last bit: no camera with a living sensor shows the same twice."""

import zlib
from typing import Final

import numpy as np
from numpy.typing import NDArray

STEP_PX: Final = 16
"""Every so many pixels of a row, and every so many rows, are compared first: of a living picture that is enough."""

FROZEN_S: Final = 60.0
"""A picture that has not changed for so long is frozen, where nothing else is set."""

CHECK_S: Final = 1.0
"""Whether all of the picture is the same is seen to this often (0.5 ms at 1080p), and with every sample once it is frozen."""


class Frozen:
    """Follows the samples of one connection.

    >>> frozen = Frozen(limit_s=60)
    >>> picture = np.zeros((96, 128), np.uint8)
    >>> [frozen.judge(picture, now_s) for now_s in (0.0, 59.0, 60.0)]
    [False, False, True]
    """

    def __init__(self, limit_s: float) -> None:
        """Begin.

        Args:
            limit_s: a picture that has not changed for so long is frozen.
        """
        self._limit_s = limit_s
        self._before: NDArray[np.uint8] | None = None
        self._sum: int | None = None
        self._since_s = self._checked_s = 0.0
        self._frozen = False

    def judge(self, luma: NDArray[np.uint8], now_s: float) -> bool:
        """Take in the next sample, and say whether the picture is frozen.

        Args:
            luma: (height, width) uint8 luma plane.
            now_s: the present, on a clock that never runs backwards.
        """
        coarse = luma[::STEP_PX, ::STEP_PX]
        if self._before is None or not np.array_equal(coarse, self._before):
            self._before, self._sum = coarse.copy(), None
            self._since_s, self._frozen = now_s, False
        elif self._sum is None or self._frozen or now_s - self._checked_s >= min(CHECK_S, self._limit_s / 4):
            whole = zlib.crc32(np.ascontiguousarray(luma).data)
            if whole != self._sum and self._sum is not None:
                self._since_s = now_s
            self._sum, self._checked_s = whole, now_s
        self._frozen = now_s - self._since_s >= self._limit_s
        return self._frozen
