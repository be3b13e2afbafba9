"""People in front of a camera as the detector would see them: seeded, with misses, jitter and faces that hide each other."""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from classify.fold import FoldState, Rules, finish, fold
from storage.messages import NS_PER_S, Event, Face, Look, Result, Track
from storage.words import MASK_LABELS, Label

STEP_S = 0.2
FULL_LOOK_S = 2.0
WIDTH, HEIGHT = 1920, 1080
OWN_SHARE = 0.8

Way = Callable[[float], tuple[float, float, float] | None]
"""Centre x, centre y and width of a face in pixels, at a time in seconds; None where the person is not there."""


@dataclass(frozen=True)
class Person:
    """Who walks where.

    Attributes:
        way: of the face.
        label: what the person wears.
        away: times (from, to) in seconds at which the face is turned away or hidden.
    """

    way: Way
    label: Label = Label.WITH_MASK
    away: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True)
class Eyes:
    """How well the detector sees.

    Attributes:
        missed: share of faces that it does not find.
        jitter: standard deviation of a box's place, in face widths.
        doubted: share of the looks at a face that is turned away in which something is found nevertheless.
    """

    missed: float = 0.08
    jitter: float = 0.06
    doubted: float = 0.25


@dataclass
class Seen:
    """What the fold made of it, and whose every sighting was."""

    tracks: dict[int, Track] = field(default_factory=dict)
    events: dict[int, Event] = field(default_factory=dict)
    given: dict[int, list[tuple[float, int]]] = field(default_factory=dict)
    """Per person the (time, track number) of each sighting."""

    def together(self, persons: int) -> bool:
        """Whether every person is one track, and each a different one: the same for `OWN_SHARE` of the sightings."""
        mains = set()
        for sightings in self.given.values():
            numbers = Counter(number for _, number in sightings)
            main, times = numbers.most_common(1)[0]
            if times >= OWN_SHARE * numbers.total() and main in self.tracks:
                mains.add(main)
        return len(self.given) == len(self.tracks) == len(mains) == persons

    @property
    def switches(self) -> int:
        """How often a sighting was given to another track than the one before."""
        return sum(one[1] != other[1] for sightings in self.given.values() for one, other in pairwise(sightings))


def line(start: tuple[float, float], speed: tuple[float, float], size: float, from_s: float, until_s: float) -> Way:
    """Straight ahead at a constant speed in pixels a second."""

    def way(t: float) -> tuple[float, float, float] | None:
        if not from_s <= t <= until_s:
            return None
        return start[0] + speed[0] * (t - from_s), start[1] + speed[1] * (t - from_s), size

    return way


def seen(people: Sequence[Person], duration_s: float, seed: int, eyes: Eyes = Eyes()) -> list[tuple[Result, list[int]]]:
    """The results of a scene, and for each face whose it is."""
    dice = np.random.default_rng(seed)
    results: list[tuple[Result, list[int]]] = []
    moved_s = [-math.inf] * len(people)
    full = -1
    for k in range(round(duration_s / STEP_S)):
        t = k * STEP_S
        places = [person.way(t) for person in people]
        for index, (person, place) in enumerate(zip(people, places, strict=True)):
            before = person.way(t - STEP_S)
            if (place is None) != (before is None) or (place and before and _moves(place, before)):
                moved_s[index] = t
        look = Look.FULL if int(t // FULL_LOOK_S) != full else Look.MOTION
        full = int(t // FULL_LOOK_S)
        movers = [place for place, at_s in zip(places, moved_s, strict=True) if place and t - at_s < 1.0]
        if look is Look.MOTION and not movers:
            results.append((_result(k, Look.NONE, []), []))
            continue
        found = []
        for index, place in enumerate(places):
            if place is None or (look is Look.MOTION and not any(_near(place, other) for other in movers)):
                continue
            face = _found(people[index], place, t, [p for p in places if p], eyes, dice)
            if face is not None:
                found.append((face, index))
        found.sort(key=lambda pair: pair[0].box[:2])
        results.append((_result(k, look, [face for face, _ in found]), [index for _, index in found]))
    return results


def followed(results: Sequence[tuple[Result, list[int]]], rules: Rules = Rules()) -> Seen:  # noqa: B008 frozen
    """What the fold makes of a scene."""
    state, story = FoldState(), Seen()
    for result, whose in results:
        changes = fold(state, result, rules)
        story.tracks |= {track.number: track for track in changes.tracks}
        story.events |= {event.track: event for event in changes.events}
        for sighting in changes.sightings:
            story.given.setdefault(whose[sighting.face], []).append((result.at_ns / NS_PER_S, sighting.track))
    changes = finish(state, rules)
    story.tracks |= {track.number: track for track in changes.tracks}
    story.events |= {event.track: event for event in changes.events}
    return story


def _moves(place: tuple[float, float, float], before: tuple[float, float, float]) -> bool:
    return math.hypot(place[0] - before[0], place[1] - before[1]) > 0.02 * place[2]


def _near(place: tuple[float, float, float], other: tuple[float, float, float]) -> bool:
    return math.hypot(place[0] - other[0], place[1] - other[1]) < 2.0 * max(place[2], other[2])


def _covered(place: tuple[float, float, float], others: Sequence[tuple[float, float, float]]) -> float:
    """The largest part of a face that a nearer (larger) person's head or shoulders hide."""
    x, y, size = place
    most = 0.0
    for other_x, other_y, other in others:
        if other <= size:
            continue
        head = (other_x - 0.6 * other, other_y - 0.7 * other, other_x + 0.6 * other, other_y + 0.6 * other)
        body = (other_x - 1.2 * other, other_y + 0.6 * other, other_x + 1.2 * other, other_y + 6.0 * other)
        for left, top, right, bottom in (head, body):
            across = min(x + size / 2, right) - max(x - size / 2, left)
            down = min(y + size / 2, bottom) - max(y - size / 2, top)
            most = max(most, max(0.0, across) * max(0.0, down) / size**2)
    return most


def _found(
    person: Person,
    place: tuple[float, float, float],
    t: float,
    others: Sequence[tuple[float, float, float]],
    eyes: Eyes,
    dice: np.random.Generator,
) -> Face | None:
    x, y, size = place
    away = any(start <= t < end for start, end in person.away)
    covered = _covered(place, others)
    # Drawn in any case, so that one person's fate does not change another's dice.
    chance, jitter, sure, score = dice.random(), dice.normal(0, eyes.jitter, 3), dice.random(), dice.normal(0.75, 0.1)
    thumbnail = dice.integers(0, 256, 64, np.uint8).tobytes()
    if not (0 < x < WIDTH and 0 < y < HEIGHT) or covered > 0.5:
        return None
    if (away and chance > eyes.doubted) or (not away and chance < eyes.missed + covered):
        return None
    if away:
        score = dice.normal(0.3, 0.06)
    x, y = x + jitter[0] * size, y + jitter[1] * size
    size *= math.exp(jitter[2])
    best = person.label if sure > 0.04 else Label.WITHOUT_MASK
    probability = 0.8 + 0.19 * float(dice.random())
    rest = (1.0 - probability) / 2.0
    one, two, three = (probability if label is best else rest for label in MASK_LABELS)
    return Face(
        box=(round(x - size / 2), round(y - size / 2), round(size), round(size)),
        detection_score=float(np.clip(score, 0.2, 0.97)),
        probabilities=(one, two, three),
        presence=0.95,
        sharpness=0.6,
        brightness=0.5,
        turn=0.95 if away else 0.1,
        thumbnail=thumbnail,
    )


def _result(k: int, look: Look, faces: list[Face]) -> Result:
    return Result("c1", 0, k, k * NS_PER_S // 5, WIDTH, HEIGHT, look, tuple(faces))
