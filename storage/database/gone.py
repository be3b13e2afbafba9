"""Up to when facts are gone: totals of such a time can't be recounted any more, and stay as they are.

It is one row of `upkeep`, locked by whoever removes facts, in the same transaction, and by whoever recounts.
"""

from typing import Final, Self

import msgspec
from sqlalchemy import Connection, select, update

from storage.database.buckets import Span
from storage.database.models import UpkeepRow
from storage.database.upsert import upsert

MARK: Final = "retention.mark"
"""The name of the row; no piece of work has it."""


class Gone(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is gone of a building; Unix time.

    Attributes:
        before_ns: facts that began earlier may be gone.
        from_ns, until_ns: likewise those that began in this stretch: footage says itself when it was, and may be gone before
            its time has come.
    """

    before_ns: int = 0
    from_ns: int = 0
    until_ns: int = 0

    def whole(self, span: Span) -> bool:
        """Whether nothing of a stretch of time is gone."""
        return span.start_ns >= self.before_ns and not (self.from_ns < span.end_ns and span.start_ns < self.until_ns)

    def before(self, at_ns: int) -> Self:
        """With everything before a moment."""
        return msgspec.structs.replace(self, before_ns=max(self.before_ns, at_ns))

    def strays(self, span: Span) -> Self:
        """With a stretch of time of its own."""
        if not self.until_ns:
            return msgspec.structs.replace(self, from_ns=span.start_ns, until_ns=span.end_ns)
        low, high = min(self.from_ns, span.start_ns), max(self.until_ns, span.end_ns)
        return msgspec.structs.replace(self, from_ns=low, until_ns=high)


def locked(connection: Connection) -> dict[str, Gone]:
    """What is gone, by building; nobody else removes facts until the transaction ends.

    To be called before anything else is locked: who waits here holds nothing that others wait for.
    """
    first = {"name": MARK, "done_at_ns": 0, "took_s": 0.0, "outcome": {}, "error": None}
    connection.execute(upsert(connection, UpkeepRow.__table__), first)
    found = connection.execute(select(UpkeepRow.outcome).where(UpkeepRow.name == MARK).with_for_update()).scalar_one()
    return msgspec.convert(found, dict[str, Gone])


def read(connection: Connection) -> dict[str, Gone]:
    """What is gone as of now."""
    found = connection.execute(select(UpkeepRow.outcome).where(UpkeepRow.name == MARK)).scalar()
    return msgspec.convert(found or {}, dict[str, Gone])


def save(connection: Connection, gone: dict[str, Gone]) -> None:
    """Write it down; to be called with it locked."""
    values = {building: msgspec.to_builtins(one) for building, one in sorted(gone.items())}
    connection.execute(update(UpkeepRow).where(UpkeepRow.name == MARK).values(outcome=values))
