"""What benchmark cameras show: an empty corridor in which two people pass now and then, over and over, and the truth of that."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Final

import msgspec

from infra.bench.clips import activity, later
from infra.demo.kept import kept_clip
from infra.demo.scene import DemoClip
from infra.demo.script import small_clip
from infra.demo.truth import Truth, TruthTrack, load_truth, truth_path
from infra.rtsp.tape import Stream
from storage.errors import UsageError

DISTINCT: Final = 2
"""More clips than this take longer to render than they tell."""

VISIT_S: Final = 6.8
PEOPLE: Final = 2
LEAST_ACTIVITY, MOST_ACTIVITY = 0.02, 0.3

LEAD_S: Final = 8.0
"""Nobody comes before, so that a system that starts has come up by then on most machines."""

KEYFRAME_S: Final = 3.0
"""A stream begins with a keyframe, which may lie this much before the time asked for."""


@dataclass(frozen=True, slots=True)
class Loop:
    """A clip that is shown over and over.

    Attributes:
        path: the clip.
        truth: of one pass.
        busy: from when to when somebody is on the way, in seconds.
    """

    path: Path
    truth: Truth
    busy: tuple[float, float]

    def stream(self, number: int, cameras: int) -> Stream:
        """For one of several cameras: the later its number, the later the first people come."""
        start_s, end_s = self.busy
        spare_s = self.truth.duration_s - (end_s - start_s) - LEAD_S - KEYFRAME_S
        wait_s = LEAD_S + spare_s * number / cameras
        return Stream(self.path, start_s=round((start_s - wait_s) % self.truth.duration_s, 3))

    def shown(self, started_s: float, until_s: float) -> Truth:
        """The truth of a stream, in seconds from its first picture.

        Args:
            started_s: time in the clip of the first picture, at which nobody is on the way.
            until_s: passages that begin later are left out.
        """
        tracks: list[TruthTrack] = []
        for number in count():
            by_s = number * self.truth.duration_s - started_s
            if by_s + self.busy[0] > until_s:
                break
            tracks += [moved(track, by_s, number) for track in self.truth.tracks if by_s + track.boxes[0][0] >= 0]
        return msgspec.structs.replace(self.truth, duration_s=until_s, tracks=tuple(tracks))


def camera_loops(folder: Path, share: float, *, width: int = 1920, height: int = 1080) -> tuple[Loop, ...]:
    """A few clips, 25 frames a second, made once and kept in `folder`.

    Args:
        folder: for the clips.
        share: of the time in which somebody is on the way, 0.02 to 0.3.
        width: of the picture.
        height: likewise.

    Raises:
        UsageError: `share` is out of range.
        SetupError: the demo's portrait is missing.
        StorageError: they can't be written.
    """
    if not LEAST_ACTIVITY <= share <= MOST_ACTIVITY:
        raise UsageError(f"--activity {share:g}: this benchmark takes {LEAST_ACTIVITY} to {MOST_ACTIVITY}")
    return tuple(
        _loop(clip, folder / f"camera{number}-{width}x{height}-activity{100 * share:g}.mp4")
        for number, clip in zip(range(1, DISTINCT + 1), _visits(share, width, height), strict=False)
    )


def _visits(share: float, width: int, height: int) -> Iterator[DemoClip]:
    for seed in count(1):
        visit = small_clip(width, height, VISIT_S, PEOPLE, seed)
        duration_s = round(activity(visit) * VISIT_S / share, 1)
        walkers = tuple(later(walker, round((duration_s - VISIT_S) / 2, 1)) for walker in visit.walkers)
        yield replace(visit, duration_s=duration_s, walkers=walkers)


def _loop(clip: DemoClip, path: Path) -> Loop:
    path = kept_clip(clip, path)
    busy = min(walker.from_s for walker in clip.walkers), max(walker.until_s for walker in clip.walkers)
    return Loop(path, load_truth(truth_path(path)), busy)


def moved(track: TruthTrack, by_s: float, number: int) -> TruthTrack:
    """The same passage so many seconds later, as the one of a pass by its number."""
    return TruthTrack(
        f"{track.id}-{number}",
        track.label,
        tuple((round(at_s + by_s, 3), *box) for at_s, *box in track.boxes),  # type: ignore[misc] # four numbers
        tuple((round(start_s + by_s, 3), round(end_s + by_s, 3), label) for start_s, end_s, label in track.stretches),
    )
