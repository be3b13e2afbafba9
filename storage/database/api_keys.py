"""Keys for programs: shown once, kept as sha256, with rights that never reach above who made them."""

import hmac
import re
import secrets
import time
from contextlib import suppress
from typing import Final

import msgspec
from sqlalchemy import Connection, insert, select, update

from storage.database.account_rows import digest
from storage.database.audit import note
from storage.database.engine import reading, writing
from storage.database.models import ApiKeyRow
from storage.database.people_access import PeopleAccess, check_person, concerned, rights
from storage.errors import InvalidError, NotFoundError, StorageError
from storage.identity import Caller, Role
from storage.messages import NS_PER_S

PREFIX: Final = "mwk_"
"""How every key begins, so that it is recognised where it does not belong."""

FORM: Final = re.compile(r"mwk_(k[0-9a-f]{16})_([A-Za-z0-9_-]{43})")

NOTED_S: Final = 60
"""That a key is used is written down no more often."""

LONGEST_LIFE_S: Final = 10 * 366 * 24 * 3600


class ApiKey(msgspec.Struct, frozen=True):
    """A key for a program, without its secret.

    Attributes:
        id: unique for ever; a part of the key.
        name: for people.
        hint: the last letters of the key.
        role, buildings: what it opens; None: all buildings.
        created_by: name of who made it.
        created_at_ns, expires_at_ns, used_at_ns, revoked_at_ns: Unix time; None: never.
    """

    id: str
    name: str
    hint: str
    role: Role
    buildings: tuple[str, ...] | None
    created_by: str
    created_at_ns: int
    expires_at_ns: int | None
    used_at_ns: int | None
    revoked_at_ns: int | None


class NewKey(msgspec.Struct, frozen=True):
    """What a key is to be.

    Attributes:
        name: for people.
        role, buildings: what it opens; None: all buildings.
        expires_at_ns: Unix time; None: never.
    """

    name: str
    role: Role
    buildings: tuple[str, ...] | None = None
    expires_at_ns: int | None = None


SHOWN: Final = tuple(getattr(ApiKeyRow, name) for name in ApiKey.__struct_fields__)
"""All but the digest."""


class ApiKeys(PeopleAccess):
    """Keys, as a caller may see and revoke them.

    Every method raises StorageError when the database can't be reached or written.
    """

    def add(self, new: NewKey) -> tuple[ApiKey, str]:
        """Make a key.

        Returns:
            It, and the secret text that a program sends; that is nowhere else.

        Raises:
            InvalidError: a name or a time that can't be accepted.
            NotAllowedError, NotFoundError: more than the caller may themself, or a building that there is not.
        """
        now_ns = time.time_ns()
        if new.expires_at_ns is not None and not now_ns < new.expires_at_ns <= now_ns + LONGEST_LIFE_S * NS_PER_S:
            raise InvalidError("a key's end lies ahead, and no further than ten years")
        name, secret = check_person(new.name, "a key"), secrets.token_urlsafe(32)
        with self._changing() as connection:
            key_id = f"k{secrets.token_hex(8)}"
            row = {
                "id": key_id,
                "name": name,
                "digest": digest(secret),
                "hint": secret[-4:],
                "role": new.role.value,
                "buildings": self._grantable(connection, new.role, new.buildings),
                "created_by": self._caller.name,
                "created_at_ns": now_ns,
                "expires_at_ns": new.expires_at_ns,
            }
            connection.execute(insert(ApiKeyRow).values(row))
            made = self._key(connection, key_id)
            self._note(connection, "key.added", made)
            return made, f"{PREFIX}{key_id}_{secret}"

    def listed(self) -> list[ApiKey]:
        """Those that are the caller's to see, oldest first; with those that were revoked or have ended."""
        with reading(self._engine) as connection:
            rows = connection.execute(select(*SHOWN).order_by(ApiKeyRow.created_at_ns, ApiKeyRow.id))
            every = [msgspec.convert(dict(row._mapping), ApiKey) for row in rows]  # noqa: SLF001 documented
        return [one for one in every if self._manages(one.buildings)]

    def key(self, key_id: str) -> ApiKey:
        """One of them.

        Raises:
            NotFoundError: there is none.
        """
        with reading(self._engine) as connection:
            return self._key(connection, key_id)

    def revoke(self, key_id: str) -> ApiKey:
        """Let a key open nothing any more, from now on.

        Raises:
            NotFoundError: there is none.
        """
        with self._changing() as connection:
            found = self._key(connection, key_id)
            if found.revoked_at_ns is None:
                mine = update(ApiKeyRow).where(ApiKeyRow.id == key_id)
                connection.execute(mine.values(revoked_at_ns=time.time_ns()))
                self._note(connection, "key.revoked", found)
            return self._key(connection, key_id)

    def opened(self, given: str, address: str | None) -> Caller | None:
        """Who calls with a key; None where it is none, has ended, or was revoked.

        Args:
            given: the whole key.
            address: where from.
        """
        found = FORM.fullmatch(given)
        if found is None:
            return None
        now_ns = time.time_ns()
        with reading(self._engine) as connection:
            row = connection.execute(select(ApiKeyRow).where(ApiKeyRow.id == found[1])).one_or_none()
        # Compared whether or not there is such a key.
        kept = "" if row is None else row.digest
        if not hmac.compare_digest(kept, digest(found[2])) or row is None:
            return None
        if row.revoked_at_ns is not None or (row.expires_at_ns is not None and row.expires_at_ns <= now_ns):
            return None
        if row.used_at_ns is None or now_ns - row.used_at_ns > NOTED_S * NS_PER_S:
            # A database that can only be read at the moment keeps nobody out.
            with suppress(StorageError), writing(self._engine) as connection:
                connection.execute(update(ApiKeyRow).where(ApiKeyRow.id == row.id).values(used_at_ns=now_ns))
        buildings = None if row.buildings is None else frozenset(row.buildings)
        return Caller(row.id, row.name, "key", Role(row.role), buildings, address)

    def _key(self, connection: Connection, key_id: str) -> ApiKey:
        """A key; NotFoundError if there is none, or it is not the caller's to see."""
        row = connection.execute(select(*SHOWN).where(ApiKeyRow.id == key_id)).one_or_none()
        found = None if row is None else msgspec.convert(dict(row._mapping), ApiKey)  # noqa: SLF001 documented
        if found is None or not self._manages(found.buildings):
            raise NotFoundError(f"there is no API key {key_id!r}: list the keys, or make one first")
        return found

    def _note(self, connection: Connection, action: str, key: ApiKey) -> None:
        about = rights(key.role, key.buildings) | {"name": key.name}
        note(connection, self._caller, action, ("api_key", key.id), concerned(key.buildings), **about)
