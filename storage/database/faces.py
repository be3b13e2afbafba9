"""Faces of people in breach, small, as their time in view went on.

They are rows from the first one on, as candidates are, so that no crash loses one: of a breach that becomes no event they
go when it is over, and nobody can ask for them before.
"""

from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, exists, select

from storage.database.batch import Batch, event_id, track_id
from storage.database.models import EventFaceRow, EventRow, TrackRow
from storage.database.slices import slices
from storage.database.upsert import upsert


def write_faces(connection: Connection, batch: Batch) -> None:
    """Keep and remove faces; to be called after tracks and events are written. Outside the hours none is kept."""
    for key in sorted(batch.faceless):
        connection.execute(delete(EventFaceRow).where(EventFaceRow.event_id == event_id(key)))
    for camera in sorted(batch.strays):
        with_event = exists().where(EventRow.id == EventFaceRow.event_id)
        connection.execute(delete(EventFaceRow).where(of_camera(EventFaceRow.event_id, camera), ~with_event))
    rows = []
    for key, faces in sorted(batch.faces.items()):
        gone = [at_ns for at_ns, face in faces.items() if face is None]
        if gone:
            of_event = EventFaceRow.event_id == event_id(key)
            connection.execute(delete(EventFaceRow).where(of_event, EventFaceRow.at_ns.in_(gone)))
        rows += [
            {"event_id": event_id(key), "at_ns": at_ns, "label": face.label.value, "jpeg": face.jpeg}
            for at_ns, face in sorted(faces.items())
            if face is not None
        ]
    if rows:
        connection.execute(upsert(connection, EventFaceRow.__table__, replace=("label", "jpeg")), rows)
    if keys := sorted(batch.faces.keys() | {key for key, event in batch.events.items() if event.closed}):
        # Only once a track is a passage it is known whether it began within the hours.
        tracks = {track_id(key): event_id(key) for key in keys}
        for part in slices(tracks):
            outside = select(TrackRow.id).where(TrackRow.id.in_(part), TrackRow.outside_hours)
            if without := [tracks[name] for name in connection.execute(outside).scalars()]:
                connection.execute(delete(EventFaceRow).where(EventFaceRow.event_id.in_(without)))


def of_camera(column: Any, camera: str) -> ColumnElement[bool]:
    """Whether a column holds the identifier of an event of a camera, be there such an event or not."""
    own: ColumnElement[bool] = column.startswith(event_id((camera, 0)).removesuffix("0"), autoescape=True)
    return own
