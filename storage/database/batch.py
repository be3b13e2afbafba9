"""What the aggregator found out since its last commit."""

from dataclasses import dataclass, field

from storage.face_tally import Tally
from storage.messages import Event, Track

Key = tuple[str, int]
"""A camera and the number of one of its tracks."""


@dataclass(slots=True)
class Batch:
    """What one transaction takes in.

    Attributes:
        position: of the last entry of the results stream that is in it.
        states: what is to be remembered of each camera that changed; b"" of one that is not to be remembered any more.
        tracks, events: as known now; an event's key is that of its track.
        paths: (camera, track number, part, boxes): where tracks were seen; see `TrackPathRow`.
        forgotten: tracks that ended without ever being a passage: what was written of their paths goes.
        candidates: best pictures so far of breaches that are no events yet; None removes one.
        snapshots: (file name, bytes) of an event's picture; the event is in this batch or was in an earlier one.
        lost: how many more samples of a camera were lost.
        tallies: what cameras saw of faces, by camera and the beginning of an hour: added to what is known of it.
        resets: cameras of which everything earlier goes first: their footage is run anew.
    """

    position: str = ""
    states: dict[str, bytes] = field(default_factory=dict)
    tracks: dict[Key, Track] = field(default_factory=dict)
    events: dict[Key, Event] = field(default_factory=dict)
    paths: list[tuple[str, int, int, bytes]] = field(default_factory=list)
    forgotten: set[Key] = field(default_factory=set)
    candidates: dict[Key, bytes | None] = field(default_factory=dict)
    snapshots: dict[Key, tuple[str, int]] = field(default_factory=dict)
    lost: dict[str, int] = field(default_factory=dict)
    tallies: dict[tuple[str, int], Tally] = field(default_factory=dict)
    resets: set[str] = field(default_factory=set)


def track_id(key: Key) -> str:
    """The identifier of a camera's track."""
    return f"{key[0]}-t{key[1]}"


def event_id(key: Key) -> str:
    """The identifier of the event of a camera's track."""
    return f"{key[0]}-e{key[1]}"
