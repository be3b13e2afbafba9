"""Periodic work: what is to be done again and again, how often, and doing it.

Whoever beats may ask as often as they like: the database says whether it is due, and to whom.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import structlog

from infra.places import Places
from storage.errors import MaskwatchError, UsageError
from storage.progress import Progress, unwatched

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from storage.database.upkeep import UpkeepRecord

log = structlog.get_logger(__name__)

MINUTE_S: Final = 60.0
HOUR_S: Final = 60 * MINUTE_S
DAY_S: Final = 24 * HOUR_S

FAILED: Final = "upkeep failed"
"""What the log says of it."""

ASKED_S: Final = 10 * MINUTE_S
"""Who beats asks at least so often: a beat that begins anew forgets how long it has waited."""


@dataclass(frozen=True, slots=True)
class UpkeepPlace:
    """Where periodic work is done.

    Attributes:
        engine: of a migrated database.
        places: of the system.
        now_ns: the time.
        progress: called for each part of the work, and raises a MaskwatchError where that is to end.
    """

    engine: "Engine"
    places: Places
    now_ns: int
    progress: Progress = unwatched


@dataclass(frozen=True, slots=True)
class Upkeep:
    """A piece of periodic work, which may be done twice at once, and be killed at any moment.

    Attributes:
        name: of it.
        every_s: how often it is done.
        run: does it, and gives what came of it in numbers.
    """

    name: str
    every_s: float
    run: Callable[[UpkeepPlace], dict[str, int]]

    @property
    def asked_s(self) -> float:
        """How often to ask whether it is due."""
        return min(self.every_s, ASKED_S)


def _retention(place: UpkeepPlace) -> dict[str, int]:
    from storage.database.retention import Retention

    places = place.places
    return Retention(place.engine, places.snapshots, places.annotated, place.progress).run(place.now_ns)


def _spot_pictures(place: UpkeepPlace) -> dict[str, int]:
    from storage.database.spot_drawing import wipe_old

    wipe_old(place.engine, place.now_ns)
    return {}


def _weekly_reports(place: UpkeepPlace) -> dict[str, int]:
    from infra.jobs.weekly_reports import write_reports

    return write_reports(place.engine, place.places.reports, place.now_ns, place.progress)


def _rollups(place: UpkeepPlace) -> dict[str, int]:
    from storage.database.repair import repair

    return repair(place.engine, place.now_ns, progress=place.progress)


def _pictures(place: UpkeepPlace) -> dict[str, int]:
    from storage.database.orphans import pictures

    return pictures(place.engine, place.places.snapshots, place.now_ns, place.progress)


def _footage(place: UpkeepPlace) -> dict[str, int]:
    from storage.database.orphans import uploads, videos

    found = {"uploads": uploads(place.engine, place.places.uploads, place.now_ns, place.progress)}
    found["videos"] = videos(place.engine, place.places.annotated, place.now_ns, place.progress)
    return {f"{what}_{how}": number for what, numbers in found.items() for how, number in numbers.items()}


def _temporary(place: UpkeepPlace) -> dict[str, int]:
    from storage.database.orphans import temporary

    places = place.places
    return temporary((places.snapshots, places.uploads, places.annotated, places.reports), place.now_ns, place.progress)


UPKEEP: Final[tuple[Upkeep, ...]] = (
    # Before retention: a report tells of events that may be gone the hour after.
    Upkeep("weekly-reports", HOUR_S, _weekly_reports),
    Upkeep("retention", HOUR_S, _retention),
    Upkeep("spot-pictures", HOUR_S, _spot_pictures),
    Upkeep("orphan-pictures", DAY_S, _pictures),
    Upkeep("orphan-footage", HOUR_S, _footage),
    Upkeep("temporary-files", HOUR_S, _temporary),
    Upkeep("rollup-repair", DAY_S, _rollups),
)
"""All of it."""


def named(name: str) -> Upkeep:
    """The piece of that name.

    Raises:
        UsageError: there is none.
    """
    for one in UPKEEP:
        if one.name == name:
            return one
    raise UsageError(f"there is no upkeep {name!r}; there is {', '.join(one.name for one in UPKEEP)}")


def run_upkeep(name: str, place: UpkeepPlace, *, due: bool = True) -> "UpkeepRecord | None":
    """Do a piece of periodic work and write down what came of it.

    Args:
        name: of the work.
        place: where.
        due: whether it is done only when it is due, and nobody else does it.

    Returns:
        What came of it, a failure that a person can mend included; None where it is not due.

    Raises:
        UsageError: there is no such work.
        StorageError: the database can't be used.
    """
    from storage.database.upkeep import UpkeepLog, UpkeepRecord

    one, book = named(name), UpkeepLog(place.engine)
    if not due:
        book.begin(name, place.now_ns)
    elif not book.take(name, one.every_s, place.now_ns):
        return None
    began_s = time.monotonic()
    outcome: dict[str, int] = {}
    error: str | None = None
    try:
        outcome = one.run(place)
    except MaskwatchError as trouble:
        error = str(trouble)
    except OSError as trouble:
        error = f"{trouble.strerror or trouble}: {trouble.filename}"
    if error is not None:
        log.warning(FAILED, upkeep=name, error=error)
    record = UpkeepRecord(name, place.now_ns, round(time.monotonic() - began_s, 3), outcome, error)
    book.end(record)
    if outcome:
        log.info("upkeep", upkeep=name, **outcome)
    return record
