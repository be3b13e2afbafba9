"""The choreography: who walks when and where, with which mask. Seeded; the same seed gives the same clips.

Passages are drawn at random and kept only when they make fair footage: everybody is seen long enough, nobody is
hidden for long, nobody walks through somebody else.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

import numpy as np

from infra.demo.masks import MaskStyle, Wearing
from infra.demo.people import MASKS, PLAIN_MASKS, Person, cast
from infra.demo.scene import CEILING_M, Block, Corridor, DemoClip, Lens, Stage, Walker, Waypoint
from infra.demo.sight import Sighting, sightings
from storage.errors import UsageError

Habit = Literal["proper", "bare", "nose_out", "chin_only", "mixed"]
Route = Literal["approach", "cross", "leave", "enter"]
MAX_HIDDEN_S = 0.6
MIN_SEEN_S = 2.5
_MARGIN_SEEN_S = 0.5
_PUT_ON: tuple[tuple[float, Wearing], ...] = ((-0.35, "chin_only"), (-0.15, "nose_out"), (0.0, "proper"))
_ENTRANCE: tuple[Habit, ...] = (
    "proper", "bare", "mixed", "proper", "nose_out", "proper", "mixed", "chin_only", "bare", "proper")  # fmt: skip
_WARD: tuple[Habit, ...] = (
    "bare", "proper", "proper", "mixed", "bare", "proper", "nose_out", "mixed", "proper", "bare")  # fmt: skip


def demo_clips(seed: int = 7) -> tuple[DemoClip, DemoClip]:
    """The demo's two cameras, `entrance` and `ward`: 1920x1080, 25 fps, 40 s, ten people each.

    Of the twenty 8 wear a mask properly, 5 none, 3 with the nose or the whole face out, and 4 put theirs on after
    about a quarter of their way.
    """
    return (
        _staged("entrance", Lens(1920, 1080), 40.0, _ENTRANCE, seed),
        _staged("ward", Lens(1920, 1080), 40.0, _WARD, seed + 1),
    )


def small_clip(
    width: int = 960, height: int = 540, duration_s: float = 10.0, persons: int = 3, seed: int = 1
) -> DemoClip:
    """A short clip for tests: the same kind of corridor, smaller, 25 fps.

    Raises UsageError for a picture below 800x450, odd sizes (H.264 has none), less than 5 s, or no or more than
    20 persons.
    """
    if width < 800 or height < 450 or width % 2 or height % 2:
        raise UsageError(f"a demo clip of {width}x{height} is not possible: use even sizes of at least 800x450")
    if duration_s < 5 or not 1 <= persons <= 20:
        raise UsageError("a demo clip lasts at least 5 s and has 1 to 20 persons; choose other numbers")
    habits: tuple[Habit, ...] = ("mixed", "bare", "proper", "nose_out", "proper", "chin_only")
    return _staged("entrance", Lens(width, height), duration_s, tuple(habits[k % 6] for k in range(persons)), seed)


@dataclass(frozen=True)
class _Set:
    """The stage: the corridor, the nearest depth for a face, and where people come in from the sides."""

    lens: Lens
    corridor: Corridor
    near_m: float
    enter_m: float


def _set(camera: Literal["entrance", "ward"], lens: Lens) -> _Set:
    """The corridor grows with the picture, so that faces are 28 px wide at its end and 150 px in front (at 1080p)."""
    half = 2.5 * (lens.width / 1920) ** 0.65
    near = lens.depth_of_face(min(150.0, 0.139 * lens.height))
    length = max(lens.depth_of_face(33.5), near * 2.2)
    pale, side = (0.73, 0.72, 0.68), 1 if camera == "entrance" else -1
    pillar_z = 0.62 * length
    pillar = Block(side * 0.52 * half - 0.09, pillar_z, 0.18, CEILING_M, 0.22, pale)
    bench = Block(-side * half - 0.25, 0.45 * length, 0.75, 0.46, 1.7, (0.34, 0.42, 0.52))
    desk = Block(side * half - 0.35, 0.36 * length, 0.70, 1.02, 1.3, (0.62, 0.50, 0.36))
    return _Set(lens, Corridor(camera, half, length, (pillar, bench, desk)), near, min(near * 2.7, half * 2.55))


def _staged(
    camera: Literal["entrance", "ward"], lens: Lens, duration_s: float, habits: tuple[Habit, ...], seed: int
) -> DemoClip:
    """A fair choreography; a search that ends in a corner begins anew from another place."""
    for fresh in range(8):
        clip = _search(camera, lens, duration_s, habits, seed, np.random.default_rng((seed, fresh)))
        if clip is not None:
            ordered = sorted(clip.walkers, key=lambda walker: walker.from_s)
            return replace(clip, walkers=tuple(replace(w, id=f"p{k + 1}") for k, w in enumerate(ordered)))
    raise UsageError(
        f"no fair choreography for {len(habits)} persons in {duration_s:g} s with seed {seed}: "
        "give a longer clip, fewer persons or another seed"
    )


def _search(
    camera: Literal["entrance", "ward"],
    lens: Lens,
    duration_s: float,
    habits: tuple[Habit, ...],
    seed: int,
    rng: np.random.Generator,
) -> DemoClip | None:
    """Place one walker after the other, each drawn again until the footage is fair; None where that fails."""
    place = _set(camera, lens)
    people = cast(len(habits), camera == "ward", rng)
    masks = [MASKS[k] for k in rng.permutation(len(MASKS))]
    plain = [PLAIN_MASKS[k] for k in rng.permutation(len(PLAIN_MASKS))]
    clip = DemoClip(camera, lens, 25, duration_s, place.corridor, (), seed)
    routes: tuple[Route, ...] = ("approach", "approach", "cross", "approach", "leave", "approach")
    for k, habit in enumerate(habits):
        route: Route = "enter" if habit == "mixed" else routes[(k + seed) % len(routes)]
        hard = habit in ("nose_out", "chin_only", "mixed")
        mask = plain[k % len(plain)] if hard else masks[k % len(masks)]
        share = k / max(1, len(habits) - 1)
        for attempt in range(150):
            points, speed = _route(route, place, rng)
            path = _timed(points, speed, min(0.66 * duration_s, 12.5))
            # Evenly spread over the clip; the longer the search, the farther from the even spacing.
            spare, loose = duration_s - path[-1].at_s - 0.6, 0.4 + attempt / 60
            start = min(max(0.2, 0.3 + share * spare + float(rng.uniform(-loose, loose))), spare)
            walker = _walker(f"p{k + 1}", people[k], mask, habit, path, start)
            candidate = replace(clip, walkers=(*clip.walkers, walker))
            if _fair(candidate):
                clip = candidate
                break
        else:
            return None
    return clip


def _walker(name: str, who: Person, mask: MaskStyle, habit: Habit, path: list[Waypoint], start_s: float) -> Walker:
    shifted = tuple(Waypoint(round(p.at_s + start_s, 3), p.x_m, p.z_m) for p in path)
    if habit != "mixed":
        stages: tuple[Stage, ...] = (Stage(shifted[0].at_s, habit),)
    else:
        # An `enter` path stands still from its third to its fourth waypoint: there the mask goes on.
        moment = shifted[3].at_s - 0.2
        put_on = (Stage(round(moment + before, 3), worn) for before, worn in _PUT_ON)
        stages = (Stage(shifted[0].at_s, "bare"), *put_on)
    return Walker(name, who.head, who.body, mask, stages, shifted, who.height_m, who.gait)


def _route(route: Route, place: _Set, rng: np.random.Generator) -> tuple[list[tuple[float, float]], float]:
    """Places (x, z) in metres along a route, and the walking speed in m/s. A place given twice is a halt."""
    lens, half, length, near = place.lens, place.corridor.half_width_m, place.corridor.length_m, place.near_m
    side, out = (1 if rng.random() < 0.5 else -1), (1 if rng.random() < 0.5 else -1)
    lane = float(rng.uniform(-0.75, 0.75)) * lens.half_view(near)

    def edge(z: float) -> float:
        return lens.half_view(z) + 0.32

    last = near * float(rng.uniform(0.95, 1.12))
    exit_ = [(lane, last * 1.55), (lane + out * 0.10, last * 1.25), (out * edge(last), last)]
    if route == "approach":
        deep = length + 0.85
        start = [(side * (half + 0.35), deep), (side * half * 0.62, length + 0.30), (side * half * 0.35, length * 0.86)]
        return [*start, ((lane + side * half * 0.2) / 2, length * 0.5), *exit_], float(rng.uniform(1.12, 1.32))
    if route == "enter":
        z = place.enter_m * float(rng.uniform(0.88, 1.0))
        stop = (side * lens.half_view(z) * 0.42, z * 0.90)
        ways = [(side * edge(z), z), (side * lens.half_view(z) * 0.72, z * 0.95), stop, stop]
        return [*ways, ((lane + stop[0]) / 2, (z * 0.9 + last * 1.55) / 2), *exit_], float(rng.uniform(0.68, 0.78))
    if route == "cross":
        # In the smallest pictures, who enters is nearer than that.
        low, high = sorted((near * 1.4, place.enter_m * 0.9))
        z = float(rng.uniform(low, high))
        return [(side * edge(z), z), (0.0, z * 0.96), (-side * edge(z), z)], float(rng.uniform(0.62, 0.78))
    z, far = near * 1.3, place.enter_m * 0.95
    return [(side * edge(z), z), (side * lens.half_view(z) * 0.4, z * 1.12), (-side * edge(far), far)], 0.72


def _timed(points: list[tuple[float, float]], speed: float, longest_s: float) -> list[Waypoint]:
    """The route as waypoints from 0 s on: constant speed, 1.2 s for a halt, faster where it would last too long."""
    at, times = 0.0, [0.0]
    for (x0, z0), (x1, z1) in pairwise(points):
        way = float(np.hypot(x1 - x0, z1 - z0))
        at += way / speed if way > 0 else 1.2
        times.append(at)
    hurry = max(1.0, at / longest_s)
    return [Waypoint(t / hurry, x, z) for t, (x, z) in zip(times, points, strict=True)]


def _fair(clip: DemoClip) -> bool:
    """Whether the newest walker fits in: see MIN_SEEN_S, MAX_HIDDEN_S; and nobody collides."""
    newest = clip.walkers[-1]
    meets = [w for w in clip.walkers if w.from_s < newest.until_s and newest.from_s < w.until_s]
    for t in np.arange(newest.from_s, newest.until_s, 0.2):
        own = newest.position(float(t))
        for other in meets[:-1]:
            theirs = other.position(float(t))
            if own and theirs and np.hypot(own.x_m - theirs.x_m, own.z_m - theirs.z_m) < 0.48:
                return False
    return all(_fairly_seen(sightings(clip, walker, 0.1), 0.1) for walker in meets)


def _fairly_seen(faces: list[Sighting], step_s: float) -> bool:
    seen = [k for k, face in enumerate(faces) if face.seen]
    if len(seen) * step_s < MIN_SEEN_S + _MARGIN_SEEN_S:
        return False
    return longest_gap_s(faces, step_s) <= MAX_HIDDEN_S and min(faces[k].box[2] for k in seen) >= 27.5


def longest_gap_s(faces: list[Sighting], step_s: float) -> float:
    """The longest time in seconds, between first and last sighting, for which a face is hidden."""
    seen = [k for k, face in enumerate(faces) if face.seen]
    return max((b - a - 1 for a, b in pairwise(seen)), default=0) * step_s
