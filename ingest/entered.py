"""Recorded footage that is entered in the middle, at a keyframe that decoding may begin with."""

from collections.abc import Generator, Iterator
from contextlib import closing
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Final

import av
import av.error
from av.video.frame import VideoFrame

from ingest.decoding import Packet
from ingest.footage import ALIVE_EVERY, opened
from ingest.frame import pts_ns, video_stream
from ingest.packets import packets_of, the_rest
from ingest.piece_plan import FootageDiffersError
from storage.closing import Closing
from storage.messages import NS_PER_S
from storage.progress import Progress, unwatched

MARGINS_S: Final = (0, 10, 120)
"""Containers without an index lead to some packet near the time; the keyframe is looked for from there."""


class Entered(Closing):
    """Footage that is as it was planned, or is given up: what is damaged is not skipped."""

    def __init__(self, path: Path, threads: int, alive: Progress = unwatched) -> None:
        """Open a file; for arguments and errors see `ingest.footage.Footage`, and `frames` of it."""
        self.path, self._alive = path, alive
        self._threads = threads
        self._open()

    def frames(self, pts: int | None) -> Generator[tuple[int, VideoFrame], None, None]:
        """Decode from the keyframe with this timestamp on, or from the start; gives timestamps in ns, and the frames.

        What an earlier call gave ends with this one.

        Raises:
            FootageDiffersError: the keyframe is not there, or something can't be decoded.
        """
        begin_ns = None if pts is None else int(pts * self.base * NS_PER_S)
        with closing(self._packets(pts)) as packets:
            # At the end, what is in the decoder still comes out.
            for packet in chain(packets, (the_rest(self._stream),)):
                try:
                    decoded = self._stream.decode(packet)
                except av.error.EOFError:
                    return
                except av.error.FFmpegError as error:
                    raise self.differs(f"something can't be decoded ({error.strerror})") from None
                for frame in decoded:
                    at_ns = pts_ns(frame)
                    if at_ns is None:
                        raise self.differs("a frame has no timestamp")
                    if begin_ns is not None and at_ns < begin_ns:
                        # Shown before the keyframe, it may look back beyond it.
                        continue
                    if frame.is_corrupt:
                        raise self.differs("a frame is damaged")
                    yield at_ns, frame

    def differs(self, what: str) -> FootageDiffersError:
        """That the footage is not as it was planned."""
        return FootageDiffersError(f"{self.path} can't be read in pieces: {what}")

    def _packets(self, pts: int | None) -> Generator[Packet, None, None]:
        try:
            if pts is None:
                self._reopen()
                yield from self._all_packets()
                return
            for margin_s in (*MARGINS_S, None):
                if margin_s is None:
                    self._reopen()
                else:
                    try:
                        self._container.seek(pts - int(margin_s / self.base), stream=self._stream)
                    except av.error.FFmpegError:
                        continue
                packets = self._all_packets()
                if (first := _found(packets, pts)) is not None:
                    yield first
                    yield from packets
                    return
        except av.error.FFmpegError as error:
            raise self.differs(f"it ends early ({error.strerror})") from None
        raise self.differs("a keyframe is no longer where it was")

    def _all_packets(self) -> Iterator[Packet]:
        """From where the container stands; one packet is one frame, about."""
        for number, packet in enumerate(packets_of(self._container, self._stream)):
            if number % ALIVE_EVERY == 0:
                self._alive()
            yield packet

    def _open(self) -> None:
        self._container = opened(self.path)
        try:
            self._stream = video_stream(self._container, str(self.path), self._threads)
        except BaseException:
            self._container.close()
            raise
        # Damage that would be painted over is told instead: what it is painted over with comes from frames before.
        self._stream.codec_context.options = {"err_detect": "explode"}
        self.base = self._stream.time_base or Fraction(1)

    def _reopen(self) -> None:
        self._container.close()
        self._open()

    def close(self) -> None:
        """Release the file and the decoder."""
        self._container.close()


def _found(packets: Iterator[Packet], pts: int) -> "Packet | None":
    """The keyframe with this timestamp: all before it have earlier ones."""
    for packet in packets:
        if packet.pts is None:
            continue
        if packet.pts == pts and packet.is_keyframe:
            return packet
        if packet.pts >= pts:
            return None
    return None
