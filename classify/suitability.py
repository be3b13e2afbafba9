"""Counts what the faces of one camera look like, as results go through the fold; see `storage.suitability` for what it says.

The tally is part of what is remembered of a camera and goes to the database once a minute, in the aggregator's
transaction: every face is counted exactly once, whatever is killed.
"""

from typing import Final

import msgspec

from classify.faces import MIN_CONFIDENCE, face_verdict
from storage.face_tally import Tally
from storage.messages import NS_PER_S, Begin, Changes, Look, Result

HOUR_NS: Final = 3600 * NS_PER_S
FLUSH_NS: Final = 60 * NS_PER_S
"""What was counted is written down this often: each time costs a row."""

MOST_IN_VIEW: Final = 1000
"""Tracks whose largest face is remembered; beyond, the oldest are forgotten."""


class Seeing(msgspec.Struct):
    """What is counted of a camera and not written down yet.

    Attributes:
        tally: the counts.
        since_ns: time of the first result in it.
        last_ns: of the last one.
        largest: longer side of the largest face so far of those in view, by number of track.
    """

    tally: Tally = msgspec.field(default_factory=Tally)
    since_ns: int | None = None
    last_ns: int = 0
    largest: dict[int, int] = msgspec.field(default_factory=dict)

    def due(self, at_ns: int) -> tuple[int, Tally] | None:
        """The hour, as its beginning, and the counts, where these are to be written down before a result of `at_ns` is in.

        They are gone from here then.
        """
        if self.since_ns is None or self.tally.empty:
            self.since_ns = at_ns
            return None
        apart_ns = at_ns - self.since_ns
        if 0 <= apart_ns < FLUSH_NS and at_ns // HOUR_NS == self.since_ns // HOUR_NS:
            return None
        hour_ns = self.since_ns // HOUR_NS * HOUR_NS
        done, self.tally, self.since_ns = self.tally, Tally(), at_ns
        return hour_ns, done


def see(seeing: Seeing, result: Result | None, changes: Changes, begun: Begin) -> tuple[int, Tally] | None:
    """Count a result and what it changed.

    Args:
        seeing: brought up to date in place.
        result: that went through the fold; None: the fold was finished.
        changes: what that changed.
        begun: the epoch it belongs to.

    Returns:
        What is to be written down now, with the beginning of its hour.
    """
    done = None
    if result is not None and result.failed is None:
        done = seeing.due(result.at_ns)
        seeing.last_ns = result.at_ns
        _count(seeing, result, changes, begun)
    elif result is not None:
        # The camera is away: what is there need not wait for it.
        done = seeing.due(result.at_ns)
    for track in changes.tracks:
        if track.closed:
            seeing.tally.note_passage(seeing.largest.get(track.number, 0), track.unknown_reason)
    for number in changes.closed:
        seeing.largest.pop(number, None)
    if result is None and done is None and seeing.since_ns is not None:
        done = seeing.due(seeing.since_ns + FLUSH_NS)
    return done


def _count(seeing: Seeing, result: Result, changes: Changes, begun: Begin) -> None:
    tally = seeing.tally
    tally.samples += 1
    tally.looked += result.look is not Look.NONE
    passages = {track.number for track in changes.tracks}
    least = MIN_CONFIDENCE if begun.confidence is None else begun.confidence
    for sighting in changes.sightings:
        face = result.faces[sighting.face]
        x, y, width, height = face.box
        longer = max(width, height)
        seeing.largest[sighting.track] = max(longer, seeing.largest.get(sighting.track, 0))
        if sighting.track not in passages:
            tally.unsure += longer < begun.min_face_px
            continue
        place = (x + width / 2) / max(1, result.width), (y + height / 2) / max(1, result.height)
        tally.note_face(longer, *place, (face.sharpness, face.brightness, face.turn))
        reason = face_verdict(face, begun.min_face_px, least)[2]
        if reason is not None:
            tally.reasons[reason] = tally.reasons.get(reason, 0) + 1
    while len(seeing.largest) > MOST_IN_VIEW:
        del seeing.largest[next(iter(seeing.largest))]
