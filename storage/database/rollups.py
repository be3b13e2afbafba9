"""Totals by minute and hour, kept beside the tracks they come from, in the same transaction.

What a track adds is a pure function of its row; a changed row takes back what the old one added and adds anew. So the
totals always equal a recount.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Final, NamedTuple

from sqlalchemy import Connection

from storage.database.models import HourRollupRow, MinuteRollupRow
from storage.database.upsert import upsert
from storage.messages import NS_PER_S
from storage.reviewing import Ruling, Verdict
from storage.words import Label, UnknownReason

MINUTE_NS: Final = 60 * NS_PER_S
HOUR_NS: Final = 60 * MINUTE_NS

COLUMNS: Final = (
    "tracks",
    "with_mask",
    "without_mask",
    "incorrect_mask",
    "unknown",
    "exempt",
    "outside_hours",
    "open_tracks",
    "events",
    *UnknownReason,
)


def track_columns(
    label: str, *, counted: bool, outside_hours: bool, ruling: str | None, unknown_reason: str | None
) -> tuple[str, ...]:
    """Where a track goes.

    One that is not counted yet is open, whatever its label; one outside the hours never counts, and one that people
    have excluded goes nowhere.

    Args:
        label: as it is after people's corrections, as are the others; see `TrackRow`.
        counted: whether its label is settled.
        outside_hours: whether it began outside the policy's hours.
        ruling: of people.
        unknown_reason: of an unknown one.
    """
    if ruling == Ruling.EXCLUDED:
        return ()
    if outside_hours:
        return ("outside_hours",)
    if not counted:
        return ("open_tracks",)
    if ruling == Ruling.EXEMPT:
        return ("tracks", "exempt")
    if label == Label.UNKNOWN and unknown_reason is not None:
        return ("tracks", label, unknown_reason)
    return ("tracks", label)


def event_columns(verdict: str) -> tuple[str, ...]:
    """Where an event goes: nowhere once it is dismissed."""
    return () if verdict == Verdict.DISMISSED else ("events",)


class Place(NamedTuple):
    """Where a passage was seen, and whether it goes into totals; as it was when the passage began."""

    camera_id: str
    building_id: str
    zone_id: str | None
    counts: bool


class Totals:
    """What a transaction adds to the rollups."""

    def __init__(self) -> None:
        self._added: defaultdict[tuple[str, str, str, int], dict[str, int]] = defaultdict(dict)

    def add(self, place: Place, started_ns: int, columns: Sequence[str], times: int = 1) -> None:
        """Add a track or an event to its columns `times` times; -1 takes it back."""
        for column in columns:
            self._add(place, started_ns, column, times)

    def write(self, connection: Connection) -> None:
        """Add it all to the minutes and the hours."""
        for table, bucket_ns in ((MinuteRollupRow.__table__, MINUTE_NS), (HourRollupRow.__table__, HOUR_NS)):
            if rows := self.rows(bucket_ns):
                connection.execute(upsert(connection, table, add=COLUMNS), rows)

    def rows(self, bucket_ns: int) -> list[dict[str, str | int]]:
        """The rows to be added to a rollup with buckets of `bucket_ns`, in the order of their keys."""
        sums: defaultdict[tuple[str, str, str, int], dict[str, int]] = defaultdict(lambda: dict.fromkeys(COLUMNS, 0))
        for (camera, building, zone, minute), added in self._added.items():
            bucket = sums[camera, building, zone, minute // bucket_ns * bucket_ns]
            for column, times in added.items():
                bucket[column] += times
        return [
            {"camera_id": camera, "building_id": building, "zone_id": zone, "start_ns": start_ns, **sums[key]}
            for key in sorted(sums)
            if any(sums[key].values())
            for camera, building, zone, start_ns in [key]
        ]

    def _add(self, place: Place, started_ns: int, column: str, times: int) -> None:
        if place.counts:
            key = (place.camera_id, place.building_id, place.zone_id or "", started_ns // MINUTE_NS * MINUTE_NS)
            self._added[key][column] = self._added[key].get(column, 0) + times
