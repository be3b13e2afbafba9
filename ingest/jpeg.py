"""What a JPEG picture says of itself, without decoding it."""

import struct
from typing import Final

FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Markers of segments that begin with precision, height and width (ITU-T T.81, B.2.2)."""

ALONE: Final = frozenset({0x01, *range(0xD0, 0xD9)})
"""Markers that no length follows."""

_SIZE: Final = struct.Struct(">HxHH")


def stated_size(jpeg: bytes) -> tuple[int, int] | None:
    """Width and height in pixels, by the header; None where there is none.

    >>> stated_size(bytes.fromhex("ffd8 ffe0 0004 0000 ffc0 0011 08 1f40 0280 03"))
    (640, 8000)
    """
    if not jpeg.startswith(b"\xff\xd8"):
        return None
    at = 2
    while at + 2 + _SIZE.size <= len(jpeg) and jpeg[at] == 0xFF:
        marker = jpeg[at + 1]
        if marker in FRAMES:
            _, height, width = _SIZE.unpack_from(jpeg, at + 2)
            return width, height
        length = 0 if marker in ALONE else int.from_bytes(jpeg[at + 2 : at + 4], "big")
        # Markers may be filled up with any number of 0xFF before them.
        at += 1 if marker == 0xFF else 2 + length
    return None
