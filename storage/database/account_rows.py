"""Rows of accounts: made records, and held against each other."""

import hashlib
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType
from sqlalchemy import Connection, Select, delete, func, select

from storage.database.models import AccountLinkRow, AccountRow, AccountSessionRow
from storage.database.people_access import check_person
from storage.errors import ConflictError, InvalidError
from storage.identity import Role
from storage.names import alike


class Account(msgspec.Struct, frozen=True):
    """A person who may log in.

    Attributes:
        id: unique for ever.
        name: by which they log in.
        role: what they may.
        buildings: identifiers of those they may see; None: all.
        has_password: whether one was chosen; else only a link leads in.
        enabled: whether they may log in.
        version: grows with every change.
        created_at_ns, seen_at_ns: when it was made, and when they last logged in; Unix time.
    """

    id: str
    name: str
    role: Role
    buildings: tuple[str, ...] | None
    has_password: bool
    enabled: bool
    version: int
    created_at_ns: int
    seen_at_ns: int | None


class AccountChanges(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be different; what is not given stays."""

    name: str | UnsetType = UNSET
    role: Role | UnsetType = UNSET
    buildings: tuple[str, ...] | UnsetType | None = UNSET
    enabled: bool | UnsetType = UNSET
    password: str | UnsetType = UNSET

    def __repr__(self) -> str:
        password = "" if self.password is UNSET else ", password=***"
        return f"AccountChanges(name={self.name!r}, role={self.role}, enabled={self.enabled}{password})"


class Link(msgspec.Struct, frozen=True):
    """A way in that works once.

    Attributes:
        secret: the whole of it; it is nowhere else.
        expires_at_ns: Unix time.
    """

    secret: str
    expires_at_ns: int

    def __repr__(self) -> str:
        return f"Link(expires_at_ns={self.expires_at_ns})"


def account_record(row: Any) -> Account:
    """A row as the account, without its password."""
    values = dict(row._mapping)  # noqa: SLF001 - the documented way to a row's columns
    values["has_password"] = values.pop("password") is not None
    return msgspec.convert(values, Account)


def digest(secret: str) -> str:
    """The sha256 of a secret that is random: slow hashes are for what people choose."""
    return hashlib.sha256(secret.encode()).hexdigest()


def held_account(account_id: str) -> Select[Any]:
    """Read an account that stays as it is until the transaction ends; to be done before its sessions and links are changed.

    So no change of it, which ends all its sessions, comes between a look at its password and a new session.
    """
    return select(AccountRow).where(AccountRow.id == account_id).with_for_update()


def end_sessions(connection: Connection, account_id: str) -> None:
    """End all sessions of an account, and its links."""
    connection.execute(delete(AccountSessionRow).where(AccountSessionRow.account_id == account_id))
    connection.execute(delete(AccountLinkRow).where(AccountLinkRow.account_id == account_id))


def given_values(changes: AccountChanges) -> dict[str, Any]:
    """What is to be different, by column; the password apart. InvalidError for a name that can't be accepted."""
    values = {
        name: value for name in ("role", "buildings", "enabled") if (value := getattr(changes, name)) is not UNSET
    }
    if values.get("buildings") is not None:
        values["buildings"] = tuple(sorted(set(values["buildings"])))
    if isinstance(changes.name, str):
        values["name"] = check_person(changes.name, "an account")
    if isinstance(values.get("enabled", True), bool):
        return values
    raise InvalidError("an account is enabled or not")


def refuse_double_account(connection: Connection, name: str, but: str | None = None) -> None:
    """ConflictError where another account, but that one, has the name or one that differs only in capital letters."""
    for row in connection.execute(select(AccountRow.id, AccountRow.name)):
        if row.id != but and alike(row.name) == alike(name):
            # How the other one is written is nobody's business who may not see it.
            raise ConflictError(f"the name {name!r} is taken: choose another one")


def keep_an_administrator(connection: Connection, before: Account) -> None:
    """ConflictError where the last one who could give others access would go; what was done is undone then."""
    was_one = before.enabled and before.role is Role.ADMIN and before.buildings is None
    query = (
        select(func.count())
        .select_from(AccountRow)
        .where(AccountRow.enabled, AccountRow.role == Role.ADMIN.value, AccountRow.buildings.is_(None))
    )
    if was_one and not connection.execute(query).scalar():
        raise ConflictError(
            f"{before.name!r} is the last administrator of all buildings: make another one first, so that somebody is left"
        )
