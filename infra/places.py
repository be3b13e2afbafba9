"""Where things are: the paths that all parts of one system agree on, from its settings."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from infra.settings import Settings
from storage.errors import UsageError

LONGEST_SOCKET_PATH: Final = 100
"""In bytes; the kernel takes 107."""


@dataclass(frozen=True, slots=True)
class Places:
    """All absolute. Nothing is made by asking where it is.

    Attributes:
        data: the data folder.
        shared: folder in shared memory, for this user and this data folder alone; gone when the system has stopped.
        media: folder that files played as cameras lie in.
    """

    data: Path
    shared: Path
    media: Path

    @classmethod
    def of(cls, settings: Settings) -> "Places":
        """The places of a system.

        Raises:
            UsageError: the shared memory's path is too long for a socket.
        """
        data = settings.data_dir.resolve()
        # Links and relative paths to one folder lead to one name, and users don't get into each other's way.
        name = hashlib.sha256(os.fsencode(data)).hexdigest()[:12]
        shared = settings.shm_dir.resolve() / f"maskwatch-{os.getuid()}-{name}"
        media = data / "media" if settings.media_dir is None else settings.media_dir.resolve()
        places = cls(data, shared, media)
        if len(os.fsencode(places.socket)) > LONGEST_SOCKET_PATH:
            raise UsageError(f"the path of MASKWATCH_SHM_DIR is too long for a socket: {settings.shm_dir}")
        return places

    @property
    def database(self) -> Path:
        """The SQLite file, unless the settings name another database."""
        return self.data / "maskwatch.sqlite3"

    @property
    def secret_key(self) -> Path:
        """The key that camera passwords are encrypted with, unless the settings give one."""
        return self.data / "secret.key"

    @property
    def snapshots(self) -> Path:
        """Folder of the pictures kept with events."""
        return self.data / "snapshots"

    @property
    def uploads(self) -> Path:
        """Folder of the footage that was uploaded, until its job has ended."""
        return self.data / "uploads"

    @property
    def annotated(self) -> Path:
        """Folder of the videos that jobs made, with boxes and labels."""
        return self.data / "annotated"

    @property
    def reports(self) -> Path:
        """Folder of the reports that are made by themselves."""
        return self.data / "reports"

    @property
    def lock(self) -> Path:
        """Locked while a system runs on this data folder; it holds that system's process id."""
        return self.data / "lock"

    @property
    def run(self) -> Path:
        """Says which system runs, or was killed, on this data folder."""
        return self.data / "run.json"

    @property
    def logs(self) -> Path:
        """Folder of the logs, one for each worker."""
        return self.data / "logs"

    @property
    def socket(self) -> Path:
        """Where the embedded Redis listens."""
        return self.shared / "redis.sock"

    @property
    def frames(self) -> Path:
        """The frame store."""
        return self.shared / "frames"

    def log(self, worker: str) -> Path:
        """What a worker says, and whatever its libraries write."""
        return self.logs / f"{worker}.log"


def database_url(settings: Settings) -> str:
    """The address of the database: the one that is set, or SQLite in the data folder."""
    if settings.database_url is not None:
        return settings.database_url
    from storage.database.engine import sqlite_url

    return sqlite_url(Places.of(settings).database)
