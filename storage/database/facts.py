"""Tracks and events of a batch as rows, and what they add to the totals."""

from collections.abc import Collection, Mapping
from typing import Any, Final

from sqlalchemy import Connection, Row, delete, select

from storage.database.batch import Batch, Key, event_id, track_id
from storage.database.models import CameraRow, EventRow, TrackPathRow, TrackRow
from storage.database.rollups import Place, Totals
from storage.database.upsert import upsert
from storage.messages import Event, Track

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


def write_facts(connection: Connection, batch: Batch) -> None:
    """Tracks and events, and what they add to the totals."""
    if not batch.tracks and not batch.events:
        return
    totals = Totals()
    keys = batch.tracks.keys() | batch.events.keys()
    old_tracks = _rows(connection, TrackRow, [track_id(key) for key in keys])
    places = {key: _place(old_tracks[track_id(key)]) for key in keys if track_id(key) in old_tracks}
    if new := keys - places.keys():
        cameras = _cameras(connection, {camera for camera, _ in new})
        places |= {key: cameras.get(key[0], Place(key[0], "", None, counts=True)) for key in new}
    rows = []
    for key, track in sorted(batch.tracks.items()):
        if old := old_tracks.get(track_id(key)):
            totals.track(places[key], old.started_ns, old.label, counted=old.counted, times=-1)
        totals.track(places[key], track.first_seen_ns, track.label, counted=track.counted)
        rows.append(_track_row(key, track, places[key]))
    if rows:
        connection.execute(upsert(connection, TrackRow.__table__, replace=TRACK_CHANGES), rows)
    if batch.events:
        _events(connection, batch, places, totals)
    totals.write(connection)


def _events(connection: Connection, batch: Batch, places: Mapping[Key, Place], totals: Totals) -> None:
    old_events = _rows(connection, EventRow, [event_id(key) for key in batch.events])
    rows = []
    for key, event in sorted(batch.events.items()):
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


def _cameras(connection: Connection, cameras: Collection[str]) -> dict[str, Place]:
    query = select(CameraRow.id.label("camera_id"), CameraRow.building_id, CameraRow.zone_id, CameraRow.counts)
    return {row.camera_id: _place(row) for row in connection.execute(query.where(CameraRow.id.in_(cameras)))}


def _place(row: Any) -> Place:
    return Place(row.camera_id, row.building_id, row.zone_id, row.counts)
