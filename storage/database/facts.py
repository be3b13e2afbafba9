"""Tracks and events of a batch as rows, and what they add to the totals."""

from collections.abc import Collection
from typing import Any, Final, NamedTuple

import msgspec
from sqlalchemy import Connection, Row, bindparam, delete, select, update

from storage.database.batch import Batch, Key, Source, Written, event_id, track_id
from storage.database.judgement import columns_of, kept_label, labelled, said_of_track, told_label
from storage.database.models import BuildingRow, CameraRow, EventRow, TrackPathRow, TrackRow
from storage.database.records import Policy
from storage.database.rollups import Place, Totals, event_columns
from storage.database.slices import slices
from storage.database.upsert import upsert
from storage.messages import Event, Track
from storage.reviewing import Verdict
from storage.telling import News, NewsKind
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
    "machine_label",
    "machine_reason",
    "ruling",
)
EVENT_CHANGES: Final = (
    "type",
    "machine_type",
    "label",
    "started_ns",
    "ended_ns",
    "corrected_ns",
    "confidence",
    "closed",
)
RELABEL: Final = (
    update(EventRow.__table__).where(EventRow.__table__.c.id == bindparam("event")).values(label=bindparam("said"))  # type: ignore[arg-type]
)


class _Known(NamedTuple):
    """What is in the database of a batch's tracks: rows by identifier, where they were, which began outside the hours."""

    tracks: dict[str, Row[Any]]
    events: dict[str, Row[Any]]
    places: dict[Key, Place]
    outside: set[Key]


def write_facts(connection: Connection, batch: Batch) -> Written:
    """Tracks and events, and what they add to the totals."""
    if not batch.tracks and not batch.events:
        return Written()
    totals = Totals()
    keys = batch.tracks.keys() | batch.events.keys()
    old_tracks = _rows(connection, TrackRow, [track_id(key) for key in keys])
    places = {key: _place(old_tracks[track_id(key)]) for key in keys if track_id(key) in old_tracks}
    outside = {key for key in places if old_tracks[track_id(key)].outside_hours}
    # Of a track without a row the event may have been judged already.
    judged = batch.events.keys() | (keys - places.keys())
    old_events = _rows(connection, EventRow, [event_id(key) for key in judged])
    if new := keys - places.keys():
        cameras = _cameras(connection, {camera for camera, _ in new}) | batch.sources
        for key in new:
            source = cameras.get(key[0]) or Source(Place(key[0], "", None, counts=True))
            places[key] = source.place
            began_ns = batch.tracks[key].first_seen_ns if key in batch.tracks else batch.events[key].started_ns
            if not source.counts_at(began_ns):
                outside.add(key)
    news: list[News] = []
    labels = _write_tracks(connection, batch, _Known(old_tracks, old_events, places, outside), totals)
    # Outside the hours nothing is a breach.
    if events := {key: event for key, event in batch.events.items() if key not in outside}:
        rows = [
            _book(key, event, old_events.get(event_id(key)), places[key], totals)
            | {"label": labels.get(key), "job_id": _job(batch, key)}
            for key, event in sorted(events.items())
        ]
        connection.execute(upsert(connection, EventRow.__table__, replace=EVENT_CHANGES), rows)
        news = [
            News(kind, row["id"], row["building_id"])
            for (key, event), row in zip(sorted(events.items()), rows, strict=True)
            if (kind := _news(event, old_events.get(event_id(key)), pictured=key in batch.snapshots))
        ]
    totals.write(connection)
    return Written(news, outside)


def _write_tracks(connection: Connection, batch: Batch, known: _Known, totals: Totals) -> dict[Key, str]:
    """Their rows, and what those add; gives the label of each track that has a row then."""
    labels = {key: known.tracks[track_id(key)].label for key in known.places if track_id(key) in known.tracks}
    rows, relabelled = [], []
    for key, track in sorted(batch.tracks.items()):
        place, old = known.places[key], known.tracks.get(track_id(key))
        judgement = kept_label(old) if old else told_label(known.events.get(event_id(key)), track.label)
        row = _track_row(key, track, place) | {"outside_hours": key in known.outside, "job_id": _job(batch, key)}
        row |= labelled(row["label"], row["unknown_reason"], judgement)
        if old:
            totals.add(place, old.started_ns, columns_of(old), -1)
        totals.add(place, track.first_seen_ns, columns_of(row))
        rows.append(row)
        # Events of this batch are written with it.
        if (key not in batch.events or key in known.outside) and labels.get(key) != row["label"]:
            relabelled.append({"event": event_id(key), "said": row["label"]})
        labels[key] = row["label"]
    if rows:
        connection.execute(upsert(connection, TrackRow.__table__, replace=TRACK_CHANGES), rows)
    if relabelled:
        connection.execute(RELABEL, relabelled)
    return labels


def _book(key: Key, event: Event, old: Row[Any] | None, place: Place, totals: Totals) -> dict[str, Any]:
    """An event's row, and what it adds; one that people have judged keeps the type that they gave it."""
    machine_type = None
    verdict: str = Verdict.PENDING
    kind = event.label.value
    if old is not None:
        place, verdict = _place(old), old.verdict
        totals.add(place, old.started_ns, event_columns(verdict), -1)
        if old.machine_type is not None:
            kind, machine_type = old.type, kind
    totals.add(place, event.started_ns, event_columns(verdict))
    return _event_row(key, event, place) | {"type": kind, "machine_type": machine_type}


def _news(event: Event, old: Row[Any] | None, *, pictured: bool) -> NewsKind | None:
    """What people are to hear of an event; not that it simply goes on."""
    if old is None:
        return NewsKind.OPENED
    if event.closed and not old.closed:
        return NewsKind.ENDED
    before = (old.machine_type or old.type, old.corrected_ns, old.closed)
    changed = pictured or before != (event.label.value, event.corrected_ns, event.closed)
    return NewsKind.CHANGED if changed else None


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
    """A row of `track` as what the system says of it."""
    label, reason = said_of_track(row)
    return Track(
        number=row.number,
        first_seen_ns=row.started_ns,
        last_seen_ns=row.ended_ns,
        faces=row.faces,
        label=label,
        confidence=row.confidence,
        unknown_reason=None if reason is None else UnknownReason(reason),
        counted=row.counted,
        closed=row.closed,
    )


def read_event(row: Row[Any], track: int) -> Event:
    """A row of `event`, of the track with this number, likewise."""
    return Event(
        track=track,
        label=Label(row.machine_type or row.type),
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


def _job(batch: Batch, key: Key) -> str | None:
    source = batch.sources.get(key[0])
    return None if source is None else source.job_id


def _rows(
    connection: Connection, table: type[TrackRow] | type[EventRow], identifiers: list[str]
) -> dict[str, Row[Any]]:
    """As they are, and until the transaction ends stay: people change them too. Locked in one order, so that nobody waits
    for somebody who waits for them.
    """
    rows: dict[str, Row[Any]] = {}
    for part in slices(identifiers):
        query = select(table.__table__).where(table.id.in_(part)).order_by(table.id).with_for_update()
        rows |= {row.id: row for row in connection.execute(query)}
    return rows


def _cameras(connection: Connection, cameras: Collection[str]) -> dict[str, Source]:
    query = select(
        CameraRow.id.label("camera_id"),
        CameraRow.building_id,
        CameraRow.zone_id,
        CameraRow.counts,
        CameraRow.policy,
        BuildingRow.timezone,
    ).join(BuildingRow, BuildingRow.id == CameraRow.building_id)
    return {
        row.camera_id: Source(_place(row), None, msgspec.convert(row.policy, Policy).hours, row.timezone)
        for row in connection.execute(query.where(CameraRow.id.in_(cameras)))
    }


def _place(row: Any) -> Place:
    return Place(row.camera_id, row.building_id, row.zone_id, row.counts)
