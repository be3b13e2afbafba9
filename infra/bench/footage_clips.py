"""Long footage: the loops of benchmark cameras one after the other in one file, not encoded anew, and its exact truth."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Final

import av
import msgspec

from infra.bench.camera_clips import Loop, moved
from infra.demo.truth import Truth, TruthTrack
from storage.errors import SetupError
from storage.files import replaced

CAMERA: Final = "hall"


@dataclass(frozen=True, slots=True)
class LongFootage:
    """A file of footage.

    Attributes:
        path: of the file.
        truth: of all of it.
    """

    path: Path
    truth: Truth


def long_footage(path: Path, loops: Sequence[Loop], seconds: float) -> LongFootage:
    """Whole loops in turns, until they last so long.

    Args:
        path: of the file, which is written anew.
        loops: all encoded the same way, beginning with a keyframe.
        seconds: how long, at least.

    Raises:
        SetupError: they are not encoded the same way.
        StorageError: it can't be written.
    """
    tracks: list[TruthTrack] = []
    with replaced(path) as temporary, av.open(str(temporary), "w", format="mp4") as written:
        stream: av.VideoStream | None = None
        stamp = 0
        for number, loop in enumerate(cycle(loops)):
            with av.open(str(loop.path)) as read:
                source = read.streams.video[0]
                rate, base = source.average_rate, source.time_base
                if stream is None:
                    stream = written.add_stream_from_template(source)
                    header, unit = source.codec_context.extradata, base
                if rate is None or base is None or (source.codec_context.extradata, base) != (header, unit):
                    raise SetupError(f"{loop.path} is not encoded as the loop before: make both anew")
                at_s = float(stamp * base)
                tracks += [moved(track, round(at_s, 3), number) for track in loop.truth.tracks]
                step, frames = round(1 / (rate * base)), 0
                for packet in read.demux(source):
                    # The last one is empty.
                    if packet.pts is None or packet.dts is None:
                        continue
                    packet.pts, packet.dts, packet.stream = packet.pts + stamp, packet.dts + stamp, stream
                    written.mux(packet)
                    frames += 1
                stamp += frames * step
                length_s = float(stamp * base)
            if length_s >= seconds:
                break
    return LongFootage(
        path, msgspec.structs.replace(loops[0].truth, camera=CAMERA, duration_s=length_s, tracks=tuple(tracks))
    )
