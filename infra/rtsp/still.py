"""Pictures that repeat the one before bit by bit in a few bytes, which is what the encoder of a frozen camera makes.

Every macroblock of such a P picture is skipped (H.264, 7.3.4): it is copied from where it is. A picture parameter set of our own
goes with it, so that neither the arithmetic coder nor a filter has a say.
"""

from dataclasses import dataclass
from typing import Final, Self

from infra.rtsp.bits import BitReader, BitWriter

PARAMETERS_ID: Final = 251
"""Of our picture parameter set; encoders count theirs from 0."""

LONGEST_BITS: Final = 16
"""Of numbers of pictures (H.264, 7.4.2.1.1)."""

_HIGH_PROFILES: Final = (100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135)
_PPS, _PICTURE = 0x68, 0x61
_EVERY_SLICE_P: Final = 5


@dataclass(frozen=True, slots=True)
class Still:
    """Repeats pictures of one sequence.

    Attributes:
        sequence_id: of its parameter set.
        frame_bits: of the number of a picture.
        order_bits: of its place in the order of display; 0 where that is the order of decoding.
        macroblocks: in a picture.
    """

    sequence_id: int
    frame_bits: int
    order_bits: int
    macroblocks: int

    @classmethod
    def of(cls, sps: bytes) -> Self | None:
        """For a sequence parameter set (H.264, 7.3.2.1.1); None where its pictures can't be repeated this simply."""
        try:
            return cls._read(sps)
        except ValueError:
            return None

    @classmethod
    def _read(cls, sps: bytes) -> Self | None:
        reader = BitReader(sps)
        profile, _level, sequence_id = reader.bits(8), reader.bits(16), reader.unsigned()
        if profile in _HIGH_PROFILES:
            chroma = reader.unsigned()
            if chroma == 3 and reader.bits(1):
                return None  # three planes, each a picture of its own
            _depths, _bypass = (reader.unsigned(), reader.unsigned()), reader.bits(1)
            if reader.bits(1):
                return None  # scaling lists are rare
        frame_bits = reader.unsigned() + 4
        order = reader.unsigned()
        order_bits = reader.unsigned() + 4 if order == 0 else 0
        references, _gaps = reader.unsigned() if order != 1 else 0, reader.bits(1)
        macroblocks = (reader.unsigned() + 1) * (reader.unsigned() + 1)
        # Not where pictures are interlaced, or nothing may refer to another picture.
        usual = references and reader.bits(1) and max(frame_bits, order_bits) <= LONGEST_BITS
        return cls(sequence_id, frame_bits, order_bits, macroblocks) if usual else None

    def nals(self, since: int) -> tuple[bytes, bytes]:
        """The NAL units of one that repeats a picture.

        Args:
            since: how many pictures ago the IDR picture was, of which this is a copy's copy; 1 is the first after it.
        """
        return self._parameters(), self._picture(since)

    def _parameters(self) -> bytes:
        """CAVLC, one slice, one reference, no weights, the usual quantisers, filters by slice (H.264, 7.3.2.2)."""
        writer = BitWriter(_PPS)
        writer.unsigned(PARAMETERS_ID, self.sequence_id)
        writer.bits(0, 2)
        writer.unsigned(0, 0, 0)
        writer.bits(0, 3)
        writer.unsigned(0, 0, 0)
        writer.bits(0b100, 3)
        return writer.nal()

    def _picture(self, since: int) -> bytes:
        """One slice from the first macroblock on (H.264, 7.3.3), kept as reference, without a filter, all skipped."""
        writer = BitWriter(_PICTURE)
        writer.unsigned(0, _EVERY_SLICE_P, PARAMETERS_ID)
        writer.bits(since % (1 << self.frame_bits), self.frame_bits)
        if self.order_bits:
            writer.bits(2 * since % (1 << self.order_bits), self.order_bits)
        writer.bits(0, 3)
        writer.unsigned(0, 1, self.macroblocks)
        return writer.nal()
