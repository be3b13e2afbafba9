"""What was seen in the samples of a chunk of recorded footage, packed for storage until the whole of it is known.

Nothing in it says whose footage it is: the same file, looked at in the same way, gives the same results for any job.
"""

import zlib
from collections.abc import Iterator, Sequence
from typing import Final, Self

import msgspec

from storage.errors import StorageError
from storage.messages import Face, FrameRef, Look, Result

RESULTS_VERSION: Final = 1
FOOTAGE_STORE: Final = "footage"
"""In place of a frame store's name: the pixels are in the file itself, at the time that the token says."""

LEVEL: Final = 3
"""Thumbnails hardly become smaller by trying harder."""


class SeenSample(msgspec.Struct, frozen=True, array_like=True):
    """A sample's result without its source; see `storage.messages.Result`.

    Attributes:
        seq: its number in the whole file.
        at_ns: its time from the start of the file.
        width, height: of the picture in pixels.
        look: how much of it was looked at.
        faces: what was seen.
        failed: why it could not be analysed, or None.
    """

    seq: int
    at_ns: int
    width: int
    height: int
    look: Look
    faces: tuple[Face, ...] = ()
    failed: str | None = None

    @classmethod
    def of(cls, result: Result) -> Self:
        """What a result says."""
        look, faces = result.look, result.faces
        return cls(result.seq, result.at_ns, result.width, result.height, look, faces, result.failed)

    def result(self, source: str, epoch: int) -> Result:
        """The result of a source; where there are faces, with a reference that says when to find them in the file."""
        frame = FrameRef(self.at_ns, 0, self.height, self.width, FOOTAGE_STORE) if self.faces else None
        return Result(
            camera=source,
            epoch=epoch,
            seq=self.seq,
            at_ns=self.at_ns,
            width=self.width,
            height=self.height,
            look=self.look,
            faces=self.faces,
            failed=self.failed,
            frame=frame,
        )


class ChunkResults(msgspec.Struct, frozen=True):
    """All that came of a chunk.

    Attributes:
        samples: in order.
        frames: how many frames of its own were decoded.
        end_ns: the end of the last one, from the start of the file.
        errors: what could not be decoded, in sentences.
    """

    samples: tuple[SeenSample, ...]
    frames: int
    end_ns: int
    errors: tuple[str, ...] = ()
    version: int = RESULTS_VERSION

    @property
    def faces(self) -> int:
        """How many faces were seen."""
        return sum(len(sample.faces) for sample in self.samples)

    def results(self, source: str, epoch: int) -> Iterator[Result]:
        """The results of a source, in order; see `SeenSample.result`."""
        for sample in self.samples:
            yield sample.result(source, epoch)


def pack_results(results: Sequence[Result], *, frames: int, end_ns: int, errors: Sequence[str] = ()) -> bytes:
    """The results of a chunk, in any order, with what reading it showed; see `ChunkResults`."""
    samples = tuple(SeenSample.of(result) for result in sorted(results, key=lambda result: result.seq))
    return zlib.compress(msgspec.msgpack.encode(ChunkResults(samples, frames, end_ns, tuple(errors))), LEVEL)


def unpack_results(packed: bytes) -> ChunkResults:
    """What `pack_results` packed.

    Raises:
        StorageError: it is not whole, or another version of the program packed it.
    """
    try:
        results = msgspec.msgpack.decode(zlib.decompress(packed), type=ChunkResults)
    except (zlib.error, msgspec.MsgspecError) as error:
        raise StorageError(f"the stored results of a chunk of footage can't be read: {error}") from error
    if results.version != RESULTS_VERSION:
        raise StorageError(
            f"the results of a chunk of footage were stored by another version of the program (format {results.version}, "
            f"not {RESULTS_VERSION}): submit the job again"
        )
    return results
