"""Tracks and events of a batch as rows, and what they add to the totals."""

from collections.abc import Collection, Mapping
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfoNotFoundError

import msgspec
from sqlalchemy import Connection, Row, delete, select

from storage.database.batch import Batch, Key, event_id, track_id
from storage.database.models import BuildingRow, CameraRow, EventRow, TrackPathRow, TrackRow
from storage.database.records import Policy
from storage.database.rollups import Place, Totals, track_columns
from storage.database.upsert import upsert
from storage.hours import Hours, within
from storage.messages import Event, Track
from storage.words import Label, UnknownReason

TRACK_CHANGES: Final = (
    "started_ns",
    "ended_ns",
    "faces",
    "label",
    "confidence",
    "unknown_reason",
    "counted",
    "closed",
)
EVENT_CHANGES: Final = ("type", "started_ns", "ended_ns", "corrected_ns", "confidence", "closed")


class _Watched(NamedTuple):
    """A camera as it is now."""

    place: Place
    hours: tuple[Hours, ...] | None
    timezone: str


def write_facts(connection: Connection, batch: Batch) -> None:
    """Tracks and events, and what they add to the totals."""
    if not batch.tracks and not batch.events:
        return
    totals = Totals()
    keys = batch.tracks.keys() | batch.events.keys()
    old_tracks = _rows(connection, TrackRow, [track_id(key) for key in keys])
    places = {key: _place(old_tracks[track_id(key)]) for key in keys if track_id(key) in old_tracks}
    outside = {key for key in places if old_tracks[track_id(key)].outside_hours}
    if new := keys - places.keys():
        cameras = _cameras(connection, {camera for camera, _ in new})
        for key in new:
            watched = cameras.get(key[0]) or _Watched(Place(key[0], "", None, counts=True), None, "")
            places[key] = watched.place
            if not _within(
                watched, batch.tracks[key].first_seen_ns if key in batch.tracks else batch.events[key].started_ns
            ):
                outside.add(key)
    rows = []
    for key, track in sorted(batch.tracks.items()):
        if old := old_tracks.get(track_id(key)):
            columns = track_columns(old.label, counted=old.counted, outside_hours=old.outside_hours)
            totals.track(places[key], old.started_ns, columns, -1)
        columns = track_columns(track.label, counted=track.counted, outside_hours=key in outside)
        totals.track(places[key], track.first_seen_ns, columns)
        rows.append(_track_row(key, track, places[key]) | {"outside_hours": key in outside})
    if rows:
        connection.execute(upsert(connection, TrackRow.__table__, replace=TRACK_CHANGES), rows)
    # Outside the hours nothing is a breach.
    if events := {key: event for key, event in batch.events.items() if key not in outside}:
        _events(connection, events, places, totals)
    totals.write(connection)


def _events(connection: Connection, events: Mapping[Key, Event], places: Mapping[Key, Place], totals: Totals) -> None:
    old_events = _rows(connection, EventRow, [event_id(key) for key in events])
    rows = []
    for key, event in sorted(events.items()):
        if old := old_events.get(event_id(key)):
            totals.event(_place(old), old.started_ns, -1)
        place = _place(old) if old else places[key]
        totals.event(place, event.started_ns)
        rows.append(_event_row(key, event, place))
    connection.execute(upsert(connection, EventRow.__table__, replace=EVENT_CHANGES), rows)


def _track_row(key: Key, track: Track, place: Place) -> dict[str, Any]:
    return {
        "id": track_id(key),
        "number": track.number,
        **place._asdict(),
        "started_ns": track.first_seen_ns,
        "ended_ns": track.last_seen_ns,
        "faces": track.faces,
        "label": track.label.value,
        "confidence": track.confidence,
        "unknown_reason": None if track.unknown_reason is None else track.unknown_reason.value,
        "counted": track.counted,
        "closed": track.closed,
    }


def _event_row(key: Key, event: Event, place: Place) -> dict[str, Any]:
    return {
        "id": event_id(key),
        "track_id": track_id(key),
        **place._asdict(),
        "type": event.label.value,
        "started_ns": event.started_ns,
        "ended_ns": event.ended_ns,
        "corrected_ns": event.corrected_ns,
        "confidence": event.confidence,
        "closed": event.closed,
    }


def read_track(row: Row[Any]) -> Track:
    """A row of `track` as what was written."""
    return Track(
        number=row.number,
        first_seen_ns=row.started_ns,
        last_seen_ns=row.ended_ns,
        faces=row.faces,
        label=Label(row.label),
        confidence=row.confidence,
        unknown_reason=None if row.unknown_reason is None else UnknownReason(row.unknown_reason),
        counted=row.counted,
        closed=row.closed,
    )


def read_event(row: Row[Any], track: int) -> Event:
    """A row of `event`, of the track with this number, likewise."""
    return Event(
        track=track,
        label=Label(row.type),
        started_ns=row.started_ns,
        ended_ns=row.ended_ns,
        corrected_ns=row.corrected_ns,
        confidence=row.confidence,
        closed=row.closed,
    )


def write_paths(connection: Connection, batch: Batch) -> None:
    """Where tracks were seen."""
    rows = [
        {"track_id": track_id((camera, number)), "part": part, "boxes": boxes}
        for camera, number, part, boxes in batch.paths
    ]
    if rows:
        connection.execute(upsert(connection, TrackPathRow.__table__, replace=("boxes",)), rows)
    if batch.forgotten:
        gone = [track_id(key) for key in batch.forgotten]
        connection.execute(delete(TrackPathRow).where(TrackPathRow.track_id.in_(gone)))


def _rows(
    connection: Connection, table: type[TrackRow] | type[EventRow], identifiers: list[str]
) -> dict[str, Row[Any]]:
    return {row.id: row for row in connection.execute(select(table).where(table.id.in_(identifiers)))}


def _cameras(connection: Connection, cameras: Collection[str]) -> dict[str, _Watched]:
    query = select(
        CameraRow.id.label("camera_id"),
        CameraRow.building_id,
        CameraRow.zone_id,
        CameraRow.counts,
        CameraRow.policy,
        BuildingRow.timezone,
    ).join(BuildingRow, BuildingRow.id == CameraRow.building_id)
    return {
        row.camera_id: _Watched(_place(row), msgspec.convert(row.policy, Policy).hours, row.timezone)
        for row in connection.execute(query.where(CameraRow.id.in_(cameras)))
    }


def _within(watched: _Watched, at_ns: int) -> bool:
    """Whether passages count then; in doubt they do."""
    try:
        return within(watched.hours, at_ns, watched.timezone)
    except (ZoneInfoNotFoundError, OverflowError):
        # This machine's list of time zones is another's, or the camera's clock is beyond all years.
        return True


def _place(row: Any) -> Place:
    return Place(row.camera_id, row.building_id, row.zone_id, row.counts)
