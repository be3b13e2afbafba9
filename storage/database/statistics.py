"""Totals over time: how many passed in each bucket, by label, and the compliance rate.

The bulk comes from the hourly totals, the edges of buckets that cut an hour from those by the minute, and what cuts a
minute from the rows of tracks and events themselves: every passage counts in exactly one bucket, whatever its edges.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, Final

import msgspec
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Integer,
    Select,
    and_,
    case,
    cast,
    func,
    literal,
    or_,
    select,
)
from sqlalchemy.orm import InstrumentedAttribute

from storage.database.buckets import HOUR_S, runs
from storage.database.models import EventRow, HourRollupRow, MinuteRollupRow, TrackRow
from storage.database.rollups import track_columns
from storage.messages import NS_PER_S
from storage.reviewing import Verdict
from storage.statistics import wilson_interval
from storage.words import UnknownReason

MINUTE_NS: Final = 60 * NS_PER_S
HOUR_NS: Final = HOUR_S * NS_PER_S
RANGES: Final = 100
"""Stretches of time asked for in one query."""

Range = tuple[int, int]


class Totals(msgspec.Struct):
    """How many tracks, and events, started in a stretch of time.

    Attributes:
        tracks: that are counted: they began within the policy's hours, and the person is gone, or has been in view for so
            long that the label was settled.
        with_mask, without_mask, incorrect_mask, unknown, exempt: those by label.
        outside_hours: tracks that began outside the policy's hours, whatever came of them; in none of the others.
        open_tracks: tracks that are not counted yet.
        events: opened, and not dismissed by people.
        too_small, blurred, turned_away, occluded, too_dark, too_short, disagreement: the `unknown` ones by reason; where
            people say that it can't be told there is none.
    """

    tracks: int = 0
    with_mask: int = 0
    without_mask: int = 0
    incorrect_mask: int = 0
    unknown: int = 0
    exempt: int = 0
    outside_hours: int = 0
    open_tracks: int = 0
    events: int = 0
    too_small: int = 0
    blurred: int = 0
    turned_away: int = 0
    occluded: int = 0
    too_dark: int = 0
    too_short: int = 0
    disagreement: int = 0

    @property
    def judged(self) -> int:
        """What the rate is about."""
        return self.with_mask + self.without_mask + self.incorrect_mask

    @property
    def compliance_rate(self) -> float | None:
        """With four decimals; None when nothing was judged."""
        return round(self.with_mask / self.judged, 4) if self.judged else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """The rate's 95 % Wilson interval with four decimals."""
        if not self.judged:
            return None
        low, high = wilson_interval(self.with_mask, self.judged)
        return round(low, 4), round(high, 4)

    @property
    def unknown_reasons(self) -> dict[str, int]:
        """The `unknown` ones by reason."""
        return {reason: getattr(self, reason) for reason in REASONS}

    def add(self, name: str, number: int) -> None:
        """Add to one of the totals."""
        setattr(self, name, getattr(self, name) + number)

    def __add__(self, other: "Totals") -> "Totals":
        """Of both together."""
        return Totals(*(getattr(self, name) + getattr(other, name) for name in NAMES))

    def __sub__(self, other: "Totals") -> "Totals":
        """Without those of a part."""
        return Totals(*(getattr(self, name) - getattr(other, name) for name in NAMES))


NAMES: Final = Totals.__struct_fields__
REASONS: Final = tuple(reason.value for reason in UnknownReason)
COUNTS: Final = tuple(name for name in NAMES if name not in REASONS)
"""All but the `unknown` ones by reason."""

Key = tuple[str, int]
"""Identifier of the group, "" for none or all, and number of the bucket."""


class Scope(msgspec.Struct, frozen=True):
    """Whose passages; None: everybody's. `seen` are the buildings that the caller may see."""

    camera: str | None = None
    building: str | None = None
    zone: str | None = None
    seen: frozenset[str] | None = None


def totals(connection: Connection, edges: Sequence[int], group: str | None, scope: Scope) -> dict[Key, Totals]:
    """Count what started between each edge and the next.

    Args:
        connection: within one transaction, so that all parts are of one moment.
        edges: Unix time in nanoseconds, ascending; n + 1 edges make the n buckets 0 to n - 1.
        group: `camera`, `building` or `zone`, as tracks had them at their start; None: all together.
        scope: whose.

    Returns:
        Totals by group and bucket, where there are any.
    """
    found: dict[Key, Totals] = {}
    hours, minutes, moments = _parts(edges)
    for table, ranges in ((HourRollupRow, hours), (MinuteRollupRow, minutes)):
        # What fits into 32 bits PostgreSQL adds up twice as fast: the sums then are numbers of 64, not of any length.
        sums = [func.sum(cast(getattr(table, name), Integer)) for name in NAMES]
        for query in _queries(table, table.start_ns, sums, ranges, (edges, group, scope)):
            for key, values in _rows(connection, query, group):
                here = Totals(*(int(value) for value in values))
                found[key] = found[key] + here if key in found else here
    for query in _queries(TrackRow, TrackRow.started_ns, [func.count()], moments, (edges, group, scope)):
        by = (TrackRow.counted, TrackRow.outside_hours, TrackRow.label, TrackRow.ruling, TrackRow.unknown_reason)
        labelled = query.add_columns(*by).where(TrackRow.counts).group_by(*by)
        for key, (number, counted, outside_hours, label, ruling, reason) in _rows(connection, labelled, group):
            columns = track_columns(
                label, counted=counted, outside_hours=outside_hours, ruling=ruling, unknown_reason=reason
            )
            for name in columns:
                found.setdefault(key, Totals()).add(name, number)
    for query in _queries(EventRow, EventRow.started_ns, [func.count()], moments, (edges, group, scope)):
        counted_events = query.where(EventRow.counts, EventRow.verdict != Verdict.DISMISSED)
        for key, (number,) in _rows(connection, counted_events, group):
            found.setdefault(key, Totals()).add("events", number)
    return found


def _parts(edges: Sequence[int]) -> tuple[list[Range], list[Range], list[Range]]:
    """Whole hours, whole minutes beside them, and parts of minutes beside those."""
    hours: list[Range] = []
    minutes: list[Range] = []
    moments: list[Range] = []
    for start_ns, end_ns in pairwise(edges):
        inner = _within(start_ns, end_ns, MINUTE_NS, moments)
        whole = _within(*inner, HOUR_NS, minutes) if inner else None
        if whole:
            _append(hours, whole)
    return hours, minutes, moments


def _within(start_ns: int, end_ns: int, unit_ns: int, beside: list[Range]) -> Range | None:
    """The whole units within a stretch; what is left of it goes to `beside`."""
    first_ns, last_ns = -(-start_ns // unit_ns) * unit_ns, end_ns // unit_ns * unit_ns
    if first_ns >= last_ns:
        _append(beside, (start_ns, end_ns))
        return None
    if start_ns < first_ns:
        _append(beside, (start_ns, first_ns))
    if last_ns < end_ns:
        _append(beside, (last_ns, end_ns))
    return first_ns, last_ns


def _append(ranges: list[Range], new: Range) -> None:
    if ranges and ranges[-1][1] == new[0]:
        ranges[-1] = (ranges[-1][0], new[1])
    else:
        ranges.append(new)


def _queries(
    table: Any,
    start: InstrumentedAttribute[int],
    values: Sequence[ColumnElement[Any]],
    ranges: Sequence[Range],
    asked: tuple[Sequence[int], str | None, Scope],
) -> Iterator[Select[Any]]:
    """Ask a table for values by bucket and group, over some stretches of time."""
    edges, group, scope = asked
    by = [_number(start, edges).label("bucket")]
    if group is not None:
        column = getattr(table, f"{group}_id")
        by.append((func.coalesce(column, "") if group == "zone" else column).label("place"))
    wanted: list[ColumnElement[bool]] = [
        getattr(table, f"{name}_id") == value
        for name in ("camera", "building", "zone")
        if (value := getattr(scope, name)) is not None
    ]
    if scope.seen is not None:
        wanted.append(table.building_id.in_(sorted(scope.seen)))
    for first in range(0, len(ranges), RANGES):
        within = (and_(start >= low, start < high) for low, high in ranges[first : first + RANGES])
        columns: list[Any] = [*by, *values]
        yield select(*columns).where(or_(*within), *wanted).group_by(*(column.name for column in by))


def _rows(connection: Connection, query: Select[Any], group: str | None) -> Iterator[tuple[Key, tuple[Any, ...]]]:
    for row in connection.execute(query):
        bucket, *rest = row
        place = "" if group is None else rest.pop(0)
        yield (place, bucket), tuple(rest)


def _number(start: InstrumentedAttribute[int], edges: Sequence[int]) -> ColumnElement[int]:
    """The number of the bucket that a moment is in, computed by the database."""
    numbers = [
        (start < _whole(end_ns), (start - _whole(origin_ns)) // _whole(length_ns))
        for end_ns, length_ns, origin_ns in runs(edges)
    ]
    *earlier, (_, last) = numbers
    return case(*earlier, else_=last) if earlier else last


def _whole(value: int) -> ColumnElement[int]:
    return literal(value, BigInteger)
