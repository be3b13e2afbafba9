"""The way to the database: opening it, transactions with errors a person can act on, and migrations.

`reading` and `writing` are the only ways to a connection. Whatever goes wrong inside, the transaction is undone as a
whole, and a failure of the database comes out as a `StorageError`.
"""

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import ArgumentError, OperationalError, SQLAlchemyError

from storage.database.failures import BUSY_S, shown_database, shown_url, translate
from storage.errors import SetupError, StorageError, UsageError

REVISIONS: Final = ("0001", "0002", "0003", "0004")
"""All under `migrations`, oldest first."""

HEAD: Final = REVISIONS[-1]
"""What this program reads and writes."""

MIGRATIONS: Final = Path(__file__).parent / "migrations"

CONNECT_S: Final = 4
"""How long a PostgreSQL may take to answer."""

MIGRATION_WAIT_S: Final = 60.0
"""How long to wait for another process that migrates."""

MIGRATION_LOCK: Final = 0x6D61736B
"""PostgreSQL's advisory lock under which one process migrates at a time."""

WRITES: Final = "maskwatch_writes"
"""Option of connections that write: longest wait until they may, in seconds, where more than `BUSY_S` is wanted."""


def sqlite_url(path: Path) -> str:
    """The address of a SQLite file."""
    return URL.create("sqlite", database=str(path.absolute())).render_as_string(hide_password=False)


def open_engine(url: str) -> Engine:
    """Open a database; nothing is connected yet.

    Args:
        url: `sqlite:////folder/file` or `postgresql://user:password@host/name`.

    Raises:
        UsageError: neither of these.
        StorageError: the SQLite file can't be made.
    """
    try:
        address = make_url(url)
    except ArgumentError:
        raise UsageError(
            "the database address (MASKWATCH_DATABASE_URL) is none: write postgresql://user:password@host/name"
        ) from None
    kind = address.get_backend_name()
    if kind == "sqlite" and address.database not in {None, "", ":memory:"}:
        return _sqlite_engine(address)
    if kind in {"postgresql", "postgres"}:
        return _postgresql_engine(address)
    raise UsageError(
        f"cannot use {shown_url(address)} as the database (MASKWATCH_DATABASE_URL): write "
        "postgresql://user:password@host/name, or sqlite:////folder/file"
    )


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A transaction that only reads, and sees the database as it was at its first query.

    Raises:
        StorageError: see `failures.translate`.
    """
    with _translated(engine), engine.connect() as connection, connection.begin():
        yield connection


@contextmanager
def writing(engine: Engine, wait_s: float = 0.0) -> Iterator[Connection]:
    """A transaction that writes: all of it or, when the block raises, nothing.

    Args:
        engine: the database.
        wait_s: longest wait for another writer of a SQLite file, where more than `BUSY_S` is wanted.

    Raises:
        StorageError: see `failures.translate`.
    """
    # SQLite must know at the beginning: a reader that turns writer behind another one's back can only fail.
    with _translated(engine), engine.connect().execution_options(**{WRITES: wait_s}) as connection, connection.begin():
        yield connection


def migrate(engine: Engine) -> None:
    """Bring the tables to `HEAD`, making them where there are none; several processes may do so at once.

    Raises:
        SetupError: a newer version of Maskwatch wrote this database.
        StorageError: it can't be reached or written.
    """
    if revision(engine) == HEAD:
        return
    # Alembic is wanted for this alone, and takes its time to import: not while others wait.
    from alembic import command

    with writing(engine, MIGRATION_WAIT_S) as connection:
        if engine.dialect.name == "postgresql":
            # An index over years of passages takes longer than any question may.
            connection.execute(text("SET LOCAL statement_timeout = 0"))
            connection.execute(text(f"SET LOCAL lock_timeout = '{MIGRATION_WAIT_S:.0f}s'"))
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
            # A table that somebody uses is waited for no longer than ever.
            connection.execute(text("SET LOCAL lock_timeout TO DEFAULT"))
        if _known(engine, _revision(connection)) != HEAD:
            command.upgrade(alembic_config(connection), "head")


def revision(engine: Engine) -> str | None:
    """The revision of the tables; None where there are none yet.

    Raises:
        SetupError: one that this program does not know.
        StorageError: the database can't be reached.
    """
    with reading(engine) as connection:
        return _known(engine, _revision(connection))


def alembic_config(connection: Connection) -> Any:
    """Alembic's configuration, with which its commands run inside the transaction of `connection`."""
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


@contextmanager
def _translated(engine: Engine) -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        raise translate(engine, error) from error


def _sqlite_engine(address: URL) -> Engine:
    path = Path(address.database or "")
    try:
        # Made by us, so that nobody else may read it; the files beside it get the same rights from SQLite. One that is there
        # is left alone: to close a file drops the locks that other engines of this process have on it.
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        pass
    except PermissionError:
        # Opened for reading all the same where that is possible; writing gives its own error.
        if not path.exists():
            raise StorageError(f"cannot make the database {path}: its folder is not writable") from None
    except OSError as error:
        raise StorageError(f"cannot open the database {path}: {error.strerror}") from error
    engine = create_engine(address.set(drivername="sqlite"), pool_timeout=BUSY_S, connect_args={"timeout": BUSY_S})

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _record: object) -> None:
        # The driver's own idea of when a transaction begins leaves out statements that must be inside.
        connection.isolation_level = None
        with closing(connection.cursor()) as cursor:
            _write_ahead(cursor)
            for setting in ("synchronous=NORMAL", "foreign_keys=ON", "secure_delete=ON"):
                cursor.execute(f"PRAGMA {setting}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        wait_s: float | None = connection.get_execution_options().get(WRITES)
        if wait_s is None:
            connection.exec_driver_sql("BEGIN")
        else:
            _begin_to_write(connection, wait_s)

    return engine


def _begin_to_write(connection: Connection, wait_s: float) -> None:
    """SQLite waits `BUSY_S` at a time, in which nothing can interrupt it; a longer wait is several of these."""
    again_until_s = time.monotonic() + wait_s - BUSY_S
    while True:
        try:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        except OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > again_until_s:
                raise
        else:
            return


def _write_ahead(cursor: sqlite3.Cursor) -> None:
    """Switch to WAL mode, which stays; two processes that make a database at once must both get there."""
    limit_s = time.monotonic() + BUSY_S
    while cursor.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            # SQLite does not wait by itself for this lock; a file that can't be written is read as it is.
            if "locked" not in str(error):
                return
            if time.monotonic() > limit_s:
                raise
            time.sleep(0.01)


def _postgresql_engine(address: URL) -> Engine:
    engine = create_engine(
        address.set(drivername="postgresql+psycopg"),
        pool_timeout=BUSY_S,
        # A connection that the server or a firewall has ended meanwhile is replaced unnoticed.
        pool_pre_ping=True,
        connect_args={
            "connect_timeout": CONNECT_S,
            "tcp_user_timeout": 10_000,
            "application_name": "maskwatch",
            "options": f"-c lock_timeout={BUSY_S * 1000:.0f}ms -c statement_timeout=30s -c timezone=UTC",
        },
    )

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        if WRITES not in connection.get_execution_options():
            connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")

    return engine


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return found


def _known(engine: Engine, found: str | None) -> str | None:
    if found is not None and found not in REVISIONS:
        raise SetupError(
            f"the database {shown_database(engine)} was written by a newer version of Maskwatch (revision {found}, this version knows "
            f"{HEAD}): install that version, or name another database or data folder"
        )
    return found
