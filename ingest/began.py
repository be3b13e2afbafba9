"""When recorded footage began, as the file itself or its name says."""

from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from ingest.footage import opened
from storage.errors import UsageError
from storage.name_patterns import name_shape

TOLD: Final = ("com.apple.quicktime.creationdate", "creation_time")
"""What containers say it by, the most exact first."""

EARLIEST: Final = datetime(1990, 1, 1, tzinfo=UTC)
"""Clocks that were never set begin with 1904 or 1970."""

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(2100, 1, 1, tzinfo=UTC)
"""What is said to have begun later has a wrong clock; in nanoseconds, the end of time itself fits no database."""


def began_ns(path: Path) -> int | None:
    """When the container says that the footage began, Unix time in ns, or None where it does not say.

    Raises:
        InputError: the file can't be read.
    """
    with opened(path) as container:
        # Of the streams too: some writers give it to them alone.
        told = [dict(container.metadata), *(dict(stream.metadata) for stream in container.streams.video)]
    for name in TOLD:
        for metadata in told:
            with suppress(ValueError, OverflowError):
                moment = datetime.fromisoformat(metadata.get(name, ""))
                moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
                if EARLIEST <= moment < LATEST:
                    return _ns(moment)
    return None


def began_by_name(name: str, pattern: str, timezone: str) -> int | None:
    """When a file's name says that the footage began, Unix time in ns, or None where the pattern is nowhere in it.

    >>> began_by_name("door-20260301_080000.mp4", "%Y%m%d_%H%M%S", "UTC")
    1772352000000000000

    Args:
        name: of the file.
        pattern: as for `datetime.strptime`, for a part of the name.
        timezone: IANA name, for what holds no `%z`.

    Raises:
        UsageError: a pattern that can't tell a day, or a time zone that does not exist.
    """
    shape = name_shape(pattern)
    try:
        zone = ZoneInfo(timezone)
    except (KeyError, ValueError, OSError):
        raise UsageError(f"there is no time zone {timezone!r}: give an IANA name such as Europe/Zurich") from None
    for found in shape.finditer(name):
        with suppress(ValueError, OverflowError):
            moment = datetime.strptime(found[1], pattern)  # noqa: DTZ007 its zone comes next
            moment = moment.replace(tzinfo=zone) if moment.tzinfo is None else moment
            if EPOCH <= moment < LATEST:
                return _ns(moment)
    return None


def _ns(moment: datetime) -> int:
    since = moment - EPOCH
    return (since.days * 86_400 + since.seconds) * 10**9 + since.microseconds * 1000
