"""Where something moves, and when the whole picture is looked at."""

import numpy as np
from numpy.typing import NDArray

from ingest.motion import FULL_LOOK_NS, HOLD_NS, Motion
from storage.messages import NS_PER_S, Look

STEP = NS_PER_S // 5


def scene(square_at: int | None = None, seed: int = 0) -> NDArray[np.uint8]:
    picture = np.full((480, 640), 100, np.float64) + np.random.default_rng(seed).normal(0, 3, (480, 640))
    if square_at is not None:
        picture[200:280, square_at : square_at + 60] = 200
    return picture.clip(0, 255).astype(np.uint8)


def test_sensor_noise_is_no_motion_but_a_person_is() -> None:
    motion = Motion()
    looks = [motion.judge(scene(seed=k), k * STEP)[0] for k in range(9)]
    assert looks[0] is Look.FULL
    assert looks[1 : HOLD_NS // STEP] == [Look.MOTION] * (HOLD_NS // STEP - 1)
    assert looks[HOLD_NS // STEP + 1 :] == [Look.NONE] * (len(looks) - HOLD_NS // STEP - 1)
    look, active = motion.judge(scene(300), 9 * STEP)
    assert look is Look.MOTION
    rows, columns = np.nonzero(active)
    # 640 px fall into 40 columns of 16, 480 into 30 rows.
    assert active.shape == (30, 40)
    assert 200 // 16 - 2 <= rows.min() <= rows.max() <= 280 // 16 + 2
    assert 300 // 16 - 2 <= columns.min() <= columns.max() <= 360 // 16 + 2


def test_a_still_picture_is_looked_at_every_two_seconds() -> None:
    motion = Motion()
    full = [k * STEP for k in range(40) if motion.judge(scene(), k * STEP)[0] is Look.FULL and k * STEP >= HOLD_NS]
    assert full == [FULL_LOOK_NS, 2 * FULL_LOOK_NS, 3 * FULL_LOOK_NS]


def test_memory_is_finite_so_a_later_start_gives_the_same_answers() -> None:
    pictures = [scene(50 + 8 * k if k % 30 < 12 else None, seed=k) for k in range(60)]
    early, late = Motion(), Motion()
    all_answers = [early.judge(picture, k * STEP) for k, picture in enumerate(pictures)]
    start = 20
    for k in range(start, 60):
        look, active = late.judge(pictures[k], k * STEP)
        if k * STEP > start * STEP + HOLD_NS:
            assert look is all_answers[k][0]
            assert np.array_equal(active, all_answers[k][1])


def test_a_change_of_resolution_starts_anew() -> None:
    motion = Motion()
    for k in range(10):
        motion.judge(scene(), k * STEP)
    look, active = motion.judge(np.zeros((720, 1280), np.uint8), 10 * STEP)
    assert look is Look.FULL
    assert active.all()
