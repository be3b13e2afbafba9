"""Reports held against the truth: which passages are right, missed, counted twice, and which events are invented."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np
from scipy.optimize import linear_sum_assignment

from infra.demo.truth import Truth, TruthTrack
from infra.identity import SAME_IOU, TIMED_S, box_at, identity, iou
from storage.report import EventReport, TrackReport
from storage.words import EVENT_LABELS

SAME_SHARE: Final = 0.5
"""A track and a true one are the same passage when their boxes overlap by `SAME_IOU` during at least this share of the
time in which both are there."""


class TruthScore(msgspec.Struct, frozen=True):
    """How a report compares with the truth.

    Attributes:
        tracks: true passages.
        right: those found once, with their label.
        missed: those not found at all.
        invented_events: events of nobody, or of somebody who never broke the rule for the dwell time.
        counted_twice: further tracks of a passage that was found.
        id_switches: how often a person's track became another one; see `infra.identity`.
        fragments: how often a person's track was interrupted, and went on.
    """

    tracks: int
    right: int
    missed: int
    invented_events: int
    counted_twice: int
    id_switches: int = 0
    fragments: int = 0


@dataclass(frozen=True, slots=True)
class Matching:
    """Which true passage each of our tracks is, and the score."""

    true_of: dict[str, str]
    doubles: dict[str, str]
    score: TruthScore


def score(
    tracks: Sequence[TrackReport],
    events: Sequence[EventReport],
    truth: Truth,
    *,
    dwell_s: float = 1.0,
    until_s: float = math.inf,
) -> Matching:
    """Hold what was found in some footage against its truth.

    True and found tracks are matched one to one, so that the time during which they overlap is largest in total.

    Args:
        tracks: as reports give them.
        events: likewise.
        truth: of the same footage.
        dwell_s: how long a breach had to last.
        until_s: true passages that end later are not expected yet.
    """
    overlap = np.zeros((len(tracks), len(truth.tracks)))
    for row, track in enumerate(tracks):
        for column, true in enumerate(truth.tracks):
            overlap[row, column] = _overlapping_samples(track, true)
    true_of: dict[str, str] = {}
    for row, column in zip(*(each.tolist() for each in linear_sum_assignment(-overlap)), strict=True):
        if overlap[row, column] > 0:
            true_of[tracks[row].id] = truth.tracks[column].id
    doubles = {}
    for row, track in enumerate(tracks):
        if track.id not in true_of and overlap.shape[1] and overlap[row].max() > 0:
            doubles[track.id] = truth.tracks[int(overlap[row].argmax())].id
    by_id = {true.id: true for true in truth.tracks}
    labels = {track.id: track.label for track in tracks}
    due = {true.id for true in truth.tracks if true.boxes[-1][0] <= until_s}
    right = sum(true in due and labels[ours] == by_id[true].label for ours, true in true_of.items())
    followed = identity(tracks, truth, until_s=until_s)
    known = true_of | doubles
    invented = sum(
        event.track_id not in known or not _broke_rule(by_id[known[event.track_id]], event, dwell_s) for event in events
    )
    return Matching(
        true_of,
        doubles,
        TruthScore(
            tracks=len(due),
            right=right,
            missed=len(due - set(true_of.values())),
            invented_events=invented,
            counted_twice=len(doubles),
            id_switches=followed.id_switches,
            fragments=followed.fragments,
        ),
    )


def added(scores: Sequence[TruthScore]) -> TruthScore:
    """The score of several reports together."""
    return TruthScore(*(sum(column) for column in zip(*(msgspec.structs.astuple(s) for s in scores), strict=True)))


def _overlapping_samples(track: TrackReport, true: TruthTrack) -> int:
    """Samples at which the boxes overlap; 0 where that is too small a share to be the same passage."""
    both = same = 0
    for time_s, *box in track.boxes:
        there = box_at(true.boxes, time_s, TIMED_S)
        if there is not None:
            both += 1
            same += int(iou((box[0], box[1], box[2], box[3]), there) >= SAME_IOU)
    return same if both and same >= SAME_SHARE * both else 0


def _broke_rule(true: TruthTrack, event: EventReport, dwell_s: float) -> bool:
    """Whether the person broke the rule for the dwell time at some time of the event; two samples of tolerance."""
    stretches = true.stretches or ((true.boxes[0][0], true.boxes[-1][0], true.label),)
    return any(
        label in EVENT_LABELS
        and end_s - start_s >= dwell_s - 0.4
        and start_s <= event.ended_s + 0.4
        and end_s >= event.started_s - 0.4
        for start_s, end_s, label in stretches
    )
