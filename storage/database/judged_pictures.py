"""Events that people have judged, with their pictures: what there is to learn from."""

from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Select, literal, select, tuple_

from storage.database.audit import note
from storage.database.engine import reading, writing
from storage.database.models import EventFaceRow, EventRow, SnapshotRow
from storage.database.scoped import Scoped
from storage.messages import Box
from storage.reviewing import Reason, Verdict

PAGE: Final = 100


class JudgedEvent(msgspec.Struct, frozen=True):
    """An event that was confirmed, or dismissed for what it shows.

    Attributes:
        machine_type: what the system says; `type` is what people say.
        by, at_ns: who judged it and when.
        snapshot, box: name of its picture in the snapshot folder, and the face in it; None where there is none.
        faces: moment, label by the system, and small picture of the face.
    """

    id: str
    camera_id: str
    started_ns: int
    type: str
    machine_type: str
    verdict: str
    reason: str | None
    label: str | None
    by: str | None
    at_ns: int | None
    snapshot: str | None
    box: Box | None
    taken_ns: int | None
    faces: tuple[tuple[int, str, bytes], ...] = ()


class JudgedPictures(Scoped):
    """What somebody may learn from; StorageError when the database can't be used."""

    def note_export(self, from_ns: int | None, to_ns: int | None) -> None:
        """Write down that somebody takes the pictures along."""
        about = ("training", "export")
        with writing(self._engine) as connection:
            note(connection, self._caller, "training.exported", about, from_ns=from_ns, to_ns=to_ns)

    def page(self, from_ns: int | None, to_ns: int | None, after: tuple[int, str] | None = None) -> list[JudgedEvent]:
        """The next `PAGE` events at most, oldest first; none: that was all.

        Args:
            from_ns: began at or after it.
            to_ns: began before it.
            after: start and identifier of the last one that was given.
        """
        query = _query()
        seen = self._caller.buildings
        if seen is not None:
            query = query.where(EventRow.building_id.in_(sorted(seen)))
        if from_ns is not None:
            query = query.where(EventRow.started_ns >= from_ns)
        if to_ns is not None:
            query = query.where(EventRow.started_ns < to_ns)
        if after is not None:
            query = query.where(tuple_(EventRow.started_ns, EventRow.id) > tuple_(literal(after[0]), literal(after[1])))
        with reading(self._engine) as connection:
            rows = connection.execute(query.order_by(EventRow.started_ns, EventRow.id).limit(PAGE)).all()
            faces = _faces(connection, [row.id for row in rows])
        return [_event(row, faces.get(row.id, ())) for row in rows]


def _query() -> Select[Any]:
    # Of the other dismissals nobody said what the person wears.
    told = (EventRow.verdict == Verdict.CONFIRMED.value) | EventRow.review_reason.in_(
        [Reason.WRONG_LABEL.value, Reason.NOT_A_PERSON.value]
    )
    pictures = SnapshotRow.name == EventRow.snapshot
    columns = (SnapshotRow.box, SnapshotRow.at_ns.label("taken_ns"))
    return select(EventRow.__table__, *columns).outerjoin(SnapshotRow, pictures).where(told)


def _faces(connection: Connection, events: list[str]) -> dict[str, tuple[tuple[int, str, bytes], ...]]:
    query = select(EventFaceRow.__table__).where(EventFaceRow.event_id.in_(events))
    found: dict[str, tuple[tuple[int, str, bytes], ...]] = {}
    for row in connection.execute(query.order_by(EventFaceRow.event_id, EventFaceRow.at_ns)):
        found[row.event_id] = (*found.get(row.event_id, ()), (row.at_ns, row.label, row.jpeg))
    return found


def _event(row: Any, faces: tuple[tuple[int, str, bytes], ...]) -> JudgedEvent:
    return JudgedEvent(
        id=row.id,
        camera_id=row.camera_id,
        started_ns=row.started_ns,
        type=row.type,
        machine_type=row.machine_type or row.type,
        verdict=row.verdict,
        reason=row.review_reason,
        label=row.review_label,
        by=row.reviewed_by,
        at_ns=row.reviewed_at_ns,
        snapshot=row.snapshot,
        box=None if row.box is None else msgspec.convert(row.box, Box),
        taken_ns=row.taken_ns,
        faces=faces,
    )
