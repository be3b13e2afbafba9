"""Files and rows that have lost their partner: looked for in both directions.

A file that no row knows of is taken in as an obsolete one and goes as those do, so that whoever writes the same picture at that
moment loses nothing. A row whose file is missing is told of and stays: the file may come back, with a folder that is mounted
or from a backup, and until then its event says that its picture is gone.

A database that knows hardly any of the files is not theirs: then nothing goes.
"""

import os
import re
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import structlog
from sqlalchemy import Engine, Select, delete, exists, or_, select

from storage.database.engine import reading, writing
from storage.database.job_videos import job_of
from storage.database.models import JobFileRow, JobRow, SnapshotRow, UploadRow
from storage.database.slices import slices
from storage.database.sweeping import ALONE_NS, check_folder, sweep
from storage.database.upsert import upsert
from storage.errors import StorageError
from storage.files import remove_file
from storage.jobs import FINAL, JobState
from storage.messages import NS_PER_S
from storage.progress import Progress, unwatched
from storage.snapshots import SnapshotFolder

log = structlog.get_logger(__name__)

PART: Final = 1000
UNUSED_NS: Final = 24 * 3600 * NS_PER_S
"""How long an upload waits for a job."""

FEW: Final = 20
"""Up to so many old files say nothing of whose they are."""

SHOWN: Final = 20
"""Of what is missing, so many are named in the log."""

PICTURE: Final = re.compile(r"[0-9a-f]{64}\.jpg")
TEMPORARY: Final = re.compile(r"\..*(?:-[a-z0-9_]{8}(?:\.[^.]+)?|\.part)", re.DOTALL)
"""Names of `storage.files.replaced` and of uploads on their way."""


def pictures(engine: Engine, folder: Path, now_ns: int, progress: Progress = unwatched) -> dict[str, int]:
    """Check the pictures of events against their rows.

    Args:
        engine: of a migrated database.
        folder: of the pictures.
        now_ns: the time.
        progress: called for each file and each part.

    Returns:
        How many were `removed`: files without a row, and those that nothing needs any more; of how many rows the file is
        `missing`.

    Raises:
        StorageError: the database can't be used or is not that of the folder, the folder is not there, or a file can't be
            removed.
    """
    check_folder(engine, folder)
    known = of = 0
    for part in _parts(_pictures(folder, now_ns, progress)):
        known, of = known + len(_rows_of(engine, [path.name for path in part])), of + len(part)
    _check_known("pictures", folder, known, of)
    for part in _parts(_pictures(folder, now_ns, progress)):
        _take_in(engine, {path.name: path for path in part})
    removed = sweep(engine, SnapshotFolder(folder), now_ns, progress)
    query = select(SnapshotRow.name).where(SnapshotRow.obsolete.is_(False))
    missing = _missing(folder, _names(engine, query, SnapshotRow.name), progress)
    # A picture that was replaced since the database was asked is none that is missing.
    missing = [name for part in slices(missing) for name in _still(engine, part)]
    _tell("the file of a picture is missing", missing)
    return {"removed": removed, "missing": len(missing)}


def uploads(engine: Engine, folder: Path, now_ns: int, progress: Progress = unwatched) -> dict[str, int]:
    """Remove uploads of jobs that are over, those that no job has used for a day, and files without a row; see `pictures`."""
    going_on = exists().where(JobRow.id == UploadRow.job_id, JobRow.state.not_in(FINAL))
    unused = UploadRow.job_id.is_(None) & (UploadRow.created_at_ns < now_ns - UNUSED_NS)
    over = UploadRow.job_id.is_not(None) & ~going_on & (UploadRow.created_at_ns < now_ns - ALONE_NS)
    removed = 0
    for name in list(_names(engine, select(UploadRow.id).where(or_(unused, over)), UploadRow.id)):
        progress()
        with writing(engine) as connection:
            gone = delete(UploadRow).where(UploadRow.id == name, or_(unused, over))
            if connection.execute(gone).rowcount:
                remove_file(folder / name)
                removed += 1
    # Files first: a row is made only once its file is there.
    old = [path for path in _old_files(folder, now_ns, progress) if not TEMPORARY.fullmatch(path.name)]
    known = set(_names(engine, select(UploadRow.id), UploadRow.id))
    alone = [path for path in old if path.name not in known]
    _check_known("uploads", folder, len(old) - len(alone), len(old))
    removed += _remove(alone, progress)
    missing = _missing(folder, known, progress)
    missing = [name for part in slices(missing) for name in _there(engine, part)]
    _tell("the file of an upload is missing", missing)
    return {"removed": removed, "missing": len(missing)}


def videos(engine: Engine, folder: Path, now_ns: int, progress: Progress = unwatched) -> dict[str, int]:
    """Remove annotated videos that no job has; see `pictures`. One of a job that goes on may have no row yet."""
    old = [path for path in _old_files(folder, now_ns, progress) if not TEMPORARY.fullmatch(path.name)]
    named = select(JobFileRow.annotated).where(JobFileRow.annotated.is_not(None))
    with reading(engine) as connection:
        # At one moment, so that a job that ends meanwhile is seen either way.
        known = {name for name in connection.execute(named).scalars() if name is not None}
        states = {row.id: row.state for row in connection.execute(select(JobRow.id, JobRow.state))}
    # Of a job that was cancelled it is known whose they were.
    _check_known("videos", folder, sum(path.name in known or job_of(path.name) in states for path in old), len(old))
    alone = [path for path in old if path.name not in known and states.get(job_of(path.name), JobState.DONE) in FINAL]
    removed = _remove(alone, progress)
    missing = _missing(folder, sorted(known), progress)
    _tell("an annotated video is missing", missing)
    return {"removed": removed, "missing": len(missing)}


def temporary(folders: Collection[Path], now_ns: int, progress: Progress = unwatched) -> dict[str, int]:
    """Remove what writers that were killed left of files that they never finished, an hour after their last byte."""
    found = (path for folder in folders for path in _old_files(folder, now_ns, progress))
    return {"removed": _remove((path for path in found if TEMPORARY.fullmatch(path.name)), progress)}


def _check_known(what: str, folder: Path, known: int, of: int) -> None:
    """See that a database is that of a folder's old files.

    Raises:
        StorageError: it knows hardly any of them: restored too late, made anew, or another one.
    """
    if of > FEW and 2 * known < of:
        raise StorageError(
            f"this database knows only {known} of the {of} {what} in {folder}, and nothing was removed: is it the right one? "
            f"Restore it, or name the right one; if it is right, move the {what} that are not of its time out of that folder"
        )


def _pictures(folder: Path, now_ns: int, progress: Progress) -> Iterator[Path]:
    return (path for path in _old_files(folder, now_ns, progress) if PICTURE.fullmatch(path.name))


def _missing(folder: Path, names: Iterable[str], progress: Progress) -> list[str]:
    """Names of which there is no file."""
    missing = []
    for name in names:
        progress()
        if not (folder / name).exists():
            missing.append(name)
    return missing


def _old_files(folder: Path, now_ns: int, progress: Progress) -> Iterator[Path]:
    """Ordinary files that nobody has written to for an hour."""
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                progress()
                try:
                    old = entry.is_file(follow_symlinks=False) and entry.stat().st_mtime_ns < now_ns - ALONE_NS
                except FileNotFoundError:
                    continue
                if old:
                    yield Path(entry.path)
    except FileNotFoundError:
        # Nothing was ever kept there.
        return
    except OSError as error:
        raise StorageError(f"cannot read the folder {folder}: {error.strerror}") from error


def _parts(paths: Iterable[Path]) -> Iterator[list[Path]]:
    part: list[Path] = []
    for path in paths:
        part.append(path)
        if len(part) == PART:
            yield part
            part = []
    yield part


def _take_in(engine: Engine, files: dict[str, Path]) -> None:
    """Give files without a row one that says that nothing needs them."""
    known = _rows_of(engine, files)
    rows = []
    for name, path in sorted(files.items()):
        if name in known:
            continue
        try:
            found = path.stat()
        except FileNotFoundError:
            continue
        rows.append({"name": name, "camera_id": "", "event_id": None, "bytes": found.st_size, "obsolete": True})
        rows[-1]["created_at_ns"] = found.st_mtime_ns
    if rows:
        with writing(engine) as connection:
            connection.execute(upsert(connection, SnapshotRow.__table__), rows)


def _rows_of(engine: Engine, names: Collection[str]) -> set[str]:
    """Those pictures that there are rows of, obsolete ones included."""
    with reading(engine) as connection:
        return set(connection.execute(select(SnapshotRow.name).where(SnapshotRow.name.in_(names))).scalars())


def _names(engine: Engine, query: Select[Any], column: Any) -> Iterator[str]:
    after = ""
    while True:
        with reading(engine) as connection:
            found = connection.execute(query.where(column > after).order_by(column).limit(PART)).scalars()
            names: list[str] = list(found)
        if not names:
            return
        yield from names
        after = names[-1]


def _still(engine: Engine, names: Collection[str]) -> list[str]:
    query = select(SnapshotRow.name).where(SnapshotRow.name.in_(names), SnapshotRow.obsolete.is_(False))
    with reading(engine) as connection:
        return list(connection.execute(query.order_by(SnapshotRow.name)).scalars())


def _there(engine: Engine, names: Collection[str]) -> list[str]:
    with reading(engine) as connection:
        query = select(UploadRow.id).where(UploadRow.id.in_(names))
        return list(connection.execute(query.order_by(UploadRow.id)).scalars())


def _remove(paths: Iterable[Path], progress: Progress) -> int:
    removed = 0
    for path in paths:
        progress()
        remove_file(path)
        removed += 1
    return removed


def _tell(sentence: str, names: Collection[str]) -> None:
    for name in sorted(names)[:SHOWN]:
        log.warning(sentence, file=name, of=len(names))
