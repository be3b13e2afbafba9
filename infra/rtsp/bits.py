"""Bits of H.264: fixed and Exp-Golomb codes, and what keeps them from looking like a start code (H.264, 7.2 to 7.4.1, 9.1)."""

import re
from typing import Final

_ESCAPED: Final = re.compile(rb"\x00\x00\x03(?=[\x00-\x03]|$)")
_TO_ESCAPE: Final = re.compile(rb"\x00\x00(?=[\x00-\x03])")


class BitReader:
    """Reads a NAL unit from behind its first byte; past its end there are zeros."""

    def __init__(self, nal: bytes) -> None:
        payload = _ESCAPED.sub(b"\0\0", nal[1:])
        self._value = int.from_bytes(payload, "big")
        self._left = 8 * len(payload)

    def bits(self, count: int) -> int:
        """An unsigned number of so many bits."""
        self._left -= count
        shifted = self._value >> self._left if self._left >= 0 else self._value << -self._left
        return shifted & ((1 << count) - 1)

    def unsigned(self) -> int:
        """`ue(v)`.

        Raises:
            ValueError: there is none.
        """
        zeros = 0
        while not self.bits(1):
            zeros += 1
            if zeros > 32:
                raise ValueError("no Exp-Golomb code is longer than 32 bits")
        return (1 << zeros) - 1 + self.bits(zeros)

    def signed(self) -> int:
        """`se(v)`."""
        code = self.unsigned()
        return (code + 1) // 2 if code % 2 else -(code // 2)


class BitWriter:
    """Writes a NAL unit."""

    def __init__(self, first: int) -> None:
        """Begin with the byte that says how important it is, and what."""
        self._first = first
        self._bits = list[str]()

    def bits(self, value: int, count: int) -> None:
        """An unsigned number of so many bits."""
        self._bits.append(f"{value:0{count}b}")

    def unsigned(self, *values: int) -> None:
        """`ue(v)`, one after the other."""
        for value in values:
            code = f"{value + 1:b}"
            self._bits.append("0" * (len(code) - 1) + code)

    def nal(self) -> bytes:
        """All of it, with its stop bit."""
        text = "".join(self._bits) + "1"
        text += "0" * (-len(text) % 8)
        payload = int(text, 2).to_bytes(len(text) // 8, "big")
        return bytes((self._first,)) + _TO_ESCAPE.sub(b"\0\0\3", payload)
