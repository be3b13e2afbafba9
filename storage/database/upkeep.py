"""When periodic work was last done, and whose turn it is: any number of hosts may ask, and one does it.

Whoever begins a piece of work writes that down first, as begun and not ended. One that fails, or that a crash ends, is due
again a quarter of an hour later. When it last ended well is a row of its own, which failures leave as it is.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from sqlalchemy import Engine, select, update

from storage.database.engine import reading, writing
from storage.database.models import UpkeepRow
from storage.database.upsert import upsert
from storage.messages import NS_PER_S, nanoseconds

AGAIN_S: Final = 900.0
"""After work that did not end well."""

EARLY: Final = 0.9
"""Of the interval: who asks at every interval must not come too early each second time."""

UNENDED: Final = "it was begun, and did not say that it ended"

ENDED_WELL: Final = ".ended-well"
"""What a name has added to it in the row that says when; no piece of work has a dot in its name."""

NAMES: Final = (
    "weekly-reports",
    "retention",
    "spot-pictures",
    "orphan-pictures",
    "orphan-footage",
    "temporary-files",
    "rollup-repair",
)
"""All periodic work there is; what it does is known to whoever does it."""


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


class UpkeepStanding(msgspec.Struct, frozen=True):
    """How a piece of periodic work stands.

    Attributes:
        age_s: since it was last begun and ended well; None: it never did.
        failed: whether it did not end well the last time.
    """

    age_s: float | None
    failed: bool


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
        well = {
            "name": record.name + ENDED_WELL,
            "done_at_ns": record.done_at_ns,
            "took_s": 0.0,
            "outcome": {},
            "error": None,
        }
        ended = update(UpkeepRow).where(UpkeepRow.name == record.name, UpkeepRow.done_at_ns == record.done_at_ns)
        with writing(self._engine) as connection:
            connection.execute(ended.values(values))
            if record.error is None:
                connection.execute(upsert(connection, UpkeepRow.__table__, replace=("done_at_ns",)), well)

    def standings(self, now_ns: int) -> Mapping[str, "UpkeepStanding"]:
        """How all periodic work there is stands, by name.

        Args:
            now_ns: the time.
        """
        query = select(UpkeepRow.name, UpkeepRow.done_at_ns, UpkeepRow.error)
        with reading(self._engine) as connection:
            rows = {row.name: row for row in connection.execute(query)}
        found = {}
        for name in NAMES:
            last, well = rows.get(name), rows.get(name + ENDED_WELL)
            age_s = None if well is None else max(0.0, (now_ns - well.done_at_ns) / NS_PER_S)
            # What is being done has not failed.
            lately = last is not None and last.done_at_ns > now_ns - nanoseconds(AGAIN_S)
            failed = last is not None and last.error is not None and not (last.error == UNENDED and lately)
            found[name] = UpkeepStanding(age_s, failed)
        return found

    def records(self) -> Mapping[str, UpkeepRecord]:
        """What was ever done, by name."""
        query = select(*(getattr(UpkeepRow, name) for name in UpkeepRecord.__struct_fields__))
        with reading(self._engine) as connection:
            rows = connection.execute(query.where(UpkeepRow.name.not_like("%.%")).order_by(UpkeepRow.name)).all()
        return {row.name: UpkeepRecord(*row) for row in rows}
