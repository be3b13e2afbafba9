"""When a job's footage began, as the job, the file's name or the file itself says."""

from pathlib import Path

import av
import numpy as np
import pytest

from infra.jobs.planning import begun_ns
from storage.errors import InputError
from storage.job_work import HeldFile
from storage.jobs import JobOptions
from storage.messages import NS_PER_S

EXPORTED_NS = 1_780_000_000 * NS_PER_S
SHOT_NS = 1_772_352_000 * NS_PER_S
PATTERN = JobOptions(name_pattern="%Y%m%d_%H%M%S")


@pytest.fixture
def exported(tmp_path: Path) -> Path:
    """Footage that says of itself when it was exported."""
    path = tmp_path / "film.mp4"
    with av.open(path, "w") as container:
        container.metadata["creation_time"] = "2026-05-28T20:26:40Z"
        stream = container.add_stream("mpeg4", rate=25)
        stream.width = stream.height = 64
        container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), "rgb24")))
        container.mux(stream.encode())
    return path


def held(path: Path, name: str, start_ns: int | None = None) -> HeldFile:
    return HeldFile(0, name, str(path), None, None, None, None, start_ns, None, None)


def test_a_name_that_holds_the_pattern_says_it(exported: Path) -> None:
    assert begun_ns(held(exported, "door-20260301_080000.mp4"), PATTERN, None) == SHOT_NS


def test_a_name_without_the_pattern_is_not_put_right_by_when_it_was_exported(exported: Path) -> None:
    assert begun_ns(held(exported, "door.mp4"), JobOptions(), None) == EXPORTED_NS
    with pytest.raises(InputError, match=r"^door\.mp4 does not hold the name pattern '%Y%m%d_%H%M%S', .*: mend"):
        begun_ns(held(exported, "door.mp4"), PATTERN, None)
    with pytest.raises(InputError, match="does not hold the name pattern"):
        begun_ns(held(exported, "door-20261301_080000.mp4"), PATTERN, None)


def test_a_file_with_its_own_time_needs_no_name_that_says_it(exported: Path) -> None:
    assert begun_ns(held(exported, "door.mp4", SHOT_NS), PATTERN, None) == SHOT_NS


def test_the_time_of_the_first_file_goes_before_names(exported: Path) -> None:
    given = JobOptions(start_ns=SHOT_NS, name_pattern="%Y%m%d")
    assert begun_ns(held(exported, "door.mp4"), given, None) == SHOT_NS
    assert begun_ns(held(exported, "20250101.mp4"), given, SHOT_NS + 5) == SHOT_NS + 5
