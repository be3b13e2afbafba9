"""From the faces of one camera to its tracks and events: one deterministic fold over results in order.

`fold(state, result, rules)` is the whole of it. The state is plain data that can be stored and read back at any
point; the same results in the same order always give the same changes, bit for bit.
"""

from collections.abc import Sequence
from typing import Final

from classify import quality
from classify.matching import is_part, match, sureness
from classify.motion_model import MotionModel
from classify.rules import CONFIRMED_FACES, DEFAULT_RULES, Rules
from classify.tracks import FoldState, TrackState
from storage.messages import NS_PER_S, Changes, Face, Look, Result, Sighting, Track

__all__ = ["FoldState", "Rules", "finish", "fold"]

LONGEST_TRACK_NS: Final = 600 * NS_PER_S
"""A longer track is labelled and counted at this limit and followed as the same track."""


def fold(state: FoldState, result: Result, rules: Rules) -> Changes:
    """Take in the next result of a camera.

    Args:
        state: brought up to date in place; it belongs to the caller alone.
        result: later than all before it.
        rules: in force from this result on; those of the results before may have been others.

    Returns:
        What changed; closed tracks appear for the last time.
    """
    state.passed(result.at_ns, rules)
    closing: list[TrackState] = []
    staying: list[TrackState] = []
    for track in state.tracks:
        (closing if track.gone(result.at_ns, rules) else staying).append(track)
    state.tracks = staying
    matches = match(state, result, rules)
    sightings: list[Sighting] = []
    pictures: list[Sighting] = []
    changed: list[TrackState] = []
    for index, face in enumerate(result.faces):
        seen = matches.get(index)
        if seen is None:
            if sureness(face) < rules.start_score or is_part(index, result, matches, state.tracks):
                continue
            seen = _start(state, face, result.at_ns)
        best = _see(seen, face, result.at_ns, rules)
        sighting = Sighting(seen.number, index, seen.breach.present)
        sightings.append(sighting)
        changed.append(seen)
        if best:
            pictures.append(sighting)
    for track in state.tracks:
        track.missed += result.look is Look.FULL and track.last_ns < result.at_ns
    return _changes(closing, changed, sightings, pictures, rules)


def finish(state: FoldState, rules: Rules = DEFAULT_RULES) -> Changes:
    """Close all tracks: the footage has ended."""
    closing, state.tracks = state.tracks, []
    return _changes(closing, [], [], [], rules)


def _start(state: FoldState, face: Face, at_ns: int) -> TrackState:
    state.last_number += 1
    track = TrackState(state.last_number, MotionModel.at(face.box), at_ns, at_ns, at_ns)
    state.tracks.append(track)
    return track


def _see(track: TrackState, face: Face, at_ns: int, rules: Rules) -> bool:
    """Take a face into a track; says whether it is the best picture so far of a breach."""
    if at_ns > track.first_ns:
        track.motion.update(face.box)
    track.last_ns, track.missed, track.unwatched_ns = at_ns, 0, 0
    track.faces += 1
    track.presence += sureness(face)
    if track.presence >= rules.confirmed_presence * track.faces:
        # Once counted, a passage stays one.
        track.confirmed |= track.faces >= CONFIRMED_FACES
    trust = quality.weight(face, rules.min_face_px)
    trouble = quality.trouble(face, rules.min_face_px)
    news = quality.novelty(face.thumbnail, track.thumbnail)
    track.thumbnail = face.thumbnail
    if track.settled is None:
        track.evidence.add(face, trust * news, trouble)
        if at_ns - track.first_ns >= LONGEST_TRACK_NS:
            track.settled = track.evidence.verdict(at_ns - track.first_ns, rules.least_confidence)
    # A breach is an accusation: only faces that can be judged well may make one.
    clear = trust if trouble is None else 0.0
    return track.breach.add(face, clear, at_ns, rules.breach)


def _changes(
    closing: Sequence[TrackState],
    changed: Sequence[TrackState],
    sightings: list[Sighting],
    pictures: list[Sighting],
    rules: Rules,
) -> Changes:
    every = [(track, True) for track in closing] + [(track, False) for track in changed]
    tracks = [_track(track, closed, rules) for track, closed in every if track.confirmed]
    events = [track.breach.event(track.number, track.last_ns, closed) for track, closed in every if track.confirmed]
    return Changes(
        tuple(sightings),
        tuple(tracks),
        tuple(event for event in events if event is not None),
        tuple(pictures),
        tuple(track.number for track in closing),
    )


def _track(track: TrackState, closed: bool, rules: Rules) -> Track:
    span_ns = track.last_ns - track.first_ns
    label, confidence, reason = track.settled or track.evidence.verdict(span_ns, rules.least_confidence)
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
