"""One track and one event per person: crossing, hidden, turned away, waiting; as seen by a detector that errs."""

import math
import os
from collections.abc import Callable

import numpy as np
import pytest

from storage.messages import NS_PER_S
from storage.words import Label
from tests.crowd import Eyes, Person, Seen, Way, followed, line, seen

WITH, WITHOUT = Label.WITH_MASK, Label.WITHOUT_MASK
SEEDS = range(400 if os.environ.get("MASKWATCH_PROOF") else 40)
POOR = Eyes(missed=0.25, jitter=0.1)
"""A quarter of the faces missed, boxes that jump by a tenth of their width."""

Scene = Callable[[np.random.Generator], tuple[list[Person], float]]


def labels(dice: np.random.Generator) -> tuple[Label, Label]:
    return ((WITH, WITHOUT), (WITHOUT, WITH), (WITH, WITH), (WITHOUT, WITHOUT))[int(dice.integers(4))]


def crossing(dice: np.random.Generator) -> tuple[list[Person], float]:
    """Two people walk towards each other and past each other, the nearer one before the other's face."""
    sizes, y = dice.uniform(35, 110, 2), dice.uniform(300, 500)
    speeds = dice.uniform(1.0, 8.0, 2) * sizes
    meet_s, meet_x = min(dice.uniform(4, 6), *(900 / speeds)), dice.uniform(800, 1100)
    ways = [
        line((meet_x - side * speed * meet_s, y + off), (side * speed, 0.03 * speed), size, 0, 10)
        for side, speed, size, off in zip(
            (1, -1), speeds, sizes, (0.0, dice.uniform(-0.3, 0.3) * sizes[0]), strict=True
        )
    ]
    return [Person(way, label) for way, label in zip(ways, labels(dice), strict=True)], 12


def hidden(dice: np.random.Generator) -> tuple[list[Person], float]:
    """Somebody walks behind a pillar for a second."""
    size = dice.uniform(30, 120)
    speed = min(dice.uniform(0.5, 7.0) * size, 400)
    from_s = dice.uniform(1.2, min(4.0, 1700 / speed - 2))
    way = line((60, 400), (speed, 0.05 * speed), size, 0, min(8, 1800 / speed))
    return [Person(way, WITHOUT, ((from_s, from_s + 1.0),))], 11


def turning(dice: np.random.Generator) -> tuple[list[Person], float]:
    """Two people side by side, standing or walking; one turns away for up to five seconds (two while walking)."""
    size = dice.uniform(40, 110)
    other, walks = size * dice.uniform(0.85, 1.15), bool(dice.random() < 0.5)
    speed = dice.uniform(0.7, 1.5) * size if walks else 0.0
    apart, drop = dice.uniform(1.1, 2.0) * max(size, other), dice.uniform(-0.3, 0.3) * size
    from_s, away_s = dice.uniform(2, 4), dice.uniform(1, 2.2 if walks else 5)
    ways = [line((500, 400), (speed, 0), size, 0, 12), line((500 + apart, 400 + drop), (speed, 0), other, 0, 12)]
    one, two = (swaying(way, 0.1 * size, dice.uniform(0, 6)) for way in ways)
    first, second = labels(dice)
    return [Person(one, first), Person(two, second, ((from_s, from_s + away_s),))], 14


def swaying(way: Way, by_px: float, phase: float) -> Way:
    def swayed(t: float) -> tuple[float, float, float] | None:
        place = way(t)
        if place is None:
            return None
        return place[0] + by_px * math.sin(1.1 * t + phase), place[1] + by_px / 3 * math.sin(1.7 * t + phase), place[2]

    return swayed


def waiting(dice: np.random.Generator) -> tuple[list[Person], float]:
    """Somebody comes, sits for two minutes so still that only the full look of every two seconds shows it, and goes."""
    size, x, y = dice.uniform(30, 120), dice.uniform(700, 1200), dice.uniform(300, 700)

    def way(t: float) -> tuple[float, float, float] | None:
        if not 0 <= t < 126:
            return None
        return x + 1.5 * size * (min(0.0, t - 3) + max(0.0, t - 123)), y, size

    return [Person(way, WITHOUT)], 136


def stopping(dice: np.random.Generator) -> tuple[list[Person], float]:
    """Somebody stops all at once, and goes on or back."""
    size = dice.uniform(30, 110)
    speed, stop_s, back = min(dice.uniform(2, 8) * size, 500), dice.uniform(1, 2.2), bool(dice.random() < 0.4)
    go_s = stop_s + dice.uniform(0.6, 3)

    def way(t: float) -> tuple[float, float, float] | None:
        if not 0 <= t < go_s + 1.5:
            return None
        x = 100 + speed * min(t, stop_s) + (-1 if back else 1) * speed * max(0.0, t - go_s)
        return x, 400, size

    return [Person(way, WITHOUT)], go_s + 4.5


def told(scene: Scene, seed: int, eyes: Eyes = Eyes()) -> tuple[list[Person], Seen]:  # noqa: B008 frozen
    people, duration_s = scene(np.random.default_rng(seed))
    return people, followed(seen(people, duration_s, seed, eyes))


def is_right(people: list[Person], story: Seen) -> bool:
    """One track each, and one event for everybody without a mask."""
    return story.together(len(people)) and len(story.events) == sum(person.label is WITHOUT for person in people)


@pytest.mark.parametrize("scene", [crossing, hidden, turning, waiting])
def test_each_person_is_one_track_with_one_event(scene: Scene) -> None:
    wrong = [seed for seed in SEEDS if not is_right(*told(scene, seed))]
    # Two that start side by side may be taken for one another before their speed is known: rarely, and without a cure.
    assert len(wrong) <= 0.025 * len(SEEDS), wrong


@pytest.mark.parametrize(
    ("scene", "share"), [(crossing, 0.95), (hidden, 1.0), (turning, 0.8), (waiting, 0.9), (stopping, 0.9)]
)
def test_most_people_are_held_together_even_by_a_detector_that_misses_a_quarter(scene: Scene, share: float) -> None:
    right = sum(is_right(*told(scene, seed, POOR)) for seed in SEEDS)
    assert right >= share * len(SEEDS)


def test_somebody_who_stops_all_at_once_stays_one() -> None:
    wrong = [seed for seed in SEEDS if not is_right(*told(stopping, seed))]
    assert len(wrong) <= len(SEEDS) // 20, wrong


def test_tracks_seldom_swap_even_for_a_moment() -> None:
    assert sum(told(crossing, seed)[1].switches for seed in SEEDS) <= 0.2 * len(SEEDS)
    assert sum(told(turning, seed)[1].switches for seed in SEEDS) <= 0.3 * len(SEEDS)


def test_who_waits_is_counted_once_and_the_wait_is_as_long_as_it_was() -> None:
    _, story = told(waiting, 5, Eyes(missed=0.2))
    [track], [event] = story.tracks.values(), story.events.values()
    assert track.last_seen_ns - track.first_seen_ns > 120 * NS_PER_S
    assert event.ended_ns == track.last_seen_ns


def test_a_camera_that_goes_away_lets_go_of_who_sat_still() -> None:
    people, _ = waiting(np.random.default_rng(1))
    results = seen(people, 60, 1)
    gone = seen([], 30, 2)
    moved = [
        (type(result)("c1", 0, 300 + k, result.at_ns + 60 * NS_PER_S, 1920, 1080, result.look), whose)
        for k, (result, whose) in enumerate(gone)
    ]
    story = followed([*results, *moved])
    [track] = story.tracks.values()
    assert track.closed
    assert track.last_seen_ns <= 60 * NS_PER_S
