"""Puts a year of passages into a database, as fast as it takes them, with the totals that the system would have kept."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Engine,
    Table,
    and_,
    case,
    func,
    insert,
    literal,
    not_,
    select,
    text,
    union_all,
)
from sqlalchemy.schema import AddConstraint, Constraint, DropConstraint, UniqueConstraint

from infra.bench.api_data import BUILDINGS, LABELS, REASONS, TIME_ZONES, UNKNOWN, Amount, Day, days, places
from storage.database.engine import migrate, reading, writing
from storage.database.models import BuildingRow, EventRow, HourRollupRow, MinuteRollupRow, TrackRow
from storage.database.records import NewCamera
from storage.database.rollups import COLUMNS, HOUR_NS, MINUTE_NS
from storage.database.sites import Sites
from storage.errors import UsageError
from storage.networks import Networks
from storage.reviewing import Verdict

TRACKS: Final = (
    "id",
    "camera_id",
    "number",
    "building_id",
    "zone_id",
    "started_ns",
    "ended_ns",
    "faces",
    "label",
    "confidence",
    "unknown_reason",
    "counts",
    "counted",
    "closed",
    "outside_hours",
)
EVENTS: Final = (
    "id",
    "camera_id",
    "building_id",
    "zone_id",
    "track_id",
    "type",
    "started_ns",
    "ended_ns",
    "confidence",
    "counts",
    "closed",
    "snapshot",
    "verdict",
    "review_reason",
    "reviewed_by",
    "review_version",
    "label",
)
KEY: Final = ("camera_id", "building_id", "zone_id", "start_ns")
VERDICTS: Final = (("pending", None, None, 1), ("confirmed", None, "Anna", 2), ("dismissed", "wrong_label", "Anna", 2))
TABLES: Final[tuple[Table, ...]] = (TrackRow.__table__, EventRow.__table__)  # type: ignore[assignment]

Row = tuple[Any, ...]
Progress = Callable[[float, float | None], None]


def load(engine: Engine, amount: Amount, folder: Path, progress: Progress) -> None:
    """Fill an empty database.

    Args:
        engine: of the database; its tables are made where there are none.
        amount: how much.
        folder: for a repository that wants one; nothing is written there.
        progress: told how much of it is done.

    Raises:
        UsageError: something is in the database.
    """
    migrate(engine)
    with reading(engine) as connection:
        if connection.execute(select(literal(1)).select_from(BuildingRow)).first() is not None:
            raise UsageError(
                "the database is not empty: `bench api` fills one with a year of made-up passages; name another"
            )
    _sites(engine, folder)
    copies = engine.dialect.name == "postgresql"
    with writing(engine) as connection:
        if copies:
            for setting in ("statement_timeout = 0", "work_mem = '1GB'", "maintenance_work_mem = '1GB'"):
                connection.execute(text(f"SET LOCAL {setting}"))
        # Making an index at once takes a fraction of the time of adding to it row by row.
        _drop(connection, constraints=copies)
        done = 0
        for day in days(amount):
            put = _copy if copies else _insert
            put(connection, TABLES[0], TRACKS, _tracks(day))
            put(connection, TABLES[1], EVENTS, _events(day))
            done += len(day.camera)
            progress(0.6 * done, amount.tracks)
        _make(connection, constraints=copies)
        progress(0.8 * amount.tracks, amount.tracks)
        _totals(connection)
        progress(0.95 * amount.tracks, amount.tracks)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        # What a database does by itself in the course of a year.
        if copies:
            connection.execute(text("SET statement_timeout = 0"))
            connection.execute(text("VACUUM ANALYZE"))
        else:
            connection.execute(text("ANALYZE"))
    progress(amount.tracks, amount.tracks)


def _sites(engine: Engine, folder: Path) -> None:
    sites = Sites(engine, folder, networks=Networks.parse("private"))
    for number in range(BUILDINGS):
        sites.add_building(f"Building {number}", TIME_ZONES[number % len(TIME_ZONES)], building_id=f"bench-b{number}")
    known: set[str] = set()
    for place in places():
        if place.zone_id is not None and place.zone_id not in known:
            sites.add_zone(place.building_id, f"Zone {place.zone_id[-1]}", zone_id=place.zone_id)
            known.add(place.zone_id)
        camera = place.camera_id
        sites.add_camera(
            NewCamera(f"Camera {camera[-2:]}", place.building_id, f"rtsp://10.0.0.5/{camera}", place.zone_id, id=camera)
        )


def _tracks(day: Day) -> Iterator[Row]:
    cameras = places()
    columns = (day.camera, day.number, day.started_ns, day.ended_ns, day.label, day.reason, day.confidence, day.is_open)
    for at, number, started, ended, label, reason, sure, still in zip(*(one.tolist() for one in columns), strict=True):
        camera, building, zone, _ = cameras[at]
        why = REASONS[reason].value if label == UNKNOWN else None
        yield (
            *(
                f"{camera}-t{number}",
                camera,
                number,
                building,
                zone,
                started,
                ended,
                20,
                LABELS[label].value,
                sure,
                why,
            ),
            *(True, not still, not still, False),
        )


def _events(day: Day) -> Iterator[Row]:
    cameras = places()
    which = (day.breach >= 0).nonzero()[0]
    columns = (
        day.camera,
        day.number,
        day.opened_ns,
        day.ended_ns,
        day.breach,
        day.label,
        day.confidence,
        day.is_open,
        day.verdict,
    )
    rows = zip(*(one[which].tolist() for one in columns), strict=True)
    for at, number, opened, ended, breach, label, sure, still, said in rows:
        camera, building, zone, _ = cameras[at]
        verdict, reason, by, version = VERDICTS[said]
        yield (
            *(
                f"{camera}-e{number}",
                camera,
                building,
                zone,
                f"{camera}-t{number}",
                LABELS[breach].value,
                opened,
                ended,
            ),
            *(sure, True, not still, f"{at:04x}{number:060x}.jpg", verdict, reason, by, version, LABELS[label].value),
        )


def _copy(connection: Connection, table: Table, names: Sequence[str], rows: Iterator[Row]) -> None:
    driver: Any = connection.connection.dbapi_connection
    with driver.cursor() as cursor, cursor.copy(f"COPY {table.name} ({', '.join(names)}) FROM STDIN") as copy:
        # No value has a tab, a line end or a backslash.
        copy.write(
            "".join("\t".join("\\N" if value is None else str(value) for value in row) + "\n" for row in rows).encode()
        )


def _insert(connection: Connection, table: Table, names: Sequence[str], rows: Iterator[Row]) -> None:
    driver: Any = connection.connection.dbapi_connection
    marks = ", ".join("?" * len(names))
    driver.executemany(f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({marks})", rows)  # noqa: S608 names of ours


def _constraints(table: Table) -> list[Constraint]:
    return [table.primary_key, *(one for one in table.constraints if isinstance(one, UniqueConstraint))]


def _drop(connection: Connection, *, constraints: bool) -> None:
    for table in TABLES:
        for index in table.indexes:
            index.drop(connection)
        for constraint in _constraints(table) if constraints else ():
            connection.execute(DropConstraint(constraint))


def _make(connection: Connection, *, constraints: bool) -> None:
    for table in TABLES:
        for constraint in _constraints(table) if constraints else ():
            connection.execute(AddConstraint(constraint))
        for index in table.indexes:
            index.create(connection)


def _totals(connection: Connection) -> None:
    """Count minutes from the rows, and hours from the minutes, in the order in which they came to be."""
    minutes: Table = MinuteRollupRow.__table__  # type: ignore[assignment]
    hours: Table = HourRollupRow.__table__  # type: ignore[assignment]
    parts = union_all(
        _counted(TrackRow, {name: condition for name in COLUMNS if (condition := _goes_to(name)) is not None}),
        _counted(EventRow, {"events": EventRow.verdict != Verdict.DISMISSED}),
    ).subquery()
    _sum(connection, minutes, parts)
    whole = minutes.c.start_ns // literal(HOUR_NS, BigInteger) * literal(HOUR_NS, BigInteger)
    others = [minutes.c[name] for name in (*KEY[:-1], *COLUMNS)]
    _sum(connection, hours, select(*others[:3], whole.label("start_ns"), *others[3:]).subquery())


def _counted(table: Any, conditions: dict[str, ColumnElement[bool]]) -> Any:
    """What each row adds: its key and a 1 or 0 for every column."""
    minute = table.started_ns // literal(MINUTE_NS, BigInteger) * literal(MINUTE_NS, BigInteger)
    columns = [
        (case((conditions[name], 1), else_=0) if name in conditions else literal(0)).label(name) for name in COLUMNS
    ]
    zone = func.coalesce(table.zone_id, "").label("zone_id")
    return select(table.camera_id, table.building_id, zone, minute.label("start_ns"), *columns).where(table.counts)


def _goes_to(name: str) -> ColumnElement[bool] | None:
    """Which tracks a column counts; see `rollups.track_columns`. None: it counts events."""
    judged = and_(TrackRow.counted, not_(TrackRow.outside_hours))
    if name == "events":
        return None
    if name == "tracks":
        return judged
    if name == "outside_hours":
        return TrackRow.outside_hours.is_(True)
    if name == "open_tracks":
        return and_(not_(TrackRow.counted), not_(TrackRow.outside_hours))
    if name in {reason.value for reason in REASONS}:
        return and_(judged, TrackRow.label == LABELS[UNKNOWN].value, TrackRow.unknown_reason == name)
    return and_(judged, TrackRow.label == name)


def _sum(connection: Connection, table: Table, parts: Any) -> None:
    sums = [func.sum(parts.c[name]).label(name) for name in COLUMNS]
    keys = [parts.c[name] for name in KEY]
    query = select(*keys, *sums).group_by(*keys).order_by(parts.c.start_ns)
    connection.execute(insert(table).from_select([*KEY, *COLUMNS], query))
