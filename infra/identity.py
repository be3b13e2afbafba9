"""How well tracks keep people apart and together, moment by moment: the field's own figures for trackers.

Identity switches and accuracy by CLEAR MOT (Bernardin and Stiefelhagen, "Evaluating multiple object tracking performance",
2008), fragments by Li, Huang and Nevatia ("Learning to associate", CVPR 2009), IDF1 by Ristani et al. ("Performance measures
and a data set for multi-target, multi-camera tracking", 2016); with an IoU of 0.3, since faces are small.
"""

import math
from bisect import bisect_left
from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from infra.demo.truth import Truth
from storage.report import TrackReport

SAME_IOU: Final = 0.3
MOMENT_S: Final = 0.2
"""Time between two moments at which tracks and truth are compared."""

TIMED_S: Final = 0.25
"""Truth is given every 0.2 s; between two of its boxes further apart than this the face is not to be seen."""

BRIDGED_S: Final = 2.5
"""Between two sightings no further apart a track is where the straight line says: a still picture is looked at every 2 s."""

Place = tuple[float, float, float, float]
Boxes = Sequence[tuple[float, float, float, float, float]]


class Identity(msgspec.Struct, frozen=True):
    """Sums over all moments of some footage.

    Attributes:
        truths: faces to be seen, one for each person and moment.
        found: those with a track over them.
        invented: boxes of tracks over nobody.
        id_switches: how often a person's track is another one than before.
        fragments: how often a person who is to be seen has no track for a while, and then one again.
        id_found: faces found while every person has one track alone, the best one for all.
    """

    truths: int
    found: int
    invented: int
    id_switches: int
    fragments: int
    id_found: int

    @property
    def mota(self) -> float:
        """Multiple object tracking accuracy, at most 1; NaN where nobody was to be seen."""
        wrong = self.truths - self.found + self.invented + self.id_switches
        return 1.0 - wrong / self.truths if self.truths else math.nan

    @property
    def idf1(self) -> float:
        """Share of faces under the right identity (harmonic mean of precision and recall); NaN where there is nothing."""
        both = self.truths + self.found + self.invented
        return 2.0 * self.id_found / both if both else math.nan


def identity(tracks: Sequence[TrackReport], truth: Truth, *, until_s: float = math.inf) -> Identity:
    """Follow every true person through some footage, and say which track is over the face.

    Args:
        tracks: as reports give them.
        truth: of the same footage.
        until_s: moments after it do not count.
    """
    ends = [track.boxes[-1][0] for track in tracks if track.boxes]
    ends += [person.boxes[-1][0] for person in truth.tracks if person.boxes]
    last_s = min(until_s, max(ends, default=-1.0))
    shared = np.zeros((len(truth.tracks), len(tracks)), np.int64)
    follower = _Follower()
    truths = invented = 0
    for number in range(math.floor(last_s / MOMENT_S + 1e-6) + 1):
        people = [box_at(person.boxes, number * MOMENT_S, TIMED_S) for person in truth.tracks]
        ours = [box_at(track.boxes, number * MOMENT_S, BRIDGED_S) for track in tracks]
        overlaps = np.array([[iou(one, other) for other in ours] for one in people]).reshape(shared.shape)
        shared += overlaps >= SAME_IOU
        truths += len(people) - people.count(None)
        over = follower.take(overlaps, [place is not None for place in people])
        # Where nothing was seen, nothing was invented: between two sightings the person may be hidden.
        invented += sum(
            box_at(track.boxes, number * MOMENT_S, TIMED_S) is not None
            for index, track in enumerate(tracks)
            if index not in over
        )
    rows, columns = linear_sum_assignment(-shared)
    return Identity(
        truths=truths,
        found=follower.found,
        invented=invented,
        id_switches=follower.switches,
        fragments=follower.fragments,
        id_found=int(shared[rows, columns].sum()),
    )


class _Follower:
    """Keeps to a person's track while it is over the face (CLEAR MOT), and counts what becomes of it."""

    def __init__(self) -> None:
        self.found = self.switches = self.fragments = 0
        self._now: dict[int, int] = {}
        self._last: dict[int, int] = {}

    def take(self, overlaps: NDArray[np.float64], seen: Sequence[bool]) -> set[int]:
        """Go on to the next moment, and say which tracks are over a face.

        Args:
            overlaps: (people, tracks) IoU, 0 where one of them is not there.
            seen: which of the people are to be seen.
        """
        kept = {person: track for person, track in self._now.items() if overlaps[person, track] >= SAME_IOU}
        left = overlaps.copy()
        left[list(kept), :] = 0.0
        left[:, list(kept.values())] = 0.0
        left[left < SAME_IOU] = 0.0
        rows, columns = linear_sum_assignment(-left)
        new = {
            row: column for row, column in zip(rows.tolist(), columns.tolist(), strict=True) if left[row, column] > 0.0
        }
        for person, track in new.items():
            if person in self._last:
                self.switches += self._last[person] != track
                # Somebody who could not be seen meanwhile was not cut in two.
                self.fragments += person not in self._now
        unseen = {person: track for person, track in self._now.items() if not seen[person]}
        self.found += len(kept) + len(new)
        self._now = unseen | kept | new
        self._last |= new
        return {*kept.values(), *new.values()}


def box_at(boxes: Boxes, time_s: float, bridged_s: float) -> Place | None:
    """The box at a time, on a straight line between its neighbours; None where these are further apart than `bridged_s`."""
    times = [box[0] for box in boxes]
    after = bisect_left(times, time_s - 1e-3)
    if after < len(times) and abs(times[after] - time_s) < 1e-3:
        _, *place = boxes[after]
        return place[0], place[1], place[2], place[3]
    if after in {0, len(times)} or times[after] - times[after - 1] > bridged_s:
        return None
    before, follower = boxes[after - 1], boxes[after]
    share = (time_s - before[0]) / (follower[0] - before[0])
    x, y, width, height = (one + share * (other - one) for one, other in zip(before[1:], follower[1:], strict=True))
    return x, y, width, height


def iou(one: Place | None, other: Place | None) -> float:
    """Intersection over union of two boxes; 0 where one is not there."""
    if one is None or other is None:
        return 0.0
    width = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    height = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    return width * height / (one[2] * one[3] + other[2] * other[3] - width * height)
