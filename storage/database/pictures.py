"""Pictures of a batch: those kept as files with events, and candidates for them.

A file is announced by a row, written, and then named by its event; one that no event names is removed, and then its
row. So whatever a crash prevents, there is never an event without its picture, nor a file that nobody knows of.
"""

from collections.abc import Collection, Mapping
from typing import Final

from sqlalchemy import Connection, delete, exists, select, update

from storage.database.batch import Batch, event_id
from storage.database.models import CandidateRow, EventRow, SnapshotRow, TrackRow
from storage.database.slices import slices
from storage.database.upsert import upsert

SNAPSHOT_CHANGES: Final = ("camera_id", "event_id", "bytes", "obsolete", "box", "at_ns")


def write_snapshots(connection: Connection, batch: Batch, now_ns: int) -> None:
    """Give events their pictures; those that no event names any more become obsolete."""
    if not batch.snapshots:
        return
    names = {event_id(key): kept.name for key, kept in batch.snapshots.items()}
    before: set[str | None] = set()
    for part in slices(names):
        query = select(EventRow.snapshot).where(EventRow.id.in_(part), EventRow.snapshot.is_not(None))
        before |= set(connection.execute(query).scalars())
    for identifier, name in sorted(names.items()):
        connection.execute(update(EventRow).where(EventRow.id == identifier).values(snapshot=name))
    rows = [
        {
            "name": kept.name,
            "camera_id": key[0],
            "event_id": event_id(key),
            "bytes": kept.size,
            "created_at_ns": now_ns,
            "obsolete": False,
            "box": kept.box,
            "at_ns": kept.at_ns,
        }
        for key, kept in sorted(batch.snapshots.items(), key=lambda item: item[1].name)
    ]
    connection.execute(upsert(connection, SnapshotRow.__table__, replace=SNAPSHOT_CHANGES), rows)
    # The new ones too: a picture whose event does not exist is one too many.
    retire(connection, before.union(names.values()))


def announce(connection: Connection, names: Mapping[str, str], now_ns: int) -> None:
    """Note files, by name with their camera or job, that are about to be written: obsolete until an event names them.

    A row that is there is renewed, and is theirs from now on, so that nobody else sweeps it meanwhile; see
    `storage.database.sweeping`.
    """
    rows = [
        {"name": name, "camera_id": camera, "event_id": None, "bytes": 0, "created_at_ns": now_ns, "obsolete": True}
        for name, camera in sorted(names.items())
    ]
    if rows:
        connection.execute(upsert(connection, SnapshotRow.__table__, replace=("camera_id", "created_at_ns")), rows)


def unknown(connection: Connection, names: Collection[str]) -> list[str]:
    """Which of these files, announced before, were removed since; the others stay until the transaction ends."""
    known: set[str] = set()
    for part in slices(names):
        query = select(SnapshotRow.name).where(SnapshotRow.name.in_(part)).order_by(SnapshotRow.name)
        known |= set(connection.execute(query.with_for_update()).scalars())
    return sorted(set(names) - known)


def forget(connection: Connection, names: Collection[str]) -> None:
    """Remove the rows of obsolete pictures whose files are gone."""
    for part in slices(names):
        connection.execute(delete(SnapshotRow).where(SnapshotRow.name.in_(part), SnapshotRow.obsolete))


def retire(connection: Connection, names: Collection[str | None]) -> None:
    """Mark pictures as obsolete, unless an event names them: two cameras may have seen the very same."""
    named = exists().where(EventRow.snapshot == SnapshotRow.name)
    for part in slices(name for name in names if name is not None):
        gone = update(SnapshotRow).where(SnapshotRow.name.in_(part), ~named)
        connection.execute(gone.values(obsolete=True))


def write_candidates(connection: Connection, batch: Batch) -> None:
    """Keep or remove the best pictures so far of breaches that are no events yet; outside the hours there are none.

    Of recorded footage, whose every breach is over, there are none either.
    """
    candidates = {key: picture for key, picture in batch.candidates.items() if key[0] not in batch.sources}
    for (camera, number), picture in candidates.items():
        if picture is None:
            connection.execute(
                delete(CandidateRow).where(CandidateRow.camera_id == camera, CandidateRow.number == number)
            )
    rows = [
        {
            "camera_id": camera,
            "number": number,
            "jpeg": picture.jpeg,
            "box": picture.box,
            "at_ns": picture.at_ns,
        }
        for (camera, number), picture in candidates.items()
        if picture is not None
    ]
    if rows:
        connection.execute(upsert(connection, CandidateRow.__table__, replace=("jpeg", "box", "at_ns")), rows)
    if cameras := {camera for camera, _ in candidates.keys() | batch.tracks.keys()} - batch.sources.keys():
        # Only once a track is a passage it is known whether it began within the hours.
        outside = exists().where(
            TrackRow.camera_id == CandidateRow.camera_id,
            TrackRow.number == CandidateRow.number,
            TrackRow.job_id.is_(None),
            TrackRow.outside_hours,
        )
        connection.execute(delete(CandidateRow).where(CandidateRow.camera_id.in_(cameras), outside))
