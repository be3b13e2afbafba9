"""Totals by minute and hour held against the passages and events that they come from, and corrected where they differ.

They never should. A few hours are compared at a time, in a transaction that sees everything as it was at one moment; since
facts and totals are committed together, whatever differs then is wrong. Only then writers are kept waiting, while an hour
is counted anew.
"""

from collections.abc import Mapping
from typing import Any, Final

import structlog
from sqlalchemy import BigInteger, Connection, Engine, Select, func, literal_column, select, text

from storage.database.buckets import Span
from storage.database.engine import reading, writing
from storage.database.gone import Gone, locked, read
from storage.database.judgement import columns_of
from storage.database.models import EventRow, HourRollupRow, MinuteRollupRow, TrackRow
from storage.database.rollups import COLUMNS, HOUR_NS, MINUTE_NS, Place, Totals, event_columns
from storage.database.upsert import upsert
from storage.messages import NS_PER_S
from storage.progress import Progress, unwatched

log = structlog.get_logger(__name__)

DAYS: Final = 3
"""So many of the last days are checked each time."""

DAY_NS: Final = 86_400 * NS_PER_S
COMPARED_NS: Final = 6 * HOUR_NS
"""Compared in one transaction, which keeps nobody waiting."""

TABLES: Final = ((MinuteRollupRow, MINUTE_NS), (HourRollupRow, HOUR_NS))

_Key = tuple[str, str, str, int]
_Wrong = tuple[type[MinuteRollupRow] | type[HourRollupRow], list[dict[str, Any]]]


def repair(engine: Engine, now_ns: int, days: int = DAYS, progress: Progress = unwatched) -> dict[str, int]:
    """Check the totals of the last days, and correct them.

    Args:
        engine: of a migrated database.
        now_ns: the time.
        days: how many; of what retention has removed in part, nothing is checked.
        progress: called for each few hours.

    Returns:
        How many `hours` were looked at, and how many rows of totals were `wrong`: always 0, unless something is amiss.

    Raises:
        StorageError: the database can't be used; what was corrected stays so.
    """
    first_ns = (now_ns - days * DAY_NS) // HOUR_NS * HOUR_NS
    end_ns = now_ns // HOUR_NS * HOUR_NS + HOUR_NS
    wrong = 0
    for start_ns in range(first_ns, end_ns, COMPARED_NS):
        progress()
        span = Span(start_ns, min(start_ns + COMPARED_NS, end_ns))
        with reading(engine) as connection:
            differs = any(rows for _, rows in _differences(connection, span, read(connection)))
        if differs:
            for hour_ns in range(span.start_ns, span.end_ns, HOUR_NS):
                progress()
                wrong += _correct(engine, Span(hour_ns, hour_ns + HOUR_NS))
    return {"hours": (end_ns - first_ns) // HOUR_NS, "wrong": wrong}


def _correct(engine: Engine, span: Span) -> int:
    with writing(engine) as connection:
        gone = locked(connection)
        if connection.dialect.name == "postgresql":
            # Who has changed facts has changed totals in the same transaction, or waits here to do so: what is counted from
            # now on is whole, and what others add afterwards is added to it.
            connection.execute(text("LOCK TABLE minute_rollup, hour_rollup IN SHARE ROW EXCLUSIVE MODE"))
        wrong = 0
        for table, rows in _differences(connection, span, gone):
            if rows:
                connection.execute(upsert(connection, table.__table__, replace=COLUMNS), rows)
                wrong += len(rows)
                first = {name: rows[0][name] for name in ("camera_id", "building_id", "start_ns")}
                log.warning("totals were wrong and are corrected", table=table.__tablename__, rows=len(rows), **first)
    return wrong


def _differences(connection: Connection, span: Span, gone: Mapping[str, Gone]) -> list[_Wrong]:
    """Rows of totals as they should be, where they are otherwise; of buildings of which nothing is gone in that time."""
    counted = _recount(connection, span)
    found: list[_Wrong] = []
    for table, bucket_ns in TABLES:
        right = {_key(row): row for row in counted.rows(bucket_ns)}
        query = select(table.__table__).where(table.start_ns >= span.start_ns, table.start_ns < span.end_ns)
        there = {_key(row): row for row in map(dict, connection.execute(query).mappings())}
        wrong = []
        for key in sorted(right.keys() | there.keys()):
            values = _values(right.get(key))
            camera, building, zone, start_ns = key
            hour_ns = start_ns // HOUR_NS * HOUR_NS
            whole = gone.get(building, Gone()).whole(Span(hour_ns, hour_ns + HOUR_NS))
            if whole and values != _values(there.get(key)):
                wrong.append(
                    {"camera_id": camera, "building_id": building, "zone_id": zone, "start_ns": start_ns} | values
                )
        found.append((table, wrong))
    return found


def _recount(connection: Connection, span: Span) -> Totals:
    """What all tracks and events of a time add up to."""
    totals = Totals()
    tracks = _grouped(TrackRow, span, "label", "counted", "outside_hours", "ruling", "unknown_reason")
    for row in connection.execute(tracks):
        totals.add(_place(row), row.minute, columns_of(row), row.times)
    for row in connection.execute(_grouped(EventRow, span, "verdict")):
        totals.add(_place(row), row.minute, event_columns(row.verdict), row.times)
    return totals


def _grouped(table: type[TrackRow] | type[EventRow], span: Span, *kinds: str) -> Select[Any]:
    """How many began in each minute, by place and kind."""
    # Written out: PostgreSQL would take two parameters of one value for two things to group by.
    minute = table.started_ns - table.started_ns % literal_column(str(MINUTE_NS), BigInteger)
    columns = [getattr(table, name) for name in ("camera_id", "building_id", "zone_id", "counts", *kinds)]
    columns.append(minute.label("minute"))
    query = select(*columns, func.count().label("times"))
    query = query.where(table.started_ns >= span.start_ns, table.started_ns < span.end_ns)
    return query.group_by(*columns)


def _place(row: Any) -> Place:
    return Place(row.camera_id, row.building_id, row.zone_id, row.counts)


def _key(row: Mapping[str, Any]) -> _Key:
    return row["camera_id"], row["building_id"], row["zone_id"], row["start_ns"]


def _values(row: Mapping[str, Any] | None) -> dict[str, int]:
    """Totals; a row that is not there says nothing happened."""
    return {name: 0 if row is None else row[name] for name in COLUMNS}
