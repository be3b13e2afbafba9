"""Insert, or update where the row exists: one statement, the same for SQLite and PostgreSQL."""

from functools import cache
from typing import Any, cast

from sqlalchemy import Connection, FromClause, Insert, Table
from sqlalchemy.dialects import postgresql, sqlite


def upsert(
    connection: Connection, table: FromClause, *, replace: tuple[str, ...] = (), add: tuple[str, ...] = ()
) -> Insert:
    """A statement to be executed with rows, each with all columns that have no default.

    With neither `replace` nor `add` an existing row stays as it is.

    Args:
        connection: of a database of either kind.
        table: its primary key tells which row exists.
        replace: columns that an existing row takes over.
        add: columns that are added to what an existing row has.
    """
    return _upsert(connection.dialect.name, cast("Table", table), replace, add)


@cache
def _upsert(dialect: str, table: Table, replace: tuple[str, ...], add: tuple[str, ...]) -> Insert:
    # The two dialects' inserts are twins without a common type. Building one takes longer than executing it.
    make: Any = postgresql.insert if dialect == "postgresql" else sqlite.insert
    statement = make(table)
    values = {name: statement.excluded[name] for name in replace}
    values |= {name: table.c[name] + statement.excluded[name] for name in add}
    key = list(table.primary_key)
    if not values:
        kept: Insert = statement.on_conflict_do_nothing(index_elements=key)
        return kept
    done: Insert = statement.on_conflict_do_update(index_elements=key, set_=values)
    return done
