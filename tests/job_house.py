"""A system that works on recorded footage: `detect`, `classify`, `jobs` and `beat` on an embedded Redis and SQLite."""

import json
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from sqlalchemy import func, select

from infra.bench.footage_system import BEGAN_NS, ROLES
from infra.places import Places, database_url
from infra.settings import Settings, load_settings
from infra.supervisor import System
from infra.system.workers import Role, worker_commands
from storage.bus import Bus
from storage.database.engine import migrate, open_engine, reading
from storage.database.jobs import Jobs
from storage.database.models import EventRow, JobChunkRow, TrackRow
from storage.database.records import NewCamera
from storage.database.sites import Sites
from storage.identity import SYSTEM
from storage.jobs import FINAL, ChunkState, Job, NewFile, NewJob
from storage.link import Link

CAMERA: Final = "door"


class JobHouse:
    """One system with one camera; `with` starts it.

    >>> with JobHouse(tmp_path) as house:  # doctest: +SKIP
    ...     job = house.finished(house.submit(clip))
    """

    def __init__(self, folder: Path, roles: Sequence[Role] = ROLES, **settings: object) -> None:
        self._roles = roles
        self.settings: Settings = load_settings(**{"data_dir": folder / "house", "jobs_workers": 2, **settings})
        self.places = Places.of(self.settings)
        self.places.data.mkdir(parents=True, exist_ok=True)
        self.engine = open_engine(database_url(self.settings))
        self.jobs = Jobs(self.engine).for_(SYSTEM)
        self.said: list[str] = []
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.callback(self.engine.dispose)
            migrate(self.engine)
            sites = Sites(self.engine, self.places.media)
            building = sites.add_building("North", "UTC")
            sites.add_camera(NewCamera("Door", building.id, "rtsp://10.0.0.5/1", id=CAMERA))
            # The system opens the file in this process, too: closing it again would drop SQLite's locks of ours.
            self.engine.dispose()
            commands = worker_commands(self.settings, self._roles)
            self.system = stack.enter_context(System(self.settings, commands, port=0, say=self.said.append))
            self.system.wait_ready()
            url, prefix = self.system.redis_url, self.settings.redis_prefix
            self.bus = stack.enter_context(closing(Bus(url, prefix=prefix)))
            self.link = stack.enter_context(closing(Link(url)))
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def submit(self, *paths: Path, **options: Any) -> str:
        """A job over footage that lies somewhere; gives its identifier."""
        files = tuple(NewFile(path.name, str(path)) for path in paths)
        return self.jobs.create(NewJob(CAMERA, files, **{"start_ns": BEGAN_NS, **options})).id

    def until(self, condition: Callable[[], object], limit_s: float = 90.0) -> None:
        """Look after the system until something holds."""
        end_s = time.monotonic() + limit_s
        while not condition():
            self.system.check()
            assert time.monotonic() < end_s, ("it took too long", self.said[-3:])
            time.sleep(0.02)

    def finished(self, job_id: str, limit_s: float = 90.0) -> Job:
        """A job once it has ended."""
        self.until(lambda: self.jobs.get(job_id).state in FINAL, limit_s)
        return self.jobs.get(job_id)

    def quiet(self) -> bool:
        """Whether nothing is on its way, and nothing is held: no chunk, no picture, no message of footage."""
        queues, _ = self.bus.lengths()
        return not (self.holders() or self.frames_held or self.keys("footage*") or any(queues.values()))

    @property
    def frames_held(self) -> int:
        """Pictures in the frame store."""
        from storage.frames import FrameStore

        with FrameStore(self.places.frames) as store:
            return store.used_blocks

    def keys(self, pattern: str) -> list[str]:
        """Names of keys in Redis."""
        return [name.decode() for name in self.link.call("KEYS", f"{self.settings.redis_prefix}:{pattern}")]

    def messages(self) -> int:
        """Tasks that wait for a worker."""
        return int(self.link.call("LLEN", f"{self.settings.redis_prefix}:celery:jobs"))

    def pictures(self) -> set[str]:
        """Names of the files beside the database that show something."""
        return {file.name for file in self.places.snapshots.glob("*")}

    def facts(self) -> tuple[int, int]:
        """How many tracks and events there are."""
        return self.count(TrackRow), self.count(EventRow)

    def _chunks(self, job_id: str | None) -> list[Any]:
        query = select(JobChunkRow.state, JobChunkRow.owner, JobChunkRow.token, JobChunkRow.tries)
        if job_id is not None:
            query = query.where(JobChunkRow.job_id == job_id)
        with reading(self.engine) as connection:
            return list(connection.execute(query).all())

    def chunks(self, job_id: str | None = None) -> int:
        """How many chunks there are."""
        return len(self._chunks(job_id))

    def tokens(self, job_id: str) -> list[int]:
        """How often each chunk was taken."""
        return [row.token for row in self._chunks(job_id)]

    def holders(self, job_id: str | None = None) -> list[str]:
        """Who works on chunks."""
        return [row.owner for row in self._chunks(job_id) if row.state == ChunkState.RUNNING.value and row.owner]

    def deaths(self, job_id: str) -> int:
        """How many workers died with one of its chunks."""
        return max(int(row.tries) for row in self._chunks(job_id))

    def count(self, table: type[JobChunkRow | TrackRow | EventRow]) -> int:
        """Rows of a table."""
        with reading(self.engine) as connection:
            return int(connection.execute(select(func.count()).select_from(table)).scalar_one())


def told(report: str | bytes) -> str:
    """What a report, as JSON, says of footage: all but how long it took."""
    return json.dumps(json.loads(report) | {"timing": None})
