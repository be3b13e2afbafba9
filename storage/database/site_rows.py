"""Rows of buildings, zones and cameras: found, checked against each other, and made records."""

import time
from typing import Any, TypeVar

import msgspec
from sqlalchemy import Connection, Row, Select, select, update

from storage.database.checks import check_identifier
from storage.database.models import BuildingRow, CameraRow, ZoneRow
from storage.database.records import Building, Camera
from storage.errors import ConflictError, NotFoundError

T = TypeVar("T")
Kind = type[BuildingRow] | type[ZoneRow] | type[CameraRow]


def record(row: Row[Any], kind: type[T]) -> T:
    """A row as the record of its kind."""
    return msgspec.convert(dict(row._mapping), kind)  # noqa: SLF001 - the documented way to a row's columns


def building_row(connection: Connection, building_id: str) -> Building:
    """The building, archived or not; NotFoundError if there is none."""
    row = connection.execute(select(BuildingRow).where(BuildingRow.id == building_id)).one_or_none()
    if row is None:
        raise NotFoundError(f"there is no building {building_id!r}: list the buildings, or add it first")
    return record(row, Building)


def building_in_use(connection: Connection, building_id: str) -> Building:
    """The building; NotFoundError if there is none or it is archived."""
    building = building_row(connection, building_id)
    if building.archived_at_ns is not None:
        raise NotFoundError(f"building {building_id!r} was removed: choose another")
    return building


def camera_row(connection: Connection, camera_id: str) -> Camera:
    """The camera, archived or not; NotFoundError if there is none."""
    row = connection.execute(select(CameraRow).where(CameraRow.id == camera_id)).one_or_none()
    if row is None:
        raise NotFoundError(f"there is no camera {camera_id!r}: list the cameras, or add it first")
    return record(row, Camera)


def exists(connection: Connection, query: Select[Any]) -> bool:
    """Whether a query finds anything."""
    return connection.execute(query.limit(1)).first() is not None


def free_identifier(connection: Connection, kind: Kind, letter: str, wanted: str | None, longest: int = 40) -> str:
    """The wanted identifier, or the next one with a number; ConflictError if it is in use, or is that of an archived row."""
    if wanted is not None:
        check_identifier(wanted, longest)
        if exists(connection, select(kind.id).where(kind.id == wanted)):
            raise ConflictError(f"the identifier {wanted} is in use, or was before: choose another")
        return wanted
    used = connection.execute(select(kind.id).where(kind.id.like(f"{letter}%"))).scalars()
    # People may name theirs c99999999999999999999999; counting does not go on from there.
    numbers = [int(number) for identifier in used if (number := identifier[1:]).isdecimal() and len(number) < 10]
    return f"{letter}{max(numbers, default=0) + 1}"


def refuse_double(connection: Connection, kind: type[BuildingRow] | type[CameraRow], name: str) -> None:
    """ConflictError if one that is not archived has the name."""
    query = select(kind.id).where(kind.name == name, kind.archived_at_ns.is_(None))
    if (other := connection.execute(query).scalar()) is not None:
        raise ConflictError(f"the name {name!r} is in use by {other}: choose another")


def archive(connection: Connection, kind: type[BuildingRow] | type[CameraRow], identifier: str) -> None:
    """Take it out of use."""
    archived = {"archived_at_ns": time.time_ns(), "version": kind.version + 1}
    connection.execute(update(kind).where(kind.id == identifier).values(archived))
