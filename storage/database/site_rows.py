"""Rows of buildings, zones and cameras: found, checked against each other, and made records."""

import time
from typing import Any, TypeVar

import msgspec
from sqlalchemy import Connection, Row, Select, select, update

from storage.database.checks import check_identifier
from storage.database.models import BuildingRow, CameraRow, CredentialRow, ZoneRow
from storage.database.records import Building, Camera
from storage.database.sealing import open_address, shown_stored
from storage.database.userinfo import with_userinfo
from storage.errors import ConflictError, NotFoundError, SetupError
from storage.secrets import Secrets

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


def camera_row(connection: Connection, camera_id: str, secrets: Secrets) -> Camera:
    """The camera, archived or not; NotFoundError if there is none."""
    row = connection.execute(camera_query().where(CameraRow.id == camera_id)).one_or_none()
    if row is None:
        raise NotFoundError(f"there is no camera {camera_id!r}: list the cameras, or add it first")
    return camera_record(row, secrets)


def camera_query() -> Select[Any]:
    """Rows of cameras, with what `camera_record` needs of their credentials."""
    user, password = CredentialRow.user.label("credential_user"), CredentialRow.password.label("credential_password")
    columns: list[Any] = [CameraRow, user, password]
    return select(*columns).outerjoin(CredentialRow, CredentialRow.name == CameraRow.credential)


def camera_record(row: Row[Any], secrets: Secrets) -> Camera:
    """A row as a camera with addresses ready for use; or else as they may be shown, and the trouble."""
    values = dict(row._mapping)  # noqa: SLF001 - the documented way to a row's columns
    user, sealed = values.pop("credential_user"), values.pop("credential_password")
    names = [name for name in ("url", "substream_url") if values[name] is not None]
    try:
        if values["credential"] is not None and user is None:
            raise SetupError(f"the credential {values['credential']!r} was removed: name another, or add it again")
        password = None if user is None else secrets.open(sealed)
        opened = {name: open_address(values[name], secrets) for name in names}
        if password is not None:
            opened = {name: with_userinfo(url, user, password) for name, url in opened.items()}
    except SetupError as error:
        values |= {name: shown_stored(values[name]) for name in names}
        values["trouble"] = f"camera {values['id']} can't be connected to: {error}"
    else:
        values |= opened
    return msgspec.convert(values, Camera)


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


def refuse_double(
    connection: Connection, kind: type[BuildingRow] | type[CameraRow], name: str, own: str | None = None
) -> None:
    """ConflictError if one that is not archived has the name, other than the one with the identifier `own`."""
    query = select(kind.id).where(kind.name == name, kind.archived_at_ns.is_(None))
    if own is not None:
        query = query.where(kind.id != own)
    if (other := connection.execute(query).scalar()) is not None:
        raise ConflictError(f"the name {name!r} is in use by {other}: choose another")


def archive(connection: Connection, kind: type[BuildingRow] | type[CameraRow], identifier: str) -> None:
    """Take it out of use."""
    change(connection, kind, identifier, {"archived_at_ns": time.time_ns()})


def change(
    connection: Connection, kind: type[BuildingRow] | type[CameraRow], identifier: str, values: dict[str, Any]
) -> None:
    """Write values, and raise the version."""
    connection.execute(update(kind).where(kind.id == identifier).values(values | {"version": kind.version + 1}))
