"""A whole system for recorded footage: embedded Redis, SQLite, `detect`, `classify`, `jobs` and `beat`."""

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from infra.demo.live import closing_engine, demo_settings
from infra.settings import Settings
from infra.supervisor import System
from infra.system.workers import Role, worker_commands
from storage.database.engine import migrate
from storage.database.jobs import Jobs
from storage.database.records import NewCamera
from storage.database.sites import Sites
from storage.errors import InputError
from storage.files import make_folder
from storage.identity import SYSTEM
from storage.jobs import Job, JobState, NewFile, NewJob
from storage.messages import NS_PER_S

ROLES: Final = (Role.DETECT, Role.CLASSIFY, Role.JOBS, Role.BEAT)
CAMERA: Final = "hall"
BEGAN_NS: Final = 1_767_225_600 * NS_PER_S
"""2026-01-01T00:00:00Z."""


class FootageSystem:
    """One with a camera; to be used by the main thread alone.

    >>> with FootageSystem(load_settings(), folder) as live:  # doctest: +SKIP
    ...     job = live.submit(clip)
    ...     live.look(job).state
    """

    def __init__(self, settings: Settings, folder: Path) -> None:
        """Plan it; `with` starts it, and waits until it has come up.

        Args:
            settings: of the system, save its folders, database and Redis, which are its own.
            folder: for its data.
        """
        self._settings = demo_settings(settings, folder)
        self.said: list[str] = []
        """What the supervisor had to say."""
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        """Start it.

        Raises:
            SetupError: something can't be started, or did not come up in time.
            StorageError: the folder can't be written.
        """
        with ExitStack() as stack:
            make_folder(self._settings.data_dir)
            engine = stack.enter_context(closing_engine(self._settings))
            migrate(engine)
            sites = Sites(engine)
            building = sites.add_building("Hall", "UTC")
            sites.add_camera(NewCamera("Hall", building.id, "rtsp://10.0.0.5/1", id=CAMERA))
            self._jobs = Jobs(engine).for_(SYSTEM)
            commands = worker_commands(self._settings, ROLES)
            self.system = stack.enter_context(System(self._settings, commands, port=0, say=self.said.append))
            self.system.wait_ready()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def submit(self, path: Path) -> str:
        """A job over a file; gives its identifier."""
        files = (NewFile(path.name, str(path.resolve())),)
        return self._jobs.create(NewJob(CAMERA, files, start_ns=BEGAN_NS)).id

    def look(self, job_id: str) -> Job:
        """The job as it is now, while the system is looked after.

        Raises:
            InputError: it has failed.
        """
        self.system.check()
        job = self._jobs.get(job_id)
        if job.state is JobState.FAILED:
            raise InputError(f"the job failed: {job.error}")
        return job

    def report(self, job_id: str) -> bytes:
        """The report on the file of a job that is done, as JSON."""
        [file] = self._jobs.report(job_id)
        return file.report
