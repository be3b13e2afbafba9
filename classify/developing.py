"""Pictures that are wanted of frames whose pixels are somewhere else, or have to be decoded again."""

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

from storage.messages import FrameRef

Pixels = Callable[[FrameRef], NDArray[np.uint8] | None]
"""The picture held under a reference, (height, width, 3) uint8 RGB, or None where it is gone."""

Develop = Callable[[NDArray[np.uint8]], None]
"""Makes what is wanted of a picture."""


def develop(wanted: Iterable[tuple[FrameRef, Develop]], pixels: Pixels) -> None:
    """Make what is wanted, each frame's at once, in the order of the frames' tokens; of frames that are gone nothing is made."""
    by_frame: dict[FrameRef, list[Develop]] = {}
    for frame, one in wanted:
        by_frame.setdefault(frame, []).append(one)
    # One after the other: a picture may come from another host, and is large.
    for frame in sorted(by_frame, key=lambda frame: frame.token):
        rgb = pixels(frame)
        if rgb is not None:
            for one in by_frame[frame]:
                one(rgb)
