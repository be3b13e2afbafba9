"""Where decoding may begin in recorded footage: at pictures that nothing shown after them looks back beyond.

A keyframe's mark in the container is not enough: pictures that are shown later may need those before it (open groups of
pictures of H.264), and the parameters that it is decoded by may have been told earlier only. Pictures that come after a
keyframe and are shown before it, as in open groups of MPEG-2 and H.265, belong to what is before it.
"""

from collections.abc import Iterator
from typing import Final

from av.video.stream import VideoStream

from ingest.decoding import Packet
from ingest.gate import H264_IDR

INTRA: Final = frozenset(
    {
        *("mjpeg", "mjpegb", "png", "ffv1", "huffyuv", "ffvhuff", "utvideo", "prores", "dnxhd", "dvvideo", "rawvideo"),
        *("v210", "jpeg2000", "jpegls", "magicyuv", "cfhd"),
    }
)
"""Each picture by itself, or after a keyframe that forgets all before it."""

H265_RANDOM_ACCESS: Final = range(16, 22)
"""BLA, IDR and CRA: nothing that is shown after these looks back beyond them (ITU-T H.265, 7.4.2.2 and 8.1.3)."""

FORGETTING: Final = frozenset({"vp8", "vp9", "mpeg4", "h263", "flv1"})
"""What is shown after a keyframe needs nothing before it."""

H264_SETS: Final = (7, 8)
H265_SETS: Final = (32, 33, 34)
H265_COVERED: Final = 32
"""Types below are parts of pictures."""

MPEG2_SEQUENCE: Final = b"\x00\x00\x01\xb3"
AV1_FRAMES: Final = (3, 6)
AV1_SHOWN_KEYFRAME: Final = 0x10
"""Of the first byte of a frame's header (AV1, 5.9.2): show_existing_frame 0, frame_type KEY_FRAME, show_frame 1."""


class EntryPoints:
    """Told of all packets of a stream in order of decoding."""

    def __init__(self, stream: VideoStream) -> None:
        """Begin with a stream that was just opened."""
        self.codec = stream.codec_context.codec.canonical_name
        self.known = self.codec in INTRA | FORGETTING | {"h264", "hevc", "av1", "mpeg1video", "mpeg2video"}
        """Whether it is known of this codec what decoding may begin with."""
        self._length_bytes = _length_bytes(self.codec, stream.codec_context.extradata or b"")
        self._told = False

    def shown(self, packet: Packet) -> bool:
        """Whether a packet holds a picture that is shown."""
        # Reference pictures of VP8 that are never shown come as packets (RFC 6386, 9.1: show_frame).
        return not packet.is_discard and (self.codec != "vp8" or bool(bytes(memoryview(packet)[:1])[0] & 0x10))

    def begins(self, packet: Packet) -> bool:
        """Whether decoding may begin at the next packet, as far as it can tell by itself."""
        if not packet.is_keyframe:
            return False
        data = memoryview(packet)
        if self.codec in ("h264", "hevc"):
            return self._begins_sequence(data)
        if self.codec in ("mpeg1video", "mpeg2video"):
            return bytes(data[:4]) == MPEG2_SEQUENCE
        if self.codec == "av1":
            return _begins_av1(bytes(data))
        return self.known

    def _begins_sequence(self, data: memoryview) -> bool:
        """Of H.264 and H.265: the first picture part says; the parameters before it count if any were ever told on the way."""
        told = False
        for first in self._units(bytes(data)):
            if self.codec == "h264":
                kind = first & 0x1F
                parameters, picture, alone = kind in H264_SETS, 1 <= kind <= H264_IDR, kind == H264_IDR
            else:
                kind = first >> 1 & 0x3F
                parameters, picture, alone = kind in H265_SETS, kind < H265_COVERED, kind in H265_RANDOM_ACCESS
            told = told or parameters
            if picture:
                known = told or not self._told
                self._told = self._told or told
                return alone and known
        return False

    def _units(self, data: bytes) -> Iterator[int]:
        """The first byte of each NAL unit."""
        at = 0
        if self._length_bytes:
            while at + self._length_bytes < len(data):
                length = int.from_bytes(data[at : at + self._length_bytes], "big")
                at += self._length_bytes
                yield data[at]
                at += length
            return
        while 0 <= (at := data.find(b"\x00\x00\x01", at)) < len(data) - 3:
            at += 3
            yield data[at]


def _length_bytes(codec: str, extradata: bytes) -> int:
    """Bytes of the length before each NAL unit (ISO/IEC 14496-15); 0: start codes stand between them instead."""
    if codec == "h264" and len(extradata) > 4 and extradata[0] == 1:
        return (extradata[4] & 3) + 1
    # As FFmpeg tells hvcC from start codes: early writers left its version 0.
    if codec == "hevc" and len(extradata) > 21 and (extradata[0] or extradata[1] or extradata[2] > 1):
        return (extradata[21] & 3) + 1
    return 0


def _begins_av1(data: bytes) -> bool:
    """Whether the first frame of a temporal unit is a keyframe that is shown (AV1, 5.3)."""
    at = 0
    while at < len(data):
        kind, extended, sized = data[at] >> 3 & 15, data[at] & 4, data[at] & 2
        at += 2 if extended else 1
        length = len(data) - at
        if sized:
            length = shift = 0
            while at < len(data):
                length |= (data[at] & 0x7F) << shift
                shift += 7
                at += 1
                if not data[at - 1] & 0x80:
                    break
        if kind in AV1_FRAMES:
            return at < len(data) and data[at] & 0xF0 == AV1_SHOWN_KEYFRAME
        at += length
    return False
