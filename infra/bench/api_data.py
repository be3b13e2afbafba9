"""A year of passages for `bench api`: 40 cameras in 8 buildings and two time zones, with a daily and a weekly rhythm.

The same seed, numbers and end give the same rows. They come day by day, in order of time, as the system would have written
them. No picture belongs to the events.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from storage.messages import NS_PER_S
from storage.words import Label, UnknownReason

BUILDINGS: Final = 8
CAMERAS_EACH: Final = 5
ZONES_EACH: Final = 2
TIME_ZONES: Final = ("Europe/Berlin", "America/New_York")
HOURS: Final = 365 * 24
HOUR_NS: Final = 3600 * NS_PER_S
OPEN_NS: Final = 60 * NS_PER_S
"""Who came within the last minute is still there."""

BY_HOUR: Final = (1, 1, 1, 1, 2, 8, 30, 70, 100, 60, 45, 50, 80, 75, 50, 50, 65, 90, 60, 30, 15, 8, 4, 2)
BY_WEEKDAY: Final = (1.0, 1.0, 1.0, 1.0, 0.9, 0.35, 0.15)
LABELS: Final = tuple(Label)
REASONS: Final = tuple(UnknownReason)
WITHOUT, INCORRECT, UNKNOWN = (
    LABELS.index(label) for label in (Label.WITHOUT_MASK, Label.INCORRECT_MASK, Label.UNKNOWN)
)
MASKED: Final = LABELS.index(Label.WITH_MASK)
FRESH_DAYS: Final = 14
"""Events of so many days wait for a review; of older ones few do."""


class Place(NamedTuple):
    """A camera and where it looks."""

    camera_id: str
    building_id: str
    zone_id: str | None
    timezone: str


def places() -> list[Place]:
    """All cameras: of each building's five the last one is in no zone."""
    found = []
    for building in range(BUILDINGS):
        timezone = TIME_ZONES[building % len(TIME_ZONES)]
        for number in range(CAMERAS_EACH):
            zone = number // 2 if number < 2 * ZONES_EACH else None
            zone_id = None if zone is None else f"bench-z{building}{zone}"
            found.append(Place(f"bench-c{building}{number}", f"bench-b{building}", zone_id, timezone))
    return found


@dataclass(frozen=True, slots=True)
class Amount:
    """How much there is to be.

    Attributes:
        tracks, events: how many.
        until_ns: end of the year, a whole hour of Unix time.
        seed: of the random numbers.
    """

    tracks: int = 10_000_000
    events: int = 500_000
    until_ns: int = 0
    seed: int = 20_260_701

    @property
    def from_ns(self) -> int:
        """Where the year begins."""
        return self.until_ns - HOURS * HOUR_NS


@dataclass(frozen=True, slots=True)
class Day:
    """Some hours of passages in order of time: one element each.

    Attributes:
        camera: its number in `places()`.
        number: of the track, counted by camera.
        started_ns, ended_ns: Unix time.
        label: its number in `LABELS`.
        reason: its number in `REASONS`; of no meaning where the label is not unknown.
        confidence: 0 to 1.
        is_open: whether the person is still there.
        breach: type of the event as a number in `LABELS`; -1 without one.
        opened_ns: start of the event.
        verdict: 0 pending, 1 confirmed, 2 dismissed.
    """

    camera: NDArray[np.int64]
    number: NDArray[np.int64]
    started_ns: NDArray[np.int64]
    ended_ns: NDArray[np.int64]
    label: NDArray[np.int64]
    reason: NDArray[np.int64]
    confidence: NDArray[np.float64]
    is_open: NDArray[np.bool_]
    breach: NDArray[np.int64]
    opened_ns: NDArray[np.int64]
    verdict: NDArray[np.int64]


def days(amount: Amount) -> Iterator[Day]:
    """The year, a day at a time."""
    rng = np.random.default_rng(amount.seed)
    cameras = places()
    weights = _rhythm(amount, cameras) * rng.lognormal(0.0, 0.5, len(cameras))
    counts = rng.multinomial(amount.tracks, (weights / weights.sum()).ravel()).reshape(weights.shape)
    by_day = counts.reshape(-1, 24, len(cameras))
    sizes = by_day.sum(axis=(1, 2))
    breaches = np.minimum(rng.multinomial(amount.events, sizes / max(1, sizes.sum())), sizes)
    careless = rng.uniform(0.5, 2.0, len(cameras))
    passed = np.zeros(len(cameras), np.int64)
    for number, hours in enumerate(by_day):
        yield _day(rng, amount, (number, hours, int(breaches[number])), careless, passed)
        passed += hours.sum(axis=0)


def _rhythm(amount: Amount, cameras: list[Place]) -> NDArray[np.float64]:
    """(hours, cameras): how busy each hour is, by the clock on the building's wall."""
    known = {}
    for name in TIME_ZONES:
        zone = ZoneInfo(name)
        walls = [
            datetime.fromtimestamp(amount.from_ns // NS_PER_S + hour * 3600, UTC).astimezone(zone)
            for hour in range(HOURS)
        ]
        known[name] = np.array([BY_HOUR[wall.hour] * BY_WEEKDAY[wall.weekday()] for wall in walls])
    return np.stack([known[camera.timezone] for camera in cameras], axis=1)


def _day(
    rng: np.random.Generator,
    amount: Amount,
    day: tuple[int, NDArray[Any], int],
    careless: NDArray[np.float64],
    passed: NDArray[np.int64],
) -> Day:
    number, hours, events = day
    size = int(hours.sum())
    hour, camera = (part.ravel() for part in np.indices(hours.shape))
    hour, camera = np.repeat(hour, hours.ravel()), np.repeat(camera, hours.ravel())
    started = amount.from_ns + (number * 24 + hour) * HOUR_NS + rng.integers(0, HOUR_NS, size)
    order = np.argsort(started, kind="stable")
    started, camera = started[order], camera[order]
    ended = started + rng.gamma(3.0, 2.0 * NS_PER_S, size).astype(np.int64) + NS_PER_S
    breach = np.full(size, -1)
    # Careless cameras have more of them: drawn without putting back, by weight.
    chosen = np.argsort(rng.random(size) ** (1.0 / careless[camera]))[size - events :]
    breach[chosen] = np.where(rng.random(events) < 0.6, WITHOUT, INCORRECT)
    drawn = rng.random(size)
    label = np.select([drawn < 0.84, drawn < 0.88, drawn < 0.91], [MASKED, WITHOUT, INCORRECT], UNKNOWN)
    # What an event's person wore for most of the time is mostly, and not always, what the event is about.
    kept = (breach >= 0) & (rng.random(size) < 0.85)
    label[kept] = breach[kept]
    old = started < amount.until_ns - FRESH_DAYS * 24 * HOUR_NS
    verdict = rng.random(size)
    pending = np.where(old, 0.01, 0.7)
    return Day(
        camera=camera,
        number=_numbers(camera, passed),
        started_ns=started,
        ended_ns=ended,
        label=label,
        reason=rng.choice(len(REASONS), size, p=(0.25, 0.2, 0.2, 0.1, 0.05, 0.15, 0.05)),
        confidence=np.round(rng.uniform(0.6, 1.0, size), 4),
        is_open=started >= amount.until_ns - OPEN_NS,
        breach=breach,
        opened_ns=np.minimum(started + NS_PER_S, ended),
        verdict=np.select([verdict < pending, verdict < 0.85], [0, 1], 2),
    )


def _numbers(camera: NDArray[Any], passed: NDArray[np.int64]) -> NDArray[np.int64]:
    """Each passage's number at its camera, going on from `passed`."""
    order = np.argsort(camera, kind="stable")
    sizes = np.bincount(camera, minlength=len(passed))
    first = np.repeat(np.cumsum(sizes) - sizes, sizes)
    numbers = np.empty(len(camera), np.int64)
    numbers[order] = np.arange(len(camera)) - first + 1
    numbers += passed[camera]
    return numbers
