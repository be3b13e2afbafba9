"""Rates of buildings corrected by passages that people checked: which checks, of which time, and what comes of them."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Final, NamedTuple

import msgspec
from sqlalchemy import Connection, func, select

from storage.corrected import ENOUGH, Check, corrected
from storage.database.buckets import Span
from storage.database.models import EventRow, SpotCheckRow, TrackRow
from storage.database.statistics import Key, Scope, Totals, totals
from storage.messages import NS_PER_S
from storage.reviewing import Ruling, Verdict
from storage.words import Label

DAY_NS: Final = 86_400 * NS_PER_S
LOOK_BACK_NS: Final = 90 * DAY_NS
"""Where a period has too few checks of its own, those of so long before its end are taken."""

MOST_BUCKETS: Final = 62
"""Each takes milliseconds; of more of them, the latest are corrected."""

NOT_YET: Final = "not yet verified"
NOT_EVERYWHERE: Final = f"{NOT_YET}: in some of these buildings nobody checks passages at random"
WHOLE_BUILDINGS: Final = f"{NOT_YET}: checks at random tell of whole buildings"


class VerifiedBy(msgspec.Struct, frozen=True):
    """So many checks, of passages that began in this stretch of time."""

    checks: int
    span: Span


class Correction(msgspec.Struct, frozen=True):
    """A corrected rate with its interval, or `note`: why there is none."""

    rate: float | None = None
    interval: tuple[float, float] | None = None
    note: str | None = NOT_YET
    by: VerifiedBy | None = None


class Corrected(msgspec.Struct, frozen=True):
    """Corrections of the whole time by group, and by group and number of the bucket; `other` for those that have none."""

    other: Correction = Correction()
    whole: dict[str, Correction] = {}
    parts: dict[Key, Correction] = {}

    def of(self, group: str, number: int | None = None) -> Correction:
        """That of a bucket, or of the whole time."""
        if number is None:
            return self.whole.get(group, self.other)
        return self.parts.get((group, number), self.other)


class _Told(NamedTuple):
    """Checks that are alike."""

    building: str
    started_ns: int
    check: Check


class Corrections:
    """Checks of some buildings, read once, for the periods of a stretch of time."""

    def __init__(self, connection: Connection, span: Span, buildings: frozenset[str] | None, now_ns: int) -> None:
        """Read them.

        Args:
            connection: within one transaction.
            span: the whole of what will be asked for.
            buildings: whose; None: all.
            now_ns: Unix time.
        """
        self._connection, self._now_ns = connection, now_ns
        query = (
            select(
                SpotCheckRow.building_id,
                SpotCheckRow.started_ns,
                SpotCheckRow.machine_label,
                SpotCheckRow.label,
                SpotCheckRow.share,
            )
            .outerjoin(TrackRow, TrackRow.id == SpotCheckRow.track_id)
            .where(
                SpotCheckRow.started_ns >= min(span.start_ns, _end(span, now_ns) - LOOK_BACK_NS),
                SpotCheckRow.started_ns < span.end_ns,
                SpotCheckRow.label.is_not(None),
                # Those are in no rate, whatever they wear.
                TrackRow.ruling.is_distinct_from(Ruling.EXEMPT.value),
            )
            .order_by(SpotCheckRow.started_ns)
        )
        if buildings is not None:
            query = query.where(SpotCheckRow.building_id.in_(sorted(buildings)))
        self._told = [
            _Told(row.building_id, row.started_ns, Check(Label(row.machine_label), row.label, 1.0 / row.share))
            for row in connection.execute(query)
        ]
        self._starts = [told.started_ns for told in self._told]

    @property
    def any(self) -> bool:
        """Whether there can be any corrected rate."""
        return len(self._told) >= ENOUGH

    def own(self, span: Span, buildings: Collection[str]) -> int:
        """How many checks a period has of its own."""
        return sum(told.building in buildings for told in self._within(span))

    def correct(self, span: Span, found: Mapping[str, Totals]) -> Correction:
        """The corrected rate of a period.

        Args:
            span: the period.
            found: its totals, by building.
        """
        buildings = {building for building, totals in found.items() if totals.judged + totals.unknown}
        used = span
        told = [one for one in self._within(span) if one.building in buildings]
        if len(told) < ENOUGH:
            end_ns = _end(span, self._now_ns)
            used = Span(end_ns - LOOK_BACK_NS, end_ns)
            told = [one for one in self._within(used) if one.building in buildings]
        if len(told) < ENOUGH:
            return Correction()
        if {one.building for one in told} != buildings:
            return Correction(note=NOT_EVERYWHERE)
        result = corrected(self._said(span, buildings, found), [one.check for one in told])
        if result is None:
            return Correction()
        return Correction(result.rate, result.interval, None, VerifiedBy(result.checked, used))

    def _within(self, span: Span) -> Sequence[_Told]:
        return self._told[bisect_right(self._starts, span.start_ns - 1) : bisect_right(self._starts, span.end_ns - 1)]

    def _said(self, span: Span, buildings: Collection[str], found: Mapping[str, Totals]) -> Counter[Label]:
        """Passages by label as the system has it: totals hold what people made of it in reviews of events."""
        numbers: Counter[Label] = Counter()
        for building in buildings:
            for each in Label:
                numbers[each] += getattr(found[building], each.value)
        # An event begins no earlier than its track.
        query = (
            select(TrackRow.label, TrackRow.machine_label, TrackRow.ruling, func.count())
            .select_from(EventRow)
            .join(TrackRow, TrackRow.id == EventRow.track_id)
            .where(
                EventRow.building_id.in_(sorted(buildings)),
                EventRow.started_ns >= span.start_ns,
                EventRow.started_ns < span.end_ns + DAY_NS,
                EventRow.verdict != Verdict.PENDING.value,
                TrackRow.started_ns >= span.start_ns,
                TrackRow.started_ns < span.end_ns,
                TrackRow.counts,
                TrackRow.counted,
                ~TrackRow.outside_hours,
            )
            .group_by(TrackRow.label, TrackRow.machine_label, TrackRow.ruling)
        )
        for label, machine_label, ruling, number in self._connection.execute(query):
            if ruling == Ruling.EXEMPT:
                continue
            if ruling is None:
                numbers[Label(label)] -= number
            numbers[Label(machine_label or label)] += number
        return numbers


def corrected_each(
    connection: Connection,
    asked: tuple[Sequence[int], str | None, Scope],
    buildings: frozenset[str],
    now_ns: int,
) -> "Corrected":
    """Correct the rates of the whole time, and of as many buckets as have enough checks of their own.

    Args:
        connection: within the transaction in which the totals are counted.
        asked: edges, group and scope, as for `totals`.
        buildings: that the scope is about.
        now_ns: Unix time.
    """
    edges, group, scope = asked
    if group not in {None, "building"} or scope.camera is not None or scope.zone is not None:
        return Corrected(Correction(note=WHOLE_BUILDINGS))
    span = Span(edges[0], edges[-1])
    checks = Corrections(connection, span, buildings, now_ns)
    if not checks.any:
        return Corrected()
    whole: dict[str, dict[str, Totals]] = {}
    parts: dict[Key, dict[str, Totals]] = {}
    for (building, number), here in totals(connection, edges, "building", scope).items():
        key = "" if group is None else building
        every = whole.setdefault(key, {})
        every[building] = every.get(building, Totals()) + here
        parts.setdefault((key, number), {})[building] = here
    corrected_whole = {key: checks.correct(span, found) for key, found in whole.items()}
    corrected_parts: dict[Key, Correction] = {}
    for (key, number), found in sorted(parts.items(), key=lambda part: part[0][1], reverse=True):
        part = Span(edges[number], edges[number + 1])
        if len(corrected_parts) < MOST_BUCKETS and checks.own(part, found) >= ENOUGH:
            corrected_parts[key, number] = checks.correct(part, found)
    return Corrected(Correction(), corrected_whole, corrected_parts)


def _end(span: Span, now_ns: int) -> int:
    return min(span.end_ns, now_ns)
