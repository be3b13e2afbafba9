"""Footage to measure on: 1080p25 clips from the demo's corridor, made once and kept."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from infra.demo.kept import kept_clip
from infra.demo.scene import DemoClip, Stage, Walker, Waypoint
from infra.demo.script import small_clip
from storage.errors import UsageError

ACTIVITY: Final = 0.3
"""Share of the time with people in the picture, by which the ordinary camera is judged."""

SHORTEST_S: Final = 5
SHORTEST_QUIET_S: Final = 20
"""A passage takes about five seconds; in less than this it would not be `ACTIVITY` of the time."""

LONGEST_S: Final = 80
_A_PERSON_S: Final = 4.0
"""As dense as the demo: somebody new every so often."""


@dataclass(frozen=True, slots=True)
class BenchClips:
    """Files of footage with few and with many people, and the share of the time with people in the former."""

    quiet: Path
    busy: Path
    activity: float


def bench_clips(folder: Path, seconds: float) -> BenchClips:
    """Both kinds of footage, `seconds` long, in `folder`.

    Raises:
        UsageError: `seconds` is out of range.
        SetupError: the demo's portrait is missing.
    """
    quiet, busy = quiet_clip(seconds), busy_clip(seconds)
    # Refused before anything is rendered, if at all.
    path = kept_clip(quiet, folder / f"activity30-{seconds:g}s.mp4")
    return BenchClips(path, kept_clip(busy, folder / f"busy-{seconds:g}s.mp4"), activity(quiet))


def busy_footage(folder: Path, seconds: float) -> Path:
    """The busy kind alone; raises the same."""
    return kept_clip(busy_clip(seconds), folder / f"busy-{seconds:g}s.mp4")


def busy_clip(seconds: float) -> DemoClip:
    """Footage in which there is always somebody.

    Raises:
        UsageError: `seconds` is out of range.
    """
    _check(seconds, SHORTEST_S)
    return small_clip(1920, 1080, seconds, max(1, round(seconds / _A_PERSON_S)))


def quiet_clip(seconds: float) -> DemoClip:
    """Footage with people in `ACTIVITY` of the time: an empty corridor, people, an empty corridor.

    Raises:
        UsageError: `seconds` is out of range.
    """
    _check(seconds, SHORTEST_QUIET_S)
    # The first enter a moment after the start and the last leave a moment before the end.
    visit_s = ACTIVITY * seconds + 0.8
    visit = small_clip(1920, 1080, visit_s, max(1, round(visit_s / _A_PERSON_S)))
    walkers = tuple(later(walker, round((seconds - visit_s) / 2, 1)) for walker in visit.walkers)
    return replace(visit, duration_s=seconds, walkers=walkers)


def activity(clip: DemoClip) -> float:
    """Share of the time in which somebody is on the way, in [0, 1]."""
    busy_s, until_s = 0.0, 0.0
    for walker in sorted(clip.walkers, key=lambda walker: walker.from_s):
        busy_s += max(0.0, walker.until_s - max(until_s, walker.from_s))
        until_s = max(until_s, walker.until_s)
    return busy_s / clip.duration_s


def later(walker: Walker, by_s: float) -> Walker:
    """The same person on the same way, so many seconds later."""
    path = tuple(Waypoint(round(point.at_s + by_s, 3), point.x_m, point.z_m) for point in walker.path)
    stages = tuple(Stage(round(stage.from_s + by_s, 3), stage.wearing) for stage in walker.stages)
    return replace(walker, path=path, stages=stages)


def _check(seconds: float, shortest: float) -> None:
    if not shortest <= seconds <= LONGEST_S:
        raise UsageError(f"--seconds {seconds:g}: this benchmark takes {shortest} to {LONGEST_S} s of footage")
