"""ZIP files that are sent while they are made, however large they get."""

import io
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Final

from storage.messages import NS_PER_S

EARLIEST: Final = (1980, 1, 1, 0, 0, 0)
"""What a ZIP file can say of times begins there."""


def streamed(write: Callable[[zipfile.ZipFile], Iterator[None]]) -> Iterator[bytes]:
    """A ZIP file, piece by piece.

    Args:
        write: adds to it, and yields whenever what there is may be sent.
    """
    sink = _Sink()
    with zipfile.ZipFile(sink, "w") as archive:
        for _ in write(archive):
            yield sink.taken()
    yield sink.taken()


def entry(name: str, at_ns: int | None = None, *, packed: bool = True) -> zipfile.ZipInfo:
    """A file in it, for nobody but its owner to read.

    Args:
        name: of the file.
        at_ns: when it was made, Unix time; None: that is not said.
        packed: whether it is worth compressing.
    """
    when = datetime.fromtimestamp(0 if at_ns is None else at_ns // NS_PER_S, UTC)
    made = zipfile.ZipInfo(name, max(when.timetuple()[:6], EARLIEST))
    made.compress_type = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
    made.external_attr = 0o600 << 16
    return made


class _Sink(io.RawIOBase):
    """Takes what is written until it is taken away; nobody can go back in it."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: "bytes | bytearray | memoryview[int]", /) -> int:  # type: ignore[override]
        self._parts.append(bytes(data))
        return len(data)

    def taken(self) -> bytes:
        parts, self._parts = self._parts, []
        return b"".join(parts)
