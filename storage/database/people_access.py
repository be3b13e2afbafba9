"""What the repositories of accounts and keys share: whom a caller may give what, and changes one at a time."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy import Connection, select, text

from storage.database.engine import writing
from storage.database.models import BuildingRow
from storage.database.scoped import Scoped
from storage.errors import InvalidError, NotAllowedError, NotFoundError
from storage.identity import Role
from storage.names import normal_name

PEOPLE_LOCK: Final = 0x70656F70
"""PostgreSQL's advisory lock under which one change is made at a time."""

LONGEST_NAME: Final = 64
MOST_BUILDINGS: Final = 1000


class PeopleAccess(Scoped):
    """The way to accounts and keys, of a caller."""

    @contextmanager
    def _changing(self) -> Iterator[Connection]:
        with writing(self._engine) as connection:
            if self._engine.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": PEOPLE_LOCK})
            yield connection

    def _manages(self, buildings: Collection[str] | None) -> bool:
        """Whether somebody with these buildings is the caller's to see and change."""
        own = self._caller.buildings
        return own is None or (buildings is not None and own.issuperset(buildings))

    def _grantable(self, connection: Connection, role: Role, buildings: Collection[str] | None) -> list[str] | None:
        """The buildings as they are kept, if the caller may give these rights.

        NotAllowedError: they reach beyond the caller's own; NotFoundError: there is no such building; InvalidError: none.
        """
        caller = self._caller
        if not caller.may(role):
            raise NotAllowedError(f"{caller.name!r} has the role {caller.role}, and can't give {role}")
        if buildings is None:
            caller.need_all("rights for all buildings")
            return None
        chosen = sorted(set(buildings))
        if not chosen:
            raise InvalidError("name at least one building, or give null for all of them")
        if len(chosen) > MOST_BUILDINGS:
            raise InvalidError(f"name at most {MOST_BUILDINGS} buildings, or give null for all of them")
        known = set(connection.execute(select(BuildingRow.id).where(BuildingRow.id.in_(chosen))).scalars())
        for one in chosen:
            if one not in known or not caller.sees(one):
                raise NotFoundError(f"there is no building {one!r}: list the buildings, or add it first")
        return chosen


def check_person(given: str, what: str) -> str:
    """The name of an account or key, in the one form that is kept.

    Raises:
        InvalidError: empty, too long, or with characters that are not printable.
    """
    name = normal_name(given)
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise InvalidError(f"the name of {what} has 1 to {LONGEST_NAME} printable characters, not {name[:80]!r}")
    return name


def concerned(buildings: Collection[str] | None) -> str | None:
    """The building that a note in the audit log belongs to: the only one of the account or key, if it has one only."""
    return next(iter(buildings)) if buildings is not None and len(buildings) == 1 else None


def rights(role: str, buildings: Any) -> dict[str, Any]:
    """Role and buildings as the audit log says them."""
    return {"role": str(role), "buildings": None if buildings is None else sorted(buildings)}
