"""What a database's failures mean, and what to do about them."""

from typing import Final

from sqlalchemy import URL, Engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from storage.errors import StorageError

BUSY_S: Final = 5.0
"""How long to wait for a writer, a lock or a connection before giving up."""

_ADVICE: Final = (
    ("disk is full", "can't be written: the disk is full; free some space, what is waiting is written then"),
    ("No space left", "can't be written: the disk is full; free some space, what is waiting is written then"),
    ("disk I/O error", "can't be read or written: check that its disk is there and sound"),
    ("database is locked", "was in use by another process for too long: try again"),
    ("lock timeout", "was in use by another process for too long: try again"),
    ("readonly database", "can't be written: make the file and its folder writable"),
    ("read-only transaction", "can't be written: it only allows reading; name its primary server"),
    ("unable to open", "can't be opened: check that its folder exists and is writable"),
    ("not a database", "is not a database: move the file away or name another"),
    ("malformed", "is damaged: restore a backup, or move the file away to begin anew"),
    ("no such table", "has no tables yet: `maskwatch up` makes them"),
    ('relation "', "has no tables yet: `maskwatch up` makes them"),
    ("password authentication failed", "refused the user name or password: check MASKWATCH_DATABASE_URL"),
    ("does not exist", "is not set up: create user and database, or check MASKWATCH_DATABASE_URL"),
    ("connection", "can't be reached: check MASKWATCH_DATABASE_URL and that the server runs"),
    ("resolve", "can't be reached: check the host in MASKWATCH_DATABASE_URL"),
)
"""Words in SQLite's and PostgreSQL's messages, the more telling first."""


def shown_database(engine: Engine) -> str:
    """The database's file, or its address without the password."""
    return engine.url.database or "" if engine.dialect.name == "sqlite" else shown_url(engine.url)


def shown_url(address: URL) -> str:
    """A database's address without passwords, those in the query left out.

    >>> from sqlalchemy import make_url
    >>> shown_url(make_url("postgresql://db/mw?user=me&password=secret"))
    'postgresql://db/mw?user=me'
    """
    return address.difference_update_query(_secret_fields(address)).render_as_string()


def translate(engine: Engine, error: SQLAlchemyError) -> StorageError:
    """A sentence that names the database, says what is wrong with it and what to do."""
    name = shown_database(engine)
    if isinstance(error, PoolTimeoutError):
        return StorageError(f"the database {name} is busy: no connection became free within {BUSY_S:.0f} s")
    cause = str(getattr(error, "orig", None) or error).strip()
    for secret in _secrets(engine.url):
        cause = cause.replace(secret, "***")
    advice = next((advice for words, advice in _ADVICE if words in cause), "failed")
    return StorageError(f"the database {name} {advice} ({cause.partition(chr(10))[0]})")


def _secret_fields(address: URL) -> list[str]:
    return [name for name in address.query if "pass" in name.lower()]


def _secrets(address: URL) -> list[str]:
    found = [str(address.password or "")]
    for name in _secret_fields(address):
        value = address.query[name]
        found += [value] if isinstance(value, str) else value
    return [secret for secret in found if secret]
