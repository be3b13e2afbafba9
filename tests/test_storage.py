"""What is kept: whole files, pictures in which only one person can be recognised, honest statistics."""

import errno
import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from storage.errors import InputError, StorageError
from storage.files import check_writable, make_folder, replaced, write_bytes
from storage.snapshots import SnapshotFolder, encode_snapshot, pixelated
from storage.statistics import count, wilson_interval
from storage.words import Label


def fail_half_way(path: Path) -> None:
    path.write_bytes(b"half of the ne")
    raise InputError("no input")


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    write_bytes(path, b"old")
    with pytest.raises(InputError, match="no input"), replaced(path) as temporary:
        fail_half_way(temporary)
    assert path.read_bytes() == b"old"
    write_bytes(path, b"new")
    assert path.read_bytes() == b"new"
    assert [file.name for file in tmp_path.iterdir()] == ["report.json"]


def test_a_full_disk_leaves_the_old_file_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    write_bytes(path, b"old")
    with pytest.raises(StorageError, match="the disk is full"), replaced(path):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert path.read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_device_is_written_to_and_never_renamed_over() -> None:
    with pytest.raises(StorageError, match="the disk is full"):
        write_bytes(Path("/dev/full"), b"x" * 100_000)
    assert Path("/dev/full").is_char_device()
    with pytest.raises(StorageError, match="device or a pipe"), replaced(Path("/dev/full")):
        pytest.fail("must not get here")


def test_a_link_keeps_pointing_to_the_file_that_changed(tmp_path: Path) -> None:
    (tmp_path / "real.json").write_text("old")
    (tmp_path / "link.json").symlink_to("real.json")
    write_bytes(tmp_path / "link.json", b"new")
    assert (tmp_path / "link.json").is_symlink()
    assert (tmp_path / "real.json").read_text() == "new"


def test_a_place_that_cannot_be_written_is_found_out_before_the_work(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(StorageError, match=r"not a folder|stands where a folder"):
        check_writable(file / "report.json")
    with pytest.raises(StorageError, match="a folder stands where a file"):
        check_writable(tmp_path)
    with pytest.raises(StorageError):
        make_folder(file)


def crowd(height: int = 1080, width: int = 1920) -> NDArray[np.uint8]:
    return np.random.default_rng(3).integers(0, 255, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("box", [(800, 400, 120, 120), (0, 0, 60, 60), (1880, 1040, 80, 80), (-20, -10, 100, 100)])
def test_only_the_person_can_be_recognised(box: tuple[int, int, int, int]) -> None:
    picture = crowd()
    covered = pixelated(picture, box)
    x, y, width, height = box
    left, right = max(0, round(x - width / 4)), min(1920, round(x + 1.25 * width))
    top, bottom = max(0, round(y - height / 4)), min(1080, round(y + 1.25 * height))
    assert np.array_equal(covered[top:bottom, left:right], picture[top:bottom, left:right])
    outside = np.ones((1080, 1920), np.bool_)
    outside[top:bottom, left:right] = False
    # Noise averaged over blocks of 45 px has hardly any contrast left.
    assert covered[outside].std() < 6 < picture[outside].std()


def test_a_bystander_in_a_snapshot_is_not_found_by_the_detector_any_more(astronaut: NDArray[np.uint8]) -> None:
    from detect.blazeface import BlazeFace
    from detect.looking import Looker
    from detect.merge import overlaps
    from tests.test_detect import FULL_RANGE, MODEL_FILE

    head = astronaut[20:280, 110:340]
    picture = np.full((540, 960, 3), 120, np.uint8)
    picture[100:360, 100:330] = head
    picture[100:360, 600:830] = head
    picture[400:465, 420:478] = cv2.resize(head, (58, 65), interpolation=cv2.INTER_AREA)
    with BlazeFace(FULL_RANGE, MODEL_FILE) as detector:
        looker = Looker([detector], min_face_px=16)
        before = looker.look(picture)
        after = looker.look(pixelated(picture, (160, 155, 110, 110)))
    for box, seen in [((160, 145, 112, 112), True), ((660, 145, 112, 112), False), ((435, 411, 28, 28), False)]:
        assert (overlaps(np.array(box, np.float32), before.boxes)[0] > 0.3).any()
        iou, _ = overlaps(np.array(box, np.float32), after.boxes)
        # Blocks may look like something to the detector, but no longer like this face: it lies elsewhere.
        assert (iou > 0.4).any() == seen


def test_a_snapshot_is_named_by_its_content_and_written_once(tmp_path: Path) -> None:
    folder = SnapshotFolder(tmp_path / "snapshots")
    data = encode_snapshot(crowd(540, 960), (100, 100, 80, 80))
    assert data == encode_snapshot(crowd(540, 960), (100, 100, 80, 80))
    name, new = folder.keep(data)
    assert new
    assert folder.keep(data) == (name, False)
    assert [file.name for file in folder.folder.iterdir()] == [name]
    assert (folder.folder / name).read_bytes() == data
    folder.discard(name)
    folder.discard(name)
    assert not list(folder.folder.iterdir())


def test_a_snapshot_of_an_8k_frame_is_no_larger_than_needed() -> None:
    data = encode_snapshot(crowd(4320, 7680), (100, 100, 80, 80))
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    assert picture.shape == (1080, 1920, 3)


def test_unknown_stays_out_of_the_compliance_rate() -> None:
    statistics = count([Label.WITH_MASK] * 3 + [Label.WITHOUT_MASK] + [Label.UNKNOWN] * 5)
    assert (statistics.tracks, statistics.unknown) == (9, 5)
    assert statistics.compliance_rate == 0.75
    assert statistics.interval == (0.3006, 0.9544)


def test_nothing_counted_has_no_rate() -> None:
    for labels in ([], [Label.UNKNOWN]):
        statistics = count(labels)
        assert statistics.compliance_rate is None
        assert statistics.interval is None


# Newcombe, "Two-sided confidence intervals for the single proportion", 1998, table I, method 3.
@pytest.mark.parametrize(
    ("successes", "trials", "limits"),
    [(81, 263, (0.2553, 0.3662)), (15, 148, (0.0624, 0.1605)), (0, 20, (0.0, 0.1611)), (1, 29, (0.0061, 0.1718))],
)
def test_the_wilson_interval_equals_the_published_one(successes: int, trials: int, limits: tuple[float, float]) -> None:
    assert wilson_interval(successes, trials) == pytest.approx(limits, abs=6e-5)


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_holds_the_rate(counts: tuple[int, int]) -> None:
    low, high = wilson_interval(*counts)
    assert 0.0 <= low <= counts[0] / counts[1] + 1e-12
    assert counts[0] / counts[1] - 1e-12 <= high <= 1.0
