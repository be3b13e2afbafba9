"""Pictures of jobs that nothing needs any more; see also `storage.database.sweeping`."""

from typing import Final

from sqlalchemy import ColumnElement, Engine, delete, exists, select

from storage.database.engine import reading, writing
from storage.database.models import EventRow, JobRow, SnapshotRow
from storage.jobs import FINAL
from storage.snapshots import SnapshotFolder

AT_ONCE: Final = 100
"""Pictures removed in one transaction."""


class JobPictures:
    """Pictures that jobs have announced.

    Every method raises StorageError when the database can't be reached or written.
    """

    def __init__(self, engine: Engine, folder: SnapshotFolder) -> None:
        """Take a migrated database and the folder of the pictures."""
        self._engine, self._folder = engine, folder

    def started_at_ns(self, job: str) -> int | None:
        """When work on a job began, Unix time."""
        with reading(self._engine) as connection:
            return connection.execute(select(JobRow.started_at_ns).where(JobRow.id == job)).scalar()

    def discard(self, job: str) -> int:
        """Remove pictures that a job announced and that no event names; only who holds the job may do so.

        Returns:
            How many these were.
        """
        return self._discard(SnapshotRow.camera_id == job)

    def sweep(self) -> int:
        """Likewise of all jobs that have ended, whoever wrote them."""
        return self._discard(SnapshotRow.camera_id.in_(select(JobRow.id).where(JobRow.state.in_(FINAL))))

    def _discard(self, condition: ColumnElement[bool]) -> int:
        named = exists().where(EventRow.snapshot == SnapshotRow.name)
        query = select(SnapshotRow.name).where(SnapshotRow.obsolete, ~named, condition).order_by(SnapshotRow.name)
        with reading(self._engine) as connection:
            # Nearly always there is nothing, and then nobody who writes is kept waiting.
            if connection.execute(query.limit(1)).first() is None:
                return 0
        done = 0
        while True:
            with writing(self._engine) as connection:
                # Locked while the files go: who announces the same picture meanwhile waits, and writes it after that.
                names = connection.execute(query.limit(AT_ONCE).with_for_update()).scalars().all()
                for name in names:
                    self._folder.discard(name)
                connection.execute(delete(SnapshotRow).where(SnapshotRow.name.in_(names)))
            done += len(names)
            if len(names) < AT_ONCE:
                return done
