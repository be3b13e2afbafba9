"""A folder of pictures that grows, as a camera: each new picture is what it sees, until the next one comes."""

import os
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import av
import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from ingest.frame import MAX_LIVE_PIXELS, Frame
from ingest.pictures import SUFFIXES, read_picture
from ingest.source import SourceError
from ingest.timing import OwnClock
from storage.errors import InputError
from storage.messages import NS_PER_S
from storage.pulse import Pulse
from storage.status import StateReason

LOOK_S: Final = 0.2
"""The folder is looked at this often."""

SHARE: Final = 20
"""Looking takes at most one part in so many of the time: a folder with very many files is looked at less often."""

WRITING_S: Final = 2.0
"""A file that can't be read and has not changed for so long is broken, not on its way."""

HOLD_S: Final = 10.0
"""A picture is what is there for at most so long; afterwards nobody knows."""

SIGN_S: Final = 1.0
"""Even then the source shows this often that it is there."""

EMPTY_S: Final = 3.0
"""A folder without any picture is waited in for so long."""

NEWEST: Final = 5
"""So many are tried at the start until one can be read."""

LONGEST_WAIT_S: Final = 10.0
"""Pictures that come faster than they are analysed wait; those that would wait longer than this are left out."""


@dataclass(frozen=True, slots=True, order=True)
class Arrival:
    """A file at one moment.

    Attributes:
        changed_ns: when its name or content last changed, by the file system; not when the picture was taken.
        name: within the folder.
        size: in bytes.
    """

    changed_ns: int
    name: str
    size: int


class PictureFolder:
    """A folder under the media root that something puts pictures into, one by one.

    Of those that are there at the start only the newest is shown; then each one that appears whole, or is replaced, in the
    order in which they came. Capture times are those of arrival. What is no picture is skipped and counted.

    Attributes:
        broken: pictures so far that could not be read.
    """

    clock = "arrival"
    trouble: StateReason | None = None

    def __init__(self, path: Path, fps: float) -> None:
        """Prepare to watch a folder.

        Args:
            path: of the folder.
            fps: samples a second, at most.
        """
        self.late = 0
        self.broken = 0
        self._path = path
        self._step_ns = int(NS_PER_S / fps)
        self._most = max(NEWEST, int(LONGEST_WAIT_S * fps))
        self._known: set[Arrival] = set()
        self._waiting: deque[Arrival] = deque()
        self._next_look_s = 0.0

    def frames(self, pulse: Pulse) -> Iterator[Frame]:
        """See `Source`."""
        last: VideoFrame | None = None
        index = -1
        began_ns = time.monotonic_ns()
        came_ns = sampled_ns = shown_ns = began_ns - 60 * NS_PER_S
        own = OwnClock(time.time_ns(), began_ns)
        while not pulse.stopping:
            now_ns = time.monotonic_ns()
            if now_ns - sampled_ns >= self._step_ns:
                picture = self._next_picture(first=last is None)
                now_ns = time.monotonic_ns()
                if picture is not None:
                    last, index, came_ns = av.VideoFrame.from_ndarray(picture, format="rgb24"), index + 1, now_ns
                sampled = last is not None and now_ns - came_ns < HOLD_S * NS_PER_S
                if last is not None and (sampled or now_ns - shown_ns >= SIGN_S * NS_PER_S):
                    shown_ns = now_ns
                    sampled_ns = now_ns if sampled else sampled_ns
                    yield Frame.of(last, own.at(time.time_ns(), now_ns), index, sampled=sampled)
                elif last is None and now_ns - began_ns > EMPTY_S * NS_PER_S:
                    raise SourceError(
                        StateReason.NOT_FOUND,
                        f"the folder {self._path} holds no picture that can be read: something has to put one there",
                    )
            pulse.wait(min(LOOK_S, max(0, sampled_ns + self._step_ns - time.monotonic_ns()) / NS_PER_S or LOOK_S))

    def _next_picture(self, *, first: bool) -> NDArray[np.uint8] | None:
        """The next picture, if there is one that is whole."""
        if not self._waiting and time.monotonic() >= self._next_look_s:
            self._look(first=first)
        while self._waiting:
            arrival = self._waiting.popleft()
            try:
                picture = read_picture(self._path / arrival.name, max_pixels=MAX_LIVE_PIXELS)
            except InputError:
                if 0 <= time.time_ns() - arrival.changed_ns < WRITING_S * NS_PER_S:
                    # Perhaps only a part of it is there; it is tried again at the next look.
                    self._known.discard(arrival)
                else:
                    self.broken += 1
                continue
            if first:
                # The others were there before it: they are the past.
                self._waiting.clear()
            return picture
        return None

    def _look(self, *, first: bool) -> None:
        began_s = time.monotonic()
        try:
            found = sorted(_arrivals(self._path))
        except OSError as error:
            missing = isinstance(error, FileNotFoundError | NotADirectoryError)
            raise SourceError(
                StateReason.NOT_FOUND if missing else StateReason.REFUSED,
                f"the folder {self._path} can't be read ({error.strerror}): check that it is there and may be read",
            ) from None
        new = [arrival for arrival in found if arrival not in self._known]
        # At the start the newest that can be read is wanted.
        self._waiting = deque(reversed(new[-NEWEST:])) if first else deque(new)
        while len(self._waiting) > self._most:
            self._waiting.popleft()
            self.late += 1
        self._known = set(found)
        self._next_look_s = time.monotonic() + max(LOOK_S, (time.monotonic() - began_s) * SHARE)


def _arrivals(folder: Path) -> Iterator[Arrival]:
    """The files of a folder that are named like pictures, and not hidden as files being copied are."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(".") or os.path.splitext(entry.name)[1].lower() not in SUFFIXES:  # noqa: PTH122
                continue
            try:
                told = entry.stat(follow_symlinks=False)
                if entry.is_file(follow_symlinks=False):
                    yield Arrival(told.st_ctime_ns, entry.name, told.st_size)
            except OSError:
                # Gone meanwhile.
                continue
