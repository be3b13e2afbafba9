"""How long recorded footage is that is not cut up."""

from array import array
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import av.error

from ingest.entry_points import EntryPoints
from ingest.footage import frame_ns, opened, stated
from ingest.frame import video_stream
from ingest.packets import packets_of
from ingest.sampling import FrameClock
from ingest.survey import ASKED_EVERY, PlanningStoppedError
from storage.messages import NS_PER_S


def exact_length_ns(path: Path, stop: Callable[[], bool]) -> int | None:
    """To the end of the last frame, in ns, as the timestamps of all packets say; None where they don't.

    What a container states of its length is not asked: of footage that is cut off it is another's.

    Args:
        path: the file.
        stop: asked now and then whether the answer is still wanted: True ends the work.

    Raises:
        InputError, StorageError: as `ingest.footage.opened`.
        PlanningStoppedError: `stop` said so.
    """
    stamps: array[int] = array("q")
    with closing(opened(path)) as container:
        stream = video_stream(container, str(path), 1)
        base, fps, points = stream.time_base, stated(container, stream).fps, EntryPoints(stream)
        if base is None:
            return None
        try:
            for number, packet in enumerate(packets_of(container, stream), 1):
                if packet.pts is None:
                    return None
                if points.shown(packet):
                    stamps.append(packet.pts)
                if number % ASKED_EVERY == 0 and stop():
                    raise PlanningStoppedError("the length is no longer wanted")
        except av.error.FFmpegError:
            return None
    clock, at_ns = FrameClock(fps), None
    for stamp in sorted(stamps):
        at_ns = clock.at(int(stamp * base * NS_PER_S))
    return None if at_ns is None or clock.repaired else at_ns + frame_ns(fps)
