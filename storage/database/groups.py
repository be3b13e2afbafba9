"""What totals are grouped by: cameras, buildings, zones; and whose time zone counts."""

from enum import StrEnum
from typing import Self

import msgspec
from sqlalchemy import Connection, select

from storage.database.models import BuildingRow, CameraRow, ZoneRow
from storage.database.statistics import Scope
from storage.errors import InvalidError, NotFoundError
from storage.identity import Caller


class GroupBy(StrEnum):
    """What each total is about."""

    CAMERA = "camera"
    BUILDING = "building"
    ZONE = "zone"


class Group(msgspec.Struct, frozen=True):
    """One of them; `id` is None for what has no zone or no building, `name` for what is not registered."""

    type: GroupBy
    id: str | None
    name: str | None


class _Building(msgspec.Struct, frozen=True):
    id: str
    name: str
    timezone: str
    archived_at_ns: int | None


class _Zone(msgspec.Struct, frozen=True):
    id: str
    building_id: str
    name: str


class _Camera(msgspec.Struct, frozen=True):
    id: str
    building_id: str
    zone_id: str | None
    name: str
    counts: bool
    archived_at_ns: int | None


class Places:
    """Buildings, zones and cameras: what totals need to know of them."""

    def __init__(self, buildings: list[_Building], zones: list[_Zone], cameras: list[_Camera]) -> None:
        self._buildings = {building.id: building for building in buildings}
        self._zones = {zone.id: zone for zone in zones}
        self._cameras = {camera.id: camera for camera in cameras}

    @classmethod
    def read(cls, connection: Connection, caller: Caller) -> Self:
        """Read those that the caller may see."""
        buildings = select(BuildingRow.id, BuildingRow.name, BuildingRow.timezone, BuildingRow.archived_at_ns)
        zones = select(ZoneRow.id, ZoneRow.building_id, ZoneRow.name)
        cameras = select(
            CameraRow.id,
            CameraRow.building_id,
            CameraRow.zone_id,
            CameraRow.name,
            CameraRow.counts,
            CameraRow.archived_at_ns,
        )
        return cls(
            [_Building(*row) for row in connection.execute(buildings) if caller.sees(row.id)],
            [_Zone(*row) for row in connection.execute(zones) if caller.sees(row.building_id)],
            [_Camera(*row) for row in connection.execute(cameras) if caller.sees(row.building_id)],
        )

    def check(self, scope: Scope) -> None:
        """Whether all that the scope names exists.

        Raises:
            NotFoundError: something does not.
        """
        for kind, known, name in (
            ("camera", self._cameras, scope.camera),
            ("building", self._buildings, scope.building),
            ("zone", self._zones, scope.zone),
        ):
            if name is not None and name not in known:
                raise NotFoundError(f"there is no {kind} {name}")

    def timezone(self, scope: Scope) -> str:
        """The time zone that all buildings of the scope share; UTC when there is no building.

        Raises:
            InvalidError: there are several.
        """
        names = sorted({self._buildings[key].timezone for key in self._building_ids(scope)})
        if len(names) > 1:
            shown = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
            raise InvalidError(
                f"the buildings are in several time zones ({shown}): name one by `timezone`, or one `building`"
            )
        return names[0] if names else "UTC"

    def groups(self, by: GroupBy | None, scope: Scope) -> dict[str, Group | None]:
        """The groups of which at least zeros are given, by identifier, "" for none or all."""
        if by is None:
            return {"": None}
        if by is GroupBy.BUILDING:
            keys = self._building_ids(scope)
        elif by is GroupBy.CAMERA:
            keys = [camera.id for camera in self._watching(scope)]
        else:
            buildings = set(self._building_ids(scope))
            keys = [zone.id for zone in self._zones.values() if zone.building_id in buildings]
            if scope.zone is not None or scope.camera is not None:
                keys = [key for key in keys if scope.zone in (None, key)]
                keys = [key for key in keys if scope.camera is None or self._cameras[scope.camera].zone_id == key]
            if any(camera.zone_id is None for camera in self._watching(scope)):
                keys.append("")
        return {key: self.group(by, key) for key in keys}

    def group(self, by: GroupBy, key: str) -> Group:
        """The group of that identifier."""
        found = {
            GroupBy.CAMERA: self._cameras.get(key),
            GroupBy.BUILDING: self._buildings.get(key),
            GroupBy.ZONE: self._zones.get(key),
        }[by]
        return Group(by, key or None, None if found is None else found.name)

    def _building_ids(self, scope: Scope) -> list[str]:
        if scope.building is not None:
            return [scope.building]
        if scope.zone is not None:
            return [self._zones[scope.zone].building_id]
        if scope.camera is not None:
            return [self._cameras[scope.camera].building_id]
        return [building.id for building in self._buildings.values() if building.archived_at_ns is None]

    def _watching(self, scope: Scope) -> list[_Camera]:
        """Cameras of the scope that are in use and go into totals."""
        return [
            camera
            for camera in self._cameras.values()
            if camera.archived_at_ns is None
            and camera.counts
            and scope.camera in (None, camera.id)
            and scope.building in (None, camera.building_id)
            and scope.zone in (None, camera.zone_id)
        ]
