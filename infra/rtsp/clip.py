"""Recorded H.264 as the access units that a camera would have sent; demultiplexed, never decoded."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final

import av
import av.error
from av.bitstream import BitStreamFilterContext

from infra.rtsp.rtp import Packed, packed
from storage.errors import InputError

TICKS_PER_S: Final = 90_000
"""The clock of video over RTP (RFC 6184, section 8.2.1)."""

LARGEST_MIB: Final = 512
"""Clips are held in memory; longer recordings are refused."""

_START_CODE: Final = re.compile(rb"\x00\x00\x01")
_IDR, _SPS, _PPS = 5, 7, 8


@dataclass(frozen=True, slots=True)
class AccessUnit:
    """One coded picture.

    Attributes:
        packed: its packets; those of a keyframe include the parameter sets.
        at: when it was seen, in ticks from the clip's start.
        sent: when a camera would send it, in ticks from the clip's start: never before `at`, later where pictures are reordered.
        key: whether a decoder can begin here (an IDR picture).
    """

    packed: Packed
    at: int
    sent: int
    key: bool


@dataclass(frozen=True, slots=True)
class Clip:
    """A whole recording.

    Attributes:
        units: in the order in which they are sent; the first is a keyframe.
        period: its length in ticks; repeated, it starts anew after this long.
        sps: its first sequence parameter set.
        pps: the picture parameter sets that come with it.
    """

    units: tuple[AccessUnit, ...]
    period: int
    sps: bytes
    pps: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class _Packet:
    nals: tuple[bytes, ...]
    pts: int
    dts: int
    duration: int


def load_clip(path: Path) -> Clip:
    """Read a clip from any container that FFmpeg demultiplexes.

    Raises:
        InputError: missing, not H.264, too large, without timestamps or without a keyframe.
    """
    if not path.is_file():
        raise InputError(f"{path} is not a file: name an H.264 clip")
    if path.stat().st_size > LARGEST_MIB << 20:
        raise InputError(f"{path} is larger than {LARGEST_MIB} MiB: serve a shorter clip")
    try:
        packets = list(_packets(path))
    except (av.error.FFmpegError, OSError) as error:
        raise InputError(f"{path} can't be read as footage ({error.strerror})") from None
    # What comes before the first keyframe can't be decoded by anybody.
    first = next((index for index, packet in enumerate(packets) if _is_key(packet)), None)
    if first is None:
        raise InputError(f"{path} holds no keyframe, so nobody could start to watch it")
    return _clip(path, packets[first:])


def _packets(path: Path) -> Iterator[_Packet]:
    # An absolute path with a protocol and a white list: the name stays a file, and so does what the file refers to.
    with av.open(
        f"file:{path.resolve()}", options={"protocol_whitelist": "file"}, metadata_errors="replace"
    ) as container:
        if not container.streams.video or container.streams.video[0].codec.name != "h264":
            raise InputError(f"{path} holds no H.264 video, which is all that can be served without encoding it anew")
        stream = container.streams.video[0]
        to_ticks = (stream.time_base or Fraction(1, TICKS_PER_S)) * TICKS_PER_S
        # One form whatever the container's, with the parameter sets in front of each keyframe as cameras send them.
        annex_b = BitStreamFilterContext("h264_mp4toannexb", stream)
        for demuxed in container.demux(stream):
            if not demuxed.size:
                continue
            for packet in annex_b.filter(demuxed):
                if packet.pts is None or packet.dts is None:
                    raise InputError(f"{path} holds pictures without timestamps: put it into an MP4 file first")
                yield _Packet(
                    _nals(bytes(packet)),
                    round(packet.pts * to_ticks),
                    round(packet.dts * to_ticks),
                    round((packet.duration or 0) * to_ticks),
                )


def _nals(data: bytes) -> tuple[bytes, ...]:
    # A NAL unit never ends in a zero byte (H.264, 7.4.1): those belong to the next start code.
    return tuple(nal for part in _START_CODE.split(data) if (nal := part.rstrip(b"\0")))


def _is_key(packet: _Packet) -> bool:
    return any(_kind(nal) == _IDR for nal in packet.nals)


def _kind(nal: bytes) -> int:
    return nal[0] & 0x1F


def _clip(path: Path, packets: list[_Packet]) -> Clip:
    sps = next((nal for nal in packets[0].nals if _kind(nal) == _SPS), None)
    pps = tuple(nal for nal in packets[0].nals if _kind(nal) == _PPS)
    if sps is None or not pps:
        raise InputError(f"{path} holds no parameter sets, so nobody could decode it")
    start = min(packet.pts for packet in packets)
    # Where pictures are reordered some are sent well before they are shown; a camera can't send what it hasn't seen yet.
    lead = max(packet.pts - packet.dts for packet in packets)
    units = tuple(
        AccessUnit(packed(packet.nals), packet.pts - start, packet.dts + lead - start, _is_key(packet))
        for packet in packets
    )
    last = max(packets, key=lambda packet: packet.pts)
    usual = (last.pts - start) // (len(packets) - 1) if len(packets) > 1 else TICKS_PER_S // 25
    return Clip(units, last.pts - start + max(1, last.duration or usual), sps, pps)
