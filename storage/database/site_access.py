"""What the parts of `Sites` share: the database, the keys, and changes one at a time."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Engine, select, text

from storage.database.addresses import check_address, normal_address
from storage.database.audit import note
from storage.database.engine import reading, writing
from storage.database.models import CameraRow, CredentialRow, ZoneRow
from storage.database.records import Building, Camera, NewCamera
from storage.database.scoped import Scoped
from storage.database.site_rows import building_in_use, building_row, camera_row, credential_name, exists
from storage.database.userinfo import hides_password
from storage.errors import InvalidError, NotFoundError
from storage.networks import Networks
from storage.secrets import SEALED, Secrets

SITES_LOCK: Final = 0x73697465
"""PostgreSQL's advisory lock under which one change is made at a time."""

KEY_FILE: Final = "secret.key"

ALL: Final = "*"
"""In the audit log: not one of them."""


class SiteAccess(Scoped):
    """The way to what people set up."""

    def __init__(
        self,
        engine: Engine,
        media_root: Path | None = None,
        *,
        secrets: Secrets | None = None,
        networks: Networks | None = None,
    ) -> None:
        """Begin.

        Args:
            engine: of a migrated database.
            media_root: where files must lie to be cameras; None: nowhere.
            secrets: encrypt passwords; None: with the key `secret.key` beside a SQLite file, and not at all, so that
                passwords are refused, with another database.
            networks: where cameras may be; None: anywhere.
        """
        super().__init__(engine)
        self._media_root = media_root
        self._secrets = secrets or Secrets(_beside(engine))
        self._networks = networks

    def note_shown(self, action: str, camera: Camera, **detail: Any) -> None:
        """Write down what somebody does with a camera of theirs that changes nothing, before they see what comes of it.

        Args:
            action: such as `camera.tested`.
            camera: whose.
            detail: more, as JSON; never an address.

        Raises:
            StorageError: it can't be written down: then nothing is to be shown.
        """
        self._own(camera.building_id, "camera", camera.id)
        with writing(self._engine) as connection:
            self._note(connection, action, ("camera", camera.id), camera.building_id, **detail)

    def note_listed(self, action: str, **detail: Any) -> None:
        """Likewise of all cameras that are the caller's."""
        with writing(self._engine) as connection:
            self._note(connection, action, ("camera", ALL), **detail)

    def note_import(self, connection: Connection, *, taken: int, made: int) -> None:
        """Likewise that a list of cameras was taken in, beside what became of each; in the transaction of that."""
        self._note(connection, "cameras.imported", ("camera", ALL), cameras=taken, made=made)

    def _note(
        self,
        connection: Connection,
        action: str,
        about: tuple[str, str],
        building_id: str | None = None,
        **detail: Any,
    ) -> None:
        """Write down what the caller does, in the transaction in which it is done."""
        note(connection, self._caller, action, about, building_id, **detail)

    def derived_keys(self, purpose: str, *, make: bool = True) -> tuple[bytes, ...]:
        """Keys for another purpose, from those that passwords are encrypted with, the newest first.

        Args:
            purpose: a word that is used for nothing else.
            make: whether a key may be made where there is none, and nothing is encrypted yet.

        Raises:
            SetupError: there is no key, and none can be made.
            StorageError: the database can't be reached.
        """
        with reading(self._engine) as connection:
            sealed = self._sealed(connection)
        return self._secrets.derived(purpose, make=make and not sealed)

    @contextmanager
    def _changing(self) -> Iterator[Connection]:
        with writing(self._engine) as connection:
            if self._engine.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": SITES_LOCK})
            yield connection

    def _seal(self, connection: Connection, secret: str) -> str:
        """Encrypt for the database; SetupError, StorageError: see `Secrets.seal`.

        Where something is encrypted already there is a key somewhere, lost or on another host: a new one would only hide
        that.
        """
        return self._secrets.seal(secret, make=not self._sealed(connection))

    @staticmethod
    def _sealed(connection: Connection) -> bool:
        """Whether something is encrypted already."""
        addresses = CameraRow.url.startswith(SEALED) | CameraRow.substream_url.startswith(SEALED)
        return exists(connection, select(CameraRow.id).where(addresses)) or exists(
            connection, select(CredentialRow.name)
        )

    def _checked_address(self, url: str) -> str:
        """The address as it is kept.

        InvalidError for one that no camera has, or whose password is only the `***` that is shown for it.
        """
        if hides_password(url):
            raise InvalidError("the address has *** for its password: give the password")
        address = normal_address(url)
        check_address(address, self._media_root, self._networks)
        return address

    def _building(self, connection: Connection, building_id: str, *, in_use: bool = False) -> Building:
        """A building of the caller's; NotFoundError if there is none, or with `in_use` if it is archived."""
        self._own(building_id, "building", building_id)
        return (building_in_use if in_use else building_row)(connection, building_id)

    def _camera(self, connection: Connection, camera_id: str) -> Camera:
        """A camera of the caller's, archived or not; NotFoundError if there is none."""
        camera = camera_row(connection, camera_id, self._secrets)
        self._own(camera.building_id, "camera", camera_id)
        return camera

    def _own(self, building_id: str, kind: str, identifier: str) -> None:
        # In the words of what is not there at all: who may not see it does not learn that it is.
        if not self._caller.sees(building_id):
            raise NotFoundError(f"there is no {kind} {identifier!r}: list the {kind}s, or add it first")

    def _placed(self, connection: Connection, camera: NewCamera, old: NewCamera | None = None) -> NewCamera:
        """The camera with its credential as that is kept; NotFoundError for a zone or a credential that there is not.

        NotAllowedError where a caller of some buildings would have a credential used that is not there (`old`) already,
        or sent to another address: whoever is at that address would learn a password of all buildings.
        """
        zone = select(ZoneRow.id).where(ZoneRow.id == camera.zone_id, ZoneRow.building_id == camera.building_id)
        if camera.zone_id is not None and not exists(connection, zone):
            raise NotFoundError(f"building {camera.building_id} has no zone {camera.zone_id!r}: list its zones")
        if camera.credential is None:
            return camera
        if old is None or any(getattr(camera, name) != getattr(old, name) for name in _CONNECTED):
            self._caller.need_all("credentials")
        return msgspec.structs.replace(camera, credential=credential_name(connection, camera.credential))


_CONNECTED: Final = ("url", "substream_url", "credential")
"""Where a password goes to, and which."""


def _beside(engine: Engine) -> Path | None:
    database = engine.url.database
    return Path(database).parent / KEY_FILE if engine.dialect.name == "sqlite" and database else None
