"""What is older than a building keeps it goes: passages, events, pictures, and jobs with their reports.

Each transaction removes a few hundred passages with all that belongs to them, and marks their pictures as obsolete; then the
files go with their rows. So after a crash there is nothing without its partner, and the next run goes on. Totals stay:
there are no people in them.
"""

from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, Final

from sqlalchemy import ColumnElement, Engine, delete, exists, select, tuple_

from storage.database.buckets import Span
from storage.database.engine import reading, writing
from storage.database.gone import Gone, locked, save
from storage.database.models import BuildingRow, CameraRow, CandidateRow, EventRow, TrackRow
from storage.database.old_jobs import old_jobs, remove_job
from storage.database.removal import Removed, remove_tracks, track_of
from storage.database.sweeping import check_folder, sweep, sweep_these
from storage.messages import NS_PER_S
from storage.progress import Progress, unwatched
from storage.snapshots import SnapshotFolder

DAY_NS: Final = 86_400 * NS_PER_S
PART: Final = 300
"""Passages that go in one transaction."""

UNREGISTERED_DAYS: Final = 30
"""How long is kept what cameras saw that are not registered, and so are in no building."""


class Retention:
    """Removes what is too old, in one database and its folders."""

    def __init__(self, engine: Engine, snapshots: Path, annotated: Path, progress: Progress = unwatched) -> None:
        """Begin.

        Args:
            engine: of a migrated database.
            snapshots: folder of pictures of events.
            annotated: folder of annotated videos.
            progress: called for each part.
        """
        self._engine, self._annotated, self._progress = engine, annotated, progress
        self._folder = SnapshotFolder(snapshots)
        self._done: Counter[str] = Counter()

    def run(self, now_ns: int) -> dict[str, int]:
        """Remove everything that is too old by now.

        Returns:
            How many `tracks`, `events`, `jobs` and `pictures` went.

        Raises:
            StorageError: the database can't be used, the pictures' folder is not there, or a file can't be removed; what is
                left goes with the next run.
        """
        self._done = Counter(tracks=0, events=0, jobs=0, pictures=0)
        check_folder(self._engine, self._folder.folder)
        with reading(self._engine) as connection:
            rows = connection.execute(select(BuildingRow.id, BuildingRow.retention_days)).all()
        # Those of a run that was ended before.
        self._done["pictures"] += sweep(self._engine, self._folder, now_ns, self._progress)
        for building, days in [("", UNREGISTERED_DAYS), *((row.id, row.retention_days) for row in rows)]:
            self._progress()
            before_ns = now_ns - days * DAY_NS
            self._live(building, before_ns, now_ns)
            self._candidates(building, before_ns)
            self._jobs(building, before_ns, now_ns)
        return dict(self._done)

    def _live(self, building: str, before_ns: int, now_ns: int) -> None:
        """What cameras saw; then events without a passage."""
        old = (TrackRow.building_id == building, TrackRow.started_ns < before_ns)
        for part in self._parts(TrackRow, *old, TrackRow.job_id.is_(None), TrackRow.closed.is_(True)):
            self._remove(part, before_ns, building, now_ns)
        alone = ~exists().where(TrackRow.id == EventRow.track_id)
        old = (EventRow.building_id == building, EventRow.started_ns < before_ns)
        for part in self._parts(EventRow, *old, EventRow.job_id.is_(None), EventRow.closed.is_(True), alone):
            self._remove([track_of(name) for name in part], before_ns, building, now_ns)

    def _candidates(self, building: str, before_ns: int) -> None:
        """Pictures of breaches that nobody remembers."""
        known = select(CameraRow.id)
        here = (
            CandidateRow.camera_id.in_(known.where(CameraRow.building_id == building))
            if building
            else CandidateRow.camera_id.not_in(known)
        )
        still = exists().where(
            TrackRow.camera_id == CandidateRow.camera_id,
            TrackRow.number == CandidateRow.number,
            TrackRow.job_id.is_(None),
            TrackRow.closed.is_(False),
        )
        with writing(self._engine) as connection:
            connection.execute(delete(CandidateRow).where(CandidateRow.at_ns < before_ns, here, ~still))

    def _jobs(self, building: str, before_ns: int, now_ns: int) -> None:
        """Jobs that ended long ago, with what they found; footage may be of any time."""
        for job in old_jobs(self._engine, building, before_ns):
            self._progress()
            for part in self._parts(TrackRow, TrackRow.job_id == job):
                self._remove(part, before_ns, building, now_ns, footage=True)
            for part in self._parts(EventRow, EventRow.job_id == job):
                tracks = [track_of(name) for name in part]
                self._remove(tracks, before_ns, building, now_ns, footage=True)
            self._done["jobs"] += remove_job(self._engine, self._annotated, job)

    def _parts(self, table: type[TrackRow] | type[EventRow], *wanted: ColumnElement[bool]) -> Iterator[list[str]]:
        """Identifiers in order of time; what stays is looked at once only."""
        after: Any = None
        while True:
            query = select(table.started_ns, table.id).where(*wanted)
            if after is not None:
                query = query.where(tuple_(table.started_ns, table.id) > tuple_(*after))
            with reading(self._engine) as connection:
                rows = connection.execute(query.order_by(table.started_ns, table.id).limit(PART)).all()
            if not rows:
                return
            self._progress()
            yield [row.id for row in rows]
            after = rows[-1]

    def _remove(
        self, tracks: Collection[str], before_ns: int, building: str, now_ns: int, *, footage: bool = False
    ) -> None:
        """Remove passages with all that belongs to them: rows first, then their pictures."""
        with writing(self._engine) as connection:
            gone = locked(connection)
            removed = remove_tracks(connection, tracks)
            now = _noted(gone.get(building, Gone()).before(before_ns), removed, footage=footage)
            if now != gone.get(building):
                save(connection, gone | {building: now})
        self._done.update(tracks=removed.tracks, events=removed.events)
        self._done["pictures"] += sweep_these(self._engine, self._folder, removed.pictures, now_ns)


def _noted(gone: Gone, removed: Removed, *, footage: bool) -> Gone:
    """With what went of a later time: an event begins after its passage, and footage may be of any time."""
    later = [at_ns for at_ns in removed.starts_ns if at_ns >= gone.before_ns]
    if not later:
        return gone
    span = Span(min(later), max(later) + 1)
    return gone.strays(span) if footage else gone.before(span.end_ns)
