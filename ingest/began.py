"""When recorded footage began, as the file itself or its name says."""

import re
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from ingest.footage import opened
from storage.errors import UsageError

TOLD: Final = ("com.apple.quicktime.creationdate", "creation_time")
"""What containers say it by, the most exact first."""

EARLIEST: Final = datetime(1990, 1, 1, tzinfo=UTC)
"""Clocks that were never set begin with 1904 or 1970."""

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(2100, 1, 1, tzinfo=UTC)
"""What is said to have begun later has a wrong clock; in nanoseconds, the end of time itself fits no database."""

_MONTH: Final = r"[^\W\d_]{3,9}\.?"
_WRITTEN: Final = {
    "Y": r"\d{4}",
    "m": r"\d{1,2}",
    "d": r"\d{1,2}",
    "H": r"\d{1,2}",
    "M": r"\d{1,2}",
    "S": r"\d{1,2}",
    "y": r"\d{2}",
    "j": r"\d{1,3}",
    "I": r"\d{1,2}",
    "p": r"[AaPp][Mm]",
    "f": r"\d{1,6}",
    "%": "%",
    "b": _MONTH,
    "B": _MONTH,
    "z": r"(?:Z|[+-]\d{2}:?\d{2})",
}
"""Directives of `datetime.strptime` that tell a moment, and what they look like."""


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
    shape = _shape(pattern)
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


def _shape(pattern: str) -> re.Pattern[str]:
    """What looks like the pattern; digits beside it belong to some other number."""
    parts, told = [], set()
    for literal, directive in re.findall(r"([^%]+)|%(.?)", pattern, re.DOTALL):
        if literal:
            parts.append(re.escape(literal))
        elif directive not in _WRITTEN:
            known = " ".join(f"%{one}" for one in _WRITTEN)
            raise UsageError(f"the name pattern {pattern!r} holds %{directive}; what it may hold is {known}")
        else:
            parts.append(_WRITTEN[directive])
            told.add(directive)
    if not (told & {"Y", "y"} and (told & {"j"} or (told & {"m", "b", "B"} and "d" in told))):
        raise UsageError(
            f"the name pattern {pattern!r} tells no day: it needs a year, a month and a day, e.g. %Y%m%d-%H%M%S"
        )
    try:
        datetime.now(UTC).strptime(datetime.now(UTC).strftime(pattern), pattern)
    except (ValueError, re.error) as error:
        raise UsageError(f"the name pattern {pattern!r} can't be used: {error}") from None
    # Looked for at each place: what looks like it may begin within what only nearly does.
    return re.compile(rf"(?<!\d)(?=({''.join(parts)})(?!\d))")


def _ns(moment: datetime) -> int:
    since = moment - EPOCH
    return (since.days * 86_400 + since.seconds) * 10**9 + since.microseconds * 1000
