"""How a LiteRT file makes its scores, read from the file itself.

The file is a flatbuffer (https://flatbuffers.dev/internals) of TensorFlow Lite's schema, of which four tables are needed. The
libraries' own readers take a second to import, more than all else the running system loads.
"""

import struct
from collections.abc import Iterator
from typing import Final

from classify.labels_file import Activation

DEQUANTIZE, LOGISTIC, RESHAPE, SOFTMAX, SQUEEZE, QUANTIZE = 6, 14, 22, 25, 43, 114
"""Numbers of operations in the schema."""

SAME_VALUES: Final = (DEQUANTIZE, RESHAPE, SQUEEZE, QUANTIZE)


class _Table:
    """A table of a flatbuffer; fields by their number in the schema."""

    def __init__(self, content: bytes, place: int) -> None:
        self._content, self._place = content, place
        self._fields = place - _int32(content, place)

    def place(self, field: int) -> int:
        """Where a field's value is, 0 where it has its default."""
        entry = 4 + 2 * field
        if entry >= _uint16(self._content, self._fields):
            return 0
        offset = _uint16(self._content, self._fields + entry)
        return self._place + offset if offset else 0

    def number(self, field: int, *, width: int = 4) -> int:
        """An integer of 1 or 4 bytes."""
        place = self.place(field)
        if not place:
            return 0
        return self._content[place] if width == 1 else _int32(self._content, place)

    def numbers(self, field: int) -> list[int]:
        """A list of 4-byte integers."""
        return [_int32(self._content, place) for place in self._places(field)]

    def tables(self, field: int) -> "list[_Table]":
        """A list of tables."""
        return [_Table(self._content, place + _int32(self._content, place)) for place in self._places(field)]

    def _places(self, field: int) -> Iterator[int]:
        if place := self.place(field):
            start = place + _int32(self._content, place)
            yield from range(start + 4, start + 4 + 4 * _int32(self._content, start), 4)


def last_step(content: bytes, tensor: int) -> Activation:
    """How the values of an output were made: by its last operation, reshaping and changes of type aside.

    Args:
        content: of a LiteRT file that the interpreter has accepted.
        tensor: number of the output's tensor.
    """
    # In the order of the schema: Model.operator_codes is 1 and .subgraphs 2, SubGraph.operators 3, Operator.inputs 1 ...
    model = _Table(content, _int32(content, 0))
    codes = [max(code.number(0, width=1), code.number(3)) for code in model.tables(1)]
    makers = {step.numbers(2)[0]: step for step in model.tables(2)[0].tables(3) if step.numbers(2)}
    while (step := makers.pop(tensor, None)) is not None:
        kind = codes[step.number(0)]
        if kind == SOFTMAX:
            return "softmax"
        if kind == LOGISTIC:
            return "sigmoid"
        if kind not in SAME_VALUES or not step.numbers(1):
            break
        tensor = step.numbers(1)[0]
    return "logits"


def _int32(content: bytes, place: int) -> int:
    return int(struct.unpack_from("<i", content, place)[0])


def _uint16(content: bytes, place: int) -> int:
    return int(struct.unpack_from("<H", content, place)[0])
