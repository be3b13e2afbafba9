"""Packets of recorded footage, and what becomes of them."""

from collections.abc import Iterator
from typing import cast

import av
import av.error
import av.packet
from av.video.frame import VideoFrame

from ingest.decoding import Packet


def packets_of(container: av.container.InputContainer, stream: av.video.stream.VideoStream) -> Iterator[Packet]:
    """All packets of a stream in order of decoding.

    Raises:
        av.error.FFmpegError: the demuxer can't go on: the file is cut off here.
    """
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except IndexError:
            # PyAV stumbles at the end over streams that turned up on the way.
            return
        if packet is None:
            return
        # The last one is empty: `the_rest`.
        if packet.size or packet.pts is not None or packet.dts is not None:
            yield packet


def the_rest(stream: av.video.stream.VideoStream) -> Packet:
    """The empty packet that asks a decoder for what it still holds."""
    last = av.packet.Packet()
    if stream.time_base is not None:
        # Without it, the frames would have no time.
        last.time_base = stream.time_base
    return cast("Packet", last)


def decoding_of(
    container: av.container.InputContainer, stream: av.video.stream.VideoStream
) -> Iterator[VideoFrame | av.error.FFmpegError]:
    """Decode packet by packet; a damaged packet gives its error instead of frames, and the next one is tried."""
    packets = packets_of(container, stream)
    while True:
        last = False
        try:
            packet = next(packets, None)
        except av.error.FFmpegError as error:
            yield error
            packet = None
        if packet is None:
            packet, last = the_rest(stream), True
        try:
            yield from stream.decode(packet)
        except av.error.EOFError:
            return
        except av.error.FFmpegError as error:
            yield error
        if last:
            return
