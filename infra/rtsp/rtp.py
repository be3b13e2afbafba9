"""H.264 as RTP packets (RFC 3550, RFC 6184), sender reports, and both inside an RTSP connection (RFC 2326, 10.12)."""

import secrets
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from storage.messages import NS_PER_S

PAYLOAD_TYPE: Final = 96
"""The first dynamic one; the SDP says that it is H.264."""

PAYLOAD_BYTES: Final = 1400
"""Largest payload of a packet: that of cameras, which keep to an Ethernet frame over TCP too."""

CNAME: Final = b"maskwatch@localhost"

FRAMING_BYTES: Final = 4
"""In front of a packet inside an RTSP connection: a dollar sign, the channel, the length."""

HEADER_BYTES: Final = 12
"""Of an RTP packet without contributing sources and extensions."""

_VERSION: Final = 0x80
_MARKER: Final = 0x80
_FU_A: Final = 28
_SENDER_REPORT, _SOURCE_DESCRIPTION = 200, 202
_NTP_EPOCH_S: Final = 2_208_988_800
"""1970-01-01 in seconds of NTP, which counts from 1900-01-01."""

_32_BITS: Final = 0xFFFF_FFFF
_16_BITS: Final = 0xFFFF


_HEAD: Final = struct.Struct(">sBHBBHII")
_STAMP: Final = struct.Struct(">HII")
_STAMP_AT: Final = FRAMING_BYTES + 2


@dataclass(frozen=True, slots=True)
class Packed:
    """One access unit as RTP packets on channel 0, without number, time and sender: made once, stamped whenever it is sent.

    Attributes:
        data: the packets as they travel inside an RTSP connection; the last one carries the marker.
        starts: where in `data` each of them begins.
        octets: bytes of all payloads.
    """

    data: bytes
    starts: tuple[int, ...]
    octets: int


def packed(nals: Sequence[bytes]) -> Packed:
    """The packets of one access unit, from its NAL units without start codes."""
    payloads = [payload for nal in nals for payload in fragments(nal)]
    data, starts = bytearray(), list[int]()
    for number, payload in enumerate(payloads, start=1):
        kind = PAYLOAD_TYPE | (_MARKER if number == len(payloads) else 0)
        starts.append(len(data))
        data += _HEAD.pack(b"$", 0, HEADER_BYTES + len(payload), _VERSION, kind, 0, 0, 0) + payload
    return Packed(bytes(data), tuple(starts), sum(map(len, payloads)))


class RtpSender:
    """The sending side of one RTP stream: who it is, and what it has sent.

    Attributes:
        ssrc: its identity.
        first_timestamp: that of the start of the media; random, as RFC 3550 asks.
    """

    def __init__(self) -> None:
        self.ssrc = secrets.randbits(32)
        self.first_timestamp = secrets.randbits(32)
        self._sequence = secrets.randbits(16)
        self._packets = 0
        self._octets = 0

    def timestamp(self, ticks: int) -> int:
        """The RTP timestamp of a media time in ticks of 1/90000 s; wraps after 13 hours."""
        return (self.first_timestamp + ticks) & _32_BITS

    def stamped(self, unit: Packed, ticks: int) -> bytearray:
        """The packets of an access unit that is shown at a media time, as they are sent on channel 0."""
        data, timestamp, sequence = bytearray(unit.data), self.timestamp(ticks), self._sequence
        for start in unit.starts:
            _STAMP.pack_into(data, start + _STAMP_AT, sequence & _16_BITS, timestamp, self.ssrc)
            sequence += 1
        self._sequence = sequence & _16_BITS
        self._packets += len(unit.starts)
        self._octets += unit.octets
        return data

    def report(self, ticks: int, unix_ns: int) -> bytes:
        """A compound RTCP packet: sender report and source description (RFC 3550, 6.1).

        Args:
            ticks: the media time of this moment.
            unix_ns: the same moment by the wall clock.
        """
        sender = struct.pack(
            ">IQIII",
            self.ssrc,
            ntp_time(unix_ns),
            self.timestamp(ticks),
            self._packets & _32_BITS,
            self._octets & _32_BITS,
        )
        # An item is its type, its length and its text; a zero ends the list and fills up to 32 bits.
        item = struct.pack(">BB", 1, len(CNAME)) + CNAME
        source = struct.pack(">I", self.ssrc) + item + bytes(4 - len(item) % 4)
        return _rtcp(_SENDER_REPORT, 0, sender) + _rtcp(_SOURCE_DESCRIPTION, 1, source)


def fragments(nal: bytes) -> Iterator[bytes]:
    """Payloads that carry one NAL unit: itself where it fits, else as FU-A (RFC 6184, 5.6 and 5.8)."""
    if len(nal) <= PAYLOAD_BYTES:
        yield nal
        return
    indicator, kind = nal[0] & 0xE0 | _FU_A, nal[0] & 0x1F
    room = PAYLOAD_BYTES - 2
    for start in range(1, len(nal), room):
        begins, ends = start == 1, start + room >= len(nal)
        yield bytes((indicator, begins << 7 | ends << 6 | kind)) + nal[start : start + room]


def ntp_time(unix_ns: int) -> int:
    """A moment as the 64 bits of NTP: seconds since 1900 and a binary fraction."""
    seconds, rest_ns = divmod(unix_ns, NS_PER_S)
    return ((seconds + _NTP_EPOCH_S) & _32_BITS) << 32 | (rest_ns << 32) // NS_PER_S


def interleaved(channel: int, packets: Iterable[bytes]) -> bytes:
    """Packets as they travel inside an RTSP connection, each behind its `FRAMING_BYTES`."""
    return b"".join(struct.pack(">cBH", b"$", channel, len(packet)) + packet for packet in packets)


def _rtcp(kind: int, count: int, body: bytes) -> bytes:
    # The length is in words of 32 bits, less one, with the header's own word counted.
    return struct.pack(">BBH", _VERSION | count, kind, len(body) // 4) + body
