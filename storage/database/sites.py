"""What people set up: buildings, their zones, and cameras.

Changes are made one at a time, so that what was checked still holds when it is written.
"""

import time
from functools import partial
from typing import Any, TypeVar

import msgspec
from sqlalchemy import Select, insert, select, update

from storage.database.checks import (
    LONGEST_CAMERA_ID,
    check_camera,
    check_camera_identifier,
    check_name,
    check_policy,
    check_retention,
    check_share,
    check_timezone,
)
from storage.database.credentials import Credentials
from storage.database.engine import reading
from storage.database.models import BuildingRow, CameraRow, ZoneRow
from storage.database.records import Building, Camera, NewCamera, Policy, Started, Zone
from storage.database.sealing import seal_address
from storage.database.site_changes import ADDRESSES, Changes
from storage.database.site_rows import (
    archive,
    building_row,
    camera_query,
    camera_record,
    free_identifier,
    record,
    refuse_double,
    refuse_double_zone,
)
from storage.errors import ConflictError

T = TypeVar("T")


class Sites(Credentials, Changes):
    """Buildings, zones and cameras; see the classes it is made of for credentials and changes.

    >>> sites = Sites(engine, media_root)  # doctest: +SKIP
    >>> building = sites.add_building("North", "Europe/Berlin")  # doctest: +SKIP
    >>> camera = sites.add_camera(NewCamera("Door", building.id, "rtsp://10.0.0.5/1"))  # doctest: +SKIP

    Every method raises StorageError when the database can't be reached or written.
    """

    def add_building(
        self,
        name: str,
        timezone: str,
        *,
        building_id: str | None = None,
        retention_days: int = 30,
        policy: Policy | None = None,
        spot_share: float = 0.0,
    ) -> Building:
        """Set up a building; without an identifier it becomes b1, b2, ...

        Raises:
            InvalidError: a name, time zone, identifier, retention, policy or share that can't be accepted.
            ConflictError: name or identifier are in use.
        """
        row = {
            "name": check_name(name, "building"),
            "timezone": check_timezone(timezone),
            "retention_days": check_retention(retention_days),
            "policy": msgspec.to_builtins(check_policy(policy or Policy())),
            "spot_share": check_share(spot_share),
            "version": 1,
            "created_at_ns": time.time_ns(),
        }
        self._caller.need_all("new buildings")
        with self._changing() as connection:
            row["id"] = free_identifier(connection, BuildingRow, "b", building_id)
            refuse_double(connection, BuildingRow, row["name"], caller=self._caller)
            connection.execute(insert(BuildingRow).values(row))
            self._note(connection, "building.added", ("building", row["id"]), row["id"], name=row["name"])
            return building_row(connection, row["id"])

    def buildings(self, *, archived: bool = False) -> list[Building]:
        """Those in use, or with `archived` all, oldest first."""
        query = select(BuildingRow).order_by(BuildingRow.created_at_ns, BuildingRow.id)
        if not archived:
            query = query.where(BuildingRow.archived_at_ns.is_(None))
        return [one for one in self._records(query, Building) if self._caller.sees(one.id)]

    def building(self, building_id: str) -> Building:
        """One building, archived or not.

        Raises:
            NotFoundError: there is none.
        """
        with reading(self._engine) as connection:
            return self._building(connection, building_id)

    def default_building(self) -> Building | None:
        """The only one in use; None where there is none, or a choice."""
        buildings = self.buildings()
        return buildings[0] if len(buildings) == 1 else None

    def remove_building(self, building_id: str) -> Building:
        """Archive a building: it is no longer listed, its name is free, its history stays.

        Raises:
            NotFoundError: there is none.
            ConflictError: it still has cameras.
        """
        with self._changing() as connection:
            building = self._building(connection, building_id)
            cameras = connection.execute(
                select(CameraRow.id)
                .where(CameraRow.building_id == building_id, CameraRow.archived_at_ns.is_(None))
                .order_by(CameraRow.id)
            ).scalars()
            if names := ", ".join(cameras):
                raise ConflictError(f"building {building_id} still has cameras ({names}): remove them first")
            if building.archived_at_ns is None:
                archive(connection, BuildingRow, building_id)
                self._note(connection, "building.archived", ("building", building_id), building_id)
            return self._building(connection, building_id)

    def add_zone(self, building_id: str, name: str, *, zone_id: str | None = None) -> Zone:
        """Set up a part of a building; without an identifier it becomes z1, z2, ...

        Raises:
            NotFoundError: no such building in use.
            InvalidError: a name or identifier that can't be accepted.
            ConflictError: the building has a zone of that name, or the identifier is in use.
        """
        name = check_name(name, "zone")
        with self._changing() as connection:
            self._building(connection, building_id, in_use=True)
            refuse_double_zone(connection, building_id, name)
            identifier = free_identifier(connection, ZoneRow, "z", zone_id)
            connection.execute(insert(ZoneRow).values(id=identifier, building_id=building_id, name=name))
            self._note(connection, "zone.added", ("zone", identifier), building_id, name=name)
            return Zone(identifier, building_id, name)

    def zones(self, building_id: str) -> list[Zone]:
        """The zones of a building, by name.

        Raises:
            NotFoundError: there is no such building.
        """
        self.building(building_id)
        return self._records(select(ZoneRow).where(ZoneRow.building_id == building_id).order_by(ZoneRow.name), Zone)

    def add_camera(self, camera: NewCamera) -> Camera:
        """Register a camera; without an identifier it becomes c1, c2, ...

        Raises:
            NotFoundError: no such building in use, no such zone in it, or no such credential.
            NotAllowedError: a credential, by who may see some buildings only.
            InvalidError: a value that can't be accepted.
            ConflictError: name or identifier are in use.
            SetupError: there is no key to encrypt a password with.
        """
        check_camera(camera)
        if camera.id is not None:
            check_camera_identifier(camera.id)
        row = msgspec.to_builtins(camera)
        row["name"] = check_name(camera.name, "camera")
        for field in ADDRESSES:
            if row[field] is not None:
                row[field] = self._checked_address(row[field])
        with self._changing() as connection:
            building = self._building(connection, camera.building_id, in_use=True)
            row["credential"] = self._placed(connection, camera).credential
            row["id"] = free_identifier(connection, CameraRow, "c", camera.id, LONGEST_CAMERA_ID)
            refuse_double(connection, CameraRow, row["name"], caller=self._caller)
            row["policy"] = msgspec.to_builtins(check_policy(camera.policy) if camera.policy else building.policy)
            for field in ADDRESSES:
                if row[field] is not None:
                    row[field] = seal_address(row[field], partial(self._seal, connection))
            connection.execute(insert(CameraRow).values(**row, version=1, created_at_ns=time.time_ns()))
            self._note(connection, "camera.added", ("camera", row["id"]), camera.building_id, name=row["name"])
            return self._camera(connection, row["id"])

    def cameras(self, *, archived: bool = False) -> list[Camera]:
        """Those in use, or with `archived` all, oldest first.

        Addresses are ready for use; those that can't be are as they are shown, and `trouble` says why.
        """
        query = camera_query().order_by(CameraRow.created_at_ns, CameraRow.id)
        if not archived:
            query = query.where(CameraRow.archived_at_ns.is_(None))
        with reading(self._engine) as connection:
            rows = [row for row in connection.execute(query) if self._caller.sees(row.building_id)]
            return [camera_record(row, self._secrets) for row in rows]

    def camera(self, camera_id: str) -> Camera:
        """One camera, archived or not.

        Raises:
            NotFoundError: there is none.
        """
        with reading(self._engine) as connection:
            return self._camera(connection, camera_id)

    def archive_camera(self, camera_id: str) -> Camera:
        """Take a camera out of use: it is no longer watched, its name is free, its history stays.

        Raises:
            NotFoundError: there is none.
        """
        with self._changing() as connection:
            camera = self._camera(connection, camera_id)
            if camera.archived_at_ns is None:
                archive(connection, CameraRow, camera_id)
                self._note(connection, "camera.archived", ("camera", camera_id), camera.building_id)
            return self._camera(connection, camera_id)

    def begin_epoch(self, camera_id: str, run: str, now_ns: int) -> Started:
        """Number the next start of a camera's ingest.

        Args:
            camera_id: which.
            run: of the system; when it is another than last time, the camera plays from `now_ns`.
            now_ns: Unix time.

        Raises:
            NotFoundError: there is no such camera.
        """
        with self._changing() as connection:
            camera = self._camera(connection, camera_id)
            playing_since_ns = camera.playing_since_ns
            if playing_since_ns is None or camera.run != run:
                playing_since_ns = now_ns
            started = Started(camera.epoch + 1, playing_since_ns)
            connection.execute(
                update(CameraRow)
                .where(CameraRow.id == camera_id)
                .values(epoch=started.epoch, run=run, playing_since_ns=playing_since_ns)
            )
            return started

    def _records(self, query: Select[Any], kind: type[T]) -> list[T]:
        with reading(self._engine) as connection:
            return [record(row, kind) for row in connection.execute(query)]
