"""Pictures of events for people, and the note that somebody looks at one: there is no look without a note."""

from typing import Final

import msgspec
from sqlalchemy import Connection, select

from storage.database.audit import note, noted_lately
from storage.database.engine import reading, writing
from storage.database.models import EventFaceRow, EventRow, SnapshotRow
from storage.database.scoped import Scoped
from storage.errors import NotFoundError
from storage.messages import Box

SHOWN: Final = "snapshot.shown"
PREFETCHED: Final = "snapshot.prefetched"
FACES_SHOWN: Final = "faces.shown"
EXPLAINED: Final = "explanation.shown"


class SnapshotRecord(msgspec.Struct, frozen=True):
    """The picture kept with an event.

    Attributes:
        name: of the file in the snapshot folder; None where there is none.
        box: the person's face in it, in its pixels; None where nobody noted it.
        at_ns: its capture time, likewise.
        type: of the event.
    """

    name: str | None
    box: Box | None
    at_ns: int | None
    type: str


class FaceRecord(msgspec.Struct, frozen=True):
    """When the person's face was kept, and what they wore then."""

    at_ns: int
    label: str


class EventPictures(Scoped):
    """Pictures of events, as somebody may see them.

    Every method raises StorageError when the database can't be used, and NotFoundError where there is no such event.
    """

    def snapshot(self, event_id: str) -> SnapshotRecord:
        """Which picture is kept, as of now; a better one may replace it while the event goes on."""
        query = (
            select(EventRow.building_id, EventRow.type, EventRow.snapshot, SnapshotRow.box, SnapshotRow.at_ns)
            .outerjoin(SnapshotRow, SnapshotRow.name == EventRow.snapshot)
            .where(EventRow.id == event_id)
        )
        with reading(self._engine) as connection:
            row = connection.execute(query).first()
        if row is None or not self._caller.sees(row.building_id):
            raise _missing(event_id)
        box = row.box
        return SnapshotRecord(
            row.snapshot, None if box is None else (box[0], box[1], box[2], box[3]), row.at_ns, row.type
        )

    def note_look(self, event_id: str, action: str, **detail: str) -> None:
        """Write down that the caller looks at a picture of an event; before it is given to them.

        Args:
            event_id: whose.
            action: `SHOWN`, `PREFETCHED` or `EXPLAINED`.
            detail: which, e.g. `view="closeup"`.
        """
        with writing(self._engine) as connection:
            self._note(connection, event_id, action, **detail)

    def faces(self, event_id: str) -> list[FaceRecord]:
        """Moments of which the person's face is kept, in order of time; the look is written down."""
        query = select(EventFaceRow.at_ns, EventFaceRow.label).where(EventFaceRow.event_id == event_id)
        with writing(self._engine) as connection:
            self._building(connection, event_id)
            found = [FaceRecord(*row) for row in connection.execute(query.order_by(EventFaceRow.at_ns))]
            if found:
                self._note(connection, event_id, FACES_SHOWN, faces=str(len(found)))
        return found

    def face(self, event_id: str, at_ns: int) -> bytes:
        """The face at one of these moments, a small JPEG; the look is written down, unless a moment ago one was."""
        query = select(EventFaceRow.jpeg).where(EventFaceRow.event_id == event_id, EventFaceRow.at_ns == at_ns)
        with reading(self._engine) as connection:
            self._building(connection, event_id)
            jpeg = connection.execute(query).scalar()
            noted = noted_lately(connection, self._caller, FACES_SHOWN, ("event", event_id))
        if jpeg is None:
            raise NotFoundError(f"event {event_id} has no face kept of that moment: read the list again")
        if not noted:
            with writing(self._engine) as connection:
                self._note(connection, event_id, FACES_SHOWN, faces="1")
        return jpeg

    def _note(self, connection: Connection, event_id: str, action: str, **detail: str) -> None:
        note(connection, self._caller, action, ("event", event_id), self._building(connection, event_id), **detail)

    def _building(self, connection: Connection, event_id: str) -> str:
        """The building of an event that the caller may see."""
        building = connection.execute(select(EventRow.building_id).where(EventRow.id == event_id)).scalar()
        if building is None or not self._caller.sees(building):
            raise _missing(event_id)
        return building


def _missing(event_id: str) -> NotFoundError:
    return NotFoundError(f"there is no event {event_id}")
