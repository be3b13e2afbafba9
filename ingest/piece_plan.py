"""How recorded footage is cut into pieces that can be read apart, by any machine, as if it were read in one go."""

import sys
import zlib
from array import array
from collections.abc import Iterable
from typing import Final

import msgspec

from ingest.footage import FootageSummary
from storage.errors import InputError, MaskwatchError

EMPTY: Final = zlib.crc32(b"")


class FootageDiffersError(MaskwatchError):
    """Footage, read in pieces, is not as it was planned: it is damaged, or changed; it may be read in one go."""


class Piece(msgspec.Struct, frozen=True, array_like=True):
    """A stretch of footage; the samples with `start_ns` <= time < `end_ns` are its own.

    Decoding begins earlier, so that what moves in its first samples is judged by those before them.

    Attributes:
        number: from 0.
        start_ns, end_ns: from the start of the footage.
        enter_pts: timestamp, in the stream's own unit, of the keyframe that decoding begins with; None: at the start.
        before_ns: time of the frame before that keyframe; None: there is none.
        index: number of that keyframe among all frames of the footage.
        seq: number of the first sample from there on among all samples.
        frames, samples: its own.
        stamps: CRC-32 of its own frames' times.
    """

    number: int
    start_ns: int
    end_ns: int
    enter_pts: int | None = None
    before_ns: int | None = None
    index: int = 0
    seq: int = 0
    frames: int = 0
    samples: int = 0
    stamps: int = EMPTY


class FootagePlan(msgspec.Struct, frozen=True, array_like=True):
    """A file of footage, cut up; see `ingest.pieces.plan_footage`.

    Attributes:
        fps: frames a second that the file states; 0: none.
        duration_ns: to the end of the last frame; where `whole`, what the file states or shows, about.
        stated_duration_s: what the file states.
        frames, samples: in all; where `whole`, about.
        origin_ns: timestamp of the first frame.
        pieces: in order, without a gap, one at least.
        errors: what is wrong with the footage, as `ingest.footage.FootageSummary` says it; of a `whole` one the piece says.
        whole: why it can be read in one go only, as a sentence; None: it need not be.
        entries: timestamps of keyframes that decoding may begin with, in order, as `unpacked` reads them.
    """

    fps: float
    duration_ns: int
    stated_duration_s: float | None
    frames: int
    samples: int
    origin_ns: int
    pieces: tuple[Piece, ...]
    errors: tuple[str, ...] = ()
    whole: str | None = None
    entries: bytes = b""


class PieceSummary(msgspec.Struct, frozen=True, array_like=True):
    """What reading a piece showed.

    Attributes:
        frames: its own.
        end_ns: end of its last frame.
        errors: of footage that is read in one go, all; else none.
    """

    frames: int
    end_ns: int
    errors: tuple[str, ...] = ()


def pack(plan: FootagePlan) -> bytes:
    """The plan as compressed MessagePack."""
    return zlib.compress(msgspec.msgpack.encode(plan))


def unpack(data: bytes) -> FootagePlan:
    """What `pack` made.

    Raises:
        InputError: it is damaged.
    """
    try:
        return msgspec.msgpack.decode(zlib.decompress(data), type=FootagePlan)
    except (zlib.error, msgspec.DecodeError) as error:
        raise InputError(f"the plan of a piece of footage can't be read: {error}") from None


def footage_summary(plan: FootagePlan, read: Iterable[PieceSummary]) -> FootageSummary:
    """What reading the whole footage in one go would have shown, or did show.

    Args:
        plan: by which it was read.
        read: of all pieces, in order.
    """
    frames, end_ns, errors = plan.frames, plan.duration_ns, list(plan.errors)
    if plan.whole is not None:
        for one in read:
            frames, end_ns, errors = one.frames, one.end_ns, list(one.errors)
    return FootageSummary(plan.fps, plan.stated_duration_s, frames, end_ns, errors)


def packed(numbers: Iterable[int]) -> bytes:
    """Whole numbers that grow, as their differences: 8 bytes each, which compress well."""
    before, steps = 0, array("q")
    for number in numbers:
        steps.append(number - before)
        before = number
    return _little(steps).tobytes()


def unpacked(data: bytes) -> list[int]:
    """What `packed` took.

    >>> unpacked(packed([-5, 7, 900]))
    [-5, 7, 900]
    """
    steps = array("q")
    steps.frombytes(data)
    numbers, sum_so_far = [], 0
    for step in _little(steps):
        sum_so_far += step
        numbers.append(sum_so_far)
    return numbers


def stamped(crc: int, at_ns: int) -> int:
    """The CRC-32 of frames' times, with one more."""
    return zlib.crc32(at_ns.to_bytes(8, "little"), crc)


def _little(numbers: "array[int]") -> "array[int]":
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers
