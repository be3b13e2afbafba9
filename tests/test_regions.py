"""Parts of the picture to watch and to ignore: the kernels, and what they keep from being looked at."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from detect.faces import Faces
from detect.looking import Looker
from ingest.motion import HOLD_NS, Motion
from storage.messages import NS_PER_S, Look
from storage.regions import Region, grid, inside

STEP = NS_PER_S // 5
LEFT = Region("watch", ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0)))
MIDDLE = Region("ignore", ((0.25, 0.25), (0.75, 0.25), (0.75, 0.75), (0.25, 0.75)))
STAR = Region("watch", ((0.5, 0.0), (0.8, 1.0), (0.0, 0.4), (1.0, 0.4), (0.2, 1.0)))

shares = st.one_of(st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]), st.floats(0.0, 1.0, allow_subnormal=False))
corners = st.lists(st.tuples(shares, shares), min_size=3, max_size=7).map(tuple)
some_regions = st.lists(st.builds(Region, st.sampled_from(["watch", "ignore"]), corners), max_size=4)


def contains(points: Sequence[tuple[float, float]], x: float, y: float) -> bool:
    """The slow reference: edge by edge, how often a ray to the right is crossed."""
    odd = False
    for (x0, y0), (x1, y1) in zip(points, [*points[1:], points[0]], strict=True):
        if (y0 > y) != (y1 > y) and x < x0 + (y - y0) / (y1 - y0) * (x1 - x0):
            odd = not odd
    return odd


def watched(regions: Sequence[Region], x: float, y: float) -> bool:
    watch = [region.points for region in regions if region.mode == "watch"]
    ignore = [region.points for region in regions if region.mode == "ignore"]
    return (not watch or any(contains(points, x, y) for points in watch)) and not any(
        contains(points, x, y) for points in ignore
    )


@settings(max_examples=200, deadline=None)
@given(some_regions, st.lists(st.tuples(shares, shares), max_size=20))
def test_many_places_at_once_are_judged_like_one_after_the_other(
    regions: list[Region], places: list[tuple[float, float]]
) -> None:
    x, y = np.array(places, np.float64).reshape(-1, 2).T
    assert inside(regions, x, y).tolist() == [watched(regions, *place) for place in places]


@settings(max_examples=200, deadline=None)
@given(some_regions, st.integers(1, 12), st.integers(1, 12), st.integers(0, 2**32 - 1))
def test_a_cell_in_which_a_watched_place_lies_is_watched(
    regions: list[Region], rows: int, columns: int, seed: int
) -> None:
    x, y = np.random.default_rng(seed).uniform(0.0, 1.0, (2, 400))
    cells = grid(regions, rows, columns)
    here = inside(regions, x, y)
    assert cells[(y[here] * rows).astype(int), (x[here] * columns).astype(int)].all()


@settings(max_examples=100, deadline=None)
@given(corners, st.sampled_from(["watch", "ignore"]), st.integers(1, 6), st.integers(1, 6))
def test_a_cell_far_from_every_edge_is_wholly_on_one_side(
    points: tuple[tuple[float, float], ...], mode: str, rows: int, columns: int
) -> None:
    region = Region("watch" if mode == "watch" else "ignore", points)
    cells = grid([region], rows, columns)
    for row in range(rows):
        for column in range(columns):
            middle = ((column + 0.5) / columns, (row + 0.5) / rows)
            away = min(_distance(middle, a, b) for a, b in zip(points, [*points[1:], points[0]], strict=True))
            if away > math.hypot(0.5 / rows, 0.5 / columns) + 1e-9:
                assert cells[row, column] == watched([region], *middle)


def _distance(place: tuple[float, float], a: tuple[float, float], b: tuple[float, float]) -> float:
    """From a place to the line between two others."""
    way = (b[0] - a[0], b[1] - a[1])
    length = way[0] ** 2 + way[1] ** 2
    along = 0.0 if length == 0.0 else ((place[0] - a[0]) * way[0] + (place[1] - a[1]) * way[1]) / length
    along = min(1.0, max(0.0, along))
    return math.hypot(place[0] - a[0] - along * way[0], place[1] - a[1] - along * way[1])


def test_without_a_region_to_watch_everything_is_watched() -> None:
    assert inside([], np.array([0.5]), np.array([0.5])).all()
    assert grid([], 4, 6).all()
    assert grid([], 4, 6).shape == (4, 6)


def test_what_is_to_be_ignored_wins() -> None:
    places = np.array([0.1, 0.4, 0.9]), np.array([0.5, 0.5, 0.5])
    assert inside([LEFT, MIDDLE], *places).tolist() == [True, False, False]
    assert inside([MIDDLE, LEFT], *places).tolist() == [True, False, False]
    assert inside([MIDDLE], *places).tolist() == [True, False, True]


def test_cells_count_where_they_touch_what_is_watched_and_are_not_all_ignored() -> None:
    cells = grid([LEFT, MIDDLE], 8, 8)
    assert cells[:, :2].all(), "watched"
    assert not cells[:, 4:].any(), "beyond the edge that runs between two columns"
    assert cells[:2, :4].all()
    assert not cells[2:6, 2:4].any(), "wholly ignored"
    # Of an edge that runs through a cell, both sides count.
    assert grid([LEFT], 1, 3).tolist() == [[True, True, False]]


def test_a_sliver_between_two_cell_middles_is_not_overlooked() -> None:
    sliver = Region("watch", ((0.30, 0.0), (0.305, 0.0), (0.305, 1.0), (0.30, 1.0)))
    assert grid([sliver], 4, 4).tolist() == [[False, True, False, False]] * 4


def test_a_polygon_that_crosses_itself_has_holes() -> None:
    assert inside([STAR], np.array([0.5, 0.5]), np.array([0.5, 0.2])).tolist() == [False, True]


def scene(square_at: int) -> NDArray[np.uint8]:
    picture = np.full((480, 640), 100, np.uint8)
    picture[200:280, square_at : square_at + 60] = 200
    return picture


@pytest.mark.parametrize(("start", "moves"), [(40, True), (400, False)])
def test_what_moves_outside_of_what_is_watched_does_not_count(start: int, moves: bool) -> None:
    motion = Motion([LEFT])
    looks = []
    for k in range(20):
        look, active = motion.judge(scene(start + 8 * (k % 4)), k * STEP)
        looks.append(look)
        assert not active[:, 20:].any()
    assert looks[0] is looks[10] is Look.FULL
    assert set(looks[HOLD_NS // STEP + 1 : 10]) == {Look.MOTION if moves else Look.NONE}


def test_where_all_is_ignored_nothing_is_looked_at() -> None:
    everything = Region("ignore", ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)))
    motion = Motion([everything])
    assert {motion.judge(scene(40 + 8 * k), k * STEP)[0] for k in range(12)} == {Look.NONE}


def test_other_regions_hold_from_the_next_sample_on() -> None:
    motion = Motion([LEFT])
    for k in range(7):
        motion.judge(scene(400 + 8 * (k % 4)), k * STEP)
    motion.regions = ()
    look, active = motion.judge(scene(404), 7 * STEP)
    assert look is Look.MOTION
    assert active[:, 20:].any()


class OneFaceEverywhere:
    """A detector that finds a face in the middle of every tile, and keeps the tiles' sizes."""

    name, input_px, smallest_face_px = "stand-in", 192, 10.0

    def __init__(self) -> None:
        self.looks: list[tuple[int, int]] = []

    def detect(self, rgb: NDArray[np.uint8]) -> Faces:
        height, width = rgb.shape[:2]
        self.looks.append((width, height))
        box = np.array([[width / 2 - 20, height / 2 - 20, 40, 40]], np.float32)
        return Faces(box, np.array([0.9], np.float32), np.zeros((1, 6, 2), np.float32))

    def close(self) -> None:
        pass


def test_faces_outside_are_dropped_and_tiles_wholly_outside_cost_nothing() -> None:
    rgb = np.zeros((1080, 1920, 3), np.uint8)
    still = np.zeros((23, 40), np.bool_)
    everywhere, left = OneFaceEverywhere(), OneFaceEverywhere()
    all_faces = Looker([everywhere], min_face_px=24).look_at_sample(rgb, Look.FULL, still, 0)
    faces = Looker([left], min_face_px=24).look_at_sample(rgb, Look.FULL, still, 0, regions=[LEFT])
    centres = faces.boxes[:, 0] + faces.boxes[:, 2] / 2
    assert len(faces)
    assert (centres < 960).all()
    assert len(all_faces) > len(faces)
    assert len(left.looks) < 0.75 * len(everywhere.looks)


def test_where_something_moves_faces_outside_are_dropped_as_well() -> None:
    rgb = np.zeros((1080, 1920, 3), np.uint8)
    everywhere = np.ones((23, 40), np.bool_)
    faces = Looker([OneFaceEverywhere()], min_face_px=24).look_at_sample(
        rgb, Look.MOTION, everywhere, 0, regions=[MIDDLE]
    )
    x, y = (faces.boxes[:, :2] + faces.boxes[:, 2:] / 2.0).T
    assert len(faces)
    assert not ((x > 480) & (x < 1440) & (y > 270) & (y < 810)).any()
