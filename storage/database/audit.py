"""The audit log: who looked at what, who changed what, from where. It only grows."""

import time
from collections.abc import Iterator
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Select, insert, select

from storage.database.engine import reading, writing
from storage.database.models import AuditRow
from storage.database.scoped import Scoped
from storage.errors import NotFoundError
from storage.identity import Caller
from storage.messages import NS_PER_S

PART: Final = 1000
"""Entries that are read at a time."""

LOOK_S: Final = 60
"""Looks at the same that somebody takes within such a time are one look."""


def note(
    connection: Connection,
    caller: Caller,
    action: str,
    about: tuple[str, str],
    building_id: str | None = None,
    **detail: Any,
) -> None:
    """Write down what somebody does, in the transaction in which it is done.

    Args:
        connection: of that transaction.
        caller: who; what the system does by itself is not written down.
        action: such as `camera.changed` or `snapshot.shown`.
        about: kind and identifier of what it is done to.
        building_id: that it belongs to.
        detail: more, as JSON; never a secret.
    """
    if caller.kind == "system":
        return
    kind, identifier = about
    row = {
        "at_ns": time.time_ns(),
        "caller_id": caller.id,
        "caller_name": caller.name,
        "caller_kind": caller.kind,
        "address": caller.address,
        "action": action,
        "object_type": kind,
        "object_id": identifier,
        "building_id": building_id,
        "detail": detail,
    }
    connection.execute(insert(AuditRow).values(row))


def noted_lately(connection: Connection, caller: Caller, action: str, about: tuple[str, str], **detail: object) -> bool:
    """Whether it is written down that somebody did this within `LOOK_S`.

    Args:
        connection: of the transaction.
        caller: who.
        action: see `note`.
        about: likewise.
        detail: what was noted with it, or a part of that.
    """
    kind, identifier = about
    query = select(AuditRow.detail).where(
        AuditRow.object_type == kind,
        AuditRow.object_id == identifier,
        AuditRow.action == action,
        AuditRow.caller_id == caller.id,
        AuditRow.at_ns > time.time_ns() - LOOK_S * NS_PER_S,
    )
    return any(detail.items() <= noted.items() for noted in connection.execute(query).scalars())


class AuditEntry(msgspec.Struct, frozen=True):
    """What somebody did; see `note`.

    Attributes:
        id: grows.
        at_ns: Unix time.
        caller_id, caller_name, caller_kind, address: who, as they were called then, and where from.
        action: such as `camera.changed`.
        object_type, object_id: what it was done to.
        building_id: that it belongs to; None: to none, or to several.
        detail: more.
    """

    id: int
    at_ns: int
    caller_id: str
    caller_name: str
    caller_kind: str
    address: str | None
    action: str
    object_type: str
    object_id: str
    building_id: str | None
    detail: dict[str, Any]


class AuditWanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which entries.

    Attributes:
        caller: identifier or name of who did it.
        action: the whole of it, or what stands before its dot, such as `camera`.
        object_type, object_id, building: what it was done to.
        from_ns, to_ns: at or after the one, before the other; Unix time.
    """

    caller: str | None = None
    action: str | None = None
    object_type: str | None = None
    object_id: str | None = None
    building: str | None = None
    from_ns: int | None = None
    to_ns: int | None = None


class AuditLog(Scoped):
    """The log, as a caller may read it: administrators of some buildings read what belongs to these."""

    def entries(
        self, wanted: AuditWanted, limit: int, before: int | None = None
    ) -> tuple[list[AuditEntry], int | None]:
        """A page, newest first.

        Args:
            wanted: which.
            limit: most of them.
            before: identifier of the last entry of the page before.

        Returns:
            The entries, and the identifier to go on with; None on the last page.

        Raises:
            StorageError: the database can't be reached.
        """
        query = self._query(wanted).limit(limit + 1)
        if before is not None:
            query = query.where(AuditRow.id < before)
        with reading(self._engine) as connection:
            rows = connection.execute(query).all()
        found = [msgspec.convert(dict(row._mapping), AuditEntry) for row in rows[:limit]]  # noqa: SLF001 documented
        return found, found[-1].id if len(rows) > limit else None

    def every(self, wanted: AuditWanted) -> Iterator[AuditEntry]:
        """All of them, newest first, however many: read in parts, as they are asked for.

        Raises:
            StorageError: the database can't be reached.
        """
        after: int | None = None
        while True:
            found, after = self.entries(wanted, PART, after)
            yield from found
            if after is None:
                return

    def note_export(self, wanted: AuditWanted, form: str) -> None:
        """Write down that the caller exports entries.

        Raises:
            NotFoundError: entries of a building are wanted that is not the caller's.
            StorageError: it can't be written down: then nothing is to be given out.
        """
        if wanted.building is not None and not self._caller.sees(wanted.building):
            raise NotFoundError(f"there is no building {wanted.building!r}")
        asked = {name: value for name, value in msgspec.structs.asdict(wanted).items() if value is not None}
        with writing(self._engine) as connection:
            note(connection, self._caller, "audit.exported", ("audit", form), wanted.building, wanted=asked)

    def _query(self, wanted: AuditWanted) -> Select[Any]:
        query = select(AuditRow).order_by(AuditRow.id.desc())
        if self._caller.buildings is not None:
            query = query.where(AuditRow.building_id.in_(sorted(self._caller.buildings)))
        if wanted.caller is not None:
            query = query.where((AuditRow.caller_id == wanted.caller) | (AuditRow.caller_name == wanted.caller))
        if wanted.action is not None:
            begins = AuditRow.action.startswith(f"{wanted.action}.", autoescape=True)
            query = query.where((AuditRow.action == wanted.action) | begins)
        for column, value in (
            (AuditRow.object_type, wanted.object_type),
            (AuditRow.object_id, wanted.object_id),
            (AuditRow.building_id, wanted.building),
        ):
            if value is not None:
                query = query.where(column == value)
        if wanted.from_ns is not None:
            query = query.where(AuditRow.at_ns >= wanted.from_ns)
        if wanted.to_ns is not None:
            query = query.where(AuditRow.at_ns < wanted.to_ns)
        return query
