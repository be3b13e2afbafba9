"""Changing what people have set up: only what differs is written, and only then the version grows."""

from functools import partial
from typing import Any, Final

import msgspec
from sqlalchemy import Connection

from storage.database.addresses import normal_address
from storage.database.changes import BuildingChanges, CameraChanges, check_version, given
from storage.database.checks import check_camera, check_name, check_policy, check_retention, check_share, check_timezone
from storage.database.models import BuildingRow, CameraRow
from storage.database.records import Building, Camera, NewCamera
from storage.database.sealing import seal_address
from storage.database.site_access import SiteAccess
from storage.database.site_rows import change, refuse_double
from storage.database.userinfo import hides_password, without_userinfo
from storage.errors import ConflictError, InvalidError, NotFoundError
from storage.names import normal_name

ADDRESSES: Final = ("url", "substream_url")


class Changes(SiteAccess):
    """The part of `Sites` that changes what is there."""

    def change_building(self, building_id: str, changes: BuildingChanges, *, version: int | None = None) -> Building:
        """Change a building; its policy is for cameras that are added later.

        Args:
            building_id: which.
            changes: what is to be different.
            version: as it was read; None: whatever it is.

        Raises:
            NotFoundError: there is no such building in use.
            InvalidError: a value that can't be accepted.
            ConflictError: the name is in use, or (`ChangedError`) somebody else has changed it.
        """
        with self._changing() as connection:
            building = self._building(connection, building_id, in_use=True)
            check_version(f"building {building_id}", building.version, version)
            new = msgspec.structs.replace(building, **given(changes))
            # What stays is not checked again, here and below: earlier versions took more.
            if normal_name(new.name) != building.name:
                new = msgspec.structs.replace(new, name=check_name(new.name, "building"))
                refuse_double(connection, BuildingRow, new.name, building_id, caller=self._caller)
            else:
                new = msgspec.structs.replace(new, name=building.name)
            check_timezone(new.timezone)
            check_retention(new.retention_days)
            check_share(new.spot_share)
            if new.policy != building.policy:
                check_policy(new.policy)
            if values := _differing(building, new, BuildingChanges.__struct_fields__):
                change(connection, BuildingRow, building_id, values)
                about = "building", building_id
                self._note(connection, "building.changed", about, building_id, fields=sorted(values))
            return self._building(connection, building_id)

    def change_camera(self, camera_id: str, changes: CameraChanges, *, version: int | None = None) -> Camera:
        """Change a camera; whoever watches it follows within two seconds.

        Args:
            camera_id: which.
            changes: what is to be different.
            version: as it was read; None: whatever it is.

        Raises:
            NotFoundError: there is no such camera, no such building in use, no such zone in it, or no such credential.
            NotAllowedError: a credential, or another address with the one it has, by who may see some buildings only.
            InvalidError: a value that can't be accepted.
            ConflictError: the name is in use, the camera was removed, or (`ChangedError`) somebody else has changed it.
            SetupError: there is no key to encrypt a password with.
        """
        with self._changing() as connection:
            camera = self._camera(connection, camera_id)
            if camera.archived_at_ns is not None:
                raise ConflictError(f"camera {camera_id} was removed: restore it first")
            check_version(f"camera {camera_id}", camera.version, version)
            old = as_given(camera)
            new = self._changed(connection, old, camera, changes)
            check_camera(new)
            for name in ADDRESSES:
                url = getattr(new, name)
                # What stays is not checked again: its file may have gone since.
                if url is not None and url != getattr(old, name):
                    new = msgspec.structs.replace(new, **{name: self._checked_address(url)})
            new = self._placed(connection, new, old)
            if new.name != old.name:
                refuse_double(connection, CameraRow, new.name, camera_id, caller=self._caller)
            values = _differing(old, new, CameraChanges.__struct_fields__)
            for name in ADDRESSES:
                if values.get(name) is not None:
                    values[name] = seal_address(values[name], partial(self._seal, connection))
            if values:
                change(connection, CameraRow, camera_id, values)
                # Where it was and where it is now: both are to know.
                for home in {old.building_id: None, new.building_id: None}:
                    self._note(connection, "camera.changed", ("camera", camera_id), home, fields=sorted(values))
            return self._camera(connection, camera_id)

    def restore_camera(self, camera_id: str) -> Camera:
        """Take a removed camera back into use, with everything it had; one in use stays as it is.

        Raises:
            NotFoundError: there is none.
            ConflictError: its name is in use by another, or its building or credential was removed.
        """
        with self._changing() as connection:
            camera = self._camera(connection, camera_id)
            if camera.archived_at_ns is None:
                return camera
            try:
                self._building(connection, camera.building_id, in_use=True)
                kept = as_given(camera)
                self._placed(connection, kept, kept)
            except NotFoundError as error:
                raise ConflictError(f"camera {camera_id} can't be restored: {error}") from error
            refuse_double(connection, CameraRow, camera.name, camera_id, caller=self._caller)
            change(connection, CameraRow, camera_id, {"archived_at_ns": None})
            self._note(connection, "camera.restored", ("camera", camera_id), camera.building_id)
            return self._camera(connection, camera_id)

    def _changed(self, connection: Connection, old: NewCamera, camera: Camera, changes: CameraChanges) -> NewCamera:
        """The camera as it is to be, not checked yet."""
        wanted: dict[str, Any] = given(changes)
        if "name" in wanted:
            same = normal_name(wanted["name"]) == old.name
            wanted["name"] = old.name if same else check_name(wanted["name"], "camera")
        for name, shown in (("url", camera.shown_url), ("substream_url", camera.shown_substream_url)):
            if wanted.get(name) is not None:
                wanted[name] = normal_address(wanted[name])
                if hides_password(wanted[name]):
                    wanted[name] = _given_back(wanted[name], shown, getattr(old, name))
        building = wanted.get("building_id", old.building_id)
        if building != old.building_id:
            self._building(connection, building, in_use=True)
            # A zone is a part of one building.
            wanted.setdefault("zone_id", None)
        if "policy" in wanted:
            policy = wanted["policy"] or self._building(connection, building).policy
            wanted["policy"] = policy if policy == old.policy else check_policy(policy)
        return msgspec.structs.replace(old, **wanted)


def as_given(camera: Camera) -> NewCamera:
    """A camera as it was registered: the credential is not in its addresses."""
    values = {name: getattr(camera, name) for name in NewCamera.__struct_fields__}
    if camera.credential is not None:
        values |= {name: without_userinfo(values[name]) for name in ADDRESSES if values[name] is not None}
    return NewCamera(**values)


def _given_back(url: str, shown: str | None, stored: str | None) -> str:
    """The stored address for what is shown of it."""
    if url != shown or stored is None:
        raise InvalidError(
            "the address has *** for its password, and differs from the one that is there in other ways, too: "
            "give the password with it"
        )
    return stored


def _differing(old: msgspec.Struct, new: msgspec.Struct, names: tuple[str, ...]) -> dict[str, Any]:
    """What is to be written."""
    return {name: msgspec.to_builtins(getattr(new, name)) for name in names if getattr(new, name) != getattr(old, name)}
