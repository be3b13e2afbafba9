"""Users and passwords that cameras share by name, so that one change serves all; and what is stored of passwords at all."""

import time
from functools import partial
from typing import Any, Final

from sqlalchemy import Connection, Update, delete, insert, select, update

from storage.database.checks import check_name, check_password, check_text
from storage.database.engine import reading
from storage.database.models import CameraRow, CredentialRow
from storage.database.records import Credential
from storage.database.sealing import open_address, seal_address, shows_secret
from storage.database.site_access import SiteAccess
from storage.database.site_rows import credential_name, record, refuse_double_credential
from storage.errors import ConflictError, SetupError
from storage.secrets import SEALED

SHOWN: Final[tuple[Any, ...]] = (
    CredentialRow.name,
    CredentialRow.user,
    CredentialRow.version,
    CredentialRow.created_at_ns,
    CredentialRow.changed_at_ns,
)
"""All but the password."""


class Credentials(SiteAccess):
    """The part of `Sites` that is about credentials and passwords."""

    def add_credential(self, name: str, user: str, password: str) -> Credential:
        """Keep a user and password that cameras can name.

        Raises:
            InvalidError: a name, user or password that can't be accepted.
            ConflictError: there is one of that name, or of one that differs only in capital letters.
            SetupError: there is no key to encrypt the password with.
        """
        self._caller.need_all("credentials")
        name, now_ns = check_name(name, "credential"), time.time_ns()
        check_password(password)
        row = {
            "name": name,
            "user": check_text(user, "user"),
            "version": 1,
            "created_at_ns": now_ns,
            "changed_at_ns": now_ns,
        }
        with self._changing() as connection:
            refuse_double_credential(connection, name)
            connection.execute(insert(CredentialRow).values(**row, password=self._seal(connection, password)))
            self._note(connection, "credential.added", ("credential", name))
            return _credential(connection, name)

    def credentials(self) -> list[Credential]:
        """All, by name, without their passwords."""
        self._caller.need_all("credentials")
        with reading(self._engine) as connection:
            rows = connection.execute(select(*SHOWN).order_by(CredentialRow.name))
            return [record(row, Credential) for row in rows]

    def change_credential(self, name: str, *, user: str | None = None, password: str | None = None) -> Credential:
        """Give it another user or password; the cameras that name it connect anew.

        Raises:
            NotFoundError: there is none of that name.
            InvalidError: a user or password that can't be accepted.
            SetupError: there is no key to encrypt the password with.
        """
        self._caller.need_all("credentials")
        user = None if user is None else check_text(user, "user")
        password = None if password is None else check_password(password)
        with self._changing() as connection:
            found = _credential(connection, credential_name(connection, name))
            name = found.name
            values: dict[str, object] = {}
            if user is not None and user != found.user:
                values["user"] = user
            if password is not None and password != self._password(connection, name):
                values["password"] = self._seal(connection, password)
            if not values:
                return found
            self._note(connection, "credential.changed", ("credential", name), fields=sorted(values))
            values |= {"version": found.version + 1, "changed_at_ns": time.time_ns()}
            connection.execute(update(CredentialRow).where(CredentialRow.name == name).values(values))
            anew = update(CameraRow).where(CameraRow.credential == name, CameraRow.archived_at_ns.is_(None))
            connection.execute(anew.values(version=CameraRow.version + 1))
            return _credential(connection, name)

    def remove_credential(self, name: str) -> None:
        """Forget it.

        Raises:
            NotFoundError: there is none of that name.
            ConflictError: cameras name it.
        """
        self._caller.need_all("credentials")
        with self._changing() as connection:
            name = credential_name(connection, name)
            query = select(CameraRow.id).where(CameraRow.credential == name, CameraRow.archived_at_ns.is_(None))
            if users := list(connection.execute(query.order_by(CameraRow.id)).scalars()):
                shown = ", ".join(users[:10]) + (", ..." if len(users) > 10 else "")
                raise ConflictError(f"the credential {name!r} is in use by {shown}: give them another first")
            connection.execute(delete(CredentialRow).where(CredentialRow.name == name))
            self._note(connection, "credential.removed", ("credential", name))

    def seal(self) -> int:
        """Encrypt with the newest key what earlier versions stored plain, or what an older key encrypted.

        What no key opens stays as it is. To be called at every start.

        Returns:
            How many cameras and credentials were encrypted anew.

        Raises:
            SetupError: there is no key.
        """
        with reading(self._engine) as connection:
            if not self._anew(connection):
                return 0
        with self._changing() as connection:
            found = self._anew(connection)
            for statement in found:
                connection.execute(statement)
            return len(found)

    def _anew(self, connection: Connection) -> list[Update]:
        """The changes that encrypt what is to be encrypted, a row each."""
        found = []
        for row in connection.execute(select(CameraRow.id, CameraRow.url, CameraRow.substream_url)):
            stored = {"url": row.url, "substream_url": row.substream_url}
            values = {
                name: sealed for name, value in stored.items() if (sealed := self._address_anew(connection, value))
            }
            if values:
                found.append(update(CameraRow).where(CameraRow.id == row.id).values(values))
        for name, sealed in connection.execute(select(CredentialRow.name, CredentialRow.password)):
            password = self._password(connection, name)
            if password is not None and not self._secrets.is_newest(sealed):
                values = {"password": self._seal(connection, password)}
                found.append(update(CredentialRow).where(CredentialRow.name == name).values(values))
        return found

    def _address_anew(self, connection: Connection, stored: str | None) -> str | None:
        """The address as it is to be stored, or None where it is so already, or can't be read."""
        if stored is None:
            return None
        if not stored.startswith(SEALED):
            sealed = seal_address(stored, partial(self._seal, connection))
            return None if sealed == stored else sealed
        try:
            address = open_address(stored, self._secrets)
        except SetupError:
            return None
        newest = self._secrets.is_newest(stored.partition(" ")[0]) and not shows_secret(stored, address)
        return None if newest else seal_address(address, partial(self._seal, connection))

    def _password(self, connection: Connection, name: str) -> str | None:
        sealed = connection.execute(select(CredentialRow.password).where(CredentialRow.name == name)).scalar_one()
        try:
            return self._secrets.open(sealed)
        except SetupError:
            return None


def _credential(connection: Connection, name: str) -> Credential:
    return record(connection.execute(select(*SHOWN).where(CredentialRow.name == name)).one(), Credential)
