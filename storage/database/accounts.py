"""People who may log in: added, changed and removed by those who may, and never above themselves."""

import secrets
import time
from typing import Any, Final

from sqlalchemy import Connection, Engine, delete, insert, select, update

from storage.database.account_rows import (
    Account,
    AccountChanges,
    Link,
    account_record,
    digest,
    end_sessions,
    given_values,
    held_account,
    keep_an_administrator,
    refuse_double_account,
)
from storage.database.audit import note
from storage.database.changes import ChangedError
from storage.database.engine import reading
from storage.database.models import AccountLinkRow, AccountRow
from storage.database.people_access import PeopleAccess, check_person, concerned, rights
from storage.errors import NotAllowedError, NotFoundError
from storage.identity import Role
from storage.messages import NS_PER_S
from storage.names import alike
from storage.passwords import Passwords

LINK_S: Final = 24 * 3600
"""How long a one-time link leads in."""

FIRST_NAME: Final = "admin"
"""Of the account that the first start makes."""


class Accounts(PeopleAccess):
    """Accounts, as a caller may see and change them.

    Every method raises StorageError when the database can't be reached or written.
    """

    def __init__(self, engine: Engine, passwords: Passwords | None = None) -> None:
        """Begin.

        Args:
            engine: of a migrated database.
            passwords: makes hashes.
        """
        super().__init__(engine)
        self._passwords = passwords or Passwords()

    def add(
        self, name: str, role: Role, buildings: tuple[str, ...] | None = None, password: str | None = None
    ) -> Account:
        """Let somebody in.

        Args:
            name: by which they log in.
            role: what they may.
            buildings: identifiers of those they may see; None: all.
            password: None: a link is needed first.

        Raises:
            InvalidError: a name or password that can't be accepted.
            ConflictError: there is one of that name, or of one that differs only in capital letters.
            NotAllowedError, NotFoundError: more than the caller may themself, or a building that there is not.
        """
        name = check_person(name, "an account")
        hashed = None if password is None else self._passwords.hashed(password)
        with self._changing() as connection:
            chosen = self._grantable(connection, role, buildings)
            refuse_double_account(connection, name)
            return self._insert(connection, name, role, chosen, hashed)

    def accounts(self) -> list[Account]:
        """Those that are the caller's to see, oldest first."""
        with reading(self._engine) as connection:
            rows = connection.execute(select(AccountRow).order_by(AccountRow.created_at_ns, AccountRow.id))
            every = [account_record(row) for row in rows]
        return [one for one in every if self._manages(one.buildings)]

    def account(self, account_id: str) -> Account:
        """One of them, or the caller's own.

        Raises:
            NotFoundError: there is none.
        """
        with reading(self._engine) as connection:
            return self._account(connection, account_id)

    def named(self, name: str) -> Account:
        """One of them by what a person calls it: its name or identifier.

        Raises:
            NotFoundError: there is none.
        """
        for one in self.accounts():
            if one.id == name or alike(one.name) == alike(name):
                return one
        raise NotFoundError(f"there is no account {name[:80]!r}: see `maskwatch user list`")

    def change(self, account_id: str, changes: AccountChanges, version: int | None = None) -> Account:
        """Change one; another name apart, that ends all its sessions at once.

        Args:
            account_id: whose.
            changes: what is to be different.
            version: that it must still have.

        Raises:
            NotFoundError: there is no such account or building.
            ChangedError: it has another version by now.
            InvalidError: a name or password that can't be accepted.
            ConflictError: the name is taken; it is the caller's own role; nobody would be left to give others access.
            NotAllowedError: more than the caller may themself.
        """
        values = given_values(changes)
        if isinstance(changes.password, str):
            values["password"] = self._passwords.hashed(changes.password)
        with self._changing() as connection:
            found = self._account(connection, account_id)
            if version is not None and found.version != version:
                raise ChangedError(f"account {found.name!r} has been changed meanwhile: look at it again first")
            values = {key: value for key, value in values.items() if key == "password" or value != getattr(found, key)}
            if not values:
                return found
            if self._caller.id == account_id and values.keys() - {"name"}:
                raise NotAllowedError(
                    "nobody changes their own role, buildings or access, and the own password is changed by giving the old one"
                )
            if values.keys() & {"role", "buildings"}:
                buildings = values.get("buildings", found.buildings)
                values["buildings"] = self._grantable(connection, Role(values.get("role", found.role)), buildings)
            if "name" in values:
                refuse_double_account(connection, values["name"], account_id)
            values["version"] = found.version + 1
            connection.execute(update(AccountRow).where(AccountRow.id == account_id).values(values))
            new = self._account(connection, account_id, SYSTEM_WIDE)
            keep_an_administrator(connection, found)
            if values.keys() - {"name", "version"}:
                end_sessions(connection, account_id)
            self._note(connection, "account.changed", new, changed=sorted(values.keys() - {"version"}))
            return new

    def remove(self, account_id: str) -> None:
        """Forget somebody; what they did stays in the audit log.

        Raises:
            NotFoundError: there is no such account.
            NotAllowedError: it is the caller's own.
            ConflictError: nobody would be left to give others access.
        """
        with self._changing() as connection:
            found = self._account(connection, account_id)
            if self._caller.id == account_id:
                raise NotAllowedError("nobody removes their own account: another administrator does")
            connection.execute(held_account(account_id))
            end_sessions(connection, account_id)
            connection.execute(delete(AccountRow).where(AccountRow.id == account_id))
            keep_an_administrator(connection, found)
            self._note(connection, "account.removed", found)

    def link(self, account_id: str) -> Link:
        """A new one-time link, for 24 h; those before lead in no more. Only its sha256 is kept.

        Raises:
            NotFoundError: there is no such account.
            NotAllowedError: it may not log in, or is the caller's own.
        """
        with self._changing() as connection:
            found = self._account(connection, account_id)
            if self._caller.id == account_id:
                # Who finds a browser open would choose a password, and keep its owner out.
                raise NotAllowedError(
                    "the own password is changed by giving the old one: another administrator makes links"
                )
            if not found.enabled:
                raise NotAllowedError(f"account {found.name!r} is disabled: enable it first")
            link = Link(secrets.token_urlsafe(32), time.time_ns() + LINK_S * NS_PER_S)
            connection.execute(delete(AccountLinkRow).where(AccountLinkRow.account_id == account_id))
            connection.execute(
                insert(AccountLinkRow).values(
                    digest=digest(link.secret), account_id=account_id, expires_at_ns=link.expires_at_ns
                )
            )
            self._note(connection, "account.link_made", found)
            return link

    def first(self) -> Account | None:
        """The administrator of the first start: made if there is no account at all; of several processes, by one."""
        with self._changing() as connection:
            if connection.execute(select(AccountRow.id).limit(1)).first() is not None:
                return None
            return self._insert(connection, FIRST_NAME, Role.ADMIN, None, None)

    def reachable(self) -> bool:
        """Whether some administrator of everything has a password."""
        return any(
            one.has_password and one.enabled and one.role is Role.ADMIN and one.buildings is None
            for one in self.accounts()
        )

    def change_own_password(self, old: str, new: str) -> None:
        """Change the caller's own password; that ends all their sessions.

        Raises:
            NotAllowedError: the caller is no account, or the old one is wrong.
            InvalidError: the new one can't be accepted.
        """
        caller = self._caller
        with reading(self._engine) as connection:
            query = select(AccountRow.password).where(AccountRow.id == caller.id)
            hashed = connection.execute(query).scalar()
        if caller.kind != "account" or not self._passwords.fits(old, hashed):
            if caller.kind == "account":
                with self._changing() as connection:
                    self._note(connection, "account.password_refused", self._account(connection, caller.id))
            raise NotAllowedError("the old password is wrong, or there is none: ask an administrator for a link")
        values = {"password": self._passwords.hashed(new), "version": AccountRow.version + 1}
        with self._changing() as connection:
            still = (AccountRow.id == caller.id) & (AccountRow.password == hashed)
            if connection.execute(update(AccountRow).where(still).values(values)).rowcount != 1:
                raise NotAllowedError("the password has been changed meanwhile: log in again")
            end_sessions(connection, caller.id)
            self._note(connection, "account.changed", self._account(connection, caller.id), changed=["password"])

    def _insert(
        self, connection: Connection, name: str, role: Role, buildings: list[str] | None, hashed: str | None
    ) -> Account:
        account_id = f"u{secrets.token_hex(8)}"
        row = {
            "id": account_id,
            "name": name,
            "role": role.value,
            "buildings": buildings,
            "password": hashed,
            "enabled": True,
            "version": 1,
            "created_at_ns": time.time_ns(),
        }
        connection.execute(insert(AccountRow).values(row))
        made = self._account(connection, account_id, SYSTEM_WIDE)
        self._note(connection, "account.added", made)
        return made

    def _account(self, connection: Connection, account_id: str, whose: bool = False) -> Account:
        """An account; NotFoundError if there is none, or unless `whose` is SYSTEM_WIDE if it is not the caller's to see."""
        row = connection.execute(select(AccountRow).where(AccountRow.id == account_id)).one_or_none()
        found = None if row is None else account_record(row)
        own = found is not None and (whose or found.id == self._caller.id or self._manages(found.buildings))
        if found is None or not own:
            raise NotFoundError(f"there is no account {account_id!r}: list the accounts, or add it first")
        return found

    def _note(self, connection: Connection, action: str, account: Account, **detail: Any) -> None:
        about = rights(account.role, account.buildings) | {"name": account.name, "enabled": account.enabled}
        note(connection, self._caller, action, ("account", account.id), concerned(account.buildings), **about, **detail)


SYSTEM_WIDE: Final = True
"""Looked at as the system does, for a row that was the caller's a moment ago."""
