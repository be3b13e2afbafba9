"""Jobs as people see them: how far, how fast, what was found, made from rows of jobs, files and chunks."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Row, case, func, select

from storage.database.models import JobChunkRow, JobFileRow
from storage.jobs import FINAL, ChunkState, Job, JobFile, JobOptions, JobState, Pin
from storage.messages import NS_PER_S, seconds

ALMOST: Final = 0.99
"""The most that is said of a job that is not done: once all is looked at, it takes a moment to put it together."""

_FILE: Final = [column for column in JobFileRow.__table__.c if column.name not in {"plan", "report", "annotated"}]


class _Done(msgspec.Struct):
    """How far the chunks of a file are, in footage; `own_ns` is what was looked at for this job."""

    all_ns: int = 0
    done_ns: int = 0
    own_ns: int = 0
    faces: int = 0
    begun: bool = False
    all_done: bool = False


def jobs_of(connection: Connection, rows: Sequence[Row[Any]], now_ns: int) -> tuple[Job, ...]:
    """Jobs of these rows, in their order.

    Args:
        connection: within the transaction in which they were read.
        rows: of `job`.
        now_ns: Unix time.
    """
    identifiers = [row.id for row in rows]
    query = select(*_FILE).where(JobFileRow.job_id.in_(identifiers)).order_by(JobFileRow.job_id, JobFileRow.number)
    files: defaultdict[str, list[Any]] = defaultdict(list)
    for file in connection.execute(query):
        files[file.job_id].append(file)
    done = _done(connection, [row.id for row in rows if row.planned and row.state not in FINAL])
    videos = _videos(connection, sorted({row.replaced_by or row.id for row in rows}))
    return tuple(_job(row, files[row.id], done, videos.get(row.replaced_by or row.id, {}), now_ns) for row in rows)


def _videos(connection: Connection, jobs: Sequence[str]) -> dict[str, dict[int, str]]:
    """The annotated videos of jobs, by job and file."""
    videos: defaultdict[str, dict[int, str]] = defaultdict(dict)
    query = select(JobFileRow.job_id, JobFileRow.number, JobFileRow.annotated)
    for row in connection.execute(query.where(JobFileRow.job_id.in_(jobs), JobFileRow.annotated.is_not(None))):
        videos[row.job_id][row.number] = row.annotated
    return videos


def _done(connection: Connection, jobs: Sequence[str]) -> dict[tuple[str, int], _Done]:
    """How far the files of jobs that go on are."""
    length = JobChunkRow.end_ns - JobChunkRow.start_ns
    so_far = case((JobChunkRow.state == ChunkState.DONE.value, length), else_=JobChunkRow.at_ns - JobChunkRow.start_ns)
    query = (
        select(
            JobChunkRow.job_id,
            JobChunkRow.file,
            func.sum(length).label("all_ns"),
            func.sum(so_far).label("done_ns"),
            # What another job has seen already was never taken.
            func.sum(case((JobChunkRow.token > 0, so_far), else_=0)).label("own_ns"),
            func.sum(JobChunkRow.faces).label("faces"),
            func.max(case((JobChunkRow.state != ChunkState.WAITING.value, 1), else_=0)).label("begun"),
            func.min(case((JobChunkRow.state == ChunkState.DONE.value, 1), else_=0)).label("all_done"),
        )
        .where(JobChunkRow.job_id.in_(jobs))
        .group_by(JobChunkRow.job_id, JobChunkRow.file)
    )
    return {
        (row.job_id, row.file): _Done(
            int(row.all_ns), int(row.done_ns), int(row.own_ns), int(row.faces), bool(row.begun), bool(row.all_done)
        )
        for row in connection.execute(query)
    }


def _job(
    row: Row[Any],
    files: Sequence[Any],
    known: dict[tuple[str, int], _Done],
    videos: Mapping[int, str],
    now_ns: int,
) -> Job:
    """A job; `videos` are those of the job that answers for it."""
    over = row.state == JobState.DONE
    each = [known.get((row.id, file.number), _Done(all_done=over)) for file in files]
    durations = [file.duration_ns for file in files]
    footage_ns = None if None in durations or not row.planned else sum(durations)
    progress = 1.0 if over else _share(each)
    done_ns = round(progress * (footage_ns or 0)) if over else _footage(files, each)
    own_ns = done_ns if over else sum(one.own_ns for one in each)
    spent_ns = (row.ended_at_ns or now_ns) - (row.started_at_ns or now_ns)
    known_already = over and row.replaced_by is not None
    factor = None if spent_ns <= 0 or own_ns <= 0 or known_already else own_ns / spent_ns
    left_ns = max(0, (footage_ns or 0) - done_ns)
    # How long it takes to make facts of what was seen does not follow from how long it took to see it.
    eta = None if row.state in FINAL or left_ns == 0 or factor is None else left_ns / factor
    return Job(
        id=row.id,
        state=JobState(row.state),
        camera_id=row.camera_id,
        building_id=row.building_id,
        zone_id=row.zone_id,
        options=msgspec.convert(row.options, JobOptions),
        model=msgspec.convert(row.model, Pin | None),
        created_by=row.created_by,
        created_at_ns=row.created_at_ns,
        started_at_ns=row.started_at_ns,
        ended_at_ns=row.ended_at_ns,
        start_ns=files[0].start_ns if files else None,
        files=tuple(_file(file, one, videos.get(file.number)) for file, one in zip(files, each, strict=True)),
        progress=round(progress if over else min(progress, ALMOST), 4),
        footage_s=None if footage_ns is None else seconds(footage_ns),
        done_s=seconds(done_ns),
        realtime_factor=None if factor is None else round(factor, 2),
        eta_s=None if eta is None else round(eta / NS_PER_S, 1),
        faces=row.faces or sum(one.faces for one in each),
        tracks=row.tracks,
        events=row.events,
        not_decoded=tuple(_said(files)),
        replaced_by=row.replaced_by,
        error=row.error,
    )


def _share(each: Iterable[_Done]) -> float:
    """How much of the footage is looked at, 0 to 1."""
    chunks = list(each)
    total_ns = sum(one.all_ns for one in chunks)
    return sum(one.done_ns for one in chunks) / total_ns if total_ns else 0.0


def _footage(files: Sequence[Any], each: Sequence[_Done]) -> int:
    """How much footage is done; chunks may end a little before or after it does."""
    return sum(_of_file(file, one) for file, one in zip(files, each, strict=True))


def _of_file(file: Any, done: _Done) -> int:
    duration_ns: int = file.duration_ns or 0
    if done.all_done:
        return duration_ns
    return min(duration_ns, done.done_ns)


def _file(file: Any, done: _Done, annotated: str | None) -> JobFile:
    state = ChunkState.DONE if done.all_done else ChunkState.RUNNING if done.begun else ChunkState.WAITING
    return JobFile(
        number=file.number,
        name=file.name,
        path=file.path,
        upload_id=file.upload_id,
        start_ns=file.start_ns,
        duration_s=None if file.duration_ns is None else seconds(file.duration_ns),
        size=file.size,
        sha256=file.sha256,
        state=state,
        done_s=seconds(_of_file(file, done)),
        not_decoded=tuple(file.errors or ()),
        whole=file.whole,
        annotated=annotated,
    )


def _said(files: Sequence[Any]) -> Iterable[str]:
    """What could not be decoded; where there are several files, each with its name."""
    for file in files:
        for error in file.errors or ():
            yield error if len(files) == 1 else f"{file.name}: {error}"
