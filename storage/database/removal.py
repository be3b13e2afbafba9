"""Passages and events go, with all that belongs to them, in the transaction of whoever removes them."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, delete, select, tuple_

from storage.database.models import (
    CandidateRow,
    EventFaceRow,
    EventRow,
    ReviewRow,
    SpotCheckRow,
    TrackPathRow,
    TrackRow,
)
from storage.database.pictures import retire


class Removed(NamedTuple):
    """What went.

    Attributes:
        tracks, events: how many.
        starts_ns: when they began.
        pictures: that the events named; obsolete now, unless another event names them.
    """

    tracks: int
    events: int
    starts_ns: Sequence[int]
    pictures: Collection[str]


def event_of(track: str) -> str:
    """The identifier of a track's event.

    >>> event_of("c1-t12")
    'c1-e12'
    """
    source, _, number = track.rpartition("-t")
    return f"{source}-e{number}"


def track_of(event: str) -> str:
    """The identifier of an event's track.

    >>> track_of("c1-e12")
    'c1-t12'
    """
    source, _, number = event.rpartition("-e")
    return f"{source}-t{number}"


def remove_tracks(connection: Connection, identifiers: Collection[str]) -> Removed:
    """Remove tracks and their events, of tracks without a row too; what is still open stays, with all that is its own.

    Rollups stay as they are.
    """
    # In the order in which the aggregator and reviews take them, so that nobody waits for somebody who waits for them.
    tracks = connection.execute(
        select(TrackRow.id, TrackRow.camera_id, TrackRow.number, TrackRow.job_id, TrackRow.started_ns, TrackRow.closed)
        .where(TrackRow.id.in_(identifiers))
        .order_by(TrackRow.id)
        .with_for_update()
    ).all()
    events = connection.execute(
        select(EventRow.id, EventRow.started_ns, EventRow.snapshot, EventRow.closed)
        .where(EventRow.id.in_([event_of(name) for name in identifiers]))
        .order_by(EventRow.id)
        .with_for_update()
    ).all()
    still = {row.id for row in tracks if not row.closed} | {track_of(row.id) for row in events if not row.closed}
    tracks = [row for row in tracks if row.id not in still]
    events = [row for row in events if track_of(row.id) not in still]
    gone = sorted(set(identifiers) - still)
    of_events = [event_of(name) for name in gone]
    connection.execute(delete(TrackPathRow).where(TrackPathRow.track_id.in_(gone)))
    connection.execute(delete(SpotCheckRow).where(SpotCheckRow.track_id.in_(gone)))
    connection.execute(delete(EventFaceRow).where(EventFaceRow.event_id.in_(of_events)))
    connection.execute(delete(ReviewRow).where(ReviewRow.event_id.in_(of_events)))
    if live := [(row.camera_id, row.number) for row in tracks if row.job_id is None]:
        connection.execute(delete(CandidateRow).where(tuple_(CandidateRow.camera_id, CandidateRow.number).in_(live)))
    connection.execute(delete(EventRow).where(EventRow.id.in_([row.id for row in events])))
    connection.execute(delete(TrackRow).where(TrackRow.id.in_([row.id for row in tracks])))
    pictures = {row.snapshot for row in events if row.snapshot is not None}
    retire(connection, pictures)
    return Removed(len(tracks), len(events), [row.started_ns for row in (*tracks, *events)], pictures)
