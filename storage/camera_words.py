"""Hours, regions and labels as people write them in a list of cameras or after an option of a command.

Hours: `mon-fri 07:00-19:00`, `sat,sun 10:00-14:00`, `daily 22:00-06:00`. A region: `watch:0.1,0.2 0.9,0.2 0.9,1`. Several
are separated by `|`.
"""

import math
import re
from collections.abc import Iterable, Sequence
from typing import Final, Literal, cast

from storage.errors import InvalidError
from storage.hours import DAYS, Day, Hours, check_hours
from storage.regions import Region
from storage.words import EVENT_LABELS, Label

ALWAYS: Final = "always"
DAILY: Final = "daily"
SEPARATOR: Final = " | "

_HOURS: Final = re.compile(r"([a-z, -]+?) +(\d\d?:\d\d) *- *(\d\d?:\d\d)")
_POINT: Final = re.compile(r"([\d.eE+-]+) *, *([\d.eE+-]+)")


def parse_hours(text: str) -> tuple[Hours, ...] | None:
    """Hours of the week; None for `always`.

    >>> parse_hours("mon-wed 07:00-19:00")
    (Hours(days=('mon', 'tue', 'wed'), start='07:00', end='19:00'),)

    Raises:
        InvalidError: they can't be read.
    """
    if text.strip().lower() == ALWAYS:
        return None
    hours = tuple(_one(part) for part in _parts(text))
    check_hours(hours)
    return hours


def show_hours(hours: Sequence[Hours] | None) -> str:
    """The same as `parse_hours` reads it.

    >>> show_hours(parse_hours("sun,mon,tue,wed 7:00-19:00"))
    'mon-wed,sun 07:00-19:00'
    """
    if hours is None:
        return ALWAYS
    return SEPARATOR.join(f"{_show_days(one.days)} {one.start}-{one.end}" for one in hours)


def parse_region(text: str) -> Region:
    """A region.

    Raises:
        InvalidError: it can't be read; whether it lies in the picture is checked where it is stored.
    """
    mode, colon, rest = text.strip().partition(":")
    points = rest.split()
    found = [_POINT.fullmatch(point) for point in points]
    try:
        if mode.lower() not in {"watch", "ignore"} or not colon or not points or not all(found):
            raise ValueError
        corners = tuple((float(one[1]), float(one[2])) for one in found if one)
    except ValueError:
        raise InvalidError(
            f"{text[:80]!r} is no region: write watch: or ignore: and its corners as shares of the picture's width and "
            "height, such as watch:0.1,0.2 0.9,0.2 0.9,1"
        ) from None
    if not all(0 <= share <= 1 for corner in corners for share in corner):
        raise InvalidError(
            f"region {text[:80]!r} leaves the picture: its corners are shares of width and height, 0 to 1"
        )
    return Region(cast("Literal['watch', 'ignore']", mode.lower()), corners)


def parse_regions(text: str) -> tuple[Region, ...]:
    """Regions, separated by `|`.

    Raises:
        InvalidError: one can't be read.
    """
    return tuple(parse_region(part) for part in _parts(text))


def show_regions(regions: Iterable[Region]) -> str:
    """The same as `parse_regions` reads it, exactly."""
    return SEPARATOR.join(
        f"{region.mode}:{' '.join(f'{show_number(x)},{show_number(y)}' for x, y in region.points)}"
        for region in regions
    )


def parse_labels(text: str) -> tuple[Label, ...]:
    """Labels that break a policy, separated by spaces, commas or `|`; in the order of the words.

    Raises:
        InvalidError: there is no such label.
    """
    words = [word for word in re.split(r"[\s,|]+", text.strip().lower()) if word]
    if not words or not set(words) <= set(EVENT_LABELS):
        raise InvalidError(f"{text[:80]!r}: the labels of a policy are one or more of {', '.join(EVENT_LABELS)}")
    return tuple(label for label in EVENT_LABELS if label in words)


def show_labels(labels: Iterable[Label]) -> str:
    """The same as `parse_labels` reads it."""
    given = set(labels)
    return " ".join(label for label in EVENT_LABELS if label in given)


def parse_number(text: str) -> float:
    """A number; a decimal comma is one, too.

    Raises:
        InvalidError: it is none.
    """
    written = text.strip()
    try:
        number = float(written.replace(",", ".") if re.fullmatch(r"\d+,\d+", written) else written)
        if not math.isfinite(number):
            raise ValueError
    except ValueError:
        raise InvalidError(f"{text[:40]!r} is no number") from None
    return number


def show_number(number: float) -> str:
    """The same as `parse_number` reads it, exactly.

    >>> show_number(5.0), show_number(0.1)
    ('5', '0.1')
    """
    return repr(float(number)).removesuffix(".0")


def _parts(text: str) -> list[str]:
    return [part.strip() for part in re.split(r"[|;]", text) if part.strip()]


def _one(text: str) -> Hours:
    found = _HOURS.fullmatch(text.lower())
    if found is None:
        raise InvalidError(f"{text[:80]!r} are no hours: write them as mon-fri 07:00-19:00, or {ALWAYS}")
    return Hours(_days(found[1]), found[2].rjust(5, "0"), found[3].rjust(5, "0"))


def _days(text: str) -> tuple[Day, ...]:
    given: set[str] = set()
    for part in text.replace(" ", "").split(","):
        first, _, last = part.partition("-")
        if part == DAILY:
            given |= set(DAYS)
        elif first in DAYS and (last or first) in DAYS:
            start, end = DAYS.index(first), DAYS.index(last or first)
            given |= {DAYS[(start + step) % 7] for step in range((end - start) % 7 + 1)}
        else:
            raise InvalidError(f"{part[:40]!r} is no day: days are {', '.join(DAYS)}, or {DAILY}")
    return tuple(day for day in DAYS if day in given)


def _show_days(days: Sequence[Day]) -> str:
    runs: list[list[int]] = []
    for number in (number for number, day in enumerate(DAYS) if day in days):
        if runs and runs[-1][-1] == number - 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    if len(days) == len(DAYS):
        return DAILY
    return ",".join(DAYS[run[0]] if len(run) == 1 else f"{DAYS[run[0]]}-{DAYS[run[-1]]}" for run in runs)
