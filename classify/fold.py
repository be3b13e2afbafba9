"""From the faces of one camera to its tracks and events: one deterministic fold over results in order.

`fold(state, result, rules)` is the whole of it. The state is plain data that can be stored and read back at any
point; the same results in the same order always give the same changes, bit for bit.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
import numpy as np
from scipy.optimize import linear_sum_assignment

from classify import quality
from classify.breach import LONGEST_GAP_NS, Breach
from classify.evidence import Evidence
from classify.motion_model import MotionModel, measured
from storage.messages import NS_PER_S, Box, Changes, Face, Result, Sighting, Track
from storage.words import Label, UnknownReason

GATE: Final = 20.0
"""Largest squared deviation of a match; three degrees of freedom, 99.98 %."""

REACH_WIDTHS: Final = 3.0
"""However uncertain a prediction is, a match is never further away than this."""

START_SCORE: Final = 0.33
"""Finds of which detector and classifier together are this sure (the product of score and presence) start a track; less
sure ones only continue one (Zhang et al., "ByteTrack", ECCV 2022), and only `UNSURE_REACH_WIDTHS` from where the face is
expected."""

UNSURE_REACH_WIDTHS: Final = 0.7

HEAD_WIDTHS: Final = 0.8
"""Centres of two heads side by side are at least this far apart, in widths of the larger; a find that is nearer to another
face starts no track of its own."""

RECENT_NS: Final = 1 * NS_PER_S
"""Nor does one as near to where a track is expected that was seen this recently."""

GONE_NS: Final = round(2.5 * NS_PER_S)
"""A walking person unseen for this long has gone; above the 2 s between looks at a still scene."""

NEW_GONE_NS: Final = round(1.2 * NS_PER_S)
"""A find that is not soon seen again was none."""

STANDING_GONE_NS: Final = 7 * NS_PER_S
"""A standing person may look down or be covered for longer."""

STANDING_WIDTHS: Final = 0.6
"""Slower than this, in face widths a second, is standing."""

CONFIRMED_FACES: Final = 3
CONFIRMED_PRESENCE: Final = 0.42
"""A passage counts with this many sightings, once the mean product of the detector's score and
the classifier's presence reaches this. Less is more often a false alarm: on real footage people had 0.46 and more, patterns
0.38 and less."""

LONGEST_TRACK_NS: Final = 600 * NS_PER_S
"""A longer track is labelled and counted at this limit and followed as the same track."""


class Rules(msgspec.Struct, frozen=True):
    """What the fold goes by.

    Attributes:
        dwell_ns: how long a breach must last.
        min_face_px: smallest face that is judged.
        sample_ns: time between two samples; where they are rare, people are waited for longer.
    """

    dwell_ns: int = NS_PER_S
    min_face_px: int = quality.MIN_FACE_PX
    sample_ns: int = NS_PER_S // 5


class TrackState(msgspec.Struct):
    """All that is remembered of a person in view."""

    number: int
    motion: MotionModel
    first_ns: int
    last_ns: int
    predicted_ns: int
    evidence: Evidence = msgspec.field(default_factory=Evidence)
    breach: Breach = msgspec.field(default_factory=Breach)
    thumbnail: bytes = b""
    settled: tuple[Label, float, UnknownReason | None] | None = None
    faces: int = 0
    presence: float = 0.0
    confirmed: bool = False

    def gone(self, at_ns: int, rules: Rules) -> bool:
        """Whether the person has been out of sight for too long to be still there."""
        if self.faces < CONFIRMED_FACES:
            limit_ns = NEW_GONE_NS
        else:
            limit_ns = STANDING_GONE_NS if self.motion.speed_widths < STANDING_WIDTHS else GONE_NS
        return at_ns - self.last_ns > max(limit_ns, round(2.5 * rules.sample_ns))


class FoldState(msgspec.Struct):
    """The memory of one camera: who is in view, and the last number given."""

    tracks: list[TrackState] = msgspec.field(default_factory=list)
    last_number: int = 0


def fold(state: FoldState, result: Result, rules: Rules) -> Changes:
    """Take in the next result of a camera.

    Args:
        state: brought up to date in place; it belongs to the caller alone.
        result: later than all before it.
        rules: the same for the whole life of a state.

    Returns:
        What changed; closed tracks appear for the last time.
    """
    closing: list[TrackState] = []
    staying: list[TrackState] = []
    for track in state.tracks:
        (closing if track.gone(result.at_ns, rules) else staying).append(track)
    state.tracks = staying
    matches = _match(state, result)
    sightings: list[Sighting] = []
    pictures: list[Sighting] = []
    changed: list[TrackState] = []
    for index, face in enumerate(result.faces):
        seen = matches.get(index)
        if seen is None:
            if _sureness(face) < START_SCORE or _is_part(index, result, matches, state.tracks):
                continue
            seen = _start(state, face, result.at_ns)
        best = _see(seen, face, result.at_ns, rules)
        sighting = Sighting(seen.number, index, seen.breach.present)
        sightings.append(sighting)
        changed.append(seen)
        if best:
            pictures.append(sighting)
    return _changes(closing, changed, sightings, pictures)


def finish(state: FoldState) -> Changes:
    """Close all tracks: the footage has ended."""
    closing, state.tracks = state.tracks, []
    return _changes(closing, [], [], [])


def _match(state: FoldState, result: Result) -> dict[int, TrackState]:
    """Give found faces to tracks: first to those seen often enough to be sure of, then to the new ones."""
    for track in state.tracks:
        dt_s = (result.at_ns - track.predicted_ns) / NS_PER_S
        if dt_s > 0.0:
            track.motion.predict(dt_s)
            track.predicted_ns = result.at_ns
    established = [track for track in state.tracks if track.faces >= CONFIRMED_FACES]
    new = [track for track in state.tracks if track.faces < CONFIRMED_FACES]
    matches = _assigned(established, result.faces, range(len(result.faces)))
    # A new track knows no speed and would claim almost any face nearby.
    return matches | _assigned(new, result.faces, [index for index in range(len(result.faces)) if index not in matches])


def _assigned(tracks: Sequence[TrackState], faces: Sequence[Face], indices: Sequence[int]) -> dict[int, TrackState]:
    """The assignment under which the likelihood of all matches together is largest."""
    if not tracks or not indices:
        return {}
    impossible = 1e6
    costs = np.full((len(tracks), len(indices)), impossible)
    for row, track in enumerate(tracks):
        for column, index in enumerate(indices):
            face = faces[index]
            cost, deviation, widths = track.motion.compare(face.box)
            reach = REACH_WIDTHS if _sureness(face) >= START_SCORE else UNSURE_REACH_WIDTHS
            if deviation <= GATE and widths <= reach:
                costs[row, column] = cost
    rows, columns = linear_sum_assignment(costs)
    return {
        indices[column]: tracks[row]
        for row, column in zip(rows.tolist(), columns.tolist(), strict=True)
        if costs[row, column] < impossible
    }


def _sureness(face: Face) -> float:
    return face.detection_score * face.presence


def _is_part(index: int, result: Result, matches: Mapping[int, TrackState], tracks: Sequence[TrackState]) -> bool:
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


def _start(state: FoldState, face: Face, at_ns: int) -> TrackState:
    state.last_number += 1
    track = TrackState(state.last_number, MotionModel.at(face.box), at_ns, at_ns, at_ns)
    state.tracks.append(track)
    return track


def _see(track: TrackState, face: Face, at_ns: int, rules: Rules) -> bool:
    """Take a face into a track; says whether it is the best picture so far of a breach."""
    if at_ns > track.first_ns:
        track.motion.update(face.box)
    track.last_ns = at_ns
    track.faces += 1
    track.presence += _sureness(face)
    if track.presence >= CONFIRMED_PRESENCE * track.faces:
        # Once counted, a passage stays one.
        track.confirmed |= track.faces >= CONFIRMED_FACES
    trust = quality.weight(face, rules.min_face_px)
    trouble = quality.trouble(face, rules.min_face_px)
    news = quality.novelty(face.thumbnail, track.thumbnail)
    track.thumbnail = face.thumbnail
    if track.settled is None:
        track.evidence.add(face, trust * news, trouble)
        if at_ns - track.first_ns >= LONGEST_TRACK_NS:
            track.settled = track.evidence.verdict(at_ns - track.first_ns)
    # A breach is an accusation: only faces that can be judged well may make one.
    clear = trust if trouble is None else 0.0
    gap_ns = max(LONGEST_GAP_NS, round(2.5 * rules.sample_ns))
    return track.breach.add(face, clear, at_ns, rules.dwell_ns, gap_ns)


def _changes(
    closing: Sequence[TrackState],
    changed: Sequence[TrackState],
    sightings: list[Sighting],
    pictures: list[Sighting],
) -> Changes:
    every = [(track, True) for track in closing] + [(track, False) for track in changed]
    tracks = [_track(track, closed) for track, closed in every if track.confirmed]
    events = [track.breach.event(track.number, track.last_ns, closed) for track, closed in every if track.confirmed]
    return Changes(
        tuple(sightings),
        tuple(tracks),
        tuple(event for event in events if event is not None),
        tuple(pictures),
        tuple(track.number for track in closing),
    )


def _track(track: TrackState, closed: bool) -> Track:
    label, confidence, reason = track.settled or track.evidence.verdict(track.last_ns - track.first_ns)
    return Track(
        number=track.number,
        first_seen_ns=track.first_ns,
        last_seen_ns=track.last_ns,
        faces=track.faces,
        label=label,
        confidence=round(confidence, 4),
        unknown_reason=reason,
        counted=closed or track.settled is not None,
        closed=closed,
    )
