"""What the aggregator found out since its last commit."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple
from zoneinfo import ZoneInfoNotFoundError

from storage.database.rollups import Place
from storage.face_tally import Tally
from storage.hours import Hours, within
from storage.messages import Box, Event, Track
from storage.snapshots import Picture
from storage.telling import News
from storage.words import Label

Key = tuple[str, int]
"""A camera, or a job that recorded footage is processed by, and the number of one of its tracks."""


class Source(NamedTuple):
    """What passages are of: a camera as it is now, or a job, whatever has become of its camera since.

    Attributes:
        place: where they are counted.
        job_id: of the job; None: of a camera.
        hours: when passages count, in the time zone; None: always.
        timezone: of the building.
    """

    place: Place
    job_id: str | None = None
    hours: tuple[Hours, ...] | None = None
    timezone: str = "UTC"

    def counts_at(self, at_ns: int) -> bool:
        """Whether passages count that begin then, Unix time; in doubt they do."""
        try:
            return within(self.hours, at_ns, self.timezone)
        except (ZoneInfoNotFoundError, OverflowError):
            # This machine's list of time zones is another's, or the camera's clock is beyond all years.
            return True


class Kept(NamedTuple):
    """An event's picture in the snapshot folder.

    Attributes:
        name: of the file.
        size: in bytes.
        box, at_ns: see `storage.snapshots.Picture`.
    """

    name: str
    size: int
    box: Box | None = None
    at_ns: int | None = None


class FaceShot(NamedTuple):
    """A person's face at one moment: what they wore then, and a small JPEG."""

    label: Label
    jpeg: bytes


class Drawn(NamedTuple):
    """A track that is drawn for people to check: the probability of that, and the person's face, a small JPEG."""

    probability: float
    jpeg: bytes


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
        snapshots: an event's picture; the event is in this batch or was in an earlier one.
        faces: of people in breach, by the capture time; None removes one.
        faceless: breaches that came to nothing: no face of theirs is kept.
        strays: cameras of which faces without an event are removed, those of this batch aside.
        drawn: tracks of this batch that ended and are drawn; where they count nowhere nothing is kept.
        lost: how many more samples of a camera were lost.
        tallies: what cameras saw of faces, by camera and the beginning of an hour: added to what is known of it.
        resets: cameras of which everything earlier goes first: their footage is run anew.
        sources: jobs whose passages are in it, by what stands for a camera in their keys. Nothing is remembered, tallied
            or awaited of them: what they showed is all here.
    """

    position: str = ""
    states: dict[str, bytes] = field(default_factory=dict)
    tracks: dict[Key, Track] = field(default_factory=dict)
    events: dict[Key, Event] = field(default_factory=dict)
    paths: list[tuple[str, int, int, bytes]] = field(default_factory=list)
    forgotten: set[Key] = field(default_factory=set)
    candidates: dict[Key, Picture | None] = field(default_factory=dict)
    snapshots: dict[Key, Kept] = field(default_factory=dict)
    faces: dict[Key, dict[int, FaceShot | None]] = field(default_factory=dict)
    faceless: set[Key] = field(default_factory=set)
    strays: set[str] = field(default_factory=set)
    drawn: dict[Key, Drawn] = field(default_factory=dict)
    lost: dict[str, int] = field(default_factory=dict)
    tallies: dict[tuple[str, int], Tally] = field(default_factory=dict)
    resets: set[str] = field(default_factory=set)
    sources: dict[str, Source] = field(default_factory=dict)


class Written(NamedTuple):
    """What came of a batch.

    Attributes:
        news: for people to hear of.
        outside: its tracks that began outside the policy's hours: there are no events of theirs.
    """

    news: Sequence[News] = ()
    outside: Collection[Key] = ()


def track_id(key: Key) -> str:
    """The identifier of a camera's, or a job's, track."""
    return f"{key[0]}-t{key[1]}"


def event_id(key: Key) -> str:
    """The identifier of the event of such a track."""
    return f"{key[0]}-e{key[1]}"
