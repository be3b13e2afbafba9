"""Footage written again with boxes: whatever clock it has, and what is said of what can't be written."""

import errno
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import numpy as np
import pytest

from infra.annotate import annotate_footage
from infra.recorder import Recorder
from ingest.footage import Footage
from storage.errors import InputError, StorageError
from tests.conftest import WriteVideo


def noise(count: int) -> list[np.ndarray]:
    random = np.random.default_rng(1)
    return [random.integers(0, 255, (96, 128, 3), dtype=np.uint8) for _ in range(count)]


def times(path: Path) -> list[int]:
    with av.open(str(path)) as container:
        return [frame.pts for frame in container.decode(video=0) if frame.pts is not None]


@contextmanager
def at_most(size: int) -> Iterator[None]:
    """No file grows beyond so many bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_segments_that_overlap_are_written_with_all_their_frames(write_video: WriteVideo, tmp_path: Path) -> None:
    """As two of a recorder's segments joined are: the second begins with what the first ended with."""
    first = write_video(noise(20), name="first.ts").read_bytes()
    second = write_video(noise(20), name="second.ts", times=[0.6 + k / 25 for k in range(20)]).read_bytes()
    joined, annotated = tmp_path / "joined.ts", tmp_path / "annotated.mp4"
    joined.write_bytes(first + second)
    with Footage(joined) as footage:
        at_ns = [frame.at_ns for frame in footage.frames(1.0)]
    assert 1 in np.diff(at_ns), "no two frames have the same timestamp"
    annotate_footage(joined, Recorder(), annotated)
    written = times(annotated)
    assert len(written) == len(at_ns)
    assert written == sorted(set(written))


def test_a_place_that_can_not_be_written_may_be_mended(write_video: WriteVideo, tmp_path: Path) -> None:
    clip = write_video(noise(20))
    with at_most(4096), pytest.raises(StorageError, match=r"cannot write .*annotated\.mp4"):
        annotate_footage(clip, Recorder(), tmp_path / "out" / "annotated.mp4")
    assert list((tmp_path / "out").iterdir()) == []


def test_footage_that_can_not_be_encoded_again_is_no_fault_of_the_place(
    write_video: WriteVideo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        av.error.err_check(-errno.EINVAL)

    monkeypatch.setattr("infra.annotate._encode", refused)
    clip = write_video(noise(2))
    with pytest.raises(InputError, match=f"{clip.name} can't be written again .*{os.strerror(errno.EINVAL)}"):
        annotate_footage(clip, Recorder(), tmp_path / "annotated.mp4")
