"""Which found face is whose: the tracks of one camera and the faces of its next result."""

import math
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
import numpy as np
from scipy.optimize import linear_sum_assignment

from classify.motion_model import measured
from classify.rules import CONFIRMED_FACES, Rules
from classify.tracks import FoldState, TrackState
from storage.messages import NS_PER_S, Box, Face, Result

GATE: Final = 20.0
"""Largest squared deviation of a match; three degrees of freedom, 99.98 %."""

REACH_WIDTHS: Final = 3.0
"""However uncertain a prediction is, a match is never further away than this."""

UNSURE_REACH_WIDTHS: Final = 0.7

HEAD_WIDTHS: Final = 0.8
"""Centres of two heads side by side are at least this far apart, in widths of the larger; a find that is nearer to another
face starts no track of its own."""

RECENT_NS: Final = 1 * NS_PER_S
"""Nor does one as near to where a track is expected that was seen this recently."""


def match(state: FoldState, result: Result, rules: Rules) -> dict[int, TrackState]:
    """Give found faces to tracks: first to those seen often enough to be sure of, then to the new ones."""
    for track in state.tracks:
        dt_s = (result.at_ns - track.predicted_ns) / NS_PER_S
        if dt_s > 0.0:
            track.motion.predict(dt_s)
            track.predicted_ns = result.at_ns
    established = [track for track in state.tracks if track.faces >= CONFIRMED_FACES]
    new = [track for track in state.tracks if track.faces < CONFIRMED_FACES]
    sure = rules.start_score
    matches = _assigned(established, result.faces, range(len(result.faces)), sure)
    matches |= _swerved(established, matches, result, sure)
    # A new track knows no speed and would claim almost any face nearby.
    left = [index for index in range(len(result.faces)) if index not in matches]
    return matches | _assigned(new, result.faces, left, sure)


def _swerved(
    tracks: Sequence[TrackState], matches: Mapping[int, TrackState], result: Result, sure: float
) -> dict[int, TrackState]:
    """What is left over on both sides: somebody who was seen a moment ago has stopped or turned around all at once."""
    found = {track.number for track in matches.values()}
    left = [track for track in tracks if track.number not in found and result.at_ns - track.last_ns <= RECENT_NS]
    indices = [index for index in range(len(result.faces)) if index not in matches]
    if not left or not indices:
        return {}
    loose = {track.number: msgspec.structs.replace(track, motion=track.motion.loosened()) for track in left}
    swerved = _assigned(list(loose.values()), result.faces, indices, sure)
    by_number = {track.number: track for track in left}
    for track in swerved.values():
        by_number[track.number].motion = track.motion
    return {index: by_number[track.number] for index, track in swerved.items()}


def _assigned(
    tracks: Sequence[TrackState], faces: Sequence[Face], indices: Sequence[int], sure: float
) -> dict[int, TrackState]:
    """The assignment under which the likelihood of all matches together is largest."""
    if not tracks or not indices:
        return {}
    impossible = 1e6
    costs = np.full((len(tracks), len(indices)), impossible)
    for row, track in enumerate(tracks):
        for column, index in enumerate(indices):
            face = faces[index]
            cost, deviation, widths = track.motion.compare(face.box)
            reach = REACH_WIDTHS if sureness(face) >= sure else UNSURE_REACH_WIDTHS
            if deviation <= GATE and widths <= reach:
                costs[row, column] = cost + track.breach.surprise(face)
    rows, columns = linear_sum_assignment(costs)
    return {
        indices[column]: tracks[row]
        for row, column in zip(rows.tolist(), columns.tolist(), strict=True)
        if costs[row, column] < impossible
    }


def sureness(face: Face) -> float:
    """How sure detector and classifier together are that this is a face, in [0, 1]."""
    return face.detection_score * face.presence


def is_part(index: int, result: Result, matches: Mapping[int, TrackState], tracks: Sequence[TrackState]) -> bool:
    """Whether a face without a track is more likely the same head as another find, or as a track that was just seen."""
    face, faces = result.faces[index], result.faces
    recent = (track.motion.box for track in tracks if result.at_ns - track.last_ns <= RECENT_NS)
    surer = (
        faces[other].box
        for other in range(len(faces))
        if other != index and (other in matches or faces[other].detection_score > face.detection_score)
    )
    return any(_one_head(face.box, other) for other in (*recent, *surer))


def _one_head(one: Box, other: Box) -> bool:
    """Whether two boxes lie too close together to be two heads."""
    (x, y, log_size), (other_x, other_y, other_log_size) = measured(one), measured(other)
    return math.hypot(x - other_x, y - other_y) < HEAD_WIDTHS * math.exp(max(log_size, other_log_size))
