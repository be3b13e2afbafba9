"""What people ask: tracks and events as lists, single events, totals over time. Nothing here writes."""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any, Final, TypeVar

import msgspec
from sqlalchemy import ColumnElement, Select, String, cast, func, literal, select, tuple_

from storage.database.buckets import Bucket, Span, day_of, edges, time_zone
from storage.database.corrections import Correction, corrected_each
from storage.database.engine import reading
from storage.database.groups import Group, GroupBy, Places
from storage.database.models import CameraRow, CameraStateRow, EventRow, TrackRow
from storage.database.overview import PENDING, Overviews
from storage.database.statistics import Scope, Totals, totals
from storage.database.weekly import Weeks
from storage.errors import InvalidError, NotFoundError
from storage.reviewing import Verdict

MOST_ROWS: Final = 10_000
"""Buckets times groups in one answer."""


class TrackRecord(msgspec.Struct, frozen=True):
    """A passage as it is kept; see `storage.messages.Track`. Building and zone are those at its start."""

    id: str
    camera_id: str
    building_id: str
    zone_id: str | None
    job_id: str | None
    started_ns: int
    ended_ns: int
    faces: int
    label: str
    confidence: float
    unknown_reason: str | None
    outside_hours: bool
    closed: bool


class EventRecord(msgspec.Struct, frozen=True):
    """An event as it is kept; see `storage.messages.Event`.

    Attributes:
        snapshot: name of its picture in the snapshot folder.
        verdict, review_reason, review_label, review_note, reviewed_by, reviewed_at_ns, review_version: what people said.
        machine_type: what the system says, once people have said what type it is.
    """

    id: str
    camera_id: str
    building_id: str
    zone_id: str | None
    track_id: str
    job_id: str | None
    type: str
    started_ns: int
    ended_ns: int
    corrected_ns: int | None
    confidence: float
    closed: bool
    snapshot: str | None
    verdict: str
    review_reason: str | None
    review_label: str | None
    review_note: str | None
    reviewed_by: str | None
    reviewed_at_ns: int | None
    review_version: int
    machine_type: str | None


class Wanted(msgspec.Struct, frozen=True):
    """Which tracks or events.

    Attributes:
        camera, building, zone: where.
        job: that they were seen in, of recorded footage.
        label: of the track.
        type, verdict: of its event.
        from_ns, to_ns: started at or after the one, before the other; Unix time.
        pictured: events that have a snapshot; of no meaning for tracks.
    """

    camera: str | None = None
    building: str | None = None
    zone: str | None = None
    job: str | None = None
    label: str | None = None
    type: str | None = None
    verdict: str | None = None
    from_ns: int | None = None
    to_ns: int | None = None
    pictured: bool = False


class Position(msgspec.Struct, frozen=True, array_like=True):
    """A place in a list, newest first: after the row with this start and identifier."""

    at_ns: int
    id: str


Record = TypeVar("Record", TrackRecord, EventRecord)


class Question(msgspec.Struct, frozen=True):
    """What totals are wanted.

    Attributes:
        bucket: how long each stretch of time is.
        group_by: None: all together.
        scope: whose.
        timezone: whose days; None: the one of all buildings in question.
        from_ns, to_ns: Unix time; None: the beginning and the end of today there.
    """

    bucket: Bucket = Bucket.DAY
    group_by: GroupBy | None = None
    scope: Scope = Scope()
    timezone: str | None = None
    from_ns: int | None = None
    to_ns: int | None = None


class Entry(msgspec.Struct, frozen=True):
    """The totals of one group in one bucket, and what checks at random make of its rate."""

    group: Group | None
    span: Span
    totals: Totals
    correction: Correction = Correction()


class Answer(msgspec.Struct, frozen=True):
    """Totals as they were at `as_of_ns`: groups by name, each in order of time, empty buckets included.

    `whole` are those of the whole time, of each group.
    """

    as_of_ns: int
    timezone: str
    bucket: Bucket
    series: tuple[Entry, ...]
    whole: tuple[Entry, ...] = ()


class Reports(Weeks, Overviews):
    """The read side of the database.

    Every method raises `StorageError` when the database can't be read.
    """

    def check(self) -> None:
        """Whether the database answers."""
        with reading(self._engine) as connection:
            connection.execute(select(literal(1)))

    def tracks(
        self, wanted: Wanted, limit: int, after: Position | None = None
    ) -> tuple[list[TrackRecord], Position | None]:
        """Tracks, newest first.

        Args:
            wanted: which.
            limit: how many at most.
            after: where the page before ended.

        Returns:
            A page, and where the next one begins, if there is one. What appears meanwhile shifts no page.
        """
        query = self._listed(TrackRow, TrackRecord, wanted, after)
        if wanted.label is not None:
            query = query.where(TrackRow.label == wanted.label)
        if wanted.type is not None or wanted.verdict is not None:
            query = query.join(EventRow, EventRow.id == _event_id())
        return self._page(_judged(query, wanted), TrackRecord, limit)

    def events(
        self, wanted: Wanted, limit: int, after: Position | None = None
    ) -> tuple[list[EventRecord], Position | None]:
        """Events, newest first; see `tracks`."""
        query = self._listed(EventRow, EventRecord, wanted, after)
        if wanted.label is not None:
            query = query.where(EventRow.label == wanted.label)
        if wanted.pictured:
            query = query.where(EventRow.snapshot.is_not(None))
        return self._page(_judged(query, wanted), EventRecord, limit)

    def event(self, event_id: str) -> EventRecord:
        """One event.

        Raises:
            NotFoundError: there is none of that identifier.
        """
        with reading(self._engine) as connection:
            row = connection.execute(select(*_columns(EventRow, EventRecord)).where(EventRow.id == event_id)).first()
        event = None if row is None else EventRecord(*row)
        if event is None or not self._caller.sees(event.building_id):
            raise NotFoundError(f"there is no event {event_id}")
        return event

    def lost(self, cameras: Iterable[str]) -> dict[str, int]:
        """How many samples of each camera of the caller's were lost so far; cameras that lost none may be missing."""
        query = select(CameraStateRow.camera_id, CameraStateRow.lost).where(CameraStateRow.camera_id.in_(list(cameras)))
        if self._caller.buildings is not None:
            query = query.join(CameraRow, CameraRow.id == CameraStateRow.camera_id)
            query = query.where(CameraRow.building_id.in_(sorted(self._caller.buildings)))
        with reading(self._engine) as connection:
            return {row.camera_id: row.lost for row in connection.execute(query)}

    def compliance(self, question: Question, now_ns: int) -> Answer:
        """Totals by group and bucket.

        Raises:
            NotFoundError: a camera, building or zone of the scope does not exist.
            InvalidError: no such time zone, several to choose from, an empty stretch of time, or too many rows.
        """
        with reading(self._engine) as connection:
            places = Places.read(connection, self._caller)
            scope = msgspec.structs.replace(question.scope, seen=self._caller.buildings)
            places.check(scope)
            name = question.timezone or places.timezone(scope)
            zone = time_zone(name)
            today = day_of(zone, now_ns)
            span = Span(
                today.start_ns if question.from_ns is None else question.from_ns,
                today.end_ns if question.to_ns is None else question.to_ns,
            )
            if span.start_ns >= span.end_ns:
                raise InvalidError("`from` must be earlier than `to`; where one is not given, it is that of today")
            groups = places.groups(question.group_by, scope)
            cuts = edges(question.bucket, zone, span, max(1, MOST_ROWS // max(1, len(groups))))
            found = totals(connection, cuts, question.group_by, scope)
            buildings = frozenset(places.groups(GroupBy.BUILDING, scope))
            checked = corrected_each(connection, (cuts, question.group_by, scope), buildings, now_ns)
        if question.group_by is not None:
            groups |= {key: places.group(question.group_by, key) for key, _ in found if key not in groups}
        ordered = sorted(groups.items(), key=lambda item: (item[1].name or "" if item[1] else "", item[0]))
        series = tuple(
            Entry(group, Span(start_ns, end_ns), found.get((key, number), Totals()), checked.of(key, number))
            for key, group in ordered
            for number, (start_ns, end_ns) in enumerate(pairwise(cuts))
        )
        sums: dict[str, Totals] = {}
        for (key, _), here in found.items():
            sums[key] = sums.get(key, Totals()) + here
        whole = tuple(Entry(group, span, sums.get(key, Totals()), checked.of(key)) for key, group in ordered)
        return Answer(now_ns, name, question.bucket, series, whole)

    def _listed(self, table: Any, kind: type[msgspec.Struct], wanted: Wanted, after: Position | None) -> Select[Any]:
        """The caller's rows of a table by place and time, newest first."""
        query = _listed(table, kind, wanted, after)
        seen = self._caller.buildings
        return query if seen is None else query.where(table.building_id.in_(sorted(seen)))

    def _page(self, query: Select[Any], kind: type[Record], limit: int) -> tuple[list[Record], Position | None]:
        with reading(self._engine) as connection:
            rows = [kind(*row) for row in connection.execute(query.limit(limit + 1))]
        more = len(rows) > limit
        return rows[:limit], Position(rows[limit - 1].started_ns, rows[limit - 1].id) if more else None


def _columns(table: Any, kind: type[msgspec.Struct]) -> Sequence[Any]:
    return [getattr(table, name) for name in kind.__struct_fields__]


def _listed(table: Any, kind: type[msgspec.Struct], wanted: Wanted, after: Position | None) -> Select[Any]:
    """The rows of a table by place and time, newest first."""
    conditions: list[ColumnElement[bool]] = [
        getattr(table, f"{name}_id") == value
        for name, value in (
            ("camera", wanted.camera),
            ("building", wanted.building),
            ("zone", wanted.zone),
            ("job", wanted.job),
        )
        if value is not None
    ]
    if wanted.from_ns is not None:
        conditions.append(table.started_ns >= wanted.from_ns)
    if wanted.to_ns is not None:
        conditions.append(table.started_ns < wanted.to_ns)
    if after is not None:
        conditions.append(tuple_(table.started_ns, table.id) < tuple_(literal(after.at_ns), literal(after.id)))
    return select(*_columns(table, kind)).where(*conditions).order_by(table.started_ns.desc(), table.id.desc())


def _judged(query: Select[Any], wanted: Wanted) -> Select[Any]:
    if wanted.type is not None:
        query = query.where(EventRow.type == wanted.type)
    if wanted.verdict is not None:
        pending = wanted.verdict == Verdict.PENDING
        query = query.where(PENDING if pending else EventRow.verdict == wanted.verdict)
    return query


def _event_id() -> ColumnElement[str]:
    # By the primary key: no index leads from a track to its event.
    return func.coalesce(TrackRow.job_id, TrackRow.camera_id) + "-e" + cast(TrackRow.number, String)
