"""Where faces are found: the tile plan, the merge, and the real detector on a real face."""

import subprocess
import sys
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from detect.blazeface import BlazeFace
from detect.faces import Faces
from detect.looking import Looker
from detect.merge import merge
from detect.models import DETECTORS, checked_model_file, detector_model, extract_models
from detect.spared import ABSENT, LATER, spared
from detect.tiles import OVERLAP_FACES, Tile, plan_tiles, tiles_with_motion, uncut
from storage.errors import SetupError, UsageError

FULL_RANGE = DETECTORS["blazeface-full-range"]
MODEL_FILE = Path(sys.prefix) / "share" / "maskwatch" / "models" / FULL_RANGE.file_name


def faces(*rows: tuple[float, float, float, float, float]) -> Faces:
    table = np.array(rows, np.float32).reshape(-1, 5)
    return Faces(table[:, :4], table[:, 4], np.zeros((len(table), 6, 2), np.float32))


@given(st.integers(1, 4000), st.integers(1, 3000), st.sampled_from([12, 24, 40, 80]))
def test_the_plan_covers_the_picture_and_stays_inside(width: int, height: int, min_face: int) -> None:
    plan = plan_tiles(width, height, min_face, input_px=192, smallest_face_px=10)
    assert plan[0] == Tile(0, 0, width, height)
    for tile in plan:
        assert 0 <= tile.x <= tile.x + tile.width <= width
        assert 0 <= tile.y <= tile.y + tile.height <= height
    assert len(plan) == len(set(plan))


@given(st.integers(0, 1895), st.integers(0, 1055), st.integers(24, 180))
def test_every_face_lies_whole_in_a_tile_that_shows_it_large_enough(x: int, y: int, size: int) -> None:
    x, y = min(x, 1920 - size), min(y, 1080 - size)
    plan = plan_tiles(1920, 1080, 24, input_px=192, smallest_face_px=10)
    shown = [
        192 * size / max(tile.width, tile.height)
        for tile in plan
        if tile.x <= x and tile.y <= y and x + size <= tile.x + tile.width and y + size <= tile.y + tile.height
    ]
    # The largest step between two levels is a factor of a little more than two.
    assert max(shown) >= 9.9


def test_neighbouring_tiles_share_a_face_of_their_level() -> None:
    tiles = [tile for tile in plan_tiles(1920, 1080, 24, input_px=192, smallest_face_px=10) if tile.width == 461]
    starts = sorted({tile.x for tile in tiles})
    assert all(one + 461 - other >= OVERLAP_FACES * 24 for one, other in pairwise(starts))


def test_only_tiles_with_motion_are_looked_at() -> None:
    tiles = [Tile(0, 0, 100, 100), Tile(100, 0, 100, 100), Tile(0, 0, 200, 100)]
    motion = np.zeros((10, 20), np.bool_)
    motion[3, 15] = True
    assert tiles_with_motion(tiles, motion, 200, 100) == tiles[1:]
    assert tiles_with_motion(tiles, np.zeros((10, 20), np.bool_), 200, 100) == []


def test_a_face_cut_by_an_inner_edge_is_left_to_the_neighbour() -> None:
    boxes = np.array([[1, 50, 20, 20], [40, 50, 20, 20], [79, 50, 20, 20]], np.float32)
    assert uncut(boxes, Tile(100, 0, 100, 100), 300, 100).tolist() == [False, True, False]
    assert uncut(boxes, Tile(0, 0, 100, 100), 300, 100).tolist() == [True, True, False]
    assert uncut(boxes, Tile(200, 0, 100, 100), 300, 100).tolist() == [False, True, True]


@pytest.mark.parametrize(
    ("found", "kept"),
    [
        ([], []),
        ([(0, 0, 10, 10, 0.9)], [0.9]),
        # The same face twice: the surer find stays.
        ([(0, 0, 10, 10, 0.5), (1, 1, 10, 10, 0.9)], [0.9]),
        # A part of a face inside the whole.
        ([(0, 0, 40, 40, 0.9), (5, 5, 15, 15, 0.6)], [0.9]),
        # Two neighbours that overlap a little are two people.
        ([(0, 0, 20, 20, 0.9), (14, 0, 20, 20, 0.8)], [0.9, 0.8]),
    ],
)
def test_one_box_per_face(found: list[tuple[float, float, float, float, float]], kept: list[float]) -> None:
    assert merge(faces(*found)).scores.tolist() == pytest.approx(kept)


@pytest.mark.filterwarnings("error")
def test_boxes_without_area_and_finds_without_a_score_do_no_harm() -> None:
    found = merge(faces((5, 5, 0, 0, 0.9), (5, 5, 10, 0, 0.8), (0, 0, 20, 20, 0.0), (90, 90, 1e-5, 1e-5, 0.7)))
    assert found.boxes[:, 0].tolist() == [90.0, 0.0]
    assert np.isfinite(found.boxes).all()
    assert len(merge(faces((5, 5, 0, 0, 0.9)))) == 0


@given(st.permutations(range(8)))
def test_the_merge_does_not_depend_on_the_order_of_the_looks(order: list[int]) -> None:
    found = faces(*((9.0 * k, 3.0 * (k % 3), 20, 20, 0.3 + 0.05 * (k * 5 % 8)) for k in range(8)))
    usual, shuffled = merge(found), merge(found.chosen(np.array(order)))
    assert np.array_equal(usual.boxes, shuffled.boxes)


def street(astronaut: NDArray[np.uint8], width_px: int, at: tuple[int, int]) -> NDArray[np.uint8]:
    """A grey 1080p picture with the portrait's face, about `width_px` wide, at a place."""
    scale = width_px / 100.0
    head = cv2.resize(astronaut[20:280, 110:340], None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    picture = np.full((1080, 1920, 3), 128, np.uint8)
    x, y = at
    picture[y : y + head.shape[0], x : x + head.shape[1]] = head
    return picture


@pytest.mark.parametrize("width_px", [28, 48, 90, 160])
@pytest.mark.parametrize("at", [(40, 30), (930, 500), (1500, 640)])
def test_real_faces_of_every_size_are_found_once_where_they_are(
    astronaut: NDArray[np.uint8], width_px: int, at: tuple[int, int]
) -> None:
    with BlazeFace(FULL_RANGE, MODEL_FILE) as detector:
        found = Looker([detector], min_face_px=24).look(street(astronaut, width_px, at))
    assert found.scores[0] > 0.35
    # The face's centre lies at (113, 105) of the head cut out above, at scale 1.
    away = np.abs(found.boxes[:, :2] + found.boxes[:, 2:] / 2 - (np.array(at) + np.array([1.13, 1.05]) * width_px))
    assert (away < 0.35 * width_px).all(axis=1).tolist() == [True] + [False] * (len(found) - 1)
    eyes, nose, mouth = found.keypoints[0, :2].mean(axis=0), found.keypoints[0, 2], found.keypoints[0, 3]
    assert eyes[1] < nose[1] < mouth[1]


def test_the_number_of_threads_changes_nothing(astronaut: NDArray[np.uint8]) -> None:
    picture = street(astronaut, 40, (700, 300))
    answers = []
    for threads in (1, 3):
        looker = Looker([BlazeFace(FULL_RANGE, MODEL_FILE) for _ in range(threads)], min_face_px=24)
        answers.append(looker.look(picture))
        looker.close()
    assert np.array_equal(answers[0].boxes, answers[1].boxes)
    assert np.array_equal(answers[0].scores, answers[1].scores)


def test_a_detector_loads_neither_tensorflow_nor_matplotlib_and_leaves_both_to_who_wants_them(tmp_path: Path) -> None:
    """TensorFlow is there where the extra `train` is installed; a look-alike stands for it here."""
    (tmp_path / "tensorflow.py").write_text("there = True")
    program = f"""
import sys
from pathlib import Path
sys.path.insert(0, {str(tmp_path)!r})
from detect.blazeface import BlazeFace
from detect.models import DETECTORS
BlazeFace(DETECTORS["blazeface-full-range"], Path({str(MODEL_FILE)!r})).close()
assert not [name for name in sys.modules if name.partition(".")[0] in ("tensorflow", "matplotlib")], "loaded"
from mediapipe.tasks.python.vision import drawing_utils
assert drawing_utils.plt.figure.__name__ == "figure"
import matplotlib, tensorflow
assert tensorflow.there and matplotlib.pyplot.figure is drawing_utils.plt.figure
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_what_was_loaded_before_is_not_kept_away(monkeypatch: pytest.MonkeyPatch) -> None:
    here = {name: ModuleType(name) for name in (*ABSENT, *LATER)}
    for name, module in here.items():
        monkeypatch.setitem(sys.modules, name, module)
    with spared():
        assert {name: sys.modules[name] for name in here} == here
    assert {name: sys.modules[name] for name in here} == here


def test_what_is_kept_away_comes_when_it_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("detect.spared.ABSENT", ("mw_absent",))
    monkeypatch.setattr("detect.spared.LATER", ("mw_later", "mw_later.part"))
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "mw_absent.py").write_text("")
    (tmp_path / "mw_later").mkdir()
    (tmp_path / "mw_later" / "__init__.py").write_text("whole = 1")
    (tmp_path / "mw_later" / "part.py").write_text("piece = 2")
    names = ("mw_absent", "mw_later", "mw_later.part")
    try:
        with spared():
            part = import_module("mw_later.part")
            with pytest.raises(ModuleNotFoundError):
                import_module("mw_absent")
        assert not sys.modules.keys() & names
        with spared():
            assert import_module("mw_later.part").piece == import_module("mw_later.part").piece == 2
            assert import_module("mw_later").whole == 1
        assert part.piece == 2
        with pytest.raises(AttributeError):
            _ = part.nothing
        import_module("mw_absent")
    finally:
        for name in names:
            sys.modules.pop(name, None)


def test_an_unknown_detector_is_named_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match="blazeface-full-range"):
        detector_model("haar")


def test_a_missing_or_wrong_model_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="make setup"):
        BlazeFace(FULL_RANGE, tmp_path / "none.tflite")
    wrong = tmp_path / "wrong.tflite"
    wrong.write_bytes(b"TFL3 but not really")
    with pytest.raises(SetupError, match="is not the model blazeface-full-range"):
        checked_model_file(wrong, FULL_RANGE)


def test_a_wheel_that_is_none_gives_no_models(tmp_path: Path) -> None:
    wheel = tmp_path / "mediapipe.whl"
    wheel.write_bytes(b"no zip")
    with pytest.raises(SetupError, match="cannot take the detector models"):
        extract_models(wheel, tmp_path)
