"""When periodic work was last done, and whose turn it is: any number of hosts may ask, and one does it.

Whoever begins a piece of work writes that down first, as begun and not ended. One that fails, or that a crash ends, is due
again a quarter of an hour later.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from sqlalchemy import Engine, select, update

from storage.database.engine import reading, writing
from storage.database.gone import MARK
from storage.database.models import UpkeepRow
from storage.database.upsert import upsert
from storage.messages import NS_PER_S, nanoseconds

AGAIN_S: Final = 900.0
"""After work that did not end well."""

EARLY: Final = 0.9
"""Of the interval: who asks at every interval must not come too early each second time."""

UNENDED: Final = "it was begun, and did not say that it ended"


class UpkeepRecord(msgspec.Struct, frozen=True):
    """A piece of periodic work as it was last done.

    Attributes:
        name: of the work.
        done_at_ns: when it was begun, Unix time.
        took_s: how long it took; 0 while it is being done.
        outcome: what came of it, in numbers; empty where it failed.
        error: why it failed.
    """

    name: str
    done_at_ns: int
    took_s: float
    outcome: Any
    error: str | None


class UpkeepLog:
    """The rows of periodic work. Every method raises StorageError when the database can't be used."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def take(self, name: str, every_s: float, now_ns: int) -> bool:
        """Begin a piece of work, if it is due and nobody else begins it at this moment.

        Args:
            name: of the work.
            every_s: how often it is to be done.
            now_ns: the time; work that was done later than that was done by a clock that has been set back since.
        """
        first = {"name": name, "done_at_ns": 0, "took_s": 0.0, "outcome": {}, "error": None}
        last_ns = now_ns - nanoseconds(EARLY * every_s)
        again_ns = now_ns - nanoseconds(min(EARLY * every_s, AGAIN_S))
        due = (
            (UpkeepRow.done_at_ns <= last_ns)
            | (UpkeepRow.error.is_not(None) & (UpkeepRow.done_at_ns <= again_ns))
            | (UpkeepRow.done_at_ns > now_ns + 60 * NS_PER_S)
        )
        begun = update(UpkeepRow).where(UpkeepRow.name == name, due)
        with writing(self._engine) as connection:
            connection.execute(upsert(connection, UpkeepRow.__table__), first)
            return connection.execute(begun.values(done_at_ns=now_ns, took_s=0.0, error=UNENDED)).rowcount == 1

    def begin(self, name: str, now_ns: int) -> None:
        """Begin it, due or not."""
        row = {"name": name, "done_at_ns": now_ns, "took_s": 0.0, "outcome": {}, "error": UNENDED}
        with writing(self._engine) as connection:
            connection.execute(upsert(connection, UpkeepRow.__table__, replace=("done_at_ns", "took_s", "error")), row)

    def end(self, record: UpkeepRecord) -> None:
        """Write down what came of it, unless it was begun again meanwhile."""
        values = {"took_s": record.took_s, "outcome": record.outcome, "error": record.error}
        ended = update(UpkeepRow).where(UpkeepRow.name == record.name, UpkeepRow.done_at_ns == record.done_at_ns)
        with writing(self._engine) as connection:
            connection.execute(ended.values(values))

    def records(self) -> Mapping[str, UpkeepRecord]:
        """What was ever done, by name."""
        query = select(*(getattr(UpkeepRow, name) for name in UpkeepRecord.__struct_fields__))
        with reading(self._engine) as connection:
            rows = connection.execute(query.where(UpkeepRow.name != MARK).order_by(UpkeepRow.name)).all()
        return {row.name: UpkeepRecord(*row) for row in rows}
