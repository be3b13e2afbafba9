"""The audit log: who looked at what, who changed what, from where. It only grows."""

import time
from typing import Any

from sqlalchemy import Connection, insert

from storage.database.models import AuditRow
from storage.identity import Caller


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
