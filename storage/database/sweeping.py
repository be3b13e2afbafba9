"""Pictures that nothing needs any more go: the file and its row, and neither without the other.

Several may sweep at once, and others may be about to write the very same picture again, since its name is its content.
Whoever announces it renews its row; only rows that nobody has renewed for an hour go, and while one goes, its file goes
within the same transaction: who announces the picture at that moment waits, and then writes it anew.
"""

from collections.abc import Collection
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Engine, delete, exists, select, update

from storage.database.engine import reading, writing
from storage.database.models import EventRow, JobRow, SnapshotRow
from storage.errors import StorageError
from storage.jobs import FINAL
from storage.messages import NS_PER_S
from storage.progress import Progress, unwatched
from storage.snapshots import SnapshotFolder

ALONE_NS: Final = 3600 * NS_PER_S
"""How long what seems to belong to nobody is left alone: somebody may be about to use it."""

PART: Final = 100
"""Files that go in one transaction."""


def sweep(engine: Engine, folder: SnapshotFolder, now_ns: int, progress: Progress = unwatched) -> int:
    """Remove obsolete pictures, whoever left them, but for those announced within the last hour or for a job that goes on.

    Returns:
        How many.

    Raises:
        StorageError: the database can't be used, or a file can't be removed.
    """
    _spare(engine)
    done, after = 0, ""
    while True:
        query = select(SnapshotRow.name).where(SnapshotRow.obsolete, SnapshotRow.name > after)
        with reading(engine) as connection:
            names = list(connection.execute(query.order_by(SnapshotRow.name).limit(PART)).scalars())
        if not names:
            return done
        progress()
        done += sweep_these(engine, folder, names, now_ns)
        after = names[-1]


def sweep_these(engine: Engine, folder: SnapshotFolder, names: Collection[str], now_ns: int) -> int:
    """Likewise of these, at most `PART` of which go at a time."""
    left, done = sorted(names), 0
    while left:
        part, left = left[:PART], left[PART:]
        with writing(engine) as connection:
            gone = _taken(connection, part, now_ns)
            for name in gone:
                folder.discard(name)
        done += len(gone)
    return done


def check_folder(engine: Engine, folder: Path) -> None:
    """See that the pictures' folder is there, if there should be pictures in it.

    Raises:
        StorageError: it is not: nothing is known of any file then.
    """
    if folder.is_dir():
        return
    with reading(engine) as connection:
        if connection.execute(select(SnapshotRow.name).limit(1)).first() is not None:
            raise StorageError(f"the folder of pictures {folder} is not there: mount it, or name the right data folder")


def _taken(connection: Connection, names: Collection[str], now_ns: int) -> list[str]:
    """Rows that go; their files are to go before the transaction ends."""
    named = exists().where(EventRow.snapshot == SnapshotRow.name)
    needed = exists().where(JobRow.id == SnapshotRow.camera_id, JobRow.state.not_in(FINAL))
    going = select(SnapshotRow.name).where(
        SnapshotRow.name.in_(names),
        SnapshotRow.obsolete,
        SnapshotRow.created_at_ns < now_ns - ALONE_NS,
        ~named,
        ~needed,
    )
    # What somebody else has in hand is left for the next time: nobody waits for somebody who waits for them.
    locked = going.order_by(SnapshotRow.name).with_for_update(skip_locked=True)
    gone = list(connection.execute(locked).scalars())
    connection.execute(delete(SnapshotRow).where(SnapshotRow.name.in_(gone)))
    return gone


def _spare(engine: Engine) -> None:
    """What became obsolete in the moment in which an event named it is not."""
    named = SnapshotRow.name.in_(select(EventRow.snapshot).where(EventRow.snapshot == SnapshotRow.name))
    with reading(engine) as connection:
        if connection.execute(select(SnapshotRow.name).where(SnapshotRow.obsolete, named).limit(1)).first() is None:
            return
    with writing(engine) as connection:
        connection.execute(update(SnapshotRow).where(SnapshotRow.obsolete, named).values(obsolete=False))
