"""What people ask of a year of passages: drawn at random, the same for the same seed."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np

from infra.bench.api_data import BUILDINGS, HOUR_NS, TIME_ZONES, Amount, places
from storage.database.buckets import Bucket
from storage.database.groups import GroupBy
from storage.database.reports import Position, Question, Reports, Wanted
from storage.database.statistics import Scope

MONTH_NS: Final = 30 * 24 * HOUR_NS
DAY_NS: Final = 24 * HOUR_NS
PAGE: Final = 50
MIXES: Final[dict[str, dict[str, str]]] = {
    "newest": {},
    "pending": {"verdict": "pending"},
    "dismissed": {"verdict": "dismissed"},
    "type": {"type": "incorrect_mask"},
    "label": {"label": "unknown"},
    "building": {"building": "*"},
    "building_pending": {"building": "*", "verdict": "pending"},
    "camera": {"camera": "*"},
    "camera_type_dismissed": {"camera": "*", "type": "incorrect_mask", "verdict": "dismissed"},
    "zone": {"zone": "*"},
    "label_pending": {"label": "with_mask", "verdict": "pending"},
}
"""Filters of a page of events; "*" is any. Each is asked for its newest page, for one deep in the list, and for a day."""


@dataclass(frozen=True, slots=True)
class Asking:
    """Draws questions about a year."""

    amount: Amount
    rng: np.random.Generator

    def month(self, *, building: bool) -> Question:
        """A month by day: of all buildings, each apart, or of one."""
        start_ns = int(self.rng.integers(self.amount.from_ns, self.amount.until_ns - MONTH_NS)) // HOUR_NS * HOUR_NS
        one = f"bench-b{self.rng.integers(BUILDINGS)}" if building else None
        return Question(
            bucket=Bucket.DAY,
            group_by=None if building else GroupBy.BUILDING,
            scope=Scope(building=one),
            timezone=None if building else str(self.rng.choice(TIME_ZONES)),
            from_ns=start_ns,
            to_ns=start_ns + MONTH_NS,
        )

    def events(self, mix: str, turn: int) -> tuple[Wanted, Position | None]:
        """Which events, and from where on: by turns the newest, somewhere in the year, and a day."""
        place = places()[int(self.rng.integers(len(places())))]
        drawn = {"camera": place.camera_id, "building": place.building_id, "zone": place.zone_id or "bench-z00"}
        given = {name: drawn[name] if value == "*" else value for name, value in MIXES[mix].items()}
        wanted = msgspec.convert(given, Wanted)
        at_ns = int(self.rng.integers(self.amount.from_ns, self.amount.until_ns))
        if turn % 3 == 1:
            return wanted, Position(at_ns, "z")
        if turn % 3 == 2:
            return msgspec.structs.replace(wanted, from_ns=at_ns, to_ns=at_ns + DAY_NS), None
        return wanted, None

    def known(self, reports: Reports, number: int) -> list[str]:
        """Identifiers of events from all over the year."""
        found: list[str] = []
        while len(found) < number:
            at_ns = int(self.rng.integers(self.amount.from_ns, self.amount.until_ns))
            found += [event.id for event in reports.events(Wanted(), 20, Position(at_ns, "z"))[0]]
        return [str(one) for one in self.rng.permutation(found)[:number]]


def p95_ms(times_s: list[float]) -> float:
    """The 95th percentile in milliseconds."""
    return float(np.percentile(times_s, 95)) * 1e3


Ask = Callable[[], object]
