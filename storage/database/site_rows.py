"""Rows of buildings, zones and cameras: found, checked against each other, and made records."""

import time
from typing import Any, TypeVar

import msgspec
from sqlalchemy import Connection, Row, Select, select, update

from storage.database.addresses import normal_address
from storage.database.checks import check_identifier
from storage.database.models import BuildingRow, CameraRow, CredentialRow, ZoneRow
from storage.database.records import Building, Camera
from storage.database.sealing import open_address, shown_stored
from storage.database.userinfo import with_userinfo
from storage.errors import ConflictError, NotFoundError, SetupError
from storage.identity import SYSTEM, Caller
from storage.names import alike, normal_name
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
        # Earlier versions kept schemes and hosts as they were given.
        opened = {name: normal_address(open_address(values[name], secrets)) for name in names}
        if password is not None:
            opened = {name: with_userinfo(url, user, password) for name, url in opened.items()}
    except SetupError as error:
        values |= {name: normal_address(shown_stored(values[name])) for name in names}
        values["trouble"] = f"camera {values['id']} can't be connected to: {error}"
    else:
        values |= opened
    return msgspec.convert(values, Camera)


def credential_name(connection: Connection, given: str) -> str:
    """The name of a credential as it is kept; NotFoundError if there is none."""
    names = list(connection.execute(select(CredentialRow.name)).scalars())
    for name in (given, *names):
        if name in names and normal_name(name) == normal_name(given):
            return name
    raise NotFoundError(f"there is no credential {given[:80]!r}: list the credentials, or add it first")


def exists(connection: Connection, query: Select[Any]) -> bool:
    """Whether a query finds anything."""
    return connection.execute(query.limit(1)).first() is not None


def free_identifier(connection: Connection, kind: Kind, letter: str, wanted: str | None, longest: int = 40) -> str:
    """The wanted identifier, or the next one with a number; ConflictError if it is in use, or is that of an archived row."""
    if wanted is not None:
        check_identifier(wanted, longest)
        if exists(connection, select(kind.id).where(kind.id == wanted)):
            raise ConflictError(f"the identifier {wanted} is in use, or was before: choose another")
        named = select(kind.id).where(kind.name == wanted)
        if not issubclass(kind, ZoneRow):
            named = named.where(kind.archived_at_ns.is_(None))
        if exists(connection, named):
            raise ConflictError(f"the identifier {wanted} is the name of another: choose another")
        return wanted
    # Names, too: earlier versions took such that are like identifiers.
    used = {word for row in connection.execute(select(kind.id, kind.name)) for word in row if word[0] == letter}
    # People may name theirs c99999999999999999999999; counting does not go on from there.
    numbers = [int(number) for word in used if (number := word[1:]).isdecimal() and len(number) < 10]
    return f"{letter}{max(numbers, default=0) + 1}"


def refuse_double(
    connection: Connection,
    kind: type[BuildingRow] | type[CameraRow],
    name: str,
    own: str | None = None,
    *,
    caller: Caller = SYSTEM,
) -> None:
    """ConflictError if one that is not archived has the name, or one like it, or has it for its identifier.

    The one with the identifier `own` may. Of those that the caller may not see no more is said than that there is one.
    """
    like = alike(name)
    home = BuildingRow.id if issubclass(kind, BuildingRow) else CameraRow.building_id
    query = select(kind.id, kind.name, home).where(kind.archived_at_ns.is_(None))
    for other, other_name, building_id in connection.execute(query):
        if other == own:
            continue
        if not caller.sees(building_id):
            if other == name or alike(other_name) == like:
                raise ConflictError(f"the name {name!r} is taken: choose another name")
            continue
        if other == name:
            raise ConflictError(f"the name {name!r} is the identifier of another: choose another name")
        if alike(other_name) == like:
            raise ConflictError(f"the name {_said(name, other_name)} is in use by {other}: choose another")


def refuse_double_zone(connection: Connection, building_id: str, name: str) -> None:
    """Likewise of a building's zones."""
    rows = connection.execute(select(ZoneRow.id, ZoneRow.name).where(ZoneRow.building_id == building_id))
    for other, other_name in rows:
        if other == name:
            raise ConflictError(f"the name {name!r} is the identifier of another zone: choose another name")
        if alike(other_name) == alike(name):
            said = _said(name, other_name)
            raise ConflictError(f"building {building_id} already has a zone named {said}: choose another name")


def refuse_double_credential(connection: Connection, name: str) -> None:
    """ConflictError if a credential has the name, or one like it."""
    for other in connection.execute(select(CredentialRow.name)).scalars():
        if alike(other) == alike(name):
            raise ConflictError(
                f"there is a credential {_said(name, other)} already: change it, or choose another name"
            )


def _said(name: str, other: str) -> str:
    same = normal_name(other) == name
    return repr(name) if same else f"{other!r}, which differs from {name!r} only in capital letters,"


def archive(connection: Connection, kind: type[BuildingRow] | type[CameraRow], identifier: str) -> None:
    """Take it out of use."""
    change(connection, kind, identifier, {"archived_at_ns": time.time_ns()})


def change(
    connection: Connection, kind: type[BuildingRow] | type[CameraRow], identifier: str, values: dict[str, Any]
) -> None:
    """Write values, and raise the version."""
    connection.execute(update(kind).where(kind.id == identifier).values(values | {"version": kind.version + 1}))
